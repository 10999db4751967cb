"""Metrics of attackers: names, the worst of them, and counts."""

import numpy as np
import pytest

from emovec.metrics.pair_scores import PairScores
from emovec.metrics.verification import equal_error_rate
from emovec.privacy.attackers import Attacks
from emovec.privacy.trials import trials_within_groups
from emovec.privacy.vectors import Vectors
from emovec.report.privacy_measures import measure_attacks, measure_majority


@pytest.fixture
def clips() -> Vectors:
    random = np.random.default_rng(0)
    speakers = np.repeat(["a", "b", "c", "d"], 6)
    return Vectors(
        np.arange(24).astype(str),
        random.standard_normal((24, 3)),
        np.tile(["anger", "neutral", "neutral"], 8),
        speakers,
        np.where(np.isin(speakers, ["a", "b"]), "one", "two"),
    )


def attacks_on(clips: Vectors) -> Attacks:
    random = np.random.default_rng(1)
    voices = {name: random.standard_normal(5) for name in "abcd"}
    centres = np.stack([voices[name] for name in clips.speakers.tolist()])
    scores = {
        "network": PairScores((random.standard_normal((24, 5))).astype(np.float32)),
        "plda": PairScores((centres + 0.5 * random.standard_normal((24, 5))).astype(np.float32)),
    }
    said = {"network": np.full(24, "neutral"), "svm": clips.emotions}
    return Attacks(said, scores, trials_within_groups(clips, 0), clips)


def test_the_worst_is_the_attacker_that_finds_most(clips: Vectors) -> None:
    attacks = attacks_on(clips)
    found = {m.metric: m for m in measure_attacks(attacks, "identity_free", draws=30)}
    assert set(found) == {
        f"identity_free/{name}"
        for name in (
            *("weighted_f1", "weighted_f1_svm", "weighted_f1_worst"),
            *("eer", "eer_plda", "eer_worst"),
        )
    }
    values = {name.partition("/")[2]: m.value for name, m in found.items()}
    assert values["weighted_f1_svm"] == values["weighted_f1_worst"] == 1
    assert values["weighted_f1"] == pytest.approx(2 / 3 * 0.8)  # F1 of neutral: 2 * 16 / (24 + 16)
    assert values["eer_worst"] == min(values["eer"], values["eer_plda"])
    for attacker, name in (("network", "eer"), ("plda", "eer_plda")):
        first, second = np.triu_indices(24, k=1)
        same_group = clips.groups[first] == clips.groups[second]
        first, second = first[same_group], second[same_group]
        vectors = attacks.speakers[attacker].vectors
        scores = (vectors[first] * vectors[second]).sum(axis=1)
        targets = clips.speakers[first] == clips.speakers[second]
        assert values[name] == pytest.approx(equal_error_rate(scores, targets)[0], abs=1e-6)
    assert all((m.n, m.speakers) == (24, 4) and m.interval for m in found.values())


def test_without_draws_there_are_no_intervals(clips: Vectors) -> None:
    found = measure_attacks(attacks_on(clips), "origin", draws=0)
    assert all(metric.interval is None for metric in found)


def test_the_majority_is_of_training(clips: Vectors) -> None:
    train = clips.take(np.flatnonzero(clips.emotions == "anger"))
    metric = measure_majority(train, clips, draws=10)
    assert (metric.metric, metric.value) == ("majority/weighted_f1", pytest.approx(1 / 3 * 0.5))
