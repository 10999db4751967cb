"""Audio files of any rate, channels and format that soundfile reads, as mono waves."""

from pathlib import Path

import numpy as np
import soundfile

from emovec.audio.resampling import resampled
from emovec.errors import AudioError
from emovec.tables.files import is_git_lfs_pointer


def load(
    path: Path,
    start: float | None = None,
    stop: float | None = None,
    *,
    sample_rate: int = 16000,
    max_seconds: float | None = None,
) -> np.ndarray:
    """A stretch of an audio file; nothing beyond it is read.

    Args:
        path: of the file
        start: seconds from the file's beginning; None: 0
        stop: seconds from the file's beginning; None: its end
        sample_rate: wanted rate in Hz
        max_seconds: most seconds to read from ``start``; None: all

    Returns:
        (T,) float32 in [-1, 1], the mean of the channels

    Raises:
        AudioError: if the file is missing, a text pointer, unreadable, without samples in the
            stretch, or holds NaN, or its rate has too little in common with the wanted one
    """
    wave, rate = _read(path, start, stop, max_seconds)
    if wave.size == 0:
        end = "on" if stop is None else f"to {stop:g} s"
        raise AudioError(
            f"{path}: no samples from {start or 0:g} s {end}; expected some speech. "
            "Leave the clip out."
        )
    wave = wave.mean(axis=1)  # (T,)
    if not np.isfinite(wave).all():
        raise AudioError(f"{path}: holds NaN or infinite samples; expected [-1, 1]. Convert it.")
    try:
        return resampled(wave, rate, sample_rate)
    except AudioError as error:
        raise AudioError(f"{path}: {error}") from error


def _read(
    path: Path, start: float | None, stop: float | None, max_seconds: float | None
) -> tuple[np.ndarray, int]:
    """(T, channels) float32 and the file's rate."""
    if not path.is_file():
        raise AudioError(f"{path}: not found; expected an audio file. Is the data folder right?")
    try:
        with soundfile.SoundFile(path) as file:
            if not file.frames:
                raise AudioError(f"{path}: no samples; expected some speech. Leave the clip out.")
            first = round((start or 0.0) * file.samplerate)
            last = file.frames if stop is None else round(stop * file.samplerate)
            if max_seconds is not None:
                last = min(last, first + round(max_seconds * file.samplerate))
            if not 0 <= first <= file.frames:
                raise AudioError(
                    f"{path}: start is {start} s; expected within its "
                    f"{file.frames / file.samplerate:.3f} s."
                )
            file.seek(first)
            wave = file.read(max(0, last - first), dtype="float32", always_2d=True)
            return wave, file.samplerate
    except soundfile.SoundFileError as error:
        if is_git_lfs_pointer(path):
            raise AudioError(
                f"{path}: is a text pointer of Git LFS; expected audio. Run `git lfs pull`."
            ) from error
        raise AudioError(
            f"{path}: cannot be read ({error}); expected audio that soundfile reads. Convert it."
        ) from error
