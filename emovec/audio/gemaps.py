"""Frames of the GeMAPS as a front end, by openSMILE, an extra: its licence is for research only.

Shapes: B batch, T samples, F frames, D features.
"""

import hashlib
from collections import OrderedDict
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emovec.audio.features import FrontEnd
from emovec.audio.padding import frame_counts
from emovec.errors import HparamError

BANDS = 25
SHORTEST = 0.06  # seconds: openSMILE's longest window; it gives no values for a shorter clip
KEPT_BYTES = 2**29  # of frames of clips: three hours of audio
SMALLEST_DEVIATION = 1e-5  # is added, so that a descriptor that never changes becomes 0


class Gemaps(FrontEnd):
    """The 25 low-level descriptors of the eGeMAPS every 10 ms, standardised over each clip.

    Loudness, spectral balance and flux, four MFCC, pitch, jitter, shimmer, harmonics and three
    formants, smoothed over three frames; where there is no voice, openSMILE says 0 of what voices
    have. Eyben et al. (2016), "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS)", IEEE
    Transactions on Affective Computing 7(2); openSMILE's eGeMAPSv02.

    Pappagari et al. (2020) train on T x 88 at the same shift. 88 is the number of functionals,
    which sum up a clip or a stretch of it; over what stretches theirs go, the paper does not say.
    The descriptors that these functionals are of are what openSMILE has every 10 ms.

    Frame t begins at 10 t ms, as with the other front ends, but looks ahead for up to 60 ms
    (pitch; the spectrum 20 ms), so that openSMILE ends two or three frames earlier: the last one is
    repeated. A clip of less than 60 ms gets silence behind it. Each descriptor has mean 0 and
    deviation 1 over the frames of its clip [ours]: their units differ by a factor of ten thousand.

    Computed on the CPU, clip by clip, at about forty times real time on one core, without a
    gradient. What a process has computed it keeps, up to ``KEPT_BYTES`` for all front ends
    together, as trainings come to the same clips again.

    Args:
        sample_rate: Hz, 8000 or 16000

    Raises:
        HparamError: if the sample rate is another one, or openSMILE is not installed
    """

    bands = BANDS

    def __init__(self, sample_rate: int = 16000):
        super().__init__(sample_rate)
        if find_spec("opensmile") is None:
            raise HparamError(
                'features: "gemaps" needs openSMILE, which is not installed; run '
                '`pip install "emovec[opensmile]"` (for research only), or choose "mfcc".'
            )

    def forward(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features over time, as :meth:`FrontEnd.forward` describes them."""
        counts = frame_counts(lengths, self.window, self.hop)
        size = max(1, (waves.shape[1] - self.window) // self.hop + 1)
        samples = waves.detach().float().cpu().numpy()
        features = torch.zeros(len(waves), size, BANDS)
        for row, (length, count) in enumerate(torch.stack([lengths, counts], dim=1).tolist()):
            if count:
                described = self._describe_clip(samples[row, :length], count)
                features[row, :count] = torch.from_numpy(described)
        return features.to(waves.device), counts

    def _describe_clip(self, wave: NDArray[np.float32], count: int) -> NDArray[np.float32]:
        """(count, D) standardised descriptors of samples (T,)."""
        key = hashlib.blake2b(wave.tobytes(), digest_size=16).digest() + bytes([self.hop])
        if (found := _KEPT.get(key)) is None:
            found = _standardised(_descriptors(wave, self.sample_rate), count)
            _KEPT.put(key, found)
        return found


class _Kept:
    """Arrays by key; those that were not asked for the longest go when they are too many bytes."""

    def __init__(self) -> None:
        self._arrays: OrderedDict[bytes, NDArray] = OrderedDict()
        self._bytes = 0

    def get(self, key: bytes) -> NDArray | None:
        if key in self._arrays:
            self._arrays.move_to_end(key)
        return self._arrays.get(key)

    def put(self, key: bytes, array: NDArray) -> None:
        self._arrays[key] = array
        self._bytes += array.nbytes
        while self._bytes > KEPT_BYTES:
            self._bytes -= self._arrays.popitem(last=False)[1].nbytes


_KEPT = _Kept()


def _descriptors(wave: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """(F, D) values of openSMILE, F at least 1."""
    padded = np.pad(wave, (0, max(0, round(SHORTEST * sample_rate) - len(wave))))
    return _smile().process_signal(padded, sample_rate).to_numpy(dtype=np.float32)


@cache
def _smile() -> Any:
    import opensmile

    return opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02,
        feature_level=opensmile.FeatureLevel.LowLevelDescriptors,
    )


def _standardised(values: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """(count, D): values (F, D) cut, or the last repeated, and standardised in float64."""
    rows = np.minimum(np.arange(count), len(values) - 1)
    frames = values[rows].astype(np.float64)
    centred = frames - frames.mean(axis=0)
    return (centred / (centred.std(axis=0) + SMALLEST_DEVIATION)).astype(np.float32)
