"""Manifest: one row an utterance, the table that everything else starts from."""

import csv
import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from itertools import chain, islice
from math import isfinite, nan
from operator import attrgetter
from pathlib import Path
from sys import intern
from typing import IO, Any

from emovec.errors import ManifestError
from emovec.labels import AFFECT_AXES, GENDERS
from emovec.tables.files import write_atomically


@dataclass(frozen=True, slots=True)
class Utterance:
    """A stretch of audio by one speaker, and what is known of it.

    Text is "" and numbers are None where nothing is known.

    Attributes:
        id: unique in its manifest
        path: audio file, relative to the data folder
        start: seconds from the file's beginning; None: 0
        stop: seconds from the file's beginning; None: its end
        duration: seconds
        speaker: who speaks, unique in the corpus
        gender: "female" or "male"
        session: recording session
        text: words said, or the code of the sentence
        emotion: a name of ``emovec.labels.EMOTIONS``, or the corpus' own
        intensity: share of the corpus' strongest level, in (0, 1]
        valence: on the corpus' own scale
        arousal: on the corpus' own scale
        dominance: on the corpus' own scale
        extra: further columns, kept untouched
    """

    id: str
    path: str
    start: float | None
    stop: float | None
    duration: float
    speaker: str = ""
    gender: str = ""
    session: str = ""
    text: str = ""
    emotion: str = ""
    intensity: float | None = None
    valence: float | None = None
    arousal: float | None = None
    dominance: float | None = None
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def affect(self) -> tuple[float, float, float] | None:
        """Valence, arousal, dominance on the corpus' scale; None unless all are known."""
        values = tuple(getattr(self, axis) for axis in AFFECT_AXES)
        return None if None in values else values


COLUMNS = tuple(column.name for column in fields(Utterance) if column.name != "extra")
_NUMBERS = ("start", "stop", "duration", "intensity", *AFFECT_AXES)
_NAMES = ("speaker", "gender", "session", "emotion")  # recur; each is kept in memory once
_ROWS_AT_ONCE = 1000


def read_manifest(path: Path) -> list[Utterance]:
    """Utterances of a manifest file, checked.

    Raises:
        ManifestError: if the file is missing or no table in UTF-8, a column is missing or there
            twice, a cell is no number, or a row breaks a promise of ``check_manifest``
    """
    if not path.is_file():
        raise ManifestError(f"{path}: not found; expected a manifest. Run recipes/prepare.py.")
    with path.open("rb") as file, _garbage_collector_paused():
        utterances = list(_utterances(_rows(file, path), path))
        check_manifest(utterances, str(path))
    return utterances


def write_manifest(path: Path, utterances: Iterable[Utterance]) -> None:
    """Write a manifest; what fails on the way leaves the old file as it was.

    Raises:
        ManifestError: if the utterances break a promise of ``check_manifest``, an extra column
            has the name of another, or a text has a NUL or a carriage return
        StorageError: if the file cannot be written
    """
    utterances = list(utterances)
    check_manifest(utterances, str(path))
    extra = list(dict.fromkeys(chain.from_iterable(row.extra for row in utterances)))
    _check_header([*COLUMNS, *extra], path)
    known = attrgetter(*COLUMNS)
    with write_atomically(path) as file:
        table = csv.writer(_PlainLines(file, path), lineterminator="\n")  # None gives an empty cell
        table.writerow([*COLUMNS, *extra])
        table.writerows([*known(row), *map(row.extra.get, extra)] for row in utterances)


def check_manifest(utterances: list[Utterance], where: str) -> None:
    """Raise where a row breaks a promise.

    Raises:
        ManifestError: duplicate or empty id, empty path, duration not positive, stop before
            start, blanks around an id or a speaker, or a gender that is neither female nor male
    """
    seen: set[str] = set()
    for row in utterances:
        if not row.id or row.id in seen:
            raise ManifestError(f"{where}: id '{row.id}' is empty or occurs twice; ids are unique.")
        seen.add(row.id)
        fault = _fault(row)
        if fault:
            raise ManifestError(f"{where}: {row.id}: {fault}")


