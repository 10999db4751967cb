"""Interactive curves and counts: learning, masking, confusion, durations."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emovec.report import interactive
from emovec.report.html_blocks import Drawing
from emovec.report.interactive import HOVER, Option

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "@ink")
DASHES = ("solid", "dash", "dot")
LARGEST_LABELLED = 12  # classes; the numbers of more do not fit into cells
ENDS = {"emotion": "identity end masked", "identity": "emotion end masked"}
MEASURES = {"weighted_f1": "emotion, weighted F1 (%)", "eer": "speakers, EER (%)"}
KEYS = {"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0}


def learning_curves(history: Sequence[Mapping[str, float]]) -> Drawing | None:
    """Loss and metrics over epochs, a family at a time; None where there is nothing to draw."""
    names = dict.fromkeys(name for epoch in history for name in epoch if "/" in name)
    families: dict[str, list[str]] = {}
    for name in names:
        rest = name.partition("/")[2]
        if not rest.endswith("seconds"):
            families.setdefault(_family(rest), []).append(name)
    traces, owners = [], []
    for family, members in families.items():
        for number, name in enumerate(members):
            traces.append(_curve(history, name, number, family))
            owners.append(family)
    if not traces:
        return None
    options = [
        Option(family, [owner == family for owner in owners], {"yaxis.title.text": family})
        for family in sorted(families, key=lambda family: family != "loss")
    ]
    layout = {
        "xaxis": interactive.axis("epoch", dtick=max(1, len(history) // 10)),
        "yaxis": interactive.axis(options[0].label),
        "legend": KEYS,
        "height": 420,
    }
    return interactive.drawing(traces, layout, {"Curve": options})


def masking_curves(rows: Sequence[Mapping[str, str]], guessed_f1: float | None) -> Drawing:
    """Emotion and identity over masked groups, an end and a measure at a time.

    Args:
        rows: of masking.csv
        guessed_f1: of always saying the most frequent emotion; a line, if known
    """
    systems = list(dict.fromkeys(row["system"] for row in rows))
    guessed = {"weighted_f1": guessed_f1, "eer": 0.5}
    traces, owners = [], []
    for keep in ENDS:
        for measure in MEASURES:
            for number, system in enumerate(systems):
                of = [row for row in rows if (row["system"], row["keep"]) == (system, keep)]
                traces.append(_masked(of, measure, system, number))
                owners.append((keep, measure))
            bound, groups = guessed[measure], [int(row["masked_groups"]) for row in rows]
            if bound is not None:
                ends, height = [min(groups), max(groups)], [round(100 * bound, 2)] * 2
                line = {"color": "@faint", "width": 2, "dash": "dot"}
                look = {"type": "scatter", "mode": "lines", "name": "guessing", "line": line}
                traces.append({**look, "x": ends, "y": height})
                owners.append((keep, measure))
    options = [
        Option(
            f"{label}: {said.partition(',')[0]}",
            [owner == (keep, measure) for owner in owners],
            {"yaxis.title.text": said},
        )
        for keep, label in ENDS.items()
        for measure, said in MEASURES.items()
    ]
    layout = {
        "xaxis": interactive.axis("masked groups"),
        "yaxis": interactive.axis(next(iter(MEASURES.values()))),
        "legend": KEYS,
        "height": 440,
    }
    return interactive.drawing(traces, layout, {"Curve": options})


def confusion(counts: NDArray[np.int64], names: Sequence[str], kind: str) -> Drawing:
    """Shares of each true class, with counts on hover.

    Args:
        counts: (K, K); rows are true, columns predicted
        names: K
        kind: what the classes are, such as "region"
    """
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
    hover = [
        [
            interactive.lines(
                f"true {true}, predicted {said}",
                f"{counts[row, column]} of {totals[row, 0]} clips",
                f"{100 * shares[row, column]:.1f} %" if totals[row, 0] else "",
            )
            for column, said in enumerate(names)
        ]
        for row, true in enumerate(names)
    ]
    labels = [interactive.text(name) for name in names]
    trace = {
        "type": "heatmap",
        "x": labels,
        "y": labels,
        "z": [interactive.numbers(line) for line in shares],
        "text": hover,
        "hovertemplate": HOVER,
        "hoverongaps": False,
        "texttemplate": "%{z:.2f}" if len(names) <= LARGEST_LABELLED else "",
        "textfont": {"color": "@ink"},
        "colorscale": "@sequential",
        "zmin": 0,
        "colorbar": {"title": {"text": "share"}, "thickness": 12, "outlinewidth": 0},
        "xgap": 2,
        "ygap": 2,
    }
    ticks = {"showgrid": False, "zeroline": False, "type": "category"}
    layout = {
        "xaxis": interactive.axis(f"predicted {kind}", **ticks),
        "yaxis": interactive.axis(f"true {kind}", **ticks, autorange="reversed"),
        "height": 200 + 42 * max(len(names), 4),
    }
    return interactive.drawing([trace], layout)


def durations(seconds: Mapping[str, ArrayLike]) -> Drawing:
    """Histograms of durations by corpus, counted here: the page need not have all clips."""
    values = {name: np.asarray(of, dtype=np.float64) for name, of in seconds.items()}
    together = np.concatenate(list(values.values()))
    longest = float(np.percentile(together, 99, method="higher"))
    edges = np.linspace(0, longest, 41)
    middles = interactive.numbers((edges[:-1] + edges[1:]) / 2)
    traces = []
    for number, (name, of) in enumerate(values.items()):
        found, _ = np.histogram(of[of <= longest], edges)
        hover = [
            interactive.lines(name, f"{low:.2f} to {high:.2f} s", f"{count} clips")
            for low, high, count in zip(edges[:-1], edges[1:], found.tolist(), strict=True)
        ]
        look = {"color": COLOURS[number % len(COLOURS)], "opacity": 0.8}
        label = interactive.text(f"{name}, median {np.median(of):.2f} s")
        trace = {"type": "bar", "x": middles, "y": found.tolist(), "name": label, "marker": look}
        traces.append({**trace, "text": hover, "textposition": "none", "hovertemplate": HOVER})
    layout = {
        "xaxis": interactive.axis("duration in seconds"),
        "yaxis": interactive.axis("clips"),
        "barmode": "overlay",
        "bargap": 0.05,
        "showlegend": True,
        "legend": KEYS,
        "height": 380,
    }
    return interactive.drawing(traces, layout)


def _family(name: str) -> str:
    """What is drawn on one axis: "ccc/mean" is of "ccc", "loss" of its own.

    >>> _family("ccc/valence"), _family("emotion/weighted_f1"), _family("loss")
    ('ccc', 'emotion', 'loss')
    """
    return name.partition("/")[0]


def _curve(
    history: Sequence[Mapping[str, float]], name: str, number: int, family: str
) -> dict[str, Any]:
    part, _, rest = name.partition("/")
    detail = rest.removeprefix(family).strip("/")
    known = {"train": "#56B4E9", "valid": "#D55E00"} if not detail else {}
    colour = known.get(part, COLOURS[number % len(COLOURS)])
    line = {"color": colour, "dash": DASHES[number // len(COLOURS) % len(DASHES)]}
    values = [epoch.get(name, np.nan) for epoch in history]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": interactive.text(f"{part} {detail}".strip()),
        "x": [epoch["epoch"] for epoch in history],
        "y": interactive.numbers(values, 5),
        "line": line,
    }


def _masked(
    rows: Sequence[Mapping[str, str]], measure: str, system: str, number: int
) -> dict[str, Any]:
    rows = sorted(rows, key=lambda row: int(row["masked_groups"]))
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": interactive.text(system),
        "x": [int(row["masked_groups"]) for row in rows],
        "y": interactive.numbers([100 * float(row[measure]) for row in rows], 2),
        "line": {"color": COLOURS[number % len(COLOURS)]},
    }
