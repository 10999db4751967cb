"""Trials: pairs of clips, and whether the same person speaks in both."""

import csv
import os.path
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from emovec.errors import ManifestError
from emovec.tables.files import write_atomically
from emovec.tables.leaks import listed
from emovec.tables.manifest import Utterance

_LABELS = {"1": True, "0": False}


@dataclass(frozen=True, slots=True)
class Trial:
    """One claim to verify: the columns of a file of trials.

    Attributes:
        is_target: the same person speaks in both clips
        enrolment: id of the clip that the speaker is known from
        test: id of the clip that is tried
    """

    is_target: bool
    enrolment: str
    test: str


COLUMNS = tuple(column.name for column in fields(Trial))
PAIR_COLUMNS = ("id_a", "id_b", "target", "emotion_a", "emotion_b")


def read_trials(path: Path) -> list[Trial]:
    """Trials of a file in our own form: a table of is_target (1 or 0), enrolment and test.

    Raises:
        ManifestError: if the file is missing, has other columns or no rows, or a cell cannot be
    """
    rows = _rows(path, COLUMNS, "Lists as published are read by read_published_trials.")
    return _not_empty([_trial(cells, where) for where, cells in rows], path)


def write_trials(path: Path, trials: Iterable[Trial]) -> None:
    """Write a file of trials; what fails on the way leaves the old file as it was.

    Raises:
        StorageError: if the file cannot be written
    """
    with write_atomically(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows((int(t.is_target), t.enrolment, t.test) for t in trials)


def read_published_trials(path: Path) -> list[Trial]:
    """Trials of a list in VoxCeleb's form.

    Each line is 1 (same speaker) or 0, and two paths, of which ids are made by cutting the
    suffix: ``1 id10270/x6uYqmx31kE/00001.wav id10270/8jEAjG6SegY/00008.wav``.

    Raises:
        ManifestError: if the file is missing, has no lines, or a line is not of this form
    """
    _check_file(path)
    with path.open(encoding="utf-8", errors="replace") as file:
        trials = [
            _trial([os.path.splitext(cell)[0] for cell in line.split()], f"{path}:{number}")
            for number, line in enumerate(file, start=1)
            if line.strip()
        ]
    return _not_empty(trials, path)


def read_pairs(path: Path) -> list[Trial]:
    """Trials of a table of :func:`write_pairs`.

    Raises:
        ManifestError: if the file is missing, has other columns or no rows, or a cell cannot be
    """
    trials = []
    for where, cells in _rows(path, PAIR_COLUMNS, "Mend the header."):
        known = len(cells) == len(PAIR_COLUMNS)
        one, other, target = cells[:3] if known else ("", "", "")
        trials.append(_trial((target, one, other), where))
    return _not_empty(trials, path)


def read_any_trials(path: Path) -> list[Trial]:
    """Trials of a list in any form: both of our own have a header.

    Raises:
        ManifestError: as :func:`read_trials`, :func:`read_pairs` and
            :func:`read_published_trials`
    """
    _check_file(path)
    with path.open(encoding="utf-8", errors="replace") as file:
        header = file.readline().strip()
    ours = {",".join(COLUMNS): read_trials, ",".join(PAIR_COLUMNS): read_pairs}
    return ours.get(header, read_published_trials)(path)


def write_pairs(path: Path, pairs: Iterable[tuple[Utterance, Utterance]]) -> None:
    """Write pairs of clips as a table: id_a, id_b, target (1 or 0), emotion_a, emotion_b.

    Raises:
        StorageError: if the file cannot be written; an old one is then as it was
    """
    with write_atomically(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(PAIR_COLUMNS)
        table.writerows(
            (a.id, b.id, int(a.speaker == b.speaker), a.emotion, b.emotion) for a, b in pairs
        )


def check_trials(
    trials: Sequence[Trial], utterances: Iterable[Utterance], published: int | None = None
) -> list[str]:
    """Raise where trials do not fit a manifest.

    Args:
        trials: rows of a file of trials
        utterances: rows of the manifest
        published: number of trials, where the list is an official one

    Returns:
        warnings: another number than published, a trial listed twice, a clip tried against
        itself, and labels that cannot be checked because a speaker is not known

    Raises:
        ManifestError: if an id is not in the manifest, or a label contradicts its speakers
    """
    speaker_of = {u.id: u.speaker for u in utterances}
    ids = dict.fromkeys(id_ for t in trials for id_ in (t.enrolment, t.test))
    unknown = [id_ for id_ in ids if id_ not in speaker_of]
    known = [t for t in trials if t.enrolment in speaker_of and t.test in speaker_of]
    pairs = [(t, speaker_of[t.enrolment], speaker_of[t.test]) for t in known]
    wrong = [_said(t) for t, one, other in pairs if one and other and t.is_target != (one == other)]
    faults = [listed(unknown, "ids are not in the manifest")] if unknown else []
    faults += [listed(wrong, "trials contradict the manifest's speakers")] if wrong else []
    if faults:
        raise ManifestError(
            f"trials: {'; '.join(faults)}; expected clips of the manifest and its speakers. "
            "Prepare the whole corpus, or take the list that belongs to it."
        )
    warnings = []
    if published not in (None, len(trials)):
        warnings.append(f"{len(trials)} trials found, {published} are published")
    twice = [t for t, times in Counter(trials).items() if times > 1]
    itself = [t for t in trials if t.enrolment == t.test]
    unchecked = [t for t, one, other in pairs if not (one and other)]
    told = (
        (twice, "trials are listed twice"),
        (itself, "trials are of a clip with itself"),
        (unchecked, "trials have an unknown speaker"),
    )
    return warnings + [listed(list(map(_said, found)), what) for found, what in told if found]


def _rows(path: Path, columns: Sequence[str], advice: str) -> Iterator[tuple[str, list[str]]]:
    """Place and cells of each row of a table that has exactly these columns."""
    _check_file(path)
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        table = csv.reader(file)
        header = next(table, [])
        if header != list(columns):
            raise ManifestError(f"{path}: columns are {header}; expected {list(columns)}. {advice}")
        for cells in table:
            yield f"{path}:{table.line_num}", cells


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise ManifestError(f"{path}: not found; expected a list of trials. Mend the path.")


def _not_empty(trials: list[Trial], path: Path) -> list[Trial]:
    if not trials:
        raise ManifestError(f"{path}: holds no trials; expected one a line. Get the list again.")
    return trials


def _trial(cells: Sequence[str], where: str) -> Trial:
    if len(cells) != len(COLUMNS) or cells[0] not in _LABELS or not all(cells):
        raise ManifestError(
            f"{where}: found {' '.join(cells)!r:.100}; expected 1 or 0 and two ids. Mend the line."
        )
    is_target, enrolment, test = cells
    return Trial(_LABELS[is_target], enrolment, test)


def _said(trial: Trial) -> str:
    return f"{int(trial.is_target)} {trial.enrolment} {trial.test}"
