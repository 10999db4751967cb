"""Everything that a finished emotion run writes: result, predictions, figures, model folder."""

import csv
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emovec.backends.probe import majority
from emovec.corpora.selection import Selection
from emovec.encoders.store import save_model
from emovec.metrics.classification import confusion_matrix
from emovec.report import figures
from emovec.report.card import model_card
from emovec.report.facts import selection_facts, speaker_or_own
from emovec.tables.files import write_atomically
from emovec.tables.results import Metric, Result, write_result
from emovec.training.brain import Collected
from emovec.training.evaluation import measure
from emovec.training.models import EmotionModel
from emovec.training.tasks import EmotionTask

logger = logging.getLogger(__name__)

DESCRIPTION = (
    "Emotion classes of an utterance: an encoder of speech with a new output layer, after "
    "Pappagari et al. (2020), X-vectors meet emotions."
)


@dataclass(frozen=True)
class EmotionRun:
    """A trained model and what it said of the test split.

    Attributes:
        task: what was learnt
        model: the best epoch's
        collected: outputs for the test split
        history: one row an epoch
        data: the clips
    """

    task: EmotionTask
    model: EmotionModel
    collected: Collected
    history: Sequence[Mapping[str, float]]
    data: Selection

    @property
    def predicted(self) -> NDArray[np.int64]:
        """(N,) most probable class."""
        return self.collected.outputs["emotion"].argmax(axis=1)

    @property
    def target(self) -> NDArray[np.int64]:
        """(N,) class."""
        return self.collected.targets["emotion"]


def write_emotion_run(
    run: EmotionRun,
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
    result = Result(facts, tuple(emotion_metrics(run)), run.data.skipped, run.data.warnings)
    write_predictions(folder / "predictions.csv", run)
    names = run.task.heads["emotion"]
    matrix = confusion_matrix(run.predicted, run.target, range(len(names)))
    drawn = {
        "learning_curves": figures.learning_curves(run.history),
        "emotion_confusion": figures.confusion(matrix, names, "emotion"),
    }
    for name, figure in drawn.items():
        figures.save_figure(figure, folder / "figures" / f"{name}.png")
    card = model_card(hparams["name"], DESCRIPTION, run.data.info, result)
    save_model(folder / "model", run.model, card)
    write_result(folder / "result.json", result)
    for metric in result.metrics:
        low, high = metric.interval or (metric.value, metric.value)
        logger.info("%s: %.3f [%.2f, %.2f]", metric.metric, metric.value, low, high)
    logger.info("written to %s: result.json, predictions.csv, figures/, model/", folder)
    return result


def emotion_metrics(run: EmotionRun) -> list[Metric]:
    """Metrics of the model, and of saying the most frequent class of training throughout."""
    speaker = {u.id: speaker_or_own(u.speaker, u.id) for u in run.data.splits["test"]}
    speakers = [speaker[id_] for id_ in run.collected.ids]
    usual = majority([u.emotion for u in run.data.splits["train"]])
    logits = np.zeros_like(run.collected.outputs["emotion"])
    logits[:, run.task.heads["emotion"].index(usual)] = 1.0
    targets = run.collected.targets
    own = measure(run.task, run.collected.outputs, targets, speakers)
    return own + measure(run.task, {"emotion": logits}, targets, speakers, "baseline_majority/")


def write_predictions(path: Path, run: EmotionRun) -> None:
    """True and predicted class of every test clip, and the probability of each class."""
    names = run.task.heads["emotion"]
    logits = run.collected.outputs["emotion"].astype(np.float64)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    with write_atomically(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["id", "emotion", "predicted", *(f"probability_{name}" for name in names)])
        for id_, target, predicted, share in zip(
            run.collected.ids, run.target, run.predicted, shares, strict=True
        ):
            cells = [f"{value:.4f}" for value in share]
            table.writerow([id_, names[target], names[predicted], *cells])
