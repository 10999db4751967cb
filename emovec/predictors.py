"""Loaded models that say something of a clip: affect, or emotion classes.

Shapes: N clips, B batch, T samples, E embedding, K outputs.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emovec import sphere
from emovec.audio.clips import File, Wave, is_one
from emovec.encoders.base import Encoder
from emovec.labels import AFFECT_AXES
from emovec.loaded import Model
from emovec.training.models import AffectModel, EmotionModel

Prediction = TypeVar("Prediction")


@dataclass(frozen=True)
class AffectPrediction:
    """What a model says of one clip.

    Attributes:
        file: as given; "wave", or "wave 3" for that at position 3 of several
        valence: on the scale of the corpus that the model was trained on
        arousal: likewise
        dominance: likewise
        region: of the affect sphere, by the model's region head; of the predicted affect where
            it has none
        region_probability: what the region head gives it; None where there is none
        emotions: probability of each class, where the model has an emotion head
    """

    file: str
    valence: float
    arousal: float
    dominance: float
    region: int
    region_probability: float | None
    emotions: dict[str, float]


@dataclass(frozen=True)
class EmotionPrediction:
    """What a model says of one clip.

    Attributes:
        file: as given; "wave", or "wave 3" for that at position 3 of several
        emotion: the most probable class
        emotions: probability of each class
    """

    file: str
    emotion: str
    emotions: dict[str, float]


class Predictor(Model, Generic[Prediction]):
    """A model with outputs of utterances, its way from clips to predictions.

    Its embeddings are what the output layers take. Clips are cut at the length of training.

    Args:
        model: to be used in evaluation
        heads: names of the outputs of each head
        card: text of card.md
        device: where it runs; None: a GPU if there is one
    """

    def __init__(
        self,
        model: AffectModel | EmotionModel,
        heads: dict[str, list[str]],
        card: str,
        device: str | None,
    ) -> None:
        self._settings = model.arguments()
        pooling: Any = model.pooling
        size = model.encoder.embedding_size if pooling is None else pooling.output_size
        super().__init__(
            model,
            model.encoder,
            _Rows(model, model.embed, size),
            card,
            device,
            self._settings["max_seconds"],
        )
        self._sizes = {name: len(outputs) for name, outputs in heads.items()}
        self._outputs = _Rows(model, self._side_by_side, sum(self._sizes.values()))

    @overload
    def predict(self, clips: File) -> Prediction: ...  # type: ignore[overload-overlap]

    @overload
    def predict(self, clips: Iterable[File]) -> list[Prediction]: ...

    @overload
    def predict(self, clips: Wave, sample_rate: int) -> Prediction: ...  # type: ignore[overload-overlap]

    @overload
    def predict(self, clips: Iterable[Wave], sample_rate: int) -> list[Prediction]: ...

    def predict(
        self,
        clips: File | Wave | Iterable[File] | Iterable[Wave],
        sample_rate: int | None = None,
    ) -> Prediction | list[Prediction]:
        """Prediction for one clip, or for each of several.

        Args:
            clips: a file of any rate, channels and format that soundfile reads, or several; or a
                wave, or several in a list, each (T,) float in [-1, 1] or int16
            sample_rate: Hz of the waves, for waves only

        Raises:
            AudioError: if a clip cannot be read, is too short, or no speech is heard in it; it
                names the file, or the position among the waves
        """
        predicted = []
        for name, row in self._rows(clips, sample_rate, self._outputs):
            stops = np.cumsum(list(self._sizes.values()))[:-1]
            outputs = np.split(row.astype(np.float64), stops)
            predicted.append(self._prediction(name, dict(zip(self._sizes, outputs, strict=True))))
        return predicted[0] if is_one(clips) else predicted

    def _prediction(self, file: str, outputs: dict[str, NDArray[np.float64]]) -> Prediction:
        """What outputs (K,) of each head mean."""
        raise NotImplementedError

    def _side_by_side(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """Outputs of all heads (B, K)."""
        outputs = self._model(waves, lengths)
        return torch.cat([outputs[name] for name in self._sizes], dim=1)


class AffectPredictor(Predictor[AffectPrediction]):
    """A trained affect model.

    Args:
        model: with an affect head; to be used in evaluation
        card: text of card.md
        device: where it runs; None: a GPU if there is one
    """

    def __init__(self, model: AffectModel, card: str = "", device: str | None = None) -> None:
        super().__init__(model, model.arguments()["heads"], card, device)

    @property
    def affect_scale(self) -> tuple[float, float]:
        """Lowest and highest value of the affect axes."""
        low, high = self._settings["affect_scale"]
        return low, high

    def _prediction(self, file: str, outputs: dict[str, NDArray[np.float64]]) -> AffectPrediction:
        unit = outputs["affect"].clip(0, 1)  # (3,)
        low, high = self.affect_scale
        region, probability = self._region(unit, outputs)
        emotions = {}
        if "emotion" in outputs:
            emotions = _probabilities(self._settings["heads"]["emotion"], outputs["emotion"])
        affect = dict(zip(AFFECT_AXES, (low + unit * (high - low)).tolist(), strict=True))
        return AffectPrediction(
            file, region=region, region_probability=probability, emotions=emotions, **affect
        )

    def _region(
        self, unit: NDArray[np.float64], outputs: dict[str, NDArray[np.float64]]
    ) -> tuple[int, float | None]:
        if "region" not in outputs:
            regions, axes = self._settings["regions"], self._settings["axes"]
            return int(sphere.region(2 * unit - 1, regions, axes)), None
        shares = _softmax(outputs["region"])
        return int(shares.argmax()), float(shares.max())


class EmotionPredictor(Predictor[EmotionPrediction]):
    """A trained model of emotion classes.

    Args:
        model: to be used in evaluation
        card: text of card.md
        device: where it runs; None: a GPU if there is one
    """

    def __init__(self, model: EmotionModel, card: str = "", device: str | None = None) -> None:
        super().__init__(model, {"emotion": model.arguments()["classes"]}, card, device)

    @property
    def classes(self) -> list[str]:
        """Names of the emotions."""
        return list(self._settings["classes"])

    def _prediction(self, file: str, outputs: dict[str, NDArray[np.float64]]) -> EmotionPrediction:
        emotions = _probabilities(self.classes, outputs["emotion"])
        return EmotionPrediction(file, max(emotions, key=emotions.__getitem__), emotions)


class _Rows(Encoder):
    """Rows (B, K) that a model makes of waves, in the form of an encoder.

    So outputs of heads are computed in the same batches and on the same device as embeddings.
    """

    def __init__(
        self,
        model: AffectModel | EmotionModel,
        make: Callable[[Tensor, Tensor], Tensor],
        size: int,
    ) -> None:
        super().__init__()
        self.model = model  # a part of it, so that it moves to a device as well
        self._make = make
        encoder = model.encoder
        self.embedding_size, self.frame_size = size, encoder.frame_size
        self.sample_rate, self.shortest = encoder.sample_rate, encoder.shortest
        self.padding_safe = encoder.padding_safe
        self.needs_speech, self.unheard = encoder.needs_speech, encoder.unheard

    def forward(self, waves: Tensor, lengths: Tensor) -> Tensor:
        return self._make(waves, lengths)

    def hears(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """Clips (B,) in which the model's encoder finds speech, in waves as it gets them."""
        if isinstance(self.model, AffectModel):
            waves = self.model.as_encoded(waves, lengths)
        return self.model.encoder.hears(waves, lengths)


def _probabilities(names: list[str], logits: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(names, _softmax(logits).tolist(), strict=True))


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shares = np.exp(logits - logits.max())
    return shares / shares.sum()
