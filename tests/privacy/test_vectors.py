"""Vectors and splits: what is wrong with them is told."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from emovec.errors import SplitError, TrainingError
from emovec.privacy.vectors import Vectors, check_splits, feature_scales
from emovec.tables.embeddings import EmbeddingError

Splits = dict[str, Vectors]


def checked(splits: Splits) -> list[str]:
    return check_splits(splits["train"], splits["valid"], splits["test"])


def test_sound_splits_have_nothing_to_tell(splits: Splits) -> None:
    assert checked(splits) == []
    assert check_splits(splits["train"], splits["valid"]) == []


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_speaker_of_another_split_in_training(splits: Splits, split: str) -> None:
    speakers = splits[split].speakers.copy()
    speakers[0] = "s3"
    changed = {**splits, split: replace(splits[split], speakers=speakers)}
    with pytest.raises(SplitError, match=rf"1 speakers are in train and in {split} \(s3\)"):
        checked(changed)


def test_a_speaker_of_valid_in_test(splits: Splits) -> None:
    speakers = splits["test"].speakers.copy()
    speakers[:2] = "s25"
    with pytest.raises(SplitError, match=r"in valid and in test \(s25\)"):
        checked({**splits, "test": replace(splits["test"], speakers=speakers)})


def test_one_emotion(splits: Splits) -> None:
    train = splits["train"].take(splits["train"].emotions == "anger")
    with pytest.raises(TrainingError, match="one emotion, anger"):
        checked({**splits, "train": train})


def test_one_speaker(splits: Splits) -> None:
    train = splits["train"].take(splits["train"].speakers == "s1")
    with pytest.raises(TrainingError, match="one speaker, s1"):
        checked({**splits, "train": train})


def test_one_clip_of_each_speaker(splits: Splits) -> None:
    _, first = np.unique(splits["train"].speakers, return_index=True)
    with pytest.raises(TrainingError, match="24 clips of as many speakers"):
        checked({**splits, "train": splits["train"].take(first)})


def test_an_emotion_that_training_lacks(splits: Splits) -> None:
    train = splits["train"].take(splits["train"].emotions != "anger")
    with pytest.raises(TrainingError, match=r"valid: emotions \['anger'\]"):
        checked({**splits, "train": train})


@pytest.mark.parametrize("split", ["valid", "test"])
def test_no_pairs_of_either_kind(splits: Splits, split: str) -> None:
    whole = splits[split]
    _, first = np.unique(whole.speakers, return_index=True)
    alone = whole.take(whole.speakers == whole.speakers[0])
    no_group = replace(whole, groups=np.full(len(whole), ""))
    apart = replace(whole, groups=whole.speakers)
    for changed in (whole.take(first), alone, no_group, apart):
        with pytest.raises(SplitError, match=f"{split}: .* expected a group"):
            checked({**splits, split: changed})


def test_widths_that_differ(splits: Splits) -> None:
    valid = replace(splits["valid"], features=splits["valid"].features[:, 1:])
    with pytest.raises(EmbeddingError, match="'train': 24, 'valid': 23"):
        checked({**splits, "valid": valid})


def test_constant_features_are_counted(splits: Splits) -> None:
    features = splits["train"].features.copy()
    features[:, 3], features[:, 7] = 0.0, 1234.5
    # what float32 cannot tell from rounding
    features[:, 9] = 1000 + 1e-6 * np.arange(len(features))
    train = replace(splits["train"], features=features)
    assert checked({**splits, "train": train}) == [
        "3 of 24 features are constant in training; they count as 0 everywhere"
    ]
    mean, scale = feature_scales(features)
    assert np.flatnonzero(scale == 0).tolist() == [3, 7, 9]
    expected = features.astype(np.float64).std(axis=0)
    np.testing.assert_allclose(scale[scale > 0], 1 / expected[scale > 0], rtol=1e-5)
    np.testing.assert_allclose(mean, features.mean(axis=0, dtype=np.float64), rtol=1e-5, atol=1e-6)


def test_nothing_but_constants(splits: Splits) -> None:
    train = replace(splits["train"], features=np.ones_like(splits["train"].features))
    with pytest.raises(EmbeddingError, match="all 24 features are the same"):
        checked({**splits, "train": train})


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(make_vectors: Callable[..., Vectors], value: float) -> None:
    vectors = make_vectors(range(3), 4)
    features = vectors.features.copy()
    features[2, 1] = value
    with pytest.raises(EmbeddingError, match=r"1 have NaN or infinite values \(0_2\)"):
        replace(vectors, features=features)


@pytest.mark.parametrize("name", ["emotions", "speakers"])
def test_labels_that_nobody_knows(make_vectors: Callable[..., Vectors], name: str) -> None:
    vectors = make_vectors(range(3), 4)
    labels = getattr(vectors, name).copy()
    labels[5] = ""
    with pytest.raises(EmbeddingError, match="have no emotion or no speaker"):
        replace(vectors, **{name: labels})


def test_shapes_that_differ(make_vectors: Callable[..., Vectors]) -> None:
    vectors = make_vectors(range(3), 4)
    for changes in (
        {"emotions": vectors.emotions[1:]},
        {"features": vectors.features[0]},
        {"features": vectors.features[:, :0]},
        {"groups": vectors.groups[:0]},
    ):
        with pytest.raises(EmbeddingError, match="expected"):
            replace(vectors, **changes)
    with pytest.raises(EmbeddingError, match="expected"):
        vectors.take(np.zeros(len(vectors), dtype=bool))
