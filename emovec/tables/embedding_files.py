"""A table of embeddings as one file: npz, HDF5, Kaldi ark and scp, Parquet; float32 exactly.

How each of them looks::

    npz      vectors (N, E), ids (N,), columns/NAME (N,), extraction: JSON
    HDF5     the same names
    Parquet  columns id and embedding (a list of E), further columns; extraction in the metadata
    Kaldi    x.ark: vectors by id; x.scp: where in it each is; x.rows.parquet: ids and columns,
             extraction in the metadata, since Kaldi's own two have no place for them

The extraction is the text of extract.json. Files of others may lack it, and Kaldi's also the third
file. In names that a format cannot hold, characters stand as %XX, the bytes of their UTF-8: in
Kaldi's ids blanks and control characters, in npz and HDF5 "/" and "." of the names of columns, and
in both "%" itself. No reader runs what a file says: neither pickles nor Kaldi's pipes are read.

Shapes: N rows, E embedding.
"""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from emovec.tables.embedding_kaldi import KALDI, read_kaldi, write_kaldi
from emovec.tables.embedding_records import (
    escape,
    from_json,
    library,
    read_table,
    rows_from_arrow,
    to_json,
    write_table,
)
from emovec.tables.embeddings import (
    EmbeddingError,
    Embeddings,
    Extraction,
    check_embeddings,
    column,
)
from emovec.tables.files import write_atomically

_COLUMNS = "columns"
_NOT_IN_NAMES = re.compile(r"[/.%]")  # HDF5 takes "/" for a group, npz a last "." for a suffix
_UNREADABLE = (  # what the libraries raise on files that are not theirs, or damaged
    *(AssertionError, AttributeError, EOFError, KeyError, OSError, RuntimeError, TypeError),
    *(ValueError, struct.error, zipfile.BadZipFile, zlib.error),
)


def write(embeddings: Embeddings, path: Path, format: str = "") -> None:
    """Write a table as one file, for Kaldi three, in place of what is there.

    Args:
        embeddings: the table
        path: of Kaldi's files the ark or the scp
        format: a key of ``FORMATS``; "": as the suffix tells

    Raises:
        EmbeddingError: if the table breaks a promise of ``Embeddings``, there is no such format,
            or its library is not installed
        StorageError: if it cannot be written
    """
    name = _format(path, format)
    check_embeddings(embeddings, str(path))
    FORMATS[name].write(embeddings, path)


def read(path: Path, format: str = "") -> Embeddings:
    """The table of a file, checked.

    Args:
        path: of Kaldi's files the ark, or an scp, which may name some of its vectors only
        format: a key of ``FORMATS``; "": as the suffix tells

    Raises:
        EmbeddingError: if there is no such file, it is not of this format, its rows break a
            promise of ``Embeddings``, or the format's library is not installed
    """
    name = _format(path, format)
    if not path.is_file():
        raise EmbeddingError(f"{path}: not found; expected embeddings as {name}. Mend the path.")
    try:
        embeddings = FORMATS[name].read(path)
    except _UNREADABLE as error:
        raise EmbeddingError(
            f"{path}: cannot be read as {name} ({error!r:.300}); expected vectors by id. "
            "Is it of this format, and is the copy whole?"
        ) from error
    check_embeddings(embeddings, str(path))
    return embeddings


def _format(path: Path, format: str) -> str:
    suffixes = {suffix: name for name, kind in FORMATS.items() for suffix in kind.suffixes}
    name = format or suffixes.get(path.suffix, "")
    if name not in FORMATS or (name == "kaldi" and suffixes.get(path.suffix) != name):
        raise EmbeddingError(
            f"{path}: format is '{format}'; expected one of {sorted(FORMATS)}, or a suffix of "
            f"{sorted(suffixes)}, which Kaldi's files must have. Rename it, or pass the format."
        )
    return name


