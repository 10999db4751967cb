"""Splits: what is trained on, chosen by and tested on; and the checks that nothing leaks."""

import csv
import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emovec.errors import SplitError
from emovec.labels import AFFECT_AXES
from emovec.tables.files import write_atomically
from emovec.tables.leaks import listed, shared_audio, shared_sessions, shared_speakers
from emovec.tables.manifest import Utterance

SPLITS = ("train", "valid", "test")
_COLUMNS = ("id", "fold", "split")
_FOLD = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where an utterance belongs in one fold: the columns of a splits file."""

    id: str
    fold: int
    split: str


def read_splits(path: Path) -> list[Assignment]:
    """Assignments of a splits file.

    Raises:
        SplitError: if the file is missing or no table in UTF-8, has other columns, or a row
            cannot be
    """
    if not path.is_file():
        raise SplitError(f"{path}: not found; expected a splits file. Run recipes/prepare.py.")
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file, strict=True)
            header = next(rows, [])
            if tuple(header) != _COLUMNS:
                raise SplitError(f"{path}: columns are {header}; expected {list(_COLUMNS)}.")
            return [_assignment(row, f"{path}:{rows.line_num}") for row in rows if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise SplitError(
            f"{path}: {error}; expected a table in UTF-8 with commas. Prepare the splits again."
        ) from error


def _assignment(row: Sequence[str], where: str) -> Assignment:
    if len(row) != len(_COLUMNS) or not _FOLD.fullmatch(row[1]) or row[2] not in SPLITS:
        found = ",".join(row)
        raise SplitError(
            f"{where}: found '{found:.100}'; expected an id, a fold from 0 and one of {SPLITS}. "
            "Mend the line."
        )
    return Assignment(row[0], int(row[1]), row[2])


def write_splits(path: Path, assignments: Iterable[Assignment]) -> None:
    """Write a splits file; what fails on the way leaves the old file as it was.

    Raises:
        StorageError: if the file cannot be written
    """
    with write_atomically(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(_COLUMNS)
        table.writerows((row.id, row.fold, row.split) for row in assignments)


@dataclass(frozen=True)
class SplitCheck:
    """What is to be said of splits that could be used.

    Attributes:
        leaks: what lets a model know its test clips; only where they were allowed
        warnings: what a reader of the results should know
    """

    leaks: tuple[str, ...]
    warnings: tuple[str, ...]


def check_splits(
    utterances: Sequence[Utterance],
    assignments: Sequence[Assignment],
    may_share: Collection[str] = (),
    allow_leak: bool = False,
    needed: Collection[str] = ("train", "test"),
) -> SplitCheck:
    """Raise where splits leak or are empty.

    Checked in each fold: speaker in two splits, same audio (column ``audio_hash``) under two ids
    or overlapping parts of a file in different splits, id twice, unknown id, utterance without a
    speaker, a split that is needed and empty. A protocol need not validate. A session in two
    splits is a warning.

    Args:
        utterances: rows of the manifest
        assignments: rows of the splits file
        may_share: splits of the protocol that may share speakers with each other, which is then
            a warning. So are its utterances of unknown speakers, in whichever split: who published
            the protocol kept them, and nobody can tell whom they share
        allow_leak: tell leaks instead of raising
        needed: splits that must not be empty

    Raises:
        SplitError: which lists all that was found
    """
    known = {u.id: u for u in utterances}
    folds: dict[int, list[Assignment]] = defaultdict(list)
    for row in assignments:
        folds[row.fold].append(row)
    broken = [] if folds else ["no utterance is in a split"]
    leaks, said = [], []
    for fold, rows in sorted(folds.items()):
        members = [(known[row.id], row.split) for row in rows if row.id in known]
        broken += [f"fold {fold}: {fault}" for fault in _broken(rows, known, needed)]
        unfit, allowed = shared_speakers(members, may_share)
        leaks += [f"fold {fold}: {fault}" for fault in (*shared_audio(members), *unfit)]
        said += [f"fold {fold}: {told}" for told in (*allowed, *shared_sessions(members))]
    if broken or (leaks and not allow_leak):
        advice = "Mend the manifest, or choose another protocol"
        advice += ", or pass --allow_leak, which marks every result." if leaks else "."
        raise SplitError(f"splits: {'; '.join(broken + leaks)}; expected none of this. {advice}")
    return SplitCheck(tuple(leaks), (*said, *_left_out(utterances, assignments)))


def _left_out(utterances: Sequence[Utterance], assignments: Sequence[Assignment]) -> list[str]:
    placed = {row.id for row in assignments}
    left_out = [u for u in utterances if u.id not in placed]
    told = (
        ([u.id for u in left_out if not u.speaker], "utterances of unknown speakers in no split"),
        ([u.id for u in left_out if u.speaker], "utterances in no split"),
    )
    return [listed(ids, what) for ids, what in told if ids]


def manifest_hash(utterances: Iterable[Utterance]) -> str:
    """16 hexadecimal digits that name ids and labels, whatever their order and paths."""
    return _digest(sorted((u.id, _label(u)) for u in utterances))


def split_line(
    corpus: str,
    protocol: str,
    utterances: Sequence[Utterance],
    assignments: Sequence[Assignment],
) -> str:
    """One line that names a split: two results with the same line were taken on the same one.

    Its last word, 16 hexadecimal digits, depends on the ids, labels and folds of all rows, and
    neither on their order nor on paths, audio or names of corpus and protocol.

    Args:
        corpus: its name
        protocol: its name
        utterances: rows of the manifest, with the classes of the protocol
        assignments: their splits in all folds
    """
    label_of = {u.id: _label(u) for u in utterances}
    rows = sorted((row.id, row.fold, row.split, label_of[row.id]) for row in assignments)
    clips, folds = len({row.id for row in assignments}), len({row.fold for row in assignments})
    return f"{corpus} {protocol} {clips} clips {folds} folds {_digest(rows)}"


def _digest(rows: Sequence[Sequence[Any]]) -> str:
    return hashlib.blake2b(json.dumps(rows).encode(), digest_size=8).hexdigest()


def _label(utterance: Utterance) -> list[str | float | None]:
    """All that may be learnt of an utterance."""
    affect = [getattr(utterance, axis) for axis in AFFECT_AXES]
    return [utterance.speaker, utterance.emotion, *affect]


def _broken(
    rows: list[Assignment], known: Mapping[str, Utterance], needed: Collection[str]
) -> list[str]:
    times = Counter(row.id for row in rows)
    twice = [id_ for id_, number in times.items() if number > 1]
    unknown = [id_ for id_ in times if id_ not in known]
    filled = {row.split for row in rows}
    faults = [f"no utterance is in {split}" for split in needed if split not in filled]
    faults += [listed(twice, "ids that occur twice")] if twice else []
    return faults + ([listed(unknown, "ids unknown to the manifest")] if unknown else [])
