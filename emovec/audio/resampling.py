r"""Resampling by windowed sinc, as torchaudio has it, at any rate in little memory.

Output n of rate :math:`r'` lies at :math:`p = n \, r / r'` samples of the input of rate r, and is

.. math::
    y_n = \sum_k x_k \, h(k - p), \quad
    h(d) = c \, \frac{\sin \pi c d}{\pi c d} \cos^2 \frac{\pi c d}{2 L}, \quad |c d| < L

with :math:`c = 0.99 \min(1, r' / r)` and L = 6. The fraction of a sample in p comes round after r'
outputs, rates in lowest terms: so many filters there are. torchaudio keeps each as long as r, most
of it zero, and convolves: the fastest way for rates that have much in common, and gigabytes for
44101 and 16000 Hz. There filters are kept where they are not zero.

Shapes: T samples, N output samples, P filters, K taps of one.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from emovec.errors import AudioError

ZEROS = 6  # L, of the sinc at either side
ROLLOFF = 0.99
MOST_CONVOLVED = 2**20  # numbers in torchaudio's filters; with more it is slower by far
MOST_TAPS = 2**23  # numbers in ours, 32 MiB
_AT_ONCE = 2**20  # products in memory

Samples = NDArray[np.float32]


def resampled(wave: Samples, rate: int, wanted: int) -> Samples:
    """A wave (T,) at another sample rate; the same one if it has that already.

    Args:
        wave: (T,)
        rate: Hz of the wave, an integer from 1 on
        wanted: Hz

    Returns:
        (N,), N = T * wanted / rate, rounded up

    Raises:
        AudioError: if the rates have so little in common that filters would take too much memory

    >>> resampled(np.ones(44101, np.float32), 44101, 16000)[8000:8003].round(3).tolist()
    [1.0, 1.0, 1.0]
    """
    common = math.gcd(rate, wanted)
    rate, wanted = rate // common, wanted // common
    if rate == wanted:
        return wave
    if wanted * (rate + 2 * _half_width(rate, wanted)) <= MOST_CONVOLVED:
        import torch
        from torchaudio.functional import resample

        return resample(torch.from_numpy(wave), rate, wanted).numpy()
    if wanted * _taps(rate, wanted) > MOST_TAPS:
        raise AudioError(
            f"{rate * common} Hz to {wanted * common} Hz takes {wanted} filters of "
            f"{_taps(rate, wanted)} numbers; expected at most {MOST_TAPS} in all. Is the rate "
            "right? Convert the audio to a usual one, such as 48000 Hz."
        )
    return _by_filters(wave, rate, wanted)


def _half_width(rate: int, wanted: int) -> int:
    """Input samples that a filter sees at either side."""
    return math.ceil(ZEROS * max(1.0, rate / wanted) / ROLLOFF)


def _taps(rate: int, wanted: int) -> int:
    return 2 * _half_width(rate, wanted) + 2


@lru_cache(maxsize=2)
def _filters(rate: int, wanted: int) -> Samples:
    """(P, K), the first tap ``_half_width`` samples before that at or before the output."""
    width = _half_width(rate, wanted)
    fraction = np.arange(wanted) * rate % wanted / wanted  # (P,) of a sample
    distance = np.arange(-width, width + 2) - fraction[:, None]  # (P, K)
    cutoff = ROLLOFF * min(1.0, wanted / rate)
    phase = np.clip(cutoff * distance, -ZEROS, ZEROS)
    window = np.cos(np.pi * phase / (2 * ZEROS)) ** 2
    return (cutoff * np.sinc(phase) * window).astype(np.float32)


def _by_filters(wave: Samples, rate: int, wanted: int) -> Samples:
    """The wave at another rate, rates in lowest terms, some output samples at a time."""
    filters = _filters(rate, wanted)  # (P, K)
    taps, width = filters.shape[1], _half_width(rate, wanted)
    padded = np.pad(wave, (width, taps))
    stretches = np.lib.stride_tricks.sliding_window_view(padded, taps)  # begin at each sample
    length = -(-len(wave) * wanted // rate)
    found = np.empty(length, dtype=np.float32)
    block = max(1, _AT_ONCE // taps)
    for first in range(0, length, block):
        outputs = np.arange(first, min(first + block, length))
        heard = stretches[outputs * rate // wanted]  # (block, K)
        found[outputs] = np.einsum("nk,nk->n", heard, filters[outputs % wanted])
    return found
