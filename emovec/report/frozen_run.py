"""Everything that a finished frozen run writes: result, tables, summary, figures."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sklearn.preprocessing import StandardScaler

from emovec.backends.detection import DETECTED, neutral_or_other
from emovec.backends.fold_clips import training_clips
from emovec.corpora.fold_selection import FoldSelection
from emovec.encoders.extract import Extracted
from emovec.metrics.classification import confusion_matrix
from emovec.report import figures, kept_vectors
from emovec.report.facts import selection_facts
from emovec.report.folds import MEAN_OF_FOLDS
from emovec.report.frozen_files import write_clips, write_folds, write_predictions
from emovec.report.frozen_metrics import BASELINE, FAMILY, FrozenRun, measure_run
from emovec.report.kept_vectors import keep_some
from emovec.tables import embedding_files
from emovec.tables.embeddings import Embeddings
from emovec.tables.files import write_atomically
from emovec.tables.results import Metric, Result, write_result

logger = logging.getLogger(__name__)

HEADLINE = ("weighted_f1", "macro_f1", "unweighted_recall", "accuracy")
FURTHER = ("emotion/f1_", "detection/accuracy", "baseline_majority/detection/accuracy", "stage")


def write_frozen_run(
    run: FrozenRun,
    folder: Path,
    *,
    command: Sequence[str],
    hparams: Mapping[str, Any],
    started: datetime,
    device: str,
    embedded: Extracted | None = None,
) -> Result:
    """Write all that a run leaves, the result last: it marks a run as complete.

    Args:
        run: what was found
        folder: of the run
        command: line that started it
        hparams: all of them, plain
        started: with its time zone
        device: what the encoders ran on
        embedded: embeddings of the clips, some of which are kept for a map; None: there is none
    """
    facts = selection_facts(
        run.data,
        command=command,
        hparams=hparams,
        started=started,
        device=device,
        with_affect=False,
    )
    notes = [note for outcome in run.outcomes for note in outcome.warnings]
    result = Result(
        facts,
        tuple(measure_run(run)),
        (*run.data.skipped, *run.skipped),
        (*run.data.warnings, *_validation(run.data), *notes),
    )
    write_predictions(folder / "predictions.csv", run.outcomes)
    write_folds(folder / "folds.csv", run.outcomes)
    write_clips(folder / "clips.csv", run.outcomes)
    draw_confusions(run, folder / "figures")
    if embedded is not None:
        kept = vectors_of_tests(run, embedded, hparams["seed"], hparams.get("standardise"))
        embedding_files.write(kept, folder / kept_vectors.FILE)
    with write_atomically(folder / "summary.txt") as file:
        file.write(summary(run, result) + "\n")
    write_result(folder / "result.json", result)
    logger.info("%s", summary(run, result))
    logger.info("written to %s: result.json, predictions.csv, folds.csv, figures/", folder)
    return result


def vectors_of_tests(
    run: FrozenRun, embedded: Extracted, seed: int, standardise: bool | None
) -> Embeddings:
    """Embeddings of some test clips, standardised where the probe sees them so."""
    row_of = {id_: row for row, id_ in enumerate(embedded.ids)}
    tested = list({u.id: u for outcome in run.outcomes for u in outcome.tested}.values())
    vectors = embedded.embeddings[[row_of[u.id] for u in tested]]  # (N, E)
    if standardise:
        vectors = StandardScaler().fit_transform(vectors)
    return keep_some(tested, vectors, seed, run.data.info.name)


def draw_confusions(run: FrozenRun, folder: Path) -> None:
    """Confusion matrix of the classes, and of neutral and other where that was asked."""
    drawn = {FAMILY: (run.predicted, run.true, run.data.classes)}
    if run.detected is not None:
        drawn["detection"] = (run.detected, neutral_or_other(run.true), list(DETECTED))
    for name, (predicted, true, classes) in drawn.items():
        figure = figures.confusion(confusion_matrix(predicted, true, classes), classes, FAMILY)
        figures.save_figure(figure, folder / f"{name}_confusion.png")


def _validation(data: FoldSelection) -> Iterator[str]:
    """What became of the clips for validation, which a probe does not need."""
    folds = [splits for splits in data.folds.values() if splits["valid"]]
    left_out = [splits for splits in folds if len(training_clips(splits)) == len(splits["train"])]
    if len(folds) > len(left_out):
        yield f"{data.protocol}: clips for validation were trained on"
    if left_out:
        yield f"{data.protocol}: clips for validation share test speakers and were left out"


def summary(run: FrozenRun, result: Result) -> str:
    """Metrics pooled and of each fold, as a table."""
    pooled = f"all {len(run.outcomes)} folds"
    prefixes = {pooled: "", "majority class": BASELINE}
    prefixes |= {f"fold {o.fold}, {o.probe.setting}": f"fold_{o.fold}/" for o in run.outcomes}
    width = max(20, *(len(label) + 2 for label in prefixes))
    lines = ["emotion".ljust(width) + "".join(f"{name:>22}" for name in HEADLINE)]
    for label, prefix in prefixes.items():
        cells = [_cell(result.get(f"{prefix}{FAMILY}/{name}")) for name in HEADLINE]
        lines.append(label.ljust(width) + "".join(cells))
    lines.append("mean of folds".ljust(width) + _cell(result.get(MEAN_OF_FOLDS)))
    for metric in result.metrics:
        if metric.metric.startswith(FURTHER):
            lines.append(f"{metric.metric:42}{_cell(metric)} of {metric.n} clips")
    found = result.get(f"{FAMILY}/weighted_f1")
    if found:
        lines.append(f"{found.n} clips of {found.speakers} speakers, {len(result.skipped)} skipped")
    return "\n".join([*lines, *(f"warning: {warning}" for warning in result.warnings)])


def _cell(metric: Metric | None) -> str:
    if metric is None:
        return f"{'-':>22}"
    if metric.interval is None:
        return f"{metric.value:6.3f}".ljust(15).rjust(22)
    low, high = metric.interval
    return f"{metric.value:6.3f} [{low:5.2f}, {high:5.2f}]".rjust(22)
