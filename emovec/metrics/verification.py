"""Metrics of speaker verification: trials have a score, higher for one and the same speaker.

Shapes: P trials, N clips, E numbers an embedding, K different scores.
"""

from bisect import bisect_left
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emovec.metrics.intervals import Interval


@dataclass(frozen=True, eq=False)
class Trials:
    """Scored pairs of clips; a target has the same speaker on both sides.

    Args:
        scores: (P,) higher for one and the same speaker
        is_target: (P,) whether ``first`` is ``second``
        first: (P,) number of the speaker on the one side
        second: (P,) number of the speaker on the other side

    Raises:
        ValueError: if the shapes differ or are not (P,), or ``is_target`` contradicts the speakers
    """

    scores: NDArray[np.float32]
    is_target: NDArray[np.bool_]
    first: NDArray[np.integer]
    second: NDArray[np.integer]

    def __post_init__(self) -> None:
        shapes = [np.shape(of) for of in (self.scores, self.is_target, self.first, self.second)]
        if len(shapes[0]) != 1 or len(set(shapes)) > 1:
            raise ValueError(
                f"scores, is_target, first and second are {shapes}; expected the same (P,)."
            )
        wrong = np.flatnonzero(self.is_target != (self.first == self.second))
        if len(wrong):
            raise ValueError(
                f"{len(wrong)} trials, the first of them {wrong[0]}, contradict their speakers; "
                "expected is_target where first equals second, and only there."
            )


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
    rate, point = _crossing(points, target_weights, impostor_weights)
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


def all_pairs(
    embeddings: ArrayLike, speakers: ArrayLike, groups: ArrayLike | None = None
) -> Trials:
    r"""Cosine similarity of every unordered pair of clips, :math:`x \cdot y / (|x| \, |y|)`.

    The pairs i < j come in the order (0, 1), (0, 2), ..., (1, 2), ...; speakers are numbered in
    their sorted order. All N x N similarities are held at a time, 36 MB for 3000 clips, whose
    4.5 million trials are 58 MB.

    Args:
        embeddings: (N, E) finite vectors, none of them zero
        speakers: (N,) speaker of each clip, integers or strings
        groups: (N,) group of each clip, such as the speaker's gender, integers or strings: only
            clips of the same group are paired; None: all are

    Returns:
        N (N - 1) / 2 trials, fewer with groups

    Raises:
        ValueError: if the shapes differ, N < 2, an embedding is zero, NaN or infinite, or
            speakers or groups are neither integers nor strings

    >>> trials = all_pairs([[1, 0], [0, 2], [3, 0]], ["a", "b", "a"])
    >>> trials.scores.tolist(), trials.is_target.tolist()
    ([0.0, 1.0, 0.0], [False, True, False])
    >>> trials.first.tolist(), trials.second.tolist()
    ([0, 0, 1], [1, 0, 0])
    """
    x = np.asarray(embeddings, dtype=np.float64)
    if x.ndim != 2 or len(x) < 2:
        raise ValueError(f"embeddings are {x.shape}; expected (N, E) with N >= 2.")
    lengths = np.linalg.norm(x, axis=1, keepdims=True)  # (N, 1)
    unusable = np.flatnonzero(~np.isfinite(lengths) | (lengths == 0))
    if len(unusable):
        raise ValueError(
            f"embeddings {unusable[:5].tolist()} ({len(unusable)} in all) are zero, NaN or "
            "infinite; expected finite vectors with a direction. Leave these clips out."
        )
    unit = (x / lengths).astype(np.float32)
    speaker = _numbers("speakers", speakers, len(x))
    paired = np.tri(len(x), k=-1, dtype=bool).T  # (N, N), i < j
    if groups is not None:
        group = _numbers("groups", groups, len(x))
        paired = paired & (group[:, None] == group)
    first, second = (
        np.broadcast_to(of, paired.shape)[paired] for of in (speaker[:, None], speaker)
    )
    scores = (unit @ unit.T)[paired].clip(-1, 1)  # rounding can pass 1
    return Trials(scores, first == second, first, second)


