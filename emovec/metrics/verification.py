"""Metrics of speaker verification: trials have a score, higher for one and the same speaker.

Shapes: P trials, K different scores.
"""

from bisect import bisect_left
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


def equal_error_rate(
    scores: ArrayLike, is_target: ArrayLike, weights: ArrayLike | None = None
) -> tuple[float, float]:
    r"""Error rate at which targets are rejected as often as impostors are accepted.

    .. math::
        \mathrm{FRR}(t) = \frac{\sum_{\text{targets}} w_i [s_i < t]}{\sum_{\text{targets}} w_i}
        \qquad
        \mathrm{FAR}(t) = \frac{\sum_{\text{impostors}} w_i [s_i \ge t]}
                               {\sum_{\text{impostors}} w_i}

    Each different score is a threshold t, and a last one rejects all; equal scores move together.
    The rate is at the crossing of FRR and FAR, linear between the two neighbouring thresholds:
    the diagonal of the ROC curve (Martin et al., 1997, "The DET curve in assessment of detection
    task performance", Eurospeech). Constant scores give 0.5.

    Args:
        scores: (P,) finite scores
        is_target: (P,) booleans
        weights: (P,) how often each trial counts, 0 or more and not only integers; None: once

    Returns:
        rate in [0, 1], and the threshold: the lowest score t with FRR(t) >= FAR(t), or the
        highest score where only rejecting all gets there

    Raises:
        ValueError: if shapes differ or are not (P,), scores or weights are NaN or infinite, a
            weight is negative, or the targets or the impostors have no weight

    >>> equal_error_rate([3, 1, 2, 0], [True, True, False, False])  # FRR(2) = FAR(2) = 1/2
    (0.5, 2.0)
    >>> equal_error_rate([1, 1, 0], [True, False, False])  # from (0, 1/2) a third of way to (1, 0)
    (0.3333333333333333, 1.0)
    """
    points, target_weights, impostor_weights = _arranged(scores, is_target, weights)
    rate, point = crossing(points, target_weights, impostor_weights)
    return rate, float(points.thresholds[min(point, len(points.thresholds) - 1)])


def minimum_detection_cost(
    scores: ArrayLike,
    is_target: ArrayLike,
    p_target: float = 0.01,
    miss_cost: float = 1.0,
    false_alarm_cost: float = 1.0,
    weights: ArrayLike | None = None,
) -> float:
    r"""Expected cost of a decision at the best threshold, as a share of deciding unheard.

    .. math::
        \min_t \frac{C_m \, p \, \mathrm{FRR}(t) + C_f \, (1 - p) \, \mathrm{FAR}(t)}
                    {\min(C_m \, p, \; C_f \, (1 - p))}

    with FRR and FAR as in :func:`equal_error_rate`; the denominator is the cost of the better of
    rejecting all and accepting all ("The NIST Year 2010 Speaker Recognition Evaluation Plan").

    Args:
        scores: (P,) finite scores
        is_target: (P,) booleans
        p_target: p, share of targets in use, whatever it is among the trials, in (0, 1)
        miss_cost: C_m, of a rejected target
        false_alarm_cost: C_f, of an accepted impostor
        weights: (P,) how often each trial counts, 0 or more and not only integers; None: once

    Returns:
        cost in [0, 1]

    Raises:
        ValueError: if trials are not as in :func:`equal_error_rate`, ``p_target`` is not in
            (0, 1), or a cost is not positive and finite

    >>> is_target = [True, True, False, False]
    >>> minimum_detection_cost([3, 1, 2, 0], is_target, p_target=0.5)  # t = 1: (0 + 1/4) / (1/2)
    0.5
    """
    costs = np.array([miss_cost * p_target, false_alarm_cost * (1 - p_target)])
    if not (0 < p_target < 1 and np.isfinite(costs).all() and (costs > 0).all()):
        raise ValueError(
            f"p_target is {p_target}, miss_cost {miss_cost} and false_alarm_cost "
            f"{false_alarm_cost}; expected p_target in (0, 1) and positive, finite costs."
        )
    points, target_weights, impostor_weights = _arranged(scores, is_target, weights)
    missed, rejected = _weight_below(target_weights), _weight_below(impostor_weights)
    misses = missed[points.targets_below] / missed[-1]  # (K + 1,)
    false_alarms = (rejected[-1] - rejected[points.impostors_below]) / rejected[-1]
    return float(np.min(costs[0] * misses + costs[1] * false_alarms) / costs.min())


