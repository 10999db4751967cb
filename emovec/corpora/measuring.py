"""How long and how loud each clip is, what its samples hash to, and whether it can be used."""

import csv
import hashlib
import io
import math
import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, fields
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from tqdm import tqdm

from emovec.errors import StorageError
from emovec.tables.files import is_git_lfs_pointer, write_atomically

AUDIO_SUFFIXES = frozenset(
    {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au", ".caf", ".sph", ".w64"}
)
SHORTEST = 0.025  # seconds, one frame of speech
SILENCE = -200.0  # dB, the lowest level
CLIPPED = 32766 / 32768  # the largest sample but one of 16 bits
SAVED_EVERY = 3.0  # seconds of work that a killed run loses
_AT_ONCE = 32  # clips that a thread takes; one by one, short ones cost a quarter more
_ROUNDING = 0.01  # seconds that a published end may lie behind the file's
_STREAMED = 0x7FFFF000  # bytes; sizes from here on are written where the end is not known yet


@dataclass(frozen=True, slots=True)
class Stretch:
    """Part of an audio file.

    Attributes:
        path: relative to the data folder
        start: seconds; None: from its beginning
        stop: seconds; None: to its end
    """

    path: str
    start: float | None = None
    stop: float | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """What decoding a clip tells.

    Attributes:
        duration: seconds
        audio_hash: 16 hexadecimal digits of its float32 samples
        sample_rate: Hz
        peak: largest absolute sample; full scale is 1
        level: root mean square in dB of full scale, at least ``SILENCE``
        clipped: share of samples at ``CLIPPED`` or beyond
        missing: seconds that the file's header promises and that are not there
        fault: why it cannot be used, "" if it can
    """

    duration: float = 0.0
    audio_hash: str = ""
    sample_rate: int = 0
    peak: float = 0.0
    level: float = SILENCE
    clipped: float = 0.0
    missing: float = 0.0
    fault: str = ""


Stamp = tuple[int, int]  # size in bytes and time of change in nanoseconds
_Table = dict[Stretch, tuple[Stamp, Measurement]]
_KEYS = ("path", "start", "stop", "size", "modified")
_HEADER = [*_KEYS, *(fact.name for fact in fields(Measurement))]
_TYPES = [type(fact) for fact in astuple(Measurement())]


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
    stamps = {stretch: _stamp(root / stretch.path) for stretch in stretches}
    known = _open(cache) if cache else {}
    found = {
        stretch: known[stretch]
        for stretch, stamp in stamps.items()
        if stretch in known and known[stretch][0] == stamp and not known[stretch][1].fault
    }
    left = [stretch for stretch in stamps if stretch not in found]
    unsaved: _Table = {}
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
                if cache and time.monotonic() - saved > SAVED_EVERY:
                    _append(cache, unsaved)
                    unsaved, saved = {}, time.monotonic()
        finally:
            pool.shutdown(cancel_futures=True)
    if cache and (left or len(known) > len(found)):
        _write(cache, {stretch: found[stretch] for stretch in stamps})
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
    """Facts of samples (T, channels)."""
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


def _stamp(path: Path) -> Stamp:
    try:
        facts = path.stat()
    except OSError:
        return 0, 0  # has a fault, so that it is measured again anyway
    return facts.st_size, facts.st_mtime_ns


def _open(path: Path) -> _Table:
    """Measurements of a cache, which is made if it is not there, and mended if it is torn."""
    content = path.read_bytes() if path.is_file() else b""
    whole, _, torn = content.rpartition(b"\n")
    lines = csv.reader(io.StringIO(whole.decode("utf-8", "surrogateescape"), newline=""))
    table: _Table = {}
    try:
        headed = next(lines, None) == _HEADER
        table.update(map(_parse, lines if headed else ()))
        sound = headed and not torn
    except (csv.Error, ValueError):  # table holds what stands above
        sound = False
    if not sound:
        _write(path, table)
    return table


def _parse(line: Sequence[str]) -> tuple[Stretch, tuple[Stamp, Measurement]]:
    path, start, stop, size, modified, *cells = line
    stretch = Stretch(path, *(float(end) if end else None for end in (start, stop)))
    facts = [type_(cell) for type_, cell in zip(_TYPES, cells, strict=True)]
    return stretch, ((int(size), int(modified)), Measurement(*facts))


def _append(path: Path, table: _Table) -> None:
    try:
        with path.open("ab") as file:
            file.write(_lines(table))
    except OSError as error:
        raise StorageError(
            f"{path}: could not be written ({error.strerror or error}). Free some space."
        ) from error


def _write(path: Path, table: _Table) -> None:
    with write_atomically(path, "wb") as file:
        file.write(_lines(table, [_HEADER]))


def _lines(table: _Table, lines: Iterable[Sequence[object]] = ()) -> bytes:
    """Lines of a cache; names that are no UTF-8 keep their bytes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(lines)
    for stretch, (stamp, facts) in table.items():
        writer.writerow([*astuple(stretch), *stamp, *astuple(facts)])
    return text.getvalue().encode("utf-8", "surrogateescape")
