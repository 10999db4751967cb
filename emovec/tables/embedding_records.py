"""What the files of embeddings have in common: rows in Parquet, how they came about in JSON."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, fields
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from emovec.tables.corpus import Skip
from emovec.tables.embeddings import (
    RESERVED,
    EmbeddingError,
    Embeddings,
    Extraction,
    Settings,
    Skips,
    Versions,
    column,
)
from emovec.tables.files import write_atomically

Record = TypeVar("Record")


def rows_to_arrow(embeddings: Embeddings) -> Any:
    """Ids and columns as a ``pyarrow.Table``."""
    import pyarrow

    arrays = {"id": pyarrow.array(embeddings.ids, pyarrow.string())}
    for name, values in embeddings.columns.items():
        arrays[name] = pyarrow.array(values, pyarrow.string() if values.dtype == object else None)
    return pyarrow.table(arrays)


def rows_from_arrow(table: Any) -> tuple[list[str], dict[str, NDArray[Any]]]:
    """Ids and columns of what :func:`rows_to_arrow` made, or of a table from elsewhere.

    Raises:
        EmbeddingError: if a column has neither texts nor numbers
        KeyError: if there is no column id, or one column twice
    """
    names = [name for name in table.column_names if name not in RESERVED]
    columns = {name: column(name, table.column(name).to_pylist()) for name in names}
    return table.column("id").to_pylist(), columns


def to_json(record: Any) -> str:
    """Text of an extraction or a done mark; a name that is no UTF-8 stands in it as an escape."""
    text = json.dumps(asdict(record), indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace").decode() + "\n"


def from_json(text: str | bytes, kind: type[Record], where: str) -> Record:
    """What :func:`to_json` made a text of.

    Raises:
        EmbeddingError: if it is no such text
    """
    try:
        content = json.loads(text)
    except ValueError as error:
        raise EmbeddingError(f"{where}: is no JSON ({error}). Copy it again.") from error
    kinds = {key.name: key.type for key in fields(kind)}  # type: ignore[arg-type]
    if not isinstance(content, dict) or content.keys() != kinds.keys():
        found = sorted(content) if isinstance(content, dict) else content
        raise EmbeddingError(
            f"{where}: found {found!r:.300}; expected the keys {sorted(kinds)}. "
            "Was it written by another release?"
        )
    for key, value in content.items():
        if not _HOLDS[kinds[key]](value):
            raise EmbeddingError(f"{where}: {key} is {value!r:.100}, which cannot be. Mend it.")
        if kinds[key] is Skips:
            content[key] = tuple(Skip(**skip) for skip in value)
    return kind(**content)


def _are_skips(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(skip, dict)
        and skip.keys() == {"id", "reason"}
        and all(isinstance(text, str) for text in skip.values())
        for skip in value
    )


_HOLDS: dict[Any, Callable[[Any], bool]] = {  # by type of a field: whether JSON's value fits it
    str: lambda value: isinstance(value, str),
    int: lambda value: type(value) is int and value >= 0,
    Versions: lambda value: isinstance(value, dict),
    Settings: lambda value: isinstance(value, dict),
    Skips: _are_skips,
}
_METADATA = b"emovec.extraction"
_AT_ONCE = 10_000  # rows of a Parquet file that are read together


def library(name: str) -> Any:
    """A module of the extra ``formats``.

    Raises:
        EmbeddingError: if it is not installed
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise EmbeddingError(
            f"{name} is not installed ({error}); expected it for this format. Run "
            "pip install 'emovec[formats]', or choose npz or parquet."
        ) from error


def escape(text: str, forbidden: re.Pattern[str]) -> str:
    """Text whose forbidden characters stand as %XX, from which ``unquote`` makes them again.

    >>> escape("take 1/100%", re.compile(r"[ %]"))
    'take%201/100%25'
    """
    return forbidden.sub(lambda found: "".join(f"%{b:02X}" for b in found[0].encode()), text)


def write_table(embeddings: Embeddings, path: Path, vectors: Any = None) -> None:
    """Write ids, further columns and the extraction as Parquet, with or without vectors."""
    import pyarrow.parquet

    table = rows_to_arrow(embeddings)
    if vectors is not None:
        table = table.add_column(1, "embedding", vectors)
    if embeddings.extraction:
        table = table.replace_schema_metadata({_METADATA: to_json(embeddings.extraction)})
    with write_atomically(path, "wb") as file:
        pyarrow.parquet.write_table(table, file, row_group_size=_AT_ONCE)


def read_table(path: Path) -> tuple[Any, Extraction | None]:
    """A ``pyarrow.Table`` and the extraction of a Parquet file."""
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:  # read_table would look at its folders' names
        table = file.read()
    text = (table.schema.metadata or {}).get(_METADATA)
    return table, from_json(text, Extraction, f"{path}: extraction") if text else None
