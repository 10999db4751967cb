"""Metrics of predicted numbers."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def concordance(predicted: ArrayLike, target: ArrayLike) -> float:
    r"""Concordance correlation coefficient: agreement with the line of identity.

    .. math::
        \rho_c = \frac{2 \, \sigma_{xy}}{\sigma_x^2 + \sigma_y^2 + (\mu_x - \mu_y)^2}

    with population moments (Lin, 1989, Biometrics 45, 255-268). Constant predictions or targets
    share no variance, so that they give 0, also where both are the same constant and the
    quotient would be 0 / 0.

    Args:
        predicted: (N,) predictions
        target: (N,) references, same unit as ``predicted``

    Returns:
        value in [-1, 1], 1 for perfect agreement

    Raises:
        ValueError: if the shapes differ or are not (N,) with N > 1, or a value is not finite

    >>> concordance([0, 1, 2], [0, 1, 2])
    1.0
    >>> round(concordance([1, 2, 3], [0, 1, 2]), 4)  # 2 * 2/3 / (2/3 + 2/3 + 1)
    0.5714
    """
    x, y = _pair(predicted, target, least=2)
    if np.ptp(x) == 0 or np.ptp(y) == 0:  # rounded means would leave crumbs of variance
        return 0.0
    x_mean, y_mean = x.mean(), y.mean()
    covariance = np.mean((x - x_mean) * (y - y_mean))
    return float(2 * covariance / (x.var() + y.var() + (x_mean - y_mean) ** 2))


def root_mean_square_error(predicted: ArrayLike, target: ArrayLike) -> float:
    r"""Root of the mean squared difference.

    .. math::
        \sqrt{\frac{1}{N} \sum_{i=1}^{N} (x_i - y_i)^2}

    Args:
        predicted: (N,) predictions
        target: (N,) references, same unit as ``predicted``

    Returns:
        value in [0, inf), in the unit of ``target``

    Raises:
        ValueError: if the shapes differ or are not (N,) with N > 0, or a value is not finite

    >>> root_mean_square_error([5, 7], [4, 0])  # sqrt((1 + 49) / 2)
    5.0
    """
    x, y = _pair(predicted, target, least=1)
    return float(np.sqrt(np.mean((x - y) ** 2)))


def _pair(
    predicted: ArrayLike, target: ArrayLike, least: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = np.asarray(predicted, dtype=np.float64), np.asarray(target, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or len(x) < least:
        raise ValueError(
            f"predicted is {x.shape} and target {y.shape}; expected the same (N,), N >= {least}."
        )
    for name, values in (("predicted", x), ("target", y)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} has NaN or infinite values; expected finite ones.")
    return x, y
