"""Splits: what is trained on, chosen by and tested on; and the checks that nothing leaks."""

import csv
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emovec.errors import SplitError
from emovec.tables.files import write_atomically
from emovec.tables.manifest import Utterance

SPLITS = ("train", "valid", "test")
_COLUMNS = ("id", "fold", "split")
_LISTED = 10  # examples in a message


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where an utterance belongs in one fold: the columns of a splits file."""

    id: str
    fold: int
    split: str


def read_splits(path: Path) -> list[Assignment]:
    """Assignments of a splits file.

    Raises:
        SplitError: if the file is missing, has other columns, or a cell that cannot be
    """
    if not path.is_file():
        raise SplitError(f"{path}: not found; expected a splits file. Run recipes/prepare.py.")
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        if tuple(rows.fieldnames or ()) != _COLUMNS:
            raise SplitError(f"{path}: columns are {rows.fieldnames}; expected {list(_COLUMNS)}.")
        assignments = []
        for row in rows:
            fold, split = row["fold"] or "", row["split"]
            if not fold.isdecimal() or split not in SPLITS:
                raise SplitError(
                    f"{path}:{rows.line_num}: fold is '{fold}' and split '{split}'; "
                    f"expected a number from 0 and one of {SPLITS}."
                )
            assignments.append(Assignment(row["id"], int(fold), split))
    return assignments


def write_splits(path: Path, assignments: Iterable[Assignment]) -> None:
    """Write a splits file; what fails on the way leaves the old file as it was.

    Raises:
        StorageError: if the file cannot be written
    """
    with write_atomically(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(_COLUMNS)
        table.writerows((row.id, row.fold, row.split) for row in assignments)


def check_splits(
    utterances: Sequence[Utterance],
    assignments: Sequence[Assignment],
    shared_speakers_allowed: bool = False,
) -> list[str]:
    """Raise where splits leak or are empty.

    Checked in each fold: speaker in two splits, same audio (column ``audio_hash``) under two ids
    in different splits, id twice, unknown id, utterance without a speaker, empty split.

    Args:
        utterances: rows of the manifest
        assignments: rows of the splits file
        shared_speakers_allowed: the protocol's own splits may share speakers; then that, and
            unknown speakers, is a warning

    Returns:
        warnings, to be stamped on every result

    Raises:
        SplitError: which lists all that was found
    """
    known = {u.id: u for u in utterances}
    folds: dict[int, list[Assignment]] = defaultdict(list)
    for row in assignments:
        folds[row.fold].append(row)
    faults, sharing = ([] if folds else ["no utterance is in a split"]), []
    for fold, rows in sorted(folds.items()):
        members = [(known[row.id], row.split) for row in rows if row.id in known]
        faults += [f"fold {fold}: {fault}" for fault in _broken(rows, known)]
        faults += [f"fold {fold}: {fault}" for fault in _same_audio(members)]
        sharing += [f"fold {fold}: {fault}" for fault in _shared_speakers(members)]
    if not shared_speakers_allowed:
        faults += sharing
    if faults:
        raise SplitError(
            "splits: " + "; ".join(faults) + "; expected none of this. "
            "Mend the manifest or choose another protocol."
        )
    placed = {row.id for row in assignments}
    left_out = [u for u in utterances if u.id not in placed]
    unknown = [u.id for u in left_out if not u.speaker]
    others = [u.id for u in left_out if u.speaker]
    told = (
        (unknown, "utterances of unknown speakers in no split"),
        (others, "utterances in no split"),
    )
    return sharing + [_listed(ids, what) for ids, what in told if ids]


def split_hash(
    utterances: Sequence[Utterance],
    assignments: Sequence[Assignment],
    target: Callable[[Utterance], str],
) -> str:
    """16 hexadecimal digits that name ids, labels and folds, whatever their paths and order.

    Args:
        utterances: rows of the manifest
        assignments: rows of the splits file
        target: the label that is learnt
    """
    known = {u.id: u for u in utterances}
    rows = sorted((row.id, row.fold, row.split, target(known[row.id])) for row in assignments)
    return hashlib.blake2b(json.dumps(rows).encode(), digest_size=8).hexdigest()


def _broken(rows: list[Assignment], known: Mapping[str, Utterance]) -> list[str]:
    times = Counter(row.id for row in rows)
    twice = [id_ for id_, number in times.items() if number > 1]
    unknown = [id_ for id_ in times if id_ not in known]
    filled = {row.split for row in rows}
    faults = [f"no utterance is in {split}" for split in SPLITS if split not in filled]
    faults += [_listed(twice, "ids that occur twice")] if twice else []
    return faults + ([_listed(unknown, "ids unknown to the manifest")] if unknown else [])


def _shared_speakers(members: list[tuple[Utterance, str]]) -> list[str]:
    splits: dict[str, set[str]] = defaultdict(set)
    for u, split in members:
        splits[u.speaker].add(split)
    unknown = [u.id for u, _ in members if not u.speaker]
    shared = [name for name, where in sorted(splits.items()) if name and len(where) > 1]
    faults = [_listed(shared, "speakers in more than one split")] if shared else []
    return faults + ([_listed(unknown, "utterances of unknown speakers")] if unknown else [])


def _same_audio(members: list[tuple[Utterance, str]]) -> list[str]:
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for u, split in members:
        if u.extra.get("audio_hash"):
            found[u.extra["audio_hash"]].append((u.id, split))
    leaks = [
        " = ".join(f"{id_} ({split})" for id_, split in sorted(places))
        for places in found.values()
        if len({split for _, split in places}) > 1
    ]
    return [_listed(leaks, "same audio in more than one split")] if leaks else []


def _listed(items: Sequence[str], what: str) -> str:
    """Their number, and the first few of them."""
    more = f" and {len(items) - _LISTED} more" if len(items) > _LISTED else ""
    return f"{len(items)} {what} ({', '.join(items[:_LISTED])}{more})"
