"""Blocks of a page on verification by pair of emotions."""

from collections.abc import Sequence
from typing import NamedTuple

from emovec.report import interactive_pairs, interactive_scores
from emovec.report.html_blocks import Drawing, Table
from emovec.report.html_runs import RunFolder
from emovec.report.interactive_pairs import Row, percent


class PairChart(NamedTuple):
    """What a chart is made of; ``name`` is that of the static figure."""

    name: str
    title: str
    alt: str
    drawing: Drawing | None
    note: str = ""


def matrix_chart(run: RunFolder, rows: Sequence[Row]) -> PairChart:
    """Rates of each pair of emotions; rows are those of eer_matrix.csv."""
    reference = str(run.result.run.hparams.get("reference", "the reference"))
    doubted = any(row["doubt"] for row in rows)
    return PairChart(
        "eer_matrix",
        "Equal error rates",
        "Equal error rate of each pair of emotions; the table below has the same numbers.",
        interactive_pairs.heat_map(rows, reference),
        "Grey cells are not to be trusted; hover or the table say why." if doubted else "",
    )


def curve_charts(run: RunFolder, rows: Sequence[Row]) -> list[PairChart]:
    """DET curves, and boxes of scores; rows are those of eer_matrix.csv."""
    points, boxes = run.table("det.csv"), run.table("scores.csv")
    det = interactive_scores.det_curves(points, rows) if points else None
    drawn = interactive_scores.score_boxes(boxes, rows) if boxes else None
    doubted = {row["pair"] for row in rows if row["doubt"]} & {row["pair"] for row in boxes}
    curves = len({row["pair"] for row in points})
    return [
        PairChart(
            "det",
            "Detection error trade-off",
            f"False rejection over false acceptance at all thresholds, {curves or 'several'} "
            "curves, on axes of normal deviates.",
            det,
            "Both axes are normal deviates: normal scores give straight lines. Dots: equal error "
            "rates, on the diagonal."
            if det
            else "",
        ),
        PairChart(
            "scores",
            "Scores of target trials",
            "Box plots of the scores of targets for every two different emotions, beside those of "
            "the reference emotion and its impostors.",
            drawn,
            _on_boxes(run, has_doubted=bool(doubted)) if drawn else "",
        ),
    ]


def _on_boxes(run: RunFolder, *, has_doubted: bool) -> str:
    reference = run.result.run.hparams.get("reference", "the reference")
    said = (
        "Quartiles, and whiskers to the outermost scores within 1.5 times the box. Genuine and "
        f"impostor: trials of {reference} with itself. Colours: the two emotions."
    )
    return f"{said} Without colour: not to be trusted." if has_doubted else said


def pair_table(rows: Sequence[Row]) -> Table:
    """All cells and pools of a matrix."""
    header = ["pair", "EER [95 % interval]", "published", "FRR", "FAR"]
    header += ["targets", "impostors", "speakers", "not to be trusted"]
    cells = []
    for row in rows:
        published = row["published_eer"]
        rates = [percent(row, name) for name in ("frr", "far")]
        counts = [f"{int(row[name]):,}" for name in ("targets", "impostors", "speakers")]
        beside = f"{100 * float(published):.1f} %" if published else ""
        cells.append([row["pair"], percent(row, "eer"), beside, *rates, *counts, row["doubt"]])
    kept = [place for place, _ in enumerate(header) if any(cell[place] for cell in cells)]
    rows_kept = [[cell[place] for place in kept] for cell in cells]
    return Table("Cells and pools", [header[place] for place in kept], rows_kept, folded=True)


def comparison_table(rows: Sequence[Row]) -> Table:
    """The run's own comparison of two encoders on the same trials."""
    names = ("eer", "other_eer", "difference")
    cells = [[row["pair"], *(percent(row, name) for name in names)] for row in rows]
    header = ["pair", "EER", "EER of the other encoder", "difference [95 % interval]"]
    return Table("Against the other encoder, on the same trials", header, cells, folded=True)
