"""What a user names to be embedded: files, folders, globs or a manifest, as utterances with ids.

Ids are paths below the common folder of all that was named, with their suffix, so that two files
of one base name stay two.
"""

import json
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import soundfile

from emovec.errors import AudioError, HparamError, ManifestError
from emovec.tables.corpus import Skip
from emovec.tables.files import AUDIO_SUFFIXES
from emovec.tables.manifest import Utterance, read_manifest
from emovec.tables.splits import manifest_hash

UNREAD_SUFFIXES = frozenset({".3gp", ".aac", ".amr", ".m4a", ".mp4", ".webm", ".wma"})
MANIFEST = "manifest.csv"  # of a folder that is prepared
_PREPARED = "prepared.json"  # says beside a manifest what its paths are relative to
_MAGIC = frozenset("*?[")


@dataclass(frozen=True)
class Collected:
    """Clips that were named, in order of their ids, those of a manifest in its order.

    Attributes:
        utterances: clips; 0 seconds where a header cannot be read, which reading them will tell
        root: folder that their paths are relative to
        manifest_hash: of their ids and labels
        skipped: audio that is known not to be read, and why
        is_manifest: whether they are of one, so that ids are its own
    """

    utterances: list[Utterance]
    root: Path
    manifest_hash: str
    skipped: tuple[Skip, ...] = ()
    is_manifest: bool = False


def collect(inputs: Sequence[str | Path]) -> Collected:
    """Clips of files, folders and globs, or of one manifest.

    A file that is named is taken whatever its suffix; in folders and globs audio files are looked
    for, hidden ones left out, and each folder is visited once, however links go round.

    Args:
        inputs: paths, or patterns such as ``data/*/speech_*.wav`` and ``data/**/*.flac``; or one
            manifest, a file that ends in .csv, whose paths are relative to the data folder that it
            was prepared from, else to its own

    Raises:
        AudioError: if something is not there, cannot be listed, or has no audio in it
        HparamError: if there is no input, or a manifest is not the only one
        ManifestError: if the manifest cannot be read, or its data folder is gone
    """
    if len(inputs) == 1 and (prepared := Path(inputs[0], MANIFEST)).is_file():
        return _of_manifest(prepared)
    tables = [Path(name) for name in inputs if Path(name).suffix.lower() == ".csv"]
    if not inputs or (tables and len(inputs) > 1):
        raise HparamError(
            f"inputs: {[str(name) for name in inputs]} found; expected files, folders and globs, "
            "or one manifest. Name them, the manifest alone."
        )
    if tables:
        return _of_manifest(tables[0])
    parts = [_expand(os.fspath(name)) for name in inputs]
    # not resolved: an id has the names that the user sees, not those behind links
    root = Path(os.path.commonpath([os.path.abspath(base) for base, _ in parts]))
    found = {os.path.abspath(path): path for _, paths in parts for path in paths}
    utterances, skipped = _describe(root, found)
    if not utterances:
        told = f" ({skipped[0].id} {skipped[0].reason})" if skipped else ""
        raise AudioError(
            f"{', '.join(map(str, inputs))}: no audio files found{told}; expected "
            f"{' '.join(sorted(AUDIO_SUFFIXES))}. Mend the path."
        )
    return Collected(utterances, root, manifest_hash(utterances), tuple(skipped))


def _of_manifest(path: Path) -> Collected:
    utterances = read_manifest(path)
    root = _data_folder(path.parent)
    if not root.is_dir():
        raise ManifestError(
            f"{path}: was prepared from {root}, which is not there; expected its audio. "
            "Prepare the corpus again, or bring the folder back."
        )
    return Collected(utterances, root, manifest_hash(utterances), is_manifest=True)


def _data_folder(folder: Path) -> Path:
    """Where the manifest of a folder was prepared from, else the folder."""
    try:
        return Path(json.loads((folder / _PREPARED).read_bytes())["data_folder"])
    except (OSError, ValueError, KeyError, TypeError):
        return folder


