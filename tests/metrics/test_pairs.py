from collections import defaultdict
from functools import partial
from itertools import combinations, combinations_with_replacement

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emovec.metrics import pairing, pairs
from emovec.metrics.pair_scores import PairScores, cosine_scores
from emovec.metrics.pairs import pair_matrix
from emovec.metrics.score_counts import count_scores
from emovec.metrics.verification import equal_error_rate, minimum_detection_cost

EMOTIONS = ["anger", "happiness", "neutral"]


def labels(random: np.random.Generator, clips: int, speakers: int = 4) -> dict[str, np.ndarray]:
    speaker = random.integers(speakers, size=clips)
    return {
        "speakers": np.array([f"s{number}" for number in speaker]),
        "emotions": random.choice(EMOTIONS, size=clips),
        "genders": np.where(speaker % 2, "female", "male"),
        "texts": random.choice(["it", "is", "eleven"], size=clips),
    }


def coarse(random: np.random.Generator, clips: int) -> PairScores:
    """Scores with many ties: products of few integers."""
    return PairScores(random.integers(-2, 3, size=(clips, 3)).astype(np.float32))


def by_sorting(scores, speakers, emotions, genders=None, texts=None, same_text=None):
    """Trials of each cell and pool by loops over pairs: scores and whether the speaker is one."""
    trials = defaultdict(lambda: ([], []))
    for i, j in combinations(range(len(speakers)), 2):
        if genders is not None and genders[i] != genders[j]:
            continue
        if same_text is not None and (texts[i] == texts[j]) != same_text:
            continue
        score = float(scores.block(slice(i, i + 1), slice(j, j + 1))[0, 0])
        one, other = sorted((emotions[i], emotions[j]))
        for name in (f"{one}-{other}", "same" if one == other else "cross", "pooled"):
            trials[name][0].append(score)
            trials[name][1].append(speakers[i] == speakers[j])
    return trials


def assert_as_sorted(matrix, trials, **within) -> None:
    cells = {cell.name: cell for cell in matrix.cells} | dict(matrix.pools)
    assert set(cells) == set(trials)
    for name, (scores, is_target) in trials.items():
        cell = cells[name]
        assert (cell.targets, cell.impostors) == (sum(is_target), len(is_target) - sum(is_target))
        assert cell.target_counts.sum() == cell.targets
        assert cell.impostor_counts.sum() == cell.impostors
        if not (cell.targets and cell.impostors):
            assert cell.eer is cell.threshold is cell.min_dcf_01 is cell.frr is None
            continue
        rate, threshold = equal_error_rate(scores, is_target)
        assert (cell.eer, cell.threshold) == pytest.approx((rate, threshold), **within)
        for found, p_target in ((cell.min_dcf_01, 0.01), (cell.min_dcf_05, 0.05)):
            assert found == pytest.approx(
                minimum_detection_cost(scores, is_target, p_target), **within
            )
        if matrix.reference_threshold is not None:
            below = np.array(scores) < matrix.reference_threshold
            truth = np.array(is_target)
            assert cell.frr == pytest.approx(below[truth].mean(), **within)
            assert cell.far == pytest.approx(1 - below[~truth].mean(), **within)


EXACT = {"rel": 0, "abs": 1e-15}


@pytest.mark.parametrize("same_gender", [True, False])
@pytest.mark.parametrize("same_text", [None, True, False])
def test_rates_are_those_of_sorting_all_scores(same_gender, same_text):
    random = np.random.default_rng(0)
    scores, known = coarse(random, 60), labels(random, 60)
    if not same_gender:
        known["genders"] = None
    matrix = pair_matrix(scores, **known, same_text=same_text, draws=0)
    assert matrix.reference == "neutral-neutral"
    assert_as_sorted(matrix, by_sorting(scores, **known, same_text=same_text), **EXACT)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(12, 60),
    st.integers(2, 20),
    st.integers(0, 300),
    st.integers(1, 3),
    st.integers(2, 64),
)
def test_neither_tiles_nor_memory_nor_processes_change_a_rate(
    in_processes, seed, clips, tile, most_held, processes, bins
):
    random = np.random.default_rng(seed)
    scores, known = coarse(random, clips), labels(random, clips)
    trials = by_sorting(scores, **known)
    if len(set(trials["pooled"][1])) < 2:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairing, "TILE", tile)
        patch.setattr(pairs, "BINS", bins)
        patch.setattr(pairs, "count_scores", partial(count_scores, most_held=most_held))
        results = in_processes(
            processes, lambda own: pair_matrix(scores, **known, draws=0, processes=own)
        )
    for matrix in results:
        assert_as_sorted(matrix, trials, **EXACT)


