"""What is in a prepared corpus and its splits, and what a check of them found, for a terminal."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from emovec.corpora import Corpus, Prepared, SplitCorpus, protocols
from emovec.corpora.checking import Checked
from emovec.tables.leaks import listed
from emovec.tables.splits import SPLITS, SplitCheck, split_line


def corpus_facts_text(corpus: Corpus) -> str:
    """Lines that tell what holds for every copy of a corpus."""
    affect = "prototypes of the emotion" if corpus.prototypes else corpus.affect_source or "none"
    facts = {
        "language": corpus.language,
        "licence": corpus.licence,
        "citation": corpus.citation,
        "where to ask for it": corpus.homepage,
        "clips": corpus.utterances,
        "speakers": corpus.speakers,
        "affect": affect,
        "layout": " and ".join((corpus.audio, *corpus.tables)),
        "protocols": ", ".join(protocols(corpus)),
    }
    lines = [f"  {name}: {fact}" for name, fact in facts.items() if fact]
    return "\n".join([corpus.name, *lines, "With --data_folder, its card is shown."])


def prepared_text(prepared: Prepared, output: Path) -> str:
    """Lines that tell of a corpus, and all that a user should know of it."""
    info = prepared.info
    hours = sum(u.duration for u in prepared.utterances) / 3600
    source = f"affect {info.affect_source}" if info.affect_source else "no affect"
    name = f"{info.name} {info.release}".strip()
    lines = [
        f"{name}: {info.utterances} clips, {info.speakers} speakers, {hours:.2f} h, {source}",
        f"audio in {prepared.root}, tables in {output}",
    ]
    lines += [f"skipped: {skip.id}: {skip.reason}" for skip in info.skipped]
    return "\n".join(lines + [f"warning: {text}" for text in info.warnings])


def split_text(protocol: str, split: SplitCorpus, check: SplitCheck, corpus: str) -> str:
    """Lines that tell of a corpus' splits: counts, the line that names them, and what is odd."""
    lines = list(_counts(split, protocol))
    lines.append(f"split: {split_line(corpus, protocol, split.utterances, split.assignments)}")
    lines += [f"leak: {leak}" for leak in check.leaks]
    left_out = Counter(split.left_out.values())
    lines += [f"left out: {number} clips: {reason}" for reason, number in left_out.items()]
    return "\n".join(lines + [f"warning: {text}" for text in (*split.warnings, *check.warnings)])


def checked_text(checked: Checked) -> str:
    """Lines that tell what a check found, worst first."""
    splits = f"splits {', '.join(checked.splits)}" if checked.splits else "no splits"
    lines = [f"{checked.corpus}: {checked.clips} clips, {splits}"]
    for finding in checked.findings:
        clips = f": {listed(finding.ids, 'clips')}" if finding.ids else ""
        lines.append(f"{finding.severity}: {finding.what}{clips}")
    number = Counter(finding.severity for finding in checked.findings)
    said = f"leaks {number['leak']}, faults {number['fault']}, warnings {number['warning']}"
    return "\n".join([*lines, f"{'sound' if checked.is_sound else 'NOT SOUND'}: {said}"])


def _counts(split: SplitCorpus, protocol: str) -> Iterator[str]:
    """Clips and speakers by split and emotion in the first fold, as a table."""
    split_of = {row.id: row.split for row in split.assignments if row.fold == 0}
    placed = [u for u in split.utterances if u.id in split_of]
    folds = len({row.fold for row in split.assignments})
    number = Counter((u.emotion, split_of[u.id]) for u in placed)
    yield _row(f"{protocol}, fold 0 of {folds}", SPLITS)
    for emotion in sorted({u.emotion for u in placed}):
        yield _row(emotion or "(not known)", [number[emotion, name] for name in SPLITS])
    of = {name: [u for u in placed if split_of[u.id] == name] for name in SPLITS}
    yield _row("all clips", [len(of[name]) for name in SPLITS])
    yield _row("speakers", [len({u.speaker for u in of[name]}) for name in SPLITS])


def _row(name: str, cells: Sequence[object]) -> str:
    return f"  {name:36}" + "".join(f"{cell:>8}" for cell in cells)
