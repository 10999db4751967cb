"""Models for those who do not care about torch: files in, numbers out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from emovec import sphere
from emovec.audio.batches import pad
from emovec.audio.loading import load as load_audio
from emovec.encoders.store import load_model
from emovec.errors import AudioError, ModelError
from emovec.labels import AFFECT_AXES
from emovec.training.models import AffectModel

File = str | Path


@dataclass(frozen=True)
class AffectPrediction:
    """What a model says of one file.

    Attributes:
        file: as given
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


class AffectPredictor:
    """A trained affect model with its way from files to numbers.

    Args:
        model: in evaluation mode
    """

    def __init__(self, model: AffectModel) -> None:
        self.model = model.eval()
        self._settings = model.arguments()

    @property
    def affect_scale(self) -> tuple[float, float]:
        """Lowest and highest value of the affect axes."""
        low, high = self._settings["affect_scale"]
        return low, high

    def predict(self, files: File | Sequence[File]) -> AffectPrediction | list[AffectPrediction]:
        """Affect of one file, or of each of several.

        Args:
            files: audio of any rate and format that soundfile reads; cut at the length that the
                model was trained on

        Raises:
            AudioError: if a file is missing, empty, unreadable or too short
        """
        if isinstance(files, (str, Path)):
            return self._predict(files)
        return [self._predict(file) for file in files]

    def _predict(self, file: File) -> AffectPrediction:
        wave = load_audio(
            Path(file),
            sample_rate=self.model.encoder.sample_rate,
            max_seconds=self._settings["max_seconds"],
        )
        shortest = self.model.encoder.shortest
        if len(wave) < shortest:
            raise AudioError(
                f"{file}: {len(wave)} samples at {self.model.encoder.sample_rate} Hz; "
                f"expected at least {shortest}. Pad it with silence."
            )
        with torch.inference_mode():
            outputs = {name: rows[0] for name, rows in self.model(*pad([wave])).items()}
        return self._prediction(str(file), outputs)

    def _prediction(self, file: str, outputs: dict[str, Tensor]) -> AffectPrediction:
        unit = outputs["affect"].double().numpy().clip(0, 1)  # (3,)
        low, high = self.affect_scale
        region, probability = self._region(unit, outputs)
        emotions = {}
        if "emotion" in outputs:
            shares = outputs["emotion"].softmax(dim=0).tolist()
            emotions = dict(zip(self._settings["heads"]["emotion"], shares, strict=True))
        affect = dict(zip(AFFECT_AXES, (low + unit * (high - low)).tolist(), strict=True))
        return AffectPrediction(
            file, region=region, region_probability=probability, emotions=emotions, **affect
        )

    def _region(self, unit: np.ndarray, outputs: dict[str, Tensor]) -> tuple[int, float | None]:
        if "region" not in outputs:
            regions, axes = self._settings["regions"], self._settings["axes"]
            return int(sphere.region(2 * unit - 1, regions, axes)), None
        shares = outputs["region"].softmax(dim=0)
        return int(shares.argmax()), float(shares.max())


def load(folder: str | Path) -> AffectPredictor:
    """A trained model from its folder.

    Args:
        folder: with config.json and model.safetensors, as recipes/ser/train.py writes it

    Raises:
        ModelError: if the folder is none, or holds a model that predicts no affect
    """
    model = load_model(Path(folder))
    if not isinstance(model, AffectModel) or "affect" not in model.heads:
        raise ModelError(
            f"{folder}: holds {type(model).__name__}; expected a model that predicts affect."
        )
    return AffectPredictor(model)
