import time

import numpy as np
import pytest
from every_trial import every_trial
from scipy.stats import norm, t

from emovec.metrics.scored_trials import Trials, equal_error_rate_interval
from emovec.metrics.verification import equal_error_rate


def test_trials_that_contradict_themselves_are_errors():
    scores, numbers = np.zeros(2, np.float32), np.array([0, 1])
    with pytest.raises(ValueError, match="1 trials, the first of them 1"):
        Trials(scores, np.array([True, True]), numbers, np.array([0, 0]))
    with pytest.raises(ValueError, match="expected the same"):
        Trials(scores, np.array([True, True]), numbers, np.array([0]))


def rate_of_copies(trials, drawn):
    """Each draw of a speaker is a speaker of its own; all trials between them, written out."""
    kept = []
    for number, speaker in enumerate(drawn):
        kept += np.flatnonzero((trials.first == speaker) & (trials.second == speaker)).tolist()
        for other in drawn[number + 1 :]:
            sides = np.sort([trials.first, trials.second], axis=0)
            between = (np.sort([speaker, other]) == sides.T).all(axis=1)
            kept += np.flatnonzero(between & ~trials.is_target).tolist()
    is_target = trials.is_target[kept]
    if is_target.all() or not is_target.any():
        return None
    return equal_error_rate(trials.scores[kept], is_target)[0]


@pytest.mark.parametrize("seed", range(4))
def test_interval_is_that_of_repeated_speakers(seed):
    random = np.random.default_rng(seed)
    speakers = random.permutation(np.repeat(np.arange(5), [1, 4, 2, 3, 2]))  # the first: no target
    embeddings = (np.eye(5)[speakers] + random.normal(size=(12, 5))).round(1)
    groups = np.array([0, 0, 1, 1, 1])[speakers] if seed % 2 else None
    trials = every_trial(embeddings, speakers, groups)
    draws, rates = np.random.default_rng(seed), []
    while len(rates) < 60:
        rate = rate_of_copies(trials, draws.integers(5, size=5))
        rates += [] if rate is None else [rate]
    # percentiles where the normal distribution has t of 4 degrees of freedom, times sqrt(5 / 4)
    wide = t.ppf(0.975, 4) * np.sqrt(5 / 4)
    expected = np.quantile(rates, norm.cdf([-wide, wide]))
    assert equal_error_rate_interval(trials, 60, seed) == pytest.approx(tuple(expected))


def test_draws_without_a_class_are_drawn_again():
    # two speakers: half of all draws have one of them only, and no impostor
    trials = every_trial([[1, 0], [0, 1], [1, 1], [1, 2]], [7, 7, 9, 9])
    rate, _ = equal_error_rate(trials.scores, trials.is_target)
    assert equal_error_rate_interval(trials, draws=50) == pytest.approx((rate, rate))


def test_numbers_of_speakers_do_not_matter_and_seeds_repeat():
    random = np.random.default_rng(2)
    speakers = np.arange(60) % 12
    trials = every_trial(np.eye(12)[speakers] + random.normal(size=(60, 12)), speakers)
    found = equal_error_rate_interval(trials, draws=50, seed=5)
    far = Trials(
        trials.scores,
        trials.is_target,
        10**12 * trials.first.astype(np.int64),
        10**12 * trials.second.astype(np.int64),
    )
    assert found == equal_error_rate_interval(trials, draws=50, seed=5)
    assert found == equal_error_rate_interval(far, draws=50, seed=5)
    assert found != equal_error_rate_interval(trials, draws=50, seed=6)
    low, high = found
    assert low < equal_error_rate(trials.scores, trials.is_target)[0] < high


def test_one_speaker_has_no_interval():
    assert equal_error_rate_interval(every_trial([[1], [2], [3]], ["a", "a", "a"])) is None


def test_an_interval_of_one_class_and_of_no_draws_are_errors():
    with pytest.raises(ValueError, match="0 targets"):
        equal_error_rate_interval(every_trial(np.eye(3), ["a", "b", "c"]))
    with pytest.raises(ValueError, match="draws is 0"):
        equal_error_rate_interval(every_trial(np.eye(2), ["a", "b"]), draws=0)


def test_a_draw_of_a_million_trials_takes_less_than_20_ms():
    random = np.random.default_rng(0)
    trials = every_trial(random.normal(size=(1415, 8)), random.integers(200, size=1415))
    times = []
    for draws in (1, 11):
        start = time.process_time()
        equal_error_rate_interval(trials, draws)
        times.append(time.process_time() - start)
    assert (times[1] - times[0]) / 10 < 0.02


def simulated(speakers, random):
    """Six clips of each speaker; how much a voice varies differs from speaker to speaker."""
    names = np.arange(speakers).repeat(6)
    spread = random.uniform(0.4, 1.6, speakers)[names, None]
    voices = random.normal(size=(speakers, 8))
    return every_trial(voices[names] + spread * random.normal(size=(len(names), 8)), names)


@pytest.mark.parametrize(
    "samples", [80, pytest.param(500, marks=pytest.mark.slow)], ids=["quick", "slow"]
)
def test_coverage_of_24_speakers(samples):
    # an interval that resampled trials as if they were independent would cover about 60 %
    random = np.random.default_rng(0)
    crowd = simulated(500, random)
    truth, _ = equal_error_rate(crowd.scores, crowd.is_target)
    covered = 0
    for seed in range(samples):
        low, high = equal_error_rate_interval(simulated(24, random), draws=200, seed=seed)
        covered += low <= truth <= high
    assert 0.85 <= covered / samples <= 0.99
