"""Operating points of pooled cells, from counts in bins and the scores in the bins that decide.

Shapes: C cells, B bins, G groups of cells.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from emovec.metrics.held_scores import merged
from emovec.metrics.pair_blocks import ScoreGrid
from emovec.metrics.score_counts import ScoreCounts

P_TARGETS = (0.01, 0.05)  # of the minimum detection costs

# Cells of which an operating point is asked for, alone or pooled
Groups = Sequence[Sequence[int]]


class WeightedTrials(NamedTuple):
    """Trials whose scores are exact where it matters; arguments of ``equal_error_rate``."""

    scores: NDArray[np.float64]
    is_target: NDArray[np.bool_]
    weights: NDArray[np.float64]


def deciding_bins(
    targets: NDArray[np.int64],
    impostors: NDArray[np.int64],
    groups: Groups,
    reference: int | None,
    margin: float,
) -> NDArray[np.bool_]:
    """Bins (C, B) whose scores decide on an equal error rate, a cost, or the reference threshold.

    Args:
        targets: (C, B) of each bin
        impostors: (C, B) of each bin
        groups: of cells
        reference: the cell whose threshold is used for all; None: there is none
        margin: by which rates may change before all are counted
    """
    keep = np.zeros(targets.shape, dtype=bool)
    for group in groups:
        of_group = targets[group].sum(axis=0), impostors[group].sum(axis=0)  # (B,), (B,)
        if of_group[0].any() and of_group[1].any():
            crossing, *cheapest = _deciding(*of_group, margin)
            keep[group] |= np.logical_or.reduce([crossing, *cheapest])
            if list(group) == [reference]:
                keep |= crossing
    return keep


def trials_of(counts: ScoreCounts, group: Sequence[int], grid: ScoreGrid) -> WeightedTrials:
    """Trials of some cells; in bins that do not decide, all have the score of the middle.

    Equal error rate, its threshold and minimum detection cost of these are those of all scores.
    """
    middles = grid.edges[:-1] + np.diff(grid.edges) / 2  # (B,)
    exact = np.all(counts.exact[group], axis=0)  # (B,)
    kinds = []
    for bins, scores in (
        (counts.targets, counts.target_scores),
        (counts.impostors, counts.impostor_scores),
    ):
        total = bins[group].sum(axis=0)
        coarse = np.flatnonzero((total > 0) & ~exact)
        fine = merged([scores[cell] for cell in group])
        known = exact[grid.index(fine.values)]
        kinds.append(
            (
                np.concatenate([middles[coarse], fine.values[known]]),
                np.concatenate([total[coarse], fine.counts[known]]),
            )
        )
    return WeightedTrials(
        np.concatenate([scores for scores, _ in kinds]).astype(np.float64),
        np.repeat([True, False], [len(scores) for scores, _ in kinds]),
        np.concatenate([weights for _, weights in kinds]).astype(np.float64),
    )


def rates_at(trials: WeightedTrials, threshold: float) -> tuple[float, float]:
    """False rejection and false acceptance rate, (FRR, FAR), at a threshold in an exact bin."""
    below = trials.scores < threshold
    missed, rejected = (
        trials.weights[below & kind].sum() / trials.weights[kind].sum()
        for kind in (trials.is_target, ~trials.is_target)
    )
    return float(missed), float(1 - rejected)


def _deciding(
    targets: NDArray[np.int64], impostors: NDArray[np.int64], margin: float
) -> Iterable[NDArray[np.bool_]]:
    """Bins (B,) for the equal error rate, and for each cost.

    With a margin, counts are not whole, and a bin that is empty so far may be filled yet.
    """
    below = [np.append(0, np.cumsum(counts)) for counts in (targets, impostors)]  # (B + 1,)
    missed = below[0] / below[0][-1]  # FRR at the bins' edges
    accepted = (below[1][-1] - below[1]) / below[1][-1]  # FAR
    has_targets, has_impostors = targets > 0, impostors > 0
    if margin:
        has_targets = has_impostors = np.ones(len(targets), dtype=bool)
    filled = has_targets | has_impostors
    excess = missed - accepted  # rises from -1 to 1
    crossing = filled & (excess[:-1] - margin < 0) & (excess[1:] + margin >= 0)
    # where the crossing is at the lowest score behind a bin, that score is the threshold
    behind = np.flatnonzero(filled & (excess[:-1] - margin >= 0))
    crossing[behind[:1]] = True
    yield crossing
    for p in P_TARGETS:
        scale = min(p, 1 - p)
        cost = (p * missed + (1 - p) * accepted) / scale
        lowest = (p * missed[:-1] + (1 - p) * accepted[1:]) / scale  # of any score in a bin
        yield has_targets & has_impostors & (lowest < cost.min() + margin)
