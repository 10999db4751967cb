"""Ridge regression of affect on functionals: the baseline that a model has to beat."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

ALPHAS = np.logspace(-1, 4, 11)
FOLDS = 5


def fit_ridge(
    features: NDArray[np.floating],
    targets: NDArray[np.floating],
    speakers: Sequence[str],
    seed: int,
) -> Pipeline:
    """Standardised features and a ridge whose penalty does best on speakers left out.

    Args:
        features: (N, D)
        targets: (N, K)
        speakers: (N,) who speaks; no speaker is in two folds of the search, unless there is only
            one
        seed: of the folds

    Returns:
        a scikit-learn pipeline; ``predict`` takes (M, D) and gives (M, K)
    """
    folds = min(FOLDS, len(set(speakers)))
    by_speaker = GroupKFold(max(2, folds), shuffle=True, random_state=seed)
    by_clip = KFold(min(FOLDS, len(features)), shuffle=True, random_state=seed)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), Ridge()),
        {"ridge__alpha": ALPHAS},
        scoring="neg_mean_squared_error",
        cv=by_speaker if folds > 1 else by_clip,
    )
    return search.fit(features, targets, groups=speakers if folds > 1 else None).best_estimator_
