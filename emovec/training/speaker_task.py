"""Speakers: classified in training, told apart by the cosine of embeddings ever after."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from emovec.audio.batches import Batch
from emovec.corpora.speakers import corpus_of
from emovec.errors import TrainingError
from emovec.metrics.pairs import all_pairs
from emovec.tables.manifest import Utterance
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
        """Embedding (B, E), and loss and correctness (B,) where the speaker is a training one."""
        return model(batch.waves, batch.lengths, batch.targets["speaker"], self.step)

    def loss(self, outputs: dict[str, Tensor], targets: dict[str, Tensor], epoch: int) -> Tensor:
        """Mean over clips of training speakers."""
        return outputs["loss"][targets["speaker"] < len(self.heads["speaker"])].mean()

    def metrics(self, outputs: Arrays, targets: Arrays) -> dict[str, float]:
        """Accuracy on training speakers, and EER of pairs within a corpus on others."""
        known = targets["speaker"] < len(self.heads["speaker"])
        pairs = all_pairs(
            outputs["embedding"][~known],
            targets["speaker"][~known],
            targets["corpus"][~known],
            draws=0,
        )
        accuracy = float(np.mean(outputs["correct"][known]))
        return {"speaker/accuracy": accuracy, "eer/pooled": pairs.eer}

    def error(self, metrics: Mapping[str, float]) -> float:
        """The equal error rate."""
        return metrics["eer/pooled"]
