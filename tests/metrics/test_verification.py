import itertools
import time

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn import metrics as oracle
from sklearn.metrics.pairwise import cosine_similarity

from emovec.metrics.verification import (
    Trials,
    all_pairs,
    equal_error_rate,
    equal_error_rate_interval,
    minimum_detection_cost,
)

# few different scores, so that most trials are tied
TRIALS = st.lists(
    st.tuples(st.integers(0, 6), st.booleans(), st.integers(0, 3)), min_size=2, max_size=30
)
BOTH = [True, False]


def arrays_of(trials):
    scores, is_target, weights = (np.array(column) for column in zip(*trials, strict=True))
    assume(weights[is_target].any() and weights[~is_target].any())
    return scores / 7, is_target, weights


def crossing_in_scikit_learn(scores, is_target, weights=None):
    false_alarms, hits, _ = oracle.roc_curve(
        is_target, scores, sample_weight=weights, drop_intermediate=False
    )
    return np.interp(0, false_alarms - (1 - hits), 1 - hits)


def rates_by_counting(scores, is_target, threshold):
    targets, impostors = scores[is_target], scores[~is_target]
    return np.mean(targets < threshold), np.mean(impostors >= threshold)


def rate_by_counting(scores, is_target):
    """Crossing of the broken line through the operating points with the diagonal, segment-wise."""
    points = [rates_by_counting(scores, is_target, t) for t in [*sorted(set(scores)), np.inf]]
    for (miss, alarm), (next_miss, next_alarm) in itertools.pairwise(points):
        if miss <= alarm and next_miss >= next_alarm:
            moved = (next_miss - miss) + (alarm - next_alarm)
            share = (alarm - miss) / moved if moved else 0.0
            return miss + share * (next_miss - miss)
    raise AssertionError("no crossing")


@given(TRIALS)
def test_rate_is_the_diagonal_of_scikit_learn_s_roc(trials):
    scores, is_target, weights = arrays_of(trials)
    for given_weights in (None, weights, weights * 0.37):
        expected = crossing_in_scikit_learn(scores, is_target, given_weights)
        rate, _ = equal_error_rate(scores, is_target, given_weights)
        assert rate == pytest.approx(expected, abs=1e-12)


def test_rate_is_scikit_learn_s_on_many_continuous_scores():
    random = np.random.default_rng(0)
    is_target = random.random(20000) < 0.1
    scores = (random.normal(size=20000) + 2 * is_target).astype(np.float32)
    weights = random.exponential(size=20000)
    for given_weights in (None, weights):
        expected = crossing_in_scikit_learn(scores, is_target, given_weights)
        assert equal_error_rate(scores, is_target, given_weights)[0] == pytest.approx(expected)
    assert equal_error_rate(scores, is_target)[0] == pytest.approx(0.1587, abs=0.02)  # Phi(-1)


@given(TRIALS)
def test_rate_and_threshold_are_those_of_counting(trials):
    scores, is_target, _ = arrays_of([(score, target, 1) for score, target, _ in trials])
    rate, threshold = equal_error_rate(scores, is_target)
    assert rate == pytest.approx(rate_by_counting(scores, is_target), abs=1e-12)
    reached = [
        score
        for score in sorted(set(scores))
        if np.subtract(*rates_by_counting(scores, is_target, score)) >= 0
    ]
    assert threshold == (reached[0] if reached else scores.max())


@given(TRIALS)
def test_weights_are_repetitions(trials):
    scores, is_target, weights = arrays_of(trials)
    repeated = np.repeat(scores, weights), np.repeat(is_target, weights)
    assert equal_error_rate(scores, is_target, weights) == equal_error_rate(*repeated)
    assert minimum_detection_cost(scores, is_target, weights=weights) == pytest.approx(
        minimum_detection_cost(*repeated)
    )


@given(TRIALS, st.randoms(use_true_random=False))
def test_order_scale_and_mirror(trials, random):
    scores, is_target, weights = arrays_of(trials)
    rate, threshold = equal_error_rate(scores, is_target, weights)
    assert 0 <= rate <= 1
    order = np.array(random.sample(range(len(scores)), len(scores)))
    assert equal_error_rate(scores[order], is_target[order], weights[order]) == (rate, threshold)
    assert equal_error_rate(4 * scores - 8, is_target, weights)[0] == rate
    mirrored, _ = equal_error_rate(-scores, ~is_target, weights)
    assert mirrored == pytest.approx(rate, abs=1e-12)


