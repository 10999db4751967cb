"""Whether a prepared corpus can be trusted: what leaks, what is broken, what to look at.

Every clip is decoded, or taken from the table of measurements that preparing has left; nothing of
what the manifest says of the audio is believed.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from emovec import corpora
from emovec.corpora.completion import read_completion
from emovec.corpora.findings import Finding, of_audio, of_corpus, of_labels, of_twins
from emovec.corpora.measurements import Stretch
from emovec.corpora.measuring import measure_all
from emovec.corpora.preparing import MEASUREMENTS
from emovec.errors import CorpusError, SplitError
from emovec.tables.corpus import CorpusInfo, read_corpus_info
from emovec.tables.manifest import Utterance, read_manifest
from emovec.tables.splits import check_splits, read_splits

SEVERITIES = ("leak", "fault", "warning")


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
    files = splits or _visible(manifest.parent / "splits")
    findings = [
        *_of_splits(info.name, hashed, files),
        *of_audio(pairs),
        *of_twins(pairs),
        *of_labels(info, utterances),
        *of_corpus(info, utterances),
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
    done = read_completion(folder)
    return Path(done.data_folder) if done else folder


def _visible(folder: Path) -> list[Path]:
    """Tables without those of a Mac, such as ._by-speaker.csv."""
    return [path for path in sorted(folder.glob("*.csv")) if not path.name.startswith(".")]


def _of_splits(
    corpus: str, utterances: Sequence[Utterance], files: Sequence[Path]
) -> Iterator[Finding]:
    for file in files:
        may_share = _may_share(corpus, file.stem)
        try:
            rows = read_splits(file)
            said = check_splits(utterances, rows, may_share, allow_leak=True, needed=["train"])
        except SplitError as error:
            yield Finding("fault", f"{file.name}: {error}")
            continue
        yield from (Finding("leak", f"{file.name}: {leak}") for leak in said.leaks)
        yield from (Finding("warning", f"{file.name}: {warning}") for warning in said.warnings)


def _may_share(corpus: str, protocol: str) -> tuple[str, ...]:
    """Splits that a published protocol is known to share speakers between, by its name."""
    try:
        return corpora.protocol(corpora.get(corpus), protocol).shares_speakers
    except (CorpusError, SplitError):  # of another name, or of the user's own
        return ()
