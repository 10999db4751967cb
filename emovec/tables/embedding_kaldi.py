"""Embeddings as Kaldi's ark and scp, with a third file for what these have no place for.

Shapes: E embedding.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from emovec.tables.embedding_records import (
    escape,
    library,
    read_table,
    rows_from_arrow,
    write_table,
)
from emovec.tables.embeddings import EmbeddingError, Embeddings
from emovec.tables.files import write_atomically
from emovec.tables.leaks import listed

KALDI = (".ark", ".scp", ".rows.parquet")
_SCP_LINE = re.compile(r"(\S+)\s+([^|\s][^|]*):(\d+)")
_NOT_IN_KEYS = re.compile(r"[\s\x00-\x1f\x7f-\x9f%]")


def write_kaldi(embeddings: Embeddings, path: Path) -> None:
    """Write the three files of a table; the path is of any of the first two."""
    matio = library("kaldiio.matio")
    ark, scp, rows = (path.with_suffix(suffix) for suffix in KALDI)
    place = str(ark.absolute())
    if not place.isprintable() or "|" in place:
        raise EmbeddingError(
            f"{place!r}: has characters that an scp cannot hold; expected a path without line "
            "breaks and '|'. Choose another folder."
        )
    with write_atomically(scp) as lines:
        with write_atomically(ark, "wb") as file:
            for id_, vector in zip(embeddings.ids, embeddings.vectors, strict=True):
                key = escape(id_, _NOT_IN_KEYS)
                file.write(f"{key} ".encode())
                lines.write(f"{key} {place}:{file.tell()}\n")
                matio.write_array(file, vector)
            file.flush()  # if the disk is full, that is known while all old files are there
            lines.flush()
            for old in (scp, rows):  # if this ends half-way, none is taken for the new ark's
                old.unlink(missing_ok=True)
        write_table(embeddings, rows)


def read_kaldi(path: Path) -> Embeddings:
    """The table of an ark or an scp, not checked."""
    found = list(_from_scp(path) if path.suffix == ".scp" else _from_ark(path))
    ids = [unquote(key) for key, _ in found]
    vectors = [vector for _, vector in found]
    rows = path.with_suffix(KALDI[-1])
    if not rows.is_file():
        return Embeddings(ids, np.stack(vectors))
    known_rows, extraction = read_table(rows)
    known, columns = rows_from_arrow(known_rows)
    row_of = {id_: row for row, id_ in enumerate(known)}
    unknown = [id_ for id_ in ids if id_ not in row_of]
    if unknown:
        raise EmbeddingError(
            f"{rows}: {listed(unknown, 'ids are missing')}; expected those of {path.name}. "
            "Delete it if it belongs to other vectors."
        )
    size = extraction.embedding_size if extraction else 0
    places = np.array([row_of[id_] for id_ in ids], dtype=np.intp)
    kept = {name: values[places] for name, values in columns.items()}
    table = np.stack(vectors) if vectors else np.empty((0, size), dtype=np.float32)
    return Embeddings(ids, table, extraction, kept)


def _from_ark(path: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Key and vector of each entry of an ark."""
    matio = library("kaldiio.matio")
    with path.open("rb") as file:
        while (key := matio.read_token(file)) is not None:
            yield key, _kaldi_vector(file, f"{path}: '{key}'")
        if file.read(1):
            raise ValueError(f"an entry without a key ends at byte {file.tell() - 1}")


def _from_scp(path: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Key and vector of each line of an scp; an ark beside it goes before the path it names."""
    with ExitStack() as stack, path.open(encoding="utf-8") as lines:
        arks: dict[str, IO[bytes]] = {}
        for line in lines:
            entry = _SCP_LINE.fullmatch(line.strip())
            if not entry:
                raise EmbeddingError(
                    f"{path}: line {line.strip()!r:.200} found; expected a key, a file and where "
                    "in it the vector begins. Commands and parts of vectors are not read."
                )
            key, name, offset = entry.groups()
            if name not in arks:
                beside = path.parent / Path(name).name
                ark = beside if beside.is_file() else Path(name)
                arks[name] = stack.enter_context(ark.open("rb"))
            arks[name].seek(int(offset))
            yield key, _kaldi_vector(arks[name], f"{path}: '{key}'")


def _kaldi_vector(file: IO[bytes], where: str) -> NDArray[np.float32]:
    """The vector that begins here.

    kaldiio's own readers of whole files also run the commands and unpickle the objects that they
    meet, and take a vector that is cut off for a shorter one.
    """
    start = file.tell()
    if file.read(2) != b"\0B":
        raise ValueError(f"{where} is not in Kaldi's binary form")
    file.seek(start)
    vector, size = library("kaldiio.matio").read_matrix_or_vector(file, return_size=True)
    if vector.dtype != np.float32 or vector.ndim != 1 or file.tell() - start != size:
        raise ValueError(f"{where} is {vector.dtype} {vector.shape} or cut off, not float32 (E,)")
    return vector
