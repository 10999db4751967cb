"""Figures of a corpus' card: how long its clips are, and where they lie in valence and arousal."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from emovec.errors import CorpusError
from emovec.labels import EMOTIONS
from emovec.report import style
from emovec.tables.corpus import CorpusInfo
from emovec.tables.manifest import Utterance


def durations_figure(utterances: Sequence[Utterance]) -> Figure:
    """Histogram of durations; the longest in a hundred are counted, not drawn."""
    seconds = np.array([row.duration for row in utterances])
    low, median, high = np.percentile(seconds, (5, 50, 95))
    longest = np.percentile(seconds, 99, method="higher")
    figure = style.new_figure(style.COLUMN_WIDTH, 2.4)
    axes = figure.subplots()
    title = f"median {median:.2f} s, 90 % from {low:.2f} to {high:.2f} s"
    beyond = np.count_nonzero(seconds > longest)
    if beyond:
        title += f"\n{beyond} longer than {longest:.2f} s not drawn, up to {seconds.max():.2f} s"
    style.dress(axes, title, "duration in seconds", "clips")
    axes.hist(seconds[seconds <= longest], bins=30, color="#0072B2", linewidth=0)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    return figure


def affect_figure(info: CorpusInfo, utterances: Sequence[Utterance]) -> Figure:
    """Arousal over valence, coloured by emotion; derived values coincide, so area is their count.

    Raises:
        CorpusError: if no clip has valence and arousal, or scale or source are not known
    """
    rows = with_affect(utterances)
    if not (rows and info.affect_scale and info.affect_source):
        raise CorpusError(f"{info.name}: has no affect to draw. Choose a corpus with affect.")
    derived = info.affect_source == "prototype"
    handles = _handles(Counter(row.emotion for row in rows))
    figure = style.new_figure(style.COLUMN_WIDTH, 3.8 + 0.15 * math.ceil(len(handles) / 3))
    axes = figure.subplots()
    title = "affect derived from categories, area: clips" if derived else "affect as rated"
    style.dress(axes, f"{info.name}, {title}", "valence", "arousal")
    points, labels, sizes = _points(rows) if derived else _scattered(rows)
    colours = [style.EMOTION_COLOURS.get(label, style.FAINT) for label in labels]
    edge = 0.3 if derived else 0.0
    axes.scatter(
        points[:, 0],
        points[:, 1],
        s=sizes,
        c=colours,
        clip_on=False,
        zorder=2,
        linewidths=edge,
        edgecolors=style.INK,
    )
    low, high = info.affect_scale
    margin, middle = 0.04 * (high - low), (low + high) / 2
    ends = (low - margin, high + margin)
    axes.set(xlim=ends, ylim=ends, aspect="equal")
    for line in (axes.axhline, axes.axvline):
        line(middle, color=style.FAINT, linewidth=0.6, zorder=1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=3,
        fontsize=style.SMALL_FONT_SIZE,
        frameon=False,
        handletextpad=0.1,
        columnspacing=0.8,
    )
    return figure


def ordered_emotions(emotions: Mapping[str, int]) -> list[str]:
    """Emotions in the order of ``EMOTIONS``, then the corpus' own, then clips without."""
    own = sorted(set(emotions) - {*EMOTIONS, ""})
    return [name for name in (*EMOTIONS, *own, "") if name in emotions]


def with_affect(utterances: Sequence[Utterance]) -> list[Utterance]:
    """Clips with valence and arousal."""
    return [row for row in utterances if None not in (row.valence, row.arousal)]


_Points = tuple[NDArray[np.float64], list[str], NDArray[np.float64]]


def _points(rows: Sequence[Utterance]) -> _Points:
    """Places (N, 2) without repetition, their emotions and areas; the largest first, below."""
    counts = Counter((row.valence, row.arousal, row.emotion) for row in rows).most_common()
    areas = np.array([count for _point, count in counts], dtype=np.float64)
    points = np.array([point[:2] for point, _count in counts], dtype=np.float64)
    return points, [point[2] for point, _count in counts], 80 * areas / areas.max()


def _scattered(rows: Sequence[Utterance]) -> _Points:
    """Places (N, 2) of all clips, in no order, so that no emotion covers the others."""
    order = np.random.default_rng(0).permutation(len(rows))
    points = np.array([(rows[row].valence, rows[row].arousal) for row in order], dtype=np.float64)
    return points, [rows[row].emotion for row in order], np.full(len(rows), 5.0)


def _handles(counts: Mapping[str, int]) -> list[Line2D]:
    """An entry of the legend for each emotion with a colour, and one for all others."""
    shown: Counter[str] = Counter()
    for emotion in ordered_emotions(counts):
        shown[emotion if emotion in style.EMOTION_COLOURS else "other"] += counts[emotion]
    return [
        Line2D(
            [],
            [],
            linestyle="",
            marker="o",
            markersize=4,
            color=style.EMOTION_COLOURS[name],
            label=f"{name} ({count})",
        )
        for name, count in shown.items()
    ]
