"""Rows of different lengths in one padded batch: which places are valid, and how many frames fit.

Shapes: B batch, F places or frames, D features.
"""

import torch
from torch import Tensor


def valid_mask(lengths: Tensor, size: int) -> Tensor:
    """Which places of a padded batch are valid.

    Args:
        lengths: (B,) int64 number of valid places
        size: padded size F

    Returns:
        (B, F) bool, true for the first ``lengths[b]`` places of row b

    >>> valid_mask(torch.tensor([1, 3]), 3).int().tolist()
    [[1, 0, 0], [1, 1, 1]]
    """
    return torch.arange(size, device=lengths.device) < lengths[:, None]


def zero_padding(values: Tensor, lengths: Tensor) -> Tensor:
    """Padded values with everything behind the valid places set to zero, whatever it was.

    Args:
        values: (B, F) or (B, F, D)
        lengths: (B,) int64 number of valid places along F

    Returns:
        the same shape
    """
    valid = valid_mask(lengths, values.shape[1])  # (B, F)
    if values.ndim == 3:
        valid = valid[..., None]
    return values.masked_fill(~valid, 0.0)


def frame_counts(lengths: Tensor, window: int, hop: int) -> Tensor:
    """Number of frames that lie wholly inside each clip, Kaldi's ``snip_edges``.

    Also that of the outputs of a convolution without padding, with its kernel and its stride.

    Args:
        lengths: (B,) int64 samples
        window: samples of a frame
        hop: samples from one frame to the next

    Returns:
        (B,) int64, 0 where not one frame fits

    >>> frame_counts(torch.tensor([399, 400, 560]), window=400, hop=160).tolist()
    [0, 1, 2]
    """
    return (torch.div(lengths - window, hop, rounding_mode="floor") + 1).clamp_min(0)
