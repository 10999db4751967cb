"""Windows: stretches of equal length at a steady hop, each wholly inside its clip.

Shapes: N windows, W samples of one.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emovec.audio.loading import load

MARGIN = 0.1  # seconds beside the windows, ten times what resampling looks at


@dataclass(frozen=True)
class Windows:
    """Where the windows of a clip lie.

    Attributes:
        size: W
        hop: samples from one to the next
        sample_rate: Hz
    """

    size: int
    hop: int
    sample_rate: int

    def count(self, seconds: float) -> int:
        """Most windows in a clip of so many seconds.

        >>> Windows(size=400, hop=160, sample_rate=16000).count(0.035)
        2
        """
        # resampling rounds up; 1e-6 of a sample is what seconds as floats may be off
        samples = math.ceil(seconds * self.sample_rate - 1e-6)
        return max(0, (samples - self.size) // self.hop + 1)

    def ends(self, number: int) -> tuple[float, float]:
        """Start and stop of a window, seconds from the clip's beginning.

        >>> Windows(size=400, hop=160, sample_rate=16000).ends(2)
        (0.02, 0.045)
        """
        first = number * self.hop
        return first / self.sample_rate, (first + self.size) / self.sample_rate


def load_windows(
    path: Path, start: float | None, stop: float | None, windows: Windows, first: int, number: int
) -> NDArray[np.float32]:
    """Some windows of a clip; nothing far from them is read, however long the clip is.

    They are what would be cut from the whole clip, resampled at once: samples are read from a whole
    second of the clip on, where a sample of the file falls on one of the result at every rate.

    Args:
        path: audio file
        start: seconds where the clip begins in the file; None: 0
        stop: seconds where it ends; None: the file's end
        windows: which
        first: number of the first window
        number: most windows; there are fewer where the clip ends

    Returns:
        (N, W)

    Raises:
        AudioError: as :func:`emovec.audio.loading.load` does
    """
    offset = start or 0.0
    begin = max(0, math.floor(windows.ends(first)[0] - MARGIN))
    end = offset + math.ceil(windows.ends(first + number - 1)[1] + MARGIN)
    wave = load(
        path,
        offset + begin,
        end if stop is None else min(stop, end),
        sample_rate=windows.sample_rate,
    )
    wave = wave[first * windows.hop - begin * windows.sample_rate :]
    if len(wave) < windows.size:
        return np.empty((0, windows.size), dtype=np.float32)
    strided = np.lib.stride_tricks.sliding_window_view(wave, windows.size)
    return strided[:: windows.hop][:number].copy()