def _to_arrays(embeddings: Embeddings) -> dict[str, NDArray[Any]]:
    """What npz and HDF5 hold, by name."""
    arrays = {"vectors": embeddings.vectors, "ids": np.array(embeddings.ids, dtype=object)}
    for name, values in embeddings.columns.items():
        arrays[f"{_COLUMNS}/{escape(name, _NOT_IN_NAMES)}"] = values
    if embeddings.extraction:
        arrays["extraction"] = np.array(to_json(embeddings.extraction), dtype=object)  # ()
    return arrays


def _from_arrays(arrays: Mapping[str, NDArray[Any]], path: Path) -> Embeddings:
    further = {name: values for name, values in arrays.items() if name.startswith(f"{_COLUMNS}/")}
    names = {name: unquote(name.partition("/")[2]) for name in further}
    columns = {names[key]: column(names[key], values.tolist()) for key, values in further.items()}
    text = str(arrays["extraction"]) if "extraction" in arrays else None
    extraction = from_json(text, Extraction, f"{path}: extraction") if text else None
    return Embeddings(arrays["ids"].tolist(), arrays["vectors"], extraction, columns)


def _write_npz(embeddings: Embeddings, path: Path) -> None:
    arrays = {
        name: values.astype(str) if values.dtype == object else values  # objects are pickled
        for name, values in _to_arrays(embeddings).items()
    }
    with write_atomically(path, "wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def _read_npz(path: Path) -> Embeddings:
    if not zipfile.is_zipfile(path):
        raise ValueError("no zip archive")
    with np.load(path, allow_pickle=False) as file:
        return _from_arrays({name: file[name] for name in file.files}, path)


def _write_hdf5(embeddings: Embeddings, path: Path) -> None:
    h5py = library("h5py")
    image = io.BytesIO()  # HDF5 crashes where the disk is full, so it writes into memory
    with h5py.File(image, "w") as file:
        for name, values in _to_arrays(embeddings).items():
            # the extraction too is an array: attributes end at 64 kB
            kind = h5py.string_dtype() if values.dtype == object else None
            file.create_dataset(name, data=values, dtype=kind)
    with write_atomically(path, "wb") as temporary:
        temporary.write(image.getbuffer())


def _read_hdf5(path: Path) -> Embeddings:
    h5py = library("h5py")
    arrays = {}
    with h5py.File(path, "r") as file:
        names = [f"{_COLUMNS}/{name}" for name in file.get(_COLUMNS, ())]
        for name in filter(file.__contains__, ["vectors", "ids", "extraction", *names]):
            values = file[name] if file[name].dtype.kind in "if" else file[name].asstr()
            arrays[name] = np.asarray(values[()])
    return _from_arrays(arrays, path)


def _write_parquet(embeddings: Embeddings, path: Path) -> None:
    import pyarrow

    size = embeddings.vectors.shape[1]
    values = pyarrow.array(embeddings.vectors.ravel())
    write_table(embeddings, path, pyarrow.FixedSizeListArray.from_arrays(values, size))


def _read_parquet(path: Path) -> Embeddings:
    import pyarrow

    table, extraction = read_table(path)
    vectors = table.column("embedding").combine_chunks()
    if not pyarrow.types.is_fixed_size_list(vectors.type) or vectors.null_count:
        raise TypeError(f"embedding is {vectors.type}, {vectors.null_count} of them null")
    size = vectors.type.list_size
    values = np.array(vectors.flatten().to_numpy())  # a copy, since Arrow's cannot be written to
    ids, columns = rows_from_arrow(table)
    return Embeddings(ids, values.reshape(len(ids), size), extraction, columns)


class Format(NamedTuple):
    """A file format of embeddings; the first suffix is the usual one."""

    suffixes: tuple[str, ...]
    write: Callable[[Embeddings, Path], None]
    read: Callable[[Path], Embeddings]


FORMATS = {
    "npz": Format((".npz",), _write_npz, _read_npz),
    "hdf5": Format((".h5", ".hdf5"), _write_hdf5, _read_hdf5),
    "kaldi": Format(KALDI[:2], write_kaldi, read_kaldi),
    "parquet": Format((".parquet",), _write_parquet, _read_parquet),
}
