"""Tables of a verification run."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from emovec.metrics.intervals import Interval
from emovec.metrics.pair_cells import PairMatrix
from emovec.report.pair_comparison import Difference
from emovec.tables.files import write_atomically


def write_matrix(path: Path, matrix: PairMatrix, published: Mapping[str, float]) -> None:
    """A row for each cell and pool; frr and far are at the threshold of the reference cell."""
    _write_rows(
        path,
        [
            {
                "pair": cell.name,
                "targets": cell.targets,
                "impostors": cell.impostors,
                "clips": cell.clips,
                "speakers": cell.speakers,
                **_with_ends("eer", cell.eer, cell.interval),
                "threshold": cell.threshold,
                "min_dcf_0.01": cell.min_dcf_01,
                "min_dcf_0.05": cell.min_dcf_05,
                **_with_ends("frr", cell.frr, cell.frr_interval),
                **_with_ends("far", cell.far, cell.far_interval),
                "published_eer": published.get(cell.name),
                "doubt": cell.doubt,
            }
            for cell in matrix.rows
        ],
    )


def write_differences(path: Path, compared: Sequence[Difference]) -> None:
    """A row for each cell and pool: both encoders' rates, and the first minus the other."""
    _write_rows(
        path,
        [
            {
                "pair": found.cell.name,
                "eer": found.cell.eer,
                "other_eer": found.other_eer,
                **_with_ends("difference", found.value, found.interval),
                "doubt": found.cell.doubt,
            }
            for found in compared
        ],
    )


def _with_ends(
    name: str, value: float | None, interval: Interval | None
) -> dict[str, float | None]:
    low, high = interval or (None, None)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """A table of numbers with six digits; what is None stays empty."""
    with write_atomically(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(rows[0])
        for row in rows:
            values = row.values()
            table.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in values])
