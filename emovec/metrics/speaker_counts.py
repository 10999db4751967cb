"""Trials counted by speaker and by a few bins of score: what resampling of speakers reads.

Shapes: R and C clips of the two sides of a block, B bins of the grid, K coarse bins, S speakers.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emovec.metrics.pair_blocks import Block, ScoreGrid
from emovec.metrics.pair_cells import Cell

STRIP = 64  # rows at a time, so that their scores, bins and counts stay in the cache


@dataclass(frozen=True, eq=False)
class CoarseBins:
    """Few bins of scores, each a run of bins of a grid.

    Attributes:
        grid: the fine bins
        coarse: (B,) coarse bin of each, rising from 0
    """

    grid: ScoreGrid
    coarse: NDArray[np.intp]

    def __len__(self) -> int:
        return int(self.coarse[-1]) + 1

    def index(self, scores: NDArray[np.float32]) -> NDArray[np.intp]:
        """Coarse bin of each score."""
        return self.coarse[self.grid.index(scores)]


def coarse_bins(cells: Sequence[Cell], grid: ScoreGrid, most: int) -> CoarseBins:
    """Runs of the grid's bins, none of which holds much of the trials of any cell.

    A bin weighs as much as the largest share that it has of the targets or of the impostors of a
    cell; runs weigh about the same. Rates are known at the bounds of a run and taken as linear
    between, which leaves an error of second order in the share, some 1e-5 for 512 runs; where a
    cell has fewer trials than there are runs, it is part of a trial.

    Args:
        cells: with counts over ``grid``
        grid: the fine bins
        most: runs, or fewer

    >>> counts = np.array([0, 8, 0, 4, 4, 0])
    >>> cell = Cell(name="", emotions=(), targets=16, impostors=16, clips=9, speakers=2,
    ...             target_counts=counts, impostor_counts=counts)
    >>> coarse_bins([cell], ScoreGrid(-1, 1, 6), most=4).coarse.tolist()
    [0, 1, 2, 2, 3, 3]
    """
    weights = np.zeros(grid.bins)
    for cell in cells:
        for counts in (cell.target_counts, cell.impostor_counts):
            np.maximum(weights, counts / max(counts.sum(), 1), out=weights)
    step = max(weights.sum(), 1.0) / most
    middles = np.cumsum(weights) - weights / 2  # so that a heavy bin is on its own
    runs = np.floor(np.minimum(middles / step, most - 0.5))
    return CoarseBins(grid, np.cumsum(np.diff(runs, prepend=runs[0]) > 0))


def pair_counts(blocks: Iterable[Block], bins: CoarseBins, speakers: int) -> NDArray[np.int32]:
    """Trials of each pair of speakers in each coarse bin, whichever of them is on which side.

    Args:
        blocks: scored pairs of clips
        bins: K of them
        speakers: S

    Returns:
        (S (S - 1) / 2 + S, K) impostor trials of the speakers (0, 1), (0, 2), ..., (1, 2), ...,
        then target trials of 0, 1, ...
    """
    first, second = np.triu_indices(speakers, 1)
    row_of = np.zeros((speakers, speakers), dtype=np.intp)
    row_of[first, second] = row_of[second, first] = np.arange(len(first))
    np.fill_diagonal(row_of, len(first) + np.arange(speakers))
    counts = np.zeros((len(first) + speakers, len(bins)), dtype=np.int32)
    one = np.int32(1)  # of the same type, which is 20 times as fast
    for block in blocks:
        begins = row_of[:, block.columns] * len(bins)  # (S, C)
        for rows, places, allowed in _strips(block, bins):
            places += begins[rows]
            np.add.at(counts.reshape(-1), _chosen(places, allowed), one)
    return counts


def speaker_counts(
    blocks: Iterable[Block], bins: CoarseBins, speakers: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Trials of each speaker in each coarse bin; linear in S where :func:`pair_counts` has squares.

    Args:
        blocks: scored pairs of clips
        bins: K of them
        speakers: S

    Returns:
        (S, K) target trials, and (S, K) impostor trials, those of two speakers at both of them
    """
    targets, sides = (np.zeros((speakers, len(bins)), dtype=np.int64) for _ in range(2))
    for block in blocks:
        for rows, places, allowed in _strips(block, bins):
            same = rows[:, None] == block.columns
            _add(sides, rows, places, allowed)
            _add(targets, rows, places, same if allowed is None else same & allowed)
        for rows, places, allowed in _strips(_turned(block), bins):
            _add(sides, rows, places, allowed)
    return targets, sides - 2 * targets


def _strips(
    block: Block, bins: CoarseBins
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.intp], NDArray[np.bool_] | None]]:
    """Speakers (n,), coarse bins (n, C) and allowed trials of n rows, speaker after speaker."""
    order = np.argsort(block.rows, kind="stable")
    for begin in range(0, len(order), STRIP):
        strip = order[begin : begin + STRIP]
        allowed = None if block.allowed is None else block.allowed[strip]
        yield block.rows[strip], bins.index(block.scores[strip]), allowed


def _turned(block: Block) -> Block:
    allowed = None if block.allowed is None else block.allowed.T
    return Block(block.scores.T, block.columns, block.rows, allowed)


def _chosen(places: NDArray[np.intp], allowed: NDArray[np.bool_] | None) -> NDArray[np.intp]:
    return places.ravel() if allowed is None else places[allowed]


def _add(
    counts: NDArray[np.int64],
    rows: NDArray[np.int32],
    bins: NDArray[np.intp],
    allowed: NDArray[np.bool_] | None,
) -> None:
    """Add the trials (n, C) of n rows to the counts (S, K) of the rows' speakers."""
    speakers, turn = np.unique(rows, return_inverse=True)
    width = counts.shape[1]
    places = _chosen(bins + turn[:, None] * width, allowed)
    found = np.bincount(places, minlength=len(speakers) * width)
    counts[speakers] += found.reshape(-1, width)
