"""Pooling: frames of a clip to one vector, whatever lies in the padding.

Shapes: B batch, F frames, D features, E embedding. Each layer is called with frames (B, F, D) and
lengths (B,) int64, at least 1, and returns (B, E), where E is its ``output_size``.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from emovec.audio.padding import valid_mask, zero_padding
from emovec.encoders.base import valid_mean
from emovec.errors import HparamError


class MeanPooling(nn.Module):
    """The mean over valid frames.

    Args:
        width: D = E

    >>> pooling = MeanPooling(1)
    >>> pooling(torch.tensor([[[1.0], [3.0], [8.0]]]), torch.tensor([2]))
    tensor([[2.]])
    """

    def __init__(self, width: int):
        super().__init__()
        self.output_size = width

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Pool (B, F, D) frames to (B, D)."""
        return valid_mean(frames, lengths)

    def arguments(self) -> dict[str, Any]:
        """Arguments that build the same layer."""
        return {"width": self.output_size}


class AttentiveStatisticsPooling(nn.Module):
    r"""Weighted mean and deviation over valid frames.

    .. math::
        w = \mathrm{softmax}_t \; v^\top \tanh(W x_t + b), \quad
        \mu = \sum_t w_t x_t, \quad \sigma^2 = \sum_t w_t (x_t - \mu)^2

    Okabe et al. (2018), "Attentive statistics pooling for deep speaker embedding", Interspeech.

    Args:
        width: D; E is 2 D, means first
        hidden: rows of W; D if None
    """

    # Variances below this count as this, so that constant frames have a finite gradient; as in
    # the public baseline of the MSP-Podcast challenge.
    SMALLEST_VARIANCE = 1e-5

    def __init__(self, width: int, hidden: int | None = None):
        super().__init__()
        self.width, self.hidden = width, hidden
        self.output_size = 2 * width
        self.project = nn.Linear(width, hidden or width)
        self.score = nn.Linear(hidden or width, 1, bias=False)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Pool (B, F, D) frames to (B, 2 D)."""
        frames = zero_padding(frames, lengths)
        scores = self.score(torch.tanh(self.project(frames)))  # (B, F, 1)
        valid = valid_mask(lengths, frames.shape[1])[..., None]
        weights = scores.masked_fill(~valid, -torch.inf).softmax(dim=1)  # (B, F, 1)
        mean = (weights * frames).sum(dim=1)  # (B, D)
        variance = (weights * (frames - mean[:, None]).square()).sum(dim=1)
        deviation = variance.clamp_min(self.SMALLEST_VARIANCE).sqrt()
        return torch.cat([mean, deviation], dim=1)

    def arguments(self) -> dict[str, Any]:
        """Arguments that build the same layer."""
        return {"width": self.width, "hidden": self.hidden}


class GatedConvolution(nn.Module):
    """Residual convolution with a gated linear unit: x + dropout(a * sigmoid(b)).

    The padding is zeroed first, or the kernel would draw it into valid frames.

    Args:
        width: D
        kernel: odd number of frames
        dropout: probability
    """

    def __init__(self, width: int, kernel: int, dropout: float):
        super().__init__()
        self.convolution = nn.Conv1d(width, 2 * width, kernel, padding=kernel // 2)
        self.dropout = nn.Dropout(dropout)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Convolve (B, F, D) frames to the same shape."""
        frames = zero_padding(frames, lengths)
        gated = functional.glu(self.convolution(frames.transpose(1, 2)), dim=1)  # (B, D, F)
        return frames + self.dropout(gated.transpose(1, 2))


def _keep_variance(layer: nn.Module) -> None:
    """Xavier's initial weights, as in Meta-StyleSpeech.

    Torch's own shrink the differences between clips layer by layer; trained from those on little
    speech, the output stays constant.
    """
    if isinstance(layer, (nn.Linear, nn.Conv1d)):
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]


class StylePooling(nn.Module):
    """Style of a clip: spectral and temporal processing, self-attention, then the mean over time.

    Cho et al. (2025), "EmoSphere-SER", Interspeech, doi 10.21437/Interspeech.2025-1391, after the
    style encoder of Min et al. (2021), "Meta-StyleSpeech", ICML:

    1. spectral: twice Linear, Mish, dropout;
    2. temporal: two residual gated convolutions;
    3. multi-head self-attention over valid frames, residual;
    4. Linear, then the mean over valid frames.

    The paper lists a layer norm without its place, and its released code has none; here it follows
    the residual of the attention, as in Meta-StyleSpeech. Scores are divided by the root of a
    head's width.

    Args:
        width: D = E
        layer_norm: whether the layer norm of the paper is there
        dropout: probability, everywhere
        heads: of the attention; divides ``width``
        kernel: frames that a convolution sees, odd

    Raises:
        HparamError: if ``heads`` does not divide ``width`` or ``kernel`` is even
    """

    def __init__(
        self,
        width: int,
        layer_norm: bool = True,
        dropout: float = 0.1,
        heads: int = 2,
        kernel: int = 5,
    ):
        super().__init__()
        if width % heads or kernel % 2 == 0:
            raise HparamError(
                f"StylePooling: width {width}, heads {heads}, kernel {kernel}; "
                "expected heads that divide the width and an odd kernel. Change one of them."
            )
        self._arguments = {
            "width": width,
            "layer_norm": layer_norm,
            "dropout": dropout,
            "heads": heads,
            "kernel": kernel,
        }
        self.output_size = width
        self.spectral = nn.Sequential(
            *(nn.Linear(width, width), nn.Mish(), nn.Dropout(dropout)),
            *(nn.Linear(width, width), nn.Mish(), nn.Dropout(dropout)),
        )
        self.temporal = nn.ModuleList(GatedConvolution(width, kernel, dropout) for _ in range(2))
        self.attention = nn.MultiheadAttention(width, heads, dropout=dropout, batch_first=True)
        self.norm = nn.LayerNorm(width) if layer_norm else nn.Identity()
        self.project = nn.Linear(width, width)
        self.apply(_keep_variance)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Pool (B, F, D) frames to (B, D)."""
        values = self.spectral(zero_padding(frames, lengths))
        for convolution in self.temporal:
            values = convolution(values, lengths)
        attended = self._attend(values, valid_mask(lengths, frames.shape[1]))
        return valid_mean(self.project(self.norm(values + attended)), lengths)

    def _attend(self, values: Tensor, valid: Tensor) -> Tensor:
        """What ``attention(values, values, values, ...)`` gives, in operations that ONNX has.

        torch's own bakes the number of clips and frames into an exported graph.
        """
        layer = self.attention
        each = functional.linear(values, layer.in_proj_weight, layer.in_proj_bias).chunk(3, dim=2)
        query, key, value = (of.unflatten(2, (layer.num_heads, -1)).transpose(1, 2) for of in each)
        attended = functional.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=valid[:, None, None],  # (B, 1, 1, F)
            dropout_p=layer.dropout if self.training else 0.0,
        )
        return layer.out_proj(attended.transpose(1, 2).flatten(2))

    def arguments(self) -> dict[str, Any]:
        """Arguments that build the same layer."""
        return dict(self._arguments)
