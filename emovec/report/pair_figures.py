"""Figures of speaker verification by pair of emotions.

Shapes: P points of a curve.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, NullLocator
from numpy.typing import NDArray
from scipy.special import ndtri

from emovec.metrics.intervals import Interval
from emovec.metrics.pair_cells import CROSS, POOLED, SAME, Cell, PairMatrix
from emovec.report import style
from emovec.report.pair_curves import FiveNumbers, boxes_of, det_ticks, edge_rates, inside

DOUBTED = "#D9D9D9"
POOL_LOOKS = {SAME: ("#0072B2", "-"), CROSS: ("#D55E00", "-"), POOLED: ("#000000", ":")}
LONGEST_INTERVAL = len("[10.1, 12.3]")  # characters
SMALLEST_FONT = 4.5  # points; what would have to be smaller is left out


def rate_heat_map(matrix: PairMatrix) -> Figure:
    """Equal error rates in %, 95 % intervals below; each pair of emotions once.

    Cells that are not to be trusted are grey, those without trials empty. The pools stand in the
    corner that the other half of the matrix would fill. Up to four emotions fit into a column, more
    fill the width of a page; intervals that would be too small to read are left out.

    Raises:
        ValueError: if there are no cells
    """
    emotions = matrix.emotions
    size = len(emotions)
    if not size:
        raise ValueError("matrix has no cells; expected at least one pair of emotions.")
    width = style.COLUMN_WIDTH if size <= 4 else style.PAGE_WIDTH
    points = 72 * (width - 0.8) / size  # width of a cell; names of emotions need the rest
    font = min(style.SMALL_FONT_SIZE, points / (0.56 * LONGEST_INTERVAL))
    font = font if font >= SMALLEST_FONT else 0
    figure = style.new_figure(width, max(0.6 * points / 72, 0.3) * size + 0.9)
    axes = figure.subplots()
    rates = [c.eer for c in matrix.cells if c.eer is not None and not c.doubt]
    low, high = (min(rates), max(rates)) if rates else (0.0, 0.0)
    shares = np.full((size, size), np.nan)  # of the way from the lowest to the highest rate
    for cell in matrix.cells:
        column, row = sorted(emotions.index(emotion) for emotion in cell.emotions)
        if cell.doubt:
            corner = (column - 0.5, row - 0.5)
            axes.add_patch(Rectangle(corner, 1, 1, color=DOUBTED, linewidth=0))
        elif cell.eer is not None:
            shares[row, column] = (cell.eer - low) / (high - low) if high > low else 0.5
        _write_cell(axes, cell, (column, row), font, shares[row, column] > 0.6)
    axes.imshow(shares, cmap="Blues", vmin=-0.1, vmax=1, aspect="auto", zorder=0)
    has_intervals = font and any(cell.interval for cell in matrix.cells)
    style.dress(axes, f"EER in %{', with its 95 % interval' if has_intervals else ''}", "", "")
    angle = 90 if max(map(len, emotions)) * 0.55 * style.FONT_SIZE > points else 0
    axes.set_xticks(range(size), emotions, rotation=angle)
    axes.set_yticks(range(size), emotions)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if size > 1:
        _write_pools(axes, matrix)
    if any(cell.doubt for cell in matrix.cells):
        _remark(figure, "grey: not to be trusted, eer_matrix.csv says why")
    return figure


def detection_error_tradeoff(matrix: PairMatrix) -> Figure:
    """DET curves of same-emotion, cross-emotion and all trials, equal error rates marked.

    False rejections over false acceptances, both on the scale of the standard normal deviate
    (Martin et al., 1997, "The DET curve in assessment of detection task performance", Eurospeech).
    Thresholds are the edges of the score bins.

    Raises:
        ValueError: if no pool has targets and impostors
    """
    pools = [matrix.pools[name] for name in POOL_LOOKS if name in matrix.pools]
    rates = {pool.name: pool.eer for pool in pools if pool.eer is not None}
    if not rates:
        raise ValueError("no pool has targets and impostors; expected at least one.")
    figure = style.new_figure(style.COLUMN_WIDTH, 3.9)
    axes = figure.subplots()
    style.dress(axes, "", "false acceptance rate in %", "false rejection rate in %")
    axes.axline((0, 0), slope=1, color=style.FAINT, linewidth=0.6, zorder=1)
    for pool in pools:
        if pool.eer is None:
            continue
        colour, dashes = POOL_LOOKS[pool.name]
        label = f"{pool.name}: EER {percent(pool.eer, pool.interval)} %"
        axes.plot(*_deviates(pool), dashes, color=colour, label=label, linewidth=1.2)
        axes.plot(*[ndtri(pool.eer)] * 2, "o", color=colour, markersize=4, zorder=3)
    ticks = det_ticks(list(rates.values()))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(FixedLocator(ndtri(ticks)))
        axis.set_minor_locator(NullLocator())
        axis.set_ticklabels([f"{100 * tick:g}" for tick in ticks])
    ends = ndtri(ticks[0]), ndtri(ticks[-1])
    axes.set(xlim=ends, ylim=ends, aspect="equal")
    axes.grid(color=style.FAINT, linewidth=0.3)
    axes.legend(
        fontsize=style.FONT_SIZE - 1, frameon=False, loc="lower left", bbox_to_anchor=(0, 1)
    )
    return figure


def score_boxes(matrix: PairMatrix, score: str) -> Figure:
    """Box plots of the scores of target trials, for every two different emotions.

    Before them, as in Sandler & Ross (2022), arXiv 2211.08213: genuine, the targets of the
    reference emotion with itself, and impostor, the impostors of it. A box reaches from the lower
    to the upper quartile, with a line at the median; whiskers reach the outermost scores that lie
    within 1.5 times the box's height of it (Tukey, 1977, "Exploratory Data Analysis"); what lies
    beyond is not drawn. All is computed from counts, exact to the width of a score bin. A box has
    the colours of its two emotions, and none where its cell is not to be trusted.

    Args:
        matrix: whose counts are drawn
        score: what a score is, such as "cosine similarity"

    Raises:
        ValueError: if there is nothing to draw
    """
    boxes = boxes_of(matrix)
    if not boxes:
        raise ValueError(
            "no two emotions have targets, and there is no reference; expected either."
        )
    width = style.COLUMN_WIDTH if len(boxes) <= 8 else style.PAGE_WIDTH
    figure = style.new_figure(width, 3.2)
    axes = figure.subplots()
    style.dress(axes, "", "", score)
    lines = {"color": style.INK, "linewidth": 0.6}
    found = [box.five_numbers(matrix.bin_edges) for box in boxes]
    drawn = [{"label": b.label, **_as_drawn(five)} for b, five in zip(boxes, found, strict=True)]
    looks: dict[str, Any] = {f"{part}props": lines for part in ("box", "whisker", "cap")}
    medians = {**lines, "linewidth": 1.4}
    axes.bxp(drawn, widths=0.7, showfliers=False, medianprops=medians, zorder=3, **looks)
    for place, (box, five) in enumerate(zip(boxes, found, strict=True), start=1):
        for left, colour in zip((place - 0.35, place), _colours(box.cell), strict=False):
            height, bottom = five.upper_quartile - five.lower_quartile, five.lower_quartile
            axes.bar(left, height, 0.35, bottom, align="edge", color=colour, alpha=0.6)
    if matrix.reference is not None:
        axes.axvline(2.5, color=style.FAINT, linewidth=0.6)
    room = 72 * (width - 0.6) / len(boxes)
    axes.tick_params(axis="x", rotation=90, length=0, labelsize=min(style.FONT_SIZE - 1, room))
    axes.grid(axis="y", color=style.FAINT, linewidth=0.3)
    if any(box.cell.doubt for box in boxes):
        _remark(figure, "without colour: not to be trusted, eer_matrix.csv says why")
    return figure


def percent(rate: float | None, interval: Interval | None, digits: int = 1) -> str:
    """A rate in %, with its interval if there is one; "" without a rate.

    >>> percent(0.125, (0.1, 0.151))
    '12.5 [10.0, 15.1]'
    """
    if rate is None:
        return ""
    text = f"{100 * rate:.{digits}f}"
    return text if interval is None else f"{text} {_in_brackets(interval, digits)}"


def _in_brackets(interval: Interval, digits: int = 1) -> str:
    low, high = (f"{100 * end:.{digits}f}" for end in interval)
    return f"[{low}, {high}]"


def _write_cell(axes: Axes, cell: Cell, place: tuple[int, int], size: float, is_dark: bool) -> None:
    """Numbers of a cell in its column and row; the size of the interval's, in points, or 0."""
    look: dict[str, Any] = {
        "textcoords": "offset points",
        "ha": "center",
        "color": "white" if is_dark else style.INK,
    }
    rate = "-" if cell.eer is None else f"{100 * cell.eer:.1f}"
    if cell.interval is None or not size:
        axes.annotate(rate, place, (0, 0), va="center", fontsize=style.SMALL_FONT_SIZE, **look)
        return
    axes.annotate(rate, place, (0, 1), va="bottom", fontsize=1.25 * size, **look)
    interval = _in_brackets(cell.interval)
    axes.annotate(interval, place, (0, -1.5), va="top", fontsize=size, **look)


