"""Whether a prepared corpus can be trusted: what leaks, what is broken, what to look at.

Every clip is decoded, or taken from the table of measurements that preparing has left; nothing of
what the manifest says of the audio is believed.
"""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from emovec import corpora
from emovec.corpora.measurements import Measurement, Stretch
from emovec.corpora.measuring import measure_all
from emovec.corpora.preparing import MEASUREMENTS
from emovec.errors import CorpusError, SplitError
from emovec.labels import AFFECT_AXES, EMOTIONS
from emovec.tables.corpus import CorpusInfo, read_corpus_info
from emovec.tables.manifest import Utterance, read_manifest
from emovec.tables.splits import check_splits, read_splits

NEAR_SILENT = -60.0  # dB of full scale, root mean square of a clip
CLIPPED = 0.001  # share of a clip's samples at full scale
MISSING = 0.01  # seconds that a header may promise too much
SEVERITIES = ("leak", "fault", "warning")


@dataclass(frozen=True)
class Finding:
    """Something that was found.

    Attributes:
        severity: "leak" lets a model know its test clips, "fault" makes clips or numbers wrong,
            "warning" is to be looked at
        what: in words
        ids: the clips, where it is of clips
    """

    severity: str
    what: str
    ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes:
        corpus: its name
        clips: rows of the manifest
        splits: names of the splits that were checked
        findings: worst first
    """

    corpus: str
    clips: int
    splits: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def is_sound(self) -> bool:
        """Whether there is neither leak nor fault."""
        return all(finding.severity == "warning" for finding in self.findings)


def check(
    path: Path,
    splits: Sequence[Path] = (),
    data_folder: Path | None = None,
    *,
    progress: bool = True,
    workers: int | None = None,
) -> Checked:
    """Look at a manifest, at the audio that it names, and at its splits.

    Args:
        path: a manifest, or a folder with manifest.csv
        splits: splits files; none: those in ``splits/`` beside the manifest
        data_folder: what the manifest's paths are relative to; None: where it was prepared from,
            else the manifest's own folder
        progress: show a bar, if there is a terminal to show it on
        workers: threads; None: one for each core

    Raises:
        CorpusError: if the corpus.json beside the manifest cannot be read
        ManifestError: if the manifest cannot be read
        SplitError: if a splits file cannot be read
    """
    manifest = path / "manifest.csv" if path.is_dir() else path
    utterances = read_manifest(manifest)
    info = _facts(manifest, utterances)
    measured = measure_all(
        data_folder or _data_folder(manifest.parent),
        [Stretch(u.path, u.start, u.stop) for u in utterances],
        info.name,
        progress,
        workers,
        manifest.parent / MEASUREMENTS if os.access(manifest.parent, os.W_OK) else None,
    )
    pairs = list(zip(utterances, measured, strict=True))
    hashed = [replace(u, extra={**u.extra, "audio_hash": m.audio_hash}) for u, m in pairs]
    files = splits or sorted((manifest.parent / "splits").glob("*.csv"))
    findings = [
        *_of_splits(info.name, hashed, files),
        *_of_audio(pairs),
        *_of_twins(pairs),
        *_of_labels(info, utterances),
        *_of_corpus(info, utterances),
    ]
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return Checked(info.name, len(utterances), tuple(f.stem for f in files), tuple(findings))


def _facts(manifest: Path, utterances: Sequence[Utterance]) -> CorpusInfo:
    """Facts beside the manifest; without them its scale and published numbers are not known."""
    path = manifest.with_name("corpus.json")
    if path.is_file():
        return read_corpus_info(path)
    speakers = len({u.speaker for u in utterances if u.speaker})
    return CorpusInfo(manifest.parent.name, len(utterances), speakers)


def _data_folder(folder: Path) -> Path:
    """Where a manifest was prepared from, else its own folder."""
    done = folder / "prepared.json"
    if not done.is_file():
        return folder
    return Path(json.loads(done.read_text(encoding="utf-8")).get("data_folder", folder))


def _found(severity: str, what: str, ids: Iterable[str]) -> Iterator[Finding]:
    ids = tuple(ids)
    if ids:
        yield Finding(severity, what, ids)


def _of_splits(
    corpus: str, utterances: Sequence[Utterance], files: Sequence[Path]
) -> Iterator[Finding]:
    for file in files:
        allowed = _shares_speakers(corpus, file.stem)
        try:
            rows = read_splits(file)
            said = check_splits(utterances, rows, allowed, allow_leak=True, needed=["train"])
        except SplitError as error:
            yield Finding("fault", f"{file.name}: {error}")
            continue
        yield from (Finding("leak", f"{file.name}: {leak}") for leak in said.leaks)
        yield from (Finding("warning", f"{file.name}: {warning}") for warning in said.warnings)


def _shares_speakers(corpus: str, protocol: str) -> bool:
    """Whether a published protocol is known to share speakers, and allowed to by its name."""
    try:
        return corpora.protocol(corpora.get(corpus), protocol).shares_speakers
    except (CorpusError, SplitError):  # of another name, or of the user's own
        return False


def _of_audio(pairs: Sequence[tuple[Utterance, Measurement]]) -> Iterator[Finding]:
    for fault, ids in _grouped((m.fault, u.id) for u, m in pairs if m.fault).items():
        yield Finding("fault", f"audio {fault}", tuple(ids))
    heard = [(u, m) for u, m in pairs if not m.fault]
    yield from _found(
        "fault",
        f"truncated clips: more than {MISSING:g} s promised by the file's header are not there",
        (u.id for u, m in heard if m.missing > MISSING),
    )
    yield from _found(
        "fault",
        "clips whose length is not the manifest's",
        (u.id for u, m in heard if abs(m.duration - u.duration) > MISSING),
    )
    yield from _found(
        "warning",
        f"near-silent clips (below {NEAR_SILENT:g} dB of full scale)",
        (u.id for u, m in heard if m.level < NEAR_SILENT),
    )
    yield from _found(
        "warning",
        f"clipped clips ({CLIPPED:.1%} or more of the samples at full scale)",
        (u.id for u, m in heard if m.clipped >= CLIPPED),
    )
    usual = Counter(m.sample_rate for _, m in heard).most_common(1)
    for rate, ids in _grouped((m.sample_rate, u.id) for u, m in heard).items():
        if rate != usual[0][0]:
            yield Finding("warning", f"clips at {rate} Hz, others {usual[0][0]} Hz", tuple(ids))


def _of_twins(pairs: Sequence[tuple[Utterance, Measurement]]) -> Iterator[Finding]:
    """Clips with the same samples."""
    for twins in _grouped((m.audio_hash, u) for u, m in pairs if m.audio_hash).values():
        if len(twins) > 1:
            ids = tuple(sorted(u.id for u in twins))
            speakers = sorted({u.speaker for u in twins})
            if len(speakers) > 1:
                yield Finding("fault", f"same audio of speakers {', '.join(speakers)}", ids)
            else:
                yield Finding("warning", "same audio under several ids", ids)


def _of_labels(info: CorpusInfo, utterances: Sequence[Utterance]) -> Iterator[Finding]:
    yield from _found(
        "warning", "clips without a speaker", (u.id for u in utterances if not u.speaker)
    )
    others = _grouped((u.emotion, u.id) for u in utterances if u.emotion not in {*EMOTIONS, ""})
    for emotion, ids in sorted(others.items()):
        yield Finding(
            "warning", f"emotion '{emotion}' is none of emovec.labels.EMOTIONS", tuple(ids)
        )
    low, high = info.affect_scale or (float("-inf"), float("inf"))
    for axis in AFFECT_AXES:
        values = [(u.id, getattr(u, axis)) for u in utterances]
        known = [(id_, value) for id_, value in values if value is not None]
        if known and info.affect_scale is None:
            yield Finding("fault", f"{axis} is given, but corpus.json has no affect_scale")
        outside = (id_ for id_, value in known if not low <= value <= high)
        yield from _found("fault", f"{axis} outside of [{low:g}, {high:g}]", outside)


def _of_corpus(info: CorpusInfo, utterances: Sequence[Utterance]) -> Iterator[Finding]:
    """Numbers that are not the published ones, and what was noted when the corpus was prepared."""
    if len(utterances) != info.utterances:
        yield Finding("fault", f"{len(utterances)} clips, but corpus.json says {info.utterances}")
    try:
        published = corpora.get(info.name)
    except CorpusError:
        published = None
    if published and published.utterances is not None:
        usable = published.utterances - len(published.known_bad)
        if len(utterances) != usable:
            yield Finding("warning", f"{len(utterances)} clips, {usable} usable ones are published")
    for reason, ids in _grouped((skip.reason, skip.id) for skip in info.skipped).items():
        yield Finding("warning", f"skipped when it was prepared: {reason}", tuple(ids))
    yield from (Finding("warning", f"when it was prepared: {text}") for text in info.warnings)


def _grouped(pairs: Iterable[tuple]) -> dict:
    """Second members by their first, in the order in which they come."""
    groups = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return groups
