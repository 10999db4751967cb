"""Front ends of WavLM: torchaudio's convolutions on samples, made safe for padding, and log-mel.

Shapes: B batch, T samples, F frames, M bands, D features.
"""

from math import prod
from typing import Any

import torch
import torchaudio
from torch import Tensor, nn
from torch.nn import functional

from emovec.audio.level import unit_variance
from emovec.audio.padding import frame_counts, valid_mask, zero_padding

WINDOW, HOP, BANDS = 400, 160, 80  # 25 ms, 10 ms at 16 kHz
KERNEL, STRIDE = 3, 2

# Speech at unit variance, pauses included; about the middle of three corpora [ours]. The floor
# is 62 dB below what white noise of that variance gives in a bin.
LOG_FLOOR = 1e-4
LOG_MEAN, LOG_DEVIATION = -2.0, 4.5


class UnitLogMel(nn.Module):
    """Logarithms of the power in 80 mel bands, every 10 ms over 25 ms, brought near unit variance.

    No frame reaches beyond the samples. Nothing in it is learned.
    """

    window: Tensor
    banks: Tensor

    def __init__(self, sample_rate: int):
        super().__init__()
        banks = torchaudio.functional.melscale_fbanks(
            WINDOW // 2 + 1,
            f_min=20.0,
            f_max=sample_rate / 2,
            n_mels=BANDS,
            sample_rate=sample_rate,
        )
        self.register_buffer("window", torch.hann_window(WINDOW), persistent=False)
        self.register_buffer("banks", banks, persistent=False)

    def forward(self, waves: Tensor) -> Tensor:
        """Bands over time.

        Args:
            waves: (B, T) of about unit variance, T >= 400

        Returns:
            (B, (T - 400) // 160 + 1, 80)
        """
        with torch.autocast(waves.device.type, enabled=False):  # power overflows half precision
            spectrum = torch.stft(
                waves, WINDOW, HOP, window=self.window, center=False, return_complex=True
            )
            power = spectrum.real.square() + spectrum.imag.square()  # (B, 201, F)
            bands = power.transpose(1, 2) @ self.banks  # (B, F, M)
            return (torch.log(bands + LOG_FLOOR) - LOG_MEAN) / LOG_DEVIATION


class MelFrontEnd(nn.Module):
    """Log-mel bands and two convolutions with GELU: one frame every 40 ms [ours].

    Learns from minutes of audio, where convolutions on samples need hours.

    Args:
        width: D, features a frame
        sample_rate: Hz
        normalize_waves: whether each clip is brought to mean 0 and variance 1 over its valid
            samples first; else the waves should come so, whole corpora alike
    """

    shortest = WINDOW + HOP * ((KERNEL - 1) * (1 + STRIDE))
    hop = HOP * STRIDE**2

    def __init__(self, width: int, sample_rate: int, normalize_waves: bool = False):
        super().__init__()
        self.normalize_waves = normalize_waves
        self.log_mel = UnitLogMel(sample_rate)
        self.convolutions = nn.ModuleList(
            [nn.Conv1d(BANDS, width, KERNEL, STRIDE), nn.Conv1d(width, width, KERNEL, STRIDE)]
        )
        for convolution in self.convolutions:  # as WavLM's own: keeps the differences of clips
            nn.init.kaiming_normal_(convolution.weight)
            nn.init.zeros_(convolution.bias)

    def describe(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Log-mel (B, F, M) of waves (B, T) with (B,) valid samples, and (B,) valid frames."""
        if self.normalize_waves:
            waves = unit_variance(waves, lengths)
        return self.log_mel(waves), frame_counts(lengths, WINDOW, HOP)

    def convolve(self, bands: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """Frames of log-mel (B, F, M) with (B,) valid frames.

        Returns:
            (B, F', D), and (B,) valid frames; those behind are not meant to be used
        """
        values = bands.transpose(1, 2)  # (B, M, F)
        for convolution in self.convolutions:
            values = functional.gelu(convolution(values))
            counts = frame_counts(counts, KERNEL, STRIDE)
        return values.transpose(1, 2), counts


class ValidGroupNorm(nn.GroupNorm):
    """Group norm over time with one group a channel, whose moments leave padding out."""

    def forward(self, values: Tensor, counts: Tensor) -> Tensor:  # type: ignore[override]
        """Normalise (B, D, F) with (B,) valid frames."""
        values = values.float()  # moments overflow half precision
        valid = valid_mask(counts, values.shape[2])[:, None]  # (B, 1, F)
        sizes = counts[:, None, None]
        mean = values.masked_fill(~valid, 0.0).sum(dim=2, keepdim=True) / sizes  # (B, D, 1)
        centred = (values - mean).masked_fill(~valid, 0.0)
        variance = centred.square().sum(dim=2, keepdim=True) / sizes
        scale = self.weight[:, None] * torch.rsqrt(variance + self.eps)
        return centred * scale + self.bias[:, None]


class SampleFrontEnd(nn.Module):
    """torchaudio's feature extractor, such that padding never changes valid frames.

    Its weights keep their names.

    Attributes:
        conv_layers: a ModuleList of torchaudio's blocks
        hop: samples from one frame to the next

    Args:
        extractor: the feature extractor of ``torchaudio.models.wavlm_model``
        normalize_waves: whether each clip is brought to mean 0 and variance 1 over its valid
            samples first, as WavLM large was trained (``_normalize_waveform`` of its bundle)
    """

    conv_layers: Any

    def __init__(self, extractor: Any, normalize_waves: bool):
        super().__init__()
        self.conv_layers = extractor.conv_layers
        self.normalize_waves = normalize_waves
        self.hop = prod(block.stride for block in extractor.conv_layers)
        self.shortest = 1
        for block in reversed(extractor.conv_layers):
            self.shortest = (self.shortest - 1) * block.stride + block.kernel_size
            if isinstance(block.layer_norm, nn.GroupNorm):
                channels = block.layer_norm.num_channels
                block.layer_norm = ValidGroupNorm(channels, channels)

    def describe(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Waves (B, T), normalised if so wanted, and (B,) valid samples."""
        return _normalize(waves, lengths) if self.normalize_waves else waves, lengths

    def convolve(self, waves: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """Frames of waves (B, T) of :meth:`describe` with (B,) valid samples.

        Returns:
            (B, F, D), and (B,) valid frames; those behind are not meant to be used
        """
        values = waves[:, None]  # (B, 1, T)
        for block in self.conv_layers:
            values = block.conv(values)
            counts = frame_counts(counts, block.kernel_size, block.stride)
            if isinstance(block.layer_norm, ValidGroupNorm):
                values = block.layer_norm(values, counts)
            elif block.layer_norm is not None:
                values = block.layer_norm(values)
            values = functional.gelu(values)
        return values.transpose(1, 2), counts


def _normalize(waves: Tensor, lengths: Tensor) -> Tensor:
    """Layer norm of each wave over its valid samples; zero behind."""
    mean = zero_padding(waves, lengths).sum(dim=1, keepdim=True) / lengths[:, None]
    centred = zero_padding(waves - mean, lengths)
    variance = centred.square().sum(dim=1, keepdim=True) / lengths[:, None]
    return centred * torch.rsqrt(variance + 1e-5)  # the epsilon of torch's layer norm
