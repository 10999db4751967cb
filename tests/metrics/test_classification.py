import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from emovec.metrics.classification import (
    accuracy,
    confusion_matrix,
    macro_f1,
    unweighted_recall,
    weighted_f1,
)

METRICS = [accuracy, macro_f1, weighted_f1, unweighted_recall]
PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40)


@given(PAIRS)
def test_metrics_are_scikit_learn_s(pairs):
    predicted, target = np.array(pairs).T
    assert accuracy(predicted, target) == pytest.approx(oracle.accuracy_score(target, predicted))
    for ours, average in ((macro_f1, "macro"), (weighted_f1, "weighted")):
        expected = oracle.f1_score(target, predicted, average=average, zero_division=0)
        assert ours(predicted, target) == pytest.approx(expected)
    recalls = oracle.recall_score(
        target, predicted, labels=np.unique(target), average="macro", zero_division=0
    )
    assert unweighted_recall(predicted, target) == pytest.approx(recalls)


@given(PAIRS)
def test_confusion_matrix_is_scikit_learn_s(pairs):
    predicted, target = np.array(pairs).T
    classes = [3, 0, 4, 1, 2]
    expected = oracle.confusion_matrix(target, predicted, labels=classes)
    matrix = confusion_matrix(predicted, target, classes)
    assert matrix.tolist() == expected.tolist()
    assert matrix.dtype == np.int64


@given(PAIRS)
def test_names_of_classes_do_not_matter(pairs):
    predicted, target = np.array(pairs).T
    names = np.array(["surprise", "anger", "x", "neutral", "fear"])
    for metric in METRICS:
        expected = metric(predicted, target)
        assert metric(names[predicted], names[target]) == pytest.approx(expected)


@pytest.mark.parametrize("metric", METRICS)
def test_extremes(metric):
    assert metric([2, 0, 0], [2, 0, 0]) == 1.0
    assert metric([0, 2, 2], [2, 0, 0]) == 0.0
    assert metric([7], [7]) == 1.0
    assert metric([7], [8]) == 0.0


def test_a_class_that_is_only_said_counts_in_macro_f1():
    # class 1: F1 0; class 0: 2 * 1 / (1 + 2); class 2 never occurs
    assert macro_f1([0, 1], [0, 0]) == pytest.approx((2 / 3 + 0) / 2)
    assert unweighted_recall([0, 1], [0, 0]) == 0.5


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("predicted", "target", "message"),
    [
        ([], [], "N >= 1"),
        ([0], [0, 1], "expected the same"),
        ([[0]], [[0]], "expected the same"),
        ([0.0, np.nan], [0, 1], "expected integers or strings"),
        ([0, 1], ["0", "1"], "expected one kind"),
    ],
)
def test_bad_classes_are_errors(metric, predicted, target, message):
    with pytest.raises(ValueError, match=message):
        metric(predicted, target)


def test_confusion_matrix_refuses_unknown_and_repeated_classes():
    with pytest.raises(ValueError, match=r"classes \[5\] occur"):
        confusion_matrix([0, 5], [0, 0], [0, 1])
    with pytest.raises(ValueError, match="each once"):
        confusion_matrix([0], [0], [0, 0])
