"""What was measured of clips, and a table of it on disk that a killed run leaves behind usable.

Each line carries the size and the time of change of its file, so that one that has changed since
is measured again.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from emovec.errors import StorageError
from emovec.tables.files import what_to_do, write_atomically

SILENCE = -200.0  # dB, the lowest level
SAVED_EVERY = 3.0  # seconds of work that a killed run loses


@dataclass(frozen=True, slots=True)
class Stretch:
    """Part of an audio file.

    Attributes:
        path: relative to the data folder
        start: seconds; None: from its beginning
        stop: seconds; None: to its end
    """

    path: str
    start: float | None = None
    stop: float | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """What decoding a clip tells.

    Attributes:
        duration: seconds
        audio_hash: 16 hexadecimal digits of its float32 samples, of one channel where all are
            equal
        sample_rate: Hz
        peak: largest absolute sample; full scale is 1
        level: root mean square in dB of full scale, at least ``SILENCE``
        clipped: share of samples at the largest value but one of 16 bits, or beyond
        missing: seconds that the file's header promises and that are not there
        fault: why it cannot be used, "" if it can
    """

    duration: float = 0.0
    audio_hash: str = ""
    sample_rate: int = 0
    peak: float = 0.0
    level: float = SILENCE
    clipped: float = 0.0
    missing: float = 0.0
    fault: str = ""


Stamp = tuple[int, int]  # size in bytes and time of change in nanoseconds
Table = dict[Stretch, tuple[Stamp, Measurement]]
_MEASURER = 2  # add one when the same file gives other facts; lines of before are then not used
_KEYS = ("measurer", "path", "start", "stop", "size", "modified")
_HEADER = [*_KEYS, *(fact.name for fact in fields(Measurement))]
_TYPES = [type(fact) for fact in astuple(Measurement())]


def stamp_of(path: Path) -> Stamp:
    """Stamp of a file as it is now, zeros if it is not there."""
    try:
        facts = path.stat()
    except OSError:
        return 0, 0  # has a fault, so that it is measured again anyway
    return facts.st_size, facts.st_mtime_ns


def open_table(path: Path) -> Table:
    """Measurements of a cache, which is made if it is not there, and mended if it is torn.

    Raises:
        StorageError: if it cannot be written
    """
    content = path.read_bytes() if path.is_file() else b""
    whole, _, torn = content.rpartition(b"\n")
    lines = csv.reader(io.StringIO(whole.decode("utf-8", "surrogateescape"), newline=""))
    table: Table = {}
    try:
        headed = next(lines, None) == _HEADER
        table.update(map(_parse, lines if headed else ()))
        sound = headed and not torn
    except (csv.Error, ValueError):  # table holds what stands above
        sound = False
    if not sound:
        write(path, table)
    return table


def _parse(line: Sequence[str]) -> tuple[Stretch, tuple[Stamp, Measurement]]:
    measurer, path, start, stop, size, modified, *cells = line
    if int(measurer) != _MEASURER:
        raise ValueError(f"measurer is {measurer}; expected {_MEASURER}")
    stretch = Stretch(path, *(float(end) if end else None for end in (start, stop)))
    facts = [type_(cell) for type_, cell in zip(_TYPES, cells, strict=True)]
    return stretch, ((int(size), int(modified)), Measurement(*facts))


def append(path: Path, table: Table) -> None:
    """Add lines to a cache that is there.

    Raises:
        StorageError: if it cannot be written
    """
    try:
        with path.open("ab") as file:
            file.write(_lines(table))
    except OSError as error:
        raise StorageError(
            f"{path}: could not be written ({error.strerror or error}). {what_to_do(error)}"
        ) from error


def write(path: Path, table: Table) -> None:
    """Write a cache anew, in place of what was there.

    Raises:
        StorageError: if it cannot be written; what was there is then as it was
    """
    with write_atomically(path, "wb") as file:
        file.write(_lines(table, [_HEADER]))


def _lines(table: Table, lines: Iterable[Sequence[object]] = ()) -> bytes:
    """Lines of a cache; names that are no UTF-8 keep their bytes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(lines)
    for stretch, (stamp, facts) in table.items():
        writer.writerow([_MEASURER, *astuple(stretch), *stamp, *astuple(facts)])
    return text.getvalue().encode("utf-8", "surrogateescape")
