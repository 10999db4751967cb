"""A search over settings: what each hides and keeps of validation speakers, and which is best.

Shapes: N clips, M of the training.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emovec.errors import HparamError, SplitError
from emovec.privacy.attackers import NETWORK, attack
from emovec.privacy.lrvae import LRVAE
from emovec.privacy.masking import masked
from emovec.privacy.selection import Measures, majority_f1
from emovec.privacy.systems import EMOTION_FREE, IDENTITY_FREE, ORIGIN, System
from emovec.privacy.training import TrainingOptions, train
from emovec.privacy.vectors import Vectors

MASKED_GROUPS = "masked_groups"
STOP_SHARE = 0.2  # of the training speakers, by whom attackers of a search stop
PAIR = 2  # the least number of speakers to tell apart
# What a setting is to reach: EER without identity at least, and weighted F1 without emotion at most
# above that of guessing; and what either may cost beside the whole latent [ours]
HIDDEN_RATE, COST_F1 = 0.40, 0.03
LEFT_F1, COST_RATE = 0.03, 0.04


@dataclass(frozen=True)
class Training:
    """A system and how it is trained and masked.

    Attributes:
        system: which
        arguments: of ``LRVAE`` beside the system's own
        options: of the training
        masked_groups: for its representations; None: half. The epoch is chosen with half of them
            masked, whatever this is
    """

    system: System
    arguments: Mapping[str, Any]
    options: TrainingOptions
    masked_groups: int | None = None

    def with_values(self, values: Mapping[str, Any]) -> "Training":
        """The training with other values of options, arguments or ``masked_groups``."""
        options = {field.name for field in fields(TrainingOptions)} & set(values)
        others = set(values) - options - {MASKED_GROUPS}
        return replace(
            self,
            options=replace(self.options, **{name: values[name] for name in options}),
            arguments={**self.arguments, **{name: values[name] for name in others}},
            masked_groups=values.get(MASKED_GROUPS, self.masked_groups),
        )


@dataclass(frozen=True)
class Setting:
    """Values of a search, and what they came to.

    Attributes:
        values: by name, ``masked_groups`` among them
        measured: by representation, of validation speakers
        guessed_f1: of the most frequent emotion
    """

    values: Mapping[str, Any]
    measured: Mapping[str, Measures]
    guessed_f1: float

    @property
    def shortfall(self) -> float:
        """What it lacks of four goals, added up; 0: it reaches all.

        An EER of 40 % without identity, at 3 points of weighted F1 at most; a weighted F1 within 3
        points of guessing without emotion, at 4 points of EER at most.
        """
        origin, free, other = (
            self.measured[name] for name in (ORIGIN, IDENTITY_FREE, EMOTION_FREE)
        )
        lacking = (
            HIDDEN_RATE - free.equal_error_rate,
            origin.weighted_f1 - COST_F1 - free.weighted_f1,
            other.weighted_f1 - self.guessed_f1 - LEFT_F1,
            other.equal_error_rate - origin.equal_error_rate - COST_RATE,
        )
        return sum(max(0.0, lack) for lack in lacking)


def grid_of(search: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """All combinations of values, without ``masked_groups``: what is to be trained.

    Args:
        search: values by name; of ``TrainingOptions``, of ``LRVAE``, and ``masked_groups``

    Raises:
        HparamError: if a name is none of these, or has no list of values

    >>> grid_of({"profile": ["linear", "step"], "masked_groups": [8, 16]})
    [{'profile': 'linear'}, {'profile': 'step'}]
    """
    known = {field.name for field in fields(TrainingOptions)}
    known |= {"profile", "released", "latent_size", "hidden_size", "branch_size", MASKED_GROUPS}
    wrong = [name for name, of in search.items() if name not in known or not _is_list(of)]
    if wrong:
        raise HparamError(
            f"search has {wrong}; expected a list of values of each of some of {sorted(known)}. "
            "Correct it."
        )
    trained = {name: values for name, values in search.items() if name != MASKED_GROUPS}
    return [dict(zip(trained, values, strict=True)) for values in product(*trained.values())]


def measure_settings(
    training: Training,
    values: Mapping[str, Any],
    counts: Sequence[int | None],
    train_split: Vectors,
    valid: Vectors,
    seed: int,
) -> Iterator[Setting]:
    """One training, and what the paper's attacker finds of validation speakers for each masking.

    The attacker learns from training speakers, stops by others of them, and never hears the
    validation speakers before, nor any test speaker at all.

    Args:
        training: what the values are of
        values: of one of :func:`grid_of`
        counts: of masked groups, of one training, whose epoch is chosen with half of them masked
        train_split: clips to learn from
        valid: clips to choose by
        seed: of training and attackers

    Raises:
        SplitError: as :func:`stopping_speakers`, before the training
    """
    inner, stop = stopping_speakers(train_split, seed)
    varied = training.with_values(values)
    trained = train(varied.system, train_split, valid, varied.options, seed, varied.arguments)
    guessed = majority_f1(train_split, valid)

    def found(keep: str, count: int | None) -> Measures:
        x = [_represented(trained.model, of, keep, count) for of in (inner, stop, valid)]
        return attack(x[0], inner, x[1], stop, x[2], valid, seed, (NETWORK,)).paper

    representations = dict(varied.system.representations)
    whole = found(representations.pop(ORIGIN), None)
    for count in counts:
        measured = {name: found(keep, count) for name, keep in representations.items()}
        masked_groups = trained.model.groups // 2 if count is None else count
        yield Setting(
            {**values, MASKED_GROUPS: masked_groups}, {ORIGIN: whole, **measured}, guessed
        )


def stopping_speakers(train_split: Vectors, seed: int) -> tuple[Vectors, Vectors]:
    """Training clips without a share of each group's speakers, and theirs.

    Args:
        train_split: clips of several speakers
        seed: of the draw

    Raises:
        SplitError: if no group has speakers enough for both
    """
    random = np.random.default_rng(seed)
    chosen: list[str] = []
    for group in np.unique(train_split.groups):
        of_group = train_split.speakers[train_split.groups == group]
        speakers, clips = np.unique(of_group, return_counts=True)
        several = random.permutation(speakers[clips > 1])
        number = max(PAIR, round(STOP_SHARE * len(speakers)))
        if len(several) > number and len(speakers) - number >= PAIR:
            chosen += several[:number].tolist()
    if not chosen:
        raise SplitError(
            f"train: {len(set(train_split.speakers.tolist()))} speakers in "
            f"{len(np.unique(train_split.groups))} groups; expected a group of {2 * PAIR} or more, "
            f"{PAIR + 1} of them with several clips, so that attackers of a search learn from some "
            "and stop by others. Add speakers, or search nothing."
        )
    stops = np.isin(train_split.speakers, chosen)
    # an emotion that nobody else shows could not be learnt
    kept = np.isin(train_split.emotions, train_split.emotions[~stops])
    return train_split.take(np.flatnonzero(~stops)), train_split.take(np.flatnonzero(stops & kept))


def best_setting(settings: Sequence[Setting]) -> Setting:
    """The one that lacks least, the first of several."""
    return min(settings, key=lambda setting: setting.shortfall)


def _represented(
    model: LRVAE, vectors: Vectors, keep: str, count: int | None
) -> NDArray[np.float32]:
    """(N, L) of the clips."""
    return masked(
        model.latent(vectors.features), keep, None if keep == "all" else count, model.groups
    )


def _is_list(values: Any) -> bool:
    return isinstance(values, Sequence) and not isinstance(values, str) and len(values) > 0
