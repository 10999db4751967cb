import itertools
import time

import numpy as np
import pytest

from emovec.metrics.intervals import difference_interval, speaker_intervals
from emovec.metrics.regression import concordance


def speakers_of(sizes):
    return [name for name, size in zip("abcdefgh", sizes, strict=False) for _ in range(size)]


def test_a_draw_takes_all_clips_of_its_speakers():
    speakers = np.array(["b", "a", "b", "c", "b", "a"])
    seen = []

    def record(clips):
        seen.append(np.bincount(clips, minlength=6))
        return {"n": float(len(clips))}

    speaker_intervals(record, speakers.tolist(), draws=200)
    assert seen[0].tolist() == [1] * 6
    for counts in seen[1:]:
        times = {name: set(counts[speakers == name].tolist()) for name in "abc"}
        assert all(len(found) == 1 for found in times.values())
        assert sum(found.pop() for found in times.values()) == 3


def test_bounds_are_percentiles_over_all_equally_likely_draws():
    # brute force: the S^S draws of S = 5 speakers, ragged numbers of clips
    values, speakers = np.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0]), speakers_of([2, 1, 2, 1, 1])
    clips_of = [[0, 1], [2], [3, 4], [5], [6]]
    means = []
    for drawn in itertools.product(range(5), repeat=5):
        means.append(values[[clip for speaker in drawn for clip in clips_of[speaker]]].mean())
    expected = np.percentile(means, [2.5, 97.5])
    found = speaker_intervals(lambda clips: {"m": values[clips].mean()}, speakers, draws=20000)
    assert found["m"] == pytest.approx(expected, abs=0.05)


def test_statistics_share_their_draws_and_seeds_repeat():
    values = np.random.default_rng(0).normal(size=40)
    speakers = [str(clip % 8) for clip in range(40)]

    def statistics(clips):
        return {"mean": values[clips].mean(), "doubled": 2 * values[clips].mean()}

    first = speaker_intervals(statistics, speakers, draws=100, seed=3)
    assert first == speaker_intervals(statistics, speakers, draws=100, seed=3)
    assert first != speaker_intervals(statistics, speakers, draws=100, seed=4)
    assert first["doubled"] == pytest.approx(2 * np.array(first["mean"]))


def test_a_draw_takes_as_many_speakers_of_each_group():
    speakers = np.array(["a", "b", "c", "x", "y", "x"])
    strata = ["1", "1", "1", "2", "2", "2"]
    drawn = []

    def record(clips):
        drawn.append(np.bincount(clips, minlength=6))
        return {"n": 1.0}

    speaker_intervals(record, speakers.tolist(), draws=2000, strata=strata)
    assert all(counts[:3].sum() == 3 and counts[3] + counts[4] == 2 for counts in drawn)
    assert all(counts[3] == counts[5] for counts in drawn)  # clips of one speaker
    assert len({tuple(counts) for counts in drawn}) == 10 * 3  # all there are


def test_groups_of_one_speaker_each_have_no_interval():
    found = speaker_intervals(lambda clips: {"a": 1.0}, ["x", "y", "y"], strata=["1", "2", "2"])
    assert found == {"a": None}


def test_one_group_is_none():
    values, speakers = np.random.default_rng(0).normal(size=9), list("aabbbccdd")

    def mean(clips):
        return {"mean": values[clips].mean()}

    assert speaker_intervals(mean, speakers) == speaker_intervals(mean, speakers, strata=["1"] * 9)


def test_one_speaker_has_no_interval():
    assert speaker_intervals(lambda clips: {"a": 1.0, "b": 2.0}, ["x"] * 5) == {
        "a": None,
        "b": None,
    }
    assert difference_interval(len, len, ["x"]) is None


def test_no_clips_and_nan_are_errors():
    with pytest.raises(ValueError, match="speakers is empty"):
        speaker_intervals(lambda clips: {"a": 1.0}, [])
    with pytest.raises(ValueError, match="ccc is NaN"):
        speaker_intervals(lambda clips: {"n": 1.0, "ccc": np.nan}, ["a", "b"])


def test_a_paired_difference_is_narrower_than_the_unpaired():
    random = np.random.default_rng(1)
    hard = random.normal(size=12).repeat(10)
    better, worse = hard + 0.3, hard + random.normal(0, 0.1, 120)
    speakers = [str(clip // 10) for clip in range(120)]

    low, high = difference_interval(
        lambda clips: better[clips].mean(), lambda clips: worse[clips].mean(), speakers, 300
    )
    assert 0 < low < 0.3 + 0.05 and high - low < 0.1
    alone = speaker_intervals(lambda clips: {"m": better[clips].mean()}, speakers, 300)["m"]
    assert alone[1] - alone[0] > 0.5


def test_a_thousand_draws_of_a_concordance_over_5000_clips_take_under_two_seconds():
    random = np.random.default_rng(0)
    target = random.normal(size=5000)
    predicted = target + random.normal(size=5000)
    speakers = random.integers(300, size=5000).astype(str).tolist()
    start = time.process_time()
    speaker_intervals(lambda clips: {"ccc": concordance(predicted[clips], target[clips])}, speakers)
    assert time.process_time() - start < 2


@pytest.mark.slow
@pytest.mark.parametrize(("count", "least", "most"), [(6, 0.78, 0.92), (24, 0.88, 0.97)])
def test_coverage(count, least, most):
    # speakers differ in their bias; the truth is the concordance over very many of them
    random = np.random.default_rng(count)

    def sample(speakers):
        bias = random.normal(0, 0.5, speakers).repeat(20)
        target = random.normal(size=speakers * 20)
        return 0.7 * target + bias + random.normal(0, 0.5, speakers * 20), target

    truth = concordance(*sample(40000))
    covered = 0
    for seed in range(300):
        predicted, target = sample(count)
        low, high = speaker_intervals(
            lambda clips, x=predicted, y=target: {"ccc": concordance(x[clips], y[clips])},
            np.arange(count).repeat(20).astype(str).tolist(),
            draws=300,
            seed=seed,
        )["ccc"]
        covered += low <= truth <= high
    assert least <= covered / 300 <= most
