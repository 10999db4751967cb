"""One class against the rest first, then the others among themselves.

Shapes: N clips, D features, K classes.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GroupKFold, StratifiedKFold
from sklearn.svm import SVC
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from emovec.metrics.classification import weighted_f1

BEST = "best"


class StageDecisions(NamedTuple):
    """What either stage says of N clips, whatever the other one does.

    Attributes:
        is_first: (N,) whether stage 1 takes a clip for the first class
        other: (N,) the class that stage 2 takes it for if it is not
    """

    is_first: NDArray[np.bool_]
    other: NDArray


class HierarchicalClassifier(ClassifierMixin, BaseEstimator):
    """Stage 1 tells one class from all others, stage 2 tells the others apart.

    Stage 2 is fitted to the training clips that truly are of other classes, and asked about all
    that stage 1 does not take for the first class (Sandler & Ross, 2022, arXiv 2211.08213, with
    sadness first). Of two classes, stage 2 has nothing to tell apart.

    Args:
        first: class that stage 1 tells from the rest; None or "best": the one with the best
            weighted F1 of both stages together, on training clips left out in turn, of equal ones
            the first in order
        estimator: classifier that both stages are clones of; None: the published
            ``SVC(C=1000, gamma=0.1)``
        inner_folds: at most, to choose the first class by
        random_state: of the inner folds

    Attributes:
        classes_: (K,) in order
        first_: class that stage 1 tells from the rest
        stage1_: classifier of True, the first class, and False
        stage2_: classifier of the other classes

    >>> import numpy as np
    >>> x = np.array([[0.0, 9.0], [0.0, 0.0], [5.0, 0.0], [0.0, 8.0], [1.0, 0.0], [6.0, 0.0]])
    >>> y = ["sadness", "anger", "neutral"] * 2
    >>> model = HierarchicalClassifier("sadness").fit(x, y)
    >>> model.predict([[0, 9], [5, 0]]).tolist()
    ['sadness', 'neutral']
    >>> model.predict_stages([[0, 9], [5, 0]]).is_first.tolist()
    [True, False]
    """

    def __init__(
        self,
        first: Any = None,
        estimator: Any = None,
        *,
        inner_folds: int = 5,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.first = first
        self.estimator = estimator
        self.inner_folds = inner_folds
        self.random_state = random_state

    def fit(
        self,
        X: ArrayLike,  # noqa: N803 - as scikit-learn names it
        y: ArrayLike,
        groups: Sequence[Any] | None = None,
    ) -> "HierarchicalClassifier":
        """Fit both stages.

        Args:
            X: (N, D) finite features
            y: (N,) classes
            groups: (N,) for example speakers: no group is fitted to and chosen by; None: inner
                folds are drawn by clip

        Raises:
            ValueError: if there are fewer than two classes, ``first`` is none of them, or there
                are fewer than two groups to choose it by
        """
        x, labels = validate_data(self, X, y)
        check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"1 class found, {self.classes_.tolist()[0]!r}; expected at least 2. "
                "Add clips of another."
            )
        place = self._place(x, codes, groups)
        self.first_ = self.classes_[place]
        self.stage1_, self.stage2_ = _fit_stages(self._base(), x, labels, codes == place)
        return self

    def predict(self, X: ArrayLike) -> NDArray:  # noqa: N803
        """(N,) classes of both stages together."""
        stages = self.predict_stages(X)
        said = stages.other.astype(self.classes_.dtype)
        said[stages.is_first] = self.first_
        return said

    def predict_stages(self, X: ArrayLike) -> StageDecisions:  # noqa: N803
        """What each stage says of (N, D) features."""
        check_is_fitted(self)
        x = validate_data(self, X, reset=False)
        return StageDecisions(self.stage1_.predict(x).astype(bool), self.stage2_.predict(x))

    def _base(self) -> Any:
        return SVC(C=1000.0, gamma=0.1) if self.estimator is None else self.estimator

    def _place(self, x: NDArray, codes: NDArray, groups: Sequence[Any] | None) -> int:
        """Place of the first class among all."""
        names = self.classes_.tolist()
        if self.first is None or (isinstance(self.first, str) and self.first == BEST):
            return self._best_place(x, codes, groups) if len(names) > 2 else 0
        if self.first not in names:
            raise ValueError(
                f"first is {self.first!r}; expected one of the classes {names}, or 'best'."
            )
        return names.index(self.first)

    def _best_place(self, x: NDArray, codes: NDArray, groups: Sequence[Any] | None) -> int:
        """The class with which both stages find most on clips left out."""
        scores = np.zeros(len(self.classes_))
        for fitted, out in self._inner_folds(codes, groups):
            if len(np.unique(codes[fitted])) < 2:
                raise ValueError(
                    "training clips of an inner fold are of 1 class; expected at least 2. "
                    "Name the first class, or add clips or groups."
                )
            for place in range(len(scores)):
                stage1, stage2 = _fit_stages(
                    self._base(), x[fitted], codes[fitted], codes[fitted] == place
                )
                said = np.where(stage1.predict(x[out]), place, stage2.predict(x[out]))
                scores[place] += weighted_f1(said, codes[out])
        return int(np.argmax(scores))

    def _inner_folds(
        self, codes: NDArray, groups: Sequence[Any] | None
    ) -> list[tuple[NDArray, NDArray]]:
        """Rows to fit to, and to choose by."""
        if groups is None:
            rarest = int(np.bincount(codes).min())
            # a class of one clip is left out of one fold's fitting, as one of one speaker may be
            folds = max(2, min(self.inner_folds, rarest))
            splitter = StratifiedKFold(folds, shuffle=True, random_state=self.random_state)
            return list(splitter.split(codes, codes))
        found = len(set(np.asarray(groups).tolist()))
        if found < 2:
            raise ValueError(
                f"{found} group found; expected at least 2, to choose the first class by one left "
                "out. Name the first class, or give no groups."
            )
        by_group = GroupKFold(
            min(self.inner_folds, found), shuffle=True, random_state=self.random_state
        )
        return list(by_group.split(codes, groups=groups))


def _fit_stages(estimator: Any, x: NDArray, y: NDArray, is_first: NDArray) -> tuple[Any, Any]:
    """Both stages, fitted to clips of at least two classes."""
    return (
        _fit_one(estimator, x, is_first),
        _fit_one(estimator, x[~is_first], y[~is_first]),
    )


def _fit_one(estimator: Any, x: NDArray, y: NDArray) -> Any:
    """A clone that is fitted; where there is one class, a classifier that always says it."""
    if len(np.unique(y)) == 1:
        return DummyClassifier(strategy="most_frequent").fit(x, y)
    return clone(estimator).fit(x, y)
