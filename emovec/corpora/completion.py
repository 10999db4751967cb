"""prepared.json: what a corpus was prepared from, and the tables as they were written then.

It is written last, so that a killed run leaves none; without it, or where it cannot be read, a
corpus is prepared anew. Where it stands beside a table that is not as it was written, somebody has
changed the table by hand, and that is neither used silently nor lost.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from emovec.errors import CorpusError
from emovec.tables.files import write_atomically

NAME = "prepared.json"


@dataclass(frozen=True)
class Completion:
    """What prepared.json tells.

    Attributes:
        fingerprint: of all that decided the tables
        data_folder: where the audio lies
        tables: name of each table to the hash of its content
    """

    fingerprint: str
    data_folder: str
    tables: Mapping[str, str]


def read_completion(folder: Path) -> Completion | None:
    """What was prepared in a folder; None if nothing was, or nobody can tell."""
    try:
        found = Completion(**json.loads((folder / NAME).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    texts = (found.fingerprint, found.data_folder)
    tables = isinstance(found.tables, dict)
    return found if tables and all(isinstance(text, str) for text in texts) else None


def write_completion(
    folder: Path, fingerprint: str, data_folder: Path, tables: Sequence[str]
) -> None:
    """Mark a folder as prepared.

    Raises:
        StorageError: if it cannot be written
    """
    hashes = {name: _hash(folder / name) for name in tables}
    with write_atomically(folder / NAME) as file:
        json.dump(asdict(Completion(fingerprint, str(data_folder.resolve()), hashes)), file)


def check_unchanged(folder: Path, done: Completion) -> None:
    """Raise where a table is not as it was written; one that is gone is no loss.

    Raises:
        CorpusError: which names it
    """
    for name, hash_ in done.tables.items():
        table = folder / name
        if table.is_file() and _hash(table) != hash_:
            raise CorpusError(
                f"{table}: was changed by hand since it was prepared; expected it as it was "
                "written. Move it into the data folder and read that as corpus `manifest`, or "
                "delete it to prepare it again."
            )


def _hash(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