def _write_pools(axes: Axes, matrix: PairMatrix) -> None:
    """Rates of the pools in the empty corner above the diagonal."""
    found = {name: matrix.pools[name] for name in POOL_LOOKS if name in matrix.pools}
    rates = {name: (pool.eer, pool.interval) for name, pool in found.items()}
    rates["cross - same"] = (matrix.difference, matrix.difference_interval)
    lines = [f"{name} {percent(*rate)}" for name, rate in rates.items() if rate[0] is not None]
    look: dict[str, Any] = {
        "ha": "right",
        "va": "top",
        "fontsize": style.SMALL_FONT_SIZE,
        "color": style.INK,
    }
    axes.text(1, 1, "\n".join(lines), transform=axes.transAxes, **look)


def _remark(figure: Figure, text: str) -> None:
    figure.supxlabel(text, fontsize=style.SMALL_FONT_SIZE, color=style.INK)


def _deviates(pool: Cell) -> NDArray[np.float64]:
    """(2, P) deviates of false acceptance and false rejection rates at the bins' edges."""
    rates = edge_rates(pool)
    deviates = ndtri(rates[:, inside(rates)])  # others are infinite
    # points closer than can be seen would only make the file large
    moved = np.any(np.diff(np.round(deviates, 2), axis=1, prepend=np.nan) != 0, axis=0)
    return deviates[:, moved]


def _as_drawn(five: FiveNumbers) -> dict[str, float]:
    """What ``Axes.bxp`` draws, by its names."""
    return dict(zip(("whislo", "q1", "med", "q3", "whishi"), five, strict=True))


def _colours(cell: Cell) -> tuple[str, ...]:
    if cell.doubt:
        return ()
    return tuple(style.EMOTION_COLOURS.get(emotion, style.FAINT) for emotion in cell.emotions)
