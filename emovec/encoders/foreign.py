"""Pretrained speaker encoders of SpeechBrain, behind the interface of ours.

Ravanelli et al. (2021), "SpeechBrain: A general-purpose speech toolkit", arXiv 2106.04624. Trained
on VoxCeleb 1 and 2, 7205 speakers; Apache-2.0. The architectures are SpeechBrain's own, built here
with the values of the published hyperparams.yaml, which is never read; of a checkpoint only the
tensors are. ``EncoderClassifier.encode_batch`` gives the same embeddings.

Shapes: B batch, T samples, F frames, M bands, D features, E embedding.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from emovec.audio.padding import zero_padding
from emovec.encoders.base import Encoder
from emovec.encoders.store import fit_weights, read_weights
from emovec.errors import HparamError, ModelError

SAMPLE_RATE, HOP = 16000, 160
CHECKPOINT = "embedding_model.ckpt"


@dataclass(frozen=True)
class Published:
    """A published model.

    Attributes:
        repository: its name on the Hugging Face hub
        revision: the commit of it that is fetched
        network: module and class of SpeechBrain
        options: arguments of that class; lin_neurons is E
        bands: M, log-mel bands that it takes
        pooling: name of the part that takes frames
        channels_first: whether it takes (B, D, F)
        frame_size: D
        stride: steps of 10 ms from one frame to the next
        shortest: samples that the network needs; it cannot reflect more frames than there are
    """

    repository: str
    revision: str
    network: str
    options: Mapping[str, Any]
    bands: int
    pooling: str
    channels_first: bool
    frame_size: int
    stride: int
    shortest: int


MODELS = {
    # Desplanques et al. (2020), Interspeech, arXiv 2005.07143
    "ecapa": Published(
        repository="speechbrain/spkrec-ecapa-voxceleb",
        revision="0f99f2d0ebe89ac095bcc5903c4dd8f72b367286",
        network="speechbrain.lobes.models.ECAPA_TDNN:ECAPA_TDNN",
        options={
            "input_size": 80,
            "channels": [1024, 1024, 1024, 1024, 3072],
            "kernel_sizes": [5, 3, 3, 3, 1],
            "dilations": [1, 2, 3, 4, 1],
            "attention_channels": 128,
            "lin_neurons": 192,
        },
        bands=80,
        pooling="asp",
        channels_first=True,
        frame_size=3072,
        stride=1,
        shortest=4 * HOP,
    ),
    # a pre-activated ResNet34 with squeeze and excitation, by M. Rouvier (2022) in SpeechBrain
    "resnet": Published(
        repository="speechbrain/spkrec-resnet-voxceleb",
        revision="667393f8ff032444ee0f1c188c8cbbae5bc29f8f",
        network="speechbrain.lobes.models.ResNet:ResNet",
        options={
            "input_size": 80,
            "channels": [128, 128, 256, 256],
            "strides": [1, 2, 2, 2],
            "block_sizes": [3, 4, 6, 3],
            "lin_neurons": 256,
        },
        bands=80,
        pooling="attention",
        channels_first=True,
        frame_size=2560,  # 256 channels of 10 bands
        stride=8,
        shortest=400,  # one window; the network would take less [ours]
    ),
    # Snyder et al. (2018), ICASSP
    "xvector": Published(
        repository="speechbrain/spkrec-xvect-voxceleb",
        revision="56895a2df401be4150a159f3a1c653f00051d477",
        network="speechbrain.lobes.models.Xvector:Xvector",
        options={
            "in_channels": 24,
            "tdnn_blocks": 5,
            "tdnn_channels": [512, 512, 512, 512, 1500],
            "tdnn_kernel_sizes": [5, 3, 3, 1, 1],
            "tdnn_dilations": [1, 2, 3, 1, 1],
            "lin_neurons": 512,
        },
        bands=24,
        pooling="blocks.15",
        channels_first=False,
        frame_size=1500,
        stride=1,
        shortest=3 * HOP,
    ),
}


class SpeechBrainEncoder(Encoder):
    """ECAPA-TDNN, ResNet or x-vector of SpeechBrain: log-mel, less its mean over a clip, network.

    These networks take padding for speech: the convolutions of ecapa and xvector reflect what is at
    the end of the batch, not of the clip, and resnet ignores lengths. So in evaluation the clips of
    each length go through by themselves, and neighbours change nothing; batches of equal lengths
    are the fastest. In training batch norm needs all clips at once: the shorter ones are repeated
    up to the longest [ours].

    Args:
        model: "ecapa", "resnet" or "xvector"
        weights: None for random ones, "published" for SpeechBrain's, fetched on first use, or a
            local checkpoint, or a folder with embedding_model.ckpt

    Raises:
        HparamError: if there is no such model
        ModelError: if the weights cannot be fetched, read or do not fit
    """

    sample_rate = SAMPLE_RATE
    padding_safe = True
    features: Any  # SpeechBrain's
    network: nn.Module

    def __init__(self, model: str = "ecapa", weights: str | None = None):
        super().__init__()
        if model not in MODELS:
            raise HparamError(
                f"SpeechBrainEncoder: model is {model!r}; expected one of {list(MODELS)}. "
                "Correct it."
            )
        self._arguments = {"model": model, "weights": None}
        self.published = MODELS[model]
        self.embedding_size = self.published.options["lin_neurons"]
        self.frame_size = self.published.frame_size
        self.shortest = self.published.shortest
        self.features, self.network = _build(self.published)
        if weights is not None:
            path = fetch(self.published) if weights == "published" else Path(weights)
            path = path / CHECKPOINT if path.is_dir() else path
            fit_weights(self.network, read_weights(path), path)

    def describe(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Log-mel (B, F, M) less its mean over the clip, and (B,) valid frames.

        Takes and raises what :meth:`frames` does.
        """
        self.check(waves, lengths)
        groups = self._groups(waves, lengths)
        parts = [self._bands(clips) for _, clips in groups]
        return _padded(parts, [rows for rows, _ in groups]), lengths // HOP + 1

    def embed_features(self, features: Tensor) -> Tensor:
        """Embeddings (B, E) of features (B, F, M) of :meth:`describe` without padding."""
        return self.network(features).reshape(features.shape[0], self.embedding_size)

    def forward(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings (B, E), not normalised; takes and raises what :meth:`frames` does."""
        self.check(waves, lengths)
        groups = self._groups(waves, lengths)
        embeddings = [self.embed_features(self._bands(clips)) for _, clips in groups]
        return _in_order(embeddings, [rows for rows, _ in groups])

    def frames(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """What the network's own pooling takes, as :class:`Encoder` describes it."""
        self.check(waves, lengths)
        counts = lengths // (HOP * self.published.stride) + 1
        groups = self._groups(waves, lengths)
        parts = [self._pooling_input(clips) for _, clips in groups]  # (B', F', D)
        return zero_padding(_padded(parts, [rows for rows, _ in groups]), counts), counts

    def arguments(self) -> dict[str, Any]:
        """Arguments that build the same architecture again, without its weights."""
        return dict(self._arguments)

    def _groups(self, waves: Tensor, lengths: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Positions in the batch, and clips without padding, that may go through together."""
        if self.training:
            rows = torch.arange(len(waves), device=waves.device)
            return [(rows, repeat_clips(waves, lengths))]
        groups = []
        for length in lengths.unique().tolist():
            rows = torch.nonzero(lengths == length).flatten()
            groups.append((rows, waves[rows, :length]))
        return groups

    def _bands(self, clips: Tensor) -> Tensor:
        bands = self.features(clips)  # (B, F, M)
        return bands - bands.mean(dim=1, keepdim=True)

    def _pooling_input(self, clips: Tensor) -> Tensor:
        """Frames (B, F, D), caught where they enter the pooling: SpeechBrain has no call for it."""
        caught: list[Tensor] = []
        pooling = self.network.get_submodule(self.published.pooling)
        hook = pooling.register_forward_pre_hook(lambda _, inputs: caught.append(inputs[0]))
        try:
            self.embed_features(self._bands(clips))
        finally:
            hook.remove()
        (frames,) = caught
        return frames.transpose(1, 2) if self.published.channels_first else frames


class MeanAndDeviation(nn.Module):
    """SpeechBrain's statistics pooling without the noise that it adds to means, evaluation or not.

    That noise is of 1e-5 to 9e-5, and two calls with the same clip give two embeddings.
    """

    def forward(self, frames: Tensor, lengths: None = None) -> Tensor:
        """Mean and sample deviation (B, 1, 2 D) over all frames (B, F, D)."""
        frames = frames.float()  # moments overflow half precision
        variance = frames.var(dim=1).clamp_min(1e-12)  # the root of zero has no finite gradient
        return torch.cat([frames.mean(dim=1), variance.sqrt() + 1e-5], dim=1)[:, None]


def repeat_clips(waves: Tensor, lengths: Tensor) -> Tensor:
    """Clips repeated from their start until all are as long as the longest.

    Args:
        waves: (B, T)
        lengths: (B,) int64 valid samples, at least 1

    Returns:
        (B, longest)

    >>> repeat_clips(torch.tensor([[1, 2, 0, 0], [3, 4, 5, 0]]), torch.tensor([2, 3])).tolist()
    [[1, 2, 1], [3, 4, 5]]
    """
    places = torch.arange(int(lengths.max()), device=waves.device)
    return waves.gather(1, places % lengths[:, None])


def fetch(published: Published) -> Path:
    """The published checkpoint, fetched into the hub's cache if it is not there.

    Raises:
        ModelError: if it cannot be fetched
    """
    from huggingface_hub import hf_hub_download

    name, revision = published.repository, published.revision
    try:
        return Path(hf_hub_download(name, CHECKPOINT, revision=revision))
    # Not only OSError: the hub lets through what its client raises, which its releases replace.
    except Exception as error:
        raise ModelError(
            f"{name}: {CHECKPOINT} could not be fetched ({error}). Fetch "
            f"https://huggingface.co/{name}/resolve/{revision}/{CHECKPOINT} elsewhere, and set the "
            "hparam `weights` of the encoder to where it is."
        ) from error


def _padded(parts: list[Tensor], rows: list[Tensor]) -> Tensor:
    """Rows (F', D) of all parts, each at its position in the batch, with zeros behind the short."""
    size = max(part.shape[1] for part in parts)
    return _in_order([functional.pad(p, (0, 0, 0, size - p.shape[1])) for p in parts], rows)


def _in_order(parts: list[Tensor], rows: list[Tensor]) -> Tensor:
    """Rows of all parts, each at its position in the batch."""
    return torch.cat(parts)[torch.cat(rows).argsort()]


def _build(published: Published) -> tuple[nn.Module, nn.Module]:
    """Front end and network with random weights; SpeechBrain is imported only here."""
    from speechbrain.lobes.features import Fbank
    from speechbrain.nnet.CNN import Conv1d

    features = Fbank(sample_rate=SAMPLE_RATE, n_mels=published.bands)
    features.compute_deltas = nn.Identity()  # not used, but its kernel would be among the weights
    module, name = published.network.split(":")
    network = getattr(import_module(module), name)(**published.options)
    if name == "Xvector":
        network.blocks[-2] = MeanAndDeviation()
    for layer in network.modules():
        if isinstance(layer, Conv1d) and layer.kernel_size == 1:
            layer.padding = "valid"  # "same" copies all frames to reflect none: a tenth of the time
    return features, network
