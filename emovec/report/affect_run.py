"""Everything that a finished affect run writes: result, predictions, figures, model folder."""

import csv
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emovec.backends.baselines import affect_baselines
from emovec.corpora.selection import Selection
from emovec.encoders.store import save_model
from emovec.labels import AFFECT_AXES
from emovec.metrics.classification import confusion_matrix
from emovec.report import figures
from emovec.report.card import model_card
from emovec.report.facts import selection_facts, speaker_or_own
from emovec.report.style import region_names
from emovec.tables.files import write_atomically
from emovec.tables.results import Metric, Result, write_result
from emovec.training.brain import Collected
from emovec.training.evaluation import measure
from emovec.training.models import AffectModel
from emovec.training.tasks import AffectTask

logger = logging.getLogger(__name__)

HEADLINE = (*AFFECT_AXES, "mean")
DESCRIPTION = (
    "Valence, arousal and dominance of an utterance, and its region of the affect sphere, after "
    "EmoSphere-SER (Cho et al., 2025)."
)


@dataclass(frozen=True)
class AffectRun:
    """A trained model and what it said of the test split.

    Attributes:
        task: what was learnt
        model: the best epoch's
        collected: outputs for the test split
        history: one row an epoch
        data: the clips
    """

    task: AffectTask
    model: AffectModel
    collected: Collected
    history: Sequence[Mapping[str, float]]
    data: Selection

    @property
    def predicted(self) -> NDArray[np.float64]:
        """(N, 3) affect on the corpus' scale, clipped to it."""
        return self.data.info.from_unit(np.clip(self.collected.outputs["affect"], 0, 1))

    @property
    def target(self) -> NDArray[np.float64]:
        """(N, 3) affect on the corpus' scale."""
        return self.data.info.from_unit(self.collected.targets["affect"])


def write_affect_run(
    run: AffectRun,
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
        hparams: all of them, plain; ``prepared_folder`` keeps the baseline's features
        started: with its time zone
        device: what the model ran on
    """
    metrics = model_metrics(run) + baseline_metrics(
        run, Path(hparams["prepared_folder"]), hparams["seed"]
    )
    facts = selection_facts(
        run.data, command=command, hparams=hparams, started=started, device=device, with_affect=True
    )
    result = Result(facts, tuple(metrics), run.data.skipped, run.data.warnings)
    write_predictions(folder / "predictions.csv", run)
    for name, figure in draw(run).items():
        figures.save_figure(figure, folder / "figures" / f"{name}.png")
    card = model_card(hparams["name"], DESCRIPTION, run.data.info, result)
    save_model(folder / "model", run.model, card)
    write_result(folder / "result.json", result)
    logger.info("%s", headline(result))
    logger.info("written to %s: result.json, predictions.csv, figures/, model/", folder)
    return result


def headline(result: Result) -> str:
    """Concordances of the model and its baselines on the test split, as a table."""
    means = [m.metric for m in result.metrics if m.metric.endswith("ccc/mean")]
    lines = [f"{'concordance on test':28}" + "".join(f"{column:>22}" for column in HEADLINE)]
    for prefix in [mean.removesuffix("ccc/mean") for mean in means]:
        cells = [_cell(result.get(f"{prefix}ccc/{column}")) for column in HEADLINE]
        lines.append(f"{prefix.rstrip('/') or 'this model':28}" + "".join(cells))
    return "\n".join(lines)


def _cell(metric: Metric | None) -> str:
    if metric is None:
        return f"{'-':>22}"
    low, high = metric.interval or (metric.value, metric.value)
    return f"{metric.value:6.3f} [{low:5.2f}, {high:5.2f}]".rjust(22)


def model_metrics(run: AffectRun) -> list[Metric]:
    """Metrics of the model on the test split."""
    speakers = _speakers(run)
    return measure(run.task, run.collected.outputs, run.collected.targets, speakers)


def baseline_metrics(run: AffectRun, prepared_folder: Path, seed: int) -> list[Metric]:
    """The same metrics of each baseline, on the same clips."""
    metrics = []
    max_seconds = run.model.arguments()["max_seconds"]
    predictions = affect_baselines(run.data, prepared_folder, max_seconds, seed)
    task, speakers = run.task.without_auxiliary(), _speakers(run)
    place = {u.id: row for row, u in enumerate(run.data.splits["test"])}
    order = [place[id_] for id_ in run.collected.ids]
    for name, predicted in predictions.items():
        unit = run.data.info.to_unit(predicted[order])
        prefix = f"baseline_{name}/"
        metrics += measure(task, {"affect": unit}, run.collected.targets, speakers, prefix)
    return metrics


def write_predictions(path: Path, run: AffectRun) -> None:
    """True and predicted affect of every test clip, on the corpus' scale."""
    with write_atomically(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["id", *AFFECT_AXES, *(f"predicted_{axis}" for axis in AFFECT_AXES)])
        for id_, target, predicted in zip(
            run.collected.ids, run.target, run.predicted, strict=True
        ):
            table.writerow([id_, *(f"{value:.4f}" for value in (*target, *predicted))])


def draw(run: AffectRun) -> dict[str, figures.Figure]:
    """All figures by name."""
    info, task = run.data.info, run.task
    true, predicted = info.to_signed(run.target), info.to_signed(run.predicted)
    drawn = {
        "learning_curves": figures.learning_curves(run.history),
        "predicted_against_true": figures.predicted_against_true(
            run.predicted, run.target, AFFECT_AXES, info.affect_scale
        ),
        "affect_sphere": figures.affect_sphere(true, predicted, task.regions, task.axes),
    }
    names = region_names(task.regions, task.axes) + ["centre"] * task.centre_region
    matrix = confusion_matrix(
        task.region(run.collected.outputs["affect"]),
        task.region(run.collected.targets["affect"]),
        range(len(names)),
    )
    drawn["region_confusion"] = figures.confusion(matrix, names, "region")
    return drawn


def _speakers(run: AffectRun) -> list[str]:
    """Speaker of each collected clip."""
    speaker = {u.id: speaker_or_own(u.speaker, u.id) for u in run.data.splits["test"]}
    return [speaker[id_] for id_ in run.collected.ids]
