"""Blocks of scored pairs of clips, and who computes them: what counting and resampling read.

Shapes: R and C clips of the two sides of a block, B score bins.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Block:
    """Some clips against others.

    Attributes:
        scores: (R, C)
        rows: (R,) speaker of each clip on the one side, as numbers
        columns: (C,) speaker of each clip on the other side
        allowed: (R, C) which pairs are trials; None: all are
    """

    scores: NDArray[np.float32]
    rows: NDArray[np.int32]
    columns: NDArray[np.int32]
    allowed: NDArray[np.bool_] | None


@dataclass(frozen=True)
class ScoreGrid:
    """Equal bins of scores; the first and the last also hold what lies beyond.

    Attributes:
        low: where the first bin begins
        high: where the last one ends; above ``low``
        bins: how many
    """

    low: float
    high: float
    bins: int

    @property
    def edges(self) -> NDArray[np.float64]:
        """(B + 1,) rising scores that bound the bins."""
        return np.linspace(self.low, self.high, self.bins + 1)

    def index(self, scores: NDArray[np.float32]) -> NDArray[np.intp]:
        """Bin of each score; never falls where scores rise, whatever the rounding.

        >>> ScoreGrid(0, 1, 4).index(np.array([-7, 0, 0.3, 0.75, 9], dtype=np.float32)).tolist()
        [0, 0, 1, 3, 3]
        """
        places = scores - np.float32(self.low)
        places *= np.float32(self.bins / (self.high - self.low))
        np.clip(places, 0, self.bins - 1, out=places)
        return places.astype(np.intp)


FARTHEST = 20  # interquartile ranges


def grid_around(scores: NDArray[np.float32], bins: int) -> ScoreGrid:
    """Bins for scores such as these, none so narrow that rounding could mistake it for another.

    They reach to 20 interquartile ranges from the median at most, lest a few extreme scores crowd
    all others into few bins.

    Raises:
        ValueError: if a score is NaN or infinite

    >>> grid_around(np.float32([0.5, 0.5]), 1024).index(np.float32([0.5])).tolist()
    [512]
    """
    if not np.isfinite(scores).all():
        raise ValueError("scores are NaN or infinite; expected embeddings of a usual size.")
    low, lower, middle, upper, high = np.quantile(
        scores.astype(np.float64), [0, 0.25, 0.5, 0.75, 1]
    )
    reach = FARTHEST * (upper - lower)
    if reach > 0:
        low, high = max(low, middle - reach), min(high, middle + reach)
    rounding = max(float(np.spacing(np.float32(max(abs(low), abs(high))))), 1e-30)
    finest = 8 * bins * rounding
    beyond = max(0.05 * (high - low), finest - (high - low)) / 2
    return ScoreGrid(float(np.float32(low - beyond)), float(np.float32(high + beyond)), bins)


def _alone(value: Any) -> list[Any]:
    return [value]


@dataclass(frozen=True)
class Processes:
    """Processes that share the blocks of one job.

    Attributes:
        rank: number of this one
        count: how many there are
        gather: called by all of them at once, gives each the values of all, in order of rank
    """

    rank: int = 0
    count: int = 1
    gather: Callable[[Any], list[Any]] = _alone

    def add(self, values: NDArray) -> NDArray:
        """Sum over all processes."""
        return values if self.count == 1 else np.sum(self.gather(values), axis=0)


ALONE = Processes()
