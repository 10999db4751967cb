"""Acoustic functionals: about a hundred numbers that sum up how a clip sounds.

Shapes: T samples, F frames of 40 ms every 10 ms, M frequencies or bands, L lags, N clips,
D functionals.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

import numpy as np
from tqdm import tqdm

FRAME_SECONDS = 0.04
HOP_SECONDS = 0.01
PITCH_RANGE = (60.0, 500.0)  # Hz
_VOICED = 0.45  # least normalised autocorrelation of a voiced frame, as Praat's default
_OCTAVE_COST = 0.03  # favours the shorter of two lags that fit alike; Praat's default is 0.01
_QUIET = 1e-10  # power of what counts as silence: -100 dB
_QUIET_BIN = 1e-12  # the same, of one frequency
_BANDS, _CEPSTRA = 26, 13

_STATISTICS = ("mean", "deviation", "p20", "p50", "p80", "range", "rise", "fall")
_TRACKS = ("pitch", "loudness", "tilt", "centroid", "flux")
_RHYTHM = (
    "voicing/rate",
    "voicing/mean_seconds",
    "voicing/deviation_seconds",
    "voicing/stretches_per_second",
    "pause/rate",
    "pause/mean_seconds",
    "pause/per_second",
    "loudness/peaks_per_second",
)
VERSION = 1  # add one when the same clip gives other values: kept tables are then made anew
NAMES = (
    *(f"{track}/{statistic}" for track in _TRACKS for statistic in _STATISTICS),
    *(
        f"mfcc{number}/{statistic}"
        for number in range(1, _CEPSTRA + 1)
        for statistic in ("mean", "deviation", "p20", "p80")
    ),
    *_RHYTHM,
)


@dataclass(frozen=True)
class Extractor:
    """A set of functionals: ``function(wave, sample_rate)`` gives ``len(names)`` values."""

    name: str
    names: tuple[str, ...]
    function: Callable[[np.ndarray, int], np.ndarray]


def extractor() -> Extractor:
    """The eGeMAPS where openSMILE is installed, else the functionals of this module."""
    if find_spec("opensmile") is None:
        return Extractor("functionals", NAMES, functionals)
    from emovec.audio import opensmile  # which makes Extractors, too

    egemaps = opensmile.extractor("egemaps")

    def without_gaps(wave: np.ndarray, sample_rate: int) -> np.ndarray:
        return np.nan_to_num(egemaps.function(wave, sample_rate))

    return Extractor(opensmile.FEATURE_SETS["egemaps"], egemaps.names, without_gaps)


def functionals_table(
    clips: Sequence[Callable[[], np.ndarray]],
    sample_rate: int,
    chosen: Extractor,
    *,
    workers: int = 2,
    progress: bool = True,
) -> np.ndarray:
    """Functionals of many clips, in parallel.

    Args:
        clips: N functions that give a wave (T,) each, so that one clip a worker is in memory
        sample_rate: of all the waves, in Hz
        chosen: as ``extractor`` gives it
        workers: threads; reading and transforms let others run
        progress: whether to show a bar

    Returns:
        (N, D) float32
    """

    def work(clip: Callable[[], np.ndarray]) -> np.ndarray:
        return chosen.function(clip(), sample_rate)

    with ThreadPoolExecutor(workers) as pool:
        rows = pool.map(work, clips)
        hidden = None if progress else True  # None: shown where there is a terminal
        bar = tqdm(rows, total=len(clips), desc=chosen.name, unit="clip", disable=hidden)
        table = list(bar)
    return np.array(table, dtype=np.float32).reshape(len(clips), len(chosen.names))


def functionals(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    """Acoustic functionals of a clip, in the order of ``NAMES``.

    Mean, deviation, 20th, 50th and 80th percentile, the range between the outer two, and the mean
    of rising and of falling slopes a second, of: pitch (semitones above 27.5 Hz, voiced frames),
    loudness (dB of full scale, all frames), and, in frames within 30 dB of the loudest, spectral
    tilt (dB an octave from 100 Hz to 5 kHz), centroid (octaves above 1 Hz) and flux. Then 13 MFCC,
    and rates of voicing and pauses. The choice follows Eyben et al. (2016), IEEE Trans. Affective
    Computing 7, 190-202. What a clip does not have, as the pitch of silence, is 0.

    Args:
        wave: (T,) in [-1, 1], T >= 1
        sample_rate: in Hz

    Returns:
        (D,) float32, finite

    Raises:
        ValueError: if the wave is empty or not of one dimension
    """
    frames = _frames(wave, sample_rate)
    power, frequencies = _power(frames, sample_rate)
    loudness = 10 * np.log10(np.mean(frames**2, axis=1) + _QUIET)  # (F,)
    active = loudness >= max(loudness.max() - 30, -90)
    if not active.any():
        active[:] = True
    pitch = pitch_track(wave, sample_rate)
    voiced = (pitch > 0) & active
    semitones = 12 * np.log2(np.where(voiced, pitch, 27.5) / 27.5)
    tracks = [_summary(semitones, voiced), _summary(loudness, np.ones_like(active))]
    for track in (
        spectral_tilt(power, frequencies),
        np.log2(np.maximum(power @ frequencies / power.sum(axis=1), 1.0)),
        _flux(power),
    ):
        tracks.append(_summary(track, active))
    cepstra = _cepstra(power, sample_rate)[active]  # (F, 13)
    low, high = np.percentile(cepstra, (20, 80), axis=0)
    shape = np.stack([cepstra.mean(axis=0), cepstra.std(axis=0), low, high], axis=1)
    values = np.concatenate([*tracks, shape.ravel(), _rhythm(voiced, active, loudness)])
    return values.astype(np.float32)


def pitch_track(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    r"""Fundamental frequency of each frame, 0 where it is not voiced.

    The highest peak of the autocorrelation over that of the window,
    :math:`r(\tau) = r_{xw}(\tau) / r_w(\tau)` (Boersma, 1993, Proc. IFA 17, 97-110), less a cost
    for long lags, between the samples by a parabola; then a median over five frames.

    Args:
        wave: (T,)
        sample_rate: in Hz

    Returns:
        (F,) Hz within ``PITCH_RANGE``, or 0

    >>> time = np.arange(8000) / 16000
    >>> np.median(pitch_track(np.sin(2 * np.pi * 200 * time), 16000)).round().item()
    200.0
    """
    frames = _frames(wave, sample_rate)
    correlation, shortest = _autocorrelation(frames, sample_rate)  # (F, L)
    inner = correlation[:, 1:-1]
    peak = (inner > correlation[:, :-2]) & (inner >= correlation[:, 2:])
    lags = np.arange(shortest + 1, shortest + 1 + inner.shape[1])
    score = np.where(peak, inner - _OCTAVE_COST * np.log2(lags * PITCH_RANGE[0] / sample_rate), -9)
    best = score.argmax(axis=1)
    rows = np.arange(len(frames))
    left, middle, right = (correlation[rows, best + step] for step in range(3))
    bend = left - 2 * middle + right
    shift = 0.5 * (left - right) / np.where(bend < 0, bend, -1.0)
    pitch = sample_rate / (lags[best] + np.clip(shift, -0.5, 0.5))
    voiced = (middle > _VOICED) & peak[rows, best]
    pitch = np.where(voiced, pitch.clip(*PITCH_RANGE), 0.0)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(pitch, 2), 5)
    return np.median(around, axis=1)


def spectral_tilt(power: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """Slope of the spectrum, by least squares of dB on octaves from 100 Hz to 5 kHz.

    Args:
        power: (F, M), above 0
        frequencies: (M,) Hz

    Returns:
        (F,) dB an octave
    """
    band = (frequencies >= 100) & (frequencies <= 5000)
    octaves = np.log2(frequencies[band])
    # Frequencies lie denser up there: weights of 1 / frequency count each octave once.
    weights = 1 / frequencies[band]
    weights /= weights.sum()
    octaves = octaves - weights @ octaves
    level = 10 * np.log10(power[:, band])
    return level @ (weights * octaves) / (weights @ octaves**2)


def _frames(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    """(F, W) overlapping stretches of the wave, the last one whole; F >= 1."""
    if wave.ndim != 1 or not len(wave):
        raise ValueError(f"wave has shape {wave.shape}; expected (T,) with T >= 1.")
    width, hop = round(FRAME_SECONDS * sample_rate), round(HOP_SECONDS * sample_rate)
    short = max(0, width - len(wave))
    padded = np.pad(wave.astype(np.float32), (short // 2, short - short // 2))
    return np.lib.stride_tricks.sliding_window_view(padded, width)[::hop]


def _power(frames: np.ndarray, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """(F, M) power spectra, a full-scale sine having 0.25 at its peak; and (M,) Hz."""
    window = _window(frames.shape[1])
    size = _size(frames.shape[1])
    spectra = np.fft.rfft(frames * window, size) / window.sum()
    power = spectra.real**2 + spectra.imag**2 + np.float32(_QUIET_BIN)
    return power, np.fft.rfftfreq(size, 1 / sample_rate)


@cache
def _window(width: int) -> np.ndarray:
    return np.hanning(width + 2)[1:-1].astype(np.float32)


def _size(width: int) -> int:
    """The power of two that holds a frame and its longest lag."""
    return 1 << (round(width * 1.5) - 1).bit_length()


def _autocorrelation(frames: np.ndarray, sample_rate: int) -> tuple[np.ndarray, int]:
    """(F, L) autocorrelation over the window's own, 1 at lag 0; and its first lag."""
    window = _window(frames.shape[1])
    size = _size(frames.shape[1])
    centred = (frames - frames.mean(axis=1, keepdims=True)) * window
    longest = int(sample_rate / PITCH_RANGE[0]) + 2
    shortest = int(sample_rate / PITCH_RANGE[1]) - 1
    own = np.fft.irfft(np.abs(np.fft.rfft(window, size)) ** 2)[:longest]
    spectra = np.fft.rfft(centred, size)
    correlation = np.fft.irfft(spectra.real**2 + spectra.imag**2, size)[:, :longest]
    energy = correlation[:, :1] + np.float32(_QUIET * frames.shape[1])
    correlation = correlation / energy * (own[0] / own)
    return correlation[:, shortest:], shortest


