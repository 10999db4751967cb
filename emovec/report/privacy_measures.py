"""What attackers find in a representation, as metrics with intervals over test speakers.

Shapes: N test clips.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emovec.backends.probe import majority
from emovec.metrics.classification import weighted_f1
from emovec.metrics.intervals import speaker_intervals
from emovec.metrics.pairs import all_pairs
from emovec.privacy.attackers import NETWORK, Attacks
from emovec.privacy.vectors import Vectors
from emovec.tables.results import Metric

WEIGHTED_F1, EER, WORST = "weighted_f1", "eer", "worst"
MAJORITY = "majority/weighted_f1"


def measure_attacks(attacks: Attacks, prefix: str, draws: int) -> list[Metric]:
    """Weighted F1 and EER of each attacker, and of the worst for us.

    The paper's attacker is "<prefix>/weighted_f1" and "<prefix>/eer"; others, and the worst, have
    their name behind.

    Args:
        attacks: of a representation
        prefix: name of it
        draws: resamples of speakers, the same of all systems and seeds; 0: no intervals
    """
    test = attacks.test
    f1 = _f1(attacks.emotions, test, draws)
    rates = {}
    for attacker, scores in attacks.speakers.items():
        pairs = all_pairs(scores, test.speakers, test.groups, draws=draws)
        rate = float(pairs.eer)  # type: ignore[arg-type]  # without one, all_pairs raises
        rates[attacker] = Metric("", rate, pairs.clips, pairs.speakers, pairs.interval)
    worst = {
        WEIGHTED_F1: max(f1.values(), key=lambda metric: metric.value),
        EER: min(rates.values(), key=lambda metric: metric.value),
    }
    return [
        _named(metric, f"{prefix}/{measure}{'' if attacker == NETWORK else f'_{attacker}'}")
        for measure, found in ((WEIGHTED_F1, f1), (EER, rates))
        for attacker, metric in {**found, WORST: worst[measure]}.items()
    ]


def measure_majority(train: Vectors, test: Vectors, draws: int) -> Metric:
    """Weighted F1 of saying the most frequent emotion of the training for every clip."""
    said = np.full(len(test), majority(train.emotions.tolist()))
    return _named(_f1({"": said}, test, draws)[""], MAJORITY)


def _f1(said: Mapping[str, NDArray[np.str_]], test: Vectors, draws: int) -> dict[str, Metric]:
    """Weighted F1 by attacker, all from the same resamples."""
    classes = np.unique(np.concatenate([test.emotions, *said.values()]))
    true = np.searchsorted(classes, test.emotions)
    numbers = {attacker: np.searchsorted(classes, of) for attacker, of in said.items()}

    def statistics(rows: Any) -> dict[str, float]:
        return {attacker: weighted_f1(of[rows], true[rows]) for attacker, of in numbers.items()}

    intervals = dict.fromkeys(numbers)
    if draws:
        intervals = speaker_intervals(statistics, test.speakers.tolist(), draws)
    speakers = len(np.unique(test.speakers))
    return {
        attacker: Metric("", value, len(test), speakers, intervals[attacker])
        for attacker, value in statistics(np.arange(len(test))).items()
    }


def _named(metric: Metric, name: str) -> Metric:
    return Metric(name, metric.value, metric.n, metric.speakers, metric.interval)
