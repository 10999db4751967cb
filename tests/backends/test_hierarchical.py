"""One class first: against two SVMs run by hand, scikit-learn's checks, and how it is chosen."""

from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import LeaveOneGroupOut, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from emovec.backends.hierarchical import HierarchicalClassifier

CLASSES = ["anger", "happiness", "neutral", "sadness"]


def clips(number: int = 200, signal: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors, as embeddings are, in the order of no class."""
    random = np.random.default_rng(seed)
    y = random.choice(CLASSES, size=number)
    x = random.standard_normal((number, 12))
    x[:, :4] += signal * (y[:, None] == np.array(CLASSES))
    return x / np.linalg.norm(x, axis=1, keepdims=True), y


@parametrize_with_checks(
    [
        HierarchicalClassifier(),
        HierarchicalClassifier(estimator=LogisticRegression()),
        HierarchicalClassifier("best", DecisionTreeClassifier(random_state=0), inner_folds=2),
    ]
)
def test_scikit_learn_s_own_checks(estimator: BaseEstimator, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("first", CLASSES)
def test_it_is_two_svms_run_by_hand(first: str) -> None:
    x, y = clips()
    new, true = clips(seed=1)
    one = SVC(C=1000, gamma=0.1).fit(x, ["first" if name == first else "rest" for name in y])
    two = SVC(C=1000, gamma=0.1).fit(x[y != first], y[y != first])
    expected = []
    for row in new:
        said = one.predict(row[None])[0]
        expected.append(first if said == "first" else two.predict(row[None])[0])
    model = HierarchicalClassifier(first).fit(x, y)
    assert model.predict(new).tolist() == expected
    assert model.score(new, true) == np.mean(np.array(expected) == true)
    stages = model.predict_stages(new)
    assert stages.is_first.tolist() == (one.predict(new) == "first").tolist()
    assert stages.other.tolist() == two.predict(new).tolist()
    assert first not in stages.other and 0 < stages.is_first.mean() < 1
    assert model.first_ == first and model.classes_.tolist() == CLASSES


def test_stages_are_fitted_to_what_they_are_for() -> None:
    x, y = clips()
    model = HierarchicalClassifier("sadness", LogisticRegression()).fit(x, y)
    assert model.stage1_.classes_.tolist() == [False, True]
    assert model.stage2_.classes_.tolist() == CLASSES[:3]
    assert isinstance(model.stage1_, LogisticRegression)
    assert not hasattr(model.estimator, "coef_")  # what was given stays as it was


def test_any_estimator_and_any_labels() -> None:
    x, y = clips(signal=6.0)
    codes = np.array([CLASSES.index(name) * 10 for name in y])
    base = make_pipeline(StandardScaler(), LogisticRegression())
    for labels, first in ((y, "neutral"), (codes, 20), (codes.astype(float), 20.0)):
        model = HierarchicalClassifier(first, base).fit(x, labels)
        assert np.mean(model.predict(x) == labels) > 0.95
        assert model.predict(x).dtype == labels.dtype
    longer = np.where(y == "anger", "a very long name of a class", y)
    model = HierarchicalClassifier("a very long name of a class", base).fit(x, longer)
    assert set(model.predict(x)) == set(longer)


def leave_one_out_score(x: np.ndarray, y: np.ndarray, groups: np.ndarray, first: str) -> float:
    scores = cross_val_score(
        HierarchicalClassifier(first),
        x,
        y,
        groups=groups,
        cv=LeaveOneGroupOut(),
        scoring=lambda model, a, b: f1_score(b, model.predict(a), average="weighted"),
    )
    return float(scores.mean())


@pytest.mark.parametrize("seed", range(3))
def test_the_best_class_is_that_of_speakers_left_out(seed: int) -> None:
    """Four speakers, so that the inner folds are the same in any order."""
    x, y = clips(120, signal=0.8, seed=seed)
    groups = np.arange(120) % 4
    scores = [leave_one_out_score(x, y, groups, first) for first in CLASSES]
    assert len(set(scores)) > 1
    for random_state in (0, 1):
        model = HierarchicalClassifier(random_state=random_state).fit(x, y, groups=groups)
        assert model.first_ == CLASSES[int(np.argmax(scores))]


def test_no_group_is_fitted_to_and_chosen_by() -> None:
    groups = np.arange(40) % 7
    folds = HierarchicalClassifier(random_state=0)._inner_folds(np.zeros(40), groups)
    assert len(folds) == 5
    assert all(not set(groups[fitted]) & set(groups[out]) for fitted, out in folds)


def test_the_same_seed_chooses_the_same_class() -> None:
    x, y = clips(60, signal=0.0)
    found = {seed: HierarchicalClassifier(random_state=seed).fit(x, y).first_ for seed in range(8)}
    assert len(set(found.values())) > 1  # of noise, whichever the folds prefer
    for seed, first in found.items():
        assert clone(HierarchicalClassifier("best", random_state=seed)).fit(x, y).first_ == first


def test_of_two_classes_the_second_stage_has_one() -> None:
    x, y = clips()
    pair = np.isin(y, CLASSES[:2])
    x, y = x[pair], y[pair]
    plain = SVC(C=1000, gamma=0.1).fit(x, y == "anger")
    for first in ("anger", None):
        model = HierarchicalClassifier(first).fit(x, y)
        expected = np.where(plain.predict(x), "anger", "happiness")
        assert model.predict(x).tolist() == expected.tolist()
        assert set(model.predict_stages(x).other) == {"happiness"}


def test_what_cannot_be_is_refused() -> None:
    x, y = clips()
    with pytest.raises(ValueError, match=r"first is 'fear'; expected one of the classes \['anger'"):
        HierarchicalClassifier("fear").fit(x, y)
    with pytest.raises(ValueError, match="1 class found, 'anger'; expected at least 2"):
        HierarchicalClassifier("anger").fit(x[:3], ["anger"] * 3)
    with pytest.raises(ValueError, match="1 group found; expected at least 2"):
        HierarchicalClassifier().fit(x, y, groups=["s"] * len(y))
    named = HierarchicalClassifier("anger").fit(x, y, groups=["s"] * len(y))
    assert named.first_ == "anger"
    rows = np.flatnonzero(y == "anger")[:4]
    few = np.append(rows, [np.flatnonzero(y == name)[0] for name in CLASSES[1:]])
    with pytest.raises(ValueError, match="training clips of an inner fold are of 1 class"):
        HierarchicalClassifier().fit(x[few], y[few], groups=list("aaaabbb"))
