"""Speech activity by energy, sliding mean normalisation, and leaving out silence, as Kaldi's.

In this order: speech is decided on the waves, all frames are normalised, then silence is dropped.

Shapes: B batch, T samples, F frames, D features.
"""

import torch
from torch import Tensor
from torch.nn import functional

from emovec.audio.features import FLOOR, SAMPLE_SCALE, cut_frames
from emovec.audio.padding import valid_mask, zero_padding
from emovec.errors import HparamError


def energy_activity(
    waves: Tensor,
    lengths: Tensor,
    window: int,
    hop: int,
    threshold: float = 5.5,
    mean_scale: float = 0.5,
    context: int = 2,
    proportion: float = 0.12,
) -> Tensor:
    r"""Which frames are speech, by their energy and that of the frames around.

    :math:`e_t = \ln \max(\sum_n (x_{tn} - \bar x_t)^2, \epsilon)` of 16-bit-scaled samples; a frame
    is loud if :math:`e_t > \mathrm{threshold} + \mathrm{mean\_scale} \cdot \bar e` with the mean
    over the clip's frames, and speech if the loud ones are at least ``proportion`` of those from
    ``context`` frames before it to as many after it, within the clip. Kaldi's
    ``compute-vad-energy`` on raw log energies; the default values are its egs/sre16/v2's.

    Digital silence has no speech frame at all.

    Args:
        waves: (B, T) in [-1, 1]
        lengths: (B,) int64 valid samples
        window: samples of a frame
        hop: samples from one frame to the next
        threshold: constant part of the least log energy
        mean_scale: share of the clip's mean log energy in it
        context: frames on either side
        proportion: of loud frames among them, above 0 and below 1

    Returns:
        (B, F) bool with the F of a front end that has the same window and hop

    Raises:
        HparamError: if ``context`` or ``proportion`` is out of range
    """
    if context < 0 or not 0 < proportion < 1:
        raise HparamError(
            f"energy_activity: context {context}, proportion {proportion}; "
            "expected at least 0, and above 0 and below 1. Change one of them."
        )
    frames, counts = cut_frames(waves.float(), lengths, window, hop)
    energy = SAMPLE_SCALE**2 * window * frames.var(dim=2, correction=0)  # (B, F)
    energy = energy.clamp_min(FLOOR).log().double()
    mean = zero_padding(energy, counts).sum(dim=1) / counts.clamp_min(1)  # (B,)
    valid = valid_mask(counts, energy.shape[1])
    loud = valid & (energy > threshold + mean_scale * mean[:, None])
    return valid & (_count_around(loud, context) >= proportion * _count_around(valid, context))


def _count_around(flags: Tensor, context: int) -> Tensor:
    """(B, F) number of true flags among each and ``context`` on either side."""
    return functional.pad(flags, (context, context)).unfold(1, 2 * context + 1, 1).sum(dim=2)


def sliding_mean_normalise(frames: Tensor, lengths: Tensor, size: int = 300) -> Tensor:
    """Frames less the mean over a window around each.

    The window of frame t begins at t - floor(size / 2); near the ends of the clip it is shifted
    inwards, so that it keeps its size, or is the whole clip if that is shorter. Kaldi's
    ``apply-cmvn-sliding --center=true --norm-vars=false``.

    Args:
        frames: (B, F, D)
        lengths: (B,) int64 valid frames
        size: frames of the window

    Returns:
        (B, F, D), zero behind the valid frames

    Raises:
        HparamError: if the size is below 1

    >>> frames = torch.tensor([[[0.0], [1.0], [5.0], [9.0]]])
    >>> sliding_mean_normalise(frames, torch.tensor([4]), size=2).flatten().tolist()
    [-0.5, 0.5, 2.0, 2.0]
    """
    if size < 1:
        raise HparamError(
            f"sliding_mean_normalise: size is {size}; expected at least 1 frame. Raise it."
        )
    frames = zero_padding(frames, lengths)
    # Differences of running sums: in float32 they would lose more digits the longer the clip is.
    sums = functional.pad(frames.double().cumsum(dim=1), (0, 0, 1, 0))  # (B, F + 1, D)
    middle = torch.arange(frames.shape[1], device=frames.device)
    last_start = (lengths - size).clamp_min(0)[:, None]
    start = torch.minimum((middle - size // 2).clamp_min(0), last_start)  # (B, F)
    stop = torch.minimum(start + size, lengths[:, None])
    total = _take(sums, stop) - _take(sums, start)  # (B, F, D)
    mean = total / (stop - start).clamp_min(1)[..., None]
    return zero_padding((frames - mean).to(frames.dtype), lengths)


def _take(values: Tensor, places: Tensor) -> Tensor:
    """(B, F, D) rows of values (B, _, D) at places (B, F)."""
    return values.gather(1, places[..., None].expand(-1, -1, values.shape[2]))


def keep_active(frames: Tensor, lengths: Tensor, active: Tensor) -> tuple[Tensor, Tensor]:
    """Active frames, moved together to the left.

    Args:
        frames: (B, F, D)
        lengths: (B,) int64 valid frames
        active: (B, F) bool

    Returns:
        (B, F', D), F' the most active frames of a clip, zero behind those of the others; and (B,)
        int64 active frames, 0 for a clip without any, which the caller must leave out

    >>> frames = torch.tensor([[[1.0], [2.0], [3.0]]])
    >>> packed, counts = keep_active(frames, torch.tensor([3]), torch.tensor([[True, False, True]]))
    >>> packed.flatten().tolist(), counts.tolist()
    ([1.0, 3.0], [2])
    """
    active = active & valid_mask(lengths, frames.shape[1])
    counts = active.sum(dim=1)
    size = int(counts.max())
    packed = frames.new_zeros(len(frames), size, frames.shape[2])
    # both masks run through the frames clip by clip and in order of time
    packed[valid_mask(counts, size)] = frames[active]
    return packed, counts
