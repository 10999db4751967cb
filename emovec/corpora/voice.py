"""Source-filter voice: glottal pulses and noise through moving formants.

Shapes: T samples, F frames of ``HOP`` samples, M frequencies of a frame's spectrum.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SAMPLE_RATE = 16000
HOP = 128  # 8 ms; windows are twice as long and sum to one
_FFT = 512
VOWEL = 0.6  # least voicing of one
_BANDWIDTHS = np.array([70.0, 90.0, 130.0, 200.0, 260.0])  # Hz, of the five formants
_UPPER = (3500.0, 4500.0)  # Hz, formants 4 and 5, alike in all sounds


@dataclass(frozen=True)
class Sound:
    """A target of speaking; what lies between two of them is glided over.

    Attributes:
        seconds: how long at a normal rate
        formants: the lowest three of a male voice, in Hz
        voicing: amplitude of the pulses, in [0, 1]
        frication: amplitude of the noise made at the constriction, in [0, 1]
        centre: frequency of that noise in Hz
        width: of that noise, in octaves to each side
    """

    seconds: float
    formants: tuple[float, float, float]
    voicing: float = 0.0
    frication: float = 0.0
    centre: float = 3000.0
    width: float = 0.45


# Formants after Peterson & Barney (1952), J. Acoust. Soc. Am. 24, 175-184, men, rounded.
VOWELS = {
    "a": Sound(0.12, (730, 1200, 2450), voicing=1.0),
    "e": Sound(0.11, (530, 1840, 2480), voicing=0.9),
    "i": Sound(0.10, (280, 2250, 2950), voicing=0.8),
    "o": Sound(0.12, (560, 880, 2410), voicing=0.95),
    "u": Sound(0.10, (310, 870, 2250), voicing=0.8),
    "y": Sound(0.08, (490, 1400, 2450), voicing=0.7),
}
_CLOSED = Sound(0.05, (250, 1200, 2400))
CONSONANTS: dict[str, tuple[Sound, ...]] = {
    "": (),
    "m": (Sound(0.06, (270, 1000, 2200), voicing=0.35),),
    "n": (Sound(0.06, (270, 1600, 2500), voicing=0.35),),
    "l": (Sound(0.06, (360, 1200, 2700), voicing=0.5),),
    "s": (Sound(0.09, (300, 1700, 2600), frication=0.55, centre=5800),),
    "c": (Sound(0.09, (300, 1800, 2500), frication=0.6, centre=3200),),
    "f": (Sound(0.08, (300, 1000, 2300), frication=0.2, centre=4500),),
    "z": (Sound(0.07, (280, 1700, 2600), voicing=0.3, frication=0.3, centre=5500),),
    "b": (Sound(0.05, (230, 900, 2300), voicing=0.12),),
    "p": (_CLOSED, Sound(0.016, (300, 900, 2300), frication=0.4, centre=1200)),
    "t": (_CLOSED, Sound(0.02, (300, 1700, 2600), frication=0.6, centre=4500)),
    "k": (_CLOSED, Sound(0.024, (300, 1900, 2400), frication=0.5, centre=2000)),
}
SILENCE = Sound(0.2, (500, 1500, 2500))


@dataclass(frozen=True)
class Throat:
    """How the voice is set for a whole clip.

    Attributes:
        stretch: (5,) factors of the formants against those of ``Sound``
        open_quotient: share of a cycle in which the glottis is open, in (0, 1)
        tilt: slope of the voice's spectrum above 500 Hz, in dB an octave, beside the pulse's own
        breath: amplitude of noise from the glottis against that of the pulses
        jitter: relative deviation of a cycle's length
        shimmer: relative deviation of a cycle's amplitude
    """

    stretch: np.ndarray
    open_quotient: float
    tilt: float
    breath: float
    jitter: float
    shimmer: float


def speak(
    sounds: Sequence[Sound],
    seconds: np.ndarray,
    pitch: np.ndarray,
    throat: Throat,
    generator: np.random.Generator,
) -> np.ndarray:
    """Wave of a row of sounds.

    Args:
        sounds: one after the other
        seconds: (len(sounds),) their durations
        pitch: (F,) fundamental in Hz at each frame; frames are ``HOP`` samples apart, and sounds
            beyond the last one are not heard
        throat: the voice
        generator: source of all that is random

    Returns:
        (F * HOP,) wave of no particular level
    """
    frames = len(pitch)
    times = (np.arange(frames) + 0.5) * HOP / SAMPLE_RATE
    ends = np.cumsum(seconds)
    index = np.searchsorted(ends, times).clip(max=len(sounds) - 1)  # (F,)
    voicing, frication, centre, width, *formants = np.array(
        [(s.voicing, s.frication, s.centre, s.width, *s.formants, *_UPPER) for s in sounds]
    )[index].T
    formants = _smooth(np.transpose(formants), frames=6) * throat.stretch  # (F, 5)
    levels = _smooth(np.stack([voicing, frication], axis=1), frames=3)
    loud, hissing = np.repeat(levels, HOP, axis=0).T  # (T,) each

    noise = generator.standard_normal((2, frames * HOP))
    pulses = glottal_pulses(np.repeat(pitch, HOP), throat, generator)
    # Breath comes while the glottis is open: it swells and fades with the pulses.
    breath = throat.breath * noise[0] * (0.4 + np.abs(pulses))
    voice = _spectra((pulses + breath) * loud)
    hiss = _spectra(noise[1] * hissing)
    return _overlap_add(voice * _tract(formants, throat.tilt) + hiss * _constriction(centre, width))


def glottal_pulses(pitch: np.ndarray, throat: Throat, generator: np.random.Generator) -> np.ndarray:
    r"""Derivative of the glottal flow, with a cycle's length and height perturbed.

    .. math:: g(p) = 2 p / q - 3 (p / q)^2, 0 \le p < q; \quad 0, q \le p < 1

    at phase p of a cycle with open quotient q (Klatt & Klatt, 1990, J. Acoust. Soc. Am. 87,
    820-857); its jump at closure is rounded over two samples, which keeps aliases low.

    Args:
        pitch: (T,) Hz
        throat: open quotient, jitter and shimmer are used
        generator: source of the perturbations

    Returns:
        (T,) pulses, each down to about -1
    """
    cycles = int(pitch.sum() / SAMPLE_RATE * 1.5) + 8
    changes = generator.standard_normal((2, cycles)).clip(-2.5, 2.5)
    index = np.floor(np.cumsum(pitch) / SAMPLE_RATE).astype(int)
    step = pitch / SAMPLE_RATE * (1.0 + throat.jitter * changes[0, index])
    phase = np.cumsum(step)
    index = np.floor(phase).astype(int).clip(max=cycles - 1)
    phase %= 1.0
    opened = phase / throat.open_quotient
    flow = np.where(opened < 1.0, opened * (2.0 - 3.0 * opened), 0.0)
    late = (phase - throat.open_quotient) / step  # samples since closure
    flow -= np.where((late >= 0) & (late < 1), 0.5 * (1 - late) ** 2, 0.0)
    flow += np.where((late < 0) & (late > -1), 0.5 * (1 + late) ** 2, 0.0)
    return flow * (1.0 + throat.shimmer * changes[1, index])


def _tract(formants: np.ndarray, tilt: float) -> np.ndarray:
    """(F, M) response of five resonators in a row, each of gain 1 at 0 Hz."""
    delay = np.exp(-2j * np.pi * np.arange(_FFT // 2 + 1) / _FFT).astype(np.complex64)  # (M,)
    radius = np.exp(-np.pi * _BANDWIDTHS / SAMPLE_RATE)
    first = 2 * radius * np.cos(2 * np.pi * formants / SAMPLE_RATE)  # (F, 5)
    first, second = first.astype(np.float32), (radius**2).astype(np.float32)
    response = np.ones((len(formants), len(delay)), dtype=np.complex64)
    for number in range(formants.shape[1]):
        a, b = first[:, number, None], second[number]
        response *= (1 - a + b) / (1 - delay * (a - b * delay))
    octaves = np.log2(np.maximum(_frequencies() / 500.0, 1.0))
    return response * (10 ** (-tilt * octaves / 20)).astype(np.float32)


def _constriction(centre: np.ndarray, width: np.ndarray) -> np.ndarray:
    """(F, M) response of a broad hump at each frame's centre."""
    octaves = np.log2(np.maximum(_frequencies(), 30.0) / centre[:, None])
    return np.exp(-0.5 * (octaves / width[:, None]) ** 2).astype(np.float32)


