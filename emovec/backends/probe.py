"""Probe: what a simple classifier finds in frozen embeddings, over folds of speakers.

Shapes: N clips, D features, K classes.
"""

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from emovec.errors import HparamError, TrainingError
from emovec.metrics.classification import weighted_f1

CLASSIFIERS = ("logistic_regression", "linear_svm", "rbf_svm")
CLASS_WEIGHTS = (None, "balanced")
INNER_FOLDS = 5
MOST_ITERATIONS = 5000


@dataclass(frozen=True)
class FittedProbe:
    """A classifier of embeddings.

    Attributes:
        pipeline: scaling and classifier, of scikit-learn
        c: strength of the data against the penalty that was chosen
        inner_f1: by C, weighted F1 on training speakers left out, mean of the inner folds; empty
            where there was nothing to choose
        warnings: what a reader of its results must know
    """

    pipeline: Pipeline
    c: float
    inner_f1: Mapping[float, float]
    warnings: tuple[str, ...]

    def predict(self, features: NDArray[np.floating]) -> list[str]:
        """The most likely class of each of N clips, from (N, D)."""
        return self.pipeline.predict(np.asarray(features, dtype=np.float64)).tolist()

    def probability(self, features: NDArray[np.floating]) -> list[float] | None:
        """Probability of the most likely class of each of N clips; None of a machine without."""
        if not hasattr(self.pipeline, "predict_proba"):
            return None
        table = self.pipeline.predict_proba(np.asarray(features, dtype=np.float64))  # (N, K)
        return table.max(axis=1).tolist()


@dataclass(frozen=True)
class Probe:
    """Standardised embeddings, and a linear or a radial classifier of them.

    C is chosen by weighted F1 on training speakers left out in turn; of equal ones the smallest.

    Args:
        classifier: "logistic_regression", "linear_svm" or "rbf_svm" (gamma: 1 / (D variance))
        c_values: to choose from; a single one is taken as it is
        class_weight: "balanced" weighs each clip by the rarity of its class; None: all alike
        seed: of the inner folds and of solvers that draw

    Raises:
        HparamError: if a name is unknown, or a C is missing or not above 0
    """

    classifier: str
    c_values: Sequence[float]
    class_weight: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.classifier not in CLASSIFIERS:
            raise HparamError(
                f"classifier is '{self.classifier}'; expected one of {CLASSIFIERS}. Correct it."
            )
        if self.class_weight not in CLASS_WEIGHTS:
            raise HparamError(
                f"class_weight is '{self.class_weight}'; expected 'balanced' or null. Correct it."
            )
        if not self.c_values or not all(0 < c < np.inf for c in self.c_values):
            raise HparamError(
                f"c_values are {list(self.c_values)}; expected numbers above 0. Correct them."
            )

    def fit(
        self,
        features: NDArray[np.floating],
        emotions: Sequence[str],
        speakers: Sequence[str],
        classes: Sequence[str],
    ) -> FittedProbe:
        """Fit to the training clips of a fold; it sees no others.

        Args:
            features: (N, D), finite
            emotions: (N,) what each clip is
            speakers: (N,) who speaks; unknown speakers, "", are taken for one
            classes: all that are to be told apart

        Raises:
            TrainingError: if a class has no clip, or there are several values of C and no speaker
                can be left out to choose by
            ValueError: if the lengths differ or a feature is not finite
        """
        features = np.asarray(features, dtype=np.float64)
        _check(features, emotions, speakers)
        missing = sorted(set(classes) - set(emotions))
        if missing or len(set(emotions)) < 2:
            raise TrainingError(
                f"{len(emotions)} training clips of {sorted(set(emotions))}, none of {missing}; "
                f"expected some of each of {len(classes)} classes, and at least 2 classes. "
                "Drop what is missing (drop_emotions), or choose another protocol."
            )
        target = np.array(emotions)
        values = sorted(set(self.c_values))
        pipeline = make_pipeline(StandardScaler(), self._estimator(values[0]))
        notes: list[str] = []
        with _convergence_noted() as unconverged:
            if len(values) == 1:
                pipeline.fit(features, target)
                chosen, inner_f1, fits = values[0], {}, 1
            else:
                folds, notes = _inner_folds(target, np.array(speakers), self.seed)
                search = self._search(pipeline, values, folds).fit(features, target)
                pipeline, chosen = search.best_estimator_, values[search.best_index_]
                means = search.cv_results_["mean_test_score"].tolist()
                inner_f1, fits = dict(zip(values, means, strict=True)), len(values) * len(folds) + 1
        if unconverged:
            notes.append(
                f"{len(unconverged)} of {fits} fits of {self.classifier} had not converged after "
                f"{MOST_ITERATIONS} iterations"
            )
        return FittedProbe(pipeline, chosen, inner_f1, tuple(notes))

    def _estimator(self, c: float) -> Any:
        options: dict[str, Any] = {"C": c, "class_weight": self.class_weight}
        if self.classifier == "logistic_regression":
            return LogisticRegression(max_iter=MOST_ITERATIONS, **options)
        if self.classifier == "linear_svm":
            return LinearSVC(max_iter=MOST_ITERATIONS, random_state=self.seed, **options)
        return SVC(kernel="rbf", gamma="scale", **options)

    def _search(self, pipeline: Pipeline, values: list[float], folds: list) -> GridSearchCV:
        return GridSearchCV(
            pipeline,
            {f"{pipeline.steps[-1][0]}__C": values},
            scoring=lambda model, x, y: weighted_f1(model.predict(x), y),
            cv=folds,
            error_score="raise",
        )