@pytest.mark.parametrize(
    ("scores", "is_target", "rate", "threshold"),
    [
        ([4, 3, 2, 1], [True, True, False, False], 0.0, 3.0),
        ([4, 3, 2, 1], [False, False, True, True], 1.0, 3.0),
        ([5, 5, 5, 5, 5], [True, False, False, True, False], 0.5, 5.0),
        ([2, 1], BOTH, 0.0, 2.0),
        ([1, 2], BOTH, 1.0, 2.0),
        ([1, 1], BOTH, 0.5, 1.0),
        # (FRR, FAR): (0, 1) at 0, (0, 1/2) at 1, (1/3, 1/2) at 2, (2/3, 0) at 3: 1/5 of the way
        ([1, 2, 3, 0, 2], [True, True, True, False, False], 1 / 3 + 1 / 3 / 5, 3.0),
    ],
)
def test_rates_by_hand(scores, is_target, rate, threshold):
    assert equal_error_rate(scores, is_target) == (pytest.approx(rate), threshold)


@given(TRIALS, st.sampled_from([0.01, 0.5, 0.9]), st.sampled_from([1.0, 10.0]))
def test_cost_is_the_least_over_all_thresholds(trials, p_target, miss_cost):
    scores, is_target, _ = arrays_of([(score, target, 1) for score, target, _ in trials])
    costs = []
    for threshold in [-np.inf, *scores, np.inf]:
        misses, false_alarms = rates_by_counting(scores, is_target, threshold)
        costs.append(miss_cost * p_target * misses + 2 * (1 - p_target) * false_alarms)
    expected = min(costs) / min(costs[0], costs[-1])  # the trivial systems: all, and none
    found = minimum_detection_cost(scores, is_target, p_target, miss_cost, 2.0)
    assert found == pytest.approx(expected)
    assert 0 <= found <= 1


def test_costs_of_perfect_and_inverted_scores():
    assert minimum_detection_cost([2, 1], BOTH) == 0
    assert minimum_detection_cost([1, 2], BOTH) == 1
    assert minimum_detection_cost([1, 1], BOTH) == 1


@pytest.mark.parametrize("metric", [equal_error_rate, minimum_detection_cost])
@pytest.mark.parametrize(
    ("scores", "is_target", "weights", "message"),
    [
        ([], [], None, "0 targets"),
        ([1.0, 2.0], [True, True], None, "0 impostors"),
        ([1.0, 2.0], [False, False], None, "0 targets"),
        ([1.0, 2.0], BOTH, [0, 1], "1 targets, all weights together 0"),
        ([1.0, 2.0], BOTH, [1, 0], "1 impostors, all weights together 0"),
        ([1.0, 2.0], BOTH, [1, -1], "weights go down to -1"),
        ([1.0, 2.0], BOTH, [1, np.nan], "weights have NaN"),
        ([np.nan, 2.0], BOTH, None, "scores have NaN"),
        ([np.inf, 2.0], BOTH, None, "scores have NaN or infinite"),
        ([1.0, 2.0], [1, 0], None, "expected booleans"),
        ([1.0, 2.0, 3.0], BOTH, None, "expected the same"),
        ([1.0, 2.0], BOTH, [1.0], "expected the same"),
        ([[1.0, 2.0]], [BOTH], None, "expected the same"),
    ],
)
def test_bad_trials_are_errors(metric, scores, is_target, weights, message):
    with pytest.raises(ValueError, match=message):
        metric(scores, is_target, weights=weights)


@pytest.mark.parametrize(
    "costs", [{"p_target": 0.0}, {"p_target": 1.0}, {"miss_cost": -1.0}, {"miss_cost": np.nan}]
)
def test_bad_costs_are_errors(costs):
    with pytest.raises(ValueError, match="positive, finite costs"):
        minimum_detection_cost([2, 1], BOTH, **costs)


@pytest.mark.parametrize("grouped", [False, True])
def test_pairs_are_all_within_their_group(grouped):
    random = np.random.default_rng(1)
    embeddings = random.normal(size=(23, 5)).astype(np.float32) * 10
    speakers = np.array([f"s{number}" for number in random.integers(6, size=23)])
    groups = np.where(np.isin(speakers, ["s0", "s3", "s4"]), "female", "male")
    trials = all_pairs(embeddings, speakers, groups if grouped else None)
    pairs = [
        (i, j)
        for i, j in itertools.combinations(range(23), 2)
        if not grouped or groups[i] == groups[j]
    ]
    names = np.unique(speakers)
    cosines = cosine_similarity(embeddings)
    assert names[trials.first].tolist() == [speakers[i] for i, _ in pairs]
    assert names[trials.second].tolist() == [speakers[j] for _, j in pairs]
    assert trials.is_target.tolist() == [bool(speakers[i] == speakers[j]) for i, j in pairs]
    assert trials.scores == pytest.approx([cosines[pair] for pair in pairs], abs=1e-6)
    assert trials.scores.dtype == np.float32


