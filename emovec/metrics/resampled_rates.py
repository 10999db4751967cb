"""Rates of resamples at a score that each of them sets: where its own two rates are equal.

Shapes: R resamples, K coarse bins of score.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from emovec.metrics.speaker_weights import Weights

UNCERTAIN = 2.0  # standard errors on either side

Bounds = NDArray[np.float64]  # (R, K + 1) rates at the bounds of bins


class Places(NamedTuple):
    """A score of each resample, as its place among the bounds of the coarse bins."""

    upper: NDArray[np.intp]  # (R,) the bound above it
    share: NDArray[np.float64]  # (R,) of the way to there; NaN if there is no such score

    def rates(self, bounds: Bounds) -> NDArray[np.float64]:
        """Rates (R,) there, of rates (R, K + 1) at the bounds."""
        row = np.arange(len(bounds))
        lower, upper = bounds[row, self.upper - 1], bounds[row, self.upper]
        return lower + self.share * (upper - lower)


class Moves(NamedTuple):
    """A score of all speakers, and how far it moves without each of them.

    Rates move with it by their slope, that of the chord over the range in which the score is
    uncertain: a slope from trial to trial is noise, and the jackknife inconsistent with it.
    """

    places: tuple[float, float, float]  # among the bounds: of the score, and an end on either side
    moves: NDArray[np.float64]  # (R,) in parts of the way from one end to the other

    def rates(self, bounds: Bounds) -> NDArray[np.float64]:
        """Rates (R,) there, of rates (R, K + 1) at the bounds."""
        at, low, high = (_between(bounds, place) for place in self.places)
        return at + self.moves * np.mean(high - low)


def rates_at_bounds(weights: Weights) -> tuple[Bounds, Bounds]:
    """(R, K + 1) false rejection and false acceptance rates; NaN where there are no trials."""
    shares = []
    for of_kind in weights:
        below = np.zeros((len(of_kind), of_kind.shape[1] + 1))
        np.cumsum(of_kind, axis=1, dtype=np.float64, out=below[:, 1:])
        total = np.where(below[:, -1:] > 0, below[:, -1:], np.nan)
        shares.append(below / total)
    return shares[0], 1 - shares[1]


def crossings(missed: Bounds, accepted: Bounds) -> Places:
    """Where both rates (R, K + 1) of each resample are equal."""
    excess = missed - accepted  # (R, K + 1) rises from -1 to 1
    upper = np.argmax(excess >= 0, axis=1)
    below, above = (excess[np.arange(len(upper)), bound] for bound in (upper - 1, upper))
    return Places(upper, below / (below - above))


def moved_crossing(missed: Bounds, accepted: Bounds) -> Moves:
    """Where both rates (R, K + 1) are equal, and how far that moves without each speaker."""
    excess = missed - accepted  # (R, K + 1)
    of_all = excess.mean(axis=0)
    if np.isnan(of_all).any():
        return Moves((0.0, 0.0, 0.0), np.full(len(excess), np.nan))
    bounds = np.arange(len(of_all))
    place = float(np.interp(0, of_all, bounds))
    without = _between(excess, place)
    reach = float(np.clip(UNCERTAIN * np.sqrt(np.sum(without**2)), 1e-6, 1))
    low, high = (float(np.interp(end, of_all, bounds)) for end in (-reach, reach))
    return Moves((place, low, high), -without / (2 * reach))


def _between(bounds: Bounds, place: float) -> NDArray[np.float64]:
    """Rates (R,) at one place of all resamples."""
    lower = min(int(place), bounds.shape[1] - 2)
    return bounds[:, lower] + (place - lower) * (bounds[:, lower + 1] - bounds[:, lower])
