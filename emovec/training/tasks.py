"""Tasks: what a model is to predict, how wrong it is, and how good it was."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from emovec import sphere
from emovec.audio.batches import Batch
from emovec.errors import HparamError, TrainingError
from emovec.labels import AFFECT_AXES
from emovec.metrics.classification import accuracy, macro_f1, unweighted_recall, weighted_f1
from emovec.metrics.regression import concordance, root_mean_square_error
from emovec.tables.corpus import CorpusInfo
from emovec.tables.manifest import Utterance
from emovec.training.losses import (
    class_weights,
    concordance_loss,
    constant_weight,
    decaying_weight,
)

Arrays = dict[str, NDArray]

AUXILIARY_WEIGHTS: dict[str, Callable[[int], float]] = {
    "decaying": decaying_weight,
    "constant": constant_weight,
}


class Objective(Protocol):
    """What the Brain needs of a task.

    Attributes:
        step: optimiser steps done, kept by the Brain for losses that change with them
    """

    step: int

    def outputs(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """By name (B, ...) what the model says of a batch."""

    def loss(self, outputs: dict[str, Tensor], targets: dict[str, Tensor], epoch: int) -> Tensor:
        """() loss over all clips of an effective batch; epochs count from 0."""

    def metrics(self, outputs: Arrays, targets: Arrays) -> dict[str, float]:
        """Metrics by name over a whole split."""

    def error(self, metrics: Mapping[str, float]) -> float:
        """What the best epoch has least of."""


class Task(Objective, Protocol):
    """A task whose targets are labels of utterances.

    Attributes:
        heads: names of the outputs of each head of the model
    """

    heads: dict[str, list[str]]

    def targets(self, utterances: Sequence[Utterance]) -> dict[str, Tensor]:
        """By name (N, ...) what is to be predicted of N utterances."""


class AffectTask:
    """Valence, arousal and dominance, with an auxiliary classification that fades.

    Sum over axes of (1 - concordance) + weight(epoch) * cross-entropy (Cho et al., 2025).

    Args:
        info: of the corpus; gives the affect scale
        training: utterances of the training split; give the classes and their weights
        auxiliary: "region", "emotion" or "none"
        auxiliary_weight: "decaying" or "constant"
        weighted_cross_entropy: balance the classes
        regions: 8, 18 or 32
        axes: affect axes that are x, y and z of the sphere
        centre_region: an exactly central clip is a class of its own, as in the authors' loaders

    Raises:
        HparamError: for an unknown auxiliary, weight, number of regions or axis
        TrainingError: if the training clips lack affect, or have one emotion only
    """

    step = 0

    def __init__(
        self,
        info: CorpusInfo,
        training: Sequence[Utterance],
        auxiliary: str,
        auxiliary_weight: str,
        weighted_cross_entropy: bool,
        regions: int,
        axes: Sequence[str],
        centre_region: bool,
    ) -> None:
        if auxiliary_weight not in AUXILIARY_WEIGHTS:
            raise HparamError(
                f"auxiliary_weight is '{auxiliary_weight}'; expected one of "
                f"{sorted(AUXILIARY_WEIGHTS)}."
            )
        try:
            sphere.region(np.zeros(3), regions, axes)
        except ValueError as error:
            raise HparamError(f"{error} Correct the hparams.") from error
        self.info = info
        self.auxiliary = auxiliary
        self.regions = regions
        self.axes = tuple(axes)
        self.centre_region = centre_region
        self.heads = {"affect": list(AFFECT_AXES), **self._auxiliary_head(training)}
        self._weight_of_epoch = AUXILIARY_WEIGHTS[auxiliary_weight]
        self._class_weights: Tensor | None = None
        if weighted_cross_entropy and auxiliary != "none":
            classes = self.targets(training)[auxiliary]
            self._class_weights = class_weights(classes, len(self.heads[auxiliary]))

    def _auxiliary_head(self, training: Sequence[Utterance]) -> dict[str, list[str]]:
        if self.auxiliary == "none":
            return {}
        if self.auxiliary == "region":
            names = [str(index) for index in range(self.regions + self.centre_region)]
            return {"region": names}
        if self.auxiliary == "emotion":
            return {"emotion": emotion_classes(training)}
        raise HparamError(
            f"auxiliary is '{self.auxiliary}'; expected 'region', 'emotion' or 'none'."
        )

    def targets(self, utterances: Sequence[Utterance]) -> dict[str, Tensor]:
        """Affect (N, 3) on [0, 1], and the auxiliary class (N,)."""
        unit = self._unit_affect(utterances)  # (N, 3)
        targets = {"affect": torch.from_numpy(unit).float()}
        if self.auxiliary == "region":
            targets["region"] = torch.from_numpy(self.region(unit))
        elif self.auxiliary == "emotion":
            targets["emotion"] = class_numbers(utterances, self.heads["emotion"])
        return targets

    def outputs(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Affect (B, 3), and the auxiliary logits (B, K)."""
        return model(batch.waves, batch.lengths)

    def loss(self, outputs: dict[str, Tensor], targets: dict[str, Tensor], epoch: int) -> Tensor:
        """Sum over axes of (1 - concordance), plus the weighted auxiliary cross-entropy."""
        affect = len(AFFECT_AXES) * concordance_loss(outputs["affect"], targets["affect"])
        weight = self._weight_of_epoch(epoch)
        if self.auxiliary == "none" or weight == 0:
            return affect
        logits = outputs[self.auxiliary]
        balance = None if self._class_weights is None else self._class_weights.to(logits.device)
        return affect + weight * cross_entropy(logits, targets[self.auxiliary], balance)

    def metrics(self, outputs: Arrays, targets: Arrays) -> dict[str, float]:
        """Concordance and error of each axis on the corpus' scale, and of regions.

        ``region/...`` are the regions of the predicted affect, which every system has;
        ``region_head/...`` and ``emotion/...`` what the auxiliary head says.
        """
        unit = np.clip(outputs["affect"], 0, 1)  # (N, 3)
        found = affect_metrics(self.info.from_unit(unit), self.info.from_unit(targets["affect"]))
        true_region = self.region(targets["affect"])
        found |= class_metrics("region", self.region(unit), true_region)
        if self.auxiliary != "none":
            family = "region_head" if self.auxiliary == "region" else self.auxiliary
            classes = outputs[self.auxiliary].argmax(axis=1)
            found |= class_metrics(family, classes, targets[self.auxiliary])
        return found

    def error(self, metrics: Mapping[str, float]) -> float:
        """3 minus the sum of the three concordances."""
        return len(AFFECT_AXES) * (1 - metrics["ccc/mean"])

    def without_auxiliary(self) -> "AffectTask":
        """The same task for systems that say nothing but affect."""
        return AffectTask(
            self.info, (), "none", "constant", False, self.regions, self.axes, self.centre_region
        )

    def _unit_affect(self, utterances: Sequence[Utterance]) -> NDArray[np.float64]:
        without = [utterance.id for utterance in utterances if utterance.affect is None]
        if without:
            raise TrainingError(
                f"{len(without)} clips have no affect, for example {without[:3]}; expected "
                "valence, arousal and dominance of each. Leave them out of the splits."
            )
        return self.info.to_unit(np.array([utterance.affect for utterance in utterances]))

    def region(self, unit: NDArray) -> NDArray[np.int64]:
        """Region (N,) of affect (N, 3) on [0, 1], which is clipped to it.

        The extra class, where wanted, is the exact centre.
        """
        affect = 2 * np.clip(np.asarray(unit, dtype=np.float64), 0, 1) - 1
        # float32 targets of a clip rated at the middle of the scale must stay in the middle
        affect[np.abs(affect) < 1e-6] = 0.0
        region = sphere.region(affect, self.regions, self.axes)
        if self.centre_region:
            region[(affect == 0).all(axis=-1)] = self.regions
        return region


