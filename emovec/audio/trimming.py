"""Which samples to keep where silence is taken out of waves, with a margin around speech.

Shapes: B batch, T samples, F frames.
"""

import torch
from torch import Tensor

from emovec.audio.activity import energy_activity

WINDOW_MS, HOP_MS = 20, 10
MARGIN_MS = 100  # on either side


def near_speech(
    waves: Tensor, lengths: Tensor, sample_rate: int, margin_ms: int = MARGIN_MS
) -> Tensor:
    """Samples that a frame of speech covers, or lies near.

    A pause within speech stays whole if it is no longer than two margins, and loses its middle if
    it is. The 100 ms are close to the three windows of 30 ms by which the public code of DeepTalk
    widens speech on either side.

    Args:
        waves: (B, T) in [-1, 1]; energy has an absolute threshold, so that the level matters
        lengths: (B,) int64 valid samples
        sample_rate: Hz
        margin_ms: milliseconds that are kept before and behind speech

    Returns:
        (B, T) bool, false behind the valid samples; all false for a clip without speech
    """
    window, hop = sample_rate * WINDOW_MS // 1000, sample_rate * HOP_MS // 1000
    margin = sample_rate * margin_ms // 1000
    speech = energy_activity(waves, lengths, window, hop)  # (B, F)
    size = waves.shape[1]
    first = hop * torch.arange(speech.shape[1], device=waves.device)  # (F,) sample of each frame
    # Running sum of +1 where a frame's stretch begins and -1 where it ends: stretches about a place
    changes = torch.zeros(len(waves), size + 1, dtype=torch.int64, device=waves.device)
    changes.index_add_(1, (first - margin).clamp_min(0), speech.long())
    changes.index_add_(1, (first + window + margin).clamp_max(size), -speech.long())
    inside = torch.arange(size, device=waves.device) < lengths[:, None]
    return (changes.cumsum(dim=1)[:, :size] > 0) & inside
