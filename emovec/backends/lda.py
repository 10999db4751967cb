"""Linear discriminant analysis: directions in which speakers differ more than their clips do.

Shapes: N clips, S speakers, E numbers an embedding, D directions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh

from emovec.backends.normalisation import shrunk_covariance
from emovec.errors import HparamError, TrainingError

# A sum of squares that is no more than this share of the embeddings' own: rounding of float64 only,
# 1e-16 a number; what float32 can tell apart differs by 1e-14.
NO_SPREAD = 1e-20


@dataclass(frozen=True, eq=False)
class SpeakerGroups:
    """Clips of known speakers.

    Attributes:
        embeddings: (N, E)
        speakers: (N,) number of each clip's speaker
        clips: (S,) of each speaker
        means: (S, E) of each speaker's clips
    """

    embeddings: NDArray[np.float64]
    speakers: NDArray[np.intp]
    clips: NDArray[np.intp]
    means: NDArray[np.float64]

    @property
    def deviations(self) -> NDArray[np.float64]:
        """(N, E) of each clip from the mean of its speaker."""
        return self.embeddings - self.means[self.speakers]


def group_by_speaker(embeddings: ArrayLike, speakers: Sequence[str]) -> SpeakerGroups:
    """Clips by speaker, in the alphabetical order of speakers.

    Args:
        embeddings: (N, E) finite vectors
        speakers: (N,) who speaks; clips of unknown ones, "", are left out

    Raises:
        ValueError: if the shapes differ, or an embedding is NaN or infinite

    >>> group_by_speaker([[1.0], [5.0], [3.0], [9.0]], ["b", "a", "b", ""]).means.tolist()
    [[5.0], [2.0]]
    """
    x, names = np.asarray(embeddings, dtype=np.float64), np.asarray(speakers, dtype=str)
    if x.ndim != 2 or names.shape != x.shape[:1]:
        raise ValueError(
            f"training embeddings are {x.shape}, with {names.shape} speakers; expected (N, E) and "
            "(N,). Give a speaker, or '', for each."
        )
    broken = np.flatnonzero(~np.isfinite(x).all(axis=1))
    if len(broken):
        raise ValueError(
            f"training embeddings {broken[:5].tolist()} ({len(broken)} in all) are NaN or "
            "infinite; expected finite vectors. Leave these clips out."
        )
    known = names != ""
    _, number, clips = np.unique(names[known], return_inverse=True, return_counts=True)
    x = x[known]
    starts = np.cumsum(clips) - clips
    sums = np.add.reduceat(x[np.argsort(number, kind="stable")], starts) if len(x) else x
    return SpeakerGroups(x, number, clips, sums / clips[:, None])


def trainable_groups(embeddings: ArrayLike, speakers: Sequence[str]) -> SpeakerGroups:
    """Clips by speaker, of which the spread within and between speakers can be learnt.

    Args:
        embeddings: (N, E) finite vectors
        speakers: (N,) who speaks; clips of unknown ones, "", are left out

    Raises:
        TrainingError: if there are fewer than 2 known speakers, all clips of each are the same, or
            only one, or their means are all the same
        ValueError: if the shapes differ, or an embedding is NaN or infinite
    """
    groups = group_by_speaker(embeddings, speakers)
    clips, people = len(groups.speakers), len(groups.clips)
    if people < 2:
        raise TrainingError(
            f"{people} known training speakers in {len(speakers)} clips; expected at least 2, to "
            "tell apart. Train on more speakers, or score by cosine."
        )
    if clips == people:
        raise TrainingError(
            f"{clips} training clips of {people} known speakers; expected at least 2 clips of some "
            "speakers, to learn how a voice varies. Train on more clips, or score by cosine."
        )
    least = NO_SPREAD * np.square(groups.embeddings).sum()
    if np.square(groups.deviations).sum() <= least:
        raise TrainingError(
            f"all clips of each of {people} training speakers have the same embedding; expected "
            "clips that differ. See whether they are copies, or what made them."
        )
    if np.square(groups.means - groups.means.mean(axis=0)).sum() <= least:
        raise TrainingError(
            f"the mean embeddings of {people} training speakers are all the same; expected "
            "speakers who differ. See whether one has several names, or what made the embeddings."
        )
    return groups


def discriminant_directions(
    embeddings: ArrayLike, speakers: Sequence[str], dimensions: int | None = None
) -> NDArray[np.float64]:
    r"""Directions of the largest variance between speakers for that within them.

    .. math::
        \Sigma_b \, v = \lambda \, \Sigma_w \, v, \qquad v^T \Sigma_w v = 1

    largest :math:`\lambda` first (Fisher, 1936; Rao, 1948). :math:`\Sigma_w` is pooled over all
    speakers, and shrunk (:func:`.shrunk_covariance`). So few clips a speaker suffice, and E may
    exceed N: scikit-learn's LDA either trusts the few directions that clips were seen to vary in
    (svd), or shrinks each speaker's own covariance, the more the fewer clips it has (eigen).

    Args:
        embeddings: (N, E) finite vectors
        speakers: (N,) who speaks; clips of unknown ones, "", are left out
        dimensions: D, at most S - 1 and E; None: as many as that

    Returns:
        (E, D), to be multiplied from the right

    Raises:
        HparamError: if there are not as many directions
        TrainingError: if there are fewer than 2 known speakers, or too little spread
        ValueError: if the shapes differ, or an embedding is NaN or infinite

    >>> x = [[0, 1], [0, -1], [3, 2], [3, -2]]  # speakers differ in the first number only
    >>> directions = discriminant_directions(x, ["a", "a", "b", "b"])
    >>> (directions / directions[0]).tolist()
    [[1.0], [0.0]]
    """
    groups = trainable_groups(embeddings, speakers)
    most = min(len(groups.clips) - 1, groups.embeddings.shape[1])
    if dimensions is not None and not 1 <= dimensions <= most:
        raise HparamError(
            f"dimensions is {dimensions}; expected 1 to {most}, for {len(groups.clips)} training "
            f"speakers and embeddings of {groups.embeddings.shape[1]} numbers. Lower it."
        )
    within = shrunk_covariance(groups.deviations)  # (E, E)
    shares = groups.clips / len(groups.speakers)  # (S,)
    between = np.cov(groups.means, rowvar=False, aweights=shares, ddof=0)
    _, directions = eigh(np.atleast_2d(between), within)  # smallest first
    return np.ascontiguousarray(directions[:, ::-1][:, : dimensions or most])
