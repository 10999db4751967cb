import threading
from functools import partial

import numpy as np
import pytest
from every_trial import every_trial

from emovec.metrics.pair_blocks import ALONE, Block, Processes, ScoreGrid
from emovec.metrics.pair_cells import Cell
from emovec.metrics.pair_scores import cosine_scores
from emovec.metrics.resampling import interval, resample
from emovec.metrics.scored_trials import equal_error_rate_interval
from emovec.metrics.speaker_counts import coarse_bins, pair_counts, speaker_counts
from emovec.metrics.speaker_weights import drawn, leaving_one_out, times_drawn
from emovec.metrics.verification import equal_error_rate

GRID = ScoreGrid(-1, 1, 4096)
POOLS = {"same": ["a-a", "b-b"], "cross": ["a-b"], "pooled": ["a-a", "a-b", "b-b"]}
NAMES = [*POOLS["pooled"], *POOLS]


class Clips:
    """Clips of emotions a and b in random order; b moves everybody, and is harder."""

    def __init__(self, speakers, of_a, of_b, seed=0, block=37):
        random = np.random.default_rng(seed)
        voices = random.normal(size=(speakers, 12))
        each = of_a + of_b
        self.speakers = np.arange(speakers, dtype=np.int32).repeat(each)
        self.emotions = np.tile(np.array(["a"] * of_a + ["b"] * of_b), speakers)
        noise = random.normal(size=(len(self.speakers), 12))
        is_b = (self.emotions == "b")[:, None]
        self.embeddings = voices[self.speakers] + (0.8 + 0.6 * is_b) * noise + 0.5 * is_b
        order = random.permutation(len(noise))
        self.speakers, self.emotions = self.speakers[order], self.emotions[order]
        self.embeddings = self.embeddings[order]
        self.block = block
        self.scores = cosine_scores(self.embeddings)
        self.cells = [cell_of(name, self.blocks(name)) for name in POOLS["pooled"]]

    def blocks(self, name, processes=ALONE):
        """Blocks of a cell, among them ragged ones, and those of one process only."""
        one, other = (np.flatnonzero(self.emotions == emotion) for emotion in name.split("-"))
        starts = [
            (row, column)
            for row in range(0, len(one), self.block)
            for column in range(0, len(other), self.block)
            if row <= column or name[0] != name[-1]
        ]
        for row, column in starts[processes.rank :: processes.count]:
            rows, columns = one[row : row + self.block], other[column : column + self.block]
            scores = self.scores.take(np.concatenate([rows, columns])).block(
                slice(0, len(rows)), slice(len(rows), None)
            )
            allowed = np.triu(np.ones(scores.shape, dtype=bool), 1)
            once = name[0] == name[-1] and row == column
            yield Block(
                scores, self.speakers[rows], self.speakers[columns], allowed if once else None
            )

    def resample(self, **options):
        options = {"reference": "a-a", "draws": 60, "seed": 3, "method": "bootstrap"} | options
        speakers = int(self.speakers.max()) + 1
        blocks = options.pop("blocks", self.blocks)
        return resample(blocks, self.cells, POOLS, GRID, speakers, **options)


def listed(blocks):
    """Scores and both speakers of all trials, one by one."""
    trials = []
    for block in blocks:
        for row, column in np.ndindex(block.scores.shape):
            if block.allowed is None or block.allowed[row, column]:
                speakers = block.rows[row], block.columns[column]
                trials.append((block.scores[row, column], *speakers))
    scores, first, second = (np.array(column) for column in zip(*trials, strict=True))
    return scores, first, second


def cell_of(name, blocks, grid=GRID):
    scores, first, second = listed(blocks)
    counts = [
        np.bincount(grid.index(scores[which]), minlength=grid.bins)
        for which in (first == second, first != second)
    ]
    numbers = {"targets": int(counts[0].sum()), "impostors": int(counts[1].sum())}
    tried = {"clips": 0, "speakers": len(np.union1d(first, second))}
    return Cell(
        name=name,
        emotions=(),
        target_counts=counts[0],
        impostor_counts=counts[1],
        **numbers,
        **tried,
    )


@pytest.fixture(scope="module")
def clips():
    return Clips(speakers=20, of_a=6, of_b=5)