def _expand(name: str) -> tuple[Path, list[Path]]:
    """Folder that an input begins with, and the files that it names."""
    path = Path(name)
    if path.is_dir():
        return path, _walk([path])
    if path.is_file():
        return path.parent, [path]
    fixed = next((i for i, part in enumerate(path.parts) if _MAGIC & set(part)), None)
    if fixed is None:
        raise AudioError(f"{name}: not found; expected a file, a folder or a glob. Mend the path.")
    base = Path(*path.parts[:fixed])
    # ``**`` of pathlib does not follow links to folders, so that none goes round here
    matches = [
        match
        for match in sorted(base.glob(str(Path(*path.parts[fixed:]))))
        if not any(part.startswith(".") for part in match.relative_to(base).parts)
    ]
    folders = [match for match in matches if match.is_dir() and not _goes_round(match)]
    files = [match for match in matches if not match.is_dir() and _is_audio(match.name)]
    return base, files + _walk(folders)


def _goes_round(path: Path) -> bool:
    """Whether a path is a link to a folder that it lies in."""
    if not path.is_symlink() or not os.path.isdir(path):
        return False
    return path.parent.resolve().is_relative_to(path.resolve())


def _walk(folders: Iterable[Path]) -> list[Path]:
    """Audio in folders and below; real folders come before links, which may lead to the same."""
    found: list[Path] = []
    left, links, seen = list(folders), list[Path](), set[tuple[int, int]]()
    while left or links:
        folder = left.pop() if left else links.pop(0)
        try:
            facts = folder.stat()
            names = sorted(os.listdir(folder))
        except OSError as error:
            raise AudioError(
                f"{folder}: cannot be listed ({error.strerror}); expected a folder with audio. "
                "Give the right to read it, or name other folders."
            ) from error
        if (facts.st_dev, facts.st_ino) in seen:
            continue
        seen.add((facts.st_dev, facts.st_ino))
        for path in (folder / name for name in names if not name.startswith(".")):
            if _goes_round(path):
                continue
            if os.path.isdir(path):
                (links if path.is_symlink() else left).append(path)
            elif _is_audio(path.name):
                found.append(path)
    return found


def _is_audio(name: str) -> bool:
    return Path(name).suffix.lower() in AUDIO_SUFFIXES | UNREAD_SUFFIXES


def _describe(root: Path, found: dict[str, Path]) -> tuple[list[Utterance], list[Skip]]:
    """Utterances of files by their absolute paths, and those that are not read."""
    names = {Path(absolute).relative_to(root).as_posix(): found[absolute] for absolute in found}
    reasons = {name: _reason(name) for name in sorted(names)}
    skipped = [
        Skip(name.encode("utf-8", "backslashreplace").decode(), reason)
        for name, reason in reasons.items()
        if reason
    ]
    kept = [name for name, reason in reasons.items() if not reason]
    with ThreadPoolExecutor() as pool:
        durations = list(pool.map(_duration, (names[name] for name in kept)))
    pairs = zip(kept, durations, strict=True)
    return [Utterance(name, name, None, None, duration) for name, duration in pairs], skipped


def _reason(name: str) -> str:
    """Why a file is not read, "" if it is."""
    if any("\ud800" <= character <= "\udfff" for character in name):
        return "has a name that is not UTF-8, which no table can hold; rename it"
    suffix = Path(name).suffix.lower()
    if suffix in UNREAD_SUFFIXES:
        return f"is {suffix}, which is not read; convert it: ffmpeg -i a{suffix} -ac 1 a.wav"
    return ""


def _duration(path: Path) -> float:
    """Seconds by the header, 0 if it cannot be read."""
    if not path.is_file():  # opening a pipe would wait for ever
        return 0.0
    try:
        facts = soundfile.info(path)
    except (soundfile.SoundFileError, OSError):
        return 0.0
    return facts.frames / facts.samplerate
