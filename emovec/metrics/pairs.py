"""Speaker verification of every clip against every other one, by pair of emotions.

Pappagari et al. (2020), "X-vectors meet emotions", ICASSP, section 5: what emotion does to speaker
verification. Scores are never all in memory: see ``score_counts``.

Shapes: N clips, E numbers an embedding.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emovec.metrics.intervals import Interval
from emovec.metrics.operating_points import (
    P_TARGETS,
    WeightedTrials,
    deciding_bins,
    rates_at,
    trials_of,
)
from emovec.metrics.pair_blocks import ALONE, Processes, ScoreGrid, grid_around
from emovec.metrics.pair_cells import CROSS, POOLED, SAME, Cell, PairMatrix
from emovec.metrics.pair_scores import PairScores, cosine_scores
from emovec.metrics.pairing import Pairing, pair_up
from emovec.metrics.resampling import Resamples, interval, resample
from emovec.metrics.score_counts import ScoreCounts, count_scores
from emovec.metrics.verification import equal_error_rate, minimum_detection_cost

BINS = 16384
SAMPLED = 20000  # pairs that tell the range of scores


def pair_matrix(
    scores: PairScores | ArrayLike,
    speakers: ArrayLike,
    emotions: ArrayLike,
    genders: ArrayLike | None = None,
    texts: ArrayLike | None = None,
    *,
    same_text: bool | None = None,
    reference: str = "neutral",
    draws: int = 1000,
    method: str = "auto",
    seed: int = 0,
    processes: Processes = ALONE,
) -> PairMatrix:
    """Equal error rates of all pairs of clips, for every unordered pair of emotions.

    Every clip is tried against every other one, once; a trial is a target if the speaker is the
    same. Rates are exact, those of :func:`~emovec.metrics.verification.equal_error_rate` on all
    scores of a cell, in little memory beside the embeddings and a copy of them; time grows with
    the number of trials. Intervals resample speakers, both sides of a trial at once.

    Args:
        scores: embeddings (N, E), compared by cosine; or how they are compared
        speakers: (N,) integers or strings; "" is not known
        emotions: (N,) integers or strings; "" is not known
        genders: (N,) only clips of the same gender are paired, "" is not known; None: all are
        texts: (N,) what is said, "" is not known; for ``same_text``
        same_text: pair clips of the same text only (True), of different texts only (False)
        reference: emotion whose own cell sets the threshold for false rejections and acceptances
        draws: resamples of speakers; 0: no intervals
        method: of the intervals, as in ``emovec.metrics.resampling.resample``
        seed: of the intervals; also shuffles clips, which changes no rate by more than rounding
        processes: that share the work; all get the whole result

    Returns:
        cells, pools, and clips that are in no trial because something is not known of them

    Raises:
        ValueError: if shapes differ, an embedding is zero, NaN or infinite, or no two clips of
            the same, or of different speakers can be paired

    >>> matrix = pair_matrix(
    ...     [[1, 0], [2, 1], [0, 1], [1, 3]], ["a", "a", "b", "b"], ["anger", "neutral"] * 2
    ... )
    >>> [(cell.name, cell.targets, cell.impostors) for cell in matrix.cells]
    [('anger-anger', 0, 1), ('anger-neutral', 2, 2), ('neutral-neutral', 0, 1)]
    >>> matrix.pools["cross"].eer
    0.0
    """
    if not isinstance(scores, PairScores):
        scores = cosine_scores(scores)
    pairing = pair_up(scores, speakers, emotions, genders, texts, same_text, seed)
    del scores  # the pairing has them in its own order
    own = (reference, reference)
    fixed = "-".join(own) if own in pairing.cells else None
    grid = processes.gather(grid_around(_sampled(pairing, seed), BINS))[0]  # machines may round
    cells = _without_intervals(pairing, grid, fixed, processes)
    if fixed not in cells or cells[fixed].threshold is None:
        fixed = None
    resamples = None
    if draws:
        options = {"draws": draws, "seed": seed, "method": method, "processes": processes}
        resamples = _resampled(pairing, cells, grid, fixed, **options)
        cells = {name: _with_intervals(cell, resamples) for name, cell in cells.items()}
    difference, difference_interval = _difference(cells, resamples)
    return PairMatrix(
        cells=tuple(cells[name] for name in pairing.names if name in cells),
        pools={pool: cells[pool] for pool in _pools(pairing) if pool in cells},
        difference=difference,
        difference_interval=difference_interval,
        reference=fixed,
        reference_threshold=None if fixed is None else cells[fixed].threshold,
        bin_edges=grid.edges,
        excluded=pairing.excluded,
        method=resamples.method if resamples else "",
        resamples=resamples.rates if resamples else {},
    )


def all_pairs(
    scores: PairScores | ArrayLike,
    speakers: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> Cell:
    """All pairs of clips as one pool, whatever their emotion.

    Args:
        scores: as in :func:`pair_matrix`
        speakers: (N,) integers or strings; "" is not known
        groups: (N,) only clips of the same group are paired, such as a corpus or a gender; "" is
            not known; None: all are
        draws: resamples of speakers; 0: no interval
        seed: of the interval

    Raises:
        ValueError: as :func:`pair_matrix`

    >>> all_pairs([[1, 0], [0, 2], [3, 0], [1, 3]], ["a", "b", "a", "b"]).eer
    0.0
    """
    emotions = np.zeros(np.shape(speakers), dtype=int)
    return pair_matrix(scores, speakers, emotions, groups, draws=draws, seed=seed).pools[POOLED]


def _pools(pairing: Pairing) -> dict[str, list[int]]:
    """Numbers of the cells of each pool that has any."""
    places = range(len(pairing.cells))
    same = [place for place in places if len(set(pairing.cells[place])) == 1]
    cross = [place for place in places if len(set(pairing.cells[place])) == 2]
    pools = {SAME: same, CROSS: cross, POOLED: list(places)}
    return {pool: group for pool, group in pools.items() if group}


def _sampled(pairing: Pairing, seed: int) -> NDArray[np.float32]:
    """Scores of some pairs of clips, of a clip and another one of its speaker among them."""
    random = np.random.default_rng(seed)
    first, second = random.integers(len(pairing.clips), size=(2, SAMPLED))
    by_speaker = np.argsort(pairing.speakers, kind="stable")
    return np.concatenate(
        [
            pairing.scores.pairs(first, second),
            pairing.scores.pairs(by_speaker[first], by_speaker[first - 1]),
        ]
    )


def _without_intervals(
    pairing: Pairing, grid: ScoreGrid, reference: str | None, processes: Processes
) -> dict[str, Cell]:
    """All cells and pools that have trials, by name."""
    groups = {name: [place] for place, name in enumerate(pairing.names)} | _pools(pairing)
    counts = count_scores(
        pairing,
        grid,
        lambda targets, impostors, margin: deciding_bins(
            targets,
            impostors,
            list(groups.values()),
            None if reference is None else pairing.names.index(reference),
            margin,
        ),
        processes,
    )
    for kind, found in (("target", counts.targets), ("impostor", counts.impostors)):
        if not found.any():
            raise ValueError(
                f"{len(pairing.clips)} clips of {len(np.unique(pairing.speakers))} speakers have "
                f"no {kind} trials; expected both kinds. Speakers need two clips, and company."
            )
    trials = {name: trials_of(counts, group, grid) for name, group in groups.items()}
    measured = {
        name: _cell(name, group, pairing, counts, trials[name]) for name, group in groups.items()
    }
    # where some text is never said twice, a cell may have no trials
    cells = {name: cell for name, cell in measured.items() if cell.clips}
    threshold = cells[reference].threshold if reference in cells else None
    if threshold is None:
        return cells
    return {name: _at(threshold, cell, trials[name]) for name, cell in cells.items()}


def _cell(
    name: str,
    group: Sequence[int],
    pairing: Pairing,
    counts: ScoreCounts,
    trials: WeightedTrials,
) -> Cell:
    """Numbers of trials, and if there are both kinds the rates and costs."""
    tried = counts.tried[group].any(axis=0)
    cell = Cell(
        name=name,
        emotions=() if name in (SAME, CROSS, POOLED) else pairing.cells[group[0]],
        targets=int(counts.targets[group].sum()),
        impostors=int(counts.impostors[group].sum()),
        clips=int(tried.sum()),
        speakers=len(np.unique(pairing.speakers[tried])),
        target_counts=counts.targets[group].sum(axis=0),
        impostor_counts=counts.impostors[group].sum(axis=0),
    )
    if not (cell.targets and cell.impostors):
        return cell
    rate, threshold = equal_error_rate(*trials)
    costs = [minimum_detection_cost(*trials[:2], p, weights=trials.weights) for p in P_TARGETS]
    return replace(cell, eer=rate, threshold=threshold, min_dcf_01=costs[0], min_dcf_05=costs[1])


def _at(threshold: float, cell: Cell, trials: WeightedTrials) -> Cell:
    """The cell with its rates at the reference threshold."""
    if cell.eer is None:
        return cell
    missed, accepted = rates_at(trials, threshold)
    return replace(cell, frr=missed, far=accepted)


def _resampled(
    pairing: Pairing,
    cells: Mapping[str, Cell],
    grid: ScoreGrid,
    reference: str | None,
    *,
    processes: Processes,
    **options: Any,
) -> Resamples:
    """Rates of all cells and pools that have trials, in resamples of speakers."""
    names = pairing.names
    pools = {
        pool: [names[place] for place in group if names[place] in cells]
        for pool, group in _pools(pairing).items()
        if pool in cells
    }
    return resample(
        lambda name: pairing.blocks(name, processes),
        [cells[name] for name in names if name in cells],
        pools,
        grid,
        int(pairing.speakers.max()) + 1,
        reference=reference,
        processes=processes,
        **options,
    )


def _with_intervals(cell: Cell, resamples: Resamples) -> Cell:
    """The cell with an interval of each rate that it has, which holds the rate.

    Resamples are linear between thresholds, rates at the reference threshold are at it: where many
    scores are tied there, one may be outside of what the other spans.
    """
    found = (
        ("interval", cell.eer, resamples.rates),
        ("frr_interval", cell.frr, resamples.frr),
        ("far_interval", cell.far, resamples.far),
    )
    intervals = {
        name: (value, interval(value, values[cell.name], resamples.method, cell.speakers))
        for name, value, values in found
        if value is not None
    }
    return replace(
        cell,
        **{
            name: bounds and (min(bounds[0], value), max(bounds[1], value))
            for name, (value, bounds) in intervals.items()
        },
    )


def _difference(
    cells: Mapping[str, Cell], resamples: Resamples | None
) -> tuple[float | None, Interval | None]:
    """Equal error rate across emotions minus that within, and its interval."""
    rates = [cells[pool].eer if pool in cells else None for pool in (CROSS, SAME)]
    if None in rates:
        return None, None
    difference = rates[0] - rates[1]
    if resamples is None:
        return difference, None
    values = resamples.rates[CROSS] - resamples.rates[SAME]
    speakers = cells[POOLED].speakers
    return difference, interval(difference, values, resamples.method, speakers, difference=True)
