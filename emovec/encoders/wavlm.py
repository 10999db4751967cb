"""WavLM on torchaudio's layers, padded batches included.

Chen et al. (2022), "WavLM: Large-scale self-supervised pre-training for full stack speech
processing", IEEE JSTSP 16, doi 10.1109/JSTSP.2022.3188113.

torchaudio's own model cannot be given lengths: its attention asserts that there are none. Here its
layers are called one by one with the padding as a mask. Weights keep torchaudio's names.

Shapes: B batch, T samples, F frames, D features, L layers, H heads.
"""

from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import torch
import torchaudio
from torch import Tensor, nn

from emovec.audio.padding import valid_mask, zero_padding
from emovec.encoders.base import Encoder, valid_mean
from emovec.encoders.front_end import MelFrontEnd, SampleFrontEnd
from emovec.encoders.locating import weights_file
from emovec.encoders.store import fit_weights, read_weights
from emovec.errors import HparamError, ModelError

SAMPLE_RATE = 16000
PUBLISHED = "https://download.pytorch.org/torchaudio/models/wavlm_{size}.pth"


@dataclass(frozen=True)
class Size:
    """An architecture.

    Attributes:
        width: D
        layers: L
        heads: H of each layer
        feed_forward: width inside a layer
        front_end: "mel", or torchaudio's "group_norm" or "layer_norm" on samples
        norm_first: whether a layer normalises before its parts instead of behind them
        normalize_waves: whether each clip is brought to mean 0 and variance 1 first
        position_kernel: frames that the positional convolution sees
        buckets: number of relative distances that are told apart
        max_distance: frames from which on distances are alike
    """

    width: int
    layers: int
    heads: int
    feed_forward: int
    front_end: str
    norm_first: bool
    normalize_waves: bool = False
    position_kernel: int = 128
    buckets: int = 320
    max_distance: int = 800


# tiny and small are [ours]; the others are as published
SIZES = {
    "tiny": Size(128, 2, 4, 512, "mel", True, position_kernel=32, buckets=64, max_distance=128),
    "small": Size(
        *(192, 6, 6, 768, "mel", True, True), position_kernel=32, buckets=64, max_distance=128
    ),
    "base": Size(768, 12, 12, 3072, "group_norm", False),
    "base_plus": Size(768, 12, 12, 3072, "group_norm", False),
    "large": Size(1024, 24, 16, 4096, "layer_norm", True, True),
}