def _flux(power: np.ndarray) -> np.ndarray:
    """(F,) half the summed change of the spectrum's shape since the last frame, in [0, 1]."""
    shape = np.sqrt(power)
    shape /= shape.sum(axis=1, keepdims=True)
    change = 0.5 * np.abs(np.diff(shape, axis=0)).sum(axis=1)
    return np.concatenate([change[:1], change]) if len(change) else np.zeros(1)


def _cepstra(power: np.ndarray, sample_rate: int) -> np.ndarray:
    """(F, 13) cosine transform of log mel bands, without the 0th."""
    bands = power @ _mel_bands(power.shape[1], sample_rate)
    return np.log(bands + _QUIET_BIN) @ _cosines()


@cache
def _mel_bands(size: int, sample_rate: int) -> np.ndarray:
    """(M, 26) triangles, even on the mel scale 2595 log10(1 + f / 700) from 20 Hz up."""
    top = min(8000.0, sample_rate / 2)
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (20.0, top))
    edges = 700 * (10 ** (np.linspace(low, high, _BANDS + 2) / 2595) - 1)
    frequencies = np.linspace(0, sample_rate / 2, size)[:, None]
    rising = (frequencies - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - frequencies) / np.diff(edges)[1:]
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


@cache
def _cosines() -> np.ndarray:
    """(26, 13) orthonormal cosine transform, type 2, rows 1 to 13."""
    band = np.arange(_BANDS)[:, None] + 0.5
    order = np.arange(1, _CEPSTRA + 1)
    return (np.sqrt(2 / _BANDS) * np.cos(np.pi * band * order / _BANDS)).astype(np.float32)