class OperatingPoints(NamedTuple):
    """Rising thresholds, and the numbers of trials that each rejects; a last point rejects all."""

    thresholds: NDArray[np.float64]  # (K,)
    targets_below: NDArray[np.intp]  # (K + 1,)
    impostors_below: NDArray[np.intp]  # (K + 1,)


def operating_points(scores: NDArray, is_target: NDArray) -> OperatingPoints:
    """All operating points, from rising scores and their kinds."""
    first = np.flatnonzero(np.append(True, scores[1:] != scores[:-1]))  # (K,) of equal scores
    below = np.append(first, len(scores))
    targets_below = np.append(0, np.cumsum(is_target))[below]
    return OperatingPoints(scores[first], targets_below, below - targets_below)


def crossing(
    points: OperatingPoints, target_weights: NDArray, impostor_weights: NDArray
) -> tuple[float, int]:
    """Equal error rate, and the first point with FRR >= FAR; weights in the order of scores."""
    missed, rejected = _weight_below(target_weights), _weight_below(impostor_weights)

    def miss_rate(point: int) -> float:
        return missed[points.targets_below[point]] / missed[-1]

    def excess(point: int) -> float:
        accepted = rejected[-1] - rejected[points.impostors_below[point]]
        return miss_rate(point) - accepted / rejected[-1]

    # FRR - FAR rises from -1 at the lowest score to 1, so that few points need be looked at
    upper = bisect_left(range(len(points.thresholds)), True, key=lambda point: excess(point) >= 0)
    lower = upper - 1
    share = excess(lower) / (excess(lower) - excess(upper))
    return float(miss_rate(lower) + share * (miss_rate(upper) - miss_rate(lower))), upper


def _weight_below(weights: NDArray) -> NDArray[np.float64]:
    """Total weight of the first 0, 1, ..., all of the trials; exact for integers."""
    totals = np.zeros(len(weights) + 1)
    np.cumsum(weights, out=totals[1:])
    return totals


def _arranged(
    scores: ArrayLike, is_target: ArrayLike, weights: ArrayLike | None
) -> tuple[OperatingPoints, NDArray, NDArray]:
    """Operating points, and the weights of targets and of impostors in the order of scores."""
    s, targets, w = checked(scores, is_target, weights)
    order = np.argsort(s)
    if weights is not None:
        order = order[w[order] > 0]  # a score of weight 0 is no threshold
    kinds, w = targets[order], w[order]
    return operating_points(s[order], kinds), w[kinds], w[~kinds]


def checked(
    scores: ArrayLike, is_target: ArrayLike, weights: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Scores, kinds and weights as arrays; raises where they are none, or one kind is missing."""
    s, targets = np.asarray(scores, dtype=np.float64), np.asarray(is_target)
    w = np.ones(s.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    if s.ndim != 1 or not s.shape == targets.shape == w.shape:
        raise ValueError(
            f"scores are {s.shape}, is_target {targets.shape} and weights {w.shape}; "
            "expected the same (P,)."
        )
    for name, values in (("scores", s), ("weights", w)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} have NaN or infinite values; expected finite ones.")
    if (w < 0).any():
        raise ValueError(f"weights go down to {w.min()}; expected 0 or more.")
    if len(s) and targets.dtype != np.bool_:
        raise ValueError(f"is_target is {targets.dtype}; expected booleans.")
    targets = targets.astype(bool)
    for name, of_class in (("targets", targets), ("impostors", ~targets)):
        if not w[of_class].any():
            raise ValueError(
                f"the {len(s)} trials have {of_class.sum()} {name}, all weights together 0; "
                "expected both targets and impostors."
            )
    return s, targets, w
