"""Scores of every pair of clips: cosine, LDA or PLDA, and what is done before and after.

Shapes: N clips, M of the training, E numbers an embedding, D of a projected one, C speakers of the
training.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emovec.backends.lda import discriminant_directions, group_by_speaker
from emovec.backends.normalisation import adaptive_s_norm, unit_length, whitening
from emovec.backends.plda import Plda, fit_plda
from emovec.errors import HparamError
from emovec.metrics.pair_scores import PairScores

METHODS = ("cosine", "lda", "plda")
# Share of a number's size that is but rounding: of a mean in float64; what float32 can tell apart
# differs by 6e-8.
ROUNDING = 1e-9

Training = tuple[ArrayLike, Sequence[str]]
"""(M, E) embeddings, and (M,) who speaks; "" is not known."""


@dataclass(frozen=True)
class Scoring:
    """What is done to embeddings, and to the scores of pairs of them, in this order.

    Args:
        method: "cosine"; "lda", the cosine after linear discriminant analysis; or "plda"
        centre: subtract the mean of the training; without training, that of what is scored
        standardise: divide each number by its standard deviation there, for numbers of different
            units, such as functionals
        dimensions: of LDA, before either; None: of "lda" as many as there are, of "plda" no LDA
        whiten: make the total covariance of the training the identity
        top_cohort: normalise scores by so many of the training speakers' (AS-norm), each of them
            the mean of its embeddings; None: scores stay as they are

    Raises:
        HparamError: if a value is none of these
    """

    method: str = "cosine"
    centre: bool = True
    standardise: bool = False
    dimensions: int | None = None
    whiten: bool = False
    top_cohort: int | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise HparamError(f"method is '{self.method}'; expected one of {METHODS}. Correct it.")
        for name in ("centre", "standardise", "whiten"):
            if not isinstance(getattr(self, name), bool):
                raise HparamError(
                    f"{name} is '{getattr(self, name)}'; expected True or False. Correct it."
                )
        for name, least in (("dimensions", 1), ("top_cohort", 2)):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < least):
                raise HparamError(
                    f"{name} is '{value}'; expected an integer of {least} or more, or null. "
                    "Correct it."
                )
        if self.method == "cosine" and self.dimensions is not None:
            raise HparamError(
                f"dimensions is {self.dimensions}, and method is 'cosine', which has no LDA; "
                "expected null. Correct it, or choose method 'lda' or 'plda'."
            )

    @property
    def needs_training(self) -> tuple[str, ...]:
        """The options that cannot do without training embeddings and their speakers."""
        options = {
            f"method '{self.method}'": self.method != "cosine",
            "whiten": self.whiten,
            "top_cohort": self.top_cohort is not None,
        }
        return tuple(name for name, chosen in options.items() if chosen)

    @property
    def describe(self) -> str:
        """What a score is, in words.

        >>> Scoring().describe
        'cosine similarity (centred)'
        >>> Scoring("plda", dimensions=150, top_cohort=200).describe
        'PLDA log-likelihood ratio (centred, LDA to 150, AS-norm by top 200)'
        """
        score = "PLDA log-likelihood ratio" if self.method == "plda" else "cosine similarity"
        lda = "LDA" if self.dimensions is None else f"LDA to {self.dimensions}"
        steps = {
            "centred": self.centre,
            "standardised": self.standardise,
            lda: self.method == "lda" or self.dimensions is not None,
            "whitened": self.whiten,
            f"AS-norm by top {self.top_cohort}": self.top_cohort is not None,
        }
        done = ", ".join(step for step, chosen in steps.items() if chosen)
        return f"{score} ({done})" if done else score

    def scores(self, embeddings: ArrayLike, training: Training | None = None) -> PairScores:
        """Scores of every pair of N clips, by :meth:`fit` and :meth:`FittedScoring.scores`."""
        return self.fit(training).scores(embeddings)

    def fit(self, training: Training | None = None) -> "FittedScoring":
        """Scoring that has learnt what it needs from clips of other speakers than will be scored.

        Args:
            training: (M, E) embeddings and (M,) speakers; clips of unknown ones, "", serve to
                centre and to whiten only; None: there are none

        Raises:
            HparamError: if there is no training and an option needs it, or ``dimensions`` is more
                than it allows
            TrainingError: if LDA or PLDA find fewer than 2 known speakers, or too little spread
                within or between them, or whitening too little in all
            ValueError: if shapes differ, or an embedding is NaN, infinite, or zero, before or
                after the mean is subtracted
        """
        if training is None:
            if self.needs_training:
                raise HparamError(
                    f"{' and '.join(self.needs_training)} found, and no training embeddings; "
                    "expected some with their speakers. Give a training table, or choose method "
                    "'cosine' with whiten False and top_cohort null."
                )
            return FittedScoring(self)
        x, speakers = _checked(training[0], "training embeddings"), training[1]
        groups = group_by_speaker(x, speakers)
        known, people = len(groups.speakers), len(groups.clips)
        mean, deviation = self.moments(x)
        fitted = FittedScoring(self, mean, deviation, speakers=people, left_out=len(x) - known)
        fitted = replace(fitted, projection=self._projection(fitted.centred(x), speakers))
        fitted = replace(fitted, cohort=groups.means[~fitted.directionless(groups.means)])
        if self.method == "plda":
            has = ~fitted.directionless(x)
            points = fitted.points(x[has], "training embeddings")
            return replace(fitted, plda=fit_plda(points, np.asarray(speakers)[has].tolist()))
        return fitted

    def fit_moments(self, embeddings: ArrayLike) -> "FittedScoring":
        """Scoring by the mean and deviation of embeddings (N, E), which may be those to score.

        Raises:
            ValueError: if they are not (N, E), or one is NaN, infinite or zero
        """
        return FittedScoring(self, *self.moments(_checked(embeddings, "embeddings")))

    def moments(self, x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(E,) what embeddings (N, E) are to be lessened by, and then divided by."""
        mean = x.mean(axis=0) if self.centre else np.zeros(x.shape[1])
        deviation = x.std(axis=0) if self.standardise else np.ones(x.shape[1])
        varies = deviation > ROUNDING * np.abs(x).max(axis=0)
        return mean, np.where(varies, deviation, 1.0)

    def _projection(self, x: NDArray, speakers: Sequence[str]) -> NDArray[np.float64] | None:
        """LDA and whitening as one matrix (E, D); None if there is neither."""
        projection = None
        if self.method == "lda" or self.dimensions is not None:
            projection = discriminant_directions(x, speakers, self.dimensions)
            x = x @ projection
        if self.whiten:
            projection = whitening(x) if projection is None else projection @ whitening(x)
        return projection