def _summary(track: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """(8,) ``_STATISTICS`` of the valid frames; slopes where two of them are neighbours."""
    values = track[valid]
    if not len(values):
        return np.zeros(len(_STATISTICS))
    low, middle, high = np.percentile(values, (20, 50, 80))
    slopes = (np.diff(track) / HOP_SECONDS)[valid[1:] & valid[:-1]]
    rise, fall = slopes[slopes > 0], slopes[slopes < 0]
    return np.array(
        [
            values.mean(),
            values.std(),
            low,
            middle,
            high,
            high - low,
            rise.mean() if len(rise) else 0.0,
            fall.mean() if len(fall) else 0.0,
        ]
    )


def _rhythm(voiced: np.ndarray, active: np.ndarray, loudness: np.ndarray) -> np.ndarray:
    """(8,) values of ``_RHYTHM``; pauses are quiet stretches of 100 ms or more, ends left out."""
    seconds = len(voiced) * HOP_SECONDS
    stretches = _runs(voiced) * HOP_SECONDS
    sounding = np.flatnonzero(active)
    quiet = _runs(~active[sounding[0] : sounding[-1] + 1]) * HOP_SECONDS
    pauses = quiet[quiet >= 0.1]
    kernel = np.hanning(11)
    smooth = np.convolve(np.pad(loudness, 5, mode="edge"), kernel / kernel.sum(), mode="valid")
    peaks = (smooth[1:-1] > smooth[:-2]) & (smooth[1:-1] >= smooth[2:]) & active[1:-1]
    return np.array(
        [
            voiced.mean(),
            stretches.mean() if len(stretches) else 0.0,
            stretches.std() if len(stretches) else 0.0,
            len(stretches) / seconds,
            pauses.sum() / seconds,
            pauses.mean() if len(pauses) else 0.0,
            len(pauses) / seconds,
            peaks.sum() / seconds,
        ]
    )


def _runs(flags: np.ndarray) -> np.ndarray:
    """Lengths of unbroken stretches of True.

    >>> _runs(np.array([True, True, False, True])).tolist()
    [2, 1]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return edges[1::2] - edges[::2]
