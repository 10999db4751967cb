"""A search over settings: its grid, its goals, and whom its attackers hear."""

from collections.abc import Callable

import numpy as np
import pytest

from emovec.errors import HparamError, SplitError
from emovec.privacy.search import (
    Setting,
    Training,
    best_setting,
    grid_of,
    measure_settings,
    stopping_speakers,
)
from emovec.privacy.selection import Measures
from emovec.privacy.systems import SYSTEMS
from emovec.privacy.training import TrainingOptions
from emovec.privacy.vectors import Vectors

Make = Callable[..., Vectors]


def setting(free: Measures, other: Measures) -> Setting:
    measured = {"origin": Measures(0.60, 0.10), "identity_free": free, "emotion_free": other}
    return Setting({}, measured, 0.30)


@pytest.mark.parametrize(
    ("free", "other", "shortfall"),
    [
        (Measures(0.57, 0.40), Measures(0.33, 0.14), 0.0),
        (Measures(0.60, 0.50), Measures(0.20, 0.05), 0.0),
        (Measures(0.57, 0.30), Measures(0.33, 0.14), 0.10),  # the speaker is found
        (Measures(0.50, 0.40), Measures(0.33, 0.14), 0.07),  # emotion is lost
        (Measures(0.57, 0.40), Measures(0.43, 0.14), 0.10),  # emotion is found
        (Measures(0.57, 0.40), Measures(0.33, 0.34), 0.20),  # the speaker is lost
        (Measures(0.50, 0.30), Measures(0.43, 0.34), 0.47),
    ],
)
def test_what_a_setting_lacks(free: Measures, other: Measures, shortfall: float) -> None:
    assert setting(free, other).shortfall == pytest.approx(shortfall)


def test_the_best_lacks_least_and_is_the_first_of_equals() -> None:
    good = [setting(Measures(0.57, rate), Measures(0.33, 0.14)) for rate in (0.2, 0.39, 0.39)]
    assert best_setting(good) is good[1]


def test_a_grid_is_all_combinations() -> None:
    grid = grid_of({"profile": ["linear", [1, 0]], "epochs": [1, 2], "masked_groups": [4]})
    assert grid == [
        {"profile": "linear", "epochs": 1},
        {"profile": "linear", "epochs": 2},
        {"profile": [1, 0], "epochs": 1},
        {"profile": [1, 0], "epochs": 2},
    ]


@pytest.mark.parametrize(
    "search", [{"colour": [1]}, {"epochs": 3}, {"profile": "step"}, {"epochs": []}]
)
def test_a_grid_of_what_is_not_there(search: dict) -> None:
    with pytest.raises(HparamError, match="search has"):
        grid_of(search)


def test_values_go_where_they_belong() -> None:
    training = Training(SYSTEMS["lrvae"], {"latent_size": 8}, TrainingOptions(epochs=3))
    varied = training.with_values({"epochs": 5, "profile": "step", "masked_groups": 2})
    assert varied.options == TrainingOptions(epochs=5)
    assert varied.arguments == {"latent_size": 8, "profile": "step"}
    assert varied.masked_groups == 2 and training.masked_groups is None


def test_attackers_stop_by_other_speakers_of_each_group(make_vectors: Make) -> None:
    train = make_vectors(range(12), 6)
    inner, stop = stopping_speakers(train, seed=0)
    assert not set(inner.speakers) & set(stop.speakers)
    assert len(inner) + len(stop) == len(train)
    for group in np.unique(train.groups):
        assert len(set(stop.speakers[stop.groups == group])) == 2


@pytest.mark.parametrize(
    ("speakers", "stopping"),
    [
        (range(0, 8, 2), 2),  # four of one group
        (range(0, 10, 2), 2),
        (range(0, 30, 2), 3),  # a fifth of fifteen
        ([0, 2, 4, 6, 1, 3, 5], 2),  # three of the other group stay
    ],
)
def test_attackers_learn_from_two_speakers_at_least(
    make_vectors: Make, speakers: list[int], stopping: int
) -> None:
    train = make_vectors(speakers, 6)
    inner, stop = stopping_speakers(train, seed=0)
    assert len(set(stop.speakers)) == stopping
    assert len(set(inner.speakers)) == len(speakers) - stopping


@pytest.mark.parametrize(
    "speakers",
    [
        [0, 2],
        [0, 2, 4],
        [0, 1, 2, 3, 4, 5],  # three of each group
    ],
)
def test_too_few_to_learn_from_and_to_stop_by(make_vectors: Make, speakers: list[int]) -> None:
    with pytest.raises(SplitError, match=f"train: {len(speakers)} speakers in .* group of 4"):
        stopping_speakers(make_vectors(speakers, 6), seed=0)


def test_too_few_with_several_clips(make_vectors: Make) -> None:
    train = make_vectors(range(0, 12, 2), 3)
    once = [0, 3, 6, 9]  # four speakers have one clip, two have three
    with pytest.raises(SplitError, match="3 of them with several clips"):
        stopping_speakers(train.take(np.array([*once, *range(12, 18)])), seed=0)


def test_too_few_are_found_before_a_training(make_vectors: Make) -> None:
    train, valid = make_vectors(range(3), 8), make_vectors(range(12, 18), 8)
    # would take hours
    training = Training(SYSTEMS["lrvae"], {}, TrainingOptions(epochs=10**6))
    with pytest.raises(SplitError, match="train: 3 speakers"):
        next(measure_settings(training, {}, [None], train, valid, seed=0))


def test_one_training_serves_all_maskings(make_vectors: Make) -> None:
    train, valid = make_vectors(range(12), 8), make_vectors(range(12, 18), 8)
    sizes = {"latent_size": 16, "hidden_size": 16, "branch_size": 8, "groups": 8}
    training = Training(SYSTEMS["lrvae"], sizes, TrainingOptions(epochs=2))
    found = list(
        measure_settings(training, {"profile": "step"}, [0, None, 8], train, valid, seed=0)
    )
    assert [of.values["masked_groups"] for of in found] == [0, 4, 8]
    assert len({of.measured["origin"] for of in found}) == 1
    nothing, everything = found[0], found[2]
    assert nothing.measured["identity_free"] == nothing.measured["origin"]
    assert everything.measured["emotion_free"] == Measures(everything.guessed_f1, 0.5)
