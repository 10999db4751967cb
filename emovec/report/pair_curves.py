"""What of a matrix' counts is drawn: DET curves, and boxes of scores; also as small tables.

Shapes: B score bins, P points of a curve.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from emovec.metrics.pair_cells import Cell, PairMatrix
from emovec.tables.files import write_atomically

DET_TICKS = np.array([0.01, 0.1, 0.5, 1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99]) / 100
MOST_OF_POOL, MOST_OF_CELL = 200, 50  # points that det.csv has of a curve
TARGETS, IMPOSTORS = "targets", "impostors"


def write_curves(path: Path, matrix: PairMatrix) -> None:
    """DET curves of the pools, and of each emotion with itself unless it is not to be trusted.

    Columns: pair, threshold, far, frr; at thresholds as :func:`det_points` chooses them. Some tens
    of kilobytes, however many clips there are. Nothing is written where there is no curve.

    Raises:
        StorageError: if the file cannot be written
    """
    alone = [cell for cell in matrix.cells if len(set(cell.emotions)) == 1 and not cell.doubt]
    chosen = [(pool, MOST_OF_POOL) for pool in matrix.pools.values()]
    chosen += [(cell, MOST_OF_CELL) for cell in alone]
    _write(
        path,
        [
            {
                "pair": cell.name,
                "threshold": f"{threshold:.8g}",  # finer than bins: scores stay on their side
                "far": accepted,
                "frr": rejected,
            }
            for cell, most in chosen
            if cell.eer is not None
            for threshold, accepted, rejected in det_points(cell, matrix.bin_edges, most).T.tolist()
        ],
    )


def write_boxes(path: Path, matrix: PairMatrix, score: str) -> None:
    """The five numbers of each box that the figure of scores has, and of how many trials it is.

    Columns: box, its name in the figure; pair, the cell that it is of; trials, "targets" or
    "impostors", and their number; the five numbers; what a score is. Nothing is written where there
    is no box.

    Raises:
        StorageError: if the file cannot be written
    """
    _write(
        path,
        [
            {
                "box": box.label,
                "pair": box.cell.name,
                "trials": box.trials,
                "number": int(box.counts.sum()),
                **box.five_numbers(matrix.bin_edges)._asdict(),
                "score": score,
            }
            for box in boxes_of(matrix)
        ],
    )


def edge_rates(cell: Cell) -> NDArray[np.float64]:
    """(2, B + 1) false acceptance and false rejection rates at the edges of the score bins."""
    accepted = 1 - np.append(0, np.cumsum(cell.impostor_counts)) / cell.impostors
    rejected = np.append(0, np.cumsum(cell.target_counts)) / cell.targets
    return np.stack([accepted, rejected])


def det_points(cell: Cell, edges: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """(3, P) threshold, false acceptance and false rejection rate at places of a DET curve.

    At most so many, evenly along the curve: by the deviate of the rejections minus that of the
    acceptances, which rises with the threshold. Rates of 0 and 1 are left out, whose deviates are
    infinite.

    Args:
        cell: with targets and impostors
        edges: (B + 1,) of the score bins
        most: places, 2 or more
    """
    rates = edge_rates(cell)
    rates, thresholds = rates[:, inside(rates)], edges[inside(rates)]
    accepted, rejected = ndtri(rates)
    along = rejected - accepted
    places = np.flatnonzero(np.diff(along, prepend=-np.inf) > 0)  # where scores are, it rises
    if len(places) > most:
        wanted = np.linspace(along[places[0]], along[places[-1]], most)
        behind = np.clip(np.searchsorted(along[places], wanted), 1, len(places) - 1)
        below, above = (along[places[behind - step]] for step in (1, 0))
        places = np.unique(places[np.where(wanted - below < above - wanted, behind - 1, behind)])
    return np.stack([thresholds[places], *rates[:, places]])


def inside(rates: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(P,) where none of rates (2, P) is 0 or 1."""
    return np.all((rates > 0) & (rates < 1), axis=0)


def det_ticks(rates: ArrayLike) -> NDArray[np.float64]:
    """Rates to mark on both axes of DET curves with such equal error rates.

    About their crossing: wider, the curves are steps of single trials.
    """
    low, high = np.min(rates), np.max(rates)
    first = max(np.searchsorted(DET_TICKS, low / 20, side="right") - 1, 0)
    last = np.searchsorted(DET_TICKS, min(high + 0.35, DET_TICKS[-1]))
    return DET_TICKS[first : last + 1]


class FiveNumbers(NamedTuple):
    """Scores that a box plot is drawn of."""

    whisker_low: float
    lower_quartile: float
    median: float
    upper_quartile: float
    whisker_high: float


@dataclass(frozen=True, eq=False)
class Box:
    """A box of scores.

    Attributes:
        label: its name
        cell: that it is of
        trials: "targets" or "impostors", whose scores they are
    """

    label: str
    cell: Cell
    trials: str = TARGETS

    @property
    def counts(self) -> NDArray[np.int64]:
        """(B,) trials in each score bin."""
        return self.cell.target_counts if self.trials == TARGETS else self.cell.impostor_counts

    def five_numbers(self, edges: NDArray[np.float64]) -> FiveNumbers:
        """Quartiles, and the outermost scores within 1.5 times the height of the box from it.

        Tukey (1977), "Exploratory Data Analysis"; exact to the width of a score bin.

        Args:
            edges: (B + 1,) of the score bins
        """
        lower, median, upper = (quantile(self.counts, edges, q) for q in (0.25, 0.5, 0.75))
        middles = (edges[:-1] + edges[1:]) / 2
        reach = 1.5 * (upper - lower)
        near = (middles >= lower - reach) & (middles <= upper + reach) & (self.counts > 0)
        # never empty: the box is half a bin or higher, so the bins of its ends are near
        low, high = min(middles[near][0], lower), max(middles[near][-1], upper)
        return FiveNumbers(float(low), lower, median, upper, float(high))


def boxes_of(matrix: PairMatrix) -> list[Box]:
    """Targets and impostors of the reference emotion with itself, then targets of all cross pairs.

    The first two are "genuine" and "impostor", as in Sandler & Ross (2022), arXiv 2211.08213.
    """
    reference = next((cell for cell in matrix.cells if cell.name == matrix.reference), None)
    boxes = []
    if reference is not None:
        boxes += [Box("genuine", reference), Box("impostor", reference, IMPOSTORS)]
    pairs = [cell for cell in matrix.cells if len(set(cell.emotions)) == 2 and cell.targets]
    return boxes + [Box(cell.name, cell) for cell in pairs]


def quantile(counts: NDArray[np.int64], edges: NDArray[np.float64], share: float) -> float:
    """Score that a share in (0, 1] lies below, as if scores were spread evenly in each bin.

    >>> quantile(np.array([1, 0, 3]), np.array([0.0, 1.0, 2.0, 3.0]), 0.5)
    2.3333333333333335
    """
    below = np.append(0, np.cumsum(counts))
    wanted = share * below[-1]
    place = int(np.searchsorted(below[1:], wanted))
    part = (wanted - below[place]) / counts[place]
    return float(edges[place] + part * (edges[place + 1] - edges[place]))


def _write(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """A table of numbers with six digits, unless it is empty."""
    if rows:
        with write_atomically(path) as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(rows[0])
            table.writerows(_texts(row) for row in rows)


def _texts(row: Mapping[str, object]) -> Iterator[object]:
    return (f"{value:.6g}" if isinstance(value, float) else value for value in row.values())