def equal_error_rate_interval(trials: Trials, draws: int = 1000, seed: int = 0) -> Interval | None:
    """95 % interval of the equal error rate by the percentile bootstrap over speakers.

    A draw takes S of the S speakers that have trials, with replacement. One drawn c times is c
    speakers with the same voice: its target trials weigh c, and the impostor trials of speakers
    i and j weigh c_i c_j; the copies of one speaker are not paired with each other (Davezies et
    al., 2021, "Empirical process results for exchangeable arrays", Annals of Statistics 49,
    845-862). A draw without any target or without any impostor has no rate, and is drawn again.
    The 2.5th and 97.5th percentile over the draws bound the interval. In simulation, 95 % of a
    rate of 0.23 are about 92 % at 6 and 12 speakers, and 94 % at 24; where no trial is in error,
    no draw has one, and the interval (0, 0) is too narrow.

    A draw is linear in P, some 5 ms for a million trials; lower ``draws`` for many millions.

    Args:
        trials: P scored trials with their speakers
        draws: how often to resample, at least once
        seed: of the draws

    Returns:
        lower and upper bound, or None for fewer than two speakers

    Raises:
        ValueError: if scores are NaN or infinite, there are no targets or no impostors, or
            ``draws`` is not positive

    >>> trials = all_pairs([[1, 0], [2, 0], [0, 1], [0, 2]], ["a", "a", "b", "b"])
    >>> equal_error_rate_interval(trials, draws=10)
    (0.0, 0.0)
    """
    if draws < 1:
        raise ValueError(f"draws is {draws}; expected 1 or more.")
    names, sides = np.unique(np.stack([trials.first, trials.second]), return_inverse=True)
    if len(names) < 2:
        return None
    scores, is_target, _ = _checked(trials.scores, trials.is_target, None)
    targets, impostors = _sorted_classes(scores, is_target)
    points = _operating_points(scores[targets], scores[impostors])
    first, second = sides.reshape(2, -1)  # NumPy 1.26 returns them flat
    target, one, other = first[targets], first[impostors], second[impostors]
    random = np.random.default_rng(seed)
    rates: list[float] = []
    while len(rates) < draws:
        drawn = random.integers(len(names), size=len(names))
        times = np.bincount(drawn, minlength=len(names)).astype(np.float64)  # (S,)
        target_weights, impostor_weights = times[target], times[one] * times[other]
        if target_weights.any() and impostor_weights.any():
            rates.append(_crossing(points, target_weights, impostor_weights)[0])
    low, high = np.quantile(rates, [0.025, 0.975])
    return float(low), float(high)


class _OperatingPoints(NamedTuple):
    """Rising thresholds, and the numbers of trials that each rejects; a last point rejects all."""

    thresholds: NDArray[np.float64]  # (K,)
    targets_below: NDArray[np.intp]  # (K + 1,)
    impostors_below: NDArray[np.intp]  # (K + 1,)


def _operating_points(targets: NDArray, impostors: NDArray) -> _OperatingPoints:
    """All operating points, from the sorted scores of both classes."""
    thresholds = np.unique(np.concatenate([targets, impostors]))
    below = (np.append(np.searchsorted(of, thresholds), len(of)) for of in (targets, impostors))
    return _OperatingPoints(thresholds, *below)


def _crossing(
    points: _OperatingPoints, target_weights: NDArray, impostor_weights: NDArray
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
) -> tuple[_OperatingPoints, NDArray, NDArray]:
    """Operating points, and the weights of targets and of impostors in the order of scores."""
    checked = _checked(scores, is_target, weights)
    counted = checked[2] > 0  # a score of weight 0 is no threshold
    s, is_target, w = (values[counted] for values in checked)
    targets, impostors = _sorted_classes(s, is_target)
    return _operating_points(s[targets], s[impostors]), w[targets], w[impostors]


def _sorted_classes(scores: NDArray, is_target: NDArray) -> tuple[NDArray, NDArray]:
    """Places of targets and of impostors in the order of their scores."""
    order = np.argsort(scores)
    return order[is_target[order]], order[~is_target[order]]


def _checked(
    scores: ArrayLike, is_target: ArrayLike, weights: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
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


def _numbers(name: str, labels: ArrayLike, clips: int) -> NDArray[np.int32]:
    """Number of each clip's label, in the sorted order of labels."""
    values = np.asarray(labels)
    if values.shape != (clips,):
        raise ValueError(f"{name} are {values.shape}; expected ({clips},) as there are embeddings.")
    if values.dtype.kind not in "biuU":
        raise ValueError(f"{name} are {values.dtype}; expected integers or strings.")
    return np.unique(values, return_inverse=True)[1].astype(np.int32)
