"""Short-time features of padded batches: MFCC and log-mel as Kaldi's, and magnitude spectrograms.

Shapes: B batch, T samples, F frames, W samples of a frame, N bins, M mel bands, D features. Each
front end is called with waves (B, T) in [-1, 1] and lengths (B,) int64, in samples, and returns
frames (B, F, D) float32 and lengths (B,) int64, in frames; the frames behind are zero.
"""

import math

import torch
import torchaudio
from torch import Tensor, nn
from torch.nn import functional
from torchaudio.compliance import kaldi

from emovec.audio.padding import frame_counts, zero_padding
from emovec.errors import HparamError

WINDOW_MS, HOP_MS = 25, 10
LOWEST = 20.0  # Hz
# Upper edge of the mel bands at each sample rate, in Hz: 3700 as in Kaldi's egs/sre16/v2, 7600 as
# in its high-resolution MFCC of 16 kHz speech (400 below the Nyquist frequency).
HIGHEST = {8000: 3700.0, 16000: 7600.0}
FEWEST = 4  # bands; Kaldi accepts no fewer
SAMPLE_SCALE = 32768.0  # Kaldi's samples are 16-bit integers
FLOOR = torch.finfo(torch.float32).eps  # of what Kaldi takes the logarithm of
PREEMPHASIS = 0.97
LIFTER = 22.0


def cut_frames(waves: Tensor, lengths: Tensor, window: int, hop: int) -> tuple[Tensor, Tensor]:
    """Overlapping stretches of the waves, without a copy of each.

    Args:
        waves: (B, T)
        lengths: (B,) int64 valid samples; what lies behind counts as zero
        window: W
        hop: samples from one frame to the next

    Returns:
        (B, F, W), F the frames of T samples, at least 1; and (B,) frames wholly inside each clip

    >>> frames, counts = cut_frames(torch.tensor([[1.0, 2, 3, 4]]), torch.tensor([3]), 2, 1)
    >>> frames.tolist(), counts.tolist()
    ([[[1.0, 2.0], [2.0, 3.0], [3.0, 0.0]]], [2])
    """
    short = max(0, window - waves.shape[1])
    waves = functional.pad(zero_padding(waves, lengths), (0, short))
    return waves.unfold(1, window, hop), frame_counts(lengths, window, hop)


