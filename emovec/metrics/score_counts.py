"""Exact counts of all scores, in little memory.

Every score is counted in one of some thousand equal bins. Which bins hold an operating point that
is asked for is known when all are counted; the scores themselves are needed in these bins alone. So
all scores are held at first, and when they are too many, those are dropped which the counts so far,
of tiles in random order, rule out by a margin that leaves few enough. Should a bin that is
needed in the end be among the dropped, the products are computed again, and this time only its
scores are held. Either way the result is that of sorting all scores. What is held is little unless
most scores crowd in one bin of thousands, as when a tenth of all clips have scores of quite another
size.

Shapes: C cells, B bins, N clips, R and C' clips of the two sides of a block, P scores.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emovec.metrics.held_scores import HeldScores, Scores
from emovec.metrics.pair_blocks import Processes, ScoreGrid
from emovec.metrics.pairing import Pairing, Tile
from emovec.metrics.threads import in_threads

MOST_HELD = 2**25  # scores; 128 MiB
FIRST_LOOK = 2**22  # scores: dropping what is out of the question early saves holding it
WIDEST_MARGIN, NARROWEST_MARGIN = 0.2, 1e-5  # of a difference of rates
TOLD = 500  # targets of a cell; rates of fewer may yet move by more than the widest margin

# (C, B) bins that may decide: of targets (C, B), impostors (C, B) and a margin
Deciding = Callable[[NDArray[np.int64], NDArray[np.int64], float], NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class ScoreCounts:
    """What was counted of all cells.

    Attributes:
        targets: (C, B) of each bin
        impostors: (C, B) of each bin
        tried: (C, N) whether a clip has a trial
        exact: (C, B) bins whose scores are known
        target_scores: of each cell, in its exact bins
        impostor_scores: of each cell, in its exact bins
    """

    targets: NDArray[np.int64]
    impostors: NDArray[np.int64]
    tried: NDArray[np.bool_]
    exact: NDArray[np.bool_]
    target_scores: Sequence[Scores]
    impostor_scores: Sequence[Scores]


def count_scores(
    pairing: Pairing,
    grid: ScoreGrid,
    deciding: Deciding,
    processes: Processes,
    most_held: int = MOST_HELD,
) -> ScoreCounts:
    """Counts of all trials, and the scores in the bins that decide.

    Args:
        pairing: the trials
        grid: bins of their scores
        deciding: which bins hold an operating point that is asked for
        processes: that share the tiles
        most_held: scores at a time; more where a single bin has more different ones
    """
    tally = _Tally(pairing, grid)
    tally.count(processes, most_held, deciding)
    needed = deciding(tally.targets, tally.impostors, 0.0)
    if (needed & ~tally.keep).any():
        tally = _Tally(pairing, grid)
        tally.keep = needed
        tally.count(processes, most_held, None)
    tally.held.keep_only(needed)
    scores = tally.held.of_all(processes, len(needed))
    return ScoreCounts(tally.targets, tally.impostors, tally.tried, needed, *scores)


class _Tally:
    """Counts as they grow, and the scores that are held beside."""

    def __init__(self, pairing: Pairing, grid: ScoreGrid) -> None:
        cells = len(pairing.cells)
        self.pairing, self.grid = pairing, grid
        self.targets = np.zeros((cells, grid.bins), dtype=np.int64)
        self.impostors = np.zeros((cells, grid.bins), dtype=np.int64)
        self.tried = np.zeros((cells, len(pairing.clips)), dtype=bool)
        self.keep = np.ones((cells, grid.bins), dtype=bool)
        self.held = HeldScores(grid)
        self.margin = WIDEST_MARGIN
        self.first_seen = 0  # trials, when bins were dropped for the first time

    def count(self, processes: Processes, most_held: int, deciding: Deciding | None) -> None:
        """Count all tiles; without ``deciding`` nothing that is held is dropped on the way."""
        most = most_held if deciding is None else min(FIRST_LOOK, most_held)
        tiles = self.pairing.tiles[processes.rank :: processes.count]
        for add in in_threads(self._count_tile, tiles):
            add()
            if self.held.size > most:
                if deciding is not None:
                    self._drop(deciding, 4 * most_held // 5)
                most = min(most_held, max(FIRST_LOOK, 4 * self.held.size))
                if self.held.size > 4 * most_held // 5:
                    self.held.compress()
                    most = max(most_held, 5 * self.held.size // 4)
        self.targets = processes.add(self.targets)
        self.impostors = processes.add(self.impostors)
        self.tried = processes.add(self.tried) > 0
        self.keep = np.all(processes.gather(self.keep), axis=0)

    def _drop(self, deciding: Deciding, most: int) -> None:
        """Keep bins by a margin that leaves no more than so many scores.

        It falls with the root of the trials that have been counted, as chance does.
        """
        seen = self.targets + self.impostors
        self.first_seen = self.first_seen or int(seen.sum())
        self.margin = min(self.margin, WIDEST_MARGIN * math.sqrt(self.first_seen / seen.sum()))
        uncertain = self.targets.sum(axis=1, keepdims=True) < TOLD

        def kept() -> NDArray[np.bool_]:
            return self.keep & (uncertain | deciding(self.targets, self.impostors, self.margin))

        keep = kept()
        if seen[keep].sum() > most:
            uncertain[:] = False
            keep = kept()
        while seen[keep].sum() > most and self.margin > NARROWEST_MARGIN:
            self.margin *= 0.8
            keep = kept()
        self.keep = keep
        self.held.keep_only(keep)

    def _count_tile(self, tile: Tile) -> Callable[[], None]:
        """Look at a tile; what is returned adds what was found, one at a time."""
        block, keep = self.pairing.block(tile), self.keep[tile.cell]
        bins = self.grid.index(block.scores)  # (R, C')
        is_target = block.rows[:, None] == block.columns
        held = keep[bins]
        if block.allowed is not None:
            is_target &= block.allowed
            held &= block.allowed
        trials = bins if block.allowed is None else bins[block.allowed]
        all_counts = np.bincount(trials.ravel(), minlength=self.grid.bins)
        targets = np.bincount(bins[is_target], minlength=self.grid.bins)
        target_scores = block.scores[held & is_target]
        impostor_scores = block.scores[held & ~is_target]

        def add() -> None:
            self.targets[tile.cell] += targets
            self.impostors[tile.cell] += all_counts - targets
            for side, axis in ((tile.rows, 1), (tile.columns, 0)):
                tried = True if block.allowed is None else block.allowed.any(axis=axis)
                self.tried[tile.cell, side] |= tried
            self.held.add(tile.cell, True, target_scores)
            self.held.add(tile.cell, False, impostor_scores)

        return add
