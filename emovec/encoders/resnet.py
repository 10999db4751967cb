"""The x-vector encoder, and by its arguments the ResNet34 of today and the NetVLAD encoder.

Shapes: B batch, T samples, F frames, M bands, D features, E embedding.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from emovec.audio.activity import energy_activity, keep_active, sliding_mean_normalise
from emovec.audio.features import FrontEnd, LogMel, Mfcc, Spectrogram
from emovec.audio.gemaps import Gemaps
from emovec.audio.padding import zero_padding
from emovec.encoders.base import Encoder
from emovec.encoders.pooling import AttentiveStatisticsPooling
from emovec.encoders.residual import ResidualFrames
from emovec.encoders.speaker_pooling import (
    DictionaryPooling,
    GhostVladPooling,
    StatisticsPooling,
)
from emovec.errors import AudioError, HparamError

FEATURES: dict[str, type[FrontEnd]] = {
    "mfcc": Mfcc,
    "log_mel": LogMel,
    "spectrogram": Spectrogram,
    "gemaps": Gemaps,
}
POOLINGS: dict[str, Any] = {
    "dictionary": DictionaryPooling,
    "statistics": StatisticsPooling,
    "attentive_statistics": AttentiveStatisticsPooling,
    "ghost_vlad": GhostVladPooling,
}


class ResNet(Encoder):
    """Front end, residual network, pooling, and a linear layer whose output is the embedding.

    The default values are those of Pappagari et al. (2020), "X-vectors meet emotions", ICASSP, but
    for the sample rate. Today's ResNet34 has log-mel, channels (32, 64, 128, 256) whose bands are
    kept, statistics pooling and 256 values; the NetVLAD encoder of Huang et al. (2021), arXiv
    2106.02810, has spectrograms, neither activity nor mean normalisation, GhostVLAD pooling and
    512.

    Args:
        features: "mfcc", "log_mel", "spectrogram" or "gemaps"; the last needs openSMILE, an extra
        bands: M; None for the usual ones: 23 MFCC, 80 log-mel, every one of a spectrogram, the 25
            descriptors of the GeMAPS
        sample_rate: Hz, 8000 or 16000
        activity: whether silent frames are left out, by their energy
        mean_normalise: whether the mean over a sliding window is taken off all frames before
        level_normalise: whether the mean over all bands and frames that are kept is taken off
            behind that: of log-mel the gain of the recording goes, and the shape of the voice's
            spectrum stays, which ``mean_normalise`` takes away with the channel's
        channels: of each stage
        blocks: of each stage
        keep_bands: whether the pooling gets the bands of the last stage side by side, as today's
            ResNet34 has them, instead of their mean
        pooling: "dictionary", "statistics", "attentive_statistics" or "ghost_vlad"
        pooling_options: arguments of the pooling besides its width, such as ``{"heads": 32}``
        embedding_size: E

    Raises:
        HparamError: if a name is unknown or a number impossible
    """

    padding_safe = True

    def __init__(
        self,
        features: str = "mfcc",
        bands: int | None = None,
        sample_rate: int = 16000,
        activity: bool = True,
        mean_normalise: bool = True,
        level_normalise: bool = False,
        channels: Sequence[int] = (16, 32, 64, 128),
        blocks: Sequence[int] = (3, 4, 6, 3),
        keep_bands: bool = False,
        pooling: str = "dictionary",
        pooling_options: Mapping[str, Any] | None = None,
        embedding_size: int = 400,
    ):
        super().__init__()
        _check_sizes(channels, blocks, embedding_size)
        self._arguments = {
            "features": features,
            "bands": bands,
            "sample_rate": sample_rate,
            "activity": activity,
            "mean_normalise": mean_normalise,
            "level_normalise": level_normalise,
            "channels": list(channels),
            "blocks": list(blocks),
            "keep_bands": keep_bands,
            "pooling": pooling,
            "pooling_options": dict(pooling_options or {}),
            "embedding_size": embedding_size,
        }
        _check_level(level_normalise, features)
        self.needs_speech, self.mean_normalise = activity, mean_normalise
        self.level_normalise = level_normalise
        self.features = _make_features(features, bands, sample_rate)
        self.network = ResidualFrames(channels, blocks, keep_bands)
        self.frame_size = self.network.frame_size(self.features.bands)
        self.pooling = _make_pooling(pooling, self.frame_size, pooling_options or {})
        self.project = nn.Linear(self.pooling.output_size, embedding_size)
        self.norm = nn.BatchNorm1d(embedding_size)
        self.embedding_size = embedding_size
        self.sample_rate, self.shortest = sample_rate, self.features.window

    def describe(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, F, M), silence left out if so wanted, and (B,) valid ones.

        In training a clip that is silent throughout keeps its frames.

        Raises:
            AudioError: if a clip is too short for one frame, or is silent throughout
            ValueError: if shapes, types or lengths are not as :meth:`frames` takes them
        """
        self.check(waves, lengths)
        features, counts = self.features(waves, lengths)
        if self.mean_normalise:
            features = sliding_mean_normalise(features, counts)
        if self.needs_speech:
            features, counts = self._speech(features, counts, waves, lengths)
        return _without_level(features, counts) if self.level_normalise else features, counts

    def _speech(
        self, features: Tensor, counts: Tensor, waves: Tensor, lengths: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Features (B, F, M) of frames that are speech, and (B,) of them."""
        active = self._active(waves, lengths)
        if self.training:  # a random stretch without speech is no reason to stop
            active |= ~active.any(dim=1, keepdim=True)
        features, counts = keep_active(features, counts, active)
        silent = torch.nonzero(counts == 0).flatten().tolist()
        if silent:
            raise AudioError(
                f"ResNet: no speech at position {', '.join(map(str, silent))} of the batch; "
                "expected frames above the threshold of energy. Leave the clip out, or set the "
                "encoder's `activity` to false."
            )
        return features, counts

    def hears(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """Clips (B,) with a frame of speech; all, where none is looked for."""
        if not self.needs_speech:
            return super().hears(waves, lengths)
        return self._active(waves, lengths).any(dim=1)

    def _active(self, waves: Tensor, lengths: Tensor) -> Tensor:
        return energy_activity(waves, lengths, self.features.window, self.features.hop)

    def frames(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Frames (B, F / 8, D), with four stages, as :class:`Encoder` describes them."""
        return self.network(*self.describe(waves, lengths))

    def forward(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings (B, E); takes and raises what :meth:`frames` does."""
        return self.project(self.pooling(*self.frames(waves, lengths)))

    def embed_features(self, features: Tensor) -> Tensor:
        """Embeddings (B, E) of features (B, F, M) of :meth:`describe` without padding."""
        return self.project(self.pooling(*self.feature_frames(features)))

    def feature_frames(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Frames as :class:`Encoder` says."""
        frames = self.network.convolve(features, [None] * len(self.network.stages))
        counts = torch.full((frames.shape[0],), frames.shape[1], device=frames.device)
        return frames, counts

    def class_features(self, embeddings: Tensor) -> Tensor:
        """What a classifier of speakers or emotions takes: batch-normalised embeddings (B, E)."""
        return self.norm(embeddings)

    def arguments(self) -> dict[str, Any]:
        """Arguments that build the same architecture again, without its weights."""
        return dict(self._arguments)


def _without_level(features: Tensor, counts: Tensor) -> Tensor:
    """Features (B, F, M) less their clip's mean over bands and the (B,) valid frames."""
    total = zero_padding(features, counts).sum(dim=(1, 2), keepdim=True)
    mean = total / (counts.clamp_min(1) * features.shape[2])[:, None, None]
    return zero_padding(features - mean, counts)


def _check_level(level_normalise: bool, features: str) -> None:
    if level_normalise and features != "log_mel":
        raise HparamError(
            f"ResNet: level_normalise with features {features!r}; expected log_mel, in which a "
            "gain adds the same to all bands. Set one of them otherwise."
        )


def _make_features(name: str, bands: int | None, sample_rate: int) -> FrontEnd:
    if name not in FEATURES:
        raise HparamError(
            f"ResNet: features is {name!r}; expected one of {list(FEATURES)}. Correct it."
        )
    if bands is not None and issubclass(FEATURES[name], LogMel):
        return FEATURES[name](bands=bands, sample_rate=sample_rate)  # type: ignore[call-arg]
    features = FEATURES[name](sample_rate=sample_rate)
    if bands not in (None, features.bands):
        raise HparamError(
            f"ResNet: bands is {bands}; expected {features.bands}, all that {name} has at "
            f"{sample_rate} Hz, or null. Correct it."
        )
    return features


def _make_pooling(name: str, width: int, options: Mapping[str, Any]) -> Any:
    if name not in POOLINGS:
        raise HparamError(
            f"ResNet: pooling is {name!r}; expected one of {list(POOLINGS)}. Correct it."
        )
    try:
        return POOLINGS[name](width, **options)
    except TypeError as error:
        raise HparamError(
            f"ResNet: pooling_options is {dict(options)}; {name!r} does not take them ({error}). "
            "Correct them."
        ) from error


def _check_sizes(channels: Sequence[int], blocks: Sequence[int], embedding_size: int) -> None:
    numbers = [*channels, *blocks, embedding_size]
    if len(channels) != len(blocks) or not channels or min(numbers) < 1:
        raise HparamError(
            f"ResNet: channels {list(channels)}, blocks {list(blocks)}, embedding_size "
            f"{embedding_size}; expected as many channels as blocks, all at least 1. Correct them."
        )
