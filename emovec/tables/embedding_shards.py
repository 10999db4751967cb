"""A folder of shards of embeddings, which a killed run leaves usable.

Layout::

    00000.npy        vectors (n, E), float32, memory-mappable
    00000.parquet    their rows: id, and further columns of texts and numbers
    00000.done       written last: checksums of the two, and the shard's clips without a vector
    extract.json     how they came about; its counts are 0 until the run has ended

No file holds a time, so that a run that was killed and goes on ends with the same bytes.

Shapes: N rows, n rows of one shard, E embedding.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emovec.tables.corpus import Skip
from emovec.tables.embedding_marks import (
    EXTRACT,
    Mark,
    check_files,
    check_same_run,
    read_extraction,
    read_mark,
    read_marks,
    shard_path,
    with_outcome,
    write_json,
)
from emovec.tables.embedding_records import rows_from_arrow, rows_to_arrow
from emovec.tables.embeddings import (
    CLIP,
    EmbeddingError,
    Embeddings,
    Extraction,
    Values,
    check_embeddings,
    column,
)
from emovec.tables.files import checksum, write_atomically

_TEMPORARY = re.compile(r"\.(\d{5,}\.(npy|parquet|done)|extract\.json)\.\w{8}")


class ShardWriter:
    """The shards of one run, written by any number of processes, each shard by one of them.

    What is left to do are the shards that :func:`done_shards` does not name.

    Args:
        folder: made if it is not there
        extraction: the run, without its outcome; the same one goes on where it stopped

    Raises:
        EmbeddingError: if the folder holds shards of another run
        StorageError: if it cannot be written
    """

    def __init__(self, folder: Path, extraction: Extraction) -> None:
        self.folder = folder
        self.extraction = with_outcome(extraction, {})
        if (folder / EXTRACT).is_file():
            check_same_run(folder, extraction)
        elif any(folder.glob("[0-9]*.npy")):
            raise EmbeddingError(
                f"{folder}: shards without {EXTRACT} found; expected an empty folder, or one of "
                "the same run. Choose another folder, or delete this one."
            )
        else:
            write_json(folder / EXTRACT, self.extraction)

    def write(
        self,
        number: int,
        ids: Sequence[str],
        vectors: NDArray[np.float32],
        columns: Mapping[str, Values] | None = None,
        *,
        failures: Iterable[Skip] = (),
        skips: Iterable[Skip] = (),
    ) -> None:
        """Write one shard, in place of what is there; it is done when its last file is.

        Args:
            number: from 0
            ids: n ids
            vectors: (n, E)
            columns: by name n values each, as :func:`column` takes them
            failures: clips of the shard that could not be read, and why
            skips: clips of the shard that have no embedding, and why

        Raises:
            EmbeddingError: if the rows break a promise of ``Embeddings``
            StorageError: if a file cannot be written; the shard is then not done
        """
        where = f"{self.folder}: shard {number}"
        if not 0 <= number < self.extraction.shards:
            raise EmbeddingError(f"{where}: expected one of {self.extraction.shards}, from 0.")
        further = {name: column(name, values) for name, values in (columns or {}).items()}
        table = Embeddings(ids, np.ascontiguousarray(vectors), self.extraction, further)
        check_embeddings(table, where)
        checksums = _write_files(self.folder, number, table)
        clips = len(set(further.get(CLIP, ids)))
        mark = Mark(self.extraction.run, len(ids), clips, *checksums, tuple(failures), tuple(skips))
        write_json(shard_path(self.folder, number, "done"), mark)

    def finish(self) -> Extraction:
        """Write how many clips came out, once all shards are done, and clear up.

        Raises:
            EmbeddingError: if a shard is missing, or clips are neither written, failed nor skipped
            StorageError: if the file cannot be written
        """
        marks = read_marks(self.folder, self.extraction)
        outcome = with_outcome(self.extraction, marks)
        if len(marks) < outcome.shards or not outcome.finished:
            raise EmbeddingError(
                f"{self.folder}: {len(marks)} of {outcome.shards} shards found, and of "
                f"{outcome.expected} clips {outcome.written} written, {outcome.failed} failed and "
                f"{outcome.skipped} skipped; expected all. Run the same extraction again."
            )
        for path in self.folder.iterdir():
            if _TEMPORARY.fullmatch(path.name):  # a killed process left it
                path.unlink(missing_ok=True)
        write_json(self.folder / EXTRACT, outcome)
        return outcome


def done_shards(folder: Path) -> dict[int, Mark]:
    """Shards of a folder that are whole, in order; a damaged one is not among them.

    Raises:
        EmbeddingError: if the folder has no sound extract.json
    """
    extraction = read_extraction(folder)
    run = extraction.run
    sound = {}
    for number in range(extraction.shards):
        try:
            mark = read_mark(folder, number, run)
            if mark:
                check_files(folder, number, mark)
                sound[number] = mark
        except EmbeddingError:
            continue  # it is made again
    return sound


def read_embeddings(folder: Path, *, allow_partial: bool = False) -> Embeddings:
    """The table of a folder, checked.

    Args:
        folder: of shards
        allow_partial: whether the shards that are there will do; the counts are then theirs

    Raises:
        EmbeddingError: if the run has not ended, a file is not as it was written, or the rows
            break a promise of ``Embeddings``
    """
    extraction = read_extraction(folder)
    marks = read_marks(folder, extraction)
    outcome = with_outcome(extraction, marks)
    if not allow_partial and (len(marks) < extraction.shards or outcome != extraction):
        raise EmbeddingError(
            f"{folder}: {len(marks)} of {extraction.shards} shards and {outcome.written} of "
            f"{extraction.expected} clips found; expected all of a run that has ended. Run the "
            "same extraction again, which goes on, copy all of it, or pass --allow_partial."
        )
    rows = sum(mark.rows for mark in marks.values())
    vectors = np.empty((rows, extraction.embedding_size), dtype=np.float32)
    ids: list[str] = []
    parts = []
    for number, mark in marks.items():
        shard = _read_shard(folder, number, mark, extraction.embedding_size)
        vectors[len(ids) : len(ids) + mark.rows] = shard.vectors
        ids += shard.ids
        parts += [shard.columns] if mark.rows else []  # a column without values is of any kind
    table = Embeddings(ids, vectors, outcome, _one_below_the_other(parts, folder))
    check_embeddings(table, str(folder))
    return table


def _write_files(folder: Path, number: int, table: Embeddings) -> tuple[str, str]:
    """Write vectors and rows of a shard; their checksums."""
    import pyarrow.parquet

    npy, parquet = shard_path(folder, number, "npy"), shard_path(folder, number, "parquet")
    with write_atomically(npy, "wb") as file:
        np.save(file, table.vectors, allow_pickle=False)
    with write_atomically(parquet, "wb") as file:
        pyarrow.parquet.write_table(rows_to_arrow(table), file)
    return checksum(npy), checksum(parquet)


def _read_shard(folder: Path, number: int, mark: Mark, embedding_size: int) -> Embeddings:
    import pyarrow.parquet

    check_files(folder, number, mark)
    npy, parquet = shard_path(folder, number, "npy"), shard_path(folder, number, "parquet")
    try:
        vectors = np.load(npy, allow_pickle=False)
        # not read_table, which takes folders with names like "set=a" for columns
        with pyarrow.parquet.ParquetFile(parquet) as file:
            ids, columns = rows_from_arrow(file.read())
    except (ValueError, KeyError, OSError) as error:
        raise EmbeddingError(f"{npy}: no shard ({error}). Run the extraction again.") from error
    shape = (mark.rows, embedding_size)
    if vectors.dtype != np.float32 or vectors.shape != shape or len(ids) != mark.rows:
        raise EmbeddingError(
            f"{npy}: {vectors.dtype} {vectors.shape} and {len(ids)} ids found; expected float32 "
            f"{shape}. Run the extraction again."
        )
    return Embeddings(ids, vectors, None, columns)


def _one_below_the_other(
    parts: Sequence[Mapping[str, NDArray[Any]]], folder: Path
) -> dict[str, NDArray[Any]]:
    names = list(parts[0]) if parts else []
    other = next((list(part) for part in parts if list(part) != names), None)
    if other is not None:
        raise EmbeddingError(
            f"{folder}: shards have the columns {names} and {other}; expected the same in all. "
            "Run the extraction again in an empty folder."
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in names}
