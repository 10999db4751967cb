"""Normalisation: of embeddings to unit length before they are scored, of scores by a cohort after.

Shapes: N clips, E numbers an embedding, C voices of a cohort.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.covariance import ledoit_wolf

from emovec.errors import HparamError, TrainingError
from emovec.metrics.pair_scores import PairScores

SCORES_AT_ONCE = 2**24  # 64 MiB
ROUNDING = 1e-6  # of float32 scores, relative to the largest


def unit_length(embeddings: ArrayLike, name: str = "embeddings") -> NDArray[np.float64]:
    r"""Embeddings of length 1, :math:`x / |x|`.

    It makes embeddings of real speech more Gaussian, which PLDA assumes (Garcia-Romero &
    Espy-Wilson, 2011, "Analysis of i-vector length normalization in speaker recognition systems",
    Interspeech).

    Args:
        embeddings: (N, E)
        name: what to call them in an error

    Returns:
        (N, E)

    Raises:
        ValueError: if one is NaN, infinite, or zero, which has no direction

    >>> unit_length([[3, 4]]).tolist()
    [[0.6, 0.8]]
    """
    x = np.asarray(embeddings, dtype=np.float64)
    lengths = np.linalg.norm(x, axis=1, keepdims=True)  # (N, 1)
    unusable = np.flatnonzero(~np.isfinite(lengths) | (lengths == 0))
    if len(unusable):
        raise ValueError(
            f"{name} {unusable[:5].tolist()} ({len(unusable)} in all) are zero, NaN or infinite; "
            "expected finite vectors with a direction. Leave these clips out."
        )
    return x / lengths


def shrunk_covariance(deviations: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Covariance, shrunk towards a multiple of the identity as far as its errors ask for.

    .. math::
        (1 - \alpha) \, S + \alpha \, \frac{\mathrm{tr} \, S}{E} \, I,
        \qquad S = \frac{1}{N} \sum_n d_n d_n^T

    positive definite even where E exceeds N (Ledoit & Wolf, 2004, "A well-conditioned estimator for
    large-dimensional covariance matrices", Journal of Multivariate Analysis 88, 365-411).

    Args:
        deviations: (N, E) d, from a mean

    Returns:
        (E, E)

    Raises:
        TrainingError: if they are too few or too alike for a positive definite one
    """
    covariance = np.zeros((1, 1))
    if deviations.any():
        covariance, _ = ledoit_wolf(deviations, assume_centered=True)
    variances = np.linalg.eigvalsh(covariance)
    if variances[0] <= len(variances) * np.finfo(np.float64).eps * variances[-1]:
        raise TrainingError(
            f"{len(deviations)} training clips vary in too few directions of "
            f"{deviations.shape[1]}; expected a covariance of full rank. Train on more clips, and "
            "see whether some are copies."
        )
    return covariance


def whitening(embeddings: ArrayLike) -> NDArray[np.float64]:
    r"""Linear map M after which the total covariance is the identity, :math:`M^T \Sigma M = I`.

    The covariance is that of :func:`shrunk_covariance`, so that E may exceed N.

    Args:
        embeddings: (N, E) finite vectors

    Returns:
        (E, E), to be multiplied from the right

    Raises:
        TrainingError: if embeddings are too few or too alike
    """
    x = np.asarray(embeddings, dtype=np.float64)
    variances, directions = np.linalg.eigh(shrunk_covariance(x - x.mean(axis=0)))
    return directions / np.sqrt(variances)


def adaptive_s_norm(scores: PairScores, cohort: PairScores, top: int) -> PairScores:
    r"""Scores relative to those that each side has with the voices most like it: AS-norm.

    .. math::
        s'_{ij} = \frac{1}{2} \left( \frac{s_{ij} - \mu_i}{\sigma_i}
                                   + \frac{s_{ij} - \mu_j}{\sigma_j} \right)

    with mean and (population) standard deviation of the ``top`` highest scores of a clip with the
    cohort (Cumani et al., 2011, "Comparison of speaker recognition approaches for real
    applications"; Matějka et al., 2017, "Analysis of score normalization in multilingual speaker
    recognition", AS-norm1; both Interspeech). As s' is linear in s with a factor and a term of
    each side, it has the form of :class:`PairScores`: scales :math:`1 / 2 \sigma_i` and shifts
    :math:`-\mu_i / 2 \sigma_i`. Memory is bounded, whatever N is.

    Args:
        scores: of N clips, with vectors and offsets only
        cohort: of C voices, by the same backend; none of them should be among the clips
        top: how many of the cohort's scores, 2 or more

    Returns:
        scores of the N clips

    Raises:
        HparamError: if ``top`` is below 2 or above C
        TrainingError: if the top scores of a clip are all the same; it names the clip
        ValueError: if scores are normalised already, or the backends differ

    >>> clips, cohort = PairScores(np.array([[1.0], [3.0]])), PairScores(np.array([[0.0], [2.0]]))
    >>> normalised = adaptive_s_norm(clips, cohort, top=2)  # mu 1 and 3, sigma 1 and 3, s = 3
    >>> normalised.pairs(np.array([0]), np.array([1])).tolist()  # ((3 - 1) / 1 + (3 - 3) / 3) / 2
    [1.0]
    """
    _check_forms(scores, cohort)
    if not 2 <= top <= len(cohort):
        raise HparamError(
            f"top_cohort is {top}, of a cohort of {len(cohort)}; expected 2 or more, and no more "
            "than the cohort has. Lower it, or train on more speakers."
        )
    means, deviations = np.empty(len(scores)), np.empty(len(scores))
    step = max(1, SCORES_AT_ONCE // len(cohort))
    for start in range(0, len(scores), step):
        rows = slice(start, start + step)
        highest = np.partition(_against(scores, rows, cohort), -top, axis=1)[:, -top:]
        means[rows] = highest.mean(axis=1, dtype=np.float64)
        spread = highest.std(axis=1, dtype=np.float64)
        deviations[rows] = np.where(spread > ROUNDING * np.abs(highest).max(axis=1), spread, 0)
    constant = np.flatnonzero(deviations == 0)
    if len(constant):
        raise TrainingError(
            f"the {top} highest cohort scores of embeddings {constant[:5].tolist()} "
            f"({len(constant)} in all) are all the same, a standard deviation of 0; expected "
            "scores that differ. Raise top_cohort, or see whether training speakers are copies."
        )
    scales = (0.5 / deviations).astype(np.float32)
    shifts = (-0.5 * means / deviations).astype(np.float32)
    return PairScores(scores.vectors, scores.offsets, scales, shifts)


def _check_forms(scores: PairScores, cohort: PairScores) -> None:
    for name, some in (("scores", scores), ("cohort", cohort)):
        if some.scales is not None or some.shifts is not None:
            raise ValueError(f"{name} are normalised already; expected vectors and offsets only.")
    if scores.vectors.shape[1] != cohort.vectors.shape[1]:
        raise ValueError(
            f"scores have vectors of {scores.vectors.shape[1]} numbers, the cohort of "
            f"{cohort.vectors.shape[1]}; expected the same backend."
        )


def _against(scores: PairScores, rows: slice, cohort: PairScores) -> NDArray[np.float32]:
    """Scores (R, C) of some clips with the cohort."""
    table = scores.vectors[rows] @ cohort.vectors.T
    if scores.offsets is not None:
        table += scores.offsets[rows, None]
    if cohort.offsets is not None:
        table += cohort.offsets
    return table
