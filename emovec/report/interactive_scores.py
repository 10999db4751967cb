"""Interactive figures of scores by pair of emotions: DET curves, and boxes."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from scipy.special import ndtri

from emovec.report import interactive, style
from emovec.report.html_blocks import Drawing
from emovec.report.interactive import HOVER, Option
from emovec.report.interactive_pairs import POOLS, Row, cells_by_emotions, percent
from emovec.report.pair_curves import FiveNumbers, det_ticks

POOL_LINES = {
    "same": {"color": "#0072B2"},
    "cross": {"color": "#D55E00"},
    "pooled": {"color": "@ink", "dash": "dot"},
}
CLEAR = "rgba(0,0,0,0)"
LEGEND = {"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0}  # below, a long one hides titles
HALF = 0.35  # of the room of a box
AS_IN_MATRIX, BY_MEDIAN = "alphabet", "median"


def det_curves(points: Sequence[Row], matrix: Sequence[Row]) -> Drawing | None:
    """False rejection over false acceptance on axes of normal deviates (Martin et al., 1997).

    The pools, and by a switch each emotion with itself; equal error rates on the diagonal.

    Args:
        points: of det.csv
        matrix: rows of eer_matrix.csv
    """
    cells = {row["pair"]: row for row in matrix if row["eer"]}
    curves: dict[str, list[Row]] = {}
    for point in points:
        if point["pair"] in cells:
            curves.setdefault(point["pair"], []).append(point)
    if not curves:
        return None
    ticks = det_ticks([_eer(cells[name]) for name in curves])
    ends = [round(float(ndtri(ticks[place])), 4) for place in (0, -1)]
    line = {"color": "@faint", "width": 1}
    look = {"type": "scatter", "mode": "lines", "hoverinfo": "skip", "showlegend": False}
    traces: list[dict[str, Any]] = [{**look, "x": ends, "y": ends, "line": line}]
    owners = [""]
    groups = {"all pairs": POOLS, "each emotion with itself": tuple(set(curves) - set(POOLS))}
    for name, of in curves.items():
        traces += _curve(name, of, cells[name])
        owners += [next(group for group, names in groups.items() if name in names)] * 2
    options = [
        Option(group, [owner in ("", group) for owner in owners])
        for group in groups
        if group in owners
    ]
    marks = {
        "tickvals": interactive.numbers(ndtri(ticks)),
        "ticktext": [f"{100 * tick:g}" for tick in ticks],
        "range": ends,
        "zeroline": False,
        "ticks": "outside",  # the lowest of both axes would lie over each other
        "ticklen": 6,
        "constrain": "domain",
    }
    layout = {
        "xaxis": interactive.axis("false acceptance rate in %", **marks),
        "yaxis": interactive.axis("false rejection rate in %", **marks, scaleanchor="x"),
        "legend": LEGEND,
        "height": 620,
    }
    return interactive.drawing(traces, layout, {"Curves": options})


def _curve(name: str, points: Sequence[Row], cell: Row) -> list[dict[str, Any]]:
    """A curve, and the dot at its equal error rate."""
    emotion = name[: len(name) // 2]  # of a cell with itself
    line = POOL_LINES.get(name, {"color": style.EMOTION_COLOURS.get(emotion, style.FAINT)})
    is_pool = name in POOLS
    title = name if is_pool else emotion
    # intervals of many emotions would fill a phone; they are shown at the dots
    named = f"{title}: EER {percent(cell, 'eer')}" if is_pool else f"{title} {_share(_eer(cell))}"
    rates = {column: [float(point[column]) for point in points] for column in ("far", "frr")}
    hover = [
        interactive.lines(
            title,
            f"threshold: {float(point['threshold']):.4g}",
            f"false acceptance: {_share(far)}",
            f"false rejection: {_share(frr)}",
        )
        for point, far, frr in zip(points, rates["far"], rates["frr"], strict=True)
    ]
    shared = {"type": "scatter", "legendgroup": name, "hovertemplate": HOVER}
    place = interactive.numbers(ndtri([_eer(cell)]))
    dot = interactive.lines(
        title, f"EER: {percent(cell, 'eer')}", f"threshold: {float(cell['threshold']):.4g}"
    )
    return [
        {
            **shared,
            "mode": "lines",
            "name": interactive.text(named),
            "x": interactive.numbers(ndtri(rates["far"])),
            "y": interactive.numbers(ndtri(rates["frr"])),
            "text": hover,
            "line": {**line, "width": 2},
        },
        {
            **shared,
            "mode": "markers",
            "showlegend": False,
            "x": place,
            "y": place,
            "text": [dot],
            "marker": {"color": line["color"], "size": 9},
        },
    ]


def _eer(cell: Row) -> float:
    return float(cell["eer"])


def _share(rate: float) -> str:
    """A rate in %, with digits where it is small.

    >>> _share(0.1234), _share(0.00012)
    ('12.3 %', '0.012 %')
    """
    return f"{100 * rate:.1f} %" if rate >= 0.01 else f"{100 * rate:.2g} %"


def score_boxes(rows: Sequence[Row], matrix: Sequence[Row]) -> Drawing:
    """Boxes of scores, lying, in the colours of their two emotions.

    Args:
        rows: of scores.csv, at least one
        matrix: of eer_matrix.csv; what is doubted there has no colour
    """
    labels = [interactive.text(row["box"]) for row in rows]
    numbers = [_five(row) for row in rows]
    shared = {"orientation": "h", "y": labels, "showlegend": False}
    box = {
        **shared,
        "type": "box",
        **{name: [getattr(five, of) for five in numbers] for name, of in _NUMBERS.items()},
        "width": 2 * HALF,
        "fillcolor": CLEAR,
        "line": {"color": "@ink", "width": 1},
        "hoverinfo": "skip",
    }
    reach = {  # what is hovered over: a box alone would be a small place to hit
        **shared,
        "type": "bar",
        "base": [five.whisker_low for five in numbers],
        "x": [five.whisker_high - five.whisker_low for five in numbers],
        "width": 0.9,
        "marker": {"color": CLEAR},
        "text": [_hover(row, five) for row, five in zip(rows, numbers, strict=True)],
        "textposition": "none",
        "hovertemplate": HOVER,
        "hoverlabel": {"bgcolor": "@panel", "bordercolor": "@ink", "font": {"color": "@ink"}},
    }
    layout = {
        "xaxis": {**interactive.axis(""), "title": {"text": _wrapped(rows[0]["score"])}},
        "yaxis": {"type": "category", "autorange": "reversed", "automargin": True},
        "barmode": "overlay",
        "showlegend": True,
        "legend": {**LEGEND, "itemclick": False, "itemdoubleclick": False},
        "height": 130 + 24 * len(rows),
    }
    orders = {AS_IN_MATRIX: labels, BY_MEDIAN: _by_median(rows)}
    options = [Option(name, (), {"yaxis.categoryarray": of}) for name, of in orders.items()]
    traces = [*_halves(rows, matrix), box, reach]
    return interactive.drawing(traces, layout, {"Order": options})


_NUMBERS = {
    "lowerfence": "whisker_low",
    "q1": "lower_quartile",
    "median": "median",
    "q3": "upper_quartile",
    "upperfence": "whisker_high",
}


def _wrapped(title: str) -> str:
    """A title that has room on a phone."""
    return "<br>".join(interactive.text(line) for line in textwrap.wrap(title, 30))


def _five(row: Row) -> FiveNumbers:
    return FiveNumbers(*(float(row[name]) for name in FiveNumbers._fields))


def _hover(row: Row, five: FiveNumbers) -> str:
    words = ("whisker from", "lower quartile", "median", "upper quartile", "whisker to")
    said = [f"{word}: {value:.4g}" for word, value in zip(words, five, strict=True)]
    of = "" if row["box"] == row["pair"] else f", {row['pair']}"
    return interactive.lines(f"{row['box']}{of}", f"{int(row['number']):,} {row['trials']}", *said)


def _by_median(rows: Sequence[Row]) -> list[str]:
    """Names of boxes; those of the reference stay in front."""
    ordered = sorted(rows, key=lambda row: (row["box"] == row["pair"], float(row["median"])))
    first = [row for row in rows if row["box"] != row["pair"]]
    return [interactive.text(row["box"]) for row in (*first, *ordered[len(first) :])]


def _halves(rows: Sequence[Row], matrix: Sequence[Row]) -> list[dict[str, Any]]:
    """The coloured halves of boxes, a trace an emotion: the first emotion's is above."""
    doubted = {row["pair"] for row in matrix if row["doubt"]}
    emotions = {row["pair"]: sorted(both) for both, row in cells_by_emotions(matrix).items()}
    places: dict[str, list[tuple[Row, float]]] = {}
    for row in rows:
        both = emotions.get(row["pair"], []) if row["pair"] not in doubted else []
        for emotion, offset in zip(both, (-HALF, 0.0), strict=False):
            places.setdefault(emotion, []).append((row, offset))
    return [_colour(emotion, places[emotion]) for emotion in sorted(places)]


def _colour(emotion: str, halves: Sequence[tuple[Mapping[str, str], float]]) -> dict[str, Any]:
    numbers = [_five(row) for row, _offset in halves]
    return {
        "type": "bar",
        "orientation": "h",
        "name": interactive.text(emotion),
        "y": [interactive.text(row["box"]) for row, _offset in halves],
        "base": [five.lower_quartile for five in numbers],
        "x": interactive.numbers(
            [five.upper_quartile - five.lower_quartile for five in numbers], 6
        ),
        "offset": [offset for _row, offset in halves],
        "width": HALF,
        "marker": {"color": style.EMOTION_COLOURS.get(emotion, style.FAINT), "opacity": 0.75},
        "hoverinfo": "skip",
    }