def test_a_bin_that_was_dropped_is_counted_again(monkeypatch):
    random = np.random.default_rng(1)
    scores, known = coarse(random, 50), labels(random, 50)
    passes = []

    def mislead(pairing, grid, deciding, processes):
        def nothing_before_the_end(targets, impostors, margin):
            passes.append(margin)
            needed = deciding(targets, impostors, margin)
            return needed & False if margin else needed

        return count_scores(pairing, grid, nothing_before_the_end, processes, most_held=10)

    monkeypatch.setattr(pairing, "TILE", 4)
    monkeypatch.setattr(pairs, "count_scores", mislead)
    assert_as_sorted(pair_matrix(scores, **known, draws=0), by_sorting(scores, **known), **EXACT)
    assert any(passes)


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6])
@pytest.mark.parametrize("centre", [0.0, 0.999, -3.0])
def test_scores_of_any_range(scale, centre):
    random = np.random.default_rng(2)
    known = labels(random, 80)
    offsets = (scale * (centre + random.normal(0, 1e-3, 80))).astype(np.float32)
    scores = PairScores(np.zeros((80, 1), np.float32), offsets=offsets)
    assert_as_sorted(pair_matrix(scores, **known, draws=0), by_sorting(scores, **known), **EXACT)


def test_equal_scores_give_one_half():
    known = labels(np.random.default_rng(3), 40)
    matrix = pair_matrix(np.ones((40, 2)), **known, draws=0)
    assert {cell.eer for cell in matrix.cells} <= {0.5, None}
    assert matrix.pools["pooled"].eer == 0.5


def test_order_of_clips_changes_nothing_but_rounding():
    random = np.random.default_rng(4)
    embeddings, known = random.normal(size=(700, 16)), labels(random, 700, speakers=9)
    order = random.permutation(700)
    one = pair_matrix(embeddings, **known, draws=0)
    other = pair_matrix(
        embeddings[order], **{name: values[order] for name, values in known.items()}, draws=0
    )
    for cell, same in zip(one.cells, other.cells, strict=True):
        assert cell.name == same.name
        assert cell.eer == pytest.approx(same.eer, abs=1e-6)


def test_what_is_not_known_is_excluded_and_counted():
    known = {
        "speakers": ["a", "a", "b", "b", "", "c"],
        "emotions": ["anger", "anger", "anger", "anger", "anger", ""],
        "genders": ["male", "male", "male", "male", "male", "male"],
    }
    matrix = pair_matrix(np.eye(6) + 1, **known, draws=0)
    assert matrix.excluded == {"no speaker": 1, "no emotion": 1}
    assert matrix.pools["pooled"].targets + matrix.pools["pooled"].impostors == 6
    known["genders"][3] = ""
    matrix = pair_matrix(np.eye(6) + 1, **known, draws=0)
    assert matrix.excluded == {"no speaker": 1, "no emotion": 1, "no gender": 1}
    assert matrix.pools["pooled"].clips == 3


def test_unknown_gender_does_not_matter_where_all_are_paired():
    matrix = pair_matrix(np.eye(4) + 1, list("aabb"), ["anger"] * 4, draws=0)
    assert matrix.excluded == {} and matrix.pools["pooled"].clips == 4
    assert "cross" not in matrix.pools and matrix.difference is None


def test_an_emotion_of_one_gender_has_no_trials_with_one_of_the_other():
    genders = ["male"] * 4 + ["female"] * 4
    emotions = ["anger"] * 4 + ["neutral"] * 4
    embeddings = np.random.default_rng(0).normal(size=(8, 3))
    matrix = pair_matrix(embeddings, list("aabbccdd"), emotions, genders, draws=0)
    assert [cell.name for cell in matrix.cells] == ["anger-anger", "neutral-neutral"]
    assert matrix.cell("neutral", "anger") is None


def test_a_clip_alone_in_its_cell_is_tried_across_emotions_only():
    embeddings = np.random.default_rng(0).normal(size=(5, 3))
    matrix = pair_matrix(
        embeddings, list("aabba"), ["anger", "anger", "anger", "anger", "fear"], draws=0
    )
    assert [cell.name for cell in matrix.cells] == ["anger-anger", "anger-fear"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"speakers": ["a"] * 4}, "no impostor trials"),
        ({"speakers": list("abcd")}, "no target trials"),
        ({"speakers": list("aab")}, r"speakers are \(3,\)"),
        ({"emotions": [""] * 4}, "0 of 4 clips can be paired"),
        ({"emotions": [1.0, 2, 3, 4]}, "emotions are float64"),
        ({"same_text": True}, "same_text is given without texts"),
        ({"scores": np.array([[1.0], [0.0], [1.0], [1.0]])}, "zero, NaN or infinite"),
        ({"scores": np.array([[1.0], [np.nan], [1.0], [1.0]])}, "zero, NaN or infinite"),
        ({"scores": np.ones(4)}, r"expected \(N, E\)"),
    ],
)
def test_what_cannot_be_measured(change, message):
    fine = {
        "scores": np.eye(4) + 1,
        "speakers": list("aabb"),
        "emotions": ["anger", "neutral"] * 2,
    }
    with pytest.raises(ValueError, match=message):
        pair_matrix(**(fine | change), draws=0)


