"""Files of noise, speech and impulse responses to augment with: found, checked, and read in part.

Those that cannot be heard are told before the training starts, and short ones are decoded once.
"""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from emovec.audio.loading import load
from emovec.errors import HparamError
from emovec.tables.files import AUDIO_SUFFIXES, is_git_lfs_pointer

SILENCE = 1e-20  # mean square; one step of 24 bits in a minute at 16 kHz has 1.5e-20
TRIES = 10  # to find a stretch of noise that is not silent
KEPT_SECONDS = 8.0  # files up to this length are decoded once and kept, of others a stretch is read
KEPT_FILES = 512  # in each process: 262 MB at most at 16 kHz


class Sound(NamedTuple):
    """A file of noise, speech or an impulse response, and its length."""

    path: Path
    seconds: float


def mean_square(wave: np.ndarray) -> float:
    """Mean square, without BLAS, whose last digits depend on its number of threads."""
    return float(np.square(wave).mean()) if len(wave) else 0.0


def audio_files(key: str, folder: Path) -> list[Path]:
    """Audio in a folder and below, in an order that is the same on every machine.

    Args:
        key: hyperparameter that names the folder
        folder: where to look; hidden files are skipped

    Raises:
        HparamError: if there is no such folder, or no audio in it
    """
    if not folder.is_dir():
        raise HparamError(f"{key} is {folder}: no such folder; expected audio in it. Change it.")
    found = (path for path in folder.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES)
    files = [path for path in found if not path.name.startswith(".") and path.is_file()]
    if not files:
        raise HparamError(
            f"{key} is {folder}: no audio files found; expected some there or below "
            f"({' '.join(sorted(AUDIO_SUFFIXES))}). Change it, or leave it null."
        )
    return sorted(files, key=lambda path: path.relative_to(folder).as_posix())


def inspect_sound(path: Path) -> Sound | str:
    """A sound, or why it is none; read up to the first audible block, mostly the very first."""
    try:
        with soundfile.SoundFile(path) as file:
            for block in file.blocks(4096, dtype="float32", always_2d=True):
                if not np.isfinite(block).all():
                    return "holds NaN or infinite samples"
                if mean_square(block.mean(axis=1)) >= SILENCE:  # channels may cancel
                    return Sound(path, file.frames / file.samplerate)
    except soundfile.SoundFileError as error:
        if is_git_lfs_pointer(path):
            return "is a text pointer of Git LFS"
        return f"cannot be read ({error})"
    return "is silent"


def audible_stretch(
    sounds: list[Sound], samples: int, sample_rate: int, random: np.random.Generator
) -> np.ndarray:
    """(samples,) of a file; silence only if it is all that is found in many places.

    Raises:
        AudioError: if a file has become unreadable
    """
    for _ in range(TRIES):
        sound = sounds[random.integers(len(sounds))]
        stretch = _random_stretch(sound, samples, sample_rate, random)
        if mean_square(stretch) >= SILENCE:
            break
    return stretch


def _random_stretch(
    sound: Sound, samples: int, sample_rate: int, random: np.random.Generator
) -> np.ndarray:
    """(samples,) from a random place; a file that is shorter goes round."""
    seconds = max(samples / sample_rate, 0.01)  # some samples at every rate
    if sound.seconds > max(seconds, KEPT_SECONDS):
        start = random.uniform(0, sound.seconds - seconds)
        wave = load(sound.path, start, start + seconds, sample_rate=sample_rate)
        return np.resize(wave, samples)  # rounding may leave one sample too few
    wave = whole_sound(sound, sample_rate)
    spare = len(wave) - samples
    start = int(random.integers(spare + 1 if spare >= 0 else len(wave)))
    return np.resize(wave, start + samples)[start:]


def whole_sound(sound: Sound, sample_rate: int) -> np.ndarray:
    """All of a file, (T,) at a sample rate; short ones are kept.

    Raises:
        AudioError: if the file has become unreadable
    """
    if sound.seconds > KEPT_SECONDS:
        return load(sound.path, sample_rate=sample_rate)
    return _kept(sound.path, sample_rate)


_kept = lru_cache(KEPT_FILES)(lambda path, sample_rate: load(path, sample_rate=sample_rate))
