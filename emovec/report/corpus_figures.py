"""Figures of a corpus' card: how long its clips are, and where they lie in valence and arousal."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from emovec.errors import CorpusError
from emovec.labels import EMOTIONS
from emovec.report import style
from emovec.tables.corpus import CorpusInfo
from emovec.tables.manifest import Utterance

PANELS_A_ROW = 2


def duration_histograms(seconds: Mapping[str, ArrayLike]) -> Figure:
    """Histograms of utterances' durations, a panel a corpus, all on one scale of time.

    The longest in a hundred of each corpus are counted, not drawn.

    Args:
        seconds: durations by the name of the corpus

    Raises:
        ValueError: if there is no corpus, or one without durations
    """
    durations = {name: np.asarray(of, dtype=np.float64) for name, of in seconds.items()}
    if not durations or not all(map(len, durations.values())):
        found = {name: len(of) for name, of in durations.items()}
        raise ValueError(f"durations are {found}; expected at least one of each corpus.")
    columns = min(len(durations), PANELS_A_ROW)
    rows = math.ceil(len(durations) / columns)
    width = style.COLUMN_WIDTH if columns == 1 else style.PAGE_WIDTH
    figure = style.new_figure(width, 2.0 * rows + 0.4)
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    for panel, (name, values) in zip(panels, durations.items(), strict=False):
        median = float(np.median(values))
        longest = float(np.percentile(values, 99, method="higher"))
        beyond = int(np.count_nonzero(values > longest))
        title = f"{name}, median {median:.2f} s"
        if beyond:
            title += f"\n{beyond} longer than {longest:.2f} s not drawn, up to {values.max():.2f} s"
        style.dress(panel, title, "duration in seconds", "clips")
        panel.hist(values[values <= longest], bins=30, color="#56B4E9", linewidth=0)
        panel.axvline(median, color="#D55E00", linewidth=1.2)
        panel.tick_params(labelbottom=True)
        panel.yaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
    for panel in panels[len(durations) :]:
        panel.set_visible(False)
    panels[0].set_xlim(left=0)  # of all; before the last is drawn it would fix the right end
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
