"""What a folder of embeddings says of itself: extract.json, and a done mark for each shard."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from emovec.tables.embedding_records import from_json, to_json
from emovec.tables.embeddings import (
    EmbeddingError,
    Extraction,
    Skips,
)
from emovec.tables.files import checksum, write_atomically

EXTRACT = "extract.json"


@dataclass(frozen=True)
class Mark:
    """What is said of a finished shard; the fields are the keys of its done mark.

    Attributes:
        run: ``Extraction.run``
        rows: n
        clips: that they are of
        npy_sha256: checksum of the vectors' file
        parquet_sha256: checksum of the rows' file
        failures: clips of the shard that could not be read, and why
        skips: clips of the shard that have no embedding, and why
    """

    run: str
    rows: int
    clips: int
    npy_sha256: str
    parquet_sha256: str
    failures: Skips
    skips: Skips


def read_extraction(folder: Path) -> Extraction:
    """How the embeddings of a folder came about.

    Raises:
        EmbeddingError: if its extract.json is missing or not as it was written
    """
    path = folder / EXTRACT
    if not path.is_file():
        raise EmbeddingError(f"{path}: not found; expected a folder of embeddings. Mend the path.")
    return from_json(path.read_bytes(), Extraction, str(path))


def check_same_run(folder: Path, extraction: Extraction) -> None:
    """Raise where the extract.json of a folder is of another run.

    Raises:
        EmbeddingError: what differs
    """
    found = dict(_facts(read_extraction(folder).plan))
    expected = dict(_facts(extraction.plan))
    told = [
        f"{name}: found {found.get(name, 'nothing')}, expected {expected.get(name, 'nothing')}"
        for name in expected | found
        if found.get(name) != expected.get(name)
    ]
    if told:
        raise EmbeddingError(
            f"{folder}: holds another run: {'; '.join(told)}. Choose another folder, or delete "
            "this one."
        )


def _facts(plan: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Facts of a plan as they are told, those of versions and settings one by one.

    >>> list(_facts({"encoder": "a", "settings": {"window": None}}))
    [('encoder', "'a'"), ('settings window', 'None')]
    """
    for key, value in plan.items():
        if isinstance(value, Mapping):
            yield from ((f"{key} {name}", said) for name, said in _facts(value))
        else:
            yield key, repr(value)


def shard_path(folder: Path, number: int, suffix: str) -> Path:
    """One of the files of a shard."""
    return folder / f"{number:05d}.{suffix}"


def write_json(path: Path, record: Extraction | Mark) -> None:
    """Write a record, whole or not at all."""
    with write_atomically(path) as file:
        file.write(to_json(record))


def read_marks(folder: Path, extraction: Extraction) -> dict[int, Mark]:
    """The done marks of a run, in order.

    Raises:
        EmbeddingError: as :func:`read_mark` does
    """
    run = extraction.run
    marks = ((number, read_mark(folder, number, run)) for number in range(extraction.shards))
    return {number: mark for number, mark in marks if mark}


def read_mark(folder: Path, number: int, run: str) -> Mark | None:
    """The done mark of a shard, None if it has none.

    Raises:
        EmbeddingError: if it is no mark, or of another run
    """
    path = shard_path(folder, number, "done")
    if not path.is_file():
        return None
    mark = from_json(path.read_bytes(), Mark, str(path))
    if mark.run != run:
        raise EmbeddingError(
            f"{path}: is of run {mark.run}; expected {run}, as {EXTRACT} tells. "
            "Copy the folder again, or run the extraction again."
        )
    return mark


def check_files(folder: Path, number: int, mark: Mark) -> None:
    """Raise where a file of a shard is not as it was written.

    Raises:
        EmbeddingError: which file
    """
    for suffix, expected in (("npy", mark.npy_sha256), ("parquet", mark.parquet_sha256)):
        path = shard_path(folder, number, suffix)
        found = checksum(path) if path.is_file() else "missing"
        if found != expected:
            raise EmbeddingError(
                f"{path}: its SHA-256 is {found}; its done mark expects {expected}. "
                "Copy the folder again, or run the extraction again, which makes this shard anew."
            )


def with_outcome(extraction: Extraction, marks: Mapping[int, Mark]) -> Extraction:
    """The extraction with the counts of some shards."""
    failures = tuple(skip for mark in marks.values() for skip in mark.failures)
    skips = tuple(skip for mark in marks.values() for skip in mark.skips)
    return replace(
        extraction,
        written=sum(mark.clips for mark in marks.values()),
        failed=len(failures),
        skipped=len(skips),
        failures=failures,
        skips=skips,
    )
