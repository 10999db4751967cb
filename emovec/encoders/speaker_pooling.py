"""Poolings of speaker networks: frames of a clip to one vector, whatever lies in the padding.

Shapes: B batch, F frames, D features, E embedding, H heads, K clusters. Each layer is called as
those of :mod:`emovec.encoders.pooling`.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from emovec.audio.padding import valid_mask, zero_padding
from emovec.encoders.base import valid_mean
from emovec.encoders.pooling import AttentiveStatisticsPooling
from emovec.errors import HparamError


class StatisticsPooling(nn.Module):
    r"""Mean and population deviation over valid frames.

    Snyder et al. (2018), "X-vectors: robust DNN embeddings for speaker recognition", ICASSP.

    Args:
        width: D; E is 2 D, means first

    >>> pooling = StatisticsPooling(1)
    >>> pooling(torch.tensor([[[1.0], [3.0], [8.0]]]), torch.tensor([2]))
    tensor([[2., 1.]])
    """

    def __init__(self, width: int):
        super().__init__()
        self.width = width
        self.output_size = 2 * width

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Pool (B, F, D) frames to (B, 2 D)."""
        frames = zero_padding(frames, lengths)
        mean = valid_mean(frames, lengths)  # (B, D)
        variance = valid_mean((frames - mean[:, None]).square(), lengths)
        smallest = AttentiveStatisticsPooling.SMALLEST_VARIANCE
        return torch.cat([mean, variance.clamp_min(smallest).sqrt()], dim=1)

    def arguments(self) -> dict[str, Any]:
        """Arguments that build the same layer."""
        return {"width": self.width}


class DictionaryPooling(nn.Module):
    r"""Weighted means over valid frames, one for each entry of a learned dictionary.

    .. math::
        w_{h,t} = \mathrm{softmax}_t \; (-s_h \lVert x_t - \mu_h \rVert), \quad
        e_h = \sum_t w_{h,t} x_t

    Cai et al. (2018), "Exploring the encoding layer and loss function in end-to-end speaker and
    language recognition system", Odyssey, normalise over h; Pappagari et al. (2020), "X-vectors
    meet emotions", ICASSP, over t. That s_h is kept positive, by a softplus, is ours.

    Args:
        width: D
        heads: H; E is H D, heads one after another

    Raises:
        HparamError: if there is not at least one head
    """

    # Squared distances below this count as this, so that a frame on a centre has a finite gradient
    SMALLEST_SQUARE = 1e-8

    def __init__(self, width: int, heads: int = 32):
        super().__init__()
        if heads < 1:
            raise HparamError(
                f"DictionaryPooling: heads is {heads}; expected at least 1. Correct it."
            )
        self.width, self.heads = width, heads
        self.output_size = heads * width
        self.centres = nn.Parameter(torch.randn(heads, width))
        self.raw_scales = nn.Parameter(torch.full((heads,), math.log(math.e - 1)))  # s_h = 1

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Pool (B, F, D) frames to (B, H D)."""
        with torch.autocast(frames.device.type, enabled=False):  # squares cancel
            frames = zero_padding(frames.to(self.centres.dtype), lengths)
            scores = -functional.softplus(self.raw_scales) * self._distances(frames)  # (B, F, H)
            valid = valid_mask(lengths, frames.shape[1])[..., None]
            weights = scores.masked_fill(~valid, -torch.inf).softmax(dim=1)
            return (weights.transpose(1, 2) @ frames).flatten(1)

    def _distances(self, frames: Tensor) -> Tensor:
        """Distances (B, F, H) of frames to centres, without their differences (B, F, H, D).

        |x - m|^2 = |x|^2 - 2 x m + |m|^2 loses digits where both are far from the origin; so the
        origin is moved to the middle of the centres.
        """
        middle = self.centres.mean(dim=0)
        frames, centres = frames - middle, self.centres - middle
        squares = frames.square().sum(dim=2, keepdim=True) + centres.square().sum(dim=1)
        squares = squares - 2 * frames @ centres.T
        return squares.clamp_min(self.SMALLEST_SQUARE).sqrt()

    def arguments(self) -> dict[str, Any]:
        """Arguments that build the same layer."""
        return {"width": self.width, "heads": self.heads}


class GhostVladPooling(nn.Module):
    r"""Residuals of valid frames to clusters, softly assigned; ghost clusters take what is noise.

    .. math::
        a_t = \mathrm{softmax}_k \; (W x_t + b), \quad
        V_k = \sum_t a_{t,k} (x_t - c_k)

    over K + G clusters, of which G ghosts are then left out; each V_k is divided by its length, and
    so is the whole. Zhong et al. (2018), "GhostVLAD for set-based face recognition", ACCV.

    Args:
        width: D
        clusters: K; E is K D, clusters one after another
        ghosts: G

    Raises:
        HparamError: if there is not at least one cluster, or a negative number of ghosts
    """

    def __init__(self, width: int, clusters: int = 8, ghosts: int = 2):
        super().__init__()
        if clusters < 1 or ghosts < 0:
            raise HparamError(
                f"GhostVladPooling: clusters is {clusters} and ghosts is {ghosts}; "
                "expected at least 1 and 0. Correct them."
            )
        self.width, self.clusters, self.ghosts = width, clusters, ghosts
        self.output_size = clusters * width
        self.assign = nn.Linear(width, clusters + ghosts)
        self.centres = nn.Parameter(torch.randn(clusters, width) / math.sqrt(width))

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Pool (B, F, D) frames to (B, K D), of length 1."""
        frames = zero_padding(frames, lengths)
        shares = self.assign(frames).softmax(dim=2)[..., : self.clusters]  # (B, F, K)
        shares = zero_padding(shares, lengths)
        sums = shares.transpose(1, 2) @ frames  # (B, K, D)
        residuals = sums - shares.sum(dim=1)[..., None] * self.centres
        return functional.normalize(functional.normalize(residuals, dim=2).flatten(1), dim=1)

    def arguments(self) -> dict[str, Any]:
        """Arguments that build the same layer."""
        return {"width": self.width, "clusters": self.clusters, "ghosts": self.ghosts}
