"""EER of all pairs, for every pair of emotions: time and memory, against the obvious ways.

    python benchmarks/pairs.py            about two minutes on two cores
    python benchmarks/pairs.py --large    and 5 * 10^9 trials, some minutes more

What is timed has each a process of its own, one after the other, so that peaks of memory are its
own: above that of the embeddings and the imports. Embeddings are random voices with noise.

Targets, on two cores:
- EER of 37,720 trials: at least 1,000 times faster than SpeechBrain's, the same value to
  1 / min(targets, impostors), as it takes the nearest threshold;
- 20,000 embeddings of 256 numbers, 10 pairs of emotions, all genders, without intervals: at most 3
  times the time of the bare matrix products (upper triangle, blocks of 2048 rows, torch.mm), and
  700 MiB; at least 4 times faster and 5 times less memory than all scores in NumPy and a sort of
  each cell;
- 100,000 embeddings: the same memory, and time that grows no faster than the trials;
- 5,000 clips of 91 speakers, all cells with intervals of 1,000 draws: at most 30 s.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

EMOTIONS = ["anger", "happiness", "neutral", "sadness"]


def main() -> None:
    """Run one job, or all of them in processes of their own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--large", action="store_true", help="also 100,000 embeddings")
    parser.add_argument("--repetitions", type=int, default=3, help="the fastest counts; default 3")
    parser.add_argument("--job", choices=JOBS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        JOBS[arguments.job]()
        return
    compare_speechbrain()
    found = {
        job: [measure(job) for _ in range(arguments.repetitions)]
        for job in ("bare", "ours", "obvious")
    }
    bare, ours, obvious = (min(seconds for seconds, _ in found[job]) for job in found)
    memory = {job: max(peak for _, peak in found[job]) for job in found}
    print(
        f"20,000 embeddings: products alone {bare:.2f} s, ours {ours:.2f} s, {memory['ours']:.0f} "
        f"MiB, all scores sorted {obvious:.2f} s, {memory['obvious']:.0f} MiB"
    )
    judge("time over that of the products", ours / bare, "at most", 3)
    judge("MiB above the embeddings", memory["ours"], "at most", 700)
    judge("times faster than sorting", obvious / ours, "at least", 4)
    judge("times less memory", memory["obvious"] / memory["ours"], "at least", 5)
    seconds, _ = measure("intervals")
    print(f"5,000 clips of 91 speakers, 1,000 draws: {seconds:.1f} s")
    judge("seconds", seconds, "at most", 30)
    if arguments.large:
        seconds, peak = measure("large")
        print(f"100,000 embeddings: {seconds:.1f} s, {peak:.0f} MiB")
        judge("times the time a trial", seconds / ours / 25, "at most", 1)
        judge("MiB above the embeddings", peak, "at most", 700)


def judge(what: str, found: float, relation: str, target: float) -> None:
    """A line on a target."""
    met = found <= target if relation == "at most" else found >= target
    print(f"  {what}: {found:.2f}; target {relation} {target}: {'met' if met else 'MISSED'}")


def measure(job: str) -> tuple[float, float]:
    """Seconds of a job in a process of its own, and MiB at its peak."""
    command = [sys.executable, __file__, "--job", job]
    line = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(line[0]), float(line[1])


def timed(work: Callable[[], object]) -> None:
    """Print seconds, and MiB that memory was above what it was before."""
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is found anew
    started = time.perf_counter()
    work()
    print(time.perf_counter() - started, resident("VmHWM") - before)


def resident(kind: str) -> float:
    """MiB in memory: now (VmRSS), or at the peak (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(kind))


def voices(clips: int, speakers: int) -> dict[str, np.ndarray]:
    """Embeddings, and the labels of their clips."""
    random = np.random.default_rng(0)
    speaker = random.integers(speakers, size=clips)
    voice = random.standard_normal((speakers, 256), dtype=np.float32)
    embeddings = random.standard_normal((clips, 256), dtype=np.float32)
    embeddings += 0.5 * voice[speaker]
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    return {
        "scores": embeddings,
        "speakers": speaker,
        "emotions": random.choice(EMOTIONS, size=clips),
    }


def run_ours(clips: int, speakers: int, draws: int) -> None:
    """The matrix, with BLAS warm, as it is for the others."""
    from emovec.metrics.pairs import pair_matrix

    pair_matrix(**voices(400, 10), draws=0)
    data = voices(clips, speakers)
    timed(lambda: pair_matrix(**data, draws=draws))


def run_bare() -> None:
    """Products of the upper triangle, which are forgotten at once."""
    import torch

    x = torch.from_numpy(voices(20000, 500)["scores"])
    torch.mm(x[:2048], x[:2048].T)

    def products() -> None:
        for first in range(0, len(x), 2048):
            for second in range(first, len(x), 2048):
                torch.mm(x[first : first + 2048], x[second : second + 2048].T)

    timed(products)


def run_obvious() -> None:
    """All scores at once; each cell by a mask, sorted, and the crossing of the two curves."""
    data = voices(20000, 500)
    x, speaker, emotion = (data[name] for name in ("scores", "speakers", "emotions"))

    def sort_all() -> None:
        first, second = np.triu_indices(len(x), k=1)
        scores = (x @ x.T)[first, second]
        is_target = speaker[first] == speaker[second]
        number = np.unique(emotion, return_inverse=True)[1]
        low = np.minimum(number[first], number[second])
        cell = low * 4 + np.maximum(number[first], number[second])
        for name in np.unique(cell):
            chosen = cell == name
            of_cell, kind = scores[chosen], is_target[chosen]
            kind = kind[np.argsort(of_cell)]
            missed = np.cumsum(kind) / kind.sum()
            accepted = 1 - np.cumsum(~kind) / (~kind).sum()
            np.argmin(np.abs(missed - accepted))

    timed(sort_all)


def compare_speechbrain() -> None:
    """As many trials as VoxCeleb1-O has."""
    import torch
    from speechbrain.utils.metric_stats import EER

    from emovec.metrics.verification import equal_error_rate

    random = np.random.default_rng(0)
    targets = random.normal(1.5, 1, 18860).astype(np.float32)
    impostors = random.normal(0, 1, 18860).astype(np.float32)
    started = time.perf_counter()
    theirs, _ = EER(torch.from_numpy(targets), torch.from_numpy(impostors))
    slow = time.perf_counter() - started
    scores = np.concatenate([targets, impostors])
    is_target = np.arange(len(scores)) < len(targets)
    fast = []
    for _ in range(5):
        started = time.perf_counter()
        rate, _ = equal_error_rate(scores, is_target)
        fast.append(time.perf_counter() - started)
    print(f"37,720 trials: SpeechBrain {slow:.2f} s, ours {1000 * min(fast):.1f} ms")
    judge("times faster", slow / min(fast), "at least", 1000)
    judge("difference of the rates", abs(theirs - rate), "at most", 1 / len(targets))


JOBS = {
    "bare": run_bare,
    "ours": lambda: run_ours(20000, 500, 0),
    "obvious": run_obvious,
    "large": lambda: run_ours(100000, 2500, 0),
    "intervals": lambda: run_ours(5000, 91, 1000),
}

if __name__ == "__main__":
    main()
