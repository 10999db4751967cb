import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from emovec.metrics.verification import equal_error_rate, minimum_detection_cost

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


@pytest.mark.slow
@settings(max_examples=3000, deadline=None)
@given(TRIALS)
def test_thousands_of_rates_are_scikit_learn_s(trials):
    test_rate_is_the_diagonal_of_scikit_learn_s_roc.hypothesis.inner_test(trials)


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
