"""Clips of 3 s per second of the encoders that come with the package.

    python benchmarks/shipped.py                 a minute on two cores
    python benchmarks/shipped.py --engine=onnx

What ``emovec extract`` does with files, on clips in memory: front end, network, threads. Clips are
synthesised voices, so that no frame is left out as silence that would not be in speech. The fastest
of the repetitions counts.

Target, on two cores: 60 clips per second of xvector-small.
"""

import argparse
import time

import numpy as np

import emovec
from emovec.audio.reference import reference_waves
from emovec.encoders.locating import shipped
from emovec.tables.provenance import cores, processor

SECONDS = 3.0
TARGETS = {"xvector-small": 60.0}


def main() -> None:
    """Measure all, and print rates against targets."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=120, help="default 120")
    parser.add_argument("--repetitions", type=int, default=3, help="default 3")
    parser.add_argument("--engine", default="torch", choices=["torch", "onnx"])
    parser.add_argument(
        "--models", nargs="*", help="names or folders; default: all that come along"
    )
    arguments = parser.parse_args()
    names = arguments.models or [listing.name for listing in shipped()]
    print(f"{processor()}, {cores()} cores, {arguments.engine}; {arguments.clips} clips of 3 s")
    if not names:
        parser.error("no model is in emovec/models; expected one, or --models=FOLDER")
    for name in names:
        judge(name, rate(name, arguments))


def rate(name: str, arguments: argparse.Namespace) -> float:
    """Clips per second."""
    model = emovec.load(name, device="cpu", engine=arguments.engine)
    clips = make_clips(arguments.clips, model.sample_rate)
    model.embed(clips[:8], model.sample_rate)  # caches and threads
    seconds = []
    for _ in range(arguments.repetitions):
        started = time.perf_counter()
        model.embed(clips, model.sample_rate)
        seconds.append(time.perf_counter() - started)
    return len(clips) / min(seconds)


def make_clips(number: int, sample_rate: int) -> list[np.ndarray]:
    """Clips of 3 s, none like another."""
    samples = round(SECONDS * sample_rate)
    whole = np.concatenate(reference_waves(sample_rate))  # (T,)
    return [np.resize(np.roll(whole, 97 * place), samples) for place in range(number)]


def judge(name: str, found: float) -> None:
    """A line on a model."""
    line = f"{name}: {found:.1f} clips per second"
    if name in TARGETS:
        target = TARGETS[name]
        line += f"; target at least {target:g}: {'met' if found >= target else 'MISSED'}"
    print(line, flush=True)


if __name__ == "__main__":
    main()