def rates_one_by_one(clips, times):
    """Equal error rates, and rates at the reference threshold, from lists of weighted trials."""
    lists = {name: listed(clips.blocks(name)) for name in POOLS["pooled"]}
    for pool, names in POOLS.items():
        parts = [lists[name] for name in names]
        lists[pool] = tuple(np.concatenate(column) for column in zip(*parts, strict=True))
    weighted = {}
    for name, (scores, first, second) in lists.items():
        is_target = first == second
        weights = np.where(is_target, times[first], times[first] * times[second])
        weighted[name] = scores, is_target, weights
    rates = {name: equal_error_rate(*trials) for name, trials in weighted.items()}
    threshold = rates["a-a"][1]
    missed, accepted = (
        {
            name: np.average(rejected(scores[which]), weights=weights[which])
            for name, (scores, is_target, weights) in weighted.items()
            for which in [is_target == of_targets]
        }
        for of_targets, rejected in (
            (True, lambda scores: scores < threshold),
            (False, lambda scores: scores >= threshold),
        )
    )
    return {name: rate for name, (rate, _) in rates.items()}, missed, accepted


def test_each_draw_has_the_rates_of_its_weighted_trials(clips):
    resamples = clips.resample(draws=25)
    times = times_drawn(20, 25, 3)
    for found in (resamples.rates, resamples.frr, resamples.far):
        assert set(found) == set(NAMES)
    for draw in range(25):
        rates, missed, accepted = rates_one_by_one(clips, times[:, draw])
        for name in NAMES:
            assert resamples.rates[name][draw] == pytest.approx(rates[name], abs=0.002)
            # a threshold between two scores rejects part of the targets that are drawn together
            assert resamples.frr[name][draw] == pytest.approx(missed[name], abs=0.02)
            assert resamples.far[name][draw] == pytest.approx(accepted[name], abs=0.004)
    np.testing.assert_allclose(resamples.frr["a-a"], resamples.rates["a-a"], atol=1e-12)
    np.testing.assert_allclose(resamples.far["a-a"], resamples.rates["a-a"], atol=1e-12)


def test_draws_are_those_of_the_exact_interval(clips):
    found = clips.resample(draws=200, seed=5).rates["pooled"]
    trials = every_trial(clips.embeddings, clips.speakers)
    low, high = equal_error_rate_interval(trials, draws=200, seed=5)
    rate, _ = equal_error_rate(trials.scores, trials.is_target)
    assert interval(rate, found, "bootstrap", 20) == pytest.approx((low, high), abs=0.001)


def test_jackknife_leaves_out_each_speaker_with_all_its_trials(clips):
    for cell in clips.cells:
        bins = coarse_bins([cell], GRID, most=40)
        found = leaving_one_out(clips.blocks(cell.name), bins, 20)
        scores, first, second = listed(clips.blocks(cell.name))
        for speaker in range(20):
            left = (first != speaker) & (second != speaker)
            for counts, which in zip(found, (first == second, first != second), strict=True):
                expected = np.bincount(bins.index(scores[left & which]), minlength=len(bins))
                np.testing.assert_array_equal(counts[speaker], expected)
        # and is a draw of everybody but one
        np.testing.assert_array_equal(
            found, drawn(clips.blocks(cell.name), bins, 1 - np.eye(20, dtype=np.float32))
        )


@pytest.mark.parametrize("turned", [False, True])
def test_counts_by_pair_and_by_speaker(turned):
    scores = np.array([[0.9, 0.1, -0.5], [0.2, 0.9, 0.9]], dtype=np.float32)
    rows, columns = np.array([2, 0], dtype=np.int32), np.array([0, 2, 2], dtype=np.int32)
    allowed = np.array([[True, True, True], [True, True, False]])
    block = Block(scores, rows, columns, allowed)
    if turned:
        block = Block(scores.T, columns, rows, allowed.T)
    bins = coarse_bins([cell_of("", [block])], GRID, most=512)
    high, middle, low = (bins.index(np.float32([s]))[0] for s in (0.9, 0.1, -0.5))
    assert high > middle > low
    pairs = pair_counts([block], bins, 3)  # of (0, 1), (0, 2), (1, 2), 0, 1, 2
    assert pairs.sum(axis=1).tolist() == [0, 2, 0, 1, 0, 2]
    assert pairs[1, high] == 2 and pairs[5, middle] == pairs[5, low] == 1
    targets, impostors = speaker_counts([block], bins, 3)
    assert targets.sum(axis=1).tolist() == [1, 0, 2]
    assert impostors.tolist() == [pairs[1].tolist(), [0] * len(bins), pairs[1].tolist()]