def test_embeddings_are_compared_by_cosine():
    random = np.random.default_rng(5)
    embeddings, known = random.normal(size=(30, 4)), labels(random, 30)
    one = pair_matrix(embeddings, **known, draws=0)
    other = pair_matrix(cosine_scores(3 * embeddings), **known, draws=0)
    assert one.pools["pooled"].eer == other.pools["pooled"].eer


def test_every_pair_of_emotions_has_its_cell():
    known = labels(np.random.default_rng(6), 60)
    matrix = pair_matrix(np.random.default_rng(6).normal(size=(60, 3)), **known, draws=0)
    expected = [f"{a}-{b}" for a, b in combinations_with_replacement(EMOTIONS, 2)]
    assert [cell.name for cell in matrix.cells] == expected
    assert matrix.emotions == EMOTIONS


def test_the_demonstration_of_the_method_is_worse_across_emotions():
    """A shift that emotion adds to a voice."""
    random = np.random.default_rng(7)
    known = labels(random, 400, speakers=20)
    number = np.unique(known["speakers"], return_inverse=True)[1]
    shift = {emotion: random.normal(size=16) for emotion in EMOTIONS}
    voices = random.normal(size=(20, 16))[number]
    embeddings = voices + np.array([shift[e] for e in known["emotions"]])
    embeddings += 0.8 * random.normal(size=embeddings.shape)
    matrix = pair_matrix(embeddings, **known, draws=0)
    assert matrix.difference > 0.02


@pytest.mark.parametrize("size", [64, 256, 1582])
@pytest.mark.parametrize("clips", [40, 700])
def test_equal_embeddings_have_equal_scores_whatever_the_block(size, clips):
    random = np.random.default_rng(size)
    known = labels(random, clips, speakers=8)
    known["genders"] = None
    matrix = pair_matrix(np.tile(random.normal(size=size), (clips, 1)), **known, draws=0)
    assert {cell.eer for cell in matrix.rows} <= {0.5, None}
    repeated = random.normal(size=(3, size))[random.integers(3, size=clips)]
    rates = {pair_matrix(repeated, **known, draws=0, seed=s).pools["pooled"].eer for s in range(4)}
    assert len(rates) == 1


def test_few_extreme_scores_do_not_crowd_the_others(monkeypatch):
    random = np.random.default_rng(8)
    known = labels(random, 600, speakers=30)
    scales = np.full(600, 5, np.float32)
    scales[:3] = 1e5
    scores = PairScores(random.integers(-9, 10, size=(600, 8)).astype(np.float32), None, scales)
    held = []

    def watched(*arguments):
        counts = count_scores(*arguments, most_held=5000)
        held.extend(len(s.values) for s in (*counts.target_scores, *counts.impostor_scores))
        return counts

    monkeypatch.setattr(pairs, "count_scores", watched)
    matrix = pair_matrix(scores, **known, draws=0)
    assert sum(held) < 0.1 * (matrix.pools["pooled"].impostors)
    assert_as_sorted(matrix, by_sorting(scores, **known), **EXACT)


def test_pairs_of_emotions_that_would_have_one_name():
    with pytest.raises(ValueError, match="have one name; expected emotions without hyphens"):
        pair_matrix(np.eye(8) + 1, list("aabbccdd"), ["a-b", "c", "a", "b-c"] * 2, draws=0)


def test_a_cell_without_any_pair_of_one_text_is_not_there():
    matrix = pair_matrix(
        np.random.default_rng(0).normal(size=(6, 3)),
        list("aabbab"),
        ["anger"] * 4 + ["fear"] * 2,
        texts=["it", "it", "it", "it", "is", "is"],
        same_text=True,
        draws=20,
    )
    assert [cell.name for cell in matrix.cells] == ["anger-anger", "fear-fear"]
    assert "cross" not in matrix.pools


def test_intervals_hold_their_rates_where_scores_are_tied():
    random = np.random.default_rng(9)
    known = labels(random, 120, speakers=12)
    for embeddings in (np.ones((120, 4)), np.sign(random.normal(size=(120, 4)))):
        for cell in pair_matrix(embeddings, **known, draws=100).rows:
            for value, bounds in (
                (cell.eer, cell.interval),
                (cell.frr, cell.frr_interval),
                (cell.far, cell.far_interval),
            ):
                assert value is None or bounds is None or bounds[0] <= value <= bounds[1]


def test_scores_too_large_for_numbers():
    with pytest.raises(ValueError, match="scores are NaN or infinite"):
        pair_matrix(
            PairScores(np.full((4, 2), 1e30, np.float32)), list("aabb"), ["anger"] * 4, draws=0
        )
