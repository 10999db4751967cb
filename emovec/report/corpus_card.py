"""Card of a corpus: what is in it, who speaks, how long the clips are, and what is left out."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emovec.errors import CorpusError
from emovec.labels import AFFECT_AXES
from emovec.report.card import SOURCES
from emovec.report.cells import table
from emovec.report.corpus_figures import (
    affect_figure,
    duration_histograms,
    ordered_emotions,
    with_affect,
)
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
    drawn = {"durations": duration_histograms({info.name: [u.duration for u in utterances]})}
    if info.affect_scale and info.affect_source and with_affect(utterances):
        drawn["affect"] = affect_figure(info, utterances)
    for name, figure in drawn.items():
        save_figure(figure, folder / "figures" / f"{name}.png")
    links = "\n".join(f"![{name}](figures/{name}.png)" for name in drawn)
    with write_atomically(folder / "card.md") as file:
        file.write(f"{text}\n## Figures\n\n{links}\n")


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
    emotions = ordered_emotions(total)
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
