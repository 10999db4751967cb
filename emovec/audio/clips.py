"""Clips as people have them: files or waves, one or several, at any sample rate."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import soundfile
from numpy.typing import NDArray

from emovec.audio.loading import load
from emovec.audio.resampling import resampled
from emovec.errors import AudioError

File = str | Path
Wave = NDArray[Any]

FULL_SCALE = 32768  # of 16-bit samples
LONGEST = 600.0  # seconds of a clip that goes through an encoder whole; in ECAPA-TDNN 5 GB
LOWEST_RATE = 1000  # Hz; less is kHz, or no speech
LOUDEST = 8.0  # 18 dB above full scale: no decoder or filter overshoots so far, raw integers do


@dataclass(frozen=True)
class Clip:
    """A clip that is read.

    Attributes:
        name: the file as given; "wave", or "wave 3" for the one at position 3 of several
        wave: (T,) float32, T at least 1, finite
    """

    name: str
    wave: NDArray[np.float32]


def is_one(clips: File | Wave | Iterable[File] | Iterable[Wave]) -> TypeGuard[File | Wave]:
    """Whether this is a file or a wave, and not several.

    >>> is_one("a.wav"), is_one(["a.wav"]), is_one(np.zeros(9)), is_one(np.array(["a.wav"]))
    (True, False, True, False)
    """
    is_wave = isinstance(clips, np.ndarray) and clips.dtype.kind not in "UO"
    return is_wave or isinstance(clips, (str, Path))


def check_length(where: File, seconds: float) -> None:
    """Raise where a clip is too long to go through an encoder whole.

    Args:
        where: file, or name of the wave
        seconds: of the clip

    Raises:
        AudioError: with its length
    """
    if seconds > LONGEST:
        raise AudioError(
            f"{where}: lasts {seconds:.0f} s; expected at most {LONGEST:.0f} s for one embedding. "
            "Embed it by windows, for example with `emovec extract --window=10`, or cut it."
        )


def read_clips(
    clips: File | Wave | Iterable[File] | Iterable[Wave],
    sample_rate: int | None,
    *,
    wanted_rate: int,
    max_seconds: float | None = None,
) -> Iterator[Clip]:
    """Clips one after the other, read when they are asked for.

    Args:
        clips: a file, or several; or a wave, or several: (T,) float in [-1, 1], or int16
        sample_rate: Hz of the waves; None for files, which know theirs
        wanted_rate: Hz of the clips
        max_seconds: clips are cut to this length; None: whole clips, of ``LONGEST`` at most

    Raises:
        AudioError: if something is neither file nor wave; a file cannot be read; a wave is empty,
            has channels, NaN, other integers or samples far beyond [-1, 1]; a clip is too long; or
            a sample rate is missing, impossible, or given for files
    """
    if not isinstance(clips, (Path, Iterable)):
        raise _neither("clips", clips)
    one = is_one(clips)
    several: Any = [clips] if one else clips
    for position, clip in enumerate(several):
        if isinstance(clip, (str, Path)):
            if sample_rate is not None:
                raise AudioError(
                    f"{clip}: a file with sample_rate {sample_rate}; expected none, since files "
                    "know theirs. Leave it out."
                )
            yield Clip(str(clip), _from_file(Path(clip), wanted_rate, max_seconds))
            continue
        name = "wave" if one else f"wave {position}"
        if not isinstance(clip, np.ndarray):
            raise _neither(f"position {position}", clip)
        rate = _checked_rate(sample_rate, name)
        wave = _samples(clip, name)
        if max_seconds is None:
            check_length(name, len(wave) / rate)
        stop = None if max_seconds is None else round(max_seconds * rate)
        yield Clip(name, resampled(wave[:stop], rate, wanted_rate))


def _from_file(path: Path, rate: int, max_seconds: float | None) -> NDArray[np.float32]:
    wave = load(path, sample_rate=rate, max_seconds=max_seconds or LONGEST + 1)
    if max_seconds is None and len(wave) > LONGEST * rate:
        check_length(path, soundfile.info(path).duration)
    return wave


def _neither(where: str, found: Any) -> AudioError:
    return AudioError(
        f"{where}: {type(found).__name__} found; expected the name of a file, or a wave as a NumPy "
        "array (T,). Convert it."
    )


def _checked_rate(sample_rate: int | None, name: str) -> int:
    if not isinstance(sample_rate, (int, np.integer)) or sample_rate < LOWEST_RATE:
        raise AudioError(
            f"{name}: sample_rate is {sample_rate!r}; expected the Hz of the wave, an integer "
            f"from {LOWEST_RATE} on. Give it behind the waves."
        )
    return int(sample_rate)


def _samples(wave: Wave, name: str) -> NDArray[np.float32]:
    """(T,) float32 in about [-1, 1]."""
    if wave.ndim != 1:
        raise AudioError(
            f"{name}: shape {wave.shape}; expected (T,), one channel. Mix channels, for example by "
            "wave.mean(axis=0) if they are rows, and give several waves as a list."
        )
    if not len(wave):
        raise AudioError(f"{name}: no samples; expected some speech. Leave it out.")
    if wave.dtype == np.int16:
        return wave.astype(np.float32) / np.float32(FULL_SCALE)
    if wave.dtype.kind != "f":
        raise AudioError(
            f"{name}: {wave.dtype} samples; expected floats in [-1, 1], or int16. Convert them."
        )
    if not np.isfinite(wave).all():
        raise AudioError(f"{name}: holds NaN or infinite samples; expected [-1, 1]. Mend it.")
    loudest = float(np.abs(wave).max())
    if loudest > LOUDEST:
        raise AudioError(
            f"{name}: samples up to {loudest:g}; expected [-1, 1]. Divide by {FULL_SCALE} if they "
            "were 16-bit integers."
        )
    return wave.astype(np.float32)