class WavLM(Encoder):
    """WavLM: a front end on audio, and a transformer with gated relative position bias.

    Args:
        size: a name of ``SIZES``; tiny and small train on a CPU: tiny has half a million
            parameters, with style pooling and heads a million; small, 3 million, is pretrained
        weights: None for random ones, "published" for those of torchaudio, fetched on first use,
            a local file (.pt, .pth, .safetensors), or a model folder or the name of one that comes
            with the package
        freeze_front_end: whether the front end keeps its weights in training
        layers: "last" for the output of the last layer, "weighted" for a learned weighted sum of
            the outputs of all, or "all" for all of them side by side, first to last
        mask_time_probability: share of frames that training zeroes in spans, before overlaps
        mask_time_length: frames of a span
        layer_drop: probability that training skips a layer
        dropout: probability behind the projection, the attention and the feed-forward part

    Raises:
        HparamError: if a name is unknown or a probability impossible
        ModelError: if the weights cannot be fetched, read or do not fit
    """

    sample_rate = SAMPLE_RATE
    padding_safe = True
    feature_extractor: MelFrontEnd | SampleFrontEnd
    encoder: Any  # torchaudio's

    def __init__(
        self,
        size: str = "tiny",
        weights: str | None = None,
        freeze_front_end: bool = False,
        layers: str = "last",
        mask_time_probability: float = 0.05,
        mask_time_length: int = 10,
        layer_drop: float = 0.1,
        dropout: float = 0.1,
    ):
        super().__init__()
        self._arguments = {
            "size": size,
            "weights": None,
            "freeze_front_end": freeze_front_end,
            "layers": layers,
            "mask_time_probability": mask_time_probability,
            "mask_time_length": mask_time_length,
            "layer_drop": layer_drop,
            "dropout": dropout,
        }
        _check_arguments(self._arguments)
        self.architecture = SIZES[size]
        side_by_side = self.architecture.layers if layers == "all" else 1
        self.embedding_size = self.frame_size = side_by_side * self.architecture.width
        self.mask_time_probability, self.mask_time_length = mask_time_probability, mask_time_length
        self.layer_drop = layer_drop
        self.feature_extractor, self.encoder = _build(self.architecture, dropout)
        self.shortest, self.hop = self.feature_extractor.shortest, self.feature_extractor.hop
        self.layer_weights: nn.Parameter | None = None
        if layers == "weighted":
            self.layer_weights = nn.Parameter(torch.zeros(self.architecture.layers))
        if weights is not None:
            path = published_weights(size) if weights == "published" else weights_file(weights)
            fit_weights(self, read_weights(path), path, optional={"layer_weights"})
        if freeze_front_end:
            self.feature_extractor.requires_grad_(False)

    def frames(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Frames as :class:`Encoder` says; in training with spans zeroed and layers skipped."""
        outputs, counts = self.layer_outputs(waves, lengths)
        return zero_padding(self._mix(outputs), counts), counts

    def describe(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """What comes before the first weight: log-mel (B, F, M) of tiny, else waves (B, T).

        Takes and raises what :meth:`frames` does.

        Returns:
            these, and (B,) valid places along F or T
        """
        self.check(waves, lengths)
        return self.feature_extractor.describe(zero_padding(waves, lengths), lengths)

    def embed_features(self, features: Tensor) -> Tensor:
        """Embeddings (B, E) of features of :meth:`describe` without padding."""
        return valid_mean(*self.feature_frames(features))

    def feature_frames(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Frames as :class:`Encoder` says."""
        counts = torch.full((features.shape[0],), features.shape[1], device=features.device)
        outputs, counts = self._outputs(features, counts)
        return self._mix(outputs), counts

    def layer_outputs(self, waves: Tensor, lengths: Tensor) -> tuple[list[Tensor], Tensor]:
        """Outputs of all layers, the last one after the closing layer norm of large.

        Takes and raises what :meth:`frames` does.

        Returns:
            L tensors (B, F, D), and (B,) valid frames; what lies behind them has no meaning
        """
        return self._outputs(*self.describe(waves, lengths))

    def masked_outputs(
        self, waves: Tensor, lengths: Tensor, mask: Tensor, embedding: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Output of the last layer where some frames are hidden from it, for masked prediction.

        Spans are not drawn besides. Raises what :meth:`frames` does.

        Args:
            waves: (B, T) float32
            lengths: (B,) int64 valid samples
            mask: (B, at least F) bool, which frames are hidden
            embedding: (D,) what the transformer gets in their place

        Returns:
            (B, F, D), and (B,) valid frames; what lies behind them has no meaning
        """
        outputs, counts = self._outputs(*self.describe(waves, lengths), (mask, embedding))
        return outputs[-1], counts

    def _outputs(
        self, features: Tensor, counts: Tensor, hidden: tuple[Tensor, Tensor] | None = None
    ) -> tuple[list[Tensor], Tensor]:
        features, counts = self.feature_extractor.convolve(features, counts)
        values = self.encoder.feature_projection(features)  # (B, F, D)
        if hidden is not None:
            mask, embedding = hidden
            mask = mask[:, : values.shape[1], None]
            values = torch.where(mask, embedding.to(values.dtype), values)
        elif self.training and self.mask_time_probability > 0:
            spans = draw_time_masks(
                counts, values.shape[1], self.mask_time_probability, self.mask_time_length
            )
            values = values.masked_fill(spans[..., None], 0.0)
        return self._transform(zero_padding(values, counts), counts), counts

    def _transform(self, values: Tensor, counts: Tensor) -> list[Tensor]:
        transformer, frames = self.encoder.transformer, values.shape[1]
        norm_first = self.architecture.norm_first
        values = values + transformer.pos_conv_embed(values)
        if not norm_first:
            values = transformer.layer_norm(values)
        values = transformer.dropout(values)
        # Computed here, not in the first layer, since the others need it when that one is skipped.
        bias = transformer.layers[0].attention.compute_bias(frames, frames)[None]  # (1, H, F, F)
        padding = torch.zeros(values.shape[0], frames, dtype=bias.dtype, device=bias.device)
        padding = padding.masked_fill(~valid_mask(counts, frames), -torch.inf)
        outputs = []
        for layer, keep in zip(transformer.layers, self._kept_layers(), strict=True):
            if keep:
                values, _ = layer(values, position_bias=bias, key_padding_mask=padding)
            outputs.append(values)
        if norm_first:
            outputs[-1] = transformer.layer_norm(outputs[-1])
        return outputs

    def _mix(self, outputs: list[Tensor]) -> Tensor:
        """Frames (B, F, D): the last layer's, or the weighted sum of all; or (B, F, L D) of all."""
        if self._arguments["layers"] == "all":
            return torch.cat(outputs, dim=2)
        if self.layer_weights is None:
            return outputs[-1]
        shares = self.layer_weights.softmax(dim=0).unbind()
        first, *others = (share * output for share, output in zip(shares, outputs, strict=True))
        return sum(others, start=first)

    def _kept_layers(self) -> list[bool]:
        if not self.training:
            return [True] * self.architecture.layers
        return (torch.rand(self.architecture.layers) >= self.layer_drop).tolist()

    def arguments(self) -> dict[str, Any]:
        """Arguments that build the same architecture again, without its weights."""
        return dict(self._arguments)


def draw_time_masks(lengths: Tensor, size: int, probability: float, span: int) -> Tensor:
    """Random spans of valid frames, as SpecAugment masks time (Park et al., 2019, Interspeech).

    A row of F frames gets F * probability / span of them, rounded at random, which may overlap;
    one shorter than a span gets none.

    Args:
        lengths: (B,) int64 valid frames
        size: padded number of frames
        probability: share of frames in spans, before overlaps
        span: frames of each

    Returns:
        (B, size) bool, true inside a span

    >>> draw_time_masks(torch.tensor([4, 2]), size=5, probability=1.0, span=4).int().tolist()
    [[1, 1, 1, 1, 0], [0, 0, 0, 0, 0]]
    """
    most = int(size * probability / span + 1)
    device = lengths.device
    counts = (lengths * probability / span + torch.rand(len(lengths), device=device)).long()
    counts = counts.masked_fill(lengths < span, 0)
    places = torch.rand(len(lengths), most, device=device)
    starts = (places * (lengths - span + 1).clamp_min(1)[:, None]).long()  # (B, most)
    frames = torch.arange(size, device=device)
    inside = (frames >= starts[..., None]) & (frames < starts[..., None] + span)
    return (inside & valid_mask(counts, most)[..., None]).any(dim=1)


def published_weights(size: str) -> Path:
    """File with torchaudio's published weights, fetched into torch's cache if it is not there.

    Raises:
        ModelError: if there are none for this size, or they cannot be fetched
    """
    if SIZES[size].front_end == "mel":
        raise ModelError(
            f"WavLM: weights of size {size!r} were never published; "
            "expected base, base_plus or large. Set its `weights` to a local file or to null."
        )
    address = PUBLISHED.format(size=size)
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(address).name
    if path.exists():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(address, str(path), progress=True)
    except (OSError, HTTPException) as error:
        raise ModelError(
            f"{address}: could not be fetched ({error}). Fetch it elsewhere and put it at {path}, "
            "or set the hparam `weights` of the encoder to where it is."
        ) from error
    return path


def _build(size: Size, dropout: float) -> tuple[MelFrontEnd | SampleFrontEnd, nn.Module]:
    """Front end and transformer with random weights."""
    mel = size.front_end == "mel"
    model = torchaudio.models.wavlm_model(
        extractor_mode="layer_norm" if mel else size.front_end,
        # None is the published front end; for mel only the width of the transformer's input counts
        extractor_conv_layer_config=[(size.width, 1, 1)] if mel else None,
        extractor_conv_bias=False,
        encoder_embed_dim=size.width,
        encoder_projection_dropout=dropout,
        encoder_pos_conv_kernel=size.position_kernel,
        encoder_pos_conv_groups=16,
        encoder_num_layers=size.layers,
        encoder_num_heads=size.heads,
        encoder_num_buckets=size.buckets,
        encoder_max_distance=size.max_distance,
        encoder_attention_dropout=dropout,
        encoder_ff_interm_features=size.feed_forward,
        encoder_ff_interm_dropout=0.0,
        encoder_dropout=dropout,
        encoder_layer_norm_first=size.norm_first,
        encoder_layer_drop=0.0,  # ours is in WavLM, where a skipped layer keeps the position bias
        aux_num_out=None,
    )
    if mel:
        return MelFrontEnd(size.width, SAMPLE_RATE, size.normalize_waves), model.encoder
    return SampleFrontEnd(model.feature_extractor, size.normalize_waves), model.encoder


def _check_arguments(arguments: dict[str, Any]) -> None:
    for name, known in (("size", list(SIZES)), ("layers", ["last", "weighted", "all"])):
        if arguments[name] not in known:
            raise HparamError(
                f"WavLM: {name} is {arguments[name]!r}; expected one of {known}. Correct it."
            )
    for name in ("mask_time_probability", "layer_drop", "dropout"):
        if not 0 <= arguments[name] < 1:
            raise HparamError(
                f"WavLM: {name} is {arguments[name]}; expected at least 0, below 1. Correct it."
            )
    if arguments["mask_time_length"] < 1:
        raise HparamError(
            f"WavLM: mask_time_length is {arguments['mask_time_length']}; expected at least 1. "
            "Correct it."
        )
