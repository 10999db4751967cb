"""The mean over folds of a protocol, which is what papers print."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from emovec.metrics.classification import weighted_f1

MEAN_OF_FOLDS = "emotion/weighted_f1_mean_of_folds"


def mean_of_folds(
    predicted: NDArray, true: NDArray, folds: NDArray, sizes: Mapping[int, int]
) -> float:
    """Mean weighted F1 of the folds, each weighted by its number of clips over its size.

    In a draw of speakers a fold then counts as often as its clips are drawn.

    Args:
        predicted: (N,) class numbers
        true: (N,) class numbers
        folds: (N,) fold of each clip
        sizes: clips of each fold where all are there

    >>> mean_of_folds(np.array([0, 1, 1]), np.array([0, 1, 0]), np.array([0, 0, 1]), {0: 2, 1: 1})
    0.5
    """
    scores, weights = [], []
    for fold in np.unique(folds):
        rows = folds == fold
        scores.append(weighted_f1(predicted[rows], true[rows]))
        weights.append(rows.sum() / sizes[fold])
    return float(np.average(scores, weights=weights))