def test_coarse_bins_hold_little_of_every_cell(clips):
    bins = coarse_bins(clips.cells, GRID, most=100)
    assert (np.diff(bins.coarse) >= 0).all() and (np.diff(bins.coarse) <= 1).all()
    assert bins.coarse[0] == 0 and 90 < len(bins) <= 100
    for cell in clips.cells:
        for counts in (cell.target_counts, cell.impostor_counts):
            shares = np.bincount(bins.coarse, weights=counts) / counts.sum()
            assert shares.max() < 0.04 + 2 * counts.max() / counts.sum()


def test_jackknife_and_bootstrap_agree():
    clips = Clips(speakers=60, of_a=4, of_b=3, block=512)
    widths = {}
    for method in ("bootstrap", "jackknife"):
        resamples = clips.resample(method=method, draws=1000)
        differences = resamples.rates["cross"] - resamples.rates["same"]
        ends = [interval(0.2, resamples.rates[name], method, 60) for name in NAMES]
        ends += [interval(0.2, resamples.far["a-b"], method, 60)]
        ends += [interval(0.2, resamples.frr["b-b"], method, 60)]
        ends += [interval(0.1, differences, method, 60, difference=True)]
        widths[method] = np.diff(ends)[:, 0]
    np.testing.assert_allclose(widths["jackknife"], widths["bootstrap"], rtol=0.15)


