"""How many clips a second are measured: decoded, hashed, and looked up the second time.

    python benchmarks/measuring.py                       3000 made-up clips of 3 s
    python benchmarks/measuring.py --clips=100000        9.6 GB in the temporary folder
    python benchmarks/measuring.py ../shared/corpora/nemo

Made-up clips are 16-bit WAV files of noise at 16 kHz, which cost next to nothing to decode: there
Python's own work and the hash are what is seen. All files are read once before the clock starts.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from emovec.corpora.measurements import Stretch
from emovec.corpora.measuring import measure_all
from emovec.tables.files import AUDIO_SUFFIXES

CLIPS = 3000
SECONDS, SAMPLE_RATE = 3.0, 16000


def main() -> None:
    """Measure with one and two threads, and from the cache, and print the rates."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", help="audio at any depth; default: made up")
    parser.add_argument("--clips", type=int, default=CLIPS, help=f"to make up, default {CLIPS}")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or make_clips(Path(temporary) / "clips", arguments.clips)
        stretches = find_clips(folder)
        print(f"{folder}: {len(stretches)} clips")
        for workers in (1, 2):
            report(f"{workers} workers", folder, stretches, workers, None)
        cache = Path(temporary) / "measurements.csv"
        report("2 workers, writing the cache", folder, stretches, 2, cache)
        report("from the cache", folder, stretches, 2, cache)
        print(f"cache: {cache.stat().st_size / 1e6:.1f} MB")


def make_clips(folder: Path, clips: int) -> Path:
    """A folder of noise, a thousand files a folder below it."""
    random = np.random.default_rng(0)
    for clip in range(clips):
        path = folder / f"{clip // 1000}" / f"{clip}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, random.normal(0, 0.1, round(SECONDS * SAMPLE_RATE)), SAMPLE_RATE)
    return folder


def find_clips(folder: Path) -> list[Stretch]:
    """All audio below a folder, read once so that the disk does not matter."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES)
    for path in paths:
        path.read_bytes()
    return [Stretch(path.relative_to(folder).as_posix()) for path in paths]


def report(
    what: str, folder: Path, stretches: Sequence[Stretch], workers: int, cache: Path | None
) -> None:
    """Measure all, and print a line: wall seconds count, processor seconds tell a busy machine."""
    wall, processor = time.perf_counter(), time.process_time()
    found = measure_all(folder, stretches, "", progress=False, workers=workers, cache=cache)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    faults = sum(bool(facts.fault) for facts in found)
    print(
        f"{what}: {len(found) / wall:.0f} clips/s, {wall:.2f} s ({processor:.2f} s of processor), "
        f"{sum(facts.duration for facts in found) / 60:.1f} minutes of audio, {faults} faults"
    )


if __name__ == "__main__":
    main()