def test_cosines_keep_their_bounds_and_forget_lengths():
    vector = np.random.default_rng(0).normal(size=37)
    lengths = np.logspace(-25, 25, 40, dtype=np.float32)[:, None]  # their squares are not float32
    trials = all_pairs((vector * lengths).astype(np.float32), range(40))
    assert trials.scores.max() <= 1
    assert trials.scores == pytest.approx(1, abs=1e-6)
    assert all_pairs([[1, 2], [-1, -2]], [0, 1]).scores == pytest.approx([-1])


def test_clips_alone_in_their_groups_have_no_trials():
    trials = all_pairs(np.eye(3), ["a", "b", "c"], groups=[0, 1, 2])
    assert len(trials.scores) == 0
    assert equal_error_rate_interval(trials) is None
    with pytest.raises(ValueError, match="0 trials have 0 targets"):
        equal_error_rate(trials.scores, trials.is_target)


@pytest.mark.parametrize(
    ("embeddings", "speakers", "groups", "message"),
    [
        ([[1.0]], ["a"], None, "N >= 2"),
        (np.zeros((0, 4)), [], None, "N >= 2"),
        ([1.0, 2.0], ["a", "b"], None, r"expected \(N, E\)"),
        (np.ones((2, 0)), ["a", "b"], None, "are zero"),
        ([[1.0], [0.0]], ["a", "b"], None, r"embeddings \[1\] \(1 in all\) are zero"),
        ([[np.nan], [1.0]], ["a", "b"], None, r"embeddings \[0\]"),
        ([[1.0], [np.inf]], ["a", "b"], None, r"embeddings \[1\]"),
        ([[1.0], [1.0]], ["a"], None, r"speakers are \(1,\); expected \(2,\)"),
        ([[1.0], [1.0]], ["a", "b"], ["f"], r"groups are \(1,\); expected \(2,\)"),
        ([[1.0], [1.0]], ["a", "b"], ["f", None], "groups are object"),
        ([[1.0], [1.0]], [0.0, 1.0], None, "speakers are float64"),
    ],
)
def test_bad_clips_are_errors(embeddings, speakers, groups, message):
    with pytest.raises(ValueError, match=message):
        all_pairs(embeddings, speakers, groups)


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
    return crossing_in_scikit_learn(trials.scores[kept], is_target)


@pytest.mark.parametrize("seed", range(4))
def test_interval_is_that_of_repeated_speakers(seed):
    random = np.random.default_rng(seed)
    speakers = random.permutation(np.repeat(np.arange(5), [1, 4, 2, 3, 2]))  # the first: no target
    embeddings = (np.eye(5)[speakers] + random.normal(size=(12, 5))).round(1)
    groups = np.array([0, 0, 1, 1, 1])[speakers] if seed % 2 else None
    trials = all_pairs(embeddings, speakers, groups)
    draws, rates = np.random.default_rng(seed), []
    while len(rates) < 60:
        rate = rate_of_copies(trials, draws.integers(5, size=5))
        rates += [] if rate is None else [rate]
    expected = np.percentile(rates, [2.5, 97.5])
    assert equal_error_rate_interval(trials, 60, seed) == pytest.approx(tuple(expected))


def test_draws_without_a_class_are_drawn_again():
    # two speakers: half of all draws have one of them only, and no impostor
    trials = all_pairs([[1, 0], [0, 1], [1, 1], [1, 2]], [7, 7, 9, 9])
    rate, _ = equal_error_rate(trials.scores, trials.is_target)
    assert equal_error_rate_interval(trials, draws=50) == pytest.approx((rate, rate))


def test_numbers_of_speakers_do_not_matter_and_seeds_repeat():
    random = np.random.default_rng(2)
    speakers = np.arange(60) % 12
    trials = all_pairs(np.eye(12)[speakers] + random.normal(size=(60, 12)), speakers)
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
    assert equal_error_rate_interval(all_pairs([[1], [2], [3]], ["a", "a", "a"])) is None


def test_an_interval_of_one_class_and_of_no_draws_are_errors():
    with pytest.raises(ValueError, match="0 targets"):
        equal_error_rate_interval(all_pairs(np.eye(3), ["a", "b", "c"]))
    with pytest.raises(ValueError, match="draws is 0"):
        equal_error_rate_interval(all_pairs(np.eye(2), ["a", "b"]), draws=0)


def test_a_draw_of_a_million_trials_takes_less_than_20_ms():
    random = np.random.default_rng(0)
    trials = all_pairs(random.normal(size=(1415, 8)), random.integers(200, size=1415))
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
    return all_pairs(voices[names] + spread * random.normal(size=(len(names), 8)), names)


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
