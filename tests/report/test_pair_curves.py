"""DET curves and boxes of a matrix as small tables, against all scores, one by one."""

import csv
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from matplotlib.cbook import boxplot_stats
from test_pair_figures import EDGES, FEW, MATRIX, SCORES, WIDTH, matrix_of, scores_of

from emovec.labels import EMOTIONS
from emovec.metrics.pairs import pair_matrix
from emovec.report.pair_curves import det_points, det_ticks, write_boxes, write_curves
from emovec.report.style import EMOTION_COLOURS

SPREAD = NormalDist()
FIVE = ("whisker_low", "lower_quartile", "median", "upper_quartile", "whisker_high")


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def pooled(name):
    """All scores of targets and of impostors that a curve is of."""
    sides = {"same": {1}, "cross": {2}, "pooled": {1, 2}}.get(name)
    of = [
        found
        for pair, found in SCORES.items()
        if (len(set(pair)) in sides if sides else "-".join(pair) == name)
    ]
    return map(np.concatenate, zip(*of, strict=True))


def test_curves_have_the_rates_of_the_raw_scores(tmp_path):
    write_curves(tmp_path / "det.csv", MATRIX)
    rows = rows_of(tmp_path / "det.csv")
    names = list(dict.fromkeys(row["pair"] for row in rows))
    alone = [f"{emotion}-{emotion}" for emotion in ("anger", "disgust", "happiness")]
    alone += ["neutral-neutral", "sadness-sadness"]
    assert names == ["same", "cross", "pooled", *alone]  # fear has none with itself
    for name in names:
        targets, impostors = pooled(name)
        of = [[float(row[column]) for column in ("threshold", "far", "frr")] for row in rows
              if row["pair"] == name]  # fmt: skip
        assert 20 < len(of) <= (200 if "-" not in name else 50)
        for threshold, far, frr in of:
            edge = EDGES[np.abs(EDGES - threshold).argmin()]
            assert edge == pytest.approx(threshold, abs=1e-6)
            assert far == pytest.approx(np.mean(impostors >= edge), rel=1e-5)
            assert frr == pytest.approx(np.mean(targets < edge), rel=1e-5)


def test_places_are_even_on_normal_deviates():
    """Between neighbours the deviates' difference moves by a step, to half of which a bin fits."""
    for most in (10, 40):
        _, far, frr = det_points(MATRIX.pools["pooled"], MATRIX.bin_edges, most)
        along = [SPREAD.inv_cdf(r) - SPREAD.inv_cdf(a) for a, r in zip(far, frr, strict=True)]
        steps = np.diff(along)
        even = (along[-1] - along[0]) / (most - 1)
        assert len(far) <= most and steps.min() > 0
        # in the tails one trial alone may be more than a step
        middle = np.abs(np.array(along[1:])) < 2.5
        assert np.abs(steps[middle] - even).max() < 0.5 * even


def test_all_places_where_they_are_few():
    cell = matrix_of({("a", "a"): ([0.1, 0.3, 0.3, 0.6], [-0.2, 0.2, 0.5])}).cells[0]
    found = det_points(cell, EDGES, 200)
    # thresholds just above a score; where all targets or impostors are on one side there is none
    above = found[0] - np.array([0.1, 0.2, 0.3])
    assert np.all((above >= 0) & (above <= WIDTH + 1e-9))
    assert found[1:].T.tolist() == [
        pytest.approx([2 / 3, 1 / 4]),
        pytest.approx([1 / 3, 1 / 4]),
        pytest.approx([1 / 3, 3 / 4]),
    ]


@pytest.mark.parametrize("shift", [3.0, 0.0])
def test_perfect_and_constant_scores_have_no_curve(tmp_path, shift):
    matrix = matrix_of({("a", "a"): (np.full(40, shift / 4), np.full(90, -shift / 4))})
    write_curves(tmp_path / "det.csv", matrix)
    assert list(tmp_path.iterdir()) == []


def test_what_has_no_rate_or_is_doubted_has_no_curve(tmp_path):
    scores = {("a", "a"): ([0.5, 0.2], [0.4, 0.1]), ("a", "b"): ([], [0.4, 0.1])}
    write_curves(tmp_path / "det.csv", matrix_of(scores))
    assert {row["pair"] for row in rows_of(tmp_path / "det.csv")} == {"same", "pooled"}