class FrontEnd(nn.Module):
    """Features of frames of 25 ms every 10 ms, of which no frame reaches beyond its clip.

    Nothing in it is learned. It computes in float32, under autocast too.

    Attributes:
        bands: D
        sample_rate: Hz of the waves
        window: W, samples of a frame
        hop: samples from one frame to the next
        fft_size: samples of its Fourier transform, the power of two that holds a frame

    Args:
        sample_rate: Hz, 8000 or 16000

    Raises:
        HparamError: if the sample rate is another one
    """

    bands: int

    def __init__(self, sample_rate: int):
        super().__init__()
        if sample_rate not in HIGHEST:
            raise HparamError(
                f"{type(self).__name__}: sample_rate is {sample_rate}; expected one of "
                f"{sorted(HIGHEST)}. Choose one; audio is resampled to it when it is read."
            )
        self.sample_rate = sample_rate
        self.window = sample_rate * WINDOW_MS // 1000
        self.hop = sample_rate * HOP_MS // 1000
        self.fft_size = 1 << (self.window - 1).bit_length()

    def forward(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features over time.

        Args:
            waves: (B, T) in [-1, 1] at ``sample_rate``
            lengths: (B,) int64 valid samples

        Returns:
            (B, F, D) float32, F at least 1, and (B,) int64 valid frames, 0 for a clip shorter
            than one; the frames behind are zero
        """
        with torch.autocast(waves.device.type, enabled=False):
            frames, counts = cut_frames(waves.float(), lengths, self.window, self.hop)
            return zero_padding(self.describe(frames), counts), counts

    def describe(self, frames: Tensor) -> Tensor:
        """Features (B, F, D) of frames (B, F, W) of samples in [-1, 1]."""
        raise NotImplementedError


class LogMel(FrontEnd):
    r"""Logarithms of the power in mel bands, as Kaldi's ``compute-fbank-feats`` without dither.

    Each frame of 16-bit-scaled samples loses its mean, is pre-emphasised by
    :math:`y_n = x_n - 0.97\, x_{n-1}` and tapered by Povey's window
    :math:`(0.5 - 0.5 \cos(2 \pi n / (W - 1)))^{0.85}`; its power spectrum is summed under triangles
    that are even on the mel scale from 20 Hz to 7600 Hz, at 8 kHz to 3700 Hz.

    Povey et al. (2011), "The Kaldi speech recognition toolkit", ASRU.

    Args:
        bands: D = M; 80 is what speaker networks of today take
        sample_rate: Hz, 8000 or 16000

    Raises:
        HparamError: if the sample rate is another one, or the bands are fewer than 4, or so many
            that a band has no bin of the spectrum in it
    """

    taper: Tensor
    banks: Tensor

    def __init__(self, bands: int = 80, sample_rate: int = 16000):
        super().__init__(sample_rate)
        self.bands = bands
        taper = torch.hann_window(self.window, periodic=False).pow(0.85)
        # Povey's window is 0 at its first sample: the one that has none before it to be
        # pre-emphasised with drops out.
        self.register_buffer("taper", taper[1:], persistent=False)
        self.register_buffer("banks", self._make_banks(), persistent=False)

    def describe(self, frames: Tensor) -> Tensor:
        """Features (B, F, D) of frames (B, F, W) of samples in [-1, 1]."""
        frames = frames - frames.mean(dim=2, keepdim=True)
        frames = torch.sub(frames[..., 1:], frames[..., :-1], alpha=PREEMPHASIS) * self.taper
        spectra = torch.fft.rfft(frames, n=self.fft_size)  # (B, F, N)
        power = spectra.real.square() + spectra.imag.square()
        return (power @ self.banks).clamp_min(FLOOR).log()  # (B, F, M)

    def _make_banks(self) -> Tensor:
        """(N, M) weights of the bins; scaled for samples of 16 bits."""
        if self.bands >= FEWEST:
            weights, _ = kaldi.get_mel_banks(
                self.bands,
                window_length_padded=self.fft_size,
                sample_freq=self.sample_rate,
                low_freq=LOWEST,
                high_freq=HIGHEST[self.sample_rate],
                vtln_low=100.0,  # the warp of 1 uses neither of its edges
                vtln_high=-500.0,
                vtln_warp_factor=1.0,
            )  # (M, N - 1): the Nyquist frequency is in no band
            if weights.any(dim=1).all():
                return SAMPLE_SCALE**2 * functional.pad(weights, (0, 1)).T
        raise HparamError(
            f"{type(self).__name__}: bands is {self.bands}; expected at least {FEWEST}, and few "
            f"enough that each holds one of the {self.fft_size // 2} frequencies at "
            f"{self.sample_rate} Hz. Choose 23, 40 or 80."
        )


class Mfcc(LogMel):
    r"""Mel-frequency cepstral coefficients, as Kaldi's ``compute-mfcc-feats`` without dither.

    The orthonormal cosine transform of as many :class:`LogMel` bands, coefficient :math:`k`
    liftered by :math:`1 + 11 \sin(\pi k / 22)`. The 0th is kept, not replaced by the energy.

    Args:
        bands: D = M; 23 as in Kaldi's egs/sre16/v2
        sample_rate: Hz, 8000 or 16000

    Raises:
        HparamError: as :class:`LogMel`
    """

    cosines: Tensor

    def __init__(self, bands: int = 23, sample_rate: int = 16000):
        super().__init__(bands, sample_rate)
        cosines = torchaudio.functional.create_dct(bands, bands, norm="ortho")  # (M, D)
        lifter = 1 + LIFTER / 2 * torch.sin(math.pi * torch.arange(bands) / LIFTER)
        self.register_buffer("cosines", cosines * lifter, persistent=False)

    def describe(self, frames: Tensor) -> Tensor:
        """Features (B, F, D) of frames (B, F, W) of samples in [-1, 1]."""
        return super().describe(frames) @ self.cosines


class Spectrogram(FrontEnd):
    """Magnitudes of the spectrum, normalised over the bins of each frame.

    As in Xie et al. (2019), "Utterance-level aggregation for speaker recognition in the wild",
    ICASSP: a Hamming window (the authors' code takes a Hann window), and from each frame the mean
    over its bins is subtracted, then their deviation divides. 257 bins at 16 kHz, 129 at 8 kHz.

    Args:
        sample_rate: Hz, 8000 or 16000

    Raises:
        HparamError: if the sample rate is another one
    """

    SMALLEST_DEVIATION = 1e-5  # is added, as in the authors' code, so that silence becomes 0

    taper: Tensor

    def __init__(self, sample_rate: int = 16000):
        super().__init__(sample_rate)
        self.bands = self.fft_size // 2 + 1
        taper = torch.hamming_window(self.window, periodic=False)
        self.register_buffer("taper", taper, persistent=False)

    def describe(self, frames: Tensor) -> Tensor:
        """Features (B, F, D) of frames (B, F, W) of samples in [-1, 1]."""
        magnitudes = torch.fft.rfft(frames * self.taper, n=self.fft_size).abs()  # (B, F, N)
        deviation, mean = torch.std_mean(magnitudes, dim=2, correction=0, keepdim=True)
        return (magnitudes - mean) / (deviation + self.SMALLEST_DEVIATION)
