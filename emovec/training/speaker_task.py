"""Speakers: classified or compared in training, told apart by cosines of embeddings ever after."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from emovec.audio.batches import Batch
from emovec.corpora.speakers import corpus_of
from emovec.encoders import store
from emovec.encoders.base import Encoder
from emovec.errors import TrainingError
from emovec.metrics.pairs import all_pairs
from emovec.tables.manifest import Utterance
from emovec.training.metric_losses import MetricLoss
from emovec.training.models import SpeakerModel
from emovec.training.tasks import Arrays


class SpeakerTask:
    """Classes are the training speakers; held-out speakers are compared pairwise.

    Args:
        training: clips whose speakers are the classes
        held_out: clips of other speakers

    Raises:
        TrainingError: if there are fewer than two training speakers
    """

    step = 0

    def __init__(self, training: Sequence[Utterance], held_out: Sequence[Utterance]) -> None:
        speakers = sorted({u.speaker for u in training})
        if len(speakers) < 2:
            raise TrainingError(
                f"{len(speakers)} speakers to train on; expected at least 2. Add a corpus."
            )
        self.heads = {"speaker": speakers}
        others = sorted({u.speaker for u in held_out} - set(speakers))
        self._number = {name: number for number, name in enumerate([*speakers, *others])}
        names = sorted({corpus_of(u) for u in [*training, *held_out]})
        self._corpus = {name: number for number, name in enumerate(names)}

    def targets(self, utterances: Sequence[Utterance]) -> dict[str, Tensor]:
        """Speaker (N,), the training ones first, and corpus (N,), as numbers."""
        return {
            "speaker": torch.tensor([self._number[u.speaker] for u in utterances]),
            "corpus": torch.tensor([self._corpus[corpus_of(u)] for u in utterances]),
        }

    def outputs(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Embedding (B, E), and what the criterion says of each clip."""
        return model(batch.waves, batch.lengths, batch.targets["speaker"], self.step)

    def loss(self, outputs: dict[str, Tensor], targets: dict[str, Tensor], epoch: int) -> Tensor:
        """Mean over clips of training speakers."""
        return outputs["loss"][targets["speaker"] < len(self.heads["speaker"])].mean()

    def metrics(self, outputs: Arrays, targets: Arrays) -> dict[str, float]:
        """Accuracy on training speakers, and EER of pairs within a corpus on others."""
        known = targets["speaker"] < len(self.heads["speaker"])
        accuracy = float(np.mean(outputs["correct"][known]))
        return {"speaker/accuracy": accuracy, **self._rate(outputs, targets)}

    def _rate(self, outputs: Arrays, targets: Arrays) -> dict[str, float]:
        known = targets["speaker"] < len(self.heads["speaker"])
        pairs = all_pairs(
            outputs["embedding"][~known],
            targets["speaker"][~known],
            targets["corpus"][~known],
            draws=0,
        )
        return {"eer/pooled": pairs.eer}

    def error(self, metrics: Mapping[str, float]) -> float:
        """The equal error rate."""
        return metrics["eer/pooled"]


class SpeakerComparison(SpeakerTask):
    """Clips of all speakers are compared with each other; there are no classes to be right about.

    Args:
        training: clips of the training speakers
        held_out: clips of other speakers
        criterion: takes all embeddings of an effective batch

    Raises:
        TrainingError: if there are fewer than two training speakers
    """

    def __init__(
        self,
        training: Sequence[Utterance],
        held_out: Sequence[Utterance],
        criterion: MetricLoss,
    ) -> None:
        super().__init__(training, held_out)
        self._criterion = criterion

    def loss(self, outputs: dict[str, Tensor], targets: dict[str, Tensor], epoch: int) -> Tensor:
        """The criterion's, of known and unknown speakers alike."""
        return self._criterion.of_batch(outputs, targets["speaker"], self.step)

    def metrics(self, outputs: Arrays, targets: Arrays) -> dict[str, float]:
        """EER of pairs within a corpus on held-out speakers."""
        return self._rate(outputs, targets)


def task_and_model(
    training: Sequence[Utterance],
    held_out: Sequence[Utterance],
    encoder: Encoder,
    criterion: str,
    options: Mapping[str, Any],
) -> tuple[SpeakerTask, SpeakerModel]:
    """What a criterion makes of an encoder's training.

    Args:
        training: clips to train on
        held_out: clips of other speakers
        encoder: to be trained
        criterion: name of a loss in the registry
        options: its arguments besides width and speakers

    Raises:
        HparamError: if there is no such criterion, or it does not take these arguments
        TrainingError: if there are fewer than two training speakers
    """
    task = SpeakerTask(training, held_out)
    speakers = len(task.heads["speaker"])
    made = store.create(criterion, width=encoder.embedding_size, speakers=speakers, **options)
    if isinstance(made, MetricLoss):
        task = SpeakerComparison(training, held_out, made)
    return task, SpeakerModel(encoder, made)  # type: ignore[arg-type]
