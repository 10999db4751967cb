"""Ways to split a corpus: by speaker, over folds of speakers or sessions, and as published."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from emovec.errors import SplitError
from emovec.tables.manifest import Utterance
from emovec.tables.splits import Assignment


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
    groups = speakers_by_gender(utterances, seed)
    counts = _shared_out(_at_least(sum(map(len, groups)), 3), shares)
    return _deal(utterances, groups, dict(zip(("train", "valid", "test"), counts, strict=True)))


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
    groups = speakers_by_gender(utterances, seed)
    _at_least(sum(map(len, groups)), folds)
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


def leave_one_session_out(
    utterances: Sequence[Utterance], validate: bool = True
) -> list[Assignment]:
    """Folds over sessions: each tests on one, validates on the next, trains on the rest.

    Args:
        utterances: rows of a manifest
        validate: False: the next session is trained on as well

    Raises:
        SplitError: if an utterance has no session, or there are fewer than 3
    """
    without = [u.id for u in utterances if not u.session]
    if without:
        raise SplitError(
            f"{len(without)} utterances have no session, first {without[0]}; expected one for "
            "each. Choose another protocol."
        )
    sessions = sorted({u.session for u in utterances})
    if len(sessions) < 3:
        raise SplitError(f"{len(sessions)} sessions found; expected at least 3. Choose another.")
    parts = [sessions.index(u.session) for u in utterances]
    return _rotate(utterances, parts, len(sessions), validate)


def leave_one_speaker_out(utterances: Sequence[Utterance]) -> list[Assignment]:
    """Folds over speakers: each tests on one and trains on the rest; nothing is left to validate.

    Utterances without a speaker are left out.

    Raises:
        SplitError: if there are fewer than 3 speakers
    """
    speakers = sorted({u.speaker for u in utterances if u.speaker})
    _at_least(len(speakers), 3)
    place = {speaker: part for part, speaker in enumerate(speakers)}
    parts = [place.get(u.speaker) for u in utterances]
    return _rotate(utterances, parts, len(speakers), validate=False)


def speakers_drawn(
    utterances: Sequence[Utterance], seed: int, numbers: Mapping[str, int]
) -> list[Assignment]:
    """One fold with so many speakers in each split, of either gender as in the whole.

    A copy with fewer speakers is shared out in the same proportions. Utterances without a speaker
    are left out.

    Args:
        utterances: rows of a manifest, in any order
        seed: of the draw
        numbers: split to number of speakers

    Raises:
        SplitError: if there are fewer speakers than splits
    """
    groups = speakers_by_gender(utterances, seed)
    found = sum(map(len, groups))
    if found < len(numbers):
        raise SplitError(f"{found} speakers found; expected one for each of {list(numbers)}.")
    counts = dict(zip(numbers, _shared_out(found, list(numbers.values())), strict=True))
    return _deal(utterances, groups, counts)


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


def speakers_by_gender(utterances: Iterable[Utterance], seed: int) -> list[list[str]]:
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


def _at_least(number: int, least: int) -> int:
    if least < 3:
        raise ValueError(f"folds is {least}; expected at least 3.")
    if number < least:
        raise SplitError(f"{number} speakers found; expected at least {least}. Use fewer folds.")
    return number


def _deal(
    utterances: Iterable[Utterance], groups: list[list[str]], counts: Mapping[str, int]
) -> list[Assignment]:
    """One fold with so many speakers in each split, of either gender as far as whole ones allow."""
    split_of: dict[str, str] = {}
    for split in sorted(counts, key=("test", "valid", "train").index):
        for group, number in zip(
            groups, apportion(counts[split], list(map(len, groups))), strict=True
        ):
            split_of.update((group.pop(), split) for _ in range(number))
    return [Assignment(u.id, 0, split_of[u.speaker]) for u in utterances if u.speaker]


def _shared_out(total: int, weights: Sequence[float]) -> list[int]:
    """As :func:`apportion`, but none gets nothing."""
    counts = apportion(total, weights)
    while 0 in counts:
        counts[counts.index(max(counts))] -= 1
        counts[counts.index(0)] += 1
    return counts


def apportion(total: int, weights: Sequence[float]) -> list[int]:
    """Whole numbers that add up to ``total``, by largest remainders; the first wins a tie."""
    quotas = [round(total * weight / sum(weights), 9) for weight in weights]
    counts = [math.floor(quota) for quota in quotas]
    by_remainder = sorted(range(len(quotas)), key=lambda place: counts[place] - quotas[place])
    for place in by_remainder[: total - sum(counts)]:
        counts[place] += 1
    return counts


def _rotate(
    utterances: Sequence[Utterance],
    parts: Sequence[int | None],
    folds: int,
    validate: bool = True,
) -> list[Assignment]:
    """Fold k tests on part k, validates on part k + 1 or on nothing, trains on the rest."""
    names = {0: "test", 1: "valid"} if validate else {0: "test"}
    return [
        Assignment(u.id, fold, names.get((part - fold) % folds, "train"))
        for fold in range(folds)
        for u, part in zip(utterances, parts, strict=True)
        if part is not None
    ]
