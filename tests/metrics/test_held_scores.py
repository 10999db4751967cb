import numpy as np
import pytest

from emovec.metrics.held_scores import HeldScores, Scores, merged
from emovec.metrics.pair_blocks import ALONE, ScoreGrid

GRID = ScoreGrid(0, 4, 4)


def held(*values):
    scores = HeldScores(GRID)
    for cell, is_target, some in values:
        scores.add(cell, is_target, np.array(some, dtype=np.float32))
    return scores


def test_merged_scores_rise_and_count_their_repetitions():
    one = Scores(np.float32([3, 1, 1]), np.array([1, 2, 3]))
    other = Scores(np.float32([2, 3]), np.array([5, 7]))
    both = merged([one, other])
    assert both.values.tolist() == [1, 2, 3] and both.counts.tolist() == [5, 5, 8]
    assert merged([]).values.tolist() == []


def test_what_is_dropped_is_what_is_in_other_bins():
    scores = held((0, True, [0.5, 1.5, 1.5]), (0, False, [1.2]), (1, True, [0.5, 3.5]))
    assert scores.size == 6
    bins = np.zeros((2, 4), bool)
    bins[0, 1] = bins[1, 0] = True
    scores.keep_only(bins)
    assert scores.size == 4
    targets, impostors = scores.of_all(ALONE, 3)
    assert [of.values.tolist() for of in targets] == [[1.5], [0.5], []]
    assert targets[0].counts.tolist() == [2]
    assert impostors[0].values == pytest.approx([1.2]) and len(impostors[1].values) == 0


def test_compressed_scores_take_less_room_and_are_the_same():
    scores = held((0, False, [1.0] * 9), (0, False, [1.0, 2.0]))
    scores.compress()
    assert scores.size == 2
    scores.add(0, False, np.float32([2.0]))
    _, impostors = scores.of_all(ALONE, 1)
    assert impostors[0].values.tolist() == [1, 2] and impostors[0].counts.tolist() == [10, 2]
