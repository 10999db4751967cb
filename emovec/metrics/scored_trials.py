"""Lists of scored trials, such as those that a corpus publishes, and intervals of their rates.

Shapes: P trials, S speakers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emovec.metrics.intervals import Interval
from emovec.metrics.resampling import BOOTSTRAP, interval
from emovec.metrics.verification import checked, crossing, operating_points


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


def equal_error_rate_interval(trials: Trials, draws: int = 1000, seed: int = 0) -> Interval | None:
    """95 % interval of the equal error rate by the bootstrap over speakers.

    A draw takes S of the S speakers that have trials, with replacement. One drawn c times is c
    speakers with the same voice: its target trials weigh c, and the impostor trials of speakers
    i and j weigh c_i c_j; the copies of one speaker are not paired with each other (Davezies et
    al., 2021, "Empirical process results for exchangeable arrays", Annals of Statistics 49,
    845-862). A draw without any target or without any impostor has no rate, and is drawn again.
    The bounds are those of :func:`~emovec.metrics.resampling.interval`, which says how often they
    cover the truth.

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

    >>> first, second = np.array([0, 0, 0, 1]), np.array([0, 1, 1, 1])
    >>> trials = Trials(np.array([0.9, 0.1, 0.3, 0.8]), first == second, first, second)
    >>> equal_error_rate_interval(trials, draws=10)
    (0.0, 0.0)
    """
    if draws < 1:
        raise ValueError(f"draws is {draws}; expected 1 or more.")
    names, sides = np.unique(np.stack([trials.first, trials.second]), return_inverse=True)
    if len(names) < 2:
        return None
    scores, is_target, _ = checked(trials.scores, trials.is_target, None)
    order = np.argsort(scores)
    kinds = is_target[order]
    points = operating_points(scores[order], kinds)
    first, second = sides.reshape(2, -1)[:, order]  # NumPy 1.26 returns them flat
    target, one, other = first[kinds], first[~kinds], second[~kinds]
    random = np.random.default_rng(seed)
    rates: list[float] = []
    while len(rates) < draws:
        drawn = random.integers(len(names), size=len(names))
        times = np.bincount(drawn, minlength=len(names)).astype(np.float64)  # (S,)
        target_weights, impostor_weights = times[target], times[one] * times[other]
        if target_weights.any() and impostor_weights.any():
            rates.append(crossing(points, target_weights, impostor_weights)[0])
    rate, _ = crossing(points, np.ones(kinds.sum()), np.ones((~kinds).sum()))
    return interval(rate, np.array(rates), BOOTSTRAP, len(names))
