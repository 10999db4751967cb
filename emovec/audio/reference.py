"""Reference clips: made by a formula, the same everywhere, to hold what a model says against."""

import numpy as np
from numpy.typing import NDArray

SECONDS = (1.5, 2.2, 3.0)


def reference_waves(sample_rate: int) -> list[NDArray[np.float32]]:
    """Three voices that hum syllables between pauses: no recordings, no random numbers.

    Harmonics of a gliding pitch fall off by 1/n below two resonances; breath is a sum of sines
    whose frequencies have no common measure.

    Args:
        sample_rate: Hz

    Returns:
        waves (T,) in [-1, 1] of the lengths in ``SECONDS``
    """
    return [_voice(number, seconds, sample_rate) for number, seconds in enumerate(SECONDS)]


def _voice(number: int, seconds: float, sample_rate: int) -> NDArray[np.float32]:
    time = np.arange(round(seconds * sample_rate)) / sample_rate  # (T,) seconds
    pitch = (110 + 45 * number) * (1 + 0.15 * np.sin(2 * np.pi * 0.7 * time + number))  # Hz
    phase = 2 * np.pi * np.cumsum(pitch) / sample_rate
    voiced = np.zeros_like(time)
    for harmonic in range(1, 24):
        frequency = harmonic * pitch
        resonance = sum(
            1 / (1 + ((frequency - centre) / 120) ** 2)
            for centre in (550 + 120 * number, 1500 + 200 * np.sin(2 * np.pi * 1.3 * time))
        )
        voiced += (0.1 + resonance) / harmonic * np.sin(harmonic * phase)
    breath = sum(np.sin(2 * np.pi * 700 * np.sqrt(k) * time + k * k) for k in range(2, 30))
    syllables = np.clip(np.sin(2 * np.pi * (2.1 + 0.4 * number) * time) + 0.3, 0, 1)  # (T,)
    wave = syllables * (voiced + 0.01 * breath) + 0.0005 * breath
    return (0.5 * wave / np.abs(wave).max()).astype(np.float32)