def test_several_processes_get_the_numbers_of_one(clips):
    for method in ("bootstrap", "jackknife"):
        alone, shared = clips.resample(method=method), [None, None]
        barrier, given = threading.Barrier(2, timeout=60), [None, None]

        def run(rank, method=method, shared=shared, barrier=barrier, given=given):
            def gather(value):
                given[rank] = value
                barrier.wait()
                values = list(given)
                barrier.wait()
                return values

            processes = Processes(rank, 2, gather)
            shared[rank] = clips.resample(
                method=method,
                processes=processes,
                blocks=partial(clips.blocks, processes=processes),
            )

        threads = [threading.Thread(target=run, args=(rank,)) for rank in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for found in shared:
            for kind in ("rates", "frr", "far"):
                for name in NAMES:
                    expected = getattr(alone, kind)[name]
                    np.testing.assert_array_equal(getattr(found, kind)[name], expected)


def test_seed(clips):
    first, again, other = (clips.resample(seed=seed).rates["pooled"] for seed in (1, 1, 2))
    assert first.tolist() == again.tolist() != other.tolist()


def test_without_a_reference_there_are_no_rates_at_its_threshold(clips):
    resamples = clips.resample(reference=None)
    assert resamples.frr == resamples.far == {}
    np.testing.assert_array_equal(resamples.rates["cross"], clips.resample().rates["cross"])


def test_method_follows_the_number_of_speakers(clips):
    for speakers, method, size in ((250, "bootstrap", 7), (251, "jackknife", 251)):
        found = resample(clips.blocks, clips.cells[:1], {}, GRID, speakers, reference=None, draws=7)
        assert found.method == method and found.rates["a-a"].shape == (size,)
    # speakers without trials tell nothing
    assert np.ptp(found.rates["a-a"][20:]) == 0
    few = resample(clips.blocks, clips.cells[:1], {}, GRID, 20, reference=None, method="jackknife")
    ends = [interval(0.12, of.rates["a-a"], "jackknife", 20) for of in (found, few)]
    assert ends[0] == pytest.approx(ends[1], abs=0.002)


@pytest.mark.parametrize("method", ["bootstrap", "jackknife"])
@pytest.mark.parametrize("speakers", [1, 2])
def test_one_or_two_speakers_tell_nothing_of_others(method, speakers):
    found = Clips(speakers, of_a=4, of_b=4).resample(method=method, draws=400)
    for name in NAMES:
        assert interval(0.2, found.rates[name], method, speakers) is None


@pytest.mark.parametrize("method", ["bootstrap", "jackknife"])
def test_targets_of_one_speaker_tell_nothing_of_others(method, clips):
    blocks = {cell.name: list(clips.blocks(cell.name)) for cell in clips.cells}
    for block in blocks["b-b"]:
        left_out = (block.rows[:, None] == block.columns) & (block.columns > 0)
        allowed = ~left_out if block.allowed is None else block.allowed & ~left_out
        object.__setattr__(block, "allowed", allowed)
    found = clips.resample(method=method, draws=400, blocks=blocks.get)
    assert interval(0.2, found.rates["b-b"], method, 20) is None
    assert interval(0.2, found.frr["b-b"], method, 20) is None
    for known in (found.far["b-b"], found.rates["a-a"], found.rates["pooled"]):
        assert interval(0.2, known, method, 20) is not None


def test_a_cell_without_impostors_has_no_rate_but_adds_to_its_pool(clips):
    blocks = {cell.name: list(clips.blocks(cell.name)) for cell in clips.cells}
    for block in blocks["a-b"]:
        object.__setattr__(block, "allowed", block.rows[:, None] == block.columns)
    found = clips.resample(blocks=blocks.get)
    assert np.isnan(found.rates["a-b"]).all() and np.isnan(found.far["a-b"]).all()
    assert np.isfinite(found.frr["a-b"]).all()
    assert np.isfinite(found.rates["pooled"]).all()


def test_equal_scores_are_half_in_error():
    scores = np.full((6, 6), 0.25, dtype=np.float32)
    speakers = np.array([0, 0, 1, 1, 2, 2], dtype=np.int32)
    block = Block(scores, speakers, speakers, np.triu(np.ones((6, 6), dtype=bool), 1))
    cell = cell_of("a-a", [block])
    for method in ("bootstrap", "jackknife"):
        rates = resample(
            lambda _: [block], [cell], {}, GRID, 3, reference=None, draws=50, method=method
        ).rates["a-a"]
        assert set(rates[~np.isnan(rates)]) == {0.5}
        assert np.isnan(rates).mean() < 0.25


def test_intervals_by_hand():
    values = np.arange(1001) / 1000
    # quantile 0.975 of t with 4 degrees of freedom is 2.7764; times sqrt(5 / 4) it is 3.1042,
    # where the normal distribution has 0.00095 on either side
    assert interval(0.5, values, "bootstrap", 5) == pytest.approx((0.00095, 0.99905), abs=1e-5)
    some = np.append(values, np.full(300, np.nan))
    assert interval(0.5, some, "bootstrap", 5) == interval(0.5, values, "bootstrap", 5)
    assert interval(0.5, np.append(some, np.full(100, np.nan)), "bootstrap", 5) is None

    values = np.array([0.1, 0.2, 0.2, 0.3])
    error = 3.18245 * np.sqrt(3 / 4 * 0.02)
    low, high = interval(0.3, values, "jackknife", 4, difference=True)
    assert (low, high) == pytest.approx((0.3 - error, 0.3 + error), abs=1e-5)
    low, high = (np.log(end / (1 - end)) for end in interval(0.3, values, "jackknife", 4))
    assert high - low == pytest.approx(2 * error / 0.21, abs=1e-4)
    assert (high + low) / 2 == pytest.approx(np.log(0.3 / 0.7))
    assert interval(0.0, np.zeros(9), "jackknife", 9) == (0.0, 0.0)
    assert interval(0.0, values, "jackknife", 4) == pytest.approx((0, error), abs=1e-5)
    assert interval(0.2, np.append(values, np.nan), "jackknife", 5) is None


def test_wrong_input(clips):
    with pytest.raises(ValueError, match="draws is 0"):
        clips.resample(draws=0)
    with pytest.raises(ValueError, match="method is 'bayes'; expected auto, bootstrap or"):
        clips.resample(method="bayes")
    with pytest.raises(ValueError, match="reference is 'c-c'; expected the name of a cell"):
        clips.resample(reference="c-c")