def _frequencies() -> np.ndarray:
    return np.arange(_FFT // 2 + 1) * SAMPLE_RATE / _FFT


def _smooth(targets: np.ndarray, frames: int) -> np.ndarray:
    """(F, D) targets, smoothed over time by a bell of about ``frames`` frames each side."""
    bell = np.hanning(2 * frames + 1)
    padded = np.pad(targets, ((frames, frames), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, len(bell), axis=0)
    return windows @ (bell / bell.sum())


def _spectra(wave: np.ndarray) -> np.ndarray:
    """(F + 1, M) spectra of windows of 2 HOP samples that sum to the wave."""
    padded = np.pad(wave, HOP).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * HOP)[::HOP]
    bell = np.hanning(2 * HOP + 1)[:-1].astype(np.float32)
    return np.fft.rfft(windows * bell, _FFT)[:-1]


def _overlap_add(spectra: np.ndarray) -> np.ndarray:
    """(F * HOP,) wave of frames, each let ring for the whole transform."""
    parts = np.fft.irfft(spectra, _FFT).reshape(len(spectra), _FFT // HOP, HOP)
    wave = np.zeros((len(spectra) + _FFT // HOP - 1, HOP))
    for number in range(_FFT // HOP):
        wave[number : number + len(spectra)] += parts[:, number]
    return wave[1 : len(spectra) + 1].ravel()
