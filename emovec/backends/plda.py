"""PLDA: how likely two embeddings are of one speaker, against of two.

Shapes: N clips, S speakers, E numbers an embedding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh

from emovec.backends.lda import trainable_groups
from emovec.metrics.pair_scores import PairScores

# What is known before any clip is heard, in clips and in speakers for each number of an embedding.
# Chosen on simulated embeddings of other kinds, 6 to 1000 speakers: far more clips than speakers
# are needed, as a wrong W is divided by.
PRIOR_CLIPS = 1.0
PRIOR_SPEAKERS = 0.1


@dataclass(frozen=True, eq=False)
class Plda:
    r"""Two-covariance model: a speaker is a Gaussian point, its clips are Gaussian around it.

    .. math::
        y \sim \mathcal{N}(\mu, B), \qquad x \mid y \sim \mathcal{N}(y, W)

    (Brümmer & de Villiers, 2010, "The speaker partitioning problem", Odyssey; Sizov et al., 2014,
    "Unifying probabilistic linear discriminant analysis variants in biometric authentication").

    Attributes:
        mean: (E,) mu
        between: (E, E) B, covariance of speakers; positive semi-definite
        within: (E, E) W, covariance of a speaker's clips; positive definite
        objectives: before each iteration of its fit, what :func:`fit_plda` maximises
    """

    mean: NDArray[np.float64]
    between: NDArray[np.float64]
    within: NDArray[np.float64]
    objectives: tuple[float, ...] = ()

    def scores(self, embeddings: ArrayLike) -> PairScores:
        r"""Log-likelihood ratio of one speaker against two, of every pair of clips.

        .. math::
            s_{ij} = \log \frac{p(x_i, x_j \mid \text{one speaker})}{p(x_i) \, p(x_j)}

        In the basis that makes W the identity and B a diagonal of :math:`\psi`, numbers z of an
        embedding are independent, and those of a pair have covariance :math:`1 + \psi` and, of one
        speaker, :math:`\psi` across:

        .. math::
            s_{ij} = \sum_e \frac{\psi}{1 + 2 \psi} z_i z_j
                   - \frac{\psi^2 (z_i^2 + z_j^2)}{2 (1 + \psi) (1 + 2 \psi)}
                   + \log(1 + \psi) - \frac{1}{2} \log(1 + 2 \psi)

        Args:
            embeddings: (N, E) finite vectors

        Raises:
            ValueError: if embeddings are not (N, E) as wide as the model, or NaN or infinite

        >>> pair = Plda(np.zeros(1), np.eye(1), np.eye(1)).scores([[1], [1]])
        >>> expected = 1 / 3 - 1 / 6 + np.log(2) - np.log(3) / 2  # psi = 1, z = 1
        >>> np.allclose(pair.block(slice(0, 1), slice(1, 2)), expected)
        True
        """
        x = np.asarray(embeddings, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] != len(self.mean):
            raise ValueError(
                f"embeddings are {x.shape}; expected (N, {len(self.mean)}), as PLDA was trained on."
            )
        psi, basis = _diagonalised(self.between, self.within)
        z = (x - self.mean) @ basis  # (N, E)
        squares = -0.5 * psi**2 / ((1 + psi) * (1 + 2 * psi))  # (E,)
        constant = np.sum(np.log1p(psi) - 0.5 * np.log1p(2 * psi))
        offsets = np.einsum("ne,ne,e->n", z, z, squares) + 0.5 * constant
        z *= np.sqrt(psi / (1 + 2 * psi))
        return PairScores(z.astype(np.float32), offsets.astype(np.float32))


def fit_plda(embeddings: ArrayLike, speakers: Sequence[str], iterations: int = 20) -> Plda:
    r"""PLDA of the most likely mean and covariances, by expectation maximisation.

    Each iteration raises

    .. math::
        \log p(x \mid \mu, B, W)
        - \frac{\nu_w}{2} \left( \log |W| + \tau_w \, \mathrm{tr} \, W^{-1} \right)
        - \frac{\nu_b}{2} \left( \log |B| + \tau_b \, \mathrm{tr} \, B^{-1} \right)

    The last two terms are those of :math:`\nu_w = E` more clips, of covariance
    :math:`\tau_w I`, and of :math:`\nu_b = E / 10` more speakers, of covariance :math:`\tau_b I`;
    :math:`\tau_w` is the mean variance within speakers, :math:`\tau_b` that of their means. For
    many clips and speakers they are nothing. For few they keep W from claiming that a voice never
    varies, and B that no two voices differ, where they were not seen to; so E may exceed the
    number of clips and of speakers.

    No iteration inverts a matrix for a speaker: where W is the identity and B diagonal, so is
    every speaker's posterior, whatever its number of clips.

    Args:
        embeddings: (N, E) finite vectors, best of one length
        speakers: (N,) who speaks; clips of unknown ones, "", are left out
        iterations: 1 or more

    Raises:
        TrainingError: if there are fewer than 2 known speakers, or no spread within or
            between them
        ValueError: if the shapes differ, an embedding is NaN or infinite, or there is no iteration
    """
    if iterations < 1:
        raise ValueError(f"iterations is {iterations}; expected 1 or more.")
    centre, moments, model = _moments(embeddings, speakers)
    objectives = []
    for _ in range(iterations):
        objective, model = _improved(moments, model)
        objectives.append(objective)
    return Plda(centre + model.mean, model.between, model.within, tuple(objectives))


class _Model(NamedTuple):
    mean: NDArray[np.float64]  # (E,)
    between: NDArray[np.float64]  # (E, E)
    within: NDArray[np.float64]  # (E, E)


class _Moments(NamedTuple):
    """All that is learnt from; embeddings are taken from their mean."""

    clips: NDArray[np.intp]  # (S,) of each speaker
    sums: NDArray[np.float64]  # (S, E) over each speaker's clips
    scatter: NDArray[np.float64]  # (E, E) sum of squares over all clips
    within_variance: float  # tau_w
    between_variance: float  # tau_b


def _moments(
    embeddings: ArrayLike, speakers: Sequence[str]
) -> tuple[NDArray[np.float64], _Moments, _Model]:
    """The embeddings' mean, their moments about it, and the model to begin with."""
    groups = trainable_groups(embeddings, speakers)
    (clips, size), people = groups.embeddings.shape, len(groups.clips)
    centre = groups.embeddings.mean(axis=0)
    means = groups.means - centre  # (S, E)
    sums = groups.clips[:, None] * means
    deviations = groups.deviations
    within = deviations.T @ deviations  # (E, E), a sum
    spread = means - means.mean(axis=0)
    between = spread.T @ spread
    variances = (
        float(np.trace(within)) / ((clips - people) * size),
        float(np.trace(between)) / ((people - 1) * size),
    )
    moments = _Moments(groups.clips, sums, within + means.T @ sums, *variances)
    return centre, moments, _with_priors(moments, np.zeros(size), between, within, clips - people)


