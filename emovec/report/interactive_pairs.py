"""Interactive figure of verification by pair of emotions: a heat map with several measures."""

from collections.abc import Mapping, Sequence
from typing import Any

from emovec.report import interactive
from emovec.report.html_blocks import Drawing
from emovec.report.interactive import HOVER, Option

Row = Mapping[str, str]
POOLS = ("same", "cross", "pooled")


def cells_by_emotions(rows: Sequence[Row]) -> dict[tuple[str, str], Row]:
    """Cells of eer_matrix.csv by their two emotions, in either order; pools are left out.

    Emotions may have hyphens: a name is cut where both parts are emotions, which those of the
    diagonal tell.
    """
    names = [row["pair"] for row in rows if row["pair"] not in POOLS]
    alone = {name[: len(name) // 2] for name in names if _is_diagonal(name)}
    found = {}
    for row in rows:
        name = row["pair"]
        places = [place for place, letter in enumerate(name) if letter == "-"]
        cuts = [(name[:place], name[place + 1 :]) for place in places]
        if name in POOLS or not cuts:
            continue
        one, other = next((cut for cut in cuts if alone.issuperset(cut)), cuts[0])
        found[one, other] = found[other, one] = row
    return found


def rate(row: Row, name: str) -> float | None:
    """A number of a cell in %, None where it has none."""
    return 100 * float(row[name]) if row.get(name) else None


def percent(row: Row, name: str) -> str:
    """A rate in % with its interval; "" without one.

    >>> percent({"eer": "0.125", "eer_low": "0.1", "eer_high": "0.15"}, "eer")
    '12.5 % [10.0, 15.0]'
    """
    if not row.get(name):
        return ""
    said = f"{100 * float(row[name]):.1f} %"
    ends = [row.get(f"{name}_{end}") for end in ("low", "high")]
    if all(ends):
        low, high = (f"{100 * float(end):.1f}" for end in ends if end)
        said += f" [{low}, {high}]"
    return said


def heat_map(rows: Sequence[Row], reference: str) -> Drawing | None:
    """Rates of each pair of emotions, switched between measures and orders; None without cells.

    Args:
        rows: of eer_matrix.csv
        reference: emotion that sets the threshold of false rejections
    """
    cells = cells_by_emotions(rows)
    emotions = sorted({one for one, _ in cells})
    measures = {"EER": lambda row: rate(row, "eer")}
    if any(row["frr"] for row in cells.values()):
        measures[f"false rejection at the threshold of {reference}"] = lambda row: rate(row, "frr")
    if any(row["published_eer"] and row["eer"] for row in cells.values()):
        measures["EER minus published"] = _difference
    if not cells:
        return None
    traces = [
        _layer(cells, emotions, {pair: value(row) for pair, row in cells.items()}, label)
        for label, value in measures.items()
    ]
    doubted = {pair: 0.0 for pair, row in cells.items() if row["doubt"]}
    grey = {"colorscale": [[0, "#9a9a9a"], [1, "#9a9a9a"]], "showscale": False}
    traces.append({**_layer(cells, emotions, doubted, ""), **grey, "texttemplate": ""})
    shown = [
        Option(label, [number == place for number in range(len(measures))] + [True])
        for place, label in enumerate(measures)
    ]
    orders = [Option(label, (), _ordered(order)) for label, order in _orders(cells).items()]
    order = {"categoryorder": "array", "categoryarray": _texts(emotions)}
    ticks = {"showgrid": False, "zeroline": False, "type": "category", **order}
    layout = {
        "xaxis": interactive.axis("", **ticks),
        "yaxis": interactive.axis("", **ticks, autorange="reversed"),
        "height": 180 + 46 * max(len(emotions), 4),
    }
    return interactive.drawing(traces, layout, {"Measure": shown, "Order": orders})


def _difference(row: Row) -> float | None:
    both = row["published_eer"] and row["eer"]
    return 100 * (float(row["eer"]) - float(row["published_eer"])) if both else None


def _layer(
    cells: Mapping[tuple[str, str], Row],
    emotions: Sequence[str],
    values: Mapping[tuple[str, str], float | None],
    label: str,
) -> dict[str, Any]:
    """Values of all cells; those that are not to be trusted only of a layer without a label."""
    pairs = [[(one, other) for other in emotions] for one in emotions]
    kept = {pair: value for pair, value in values.items() if not (label and cells[pair]["doubt"])}
    found = {
        "type": "heatmap",
        "x": _texts(emotions),
        "y": _texts(emotions),
        "z": [[_rounded(kept.get(pair)) for pair in line] for line in pairs],
        "text": [[_hover(cells[pair]) if pair in cells else "" for pair in line] for line in pairs],
        "hovertemplate": HOVER,
        "hoverongaps": False,
        "texttemplate": "%{z:.1f}",
        "textfont": {"color": "@ink"},
        "colorscale": "@sequential",
        "colorbar": {"title": {"text": "%"}, "thickness": 12, "outlinewidth": 0},
        "xgap": 2,
        "ygap": 2,
    }
    if "minus" in label:
        ends = max((abs(value) for value in kept.values() if value is not None), default=1)
        scale = {"colorscale": "@diverging", "zmin": -ends, "zmax": ends}
        found |= {**scale, "texttemplate": "%{z:+.1f}"}
    return found


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _hover(row: Row) -> str:
    published = row["published_eer"]
    rates = {
        "EER": percent(row, "eer"),
        "false rejection": percent(row, "frr"),
        "false acceptance": percent(row, "far"),
        "published EER": f"{100 * float(published):.1f} %" if published else "",
        "targets": row["targets"],
        "impostors": row["impostors"],
        "speakers": row["speakers"],
        "clips": row["clips"],
        "not to be trusted": row["doubt"],
    }
    said = [f"{name}: {value}" for name, value in rates.items() if value]
    return interactive.lines(row["pair"], *said)


def _orders(cells: Mapping[tuple[str, str], Row]) -> dict[str, list[str]]:
    """Emotions in the orders that there are to choose from."""
    emotions = sorted({one for one, _ in cells})
    own = {e: rate(cells[e, e], "eer") if (e, e) in cells else None for e in emotions}
    mean = {}
    for emotion in emotions:
        rates = [rate(row, "eer") for (one, _), row in cells.items() if one == emotion]
        known = [value for value in rates if value is not None]
        mean[emotion] = sum(known) / len(known) if known else None
    orders = {"alphabet": emotions}
    for label, by in (("EER with itself", own), ("mean EER", mean)):
        orders[label] = sorted(emotions, key=lambda e: (by[e] is None, by[e] or 0.0))
    return orders


def _ordered(emotions: Sequence[str]) -> dict[str, Any]:
    return {f"{name}.categoryarray": _texts(emotions) for name in ("xaxis", "yaxis")}


def _texts(names: Sequence[str]) -> list[str]:
    return [interactive.text(name) for name in names]


def _is_diagonal(name: str) -> bool:
    half, odd = divmod(len(name), 2)
    return bool(odd) and name[half] == "-" and name[:half] == name[half + 1 :]
