"""Names, cells and lines of a corpus as published; what makes no sense is said in a sentence."""

from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import TypeVar

from emovec.errors import CorpusError

_Value = TypeVar("_Value")
_NOBODY = {"", "unknown", "none", "nan"}


def name_parts(path: PurePath, separator: str, number: int) -> list[str]:
    """Parts of a file's name without its suffix.

    Raises:
        ValueError: if they are not so many

    >>> name_parts(PurePath("AudioWAV/1001_DFA_ANG_XX.wav"), "_", 4)
    ['1001', 'DFA', 'ANG', 'XX']
    """
    parts = path.stem.split(separator)
    if len(parts) != number:
        raise ValueError(f"the name has {len(parts)} parts at '{separator}'; expected {number}")
    return parts


def number_in(cell: str, kind: str) -> float | None:
    """The number in a cell, None if it is empty.

    Raises:
        ValueError: if there is another text

    >>> number_in("2.5", "valence"), number_in("", "valence")
    (2.5, None)
    """
    try:
        return float(cell) if cell else None
    except ValueError:
        raise ValueError(f"{kind} is '{cell}'; expected a number") from None


def known_speaker(name: str) -> str:
    """A speaker's name, "" for the words that stand for nobody.

    >>> known_speaker("Unknown"), known_speaker("31")
    ('', '31')
    """
    return "" if name.strip().lower() in _NOBODY else name


def by_key(table: Path, pairs: Iterable[tuple[str, _Value]]) -> dict[str, _Value]:
    """Facts by key, where no key has two.

    Raises:
        CorpusError: if a key has different facts
    """
    found: dict[str, _Value] = {}
    for key, facts in pairs:
        if found.setdefault(key, facts) != facts:
            raise CorpusError(
                f"{table}: '{key}' is {found[key]!r:.100} and {facts!r:.100}; expected it once. "
                "Get the file again, or remove the wrong line."
            )
    return found


def read_lines(path: Path) -> list[str]:
    """Lines of a text in UTF-8, without blanks at their ends.

    Raises:
        CorpusError: if a line is not UTF-8
    """
    lines = []
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        try:
            lines.append(line.decode().rstrip())
        except UnicodeDecodeError as error:
            raise CorpusError(
                f"{path}:{number}: byte 0x{line[error.start]:02x} is not UTF-8; expected text in "
                "UTF-8. Get the file again."
            ) from error
    return lines