class EmotionTask:
    """Emotion classes by cross-entropy.

    Args:
        training: utterances of the training split; give the classes and their weights
        weighted_cross_entropy: balance the classes

    Raises:
        TrainingError: if the training clips have one emotion only
    """

    step = 0

    def __init__(self, training: Sequence[Utterance], weighted_cross_entropy: bool) -> None:
        self.heads = {"emotion": emotion_classes(training)}
        self._class_weights: Tensor | None = None
        if weighted_cross_entropy:
            classes = self.targets(training)["emotion"]
            self._class_weights = class_weights(classes, len(self.heads["emotion"]))

    def targets(self, utterances: Sequence[Utterance]) -> dict[str, Tensor]:
        """Emotion class (N,)."""
        return {"emotion": class_numbers(utterances, self.heads["emotion"])}

    def outputs(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Emotion logits (B, K)."""
        return model(batch.waves, batch.lengths)

    def loss(self, outputs: dict[str, Tensor], targets: dict[str, Tensor], epoch: int) -> Tensor:
        """Cross-entropy, balanced or not; the same in every epoch."""
        logits = outputs["emotion"]
        balance = None if self._class_weights is None else self._class_weights.to(logits.device)
        return cross_entropy(logits, targets["emotion"], balance)

    def metrics(self, outputs: Arrays, targets: Arrays) -> dict[str, float]:
        """Accuracy, recall and F1 of the most probable class."""
        return class_metrics("emotion", outputs["emotion"].argmax(axis=1), targets["emotion"])

    def error(self, metrics: Mapping[str, float]) -> float:
        """One minus the weighted F1."""
        return 1 - metrics["emotion/weighted_f1"]


def cross_entropy(logits: Tensor, classes: Tensor, weights: Tensor | None) -> Tensor:
    """Cross-entropy, weighted by class; 0 where every clip's class has weight 0.

    Args:
        logits: (N, K)
        classes: (N,) int64
        weights: (K,) or None for equal ones
    """
    if weights is not None and not weights[classes].any():
        return logits.sum() * 0.0
    return functional.cross_entropy(logits, classes, weights)


def emotion_classes(utterances: Sequence[Utterance]) -> list[str]:
    """Emotions that occur, in alphabetical order.

    Raises:
        TrainingError: if fewer than two occur
    """
    classes = sorted({utterance.emotion for utterance in utterances} - {""})
    if len(classes) < 2:
        raise TrainingError(
            f"the training split has the emotions {classes}; expected at least two classes."
        )
    return classes


def class_numbers(utterances: Sequence[Utterance], classes: Sequence[str]) -> Tensor:
    """Class numbers (N,) of emotions.

    Raises:
        TrainingError: if an emotion is none of the classes, as one absent in training
    """
    unknown = sorted({utterance.emotion for utterance in utterances} - set(classes))
    if unknown:
        raise TrainingError(
            f"emotions {unknown} occur, but training has only {list(classes)}. "
            "Drop them (drop_emotions), or choose another split."
        )
    return torch.tensor([classes.index(utterance.emotion) for utterance in utterances])


def affect_metrics(predicted: NDArray, target: NDArray) -> dict[str, float]:
    """Concordance and root mean square error of each axis, and the mean concordance.

    Args:
        predicted: (N, 3) on the corpus' scale
        target: (N, 3) on the corpus' scale
    """
    columns = list(zip(AFFECT_AXES, predicted.T, target.T, strict=True))
    agreement = {f"ccc/{axis}": concordance(x, y) for axis, x, y in columns}
    errors = {f"rmse/{axis}": root_mean_square_error(x, y) for axis, x, y in columns}
    return agreement | {"ccc/mean": float(np.mean(list(agreement.values())))} | errors


def class_metrics(family: str, predicted: NDArray, target: NDArray) -> dict[str, float]:
    """Accuracy, unweighted recall, macro and weighted F1 of class numbers (N,)."""
    measures = (accuracy, unweighted_recall, macro_f1, weighted_f1)
    return {f"{family}/{measure.__name__}": measure(predicted, target) for measure in measures}
