"""What a manifest of a million utterances costs: seconds to write and read it, and memory.

    python benchmarks/manifest.py                  about a minute
    python benchmarks/manifest.py --rows=100000    a tenth of it

The rows are made up after VoxCeleb: its ids and paths, 7000 speakers, whole files, no text; affect
for all, and the extra columns audio_hash and split_set. Each repetition writes in one new process,
which holds the rows, and reads in another, so that the peak of memory is that of one of the two.

Targets: written in 8 s; read in 8 s and 1.5 GB.
"""

import argparse
import multiprocessing
import random
import resource
import string
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from emovec.tables.manifest import Utterance, read_manifest, write_manifest

ROWS = 1_000_000
SPEAKERS = 7000
CLIPS_OF_VIDEO = 8
EMOTIONS = ("anger", "happiness", "sadness", "neutral", "fear")
SPLIT_SETS = ("Train", "Development", "Test1")
SECONDS_TARGET, GIGABYTES_TARGET = 8.0, 1.5


def main() -> None:
    """Write and read a few times, and print what it took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=ROWS, help=f"default {ROWS}")
    parser.add_argument("--repetitions", type=int, default=3, help="default 3")
    arguments = parser.parse_args()
    stages = {"write": write, "read": read}
    seconds: dict[str, list[float]] = {stage: [] for stage in stages}
    gigabytes: dict[str, list[float]] = {stage: [] for stage in stages}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "manifest.csv"
        for _ in range(arguments.repetitions):
            for stage, run in stages.items():
                took, peak = in_new_process(run, path, arguments.rows)
                seconds[stage].append(took)
                gigabytes[stage].append(peak)
        print(f"{arguments.rows} rows, {path.stat().st_size / 1e6:.0f} MB")
    report("write, seconds", seconds["write"], SECONDS_TARGET)
    report("write, peak GB with the rows", gigabytes["write"])
    report("read, seconds", seconds["read"], SECONDS_TARGET)
    report("read, peak GB", gigabytes["read"], GIGABYTES_TARGET)


def in_new_process(run: Callable[[Path, int], float], path: Path, rows: int) -> tuple[float, float]:
    """Seconds that a stage says it took, and the peak of its process' memory in GB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(run, (path, rows)), pool.apply(peak_gigabytes)


def write(path: Path, rows: int) -> float:
    """Seconds to write."""
    utterances = make_utterances(rows)
    started = time.perf_counter()
    write_manifest(path, utterances)
    return time.perf_counter() - started


def read(path: Path, rows: int) -> float:
    """Seconds to read."""
    started = time.perf_counter()
    utterances = read_manifest(path)
    took = time.perf_counter() - started
    if len(utterances) != rows:
        raise RuntimeError(f"{path}: {len(utterances)} rows read; expected the {rows} written.")
    return took


def make_utterances(rows: int) -> list[Utterance]:
    """Utterances of videos of speakers, as in VoxCeleb."""
    draw = random.Random(0)
    utterances = []
    for row in range(rows):
        number, clip = divmod(row, CLIPS_OF_VIDEO)
        if clip == 0:
            speaker = f"id{10001 + number % SPEAKERS}"
            video = "".join(draw.choices(string.ascii_letters + string.digits, k=11))
        valence, arousal, dominance = (draw.uniform(1, 7) for _ in range(3))
        utterances.append(
            Utterance(
                id=f"{speaker}-{video}-{clip + 1:05}",
                path=f"wav/{speaker}/{video}/{clip + 1:05}.wav",
                start=None,
                stop=None,
                duration=round(draw.uniform(4, 20) * 16000) / 16000,
                speaker=speaker,
                gender=("female", "male")[number % SPEAKERS % 2],
                session=video,
                emotion=draw.choice(EMOTIONS),
                valence=valence,
                arousal=arousal,
                dominance=dominance,
                extra={
                    "audio_hash": f"{draw.getrandbits(64):016x}",
                    "split_set": draw.choice(SPLIT_SETS),
                },
            )
        )
    return utterances


def peak_gigabytes() -> float:
    """Peak of the resident memory of this process."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def report(what: str, values: Sequence[float], target: float | None = None) -> None:
    """A line on one quantity, against its target if there is one."""
    found = median(values)
    line = f"{what}: median {found:.2f} of {', '.join(f'{value:.2f}' for value in values)}"
    if target is not None:
        line += f"; target at most {target}: {'met' if found <= target else 'MISSED'}"
    print(line)


if __name__ == "__main__":
    main()