def _fault(row: Utterance) -> str:
    if not row.path:
        return "path is empty; expected an audio file."
    if not row.duration > 0:
        return f"duration is {row.duration}; expected seconds above 0."
    if row.stop is not None and row.stop <= (row.start or 0.0):
        return f"stop {row.stop} is not after start {row.start}; expected seconds."
    if row.id != row.id.strip() or row.speaker != row.speaker.strip():
        return f"id is '{row.id}' and speaker '{row.speaker}'; expected no blanks around. Cut them."
    if row.gender and row.gender not in GENDERS:
        return f"gender is '{row.gender}'; expected one of {GENDERS} or an empty cell."
    return ""


def _check_header(header: list[str], path: Path) -> None:
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise ManifestError(f"{path}: columns {missing} are missing; expected {list(COLUMNS)}.")
    twice = sorted({column for column in header if header.count(column) > 1})
    if twice:
        raise ManifestError(f"{path}: columns {twice} occur twice; expected once. Rename one.")


class _PlainLines:
    """Lines of a table that can be read again: csv leaves NUL, and often CR, without quotes."""

    def __init__(self, file: IO[str], path: Path) -> None:
        self.file = file
        self.path = path

    def write(self, line: str) -> None:
        if "\0" in line or "\r" in line:
            raise ManifestError(
                f"{self.path}: {line[:80]!r} has a NUL or a carriage return; expected text "
                "without. Remove it."
            )
        self.file.write(line)


def _utterances(rows: Iterator[tuple[int, list[str]]], path: Path) -> Iterator[Utterance]:
    """Rows after the header as utterances; by column, which is faster than cell by cell."""
    _, header = next(rows, (0, []))
    _check_header(header, path)
    further = [(name, index) for index, name in enumerate(header) if name not in COLUMNS]
    while chunk := list(islice(rows, _ROWS_AT_ONCE)):
        lines, cells = zip(*chunk, strict=True)
        columns: dict[str, Sequence[Any]] = dict(zip(header, zip(*cells, strict=True), strict=True))
        for column in _NUMBERS:
            columns[column] = _numbers(column, columns[column], lines, path)
        for column in _NAMES:
            columns[column] = list(map(intern, columns[column]))
        extra = [{name: row[index] for name, index in further} for row in cells]
        yield from map(Utterance, *(columns[column] for column in COLUMNS), extra)


def _rows(file: IO[bytes], path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of the header and of each row that is not blank."""
    rows = csv.reader(_lines(file, path), strict=True)
    width = 0
    try:
        for row in filter(None, rows):
            width = width or len(row)
            if len(row) != width:
                raise ManifestError(
                    f"{path}:{rows.line_num}: the number of cells differs from the header's: "
                    f"found {len(row)}, expected {width}. Is the file whole?"
                )
            yield rows.line_num, row
    except csv.Error as error:
        raise ManifestError(
            f"{path}:{rows.line_num}: {error}; expected a table with commas. Is the file whole?"
        ) from None


def _lines(file: IO[bytes], path: Path) -> Iterator[str]:
    """Lines as text; decoded one by one, so that a fault has its line."""
    for number, line in enumerate(file, 1):
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise ManifestError(
                f"{path}:{number}: byte 0x{line[error.start]:02x} is not UTF-8; expected a table "
                "in UTF-8. Save it in that encoding."
            ) from None
        if "\0" in text:
            raise ManifestError(
                f"{path}:{number}: a NUL character; expected text. The file is damaged or no "
                "table; make it again."
            )
        yield text


def _numbers(
    column: str, cells: Sequence[str], lines: Sequence[int], path: Path
) -> list[float | None]:
    if column == "duration" and "" in cells:
        line = lines[cells.index("")]
        raise ManifestError(f"{path}:{line}: duration is empty; expected seconds.")
    if not any(cells):
        return [None] * len(cells)
    try:
        numbers = [float(cell) if cell else None for cell in cells]
    except ValueError:
        numbers = [nan]
    broken = [] if isfinite(sum(filter(None, numbers))) else list(map(_is_broken, cells))
    if True in broken:
        row = broken.index(True)
        raise ManifestError(
            f"{path}:{lines[row]}: {column} is '{cells[row]}'; expected a number or an empty cell."
        )
    return numbers


def _is_broken(cell: str) -> bool:
    try:
        return not isfinite(float(cell or 0))
    except ValueError:
        return True


@contextmanager
def _garbage_collector_paused() -> Iterator[None]:
    """No search for cycles: there are none in rows, and it visits all rows again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
