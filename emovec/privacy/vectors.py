"""Vectors of clips with what they are to show and to hide, in splits that share no speaker.

Shapes: N clips, D features.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emovec.errors import SplitError, TrainingError
from emovec.tables.embeddings import EmbeddingError
from emovec.tables.leaks import listed

# A spread that is no more than this share of a column's size is rounding of float32
ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class Vectors:
    """Features of clips, and what is known of each.

    Attributes:
        ids: (N,) of the clips
        features: (N, D) float32, finite
        emotions: (N,) known
        speakers: (N,) known
        groups: (N,) corpus, or corpus and gender: only clips of one group are compared, as language
            and channel would give a speaker away; "" is in no comparison

    Raises:
        EmbeddingError: if the shapes differ, there are no clips, or one has NaN, or no emotion or
            speaker
    """

    ids: NDArray[np.str_]
    features: NDArray[np.float32]
    emotions: NDArray[np.str_]
    speakers: NDArray[np.str_]
    groups: NDArray[np.str_]

    def __post_init__(self) -> None:
        for name in ("ids", "emotions", "speakers", "groups"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=str))
        object.__setattr__(self, "features", np.asarray(self.features, dtype=np.float32))
        labels = (self.ids, self.emotions, self.speakers, self.groups)
        shape = self.features.shape
        if len(shape) != 2 or 0 in shape or any(of.shape != shape[:1] for of in labels):
            raise EmbeddingError(
                f"vectors: features {shape}, with {[len(of) for of in labels]} ids, emotions, "
                "speakers and groups; expected (N, D), and N of each. Give as many."
            )
        broken = self.ids[~np.isfinite(self.features).all(axis=1)].tolist()
        if broken:
            raise EmbeddingError(
                f"vectors: {listed(broken, 'have NaN or infinite values')}; expected finite ones. "
                "Leave these clips out."
            )
        unknown = self.ids[(self.emotions == "") | (self.speakers == "")].tolist()
        if unknown:
            raise EmbeddingError(
                f"vectors: {listed(unknown, 'have no emotion or no speaker')}; expected both. "
                "Leave these clips out."
            )

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: NDArray) -> "Vectors":
        """Some of the clips, by number or by a mask."""
        return Vectors(
            self.ids[rows],
            self.features[rows],
            self.emotions[rows],
            self.speakers[rows],
            self.groups[rows],
        )


def check_splits(train: Vectors, valid: Vectors, test: Vectors | None = None) -> list[str]:
    """What is to be told of splits that can be trained on, chosen by and tested on.

    Returns:
        warnings: features that are constant in training, which say nothing

    Raises:
        EmbeddingError: if the splits differ in width, or all training features are constant
        SplitError: if two splits share a speaker, or one has no pairs of one or of two speakers
        TrainingError: if training has one emotion, one speaker or one clip of each, or another
            split has an emotion that it lacks
    """
    splits = {"train": train, "valid": valid} | ({} if test is None else {"test": test})
    widths = {name: of.features.shape[1] for name, of in splits.items()}
    if len(set(widths.values())) > 1:
        raise EmbeddingError(
            f"vectors: {widths} features; expected as many in each split. Were they made alike?"
        )
    _check_speakers(splits)
    _check_training(train)
    for name, split in list(splits.items())[1:]:
        unknown = sorted(set(split.emotions.tolist()) - set(train.emotions.tolist()))
        if unknown:
            raise TrainingError(
                f"{name}: emotions {unknown}, of which training has none; expected only "
                f"{sorted(set(train.emotions.tolist()))}. Leave their clips out."
            )
        _check_pairs(name, split)
    constant = int((feature_scales(train.features)[1] == 0).sum())
    if constant == widths["train"]:
        raise EmbeddingError(
            f"vectors: all {constant} features are the same in all training clips; expected some "
            "that vary. See what made them."
        )
    return constant_note(constant, widths["train"])


def constant_note(constant: int, width: int) -> list[str]:
    """What is to be told of constant features, if there are any.

    >>> constant_note(2, 88)
    ['2 of 88 features are constant in training; they count as 0 everywhere']
    """
    if not constant:
        return []
    verb = "feature is" if constant == 1 else "features are"
    return [f"{constant} of {width} {verb} constant in training; they count as 0 everywhere"]


def feature_scales(features: NDArray) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    r"""Mean of each feature, and :math:`1 / \sigma` of it, 0 where it is constant.

    Functionals of openSMILE have constant columns in practice; what varies by rounding only, below
    1e-6 of its size, is one.

    Args:
        features: (N, D) of the training clips

    Returns:
        (D,) and (D,)

    >>> mean, scale = feature_scales(np.array([[1.0, 7.0], [3.0, 7.0]]))
    >>> mean.tolist(), scale.tolist()
    ([2.0, 7.0], [1.0, 0.0])
    """
    x = np.asarray(features, dtype=np.float64)
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    varies = deviation > ROUNDING * np.abs(x).max(axis=0)
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=varies)
    return mean.astype(np.float32), scale.astype(np.float32)


def _check_speakers(splits: dict[str, Vectors]) -> None:
    names = list(splits)
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            shared = set(splits[one].speakers.tolist()) & set(splits[other].speakers.tolist())
            if shared:
                raise SplitError(
                    f"{listed(sorted(shared), f'speakers are in {one} and in {other}')}; expected "
                    "each speaker in one split. Take a protocol that keeps speakers apart."
                )


def _check_training(train: Vectors) -> None:
    for name, values in (("emotion", train.emotions), ("speaker", train.speakers)):
        found = sorted(set(values.tolist()))
        if len(found) < 2:
            raise TrainingError(
                f"train: one {name}, {found[0]}, in {len(train)} clips; expected 2 or more, to "
                f"tell apart. Take clips of another {name} in."
            )
    if len(set(train.speakers.tolist())) == len(train):
        raise TrainingError(
            f"train: {len(train)} clips of as many speakers; expected 2 clips of some speakers, to "
            "learn how a voice varies. Take more clips."
        )


def _check_pairs(name: str, split: Vectors) -> None:
    """Raise where no two clips of one speaker, or of two, are in one group."""
    known = split.groups != ""
    people = np.unique(np.stack([split.groups[known], split.speakers[known]]), axis=1)  # (2, S)
    groups = people[0]
    if len(groups) == known.sum() or len(np.unique(groups)) == len(groups):
        raise SplitError(
            f"{name}: {len(split)} clips of {len(set(split.speakers.tolist()))} speakers in "
            f"{len(np.unique(groups))} groups; expected a group with two clips of one speaker, and "
            "one with two speakers. Take more clips or speakers, or larger groups."
        )


def numbered(names: NDArray[np.str_], classes: Sequence[str]) -> NDArray[np.int64]:
    """(N,) place of each name among the classes.

    >>> numbered(np.array(["b", "a", "b"]), ["a", "b"]).tolist()
    [1, 0, 1]
    """
    place_of = {name: place for place, name in enumerate(classes)}
    return np.array([place_of[name] for name in names.tolist()], dtype=np.int64)
