"""Two encoders on the same trials: differences of their rates, from the same resamples.

Shapes: R resamples.
"""

from dataclasses import dataclass

from emovec.metrics.intervals import Interval
from emovec.metrics.pair_cells import Cell, PairMatrix
from emovec.metrics.resampling import interval as interval_of
from emovec.tables.results import ResultError


@dataclass(frozen=True)
class Difference:
    """Equal error rates of two encoders on the trials of one cell.

    Attributes:
        cell: the first encoder's
        other_eer: the other encoder's rate
        value: the first rate minus the other: negative where the first encoder is the better one
        interval: 95 %, of the value; None where there are no resamples
    """

    cell: Cell
    other_eer: float
    value: float
    interval: Interval | None


def differences(matrix: PairMatrix, other: PairMatrix) -> list[Difference]:
    """Differences of two encoders in every cell and pool that has a rate.

    What is hard for both cancels: an interval without 0 tells them apart even where their own
    intervals overlap.

    Args:
        matrix: of the first encoder
        other: of the other one, by the same trials, method, draws and seed

    Raises:
        ResultError: if the trials are not the same
    """
    theirs = {cell.name: cell for cell in other.rows}
    counts = [{(c.name, c.targets, c.impostors) for c in of.rows} for of in (matrix, other)]
    if counts[0] != counts[1]:
        common = counts[0] & counts[1]
        ours, others = (min(of - common, default=None) for of in counts)
        raise ResultError(
            f"comparison: (cell, targets, impostors) are {ours}, with the other encoder "
            f"{others}; expected the same trials. Give both encoders the same clips."
        )
    found = []
    for cell in matrix.rows:
        other_eer, interval = theirs[cell.name].eer, None
        if cell.eer is None or other_eer is None:
            continue
        if cell.name in matrix.resamples:
            values = matrix.resamples[cell.name] - other.resamples[cell.name]  # (R,)
            interval = interval_of(
                cell.eer - other_eer, values, matrix.method, cell.speakers, difference=True
            )
        found.append(Difference(cell, other_eer, cell.eer - other_eer, interval))
    return found
