import numpy as np
import pytest

from emovec.metrics.pair_scores import PairScores, cosine_scores


def scores_with_all(clips=7):
    random = np.random.default_rng(0)
    one_each = random.normal(size=(3, clips))
    return PairScores(random.normal(size=(clips, 4)), *one_each)


def by_formula(scores, i, j):
    v, o, r, b = (getattr(scores, name) for name in ("vectors", "offsets", "scales", "shifts"))
    return (np.dot(v[i], v[j]) + o[i] + o[j]) * (r[i] + r[j]) + b[i] + b[j]


def test_a_block_and_a_list_are_what_the_formula_says():
    scores = scores_with_all()
    block = scores.block(slice(1, 4), slice(2, 7))
    assert block.dtype == np.float32
    expected = [[by_formula(scores, i, j) for j in range(2, 7)] for i in range(1, 4)]
    assert block == pytest.approx(np.array(expected), rel=1e-5)
    first, second = np.array([0, 6, 3]), np.array([5, 6, 1])
    expected = [by_formula(scores, i, j) for i, j in zip(first, second, strict=True)]
    assert scores.pairs(first, second) == pytest.approx(expected, rel=1e-5)


def test_scores_are_symmetric():
    every = slice(0, 7)
    block = scores_with_all().block(every, every)
    assert block == pytest.approx(block.T, rel=1e-6)


def test_some_clips_in_another_order():
    scores, clips = scores_with_all(), np.array([5, 0, 3])
    taken = scores.take(clips)
    assert len(taken) == 3
    assert taken.block(slice(0, 3), slice(0, 3)) == pytest.approx(
        scores.block(slice(0, 7), slice(0, 7))[np.ix_(clips, clips)], rel=1e-6
    )


def test_cosine_forgets_lengths_and_the_mean():
    random = np.random.default_rng(1)
    x, mean = random.normal(size=(5, 3)) + 4, np.array([4.0, 4, 4])
    block = cosine_scores(x * [[1], [2], [3], [4], [5]]).block(slice(0, 5), slice(0, 5))
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    assert block == pytest.approx(unit @ unit.T, abs=1e-6)
    centred = cosine_scores(x, mean).block(slice(0, 5), slice(0, 5))
    unit = (x - mean) / np.linalg.norm(x - mean, axis=1, keepdims=True)
    assert centred == pytest.approx(unit @ unit.T, abs=1e-6)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"vectors": np.ones(3)}, r"vectors are \(3,\)"),
        ({"vectors": np.ones((3, 2)), "offsets": np.ones(2)}, r"offsets are \(2,\)"),
        ({"vectors": np.full((3, 2), np.nan)}, "vectors have NaN"),
        ({"vectors": np.ones((3, 2)), "scales": np.array([1, np.inf, 1])}, "scales have NaN"),
    ],
)
def test_parts_that_are_none(parts, message):
    with pytest.raises(ValueError, match=message):
        PairScores(**parts)


@pytest.mark.parametrize("broken", [[[0.0, 0]], [[np.nan, 1]], [[np.inf, 1]]])
def test_embeddings_without_a_direction_are_named(broken):
    with pytest.raises(ValueError, match=r"embeddings \[2\] \(1 in all\) are zero, NaN"):
        cosine_scores([[1, 0], [0, 1], *broken])
    with pytest.raises(ValueError, match="zero"):
        cosine_scores([[1.0, 2], [3, 4]], mean=[1, 2])
