"""DeepVOX: a filterbank that is learned, on the samples of each frame alone.

Chowdhury and Ross (2020), "DeepVOX: discovering features from raw audio for speaker recognition in
degraded audio signals", arXiv 2008.11668.

Shapes: M frames, W = 160 samples of one, D features, C channels, N frequencies.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

FRAME, HOP = 160, 80  # samples
CHANNELS = (2, 4, 8, 16, 32)  # of all layers but the last
KERNELS = (5, 5, 7, 9, 11, 11)
DILATIONS = (2, 2, 3, 4, 5, 5)
LAST_PADDING = (3, 4)  # zeros on the left and on the right of what goes into the last layer
AT_ONCE = 4096  # frames in evaluation, which take some 20 kB each
PHASES = 16  # of the sinusoids that filters are tried with


def standardise(frames: Tensor) -> Tensor:
    """Frames under a Hamming window, each less its mean and over its deviation.

    Args:
        frames: (..., W) float32 samples

    Returns:
        the same shape, of zeros where all samples of a frame are the same, and only there
    """
    changes = frames.amax(dim=-1, keepdim=True) > frames.amin(dim=-1, keepdim=True)
    window = torch.hamming_window(frames.shape[-1], periodic=False, device=frames.device)
    tapered = frames * window
    centred = tapered - tapered.mean(dim=-1, keepdim=True)
    # Not by an additive constant: what a frame becomes must not depend on its level
    deviation = centred.square().mean(dim=-1, keepdim=True).sqrt()
    deviation = deviation.clamp_min(torch.finfo(frames.dtype).tiny)
    return torch.where(changes, centred / deviation, 0.0)


class Filterbank(nn.Module):
    """Six dilated convolutions along the samples of a frame, each followed by SELU.

    Lengths 160, 152, 144, 126, 94, 44, (51 with zeros,) 1; channels 1, 2, 4, 8, 16, 32, D.

    Args:
        feature_size: D
    """

    def __init__(self, feature_size: int = 40):
        super().__init__()
        outputs = (*CHANNELS, feature_size)
        inputs = (1, *CHANNELS)
        self.layers = nn.ModuleList(
            nn.Conv1d(*sizes, dilation=dilation)
            for *sizes, dilation in zip(inputs, outputs, KERNELS, DILATIONS, strict=True)
        )
        for layer in self.layers:  # what SELU keeps at unit variance (Klambauer et al., 2017)
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
            nn.init.zeros_(layer.bias)

    def forward(self, frames: Tensor) -> Tensor:
        """Features (M, D) of frames (M, W) of :func:`standardise`; none looks at another frame."""
        if torch.is_grad_enabled():
            return self.convolve(frames)
        return torch.cat([self.convolve(part) for part in frames.split(AT_ONCE)])

    def convolve(self, frames: Tensor) -> Tensor:
        """The same of all frames at once."""
        # As images of height 1 with channels last: on CPUs twice as fast backwards
        values = frames[:, None, None].contiguous(memory_format=torch.channels_last)  # (M, 1, 1, W)
        for layer in self.layers:
            if layer is self.layers[-1]:
                values = functional.pad(values, LAST_PADDING)
            values = functional.conv2d(
                values, layer.weight[:, :, None], layer.bias, dilation=(1, *layer.dilation)
            )
            values = functional.selu(values, inplace=True)  # (M, C, 1, W')
        return values[:, :, 0, 0]


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
