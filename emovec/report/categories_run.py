"""Everything that a finished run on emotions of several corpora writes."""

import csv
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emovec.backends.probe import majority
from emovec.corpora.selection import Selection
from emovec.corpora.speakers import corpus_of, of_corpus
from emovec.encoders.store import save_model
from emovec.metrics.classification import confusion_matrix
from emovec.metrics.intervals import speaker_intervals
from emovec.report import figures
from emovec.report.card import model_card
from emovec.report.facts import selection_facts
from emovec.tables.files import write_atomically
from emovec.tables.results import Metric, Result, write_result
from emovec.training.brain import Collected
from emovec.training.corpora_task import MEAN_RECALL, CorporaTask
from emovec.training.evaluation import measure
from emovec.training.models import CorporaModel
from emovec.training.tasks import Arrays

logger = logging.getLogger(__name__)

DESCRIPTION = (
    "Embeddings of emotion: clips spoken in one emotion are near each other, whoever speaks, in "
    "whatever language. Trained on the emotion labels of the corpora below, each by its own names."
)
USAGE = (
    'import emovec\n\nencoder = emovec.load("this/folder")\n'
    'encoder.embed("a.wav")  # (E,); a list of files: (N, E)'
)


@dataclass(frozen=True)
class CategoriesRun:
    """A trained model and what it said of the test split.

    Attributes:
        task: what was learnt
        model: the best epoch's
        collected: outputs for the test split
        history: one row an epoch
        data: the clips
    """

    task: CorporaTask
    model: CorporaModel
    collected: Collected
    history: Sequence[Mapping[str, float]]
    data: Selection


def write_categories_run(
    run: CategoriesRun,
    folder: Path,
    *,
    command: Sequence[str],
    hparams: Mapping[str, Any],
    started: datetime,
    device: str,
) -> Result:
    """Write all that a run leaves, the result last: it marks a run as complete.

    Args:
        run: what was trained
        folder: of the run
        command: line that started it
        hparams: all of them, plain
        started: with its time zone
        device: what the model ran on
    """
    facts = selection_facts(
        run.data,
        command=command,
        hparams=hparams,
        started=started,
        device=device,
        with_affect=False,
    )
    metrics = categories_metrics(run, hparams["seed"])
    result = Result(facts, tuple(metrics), run.data.skipped, run.data.warnings)
    write_predictions(folder / "predictions.csv", run)
    _write_figures(run, folder / "figures")
    card = model_card(hparams["name"], DESCRIPTION, run.data.info, result, USAGE)
    save_model(folder / "model", run.model.encoder, card)
    write_result(folder / "result.json", result)
    for metric in metrics:
        if "unweighted_recall" in metric.metric:
            low, high = metric.interval or (metric.value, metric.value)
            logger.info("%s: %.3f [%.2f, %.2f]", metric.metric, metric.value, low, high)
    logger.info("written to %s: result.json, predictions.csv, figures/, model/", folder)
    return result


def categories_metrics(run: CategoriesRun, seed: int) -> list[Metric]:
    """Metrics of each corpus, and of saying the most frequent emotion of its training clips."""
    outputs, targets = run.collected.outputs, run.collected.targets
    usual = {"emotion": _usual_logits(run)}
    speaker = {u.id: u.speaker for u in run.data.splits["test"]}
    speakers = np.array([speaker[id_] for id_ in run.collected.ids])
    metrics = []
    for prefix, said in (("", outputs), ("baseline_majority/", usual)):
        found = []
        for corpus in run.task.corpora:
            rows = run.task.rows(corpus, targets)
            if len(rows):
                of_rows = (_taken(said, rows), _taken(targets, rows))
                measured = measure(run.task, *of_rows, speakers[rows].tolist(), prefix, seed)
                found += [metric for metric in measured if not metric.metric.endswith(MEAN_RECALL)]
        metrics += [*found, _mean_recall(run, said, speakers, prefix, seed)]
    return metrics


def _mean_recall(
    run: CategoriesRun, said: Arrays, speakers: NDArray[np.str_], prefix: str, seed: int
) -> Metric:
    """The mean over corpora, whose speakers are drawn apart."""
    targets = run.collected.targets

    def of(rows: NDArray[np.int64]) -> dict[str, float]:
        metrics = run.task.metrics(_taken(said, rows), _taken(targets, rows))
        return {MEAN_RECALL: metrics[MEAN_RECALL]}

    corpus = {u.id: corpus_of(u) for u in run.data.splits["test"]}
    corpora = [corpus[id_] for id_ in run.collected.ids]
    found = speaker_intervals(of, speakers.tolist(), seed=seed, strata=corpora)
    value = of(np.arange(len(speakers)))[MEAN_RECALL]
    return Metric(
        prefix + MEAN_RECALL, value, len(speakers), len(set(speakers)), found[MEAN_RECALL]
    )


def _taken(arrays: Mapping[str, NDArray], rows: NDArray[np.int64]) -> Arrays:
    return {name: array[rows] for name, array in arrays.items()}


def _usual_logits(run: CategoriesRun) -> NDArray[np.float32]:
    """(N, K) logits that are highest at the most frequent training emotion of each corpus."""
    logits = np.zeros_like(run.collected.outputs["emotion"])
    first = 0
    for corpus, emotions in run.task.heads.items():
        training = [u.emotion for u in of_corpus(corpus, run.data.splits["train"])]
        logits[:, first + emotions.index(majority(training))] = 1.0
        first += len(emotions)
    return logits


def _write_figures(run: CategoriesRun, folder: Path) -> None:
    """Learning curves, and the confusions of each corpus that has test clips."""
    figures.save_figure(figures.learning_curves(run.history), folder / "learning_curves.png")
    for tested in _tested(run):
        names = run.task.heads[tested.corpus]
        matrix = confusion_matrix(tested.predicted, tested.target, names)
        figure = figures.confusion(matrix, names, "emotion")
        figures.save_figure(figure, folder / f"confusion_{tested.corpus}.png")


def write_predictions(path: Path, run: CategoriesRun) -> None:
    """True and predicted emotion of every test clip."""
    with write_atomically(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["id", "emotion", "predicted"])
        for tested in _tested(run):
            table.writerows(zip(tested.ids, tested.target, tested.predicted, strict=True))


@dataclass(frozen=True)
class _Tested:
    """Test clips of a corpus, and their emotions."""

    corpus: str
    ids: list[str]
    target: list[str]
    predicted: list[str]


def _tested(run: CategoriesRun) -> Iterator[_Tested]:
    """Each corpus that has test clips."""
    outputs, targets = run.collected.outputs, run.collected.targets
    clip = {u.id: u for u in run.data.splits["test"]}
    for corpus, emotions in run.task.heads.items():
        rows = run.task.rows(corpus, targets).tolist()
        if rows:
            ids = [run.collected.ids[row] for row in rows]
            said = run.task.predicted(corpus, outputs)[rows].tolist()
            yield _Tested(
                corpus, ids, [clip[id_].emotion for id_ in ids], [emotions[k] for k in said]
            )
