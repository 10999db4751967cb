"""A corpus made ready: found or made, walked, read, and used again where no file has changed."""

import hashlib
import json
import os
from dataclasses import dataclass, fields
from pathlib import Path, PurePath

from emovec.corpora.base import Corpus
from emovec.corpora.completion import NAME, check_unchanged, read_completion, write_completion
from emovec.corpora.labelling import Stamps
from emovec.corpora.reading import read
from emovec.corpora.splitting import is_protocol
from emovec.errors import CorpusError
from emovec.tables.corpus import CorpusInfo, read_corpus_info, write_corpus_info
from emovec.tables.files import AUDIO_SUFFIXES, folder_atomically
from emovec.tables.manifest import Utterance, read_manifest, write_manifest

MEASUREMENTS = "measurements.csv"
_TABLES = ("manifest.csv", "corpus.json")
_LEVELS = 4  # folders above the given one that are tried
_READER = 3  # add one when the same files give another manifest


@dataclass(frozen=True)
class Prepared:
    """A corpus that is ready to be used: its manifest, its facts, and where its audio lies."""

    utterances: list[Utterance]
    info: CorpusInfo
    root: Path


def prepare(
    corpus: Corpus,
    data_folder: Path | None,
    output_folder: Path,
    *,
    allow_partial: bool = False,
    progress: bool = True,
    workers: int | None = None,
) -> Prepared:
    """Manifest of a corpus; what was prepared before is used again if no file has changed.

    Args:
        corpus: from ``emovec.corpora.get``
        data_folder: where the corpus lies; None: one that is made goes below ``output_folder``
        output_folder: for manifest.csv, corpus.json and prepared.json
        allow_partial: leave out clips that are missing or cannot be used, and list them
        progress: show a bar, if there is a terminal to show it on
        workers: threads; None: one for each core

    Raises:
        CorpusError: if the folder is not as published, or a table was changed since it was written
        ManifestError: if two clips have the same id
        StorageError: if a table cannot be written
    """
    corpus, root = locate(corpus, data_folder, output_folder)
    files = _walk(corpus, root)
    fingerprint = _fingerprint(corpus, root, files, allow_partial)
    manifest, facts = (output_folder / name for name in _TABLES)
    done = read_completion(output_folder)
    if done:
        check_unchanged(output_folder, done)
    used_again = done and done.fingerprint == fingerprint
    if not (used_again and manifest.is_file() and facts.is_file()):
        cache = output_folder / MEASUREMENTS
        utterances, info = read(corpus, root, files, cache, allow_partial, progress, workers)
        (output_folder / NAME).unlink(missing_ok=True)
        _remove_derived(corpus, root, output_folder)
        write_manifest(manifest, utterances)
        write_corpus_info(facts, info)
        write_completion(output_folder, fingerprint, root, _TABLES)  # last: marks completion
    return Prepared(read_manifest(manifest), read_corpus_info(facts), root)


def _remove_derived(corpus: Corpus, root: Path, folder: Path) -> None:
    """Remove what was made of the manifest of before, not what others put beside it."""
    for path in (folder / "splits").glob("*.csv"):
        if is_protocol(corpus, path.stem):
            path.unlink()
    for name in corpus.trials(root) if corpus.trials else ():
        (folder / "trials" / f"{name}.csv").unlink(missing_ok=True)


def locate(corpus: Corpus, data_folder: Path | None, output_folder: Path) -> tuple[Corpus, Path]:
    """The corpus with what only its folder tells, and that folder; one that is made is made now.

    Args:
        corpus: from ``emovec.corpora.get``, or located before
        data_folder: where the corpus lies; None: one that is made goes below ``output_folder``
        output_folder: where its tables will be written

    Raises:
        CorpusError: if the folder is not there, or at another level, which is then named
    """
    root = _data_folder(corpus, data_folder, output_folder)
    try:
        opened = corpus.open(corpus, root) if corpus.open else corpus
    except CorpusError:
        _check_level(corpus, root)
        raise
    _check_level(opened, root)
    return opened, root


def _data_folder(corpus: Corpus, data_folder: Path | None, output_folder: Path) -> Path:
    """The folder that holds the corpus, made if it is one that is made."""
    layout = " and ".join((corpus.audio, *corpus.tables))
    if corpus.make:
        folder = data_folder or output_folder / f"{corpus.name}_{corpus.release}"
        if not all((folder / name).is_file() for name in corpus.tables):
            if folder.is_dir() and any(folder.iterdir()):
                raise CorpusError(
                    f"{folder}: holds other files; expected {layout}, or nothing. "
                    "Choose another folder."
                )
            with folder_atomically(folder) as temporary:
                corpus.make(temporary)
        return folder
    if data_folder is None or not data_folder.is_dir():
        found = "no data folder given" if data_folder is None else f"{data_folder} not found"
        raise CorpusError(
            f"{corpus.name}: {found}; expected a folder with {layout}. Pass --data_folder=PATH."
        )
    written = {(output_folder / name).resolve() for name in _TABLES}
    if written & {(data_folder / name).resolve() for name in corpus.tables}:
        raise CorpusError(
            f"{output_folder}: holds a table that is read; expected another folder to write to. "
            "Choose another one for them."
        )
    return data_folder


def _check_level(corpus: Corpus, root: Path) -> None:
    """Raise if the data folder holds nothing of the corpus, but one above or below it does."""
    mark = corpus.audio if not corpus.audio.startswith("**") else next(iter(corpus.tables), "")
    if not mark or PurePath(mark).is_absolute() or any(root.glob(mark)):
        return
    below = [
        folder for folder in sorted(root.glob("*")) + sorted(root.glob("*/*")) if folder.is_dir()
    ]
    for other in (*below, *root.resolve().parents[:_LEVELS]):
        if any(other.glob(mark)):
            raise CorpusError(
                f"{corpus.name}: no {mark} below {root}; found them below {other}. "
                f"Pass --data_folder={other}."
            )


def _walk(corpus: Corpus, root: Path) -> Stamps:
    """Audio files by path below the data folder, sorted.

    Raises:
        CorpusError: if a name is not UTF-8, as no table can hold it
    """
    found = {}
    for path in root.glob(corpus.audio):
        relative = path.relative_to(root)
        hidden = any(part.startswith(".") for part in relative.parts)  # such as ._a.wav of a Mac
        if path.suffix.lower() in AUDIO_SUFFIXES and not hidden and path.is_file():
            found[_utf8(relative.as_posix(), root)] = _stamp(path)
    return dict(sorted(found.items()))


def _utf8(name: str, root: Path) -> str:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise CorpusError(
            f"{root}: the name {os.fsencode(name)!r} is not UTF-8; expected names that a table can "
            "hold. Rename the file, for example with convmv."
        ) from error
    return name


def _stamp(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns


def _fingerprint(corpus: Corpus, root: Path, files: Stamps, allow_partial: bool) -> str:
    """Hash of all that decides the manifest; of files, their sizes and times of change."""
    facts = [getattr(corpus, field.name) for field in fields(corpus)]
    decides = {
        "reader": _READER,
        "root": str(root.resolve()),
        "allow_partial": allow_partial,
        "corpus": [fact for fact in facts if isinstance(fact, str | int | tuple | None)],
        "tables": [_stamp(root / name) for name in corpus.tables if (root / name).is_file()],
        "files": list(files.items()),
    }
    return hashlib.blake2b(json.dumps(decides, default=repr).encode(), digest_size=16).hexdigest()
