"""By what models are chosen, against the attackers that it stands in for."""

import numpy as np
import pytest

from emovec.metrics.classification import weighted_f1
from emovec.privacy.selection import (
    Chooser,
    Measures,
    majority_f1,
    quick_measures,
    representation_cost,
)
from emovec.privacy.systems import SYSTEMS
from emovec.privacy.trials import trials_within_groups
from emovec.privacy.vectors import Vectors

Splits = dict[str, Vectors]


def test_quick_attackers_find_what_there_is(splits: Splits) -> None:
    train, valid = splits["train"], splits["valid"]
    trials = trials_within_groups(valid, 0)
    found = quick_measures(train.features, train, valid.features, valid, trials)
    assert found.weighted_f1 > 0.9 and found.equal_error_rate < 0.1
    random = np.random.default_rng(0)
    noise = [random.normal(size=(len(of), 8)) for of in (train, valid)]
    found = quick_measures(noise[0], train, noise[1], valid, trials)
    assert found.weighted_f1 < 0.5 and found.equal_error_rate > 0.4
    zeros = [np.zeros((len(of), 8)) for of in (train, valid)]
    assert quick_measures(zeros[0], train, zeros[1], valid, trials) == (
        majority_f1(train, valid),
        0.5,
    )


def test_guessing_says_what_is_most_frequent_in_training(splits: Splits) -> None:
    train, valid = splits["train"], splits["valid"]
    names, counts = np.unique(train.emotions, return_counts=True)
    said = np.full(len(valid), names[counts.argmax()])
    assert majority_f1(train, valid) == weighted_f1(said, valid.emotions)


@pytest.mark.parametrize(
    ("name", "perfect", "worst"),
    [
        ("origin", Measures(1.0, 0.0), Measures(0.0, 1.0)),
        ("identity_free", Measures(1.0, 0.5), Measures(0.0, 0.0)),
        ("emotion_free", Measures(0.2, 0.0), Measures(1.0, 1.0)),
    ],
)
def test_costs_are_0_where_a_representation_is_as_it_should(
    name: str, perfect: Measures, worst: Measures
) -> None:
    assert representation_cost(name, perfect, 0.2) == 0
    assert representation_cost(name, worst, 0.2) > 1


def test_hiding_more_than_by_chance_is_no_gain() -> None:
    chance = representation_cost("identity_free", Measures(0.7, 0.5), 0.2)
    assert representation_cost("identity_free", Measures(0.7, 0.6), 0.2) == chance
    guessing = representation_cost("emotion_free", Measures(0.2, 0.1), 0.2)
    assert representation_cost("emotion_free", Measures(0.05, 0.1), 0.2) == guessing


def test_a_chooser_measures_each_representation(splits: Splits) -> None:
    train, valid = splits["train"], splits["valid"]
    trials = trials_within_groups(valid, 0)
    chooser = Chooser(SYSTEMS["lrvae"].representations, 4, train, valid, trials)
    measures = chooser.measure(train.features, valid.features)
    assert list(measures) == ["origin", "identity_free", "emotion_free"]
    # 24 numbers in 4 groups: half of them masked
    first = quick_measures(train.features[:, :12], train, valid.features[:, :12], valid, trials)
    assert measures["identity_free"] == pytest.approx(first, abs=1e-6)
    costs = [representation_cost(name, of, chooser.guessed_f1) for name, of in measures.items()]
    assert chooser.cost(measures) == pytest.approx(sum(costs) / 3)
