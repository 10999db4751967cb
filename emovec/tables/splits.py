"""Splits: what is trained on, chosen by and tested on; and the checks that nothing leaks."""

import csv
import hashlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

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


def by_speaker(
    utterances: Sequence[Utterance],
    seed: int,
    train: float = 0.6,
    valid: float = 0.15,
    test: float = 0.25,
) -> list[Assignment]:
    """One fold whose splits share no speaker, each with its part of either gender.

    Speakers are counted out by largest remainders, each split gets at least one. Utterances
    without a speaker are left out.

    Args:
        utterances: rows of a manifest, in any order
        seed: of the draw
        train: share of the speakers
        valid: share of the speakers
        test: share of the speakers

    Raises:
        SplitError: if there are fewer than 3 speakers
        ValueError: if a share is not positive, or they do not add up to 1
    """
    shares = (train, valid, test)
    if min(shares) <= 0 or not math.isclose(sum(shares), 1):
        raise ValueError(f"shares are {shares}; expected three above 0 that add up to 1.")
    groups = _speakers_by_gender(utterances, seed)
    counts = _apportion(_at_least(groups, 3), shares)
    while 0 in counts:
        counts[counts.index(max(counts))] -= 1
        counts[counts.index(0)] += 1
    split_of = {}
    for split, count in (("test", counts[2]), ("valid", counts[1]), ("train", counts[0])):
        for group, number in zip(groups, _apportion(count, list(map(len, groups))), strict=True):
            split_of.update((group.pop(), split) for _ in range(number))
    return [Assignment(u.id, 0, split_of[u.speaker]) for u in utterances if u.speaker]


def folds_by_speaker(utterances: Sequence[Utterance], folds: int, seed: int) -> list[Assignment]:
    """Folds over speakers: each tests on one part, validates on the next, trains on the rest.

    Parts are balanced in clips of either gender, then in clips, as far as whole speakers allow.
    Utterances without a speaker are left out.

    Args:
        utterances: rows of a manifest, in any order
        folds: number of folds, at least 3
        seed: of the order of speakers with equally many clips

    Raises:
        SplitError: if there are fewer speakers than folds
        ValueError: if there are fewer than 3 folds
    """
    groups = _speakers_by_gender(utterances, seed)
    _at_least(groups, folds)
    clips = Counter(u.speaker for u in utterances)
    total, part_of = [0] * folds, {}
    for group in groups:
        same_gender = [0] * folds
        for speaker in sorted(group, key=lambda speaker: -clips[speaker]):
            part = min(range(folds), key=lambda part: (same_gender[part], total[part]))
            part_of[speaker] = part
            same_gender[part] += clips[speaker]
            total[part] += clips[speaker]
    return _rotate(utterances, [part_of.get(u.speaker) for u in utterances], folds)


def leave_one_session_out(utterances: Sequence[Utterance]) -> list[Assignment]:
    """Folds over sessions: each tests on one, validates on the next, trains on the rest.

    Raises:
        SplitError: if an utterance has no session, or there are fewer than 3
    """
    without = [u.id for u in utterances if not u.session]
    if without:
        raise SplitError(
            f"{_listed(without, 'utterances without a session')}; expected one for each. "
            "Choose another protocol."
        )
    sessions = sorted({u.session for u in utterances})
    if len(sessions) < 3:
        raise SplitError(f"{len(sessions)} sessions found; expected at least 3.")
    return _rotate(utterances, [sessions.index(u.session) for u in utterances], len(sessions))


def from_column(
    utterances: Sequence[Utterance], column: str, mapping: Mapping[str, str]
) -> list[Assignment]:
    """One fold that somebody published in a column of the manifest.

    Args:
        utterances: rows of a manifest
        column: further column of the manifest
        mapping: published name to split; rows with other names are left out

    Raises:
        SplitError: if no row has the column
    """
    if not any(column in u.extra for u in utterances):
        raise SplitError(f"column '{column}' not found in the manifest; expected published splits.")
    named = [(u.id, mapping.get(u.extra.get(column, ""))) for u in utterances]
    return [Assignment(id_, 0, split) for id_, split in named if split]


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
    left_out = [u.id for u in utterances if u.id not in placed]
    return sharing + ([_listed(left_out, "utterances in no split")] if left_out else [])


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


def _speakers_by_gender(utterances: Iterable[Utterance], seed: int) -> list[list[str]]:
    """Known speakers, a shuffled list for each gender."""
    gender_of: dict[str, str] = {}
    for u in utterances:
        if u.speaker:
            gender_of[u.speaker] = max(gender_of.get(u.speaker, ""), u.gender)
    groups: dict[str, list[str]] = defaultdict(list)
    for speaker, gender in sorted(gender_of.items()):
        groups[gender].append(speaker)
    generator = np.random.default_rng(seed)
    return [generator.permutation(group).tolist() for _, group in sorted(groups.items())]


def _at_least(groups: list[list[str]], least: int) -> int:
    if least < 3:
        raise ValueError(f"folds is {least}; expected at least 3.")
    number = sum(map(len, groups))
    if number < least:
        raise SplitError(f"{number} speakers found; expected at least {least}. Use fewer folds.")
    return number


def _apportion(total: int, weights: Sequence[float]) -> list[int]:
    """Whole numbers that add up to ``total``, by largest remainders; the first wins a tie."""
    quotas = [round(total * weight / sum(weights), 9) for weight in weights]
    counts = [math.floor(quota) for quota in quotas]
    by_remainder = sorted(range(len(quotas)), key=lambda place: counts[place] - quotas[place])
    for place in by_remainder[: total - sum(counts)]:
        counts[place] += 1
    return counts


def _rotate(
    utterances: Sequence[Utterance], parts: Sequence[int | None], folds: int
) -> list[Assignment]:
    """Fold k tests on part k, validates on part k + 1, trains on the rest."""
    names = {0: "test", 1: "valid"}
    return [
        Assignment(u.id, fold, names.get((part - fold) % folds, "train"))
        for fold in range(folds)
        for u, part in zip(utterances, parts, strict=True)
        if part is not None
    ]


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
