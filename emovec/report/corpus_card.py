"""Card of a corpus: what is in it, who speaks, how long the clips are, and what is left out."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from emovec.errors import CorpusError
from emovec.labels import AFFECT_AXES, EMOTIONS
from emovec.report import style
from emovec.report.card import SOURCES
from emovec.report.cells import table
from emovec.report.figures import save_figure
from emovec.tables.corpus import CorpusInfo, Skip
from emovec.tables.files import write_atomically
from emovec.tables.manifest import Utterance

MOST_LISTED = 40  # speakers; of more, the FEW with most clips
FEW = 20
QUANTILES = {"shortest": 0, "5 %": 5, "25 %": 25, "median": 50, "75 %": 75, "95 %": 95}
BAR = 40  # characters of the longest bar
NOT_KNOWN = "not known"
UNLABELLED = "no label"


def corpus_card(info: CorpusInfo, utterances: Sequence[Utterance], homepage: str) -> str:
    """Text of a corpus' card, in Markdown that can be read in a terminal.

    Args:
        info: facts of the corpus
        utterances: its manifest
        homepage: where to ask for it, "" if that is not known

    Raises:
        CorpusError: if there are no utterances
    """
    if not utterances:
        raise CorpusError(f"{info.name}: has no clips; expected at least one. Prepare it again.")
    sections = {
        f"# {info.name} {info.release}".strip(): _facts(info, utterances, homepage),
        "## Affect": _affect(info, utterances),
        "## Speakers and emotions": _speakers(utterances),
        "## Durations": _durations([row.duration for row in utterances]),
        "## Left out": _skipped(info.skipped),
        "## Warnings": "\n".join(f"- {text}" for text in info.warnings) or "None.",
    }
    return "\n\n".join(f"{head}\n\n{text.rstrip()}" for head, text in sections.items()) + "\n"


def write_corpus_card(
    folder: Path, info: CorpusInfo, utterances: Sequence[Utterance], homepage: str
) -> None:
    """Write card.md, and its figures below figures/.

    Raises:
        CorpusError: if there are no utterances
        StorageError: if a file cannot be written
    """
    text = corpus_card(info, utterances, homepage)
    drawn = {"durations": durations_figure(utterances)}
    if info.affect_scale and info.affect_source and _with_affect(utterances):
        drawn["affect"] = affect_figure(info, utterances)
    for name, figure in drawn.items():
        save_figure(figure, folder / "figures" / f"{name}.png")
    links = "\n".join(f"![{name}](figures/{name}.png)" for name in drawn)
    with write_atomically(folder / "card.md") as file:
        file.write(f"{text}\n## Figures\n\n{links}\n")


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
    rows = _with_affect(utterances)
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


def _facts(info: CorpusInfo, utterances: Sequence[Utterance], homepage: str) -> str:
    gender_of: dict[str, str] = {}
    for row in utterances:
        if row.speaker and not gender_of.get(row.speaker):
            gender_of[row.speaker] = row.gender
    genders = Counter(gender or "of unknown gender" for gender in gender_of.values())
    parts = [f"{count} {kind}" for kind, count in sorted(genders.items())]
    facts = {
        "Release": info.release,
        "Language": info.language,
        "Licence": info.licence,
        "Citation": info.citation,
        "To be had from": homepage,
        "Clips": f"{len(utterances)}, {len(info.skipped)} more left out",
        "Speakers": f"{len(gender_of)} ({', '.join(parts)})" if gender_of else "",
        "Hours": f"{sum(row.duration for row in utterances) / 3600:.2f}",
    }
    return "\n".join(f"- {name}: {fact or NOT_KNOWN}" for name, fact in facts.items())


def _affect(info: CorpusInfo, utterances: Sequence[Utterance]) -> str:
    if info.affect_scale is None or info.affect_source is None:
        return "None."
    low, high = info.affect_scale
    rows = []
    for axis in AFFECT_AXES:
        found = [getattr(row, axis) for row in utterances if getattr(row, axis) is not None]
        values = (np.min(found), np.mean(found), np.max(found), np.std(found)) if found else ()
        cells = [f"{value:.2f}" for value in values] or [""] * 4
        rows.append([axis, str(len(found)), *cells])
    lines = [f"- Source: {SOURCES[info.affect_source]}", f"- Scale: {low:g} to {high:g}", ""]
    header = ["axis", "clips", "lowest", "mean", "highest", "standard deviation"]
    return "\n".join(lines) + "\n" + table(header, rows)


def _speakers(utterances: Sequence[Utterance]) -> str:
    """Clips of speakers by emotions, with totals."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in utterances:
        counts[row.speaker or NOT_KNOWN][row.emotion] += 1
    total = sum(counts.values(), Counter())
    emotions = _ordered(total)
    names = sorted(counts)
    if len(names) > MOST_LISTED:
        names = sorted(names, key=lambda name: (-counts[name].total(), name))[:FEW]

    def cells(name: str, of: Counter[str]) -> list[str]:
        return [name, *(str(of[emotion]) for emotion in emotions), str(of.total())]

    header = ["speaker", *(emotion or UNLABELLED for emotion in emotions), "all"]
    more = len(counts) - len(names)
    rows = [cells(name, counts[name]) for name in names]
    lines = table(header, [*rows, cells("**all**", total)])
    if more:
        lines += f"\nThe {FEW} speakers with most clips, and {more} more speakers.\n"
    clips = [of.total() for name, of in counts.items() if name != NOT_KNOWN]
    if clips:
        lines += f"\nClips a speaker: minimum {min(clips)}, median {np.median(clips):g}, "
        lines += f"maximum {max(clips)}.\n"
    return lines