def majority(emotions: Sequence[str]) -> str:
    """The most frequent class, the first in the alphabet of several.

    >>> majority(["sadness", "anger", "sadness", "anger", "fear"])
    'anger'
    """
    counts = Counter(emotions)
    return min(counts, key=lambda name: (-counts[name], name))


def _inner_folds(
    emotions: NDArray, speakers: NDArray, seed: int
) -> tuple[list[tuple[NDArray, NDArray]], list[str]]:
    """Rows to fit and to choose by, no speaker in both; and what is to be said of them."""
    found = len(set(speakers.tolist()))
    if found < 2:
        raise TrainingError(
            f"{found} training speaker found; expected at least 2, to choose C by one left out. "
            "Choose another protocol, or give one value in c_values."
        )
    splitter = GroupKFold(min(INNER_FOLDS, found), shuffle=True, random_state=seed)
    folds = list(splitter.split(emotions, groups=speakers))
    classes, notes = set(emotions.tolist()), []
    for number, (fitted, _) in enumerate(folds):
        missing = sorted(classes - set(emotions[fitted].tolist()))
        if len(classes) - len(missing) < 2:
            raise TrainingError(
                f"without the speakers of inner fold {number}, training clips are all "
                f"{emotions[fitted[0]]}; expected at least 2 classes, to choose C. "
                "Add speakers, or give one value in c_values."
            )
        if missing:
            notes.append(f"C was chosen, in inner fold {number}, without clips of {missing}")
    return folds, notes


def _check(features: NDArray, emotions: Sequence[str], speakers: Sequence[str]) -> None:
    if features.ndim != 2 or not len(features) == len(emotions) == len(speakers):
        raise ValueError(
            f"features is {features.shape}, with {len(emotions)} emotions and {len(speakers)} "
            "speakers; expected (N, D), N and N."
        )
    if not np.isfinite(features).all():
        raise ValueError("features has NaN or infinite values; expected finite ones.")


@contextmanager
def _convergence_noted() -> Iterator[list[str]]:
    """Warnings of solvers that gave up, collected; all others are passed on."""
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        yield notes
    for warning in caught:
        if issubclass(warning.category, ConvergenceWarning):
            notes.append(str(warning.message))
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
