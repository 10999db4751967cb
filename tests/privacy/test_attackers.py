"""Attackers on numbers that are known to tell one thing, another, or nothing."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from emovec.errors import HparamError, SplitError
from emovec.metrics.classification import weighted_f1
from emovec.metrics.pairs import all_pairs
from emovec.privacy.attacker_inputs import fit_inputs
from emovec.privacy.attackers import (
    ATTACKERS,
    EMOTION_ATTACKERS,
    SPEAKER_ATTACKERS,
    Attacks,
    attack,
)
from emovec.privacy.selection import majority_f1
from emovec.privacy.vectors import Vectors
from emovec.tables.embeddings import EmbeddingError

Splits = dict[str, Vectors]
COLUMNS = {"emotion": slice(0, 4), "speaker": slice(4, 12), "neither": slice(12, 24)}
CHEAP = ("cosine", "svm")


@pytest.fixture(scope="module")
def plain(make_vectors: Callable[..., Vectors]) -> Splits:
    """Not rotated, so that each number tells one thing."""
    parts = {"train": range(24), "valid": range(24, 32), "test": range(32, 42)}
    return {
        name: make_vectors(speakers, 16, seed=place, rotated=False)
        for place, (name, speakers) in enumerate(parts.items())
    }


def attacked(splits: Splits, columns: slice, attackers: tuple[str, ...] = ATTACKERS) -> Attacks:
    """Numbers of other columns are zero, as masking leaves them."""
    parts = []
    for split in splits.values():
        x = np.zeros_like(split.features)
        x[:, columns] = split.features[:, columns]
        parts += [x, split]
    return attack(*parts, seed=0, attackers=attackers)


@pytest.fixture(scope="module")
def attacks(plain: Splits) -> dict[str, Attacks]:
    return {name: attacked(plain, columns) for name, columns in COLUMNS.items()}


@pytest.mark.parametrize("attacker", EMOTION_ATTACKERS)
def test_emotion_is_found_where_it_is(attacks: dict[str, Attacks], attacker: str) -> None:
    assert attacks["emotion"].f1_of(attacker) > 0.9
    for other in ("speaker", "neither"):
        assert attacks[other].f1_of(attacker) < 0.45  # 1/3 by guessing


@pytest.mark.parametrize("attacker", SPEAKER_ATTACKERS)
def test_identity_is_found_where_it_is(attacks: dict[str, Attacks], attacker: str) -> None:
    assert attacks["speaker"].rate_of(attacker) < 0.12
    for other in ("emotion", "neither"):
        assert attacks[other].rate_of(attacker) > 0.44  # 1/2 by guessing


def test_measures_are_those_of_the_metrics(attacks: dict[str, Attacks], plain: Splits) -> None:
    test = plain["test"]
    found = attacks["speaker"]
    for attacker in SPEAKER_ATTACKERS:
        cell = all_pairs(found.speakers[attacker], test.speakers, test.groups, draws=0)
        assert found.rate_of(attacker) == pytest.approx(cell.eer, abs=1e-6)
    for attacker in EMOTION_ATTACKERS:
        assert found.emotions[attacker].shape == (len(test),)
        assert found.f1_of(attacker) == weighted_f1(found.emotions[attacker], test.emotions)
    rates = {name: found.rate_of(name) for name in SPEAKER_ATTACKERS}
    scores = {name: found.f1_of(name) for name in EMOTION_ATTACKERS}
    assert rates[found.worst.speaker] == min(rates.values())
    assert scores[found.worst.emotion] == max(scores.values())
    assert found.paper == (found.f1_of("network"), found.rate_of("network"))


def test_nothing_is_found_where_all_is_masked(plain: Splits) -> None:
    found = attacked(plain, slice(0, 0))
    expected = majority_f1(plain["train"], plain["test"])
    assert {found.rate_of(name) for name in SPEAKER_ATTACKERS} == {0.5}
    assert {found.f1_of(name) for name in EMOTION_ATTACKERS} == {expected}


def test_scale_hides_nothing(plain: Splits) -> None:
    """A mean of a latent may be tiny; who attacks it scales it up."""
    tiny = {
        name: replace(split, features=1 + 1e-3 * split.features) for name, split in plain.items()
    }
    found = attacked(tiny, COLUMNS["speaker"], ("network", "plda", "svm"))
    assert found.rate_of("network") < 0.15 and found.rate_of("plda") < 0.12


def test_what_a_group_has_in_common_hides_no_speaker(plain: Splits) -> None:
    """Channels that are far apart would make all cosines of a group alike."""
    there = {
        name: replace(
            split, features=split.features + 30 * (split.groups == "there")[:, None].astype("f4")
        )
        for name, split in plain.items()
    }
    assert attacked(there, COLUMNS["speaker"], CHEAP).rate_of("cosine") < 0.15


def test_attackers_learn_nothing_from_test_labels(plain: Splits) -> None:
    """Labels that would be learnt by heart, if anything saw them, change no prediction."""
    test = plain["test"]
    random = np.random.default_rng(5)
    lied = replace(
        test,
        emotions=random.permutation(test.emotions),
        speakers=np.array([f"x{name}" for name in random.permutation(test.speakers)]),
    )
    parts = [plain["train"].features, plain["train"], plain["valid"].features, plain["valid"]]
    honest = attack(*parts, test.features, test, seed=1)
    fooled = attack(*parts, test.features, lied, seed=1)
    for name in EMOTION_ATTACKERS:
        np.testing.assert_array_equal(honest.emotions[name], fooled.emotions[name])
        assert fooled.f1_of(name) < 0.5 < honest.f1_of(name)
    for name in SPEAKER_ATTACKERS:
        np.testing.assert_array_equal(honest.speakers[name].vectors, fooled.speakers[name].vectors)
        assert fooled.rate_of(name) > 0.4 > honest.rate_of(name)


def test_attackers_learn_nothing_from_test_vectors(plain: Splits) -> None:
    """What is said of some clips is the same whatever the others are."""
    test = plain["test"]
    parts = [plain["train"].features, plain["train"], plain["valid"].features, plain["valid"]]
    half = test.take(np.arange(0, len(test), 2))
    whole = attack(*parts, test.features, test, seed=1)
    some = attack(*parts, half.features, half, seed=1)
    for name in EMOTION_ATTACKERS:
        np.testing.assert_array_equal(whole.emotions[name][::2], some.emotions[name])
    for name in SPEAKER_ATTACKERS:
        np.testing.assert_allclose(
            whole.speakers[name].vectors[::2], some.speakers[name].vectors, atol=1e-5
        )


def test_a_test_speaker_in_training_is_refused(plain: Splits) -> None:
    train = plain["train"]
    speakers = train.speakers.copy()
    speakers[:16] = "s35"
    with pytest.raises(SplitError, match=r"in train and in test \(s35\)"):
        attacked({**plain, "train": replace(train, speakers=speakers)}, COLUMNS["speaker"], CHEAP)


@pytest.mark.parametrize(
    "attackers", [(), ("network", "forest"), ("svm",), ("plda", "cosine"), ("",)]
)
def test_attackers_that_are_none(plain: Splits, attackers: tuple[str, ...]) -> None:
    with pytest.raises(HparamError, match="attackers are"):
        attacked(plain, COLUMNS["speaker"], attackers)


def test_representations_that_do_not_fit(plain: Splits) -> None:
    train, valid, test = plain.values()
    broken = test.features.copy()
    broken[3, 2] = np.nan
    for x in (test.features[1:], test.features[:, 1:], broken):
        with pytest.raises(EmbeddingError, match="a representation is"):
            attack(train.features, train, valid.features, valid, x, test, 0, CHEAP)


def test_inputs_are_centred_by_groups_of_the_training() -> None:
    x = np.array([[0.0, 7, 1], [2, 7, 3], [10, 7, 5], [12, 7, 7]])
    groups = np.array(["a", "a", "b", "b"])
    inputs = fit_inputs(x, groups)
    assert inputs.size == 2
    columns = x[:, [0, 2]]
    standardised = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    np.testing.assert_allclose(inputs.standardised(x), standardised, atol=1e-6)
    means = np.stack([standardised[groups == of].mean(axis=0) for of in groups])
    np.testing.assert_allclose(inputs.centred(x, groups), standardised - means, atol=1e-6)
    # a group of no training clip is about the mean of all
    unknown = np.full(4, "c")
    np.testing.assert_allclose(inputs.centred(x, unknown), standardised, atol=1e-6)
