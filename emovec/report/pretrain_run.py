"""Everything that a finished pretraining writes: result, figures, model folder."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from emovec.corpora.speakers import SpeakerSelection
from emovec.encoders.base import Encoder
from emovec.encoders.store import save_model
from emovec.report import figures
from emovec.report.card import model_card
from emovec.report.facts import selection_facts
from emovec.tables.results import Metric, Result, write_result

logger = logging.getLogger(__name__)

DESCRIPTION = (
    "Frames of speech, learnt without labels: it was trained to tell the cluster of hidden frames "
    "from what is around them, with other speech and noise over some clips. Made to be trained "
    "further, or to be read by a classifier."
)
USAGE = (
    'import emovec\n\nencoder = emovec.load("this/folder")\n'
    'encoder.embed("a.wav")  # (E,), the mean over frames; a list of files: (N, E)'
)


@dataclass(frozen=True)
class Round:
    """A training on one set of targets.

    Attributes:
        metrics: of the best epoch, on clips of held-out speakers
        history: one row an epoch
    """

    metrics: Mapping[str, float]
    history: Sequence[Mapping[str, float]]


def write_pretrain_run(
    encoder: Encoder,
    rounds: Sequence[Round],
    data: SpeakerSelection,
    folder: Path,
    *,
    command: Sequence[str],
    hparams: Mapping[str, Any],
    started: datetime,
    device: str,
) -> Result:
    """Write all that a run leaves, the result last: it marks a run as complete.

    Args:
        encoder: the best epoch's of the last round
        rounds: in order; the metrics of all but the last get the prefix ``variant_round<number>/``
        data: the clips
        folder: of the run
        command: line that started it
        hparams: all of them, plain
        started: with its time zone
        device: what the model ran on
    """
    clips, speakers = len(data.valid), len({u.speaker for u in data.valid})
    metrics = [
        Metric(f"{prefix}{name}", value, clips, speakers, None)
        for prefix, found in zip(_prefixes(len(rounds)), rounds, strict=True)
        for name, value in found.metrics.items()
    ]
    facts = selection_facts(
        data, command=command, hparams=hparams, started=started, device=device, with_affect=False
    )
    result = Result(facts, tuple(metrics), data.skipped, data.warnings)
    for number, found in enumerate(rounds, start=1):
        drawn = figures.learning_curves(found.history)
        figures.save_figure(drawn, folder / f"figures/learning_curves_round{number}.png")
    card = model_card(hparams["name"], DESCRIPTION, data.info, result, USAGE)
    save_model(folder / "model", encoder, card)
    write_result(folder / "result.json", result)
    for metric in metrics:
        logger.info("%s: %.3f", metric.metric, metric.value)
    logger.info("written to %s: result.json, figures/, model/", folder)
    return result


def _prefixes(rounds: int) -> list[str]:
    """What stands before the metrics of each round.

    >>> _prefixes(2)
    ['variant_round1/', '']
    """
    return [*(f"variant_round{number}/" for number in range(1, rounds)), ""]