@dataclass(frozen=True, eq=False)
class FittedScoring:
    """Scoring that has learnt what it needs.

    Attributes:
        scoring: what is to be done
        mean: (E,) is subtracted; None: there was no training
        deviation: (E,) is then divided by; None: there was no training
        projection: (E, D) LDA and whitening; None: there is neither
        plda: scores embeddings of one length; None: the cosine does
        cohort: (C, E) mean embedding of each training speaker whose mean has a direction once
            centred; None: there was no training
        speakers: of the training, that are known
        left_out: training clips of unknown speakers: LDA, PLDA and the cohort are without them
    """

    scoring: Scoring
    mean: NDArray[np.float64] | None = None
    deviation: NDArray[np.float64] | None = None
    projection: NDArray[np.float64] | None = None
    plda: Plda | None = None
    cohort: NDArray[np.float64] | None = None
    speakers: int = 0
    left_out: int = 0

    def scores(self, embeddings: ArrayLike) -> PairScores:
        """Scores of every pair of N clips.

        Args:
            embeddings: (N, E)

        Raises:
            HparamError: if ``top_cohort`` is more than there are training speakers
            TrainingError: if all top cohort scores of a clip are the same
            ValueError: if embeddings are not (N, E), not as wide as those of the training, or one
                is NaN, infinite, or zero, before or after the mean is subtracted
        """
        x = _checked(embeddings, "embeddings")
        if self.mean is not None and x.shape[1] != len(self.mean):
            raise ValueError(
                f"embeddings have {x.shape[1]} numbers, those of the training {len(self.mean)}; "
                "expected the same encoder. Extract both by one."
            )
        scores = self._raw(x, "embeddings")
        if self.scoring.top_cohort is None or self.cohort is None:
            return scores
        return adaptive_s_norm(scores, self._raw(self.cohort, "cohort"), self.scoring.top_cohort)

    def directionless(self, embeddings: ArrayLike) -> NDArray[np.bool_]:
        """(N,) which of embeddings (N, E) are zero once centred, so that they cannot be scored."""
        x = self.centred(np.asarray(embeddings, dtype=np.float64))
        return np.logical_not((x if self.projection is None else x @ self.projection).any(axis=1))

    def centred(self, embeddings: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, E) embeddings less the mean, standardised; what is but rounding of it is zero."""
        mean, deviation = self.mean, self.deviation
        if mean is None or deviation is None:
            mean, deviation = self.scoring.moments(embeddings)
        x = embeddings - mean
        x[np.abs(x) <= ROUNDING * np.abs(mean)] = 0
        return x / deviation

    def points(self, embeddings: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        """(N, D) embeddings, centred, projected, and of length 1; ``name`` is for an error."""
        x = self.centred(embeddings)
        name = f"centred {name}" if self.scoring.centre else name
        return unit_length(x if self.projection is None else x @ self.projection, name)

    def _raw(self, embeddings: NDArray[np.float64], name: str) -> PairScores:
        points = self.points(embeddings, name)
        if self.plda is not None:
            return self.plda.scores(points)
        return PairScores(points.astype(np.float32))


def _checked(embeddings: ArrayLike, name: str) -> NDArray[np.float64]:
    """(N, E) in float64; each is finite and has a direction."""
    x = np.asarray(embeddings, dtype=np.float64)
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(f"{name} are {x.shape}; expected (N, E), with N and E of 1 or more.")
    unit_length(x, name)
    return x