def _durations(seconds: Sequence[float]) -> str:
    """Quantiles and a histogram; its last line holds all that are longer than 99 in a hundred."""
    header = [*QUANTILES, "longest", "mean"]
    values = [*np.percentile(seconds, list(QUANTILES.values())), max(seconds), np.mean(seconds)]
    quantiles = table(header, [[f"{value:.2f} s" for value in values]])
    high = float(np.percentile(seconds, 99))
    step = _step(max(high - min(seconds), 0.1 * high) / 10)
    last = math.floor(high / step)
    counts = Counter(min(math.floor(value / step), last) for value in seconds)
    lines = []
    for place in range(min(counts), last + 1):
        count, ends = counts[place], f"{place * step:.10g} to {(place + 1) * step:.10g} s"
        if place == last and max(seconds) >= (last + 1) * step:
            ends = f"{place * step:.10g} s and more"
        bar = "#" * math.ceil(BAR * count / max(counts.values()))
        lines.append(f"{ends:>18} {count:>8} {bar}".rstrip())
    return quantiles + "\n```text\n" + "\n".join(lines) + "\n```"


def _step(at_least: float) -> float:
    """Smallest of 1, 2 and 5 times a power of ten that is not below a number.

    >>> _step(0.3), _step(1.0), _step(0.06)
    (0.5, 1.0, 0.1)
    """
    power = math.floor(math.log10(at_least))
    return next(step for factor in (1, 2, 5, 10) if (step := factor * 10.0**power) >= at_least)


def _skipped(skips: Sequence[Skip]) -> str:
    """How many clips are left out for which reason; paths and numbers make no other reason."""
    first: dict[str, Skip] = {}
    counts: Counter[str] = Counter()
    for skip in skips:
        key = re.sub(r"\d+(\.\d+)?", "#", _without_path(skip))
        first.setdefault(key, skip)
        counts[key] += 1
    if not counts:
        return "None."
    rows = [
        [str(count), _without_path(first[key]), first[key].id]
        for key, count in counts.most_common()
    ]
    return table(["clips", "reason, of the first", "first"], rows)


def _without_path(skip: Skip) -> str:
    """The reason, without the audio file that it begins with."""
    return re.sub(r"^.*?\.\w{2,5}: ", "", skip.reason, count=1)


def _ordered(emotions: Mapping[str, int]) -> list[str]:
    """Emotions in the order of ``EMOTIONS``, then the corpus' own, then clips without."""
    own = sorted(set(emotions) - {*EMOTIONS, ""})
    return [name for name in (*EMOTIONS, *own, "") if name in emotions]


def _with_affect(utterances: Sequence[Utterance]) -> list[Utterance]:
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
    for emotion in _ordered(counts):
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
