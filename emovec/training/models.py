"""Models of whole utterances: an encoder, a pooling, and a head for each thing predicted."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from emovec.audio.padding import valid_mask
from emovec.encoders.base import Encoder
from emovec.training.metric_losses import MetricLoss
from emovec.training.speaker_losses import SpeakerLoss


class Head(nn.Sequential):
    """Dropout, linear, layer norm, ReLU, dropout, linear (code of Cho et al., 2025).

    Shapes: (B, E) -> (B, K).
    """

    def __init__(self, inputs: int, width: int, outputs: int, dropout: float) -> None:
        super().__init__(
            nn.Dropout(dropout),
            nn.Linear(inputs, width),
            nn.LayerNorm(width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(width, outputs),
        )


class AffectModel(nn.Module):
    """Affect axes, regions of the sphere or emotion classes of utterances.

    Args:
        encoder: waves to frames
        pooling: frames to one embedding an utterance
        heads: names of the outputs of each head, for example
            ``{"affect": ["valence", "arousal", "dominance"], "region": ["0", "1", ...]}``
        head_width: hidden width of the heads
        head_dropout: share of values dropped before each linear layer of a head
        wave_mean: mean of all training samples, taken off every wave
        wave_deviation: standard deviation of all training samples, every wave is divided by it
        affect_scale: lowest and highest value of the corpus' own affect scale
        regions: 8, 18 or 32 regions of the sphere
        axes: affect axes that are x, y and z of the sphere
        max_seconds: clips are cut to this length before they come in
    """

    def __init__(
        self,
        encoder: Encoder,
        pooling: nn.Module,
        heads: Mapping[str, Sequence[str]],
        head_width: int,
        head_dropout: float,
        wave_mean: float,
        wave_deviation: float,
        affect_scale: Sequence[float],
        regions: int,
        axes: Sequence[str],
        max_seconds: float,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.pooling = pooling
        made = {
            name: Head(int(pooling.output_size), head_width, len(outputs), head_dropout)
            for name, outputs in heads.items()
        }
        if "affect" in made:
            _start_in_the_middle(made["affect"][-1])  # type: ignore[arg-type]
        self.heads = nn.ModuleDict(made)
        self._settings: dict[str, Any] = {
            "heads": {name: list(outputs) for name, outputs in heads.items()},
            "head_width": head_width,
            "head_dropout": head_dropout,
            "wave_mean": wave_mean,
            "wave_deviation": wave_deviation,
            "affect_scale": list(affect_scale),
            "regions": regions,
            "axes": list(axes),
            "max_seconds": max_seconds,
        }

    def arguments(self) -> dict[str, Any]:
        """Arguments that build this model again, for its config.json."""
        return {"encoder": self.encoder, "pooling": self.pooling, **self._settings}

    def forward(self, waves: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        """Outputs of every head.

        Args:
            waves: (B, T) float32 in [-1, 1], at the encoder's sample rate
            lengths: (B,) int64 valid samples

        Returns:
            by head name (B, K): affect on [0, 1] between the ends of the corpus' scale (not
            clipped), logits of classes
        """
        embeddings = self.embed(waves, lengths)  # (B, E)
        return {name: head(embeddings) for name, head in self.heads.items()}

    def embed(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """Pooled embeddings (B, E) of waves (B, T) with lengths (B,)."""
        return self.pooling(*self.encoder.frames(self.as_encoded(waves, lengths), lengths))

    def as_encoded(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """Waves (B, T) as the encoder gets them, zero behind their ends."""
        valid = valid_mask(lengths, waves.shape[1])  # (B, T)
        return torch.where(valid, self.normalised(waves), 0.0)

    def normalised(self, waves: Tensor) -> Tensor:
        """Samples, of any shape, as the encoder gets them."""
        return (waves - self._settings["wave_mean"]) / self._settings["wave_deviation"]


class EmotionModel(nn.Module):
    """Emotion classes of utterances: an encoder whose output layer is a new one.

    Args:
        encoder: waves to embeddings
        classes: names of the emotions
        pooling: frames to one embedding; None: the encoder's own embedding
        head_dropout: share of the embedding's values dropped before the output layer
        max_seconds: clips are cut to this length before they come in
    """

    def __init__(
        self,
        encoder: Encoder,
        classes: Sequence[str],
        pooling: nn.Module | None = None,
        head_dropout: float = 0.0,
        max_seconds: float = 12.0,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.pooling = pooling
        size = encoder.embedding_size if pooling is None else int(pooling.output_size)
        self.output = nn.Sequential(nn.Dropout(head_dropout), nn.Linear(size, len(classes)))
        self._settings: dict[str, Any] = {
            "classes": list(classes),
            "head_dropout": head_dropout,
            "max_seconds": max_seconds,
        }

    def arguments(self) -> dict[str, Any]:
        """Arguments that build this model again, for its config.json."""
        return {"encoder": self.encoder, "pooling": self.pooling, **self._settings}

    def forward(self, waves: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        """Logits of the classes.

        Args:
            waves: (B, T) float32 in [-1, 1], at the encoder's sample rate
            lengths: (B,) int64 valid samples

        Returns:
            "emotion" (B, K)
        """
        return {"emotion": self.output(self.embed(waves, lengths))}

    def embed(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """What the output layer takes, (B, E), of waves (B, T) with lengths (B,)."""
        if self.pooling is not None:
            return self.pooling(*self.encoder.frames(waves, lengths))
        return self.encoder.class_features(self.encoder(waves, lengths))


class CorporaModel(nn.Module):
    """Emotions of several corpora: one encoder, and a linear layer for each corpus.

    Args:
        encoder: waves to embeddings
        heads: names of the emotions of each corpus
        head_dropout: share of the embedding's values dropped before the linear layers
        head_width: of a layer that they share, behind the embedding; None without one
    """

    def __init__(
        self,
        encoder: Encoder,
        heads: Mapping[str, Sequence[str]],
        head_dropout: float,
        head_width: int | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        size: int = encoder.embedding_size
        shared: list[nn.Module] = []
        if head_width is not None:
            shared = [nn.Linear(size, head_width), nn.LayerNorm(head_width)]
            size = head_width
        classes = sum(len(emotions) for emotions in heads.values())
        # layers on the same values are one, with their outputs next to each other
        self.output = nn.Sequential(*shared, nn.Dropout(head_dropout), nn.Linear(size, classes))

    def forward(self, waves: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        """Logits of all emotions of all corpora.

        Args:
            waves: (B, T) float32 in [-1, 1], at the encoder's sample rate
            lengths: (B,) int64 valid samples

        Returns:
            "emotion" (B, K), K over all corpora in the order of the heads
        """
        return {"emotion": self.output(self.encoder(waves, lengths))}


class SpeakerModel(nn.Module):
    """A speaker encoder with the loss that it is trained by.

    Args:
        encoder: waves to embeddings
        criterion: takes (B, E) class features or embeddings, and (B,) speakers
    """

    def __init__(self, encoder: Encoder, criterion: SpeakerLoss | MetricLoss) -> None:
        super().__init__()
        self.encoder = encoder
        self.criterion = criterion

    def forward(
        self, waves: Tensor, lengths: Tensor, speakers: Tensor, step: int
    ) -> dict[str, Tensor]:
        """Embeddings, and what the criterion says of each clip.

        Args:
            waves: (B, T) float32 in [-1, 1], at the encoder's sample rate
            lengths: (B,) int64 valid samples
            speakers: (B,) int64; numbers beyond the criterion's are of speakers it does not know
            step: optimiser steps done

        Returns:
            "embedding" (B, E); of a classification "loss" and "correct" (B,), both 0 for unknown
            speakers; of a metric loss what it learns itself
        """
        embeddings = self.encoder(waves, lengths)  # (B, E)
        features = self.encoder.class_features(embeddings)
        return {"embedding": embeddings, **self.criterion.outputs(features, speakers, step)}


def _start_in_the_middle(layer: nn.Linear) -> None:
    """Small predictions about the middle of the scale: the concordance moves far ones hardly."""
    with torch.no_grad():
        layer.weight.mul_(0.3)
        layer.bias.fill_(0.5)
