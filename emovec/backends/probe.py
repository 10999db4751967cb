"""Probe: what a simple classifier finds in frozen embeddings, over folds of speakers.

Shapes: N clips, D features, K classes.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from emovec.backends.convergence import convergence_noted
from emovec.backends.hierarchical import BEST, HierarchicalClassifier, StageDecisions
from emovec.backends.probe_settings import Setting, inner_folds
from emovec.errors import HparamError, TrainingError
from emovec.metrics.classification import weighted_f1

CLASSIFIERS = ("logistic_regression", "linear_svm", "rbf_svm")
CLASS_WEIGHTS = (None, "balanced")
SCALE = "scale"
MOST_ITERATIONS = 5000


@dataclass(frozen=True)
class FittedProbe:
    """A classifier of embeddings.

    Attributes:
        pipeline: scaling and classifier, of scikit-learn
        setting: that was chosen
        inner_f1: of each setting, weighted F1 on training speakers left out, mean of the inner
            folds; empty where there was nothing to choose
        warnings: what a reader of its results must know
    """

    pipeline: Pipeline
    setting: Setting
    inner_f1: Mapping[Setting, float]
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

    def stages(self, features: NDArray[np.floating]) -> StageDecisions | None:
        """What either stage says of N clips; None of a classifier of one stage."""
        classifier = self.pipeline[-1]
        if not isinstance(classifier, HierarchicalClassifier):
            return None
        scaled = np.asarray(features, dtype=np.float64)
        for step in self.pipeline[:-1]:
            scaled = step.transform(scaled)
        return classifier.predict_stages(scaled)


@dataclass(frozen=True)
class Probe:
    """Embeddings, standardised or not, and a linear or a radial classifier of them.

    What has several values is chosen by weighted F1 on training speakers left out in turn; of
    equal ones the smallest C, then the smallest gamma.

    Args:
        classifier: "logistic_regression", "linear_svm" or "rbf_svm"
        c_values: to choose from; a single one is taken as it is
        class_weight: "balanced" weighs each clip by the rarity of its class; None: all alike
        seed: of the inner folds and of solvers that draw
        gamma_values: of rbf_svm, to choose from; "scale" is 1 / (D variance)
        standardise: every feature by its mean and standard deviation over the training clips
        first: class that one classifier tells from the rest, before another tells those apart;
            "best": chosen as C is; None: one classifier of all

    Raises:
        HparamError: if a name is unknown, a C or gamma is missing or not above 0, or there are
            values of gamma for another classifier
    """

    classifier: str
    c_values: Sequence[float]
    class_weight: str | None = None
    seed: int = 0
    gamma_values: Sequence[float | str] = (SCALE,)
    standardise: bool = True
    first: str | None = None

    def __post_init__(self) -> None:
        if self.classifier not in CLASSIFIERS:
            raise HparamError(
                f"classifier is '{self.classifier}'; expected one of {CLASSIFIERS}. Correct it."
            )
        if self.class_weight not in CLASS_WEIGHTS:
            raise HparamError(
                f"class_weight is '{self.class_weight}'; expected 'balanced' or null. Correct it."
            )
        if not self.c_values or not all(_above_0(c) for c in self.c_values):
            raise HparamError(
                f"c_values are {list(self.c_values)}; expected numbers above 0. Correct them."
            )
        gammas = list(self.gamma_values)
        if not gammas or not all(gamma == SCALE or _above_0(gamma) for gamma in gammas):
            raise HparamError(
                f"gamma_values are {gammas}; expected numbers above 0, or {SCALE}. Correct them."
            )
        if self.classifier != "rbf_svm" and gammas != [SCALE]:
            raise HparamError(
                f"gamma_values are {gammas}, with {self.classifier}; expected [{SCALE}], as only "
                "rbf_svm has a gamma. Leave them out, or choose rbf_svm."
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
            HparamError: if the first class is none of the classes
            TrainingError: if a class has no clip, or there is something to choose and no speaker
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
        self.check_first(classes)
        target = np.array(emotions)
        settings = self._settings(sorted(set(emotions)))
        pipeline = self._pipeline()
        grid = [setting.parameters(pipeline.steps[-1][0]) for setting in settings]
        notes: list[str] = []
        with convergence_noted() as unconverged:
            if len(settings) == 1:
                pipeline.set_params(**grid[0]).fit(features, target)
                chosen, inner_f1, fits = settings[0], {}, 1
            else:
                folds, notes = inner_folds(target, np.array(speakers), settings, self.seed)
                search = _search(pipeline, grid, folds).fit(features, target)
                pipeline, chosen = search.best_estimator_, settings[search.best_index_]
                means = search.cv_results_["mean_test_score"].tolist()
                inner_f1 = dict(zip(settings, means, strict=True))
                fits = len(settings) * len(folds) + 1
        if unconverged:
            fits *= 2 if self.first else 1
            notes.append(
                f"{len(unconverged)} of {fits} fits of {self.classifier} had not converged after "
                f"{MOST_ITERATIONS} iterations"
            )
        return FittedProbe(pipeline, chosen, inner_f1, tuple(notes))

    def check_first(self, classes: Sequence[str]) -> None:
        """Raise where the first class is none of those that are to be told apart.

        Raises:
            HparamError: which lists them
        """
        if self.first not in (None, BEST, *classes):
            raise HparamError(
                f"first is '{self.first}'; expected one of {list(classes)}, {BEST} or null. "
                "Correct it, or keep its clips (emotions)."
            )

    def _settings(self, classes: Sequence[str]) -> list[Setting]:
        """All to choose from, the preferred of equal ones first."""
        gammas: list[float | str | None] = [None]
        if self.classifier == "rbf_svm":
            gammas = sorted(set(self.gamma_values), key=lambda g: (isinstance(g, str), g))
        firsts = classes if self.first == BEST else [self.first]
        return [
            Setting(c, gamma, first)
            for c in sorted(set(self.c_values))
            for gamma in gammas
            for first in firsts
        ]

    def _pipeline(self) -> Pipeline:
        classifier = self._estimator()
        if self.first is not None:
            classifier = HierarchicalClassifier(estimator=classifier)
        return make_pipeline(*([StandardScaler()] if self.standardise else []), classifier)

    def _estimator(self) -> Any:
        if self.classifier == "logistic_regression":
            return LogisticRegression(max_iter=MOST_ITERATIONS, class_weight=self.class_weight)
        if self.classifier == "linear_svm":
            return LinearSVC(
                max_iter=MOST_ITERATIONS, random_state=self.seed, class_weight=self.class_weight
            )
        return SVC(kernel="rbf", class_weight=self.class_weight)


def majority(emotions: Sequence[str]) -> str:
    """The most frequent class, the first in the alphabet of several.

    >>> majority(["sadness", "anger", "sadness", "anger", "fear"])
    'anger'
    """
    counts = Counter(emotions)
    return min(counts, key=lambda name: (-counts[name], name))


def _search(pipeline: Pipeline, grid: Sequence[Mapping[str, Any]], folds: list) -> GridSearchCV:
    return GridSearchCV(
        pipeline,
        [{name: [value] for name, value in parameters.items()} for parameters in grid],
        scoring=lambda model, x, y: weighted_f1(model.predict(x), y),
        cv=folds,
        error_score="raise",
    )


def _above_0(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < np.inf


def _check(features: NDArray, emotions: Sequence[str], speakers: Sequence[str]) -> None:
    if features.ndim != 2 or not len(features) == len(emotions) == len(speakers):
        raise ValueError(
            f"features is {features.shape}, with {len(emotions)} emotions and {len(speakers)} "
            "speakers; expected (N, D), N and N."
        )
    if not np.isfinite(features).all():
        raise ValueError("features has NaN or infinite values; expected finite ones.")