def _with_priors(
    moments: _Moments,
    mean: NDArray[np.float64],
    between: NDArray[np.float64],
    within: NDArray[np.float64],
    clips: float,
) -> _Model:
    """Most likely covariances, from sums of squares (E, E) over speakers and over clips."""
    people, size = moments.sums.shape
    more_speakers, more_clips = PRIOR_SPEAKERS * size, PRIOR_CLIPS * size
    identity = np.eye(size)
    return _Model(
        mean,
        (between + more_speakers * moments.between_variance * identity) / (people + more_speakers),
        (within + more_clips * moments.within_variance * identity) / (clips + more_clips),
    )


def _improved(moments: _Moments, model: _Model) -> tuple[float, _Model]:
    """One iteration: the objective of a model, and the next model."""
    counts = moments.clips[:, None]  # (S, 1)
    psi, basis = _diagonalised(model.between, model.within)
    sums = (moments.sums - counts * model.mean) @ basis  # (S, E)
    # sum of (x - mu)(x - mu)^T, where the sum of x is 0
    scatter = moments.scatter + counts.sum() * np.outer(model.mean, model.mean)
    scatter = basis.T @ scatter @ basis  # (E, E)
    variances = psi / (1 + counts * psi)  # (S, E) of the posterior of y
    points = variances * sums  # (S, E) its mean
    objective = _objective(moments, psi, basis, sums, np.trace(scatter))

    moved = points.mean(axis=0)
    spread = points - moved
    between = spread.T @ spread + np.diag(variances.sum(axis=0))
    crossed = sums.T @ points
    within = scatter - crossed - crossed.T + points.T @ (counts * points)
    within += np.diag((counts * variances).sum(axis=0))
    back = model.within @ basis  # basis^T W basis = I, so that this is basis^-T
    between, within = (back @ squares @ back.T for squares in (between, within))
    mean = model.mean + back @ moved
    return objective, _with_priors(moments, mean, between, within, counts.sum())


def _objective(
    moments: _Moments,
    psi: NDArray[np.float64],
    basis: NDArray[np.float64],
    sums: NDArray[np.float64],
    squares: float,
) -> float:
    """Log-likelihood of all clips, and the terms of the priors.

    The n clips of a speaker have covariance I + psi 1 1^T in each direction of the basis, of
    determinant 1 + n psi and inverse I - psi / (1 + n psi) 1 1^T.
    """
    counts, size = moments.clips[:, None], len(psi)
    total = counts.sum()
    log_determinant = -2 * np.linalg.slogdet(basis)[1]  # of W
    distances = squares - np.sum(psi / (1 + counts * psi) * sums**2)
    likelihood = total * (size * np.log(2 * np.pi) + log_determinant) + distances
    likelihood += np.log1p(counts * psi).sum()
    # W^-1 = basis basis^T, B^-1 = basis diag(1 / psi) basis^T
    norms = np.square(basis).sum(axis=0)  # (E,)
    clips = log_determinant + moments.within_variance * norms.sum()
    speakers = log_determinant + np.log(psi).sum() + moments.between_variance * (norms / psi).sum()
    priors = PRIOR_CLIPS * size * clips + PRIOR_SPEAKERS * size * speakers
    return float(-0.5 * (likelihood + priors))


def _diagonalised(
    between: NDArray[np.float64], within: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Numbers psi (E,) and a basis (E, E): basis^T W basis = I, basis^T B basis = diag(psi)."""
    psi, basis = eigh(between, within)
    return np.maximum(psi, 0), basis  # rounding can pass 0
