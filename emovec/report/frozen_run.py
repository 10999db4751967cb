"""Everything that a finished frozen run writes: result, predictions, folds, summary, figure."""

import csv
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emovec.backends.folds import FoldOutcome, training_clips
from emovec.backends.probe import majority
from emovec.corpora.fold_selection import FoldSelection
from emovec.metrics.classification import confusion_matrix
from emovec.metrics.intervals import speaker_intervals
from emovec.report import figures
from emovec.report.facts import selection_facts, speaker_or_own
from emovec.report.folds import MEAN_OF_FOLDS, mean_of_folds
from emovec.tables.corpus import Skip
from emovec.tables.files import write_atomically
from emovec.tables.results import Metric, Result, write_result
from emovec.training.tasks import class_metrics

logger = logging.getLogger(__name__)

FAMILY = "emotion"
HEADLINE = ("weighted_f1", "macro_f1", "unweighted_recall", "accuracy")


@dataclass(frozen=True)
class FrozenRun:
    """A probe over folds and what it said of their test clips.

    Attributes:
        data: the clips
        outcomes: of each fold
        skipped: clips without an embedding, and why
    """

    data: FoldSelection
    outcomes: Sequence[FoldOutcome]
    skipped: tuple[Skip, ...]

    @property
    def folds(self) -> NDArray[np.int64]:
        """(N,) fold of each tested clip; a clip that several folds test is there for each."""
        return np.repeat([o.fold for o in self.outcomes], [len(o.tested) for o in self.outcomes])

    @property
    def true(self) -> list[str]:
        """(N,) classes."""
        return [u.emotion for outcome in self.outcomes for u in outcome.tested]

    @property
    def predicted(self) -> list[str]:
        """(N,) classes."""
        return [said for outcome in self.outcomes for said in outcome.predicted]

    @property
    def majority(self) -> list[str]:
        """(N,) the most frequent class of each fold's training clips."""
        said = [(majority([u.emotion for u in o.trained]), len(o.tested)) for o in self.outcomes]
        return [name for name, clips in said for _ in range(clips)]

    @property
    def speakers(self) -> list[str]:
        """(N,) speakers; one that is not known counts as a speaker of its own."""
        tested = [u for outcome in self.outcomes for u in outcome.tested]
        return [speaker_or_own(u.speaker, u.id) for u in tested]


def write_frozen_run(
    run: FrozenRun,
    folder: Path,
    *,
    command: Sequence[str],
    hparams: Mapping[str, Any],
    started: datetime,
    device: str,
) -> Result:
    """Write all that a run leaves, the result last: it marks a run as complete.

    Args:
        run: what was found
        folder: of the run
        command: line that started it
        hparams: all of them, plain
        started: with its time zone
        device: what the encoders ran on
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
    write_predictions(folder / "predictions.csv", run)
    write_folds(folder / "folds.csv", run)
    matrix = confusion_matrix(run.predicted, run.true, run.data.classes)
    figure = figures.confusion(matrix, run.data.classes, FAMILY)
    figures.save_figure(figure, folder / "figures" / "emotion_confusion.png")
    with write_atomically(folder / "summary.txt") as file:
        file.write(summary(run, result) + "\n")
    write_result(folder / "result.json", result)
    logger.info("%s", summary(run, result))
    logger.info("written to %s: result.json, predictions.csv, folds.csv, figures/", folder)
    return result


def measure_run(run: FrozenRun) -> list[Metric]:
    """Metrics of all folds pooled and of each, and of the baseline.

    The interval of the mean of the folds weighs a fold by how often its clips are drawn.
    """
    classes = np.unique([*run.true, *run.predicted, *run.majority])
    true, predicted, common = (
        np.searchsorted(classes, names) for names in (run.true, run.predicted, run.majority)
    )
    speakers = np.array(run.speakers)
    metrics = _measure(predicted, true, run.folds, speakers, "")
    for fold in np.unique(run.folds):
        rows = run.folds == fold
        of_fold = (predicted[rows], true[rows], None, speakers[rows])
        metrics += _measure(*of_fold, f"fold_{fold}/")
    return metrics + _measure(common, true, run.folds, speakers, "baseline_majority/")


def _validation(data: FoldSelection) -> Iterator[str]:
    """What became of the clips for validation, which a probe does not need."""
    folds = [splits for splits in data.folds.values() if splits["valid"]]
    left_out = [splits for splits in folds if len(training_clips(splits)) == len(splits["train"])]
    if len(folds) > len(left_out):
        yield f"{data.protocol}: clips for validation were trained on"
    if left_out:
        yield f"{data.protocol}: clips for validation share test speakers and were left out"


def _measure(
    predicted: NDArray, true: NDArray, folds: NDArray | None, speakers: NDArray, prefix: str
) -> list[Metric]:
    """Metrics with intervals; with ``folds``, also the mean over them."""

    def statistics(rows: NDArray[np.int64]) -> dict[str, float]:
        found = class_metrics(FAMILY, predicted[rows], true[rows])
        if folds is not None:
            found[MEAN_OF_FOLDS] = mean_of_folds(predicted[rows], true[rows], folds[rows], sizes)
        return found

    sizes = {} if folds is None else dict(zip(*np.unique(folds, return_counts=True), strict=True))
    values = statistics(np.arange(len(true)))
    intervals = speaker_intervals(statistics, speakers.tolist())
    number = len(set(speakers.tolist()))
    return [
        Metric(f"{prefix}{name}", value, len(true), number, intervals[name])
        for name, value in values.items()
    ]


def write_predictions(path: Path, run: FrozenRun) -> None:
    """True and predicted class of every test clip, with the probability where there is one."""
    with write_atomically(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["id", "fold", "true", "predicted", "probability"])
        for outcome in run.outcomes:
            for place, (utterance, said) in enumerate(
                zip(outcome.tested, outcome.predicted, strict=True)
            ):
                sure = f"{outcome.probability[place]:.4f}" if outcome.probability else ""
                table.writerow([utterance.id, outcome.fold, utterance.emotion, said, sure])


def write_folds(path: Path, run: FrozenRun) -> None:
    """What each fold trained and tested on, and the C that its training speakers chose."""
    with write_atomically(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(
            ["fold", "train", "train_speakers", "test", "test_speakers", "c", "inner_weighted_f1"]
        )
        for outcome in run.outcomes:
            row: list[object] = [outcome.fold]
            for clips in (outcome.trained, outcome.tested):
                row += [len(clips), len({u.speaker for u in clips})]
            inner = outcome.probe.inner_f1.get(outcome.probe.c)
            table.writerow([*row, outcome.probe.c, "" if inner is None else f"{inner:.4f}"])


def summary(run: FrozenRun, result: Result) -> str:
    """Metrics pooled and of each fold, as a table."""
    pooled = f"all {len(run.outcomes)} folds"
    prefixes = {pooled: "", "majority class": "baseline_majority/"}
    prefixes |= {f"fold {o.fold}, C {o.probe.c:g}": f"fold_{o.fold}/" for o in run.outcomes}
    lines = [f"{'emotion':20}" + "".join(f"{name:>22}" for name in HEADLINE)]
    for label, prefix in prefixes.items():
        cells = [_cell(result.get(f"{prefix}{FAMILY}/{name}")) for name in HEADLINE]
        lines.append(f"{label:20}" + "".join(cells))
    lines.append(f"{'mean of folds':20}{_cell(result.get(MEAN_OF_FOLDS))}")
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
