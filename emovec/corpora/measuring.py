"""How long each clip is, what its samples hash to, and whether it can be used at all."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from tqdm import tqdm

from emovec.tables.files import is_git_lfs_pointer

AUDIO_SUFFIXES = frozenset(
    {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au", ".caf", ".sph", ".w64"}
)
SHORTEST = 0.025  # seconds, one frame of speech
_ROUNDING = 0.01  # seconds that a published end may lie behind the file's


@dataclass(frozen=True, slots=True)
class Stretch:
    """Part of an audio file; None: from its beginning, or to its end, in seconds."""

    path: Path
    start: float | None = None
    stop: float | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """What decoding a clip tells.

    Attributes:
        duration: seconds
        audio_hash: 16 hexadecimal digits of its float32 samples
        fault: why it cannot be used, "" if it can
    """

    duration: float = 0.0
    audio_hash: str = ""
    fault: str = ""


def measure(stretch: Stretch) -> Measurement:
    """Decode one clip and look at its samples."""
    try:
        with soundfile.SoundFile(stretch.path) as file:
            rate = file.samplerate
            start, fault = _range(stretch, file.frames / rate)
            if fault:
                return Measurement(fault=fault)
            file.seek(round(start * rate))
            frames = -1 if stretch.stop is None else round((stretch.stop - start) * rate)
            samples = file.read(frames, dtype="float32", always_2d=True)  # (T, channels)
    except (soundfile.SoundFileError, OSError) as error:
        return Measurement(fault=_unreadable(stretch.path, error))
    seconds = len(samples) / rate
    if not np.isfinite(samples).all():
        return Measurement(fault="has NaN or infinite samples; get the file again")
    if seconds < SHORTEST:
        return Measurement(fault=f"lasts {seconds:.4f} s; expected at least {SHORTEST} s")
    digest = hashlib.blake2b(samples.tobytes(), digest_size=8).hexdigest()
    return Measurement(duration=round(seconds, 6), audio_hash=digest)


def measure_all(
    stretches: Sequence[Stretch], title: str, progress: bool, workers: int | None
) -> list[Measurement]:
    """Measurements of many clips, in their order.

    In threads: decoding and hashing let others run, and workers cost nothing to start.

    Args:
        stretches: clips
        title: of the progress bar
        progress: show a bar, if there is a terminal to show it on
        workers: threads; None: one for each core
    """
    pool = ThreadPoolExecutor(workers or os.cpu_count())
    try:
        bar = tqdm(
            pool.map(measure, stretches),
            total=len(stretches),
            desc=title,
            unit=" clips",
            disable=None if progress else True,
        )
        return list(bar)
    finally:
        pool.shutdown(cancel_futures=True)


def _range(stretch: Stretch, seconds: float) -> tuple[float, str]:
    """Where the clip starts, and what is wrong with its ends."""
    start = stretch.start or 0.0
    last = max(start, stretch.stop or 0.0)
    if start < 0 or last > seconds + _ROUNDING:
        return start, f"goes from {start} s to {last} s; expected to be within {seconds:.3f} s"
    return min(start, seconds), ""


def _unreadable(path: Path, error: Exception) -> str:
    if not path.is_file():
        return "not found"
    if path.stat().st_size == 0:
        return "is an empty file; get it again"
    if is_git_lfs_pointer(path):
        return "is a Git LFS pointer, text instead of audio; run `git lfs pull` where it came from"
    return f"cannot be read as audio ({error}); get the file again"
