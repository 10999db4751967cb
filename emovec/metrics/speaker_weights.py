"""What trials weigh in resamples of speakers, summed in coarse bins of score.

Shapes: R resamples, S speakers, K coarse bins of score, P pairs of speakers.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from emovec.metrics.pair_blocks import Block
from emovec.metrics.speaker_counts import CoarseBins, pair_counts, speaker_counts

PAIRS = 2048  # of speakers, whose weights are held at a time


class Weights(NamedTuple):
    """Weights of trials in each resample and bin, exact up to 2^24: in float32, twice as fast."""

    targets: NDArray[np.float32]  # (R, K)
    impostors: NDArray[np.float32]  # (R, K)

    def add(self, other: "Weights") -> "Weights":
        """Weights of the trials of both."""
        return Weights(self.targets + other.targets, self.impostors + other.impostors)


def times_drawn(speakers: int, draws: int, seed: int) -> NDArray[np.float32]:
    """(S, R) how often each of S speakers is among S that are drawn with replacement.

    >>> times_drawn(3, 4, seed=0).sum(axis=0).tolist()
    [3.0, 3.0, 3.0, 3.0]
    """
    random = np.random.default_rng(seed)
    times = [
        np.bincount(random.integers(speakers, size=speakers), minlength=speakers)
        for _ in range(draws)
    ]
    return np.stack(times, axis=1).astype(np.float32)


def drawn(blocks: Iterable[Block], bins: CoarseBins, times: NDArray[np.float32]) -> Weights:
    """Weights where speakers are drawn some times each: a trial of two weighs the product.

    Args:
        blocks: scored pairs of clips
        bins: K of them
        times: (S, R)
    """
    counts = pair_counts(blocks, bins, len(times))
    first, second = np.triu_indices(len(times), 1)
    targets = times.T @ counts[len(first) :].astype(np.float32)  # (R, K)
    impostors = np.zeros_like(targets)
    tried = np.flatnonzero(counts[: len(first)].any(axis=1))  # unlike speakers of two genders
    for begin in range(0, len(tried), PAIRS):
        pairs = tried[begin : begin + PAIRS]
        weights = times[first[pairs]] * times[second[pairs]]  # (P, R)
        impostors += weights.T @ counts[pairs].astype(np.float32)
    return Weights(targets, impostors)


def leaving_one_out(blocks: Iterable[Block], bins: CoarseBins, speakers: int) -> Weights:
    """Weights without each speaker in turn, of which one in either place drops a trial.

    Args:
        blocks: scored pairs of clips
        bins: K of them
        speakers: S, and R
    """
    targets, impostors = speaker_counts(blocks, bins, speakers)  # (S, K)
    return Weights(
        (targets.sum(axis=0) - targets).astype(np.float32),
        (impostors.sum(axis=0) // 2 - impostors).astype(np.float32),
    )
