import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emovec.metrics.regression import concordance, root_mean_square_error

PAIRS = st.lists(
    st.tuples(st.floats(-100, 100, width=32), st.floats(-100, 100, width=32)), min_size=2
)


def concordance_from_correlation(predicted, target):
    """Lin's other form: Pearson's r times a bias correction from scale and location shift."""
    correlation = np.corrcoef(predicted, target)[0, 1]
    x_deviation, y_deviation = np.std(predicted), np.std(target)
    scale = x_deviation / y_deviation
    location = (np.mean(predicted) - np.mean(target)) / math.sqrt(x_deviation * y_deviation)
    return correlation * 2 / (scale + 1 / scale + location**2)


@pytest.mark.parametrize("size", [2, 3, 17, 1000])
def test_concordance_is_lin_s_product_form(size):
    random = np.random.default_rng(size)
    target = random.normal(3.0, 2.0, size)
    predicted = 0.5 * target + random.normal(size=size) - 1.0
    expected = concordance_from_correlation(predicted, target)
    assert concordance(predicted, target) == pytest.approx(expected, abs=1e-12)


def test_concordance_by_hand():
    # Lin, 1989: means 2 and 3, variances 2/3 each, covariance 2/3
    assert concordance([1, 2, 3], [2, 3, 4]) == pytest.approx((4 / 3) / (4 / 3 + 1))
    assert concordance([3, 2, 1], [1, 2, 3]) == pytest.approx(-1.0)


@given(PAIRS)
def test_concordance_is_bounded_symmetric_and_shift_free(pairs):
    predicted, target = np.array(pairs, dtype=np.float64).T
    value = concordance(predicted, target)
    assert -1 - 1e-12 <= value <= 1 + 1e-12
    assert value == pytest.approx(concordance(target, predicted), abs=1e-12)
    assert value == pytest.approx(concordance(-predicted, -target), abs=1e-12)


@given(PAIRS)
def test_concordance_of_a_varying_array_with_itself_is_one(pairs):
    values = np.array(pairs, dtype=np.float64)[:, 0]
    if values.std() > 1e-6:
        assert concordance(values, values) == pytest.approx(1.0)


@pytest.mark.parametrize("constant", [0.0, 0.1, -1e9, 1 / 3])
def test_concordance_of_constants_is_exactly_zero(constant):
    constants, varying = np.full(7, constant), np.arange(7) * 0.1
    assert concordance(constants, varying) == 0.0
    assert concordance(varying, constants) == 0.0
    assert concordance(constants, constants) == 0.0


def test_concordance_takes_single_precision_in_double():
    random = np.random.default_rng(0)
    target = (1000 + random.normal(size=500)).astype(np.float32)
    predicted = (target + random.normal(size=500)).astype(np.float32)
    expected = concordance(predicted.astype(np.float64), target.astype(np.float64))
    assert concordance(predicted, target) == expected


@given(PAIRS)
def test_root_mean_square_error_is_the_scaled_norm(pairs):
    predicted, target = np.array(pairs, dtype=np.float64).T
    expected = math.dist(predicted, target) / math.sqrt(len(target))
    assert root_mean_square_error(predicted, target) == pytest.approx(expected)


def test_root_mean_square_error_of_one_value():
    assert root_mean_square_error([2.0], [-1.0]) == 3.0


@pytest.mark.parametrize("metric", [concordance, root_mean_square_error])
@pytest.mark.parametrize(
    ("predicted", "target", "message"),
    [
        ([1.0, 2.0], [1.0, 2.0, 3.0], "expected the same"),
        ([[1.0], [2.0]], [[1.0], [2.0]], "expected the same"),
        ([[1.0], [2.0]], [1.0, 2.0], "expected the same"),
        ([], [], "expected the same"),
        ([1.0, math.nan], [1.0, 2.0], "predicted has NaN"),
        ([1.0, 2.0], [math.inf, 2.0], "target has NaN"),
    ],
)
def test_bad_arrays_are_errors(metric, predicted, target, message):
    with pytest.raises(ValueError, match=message):
        metric(predicted, target)


def test_concordance_of_one_value_is_an_error():
    with pytest.raises(ValueError, match="N >= 2"):
        concordance([1.0], [1.0])
