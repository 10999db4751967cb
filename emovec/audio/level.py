"""Level of whole clips, so that the gain of a recording does not matter.

Shapes: B batch, T samples.
"""

import torch
from torch import Tensor

from emovec.audio.padding import zero_padding

PEAK = 0.9
LEAST_DBFS = -30.0  # root mean square, 0 dBFS being that of a constant 1


def level(waves: Tensor, lengths: Tensor) -> Tensor:
    r"""Clips with the peak at 0.9, and louder where they are quiet even then.

    :math:`y = g x` with :math:`g = \max(0.9 / \max |x|, 10^{-30/20} / \mathrm{rms}(x))`: a clip
    whose root mean square stays below -30 dBFS, as that of clicks in silence, is raised to it, and
    its peak then lies above 0.9. Nothing is clipped. As the public code of DeepTalk (Chowdhury et
    al., 2021, arXiv 2012.05084) does.

    Args:
        waves: (B, T) samples
        lengths: (B,) int64 valid samples

    Returns:
        (B, T), the same but for rounding whatever gain a clip had; zero behind the valid samples,
        and throughout where a clip is

    >>> level(torch.tensor([[0.01, -0.02, 7.0]]), torch.tensor([2]))
    tensor([[ 0.4500, -0.9000,  0.0000]])
    """
    waves = zero_padding(waves, lengths)
    peak = waves.abs().amax(dim=1, keepdim=True)  # (B, 1)
    waves = PEAK * torch.where(peak > 0, waves / peak, 0.0)
    power = waves.square().sum(dim=1, keepdim=True) / lengths.clamp_min(1)[:, None]
    least = 10 ** (LEAST_DBFS / 20)
    return waves * torch.where(power > 0, least * power.rsqrt(), 1.0).clamp_min(1.0)


def unit_variance(waves: Tensor, lengths: Tensor) -> Tensor:
    """Clips with mean 0 and mean square 1, as WavLM on log-mel and PooledEncoder take them.

    Args:
        waves: (B, T) samples
        lengths: (B,) int64 valid samples, at least 1

    Returns:
        (B, T), the same but for rounding whatever gain and offset a clip had; zero behind the valid
        samples, and throughout where a clip is constant

    >>> unit_variance(torch.tensor([[1.0, 3.0, 7.0]]), torch.tensor([2]))
    tensor([[-1.,  1.,  0.]])
    """
    mean = zero_padding(waves, lengths).sum(dim=1, keepdim=True) / lengths[:, None]
    centred = zero_padding(waves - mean, lengths)
    power = centred.square().sum(dim=1, keepdim=True) / lengths[:, None]
    return centred * torch.where(power > 0, power.rsqrt(), 0.0)
