"""Everything that a finished verification of pairs of emotions writes: result, tables, figures."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from emovec.metrics.intervals import Interval
from emovec.metrics.pair_cells import CROSS, POOLED, PairMatrix
from emovec.report import kept_vectors, pair_figures
from emovec.report.corpus_figures import duration_histograms
from emovec.report.figures import save_figure
from emovec.report.markdown import stamps
from emovec.report.pair_comparison import Difference, differences
from emovec.report.pair_curves import write_boxes, write_curves
from emovec.report.pair_figures import percent
from emovec.report.pair_tables import write_differences, write_matrix
from emovec.report.published_pairs import published_matrix
from emovec.tables import embedding_files
from emovec.tables.corpus import Skip
from emovec.tables.embeddings import Embeddings
from emovec.tables.files import write_atomically
from emovec.tables.results import Metric, Result, RunFacts, write_result

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class PairRun:
    """What was found, and of which clips.

    Attributes:
        matrix: of the encoder
        score: what a score is, such as "cosine similarity"
        seconds: by corpus, durations of its clips that have an embedding
        skipped: clips without an embedding, and why
        warnings: what a reader of the results must know of the clips
        other: of the encoder that it is compared with, on the same trials; None: with none
        other_name: how that one is called
        lists: metrics of lists of trials, "eer/list_<name>" among them, and "other/eer/list_<name>"
            of the other encoder
        kept: embeddings of some clips, for a map of them
    """

    matrix: PairMatrix
    score: str
    seconds: Mapping[str, Sequence[float]]
    skipped: tuple[Skip, ...] = ()
    warnings: tuple[str, ...] = ()
    other: PairMatrix | None = None
    other_name: str = ""
    lists: tuple[Metric, ...] = ()
    kept: Embeddings | None = None


def write_pair_run(run: PairRun, facts: RunFacts, folder: Path) -> Result:
    """Write all that a run leaves, the result last: it marks a run as complete.

    Args:
        run: what was found
        facts: how it came about
        folder: of the run

    Raises:
        ResultError: if the two matrices are not of the same trials
        StorageError: if a file cannot be written
    """
    compared = [] if run.other is None else differences(run.matrix, run.other)
    metrics = [*measure_pairs(run.matrix), *run.lists]
    metrics += [
        Metric(f"difference/{d.cell.name}", d.value, d.cell.clips, d.cell.speakers, d.interval)
        for d in compared
    ]
    reference = str(facts.hparams.get("reference", ""))
    told = (*_scoring_warnings(facts.hparams), *matrix_warnings(run.matrix, reference))
    warnings = (*run.warnings, *told)
    result = Result(facts, tuple(metrics), run.skipped, warnings)
    write_matrix(folder / "eer_matrix.csv", run.matrix, _published(facts)[0])
    if compared:
        write_differences(folder / "comparison.csv", compared)
    write_curves(folder / "det.csv", run.matrix)
    write_boxes(folder / "scores.csv", run.matrix, run.score)
    if run.kept is not None:
        embedding_files.write(run.kept, folder / kept_vectors.FILE)
    for name, figure in _figures(run).items():
        save_figure(figure, folder / "figures" / f"{name}.png")
        save_svg(figure, folder / "figures" / f"{name}.svg")
    text = summary(run, result, compared)
    with write_atomically(folder / "summary.txt") as file:
        file.write(text + "\n")
    write_result(folder / "result.json", result)
    logger.info("%s", text)
    logger.info("written to %s: result.json, eer_matrix.csv, figures/", folder)
    return result


def measure_pairs(matrix: PairMatrix) -> list[Metric]:
    """Rates, costs and counts of each cell and pool, as far as it has them."""
    at = next((c.emotions[0] for c in matrix.cells if c.name == matrix.reference), "")
    metrics = []
    for cell in matrix.rows:
        found: dict[str, tuple[float | None, Interval | None]] = {
            "eer": (cell.eer, cell.interval),
            "min_dcf": (cell.min_dcf_01, None),
            "min_dcf_0.05": (cell.min_dcf_05, None),
            f"frr_at_{at}": (cell.frr, cell.frr_interval),
            f"far_at_{at}": (cell.far, cell.far_interval),
            "targets": (float(cell.targets), None),
            "impostors": (float(cell.impostors), None),
        }
        metrics += [
            Metric(f"{family}/{cell.name}", value, cell.clips, cell.speakers, interval)
            for family, (value, interval) in found.items()
            if value is not None
        ]
    if matrix.difference is not None:
        of = matrix.pools[POOLED]
        interval = matrix.difference_interval
        name = "eer/cross_minus_same"
        metrics.append(Metric(name, matrix.difference, of.clips, of.speakers, interval))
    return metrics


def matrix_warnings(matrix: PairMatrix, reference: str = "") -> Iterator[str]:
    """What a reader must know before believing a matrix with thresholds by a reference emotion."""
    doubts = [f"{cell.name} ({cell.doubt})" for cell in matrix.rows if cell.doubt]
    if doubts:
        yield f"not to be trusted: {', '.join(doubts)}"
    for reason, clips in matrix.excluded.items():
        yield f"{clips} clips are in no trial: {reason}"
    if matrix.reference is None:
        which = f"the reference emotion{f' {reference}' if reference else ''}"
        yield f"no rates at a fixed threshold: {which} alone has no equal error rate"


def _scoring_warnings(hparams: Mapping[str, Any]) -> Iterator[str]:
    """What a scoring without training has learnt from the very clips that it scores."""
    learnt = {"mean": hparams.get("centre"), "deviations": hparams.get("standardise")}
    what = " and ".join(name for name, chosen in learnt.items() if chosen)
    if what and not hparams.get("training_corpora"):
        yield f"the scoring has its {what} from the clips that are tried themselves"


def save_svg(figure: Figure, path: Path) -> None:
    """Write a figure as SVG; the same figure gives the same bytes.

    Raises:
        StorageError: if the file cannot be written; nothing half-written is left
    """
    with (
        matplotlib.rc_context({"svg.hashsalt": "emovec"}),
        write_atomically(path, "wb") as file,
    ):
        figure.savefig(file, format="svg", metadata={"Date": None})


def summary(run: PairRun, result: Result, compared: Sequence[Difference]) -> str:
    """All cells as a table, published rates and differences beside where there are any."""
    matrix = run.matrix
    rates, notes = _published(result.run)
    minus = {found.cell.name: percent(found.value, found.interval, 2) for found in compared}
    rows = [
        {
            "pair": f"{cell.name}{' *' if cell.doubt else ''}",
            "EER": percent(cell.eer, cell.interval, 2),
            "published": percent(rates.get(cell.name), None, 2),
            f"minus {run.other_name}": minus.get(cell.name, ""),
            "FRR": percent(cell.frr, cell.frr_interval, 1),
            "FAR": percent(cell.far, cell.far_interval, 1),
            "targets": f"{cell.targets}",
            "impostors": f"{cell.impostors}",
            "clips": f"{cell.clips}",
            "speakers": f"{cell.speakers}",
        }
        for cell in matrix.rows
    ]
    lines = [*stamps(result), f"{result.run.corpus}: rates in %, [95 % interval]", *_aligned(rows)]
    lines.append(f"scores: {run.score}")
    if matrix.difference is not None:
        found = percent(matrix.difference, matrix.difference_interval, 2)
        lines.append(f"EER of cross minus that of same: {found}")
    if matrix.reference is not None:
        at = f"{matrix.reference_threshold:.4f}, where {matrix.reference} has its EER"
        lines.append(f"FRR and FAR: at the score {at}")
    for metric in run.lists:
        before, found, name = metric.metric.partition("eer/list_")
        if found:
            of = f"{name} by {run.other_name}" if before else name
            lines.append(f"EER of the trials {of}: {percent(metric.value, metric.interval, 2)}")
    lines += notes
    lines += ["*: not to be trusted"] if any(cell.doubt for cell in matrix.rows) else []
    lines.append(f"{len(result.skipped)} clips skipped")
    return "\n".join([*lines, *(f"warning: {warning}" for warning in result.warnings)])


def _published(facts: RunFacts) -> tuple[Mapping[str, float], list[str]]:
    """Published rates of the cells that are of the same clips, and what is to be said of them."""
    published = published_matrix(facts.corpus)
    if published is None:
        return {}, []
    merged = facts.hparams.get("merge_emotions") or {}
    notes = [f"published: {published.source}: {published.conditions}"]
    merges = [f"{part} counts as {whole}" for part, whole in published.merged.items()]
    notes += [f"published: there {', '.join(merges)} (merge_emotions)"] if merges else []
    unlike = published.unlike(merged)
    notes += [f"published: not shown of {', '.join(unlike)}, merged otherwise"] if unlike else []
    return published.rates_like(merged), notes


def _aligned(rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Lines of a table, without columns that are empty."""
    names = [name for name in rows[0] if any(row[name] for row in rows)]
    lines = [{name: name for name in names}, *rows]
    widths = {name: max(len(line[name]) for line in lines) for name in names}
    for line in lines:
        first, *others = (line[name] for name in names)
        cells = [text.rjust(widths[name]) for name, text in zip(names[1:], others, strict=True)]
        yield "  ".join([first.ljust(widths[names[0]]), *cells])


def _figures(run: PairRun) -> dict[str, Figure]:
    """What can be drawn, by the name of its file."""
    matrix, pools = run.matrix, run.matrix.pools
    drawn = {"eer_matrix": pair_figures.rate_heat_map(matrix)}
    if any(pool.eer is not None for pool in pools.values()):
        drawn["det"] = pair_figures.detection_error_tradeoff(matrix)
    if matrix.reference is not None or (CROSS in pools and pools[CROSS].targets):
        drawn["scores"] = pair_figures.score_boxes(matrix, run.score)
    if run.seconds:
        drawn["durations"] = duration_histograms(run.seconds)
    return drawn
