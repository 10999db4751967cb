"""DeepVOX: a filterbank that is learned, on the samples of each frame alone.

Chowdhury and Ross (2020), "DeepVOX: discovering features from raw audio for speaker recognition in
degraded audio signals", arXiv 2008.11668.

Shapes: M frames, W = 160 samples of one, D features, C channels, N frequencies.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

FRAME, HOP = 160, 80  # samples
HALF_A_STEP = 2**-16
CHANNELS = (2, 4, 8, 16, 32)  # of all layers but the last
KERNELS = (5, 5, 7, 9, 11, 11)
DILATIONS = (2, 2, 3, 4, 5, 5)
LAST_PADDING = (3, 4)  # zeros on the left and on the right of what goes into the last layer
ON_CPU, ON_GPU = 256, 65536  # frames at once: what stays in a cache; some 20 kB of memory each
PHASES = 16  # of the sinusoids that filters are tried with


def standardise(frames: Tensor) -> Tensor:
    """Frames under a Hamming window, each less its mean and over its deviation.

    Args:
        frames: (..., W) float32 samples of a clip whose peak is about 1

    Returns:
        the same shape, of zeros where samples differ by half a step of 16 bits at most, and only
        there: decoders and filters leave as much of digital silence, down to numbers whose squares
        are zero
    """
    changes = frames.amax(dim=-1, keepdim=True) - frames.amin(dim=-1, keepdim=True) > HALF_A_STEP
    window = torch.hamming_window(frames.shape[-1], periodic=False, device=frames.device)
    tapered = frames * window
    centred = tapered - tapered.mean(dim=-1, keepdim=True)
    # Not by an additive constant: what a frame becomes must not depend on its level
    deviation = centred.square().mean(dim=-1, keepdim=True).sqrt()
    return torch.where(changes, centred / torch.where(changes, deviation, 1.0), 0.0)


class Filterbank(nn.Module):
    """Six dilated convolutions along the samples of a frame, each followed by SELU.

    Lengths 160, 152, 144, 126, 94, 44, (51 with zeros,) 1; channels 1, 2, 4, 8, 16, 32, D.

    Args:
        feature_size: D
    """

    layers: Any  # modules in a list, which has no type

    def __init__(self, feature_size: int = 40):
        super().__init__()
        inputs, outputs = (1, *CHANNELS), (*CHANNELS, feature_size)
        self.layers = nn.ModuleList(
            nn.Conv1d(before, after, kernel, dilation=dilation)
            for before, after, kernel, dilation in zip(
                inputs, outputs, KERNELS, DILATIONS, strict=True
            )
        )
        for layer in self.layers:  # what SELU keeps at unit variance (Klambauer et al., 2017)
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
            nn.init.zeros_(layer.bias)

    def forward(self, frames: Tensor) -> Tensor:
        """Features (M, D) of frames (M, W) of :func:`standardise`; none looks at another frame."""
        if not len(frames):  # which a convolution over frames does not take
            return frames.new_zeros(0, self.layers[-1].out_channels)
        at_once = ON_CPU if frames.device.type == "cpu" else ON_GPU
        return torch.cat([self.convolve(part) for part in frames.split(at_once)])

    def convolve(self, frames: Tensor) -> Tensor:
        """The same of all frames at once."""
        # As one image, frames side by side: on CPUs more than twice as fast as frame by frame
        values = frames.T[None, None]  # (1, 1, W, M)
        for layer in self.layers:
            if layer is self.layers[-1]:
                values = functional.pad(values, (0, 0, *LAST_PADDING))
            values = functional.conv2d(
                values, layer.weight[..., None], layer.bias, dilation=(*layer.dilation, 1)
            )
            values = functional.selu(values, inplace=True)  # (1, C, W', M)
        return values[0, :, 0].T


def frequency_responses(bank: Filterbank, frequencies: Tensor) -> Tensor:
    """How strongly each filter answers to sinusoids.

    Convolutions and SELU together are not linear, so that no filter has a transfer function. In its
    place: the difference to what comes out of silence, its amount averaged over 16 phases.

    Args:
        bank: of D filters
        frequencies: (N,) cycles a sample, above 0 and up to 0.5

    Returns:
        (D, N), at least 0
    """
    device = next(bank.parameters()).device
    phases = torch.arange(PHASES, device=device) / PHASES  # of a turn
    turns = frequencies.to(device)[:, None] * torch.arange(FRAME, device=device)  # (N, W)
    waves = torch.sin(2 * torch.pi * (turns[:, None] + phases[:, None]))  # (N, phases, W)
    with torch.inference_mode():
        answers = bank(standardise(waves).flatten(0, 1)).unflatten(0, waves.shape[:2])
        silence = bank(torch.zeros(1, FRAME, device=device))  # (1, D)
        return (answers - silence).abs().mean(dim=1).T
