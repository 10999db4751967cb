"""MFCC at the frames of an encoder, to be clustered into targets of masked prediction.

Shapes: B batch, T samples, F frames of the encoder, D features.
"""

import torch
import torchaudio
from torch import Tensor, nn

from emovec.audio.features import Mfcc
from emovec.audio.padding import frame_counts, zero_padding

COEFFICIENTS = 13


class MfccFrames(nn.Module):
    """13 MFCC with their first and second differences, those nearest to each frame's centre.

    As HuBERT's first targets (Hsu et al., 2021): Kaldi's MFCC every 10 ms, and torchaudio's
    differences over 5 frames.

    Args:
        sample_rate: Hz
        window: samples that a frame of the encoder sees, at least 25 ms
        hop: samples from one to the next
        centred: take each clip's mean off the coefficients, and with it most of the channel [ours]
    """

    size = 3 * COEFFICIENTS

    def __init__(self, sample_rate: int, window: int, hop: int, centred: bool):
        super().__init__()
        self.mfcc = Mfcc(sample_rate=sample_rate)
        self.window, self.hop, self.centred = window, hop, centred

    def forward(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features of clips.

        Args:
            waves: (B, T) float32 in [-1, 1]
            lengths: (B,) int64 valid samples, at least a frame of the encoder

        Returns:
            (B, F, 39), and (B,) valid frames, as many as the encoder's; the others are zero
        """
        values, steps = self.mfcc(waves, lengths)  # (B, steps, 23)
        values = values[..., :COEFFICIENTS]
        if self.centred:
            values = values - values.sum(dim=1, keepdim=True) / steps[:, None, None]
        first = differences(values, steps)
        features = torch.cat([values, first, differences(first, steps)], dim=2)
        counts = frame_counts(lengths, self.window, self.hop)
        nearest = self._nearest(int(counts.max()), features.device)
        return zero_padding(features[:, nearest], counts), counts

    def _nearest(self, frames: int, device: torch.device) -> Tensor:
        """(F,) for each frame the 10 ms step whose centre is nearest to its own."""
        # centres: hop k + window / 2 and step j + step_window / 2, in samples
        starts = self.hop * torch.arange(frames, device=device) + self.window / 2
        return ((starts - self.mfcc.window / 2) / self.mfcc.hop).round().long()


def differences(values: Tensor, counts: Tensor) -> Tensor:
    """Slopes over 5 frames, a clip's first and last frames held beyond its ends.

    Args:
        values: (B, F, D)
        counts: (B,) valid frames, at least 1

    Returns:
        (B, F, D)

    >>> differences(torch.tensor([[[0.0], [1], [2], [9]]]), torch.tensor([3]))[0, :3, 0].tolist()
    [0.5, 0.6000000238418579, 0.5]
    """
    places = torch.arange(values.shape[1], device=values.device)
    held = torch.minimum(places, counts[:, None] - 1)[..., None].expand_as(values)
    return torchaudio.functional.compute_deltas(values.gather(1, held).mT).mT
