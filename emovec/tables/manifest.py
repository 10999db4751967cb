"""Manifest: one row an utterance, the table that everything else starts from."""

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

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


def read_manifest(path: Path) -> list[Utterance]:
    """Utterances of a manifest file, checked.

    Raises:
        ManifestError: if the file is missing, a column is, a cell is no number, or a row breaks
            a promise of ``check_manifest``
    """
    if not path.is_file():
        raise ManifestError(f"{path}: not found; expected a manifest. Run recipes/prepare.py.")
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        missing = [column for column in COLUMNS if column not in (rows.fieldnames or ())]
        if missing:
            raise ManifestError(f"{path}: columns {missing} are missing; expected {list(COLUMNS)}.")
        utterances = [_utterance(row, f"{path}:{rows.line_num}") for row in rows]
    check_manifest(utterances, str(path))
    return utterances


def write_manifest(path: Path, utterances: Iterable[Utterance]) -> None:
    """Write a manifest; what fails on the way leaves the old file as it was.

    Raises:
        ManifestError: if the utterances break a promise of ``check_manifest``
        StorageError: if the file cannot be written
    """
    utterances = list(utterances)
    check_manifest(utterances, str(path))
    extra = list(dict.fromkeys(column for row in utterances for column in row.extra))
    with write_atomically(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow([*COLUMNS, *extra])
        for row in utterances:
            known = [_cell(getattr(row, column)) for column in COLUMNS]
            table.writerow(known + [row.extra.get(column, "") for column in extra])


def check_manifest(utterances: list[Utterance], where: str) -> None:
    """Raise where a row breaks a promise.

    Raises:
        ManifestError: duplicate or empty id, empty path, duration not positive, stop before
            start, or a gender that is neither female nor male
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
    if row.gender and row.gender not in GENDERS:
        return f"gender is '{row.gender}'; expected one of {GENDERS} or an empty cell."
    return ""


def _utterance(row: dict[str, str], where: str) -> Utterance:
    if None in row or None in row.values():
        raise ManifestError(f"{where}: the number of cells differs from the header's.")
    values: dict[str, Any] = {column: row[column] for column in COLUMNS}
    for column in _NUMBERS:
        values[column] = _number(values[column], where, column)
    if values["duration"] is None:
        raise ManifestError(f"{where}: duration is empty; expected seconds.")
    extra = {column: cell for column, cell in row.items() if column not in COLUMNS}
    return Utterance(**values, extra=extra)


def _number(cell: str, where: str, column: str) -> float | None:
    if cell == "":
        return None
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ManifestError(f"{where}: {column} is '{cell}'; expected a number or an empty cell.")
    return number


def _cell(value: str | float | None) -> str:
    return "" if value is None else str(value)
