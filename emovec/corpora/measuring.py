"""How long and how loud each clip is, what its samples hash to, and whether it can be used."""

import hashlib
import math
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from tqdm import tqdm

from emovec.corpora import measurements
from emovec.corpora.measurements import SILENCE, Measurement, Stretch
from emovec.tables.files import is_git_lfs_pointer

SHORTEST = 0.025  # seconds, one frame of speech
CLIPPED = 32766 / 32768  # the largest sample but one of 16 bits
_AT_ONCE = 32  # clips that a thread takes; one by one, short ones cost a quarter more
_ROUNDING = 0.01  # seconds that a published end may lie behind the file's
_STREAMED = 0x7FFFF000  # bytes; sizes from here on are written where the end is not known yet


def measure(root: Path, stretch: Stretch) -> Measurement:
    """Decode one clip below the data folder and look at its samples."""
    path = root / stretch.path
    try:
        with soundfile.SoundFile(path) as file:
            rate, whole = file.samplerate, file.frames / file.samplerate
            start, fault = _range(stretch, whole)
            if fault:
                return Measurement(fault=fault)
            first = round(start * rate)
            last = file.frames
            if stretch.stop is not None:
                last = min(last, first + round((stretch.stop - start) * rate))
            file.seek(first)
            try:
                samples = file.read(last - first, dtype="float32", always_2d=True)  # (T, channels)
            except soundfile.SoundFileError:
                return _broken_off(file, first, last)
        missing = (last - first - len(samples)) / rate or _cut_off(path, whole)
    except (soundfile.SoundFileError, OSError, UnicodeEncodeError) as error:
        return Measurement(fault=_unreadable(path, error))
    return _describe(samples, rate, missing)


def measure_all(
    root: Path,
    stretches: Sequence[Stretch],
    title: str,
    progress: bool,
    workers: int | None,
    cache: Path | None = None,
) -> list[Measurement]:
    """Measurements of many clips, in their order.

    In threads: decoding and hashing let others run, so that processes are no faster.

    Args:
        root: the data folder
        stretches: clips
        title: of the progress bar
        progress: show a bar, if there is a terminal to show it on
        workers: threads; None: one for each core
        cache: table of measurements, written on the way; its clips are measured again only where
            they had a fault, or the file's size or time of change differs

    Raises:
        StorageError: if the cache cannot be written
    """
    stamps = {stretch: measurements.stamp_of(root / stretch.path) for stretch in stretches}
    known = measurements.open_table(cache) if cache else {}
    found = {
        stretch: known[stretch]
        for stretch, stamp in stamps.items()
        if stretch in known and known[stretch][0] == stamp and not known[stretch][1].fault
    }
    left = [stretch for stretch in stamps if stretch not in found]
    unsaved: measurements.Table = {}
    saved = time.monotonic()
    parts = [left[first : first + _AT_ONCE] for first in range(0, len(left), _AT_ONCE)]
    pool = ThreadPoolExecutor(workers or os.cpu_count())
    with tqdm(
        total=len(stamps),
        initial=len(found),
        desc=title,
        unit=" clips",
        disable=None if progress else True,
    ) as bar:
        try:
            measured = chain.from_iterable(pool.map(partial(_measure_some, root), parts))
            for stretch, facts in zip(left, measured, strict=True):
                unsaved[stretch] = found[stretch] = (stamps[stretch], facts)
                bar.update()
                if cache and time.monotonic() - saved > measurements.SAVED_EVERY:
                    measurements.append(cache, unsaved)
                    unsaved, saved = {}, time.monotonic()
        finally:
            pool.shutdown(cancel_futures=True)
    if cache and (left or len(known) > len(found)):
        measurements.write(cache, {stretch: found[stretch] for stretch in stamps})
    return [found[stretch][1] for stretch in stretches]


def _measure_some(root: Path, stretches: Sequence[Stretch]) -> list[Measurement]:
    return [measure(root, stretch) for stretch in stretches]


def _range(stretch: Stretch, seconds: float) -> tuple[float, str]:
    """Where the clip starts, and what is wrong with its ends."""
    start = stretch.start or 0.0
    last = start if stretch.stop is None else stretch.stop
    if not 0 <= start <= last <= seconds + _ROUNDING:
        return start, f"goes from {start} s to {last} s; expected to be within {seconds:.3f} s"
    return min(start, seconds), ""


def _describe(samples: NDArray[np.float32], rate: int, missing: float) -> Measurement:
    """Facts of samples (T, channels), which are changed: the same sound gets the same hash."""
    samples += 0.0  # -0 becomes 0
    if (samples[:, 1:] == samples[:, :1]).all():
        samples = np.ascontiguousarray(samples[:, :1])
    seconds = len(samples) / rate
    if seconds < SHORTEST:
        return Measurement(fault=f"lasts {seconds:.4f} s; expected at least {SHORTEST} s")
    peak = max(float(samples.max()), -float(samples.min()))  # NaN stays NaN
    if not math.isfinite(peak):
        return Measurement(fault="has NaN or infinite samples; get the file again")
    with np.errstate(over="ignore"):  # samples beyond 1e19 have an infinite level
        power = float(np.square(samples).mean())
    clipped = np.count_nonzero(np.abs(samples) >= CLIPPED) if peak >= CLIPPED else 0
    return Measurement(
        duration=round(seconds, 6),
        audio_hash=hashlib.blake2b(samples.data, digest_size=8).hexdigest(),
        sample_rate=rate,
        peak=round(peak, 6),
        level=round(max(10 * math.log10(power), SILENCE), 2) if power else SILENCE,
        clipped=round(clipped / samples.size, 9),
        missing=round(missing, 6),
    )


def _broken_off(file: soundfile.SoundFile, first: int, last: int) -> Measurement:
    """What is left of a clip whose decoder gives up, as that of FLAC does at a file's early end."""
    decoded = 0
    try:
        file.seek(first)
        for block in file.blocks(blocksize=256, dtype="float32"):
            decoded += len(block)
    except soundfile.SoundFileError:
        pass  # that it would is known
    whole, there = (last - first) / file.samplerate, decoded / file.samplerate
    said = f"breaks off after {there:.2f} s; expected {whole:.2f} s; get the file again"
    return Measurement(missing=round(whole - there, 6), fault=said)


def _cut_off(path: Path, seconds: float) -> float:
    """Seconds that the header of a WAV file promises beyond the file's end.

    libsndfile takes what there is for all there is. Bytes stand to seconds as in what there is.

    Args:
        path: audio file, of any kind
        seconds: what there is
    """
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return 0.0
        size = os.fstat(file.fileno()).st_size
        while len(head := file.read(8)) == 8:
            length = int.from_bytes(head[4:], "little")
            if head[:4] == b"data":
                there = size - file.tell()
                promised = length if length < _STREAMED else 0
                return seconds * max(promised / max(there, 1) - 1, 0.0)
            file.seek(length + length % 2, os.SEEK_CUR)  # chunks begin at even bytes
    return 0.0


def _unreadable(path: Path, error: Exception) -> str:
    if not path.is_file():
        return "not found"
    if path.stat().st_size == 0:
        return "is an empty file; get it again"
    if is_git_lfs_pointer(path):
        return "is a Git LFS pointer, text instead of audio; run `git lfs pull` where it came from"
    return f"cannot be read as audio ({error}); get the file again"
