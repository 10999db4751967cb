"""Splits of a protocol made fit for an experiment: balanced in emotions, or with validation."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from emovec.errors import SplitError
from emovec.tables.manifest import Utterance
from emovec.tables.protocols import apportion, speakers_by_gender
from emovec.tables.splits import Assignment


def balanced(
    utterances: Sequence[Utterance],
    assignments: Sequence[Assignment],
    seed: int,
    most: Mapping[str, int],
) -> list[Assignment]:
    """Splits thinned out until every emotion has as many clips as the rarest.

    Args:
        utterances: rows of a manifest
        assignments: their splits
        seed: of the draw
        most: split to the largest number of clips of an emotion; others stay as they are
    """
    emotion_of = {u.id: u.emotion for u in utterances}
    groups: dict[tuple[int, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in assignments:
        if row.split in most:
            groups[row.fold, row.split][emotion_of[row.id]].append(row.id)
    kept: set[tuple[int, str]] = set()
    for (fold, split), emotions in groups.items():
        number = min(most[split], *map(len, emotions.values()))
        for emotion, ids in emotions.items():
            generator = np.random.default_rng([seed, fold, *split.encode(), *emotion.encode()])
            drawn = generator.permutation(sorted(ids))[:number].tolist()
            kept.update((fold, id_) for id_ in drawn)
    return [row for row in assignments if row.split not in most or (row.fold, row.id) in kept]


def hold_out_valid(
    utterances: Sequence[Utterance], assignments: Sequence[Assignment], seed: int
) -> list[Assignment]:
    """One fold without a validation split, given one: an eighth of its training speakers.

    Raises:
        SplitError: if it trains on fewer than 2 speakers
    """
    trained = {row.id for row in assignments if row.split == "train"}
    groups = speakers_by_gender([u for u in utterances if u.id in trained], seed)
    found = sum(map(len, groups))
    if found < 2:
        raise SplitError(
            f"{found} training speakers found; expected at least 2, to validate on one of them. "
            "Choose another protocol."
        )
    number = max(1, round(found / 8))
    counts = apportion(number, list(map(len, groups)))
    drawn = {s for group, count in zip(groups, counts, strict=True) for s in group[:count]}
    held_out = {u.id for u in utterances if u.id in trained and u.speaker in drawn}
    return [
        Assignment(row.id, row.fold, "valid" if row.id in held_out else row.split)
        for row in assignments
    ]