def test_boxes_have_the_numbers_of_the_raw_scores(tmp_path):
    write_boxes(tmp_path / "scores.csv", MATRIX, "cosine similarity")
    rows = rows_of(tmp_path / "scores.csv")
    cross = ["-".join(pair) for pair in SCORES if pair[0] != pair[1]]
    assert [row["box"] for row in rows] == ["genuine", "impostor", *cross]
    assert [row["pair"] for row in rows] == ["neutral-neutral"] * 2 + cross
    assert {row["score"] for row in rows} == {"cosine similarity"}
    for row in rows:
        kind = {"targets": 0, "impostors": 1}[row["trials"]]
        assert kind == (row["box"] == "impostor")
        scores = SCORES[tuple(row["pair"].split("-"))][kind]
        assert int(row["number"]) == len(scores)
        found = boxplot_stats(scores)[0]
        expected = [found[name] for name in ("whislo", "q1", "med", "q3", "whishi")]
        near = (
            2 * WIDTH if row["pair"] != FEW else 0.1
        )  # quantiles of 12 scores are anything between
        for name, value in zip(FIVE, expected, strict=True):
            # a whisker may or may not reach the next score
            wide = 0.06 if "whisker" in name else 0
            assert float(row[name]) == pytest.approx(value, abs=near + wide), (row["box"], name)


def test_nothing_to_draw_leaves_nothing(tmp_path):
    write_boxes(tmp_path / "scores.csv", matrix_of(scores_of(("anger",))), "cosine")
    write_curves(tmp_path / "det.csv", replace(MATRIX, cells=(), pools={}))
    assert list(tmp_path.iterdir()) == []


def test_files_are_small_however_many_emotions_and_bins(tmp_path):
    """As many clips as make the curves smooth, by the real matrix with its 16,384 bins."""
    random = np.random.default_rng(0)
    names = list(dict.fromkeys((*EMOTION_COLOURS, *EMOTIONS)))[:8]
    speakers = np.repeat(np.arange(60), 20)
    emotions = np.resize(names, len(speakers))
    voices = random.normal(size=(60, 8))[speakers]
    embeddings = voices + random.normal(size=voices.shape)
    matrix = pair_matrix(embeddings, speakers.astype(str), emotions, reference=names[3], draws=0)
    write_curves(tmp_path / "det.csv", matrix)
    write_boxes(tmp_path / "scores.csv", matrix, "cosine similarity (centred, standardised)")
    assert len(rows_of(tmp_path / "scores.csv")) == 2 + 8 * 7 / 2
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert 20_000 < sizes["det.csv"] < 50_000 and sizes["scores.csv"] < 6_000


def test_curves_of_the_real_matrix_are_those_of_all_pairs(tmp_path):
    random = np.random.default_rng(1)
    speakers = np.repeat(np.arange(12), 4)
    emotions = np.tile(["anger", "neutral"], 24)
    embeddings = random.normal(size=(12, 6))[speakers] + 0.8 * random.normal(size=(48, 6))
    write_curves(
        tmp_path / "det.csv", pair_matrix(embeddings, speakers.astype(str), emotions, draws=0)
    )
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    one, other = np.triu_indices(48, 1)
    scores, is_target = np.sum(unit[one] * unit[other], axis=1), speakers[one] == speakers[other]
    same = emotions[one] == emotions[other]
    for row in rows_of(tmp_path / "det.csv"):
        kept = {"same": same, "cross": ~same, "pooled": same | ~same}.get(row["pair"])
        if kept is None:
            kept = same & (emotions[one] == row["pair"].split("-")[0])
        for column, rate in (
            ("far", np.mean(scores[kept & ~is_target] >= float(row["threshold"]))),
            ("frr", np.mean(scores[kept & is_target] < float(row["threshold"]))),
        ):
            assert float(row[column]) == pytest.approx(rate, rel=1e-5), (row, column)


def test_ticks_reach_around_the_rates():
    assert det_ticks([0.05, 0.1]).tolist() == [
        0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5,
    ]  # fmt: skip
    assert det_ticks([0.0])[0] == 0.0001
    assert det_ticks([0.9])[-1] == 0.99
