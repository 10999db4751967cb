"""Global style tokens: a sequence as an attention-weighted mixture of a few learned vectors.

Wang et al. (2018), "Style tokens: unsupervised style modeling, control and transfer in end-to-end
speech synthesis", ICML.

Shapes: B batch, F frames, D features, C channels, N tokens, H heads, E embedding.
"""

import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from emovec.audio.padding import valid_mask
from emovec.encoders.residual import ValidBatchNorm

Size = TypeVar("Size", Tensor, int)
CHANNELS = (32, 32, 64, 64, 128, 128)


def halved(sizes: Size) -> Size:
    """Places that a convolution of kernel 3, stride 2 and padding 1 makes of so many."""
    return (sizes + 1) // 2


class HalvingConvolution(nn.Module):
    """relu(norm(conv(x))), 3 x 3 with stride 2, whose padding is zero.

    Args:
        inputs: channels before
        outputs: channels after
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
        self.norm = ValidBatchNorm(outputs)

    def forward(self, values: Tensor, valid: Tensor | None) -> Tensor:
        """Convolve (B, C, F, D).

        Args:
            values: zero in the padding
            valid: (B, 1, F', 1), 0 in the padding of what comes out and 1 elsewhere; None without
        """
        layer = self.convolution
        if self.training:
            return functional.relu(self.norm(layer(values), valid))
        # In evaluation one convolution, whose weights are scaled on the way
        scale, shift = self.norm.scale_and_shift()
        weight = layer.weight * scale[:, None, None, None]
        bias = layer.get_parameter("bias") * scale + shift
        values = functional.conv2d(values, weight, bias, stride=2, padding=1).relu_()
        return values if valid is None else values.mul_(valid)


class ReferenceEncoder(nn.Module):
    """Convolutions that halve frames and features six times, and a GRU over what is left.

    Args:
        feature_size: D
        state_size: values of the GRU's state
    """

    def __init__(self, feature_size: int, state_size: int):
        super().__init__()
        width = feature_size
        self.convolutions = nn.ModuleList()
        for inputs, outputs in zip((1, *CHANNELS), CHANNELS, strict=False):
            self.convolutions.append(HalvingConvolution(inputs, outputs))
            width = halved(width)
        self.recurrence = nn.GRU(CHANNELS[-1] * width, state_size, batch_first=True)

    def forward(self, features: Tensor, lengths: Tensor | None) -> Tensor:
        """State (B, state_size) behind the last valid frame; as :meth:`StyleTokens.forward`."""
        values = features[:, None]  # (B, 1, F, D)
        for convolution in self.convolutions:
            valid = None
            if lengths is not None:
                lengths = halved(lengths)
                valid = valid_mask(lengths, halved(values.shape[2]))[:, None, :, None].float()
            values = convolution(values, valid)
        states, _ = self.recurrence(values.transpose(1, 2).flatten(2))  # (B, F', state_size)
        if lengths is None:
            return states[:, -1]
        # it runs forwards, so that what lies behind changes no state before
        return states[torch.arange(len(states), device=states.device), lengths - 1]


class StyleTokens(nn.Module):
    r"""Attention of a sequence's state to learned tokens, L2-normalised.

    Head h takes :math:`\sum_n a_n V_h t_n` with :math:`a = \mathrm{softmax}_n(Q_h q \cdot K_h t_n /
    \sqrt{E / H})`, where q is the state of :class:`ReferenceEncoder` and :math:`t_n` the hyperbolic
    tangent of a token. The projections have no biases, as in the public code.

    Args:
        feature_size: D
        tokens: N
        heads: H
        embedding_size: E, a multiple of 2 H; tokens are of width E / H, the state of E / 2
    """

    def __init__(
        self, feature_size: int = 40, tokens: int = 10, heads: int = 8, embedding_size: int = 256
    ):
        super().__init__()
        self.heads = heads
        self.reference = ReferenceEncoder(feature_size, embedding_size // 2)
        self.tokens = nn.Parameter(torch.empty(tokens, embedding_size // heads))
        nn.init.normal_(self.tokens, std=0.5)
        self.query = nn.Linear(embedding_size // 2, embedding_size, bias=False)
        self.key = nn.Linear(embedding_size // heads, embedding_size, bias=False)
        self.value = nn.Linear(embedding_size // heads, embedding_size, bias=False)
        # States are of size 1 / 4 and tokens of 1 / 2: so scores spread by about 1 from the start,
        # where by torch's own weights all clips attend alike and have cosines above 0.998
        nn.init.normal_(self.query.weight, std=4 / math.sqrt(self.query.in_features))
        nn.init.normal_(self.key.weight, std=2 / math.sqrt(self.key.in_features))

    def forward(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Embeddings of sequences.

        Args:
            features: (B, F, D), zero behind the valid frames
            lengths: (B,) int64 valid frames, at least 1; None: all, which is faster

        Returns:
            (B, E) of length 1
        """
        if lengths is not None and bool((lengths == features.shape[1]).all()):
            lengths = None
        state = self.reference(features, lengths)
        tokens = self.tokens.tanh()
        query = self.query(state).unflatten(1, (self.heads, -1))  # (B, H, E / H)
        keys = self.key(tokens).unflatten(1, (self.heads, -1))  # (N, H, E / H)
        values = self.value(tokens).unflatten(1, (self.heads, -1))
        scores = torch.einsum("bhe,nhe->bhn", query, keys) / math.sqrt(query.shape[2])
        mixed = torch.einsum("bhn,nhe->bhe", scores.softmax(dim=2), values)
        return functional.normalize(mixed.flatten(1).float(), dim=1)
