"""Emotions of several corpora at once, each by its own names for them.

A clip is asked for an emotion among those of its own corpus; no two corpora are made to agree on
what they call anger, and no corpus is told from another.

Shapes: N items, K classes of all corpora.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from emovec.audio.batches import Batch
from emovec.corpora.speakers import corpus_of, of_corpus
from emovec.errors import HparamError
from emovec.tables.manifest import Utterance
from emovec.training.losses import class_weights
from emovec.training.tasks import Arrays, class_metrics, class_numbers, emotion_classes

MEAN_RECALL = "emotion/unweighted_recall_mean_of_corpora"


class CorporaTask:
    r"""Emotion classes of clips among those of their corpora.

    .. math::
        L = \frac{1}{N} \sum_i w_{y_i} \,
            \mathrm{CE}(\mathrm{logits \; of \; the \; corpus \; of \;} i, y_i)

    over all clips of an effective batch, whatever corpora are in it. The weight of a class is
    that of its corpus, so that corpora of N_c clips count as N_c^balance over all training clips,
    times that of the class within the corpus if classes are balanced; its mean over the training
    clips is 1.

    Args:
        training: clips to train on; give the corpora, their classes and weights
        weighted_cross_entropy: balance the classes of each corpus
        corpus_balance: 1 lets each clip count alike, 0 each corpus
        label_smoothing: share of a clip's label that all emotions of its corpus have alike

    Raises:
        HparamError: if the smoothing or the balance is not in [0, 1]
        TrainingError: if the training clips of a corpus have one emotion only
    """

    step = 0

    def __init__(
        self,
        training: Sequence[Utterance],
        weighted_cross_entropy: bool,
        corpus_balance: float,
        label_smoothing: float,
    ) -> None:
        for name, value in (
            ("corpus_balance", corpus_balance),
            ("label_smoothing", label_smoothing),
        ):
            if not 0 <= value <= 1:
                raise HparamError(f"{name} is {value}; expected 0 to 1. Correct it.")
        self.corpora = sorted({corpus_of(u) for u in training})
        self.heads = {name: emotion_classes(of_corpus(name, training)) for name in self.corpora}
        sizes = [len(self.heads[name]) for name in self.corpora]
        self._first = np.cumsum([0, *sizes])
        self._corpus_of_class = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
        self._smoothing = label_smoothing
        self._weights = self._class_weights(training, weighted_cross_entropy, corpus_balance)

    def _class_weights(
        self, training: Sequence[Utterance], balanced: bool, corpus_balance: float
    ) -> Tensor:
        """(K,) weights of the classes."""
        clips = Counter(corpus_of(u) for u in training)
        shares = {name: clips[name] ** corpus_balance for name in self.corpora}
        weights = []
        for name, emotions in self.heads.items():
            weight = shares[name] / sum(shares.values()) * len(training) / clips[name]
            classes = class_numbers(of_corpus(name, training), emotions)
            within = (
                class_weights(classes, len(emotions)) if balanced else torch.ones(len(emotions))
            )
            weights.append(weight * within)
        return torch.cat(weights)

    def targets(self, utterances: Sequence[Utterance]) -> dict[str, Tensor]:
        """Class (N,) among those of all corpora.

        Raises:
            TrainingError: if an emotion, or a corpus, is none of training
        """
        classes = torch.empty(len(utterances), dtype=torch.int64)
        names = np.array([corpus_of(u) for u in utterances])
        for name in sorted(set(names.tolist())):
            rows = torch.from_numpy(np.flatnonzero(names == name))
            numbers = class_numbers([utterances[row] for row in rows], self.heads.get(name, []))
            classes[rows] = numbers + int(self._first[self.corpora.index(name)])
        return {"emotion": classes}

    def outputs(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Logits (B, K)."""
        return model(batch.waves, batch.lengths)

    def loss(self, outputs: dict[str, Tensor], targets: dict[str, Tensor], epoch: int) -> Tensor:
        """The weighted mean over all clips; the same in every epoch."""
        logits, classes = outputs["emotion"], targets["emotion"]
        corpus_of_class = self._corpus_of_class.to(logits.device)
        own = corpus_of_class == corpus_of_class[classes][:, None]  # (N, K)
        chances = logits.masked_fill(~own, -torch.inf).log_softmax(dim=1).masked_fill(~own, 0.0)
        right = chances.gather(1, classes[:, None])[:, 0]  # (N,)
        spread = chances.sum(dim=1) / own.sum(dim=1)
        told = (1 - self._smoothing) * right + self._smoothing * spread
        return -(self._weights.to(logits.device)[classes] * told).mean()

    def metrics(self, outputs: Arrays, targets: Arrays) -> dict[str, float]:
        """Accuracy, recall and F1 of each corpus that has clips, and the mean recall."""
        found: dict[str, float] = {}
        recalls = []
        for name in self.corpora:
            rows = self.rows(name, targets)
            if len(rows):
                predicted = self.predicted(name, outputs)[rows]
                target = targets["emotion"][rows] - self._first[self.corpora.index(name)]
                found |= class_metrics(f"{name}/emotion", predicted, target)
                recalls.append(found[f"{name}/emotion/unweighted_recall"])
        return found | {MEAN_RECALL: float(np.mean(recalls))}

    def rows(self, corpus: str, targets: Arrays) -> NDArray[np.int64]:
        """Places of the clips of a corpus."""
        place = self.corpora.index(corpus)
        of_clip = self._corpus_of_class.numpy()[targets["emotion"]]
        return np.flatnonzero(of_clip == place)

    def predicted(self, corpus: str, outputs: Arrays) -> NDArray[np.int64]:
        """(N,) most probable class of each clip among those of a corpus, counted from 0."""
        place = self.corpora.index(corpus)
        own = slice(self._first[place], self._first[place + 1])
        return outputs["emotion"][:, own].argmax(axis=1)

    def error(self, metrics: Mapping[str, float]) -> float:
        """One minus the mean over corpora of the unweighted recall."""
        return 1 - metrics[MEAN_RECALL]
