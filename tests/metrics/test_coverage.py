"""How often 95 % intervals of the equal error rate hold the truth, in simulation."""

import numpy as np
import pytest

from emovec.metrics.pair_blocks import Block, ScoreGrid
from emovec.metrics.pair_cells import Cell
from emovec.metrics.pair_scores import cosine_scores
from emovec.metrics.resampled_rates import crossings, rates_at_bounds
from emovec.metrics.resampling import interval, resample
from emovec.metrics.speaker_counts import coarse_bins
from emovec.metrics.speaker_weights import Weights
from emovec.metrics.verification import equal_error_rate

GRID = ScoreGrid(-1, 1, 4096)
RUNS, DRAWS, SPEAKERS, CLIPS, SIZE = 1000, 400, 100, 5, 16


def embeddings_of(random, speakers, clips):
    """(speakers, clips, size) voices with noise, of which some speakers have more than others."""
    voices = random.normal(size=(speakers, 1, SIZE))
    noise = np.exp(random.normal(0, 0.3, size=(speakers, 1, 1)))
    return voices + noise * random.normal(size=(speakers, clips, SIZE))


def truth():
    """Equal error rate of a million targets and impostors, each of speakers of its own."""
    embeddings = embeddings_of(np.random.default_rng(0), 1_000_000, 2)
    embeddings /= np.linalg.norm(embeddings, axis=2, keepdims=True)
    targets = np.einsum("ij,ij->i", embeddings[:, 0], embeddings[:, 1])
    impostors = np.einsum("ij,ij->i", embeddings[:, 0], np.roll(embeddings[:, 1], 1, axis=0))
    scores = np.concatenate([targets, impostors])
    return equal_error_rate(scores, np.arange(len(scores)) < len(targets))[0]


def sample(random):
    """All pairs of the clips of some speakers, as a block and as a cell."""
    scores = cosine_scores(embeddings_of(random, SPEAKERS, CLIPS).reshape(-1, SIZE))
    speakers = np.arange(SPEAKERS, dtype=np.int32).repeat(CLIPS)
    everything = slice(None)
    paired = np.triu(np.ones((len(scores), len(scores)), dtype=bool), 1)
    block = Block(scores.block(everything, everything), speakers, speakers, paired)
    is_target = (speakers[:, None] == speakers)[paired]
    bins = GRID.index(block.scores)[paired]
    targets, impostors = (
        np.bincount(bins[which], minlength=GRID.bins) for which in (is_target, ~is_target)
    )
    missed = np.cumsum(targets) / targets.sum()
    excess = missed + np.cumsum(impostors) / impostors.sum() - 1
    return block, Cell(
        name="",
        emotions=(),
        targets=int(targets.sum()),
        impostors=int(impostors.sum()),
        clips=len(scores),
        speakers=SPEAKERS,
        eer=float(np.interp(0, excess, missed)),
        target_counts=targets,
        impostor_counts=impostors,
    )


def interval_of_independent_trials(cell, random):
    """Percentiles of rates with trials drawn one by one: the interval that is wrong here."""
    bins = coarse_bins([cell], GRID, most=256).coarse
    weights = Weights(
        *(
            random.poisson(np.bincount(bins, weights=counts), size=(200, bins[-1] + 1))
            for counts in (cell.target_counts, cell.impostor_counts)
        )
    )
    missed, accepted = rates_at_bounds(weights)
    return np.quantile(crossings(missed, accepted).rates(missed), [0.025, 0.975])


@pytest.mark.slow
def test_intervals_by_speakers_hold_the_truth_and_by_trials_do_not():
    random, rate = np.random.default_rng(1), truth()
    held = dict.fromkeys(["bootstrap", "jackknife", "trials"], 0)
    for seed in range(RUNS):
        block, cell = sample(random)
        ends = {"trials": interval_of_independent_trials(cell, random)}
        for method in ("bootstrap", "jackknife"):
            values = resample(
                lambda _, block=block: [block],
                [cell],
                {},
                GRID,
                SPEAKERS,
                reference=None,
                draws=DRAWS,
                seed=seed,
                method=method,
            ).rates[""]
            ends[method] = interval(cell.eer, values, method, SPEAKERS)
        for method, (low, high) in ends.items():
            held[method] += low <= rate <= high
    assert 0.93 * RUNS <= held["bootstrap"] <= 0.97 * RUNS
    assert 0.93 * RUNS <= held["jackknife"] <= 0.97 * RUNS
    assert held["trials"] < 0.8 * RUNS
