"""Scores that are held while others are only counted.

Shapes: C cells, B bins, P scores.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emovec.metrics.pair_blocks import Processes, ScoreGrid


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of trials, and how many trials have each.

    Attributes:
        values: (P,)
        counts: (P,); None: one each
    """

    values: NDArray[np.float32]
    counts: NDArray[np.int64] | None = None

    def __getitem__(self, which: NDArray[np.bool_]) -> "Scores":
        return Scores(self.values[which], None if self.counts is None else self.counts[which])


class HeldScores:
    """Scores by cell and kind of trial.

    Args:
        grid: bins by which scores are dropped
    """

    def __init__(self, grid: ScoreGrid) -> None:
        self.grid = grid
        self.size = 0
        self._chunks: dict[tuple[int, bool], list[Scores]] = defaultdict(list)

    def add(self, cell: int, is_target: bool, values: NDArray[np.float32]) -> None:
        """Hold scores of trials of a cell."""
        if len(values):
            self._chunks[cell, is_target].append(Scores(values))
            self.size += len(values)

    def keep_only(self, bins: NDArray[np.bool_]) -> None:
        """Drop what is not in the bins (C, B)."""
        for key, chunks in self._chunks.items():
            kept = [bins[key[0]][self.grid.index(chunk.values)] for chunk in chunks]
            self._chunks[key] = [
                chunk[which] for chunk, which in zip(chunks, kept, strict=True) if which.any()
            ]
        self._measure()

    def compress(self) -> None:
        """Hold each different score once."""
        self._chunks.update({key: [merged(chunks)] for key, chunks in self._chunks.items()})
        self._measure()

    def of_all(self, processes: Processes, cells: int) -> tuple[list[Scores], list[Scores]]:
        """Targets and impostors of each cell, what other processes hold included."""
        self.compress()
        parts = processes.gather({key: chunks[0] for key, chunks in self._chunks.items()})
        targets, impostors = (
            [
                merged([part[cell, kind] for part in parts if (cell, kind) in part])
                for cell in range(cells)
            ]
            for kind in (True, False)
        )
        return targets, impostors

    def _measure(self) -> None:
        self.size = sum(len(chunk.values) for chunks in self._chunks.values() for chunk in chunks)


def merged(chunks: Sequence[Scores]) -> Scores:
    """All scores of some chunks in rising order, each different one once.

    >>> one = Scores(np.float32([2, 1]))
    >>> merged([one, one]).counts.tolist()
    [2, 2]
    """
    values = np.concatenate([np.empty(0, np.float32), *(chunk.values for chunk in chunks)])
    if all(chunk.counts is None for chunk in chunks):
        return Scores(*np.unique(values, return_counts=True))
    counts = [np.ones(len(c.values), int) if c.counts is None else c.counts for c in chunks]
    different, places = np.unique(values, return_inverse=True)
    totals = np.zeros(len(different), dtype=np.int64)
    np.add.at(totals, places, np.concatenate(counts))
    return Scores(different, totals)
