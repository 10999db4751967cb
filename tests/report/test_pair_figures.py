"""Figures of pairs of emotions: what is drawn, against raw scores, and that nothing overlaps."""

import itertools
import subprocess
import sys
from dataclasses import replace
from functools import cache
from statistics import NormalDist

import matplotlib.colors
import numpy as np
import pytest
from matplotlib.cbook import boxplot_stats

from emovec.labels import EMOTIONS
from emovec.metrics.pair_cells import Cell, PairMatrix
from emovec.metrics.verification import equal_error_rate
from emovec.report.pair_curves import quantile
from emovec.report.pair_figures import (
    DOUBTED,
    detection_error_tradeoff,
    rate_heat_map,
    score_boxes,
)
from emovec.report.style import EMOTION_COLOURS

EDGES = np.linspace(-1, 1, 401)
WIDTH = EDGES[1] - EDGES[0]
FEW = "anger-fear"  # where there is fear, a cell of 12 targets
MISSING = "fear-fear"


def cell_of(name, emotions, targets, impostors):
    eer = threshold = interval = None
    if len(targets) and len(impostors):
        is_target = np.arange(len(targets) + len(impostors)) < len(targets)
        eer, threshold = equal_error_rate([*targets, *impostors], is_target)
        interval = (max(eer - 0.02, 0), min(eer + 0.03, 1))
    return Cell(
        name=name,
        emotions=emotions,
        targets=len(targets),
        impostors=len(impostors),
        clips=50,
        speakers=9,
        eer=eer,
        threshold=threshold,
        interval=interval,
        target_counts=np.histogram(targets, EDGES)[0],
        impostor_counts=np.histogram(impostors, EDGES)[0],
    )


def scores_of(emotions, apart=0.3):
    """Scores of targets and impostors of each pair, by emotions."""
    random = np.random.default_rng(0)
    scores = {}
    for one, other in itertools.combinations_with_replacement(sorted(emotions), 2):
        name = f"{one}-{other}"
        if name != MISSING:
            size = 12 if name == FEW else 400
            shift = apart if one == other else 0.7 * apart
            targets = random.normal(shift, 0.15, size)
            scores[one, other] = targets, random.normal(0, 0.12, 3 * size)
    return scores


def matrix_of(scores):
    cells = [cell_of("-".join(pair), pair, *found) for pair, found in scores.items()]
    pools = {}
    for name, kept in (("same", {1}), ("cross", {2}), ("pooled", {1, 2})):
        of = [found for pair, found in scores.items() if len(set(pair)) in kept]
        if of:
            pools[name] = cell_of(name, (), *map(np.concatenate, zip(*of, strict=True)))
    apart = {"same", "cross"} <= set(pools) and None not in (pools["same"].eer, pools["cross"].eer)
    neutral = ("neutral", "neutral") in scores
    return PairMatrix(
        cells=tuple(cells),
        pools=pools,
        difference=pools["cross"].eer - pools["same"].eer if apart else None,
        difference_interval=(-0.01, 0.12) if apart else None,
        reference="neutral-neutral" if neutral else None,
        reference_threshold=0.2 if neutral else None,
        bin_edges=EDGES,
        excluded={},
        method="",
        resamples={},
    )


COMMON = ("anger", "happiness", "sadness", "neutral", "fear", "disgust", "surprise", "contempt")
SCORES = scores_of(COMMON[:6])
MATRIX = matrix_of(SCORES)


def boxes_on(figure):
    """Boxes of all words on the paper, by the words and their place."""
    figure.draw_without_rendering()
    (axes,) = figure.axes
    ticks = []
    for place, axis in enumerate((axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())  # ticks beyond are not drawn
        ticks += [t for t in axis.get_ticklabels() if low <= t.get_position()[place] <= high]
    words = [*axes.texts, *ticks, axes.title, axes.xaxis.label, axes.yaxis.label]
    words += [figure._supxlabel] if figure._supxlabel else []
    if axes.get_legend():
        words += axes.get_legend().get_texts()
    return [(w.get_text(), w.get_window_extent()) for w in words if w.get_text()]


@cache
def matrix_with(size):
    emotions = ("neutral", *(name for name in (*COMMON, *EMOTIONS) if name != "neutral"))
    return matrix_of(scores_of(list(dict.fromkeys(emotions))[:size]))


@pytest.mark.parametrize("size", [1, 2, 4, 6, 8, 14])
@pytest.mark.parametrize(
    "draw", [rate_heat_map, detection_error_tradeoff, lambda matrix: score_boxes(matrix, "cosine")]
)
def test_no_words_lie_over_others_or_off_the_paper(draw, size):
    figure = draw(matrix_with(size))
    found = boxes_on(figure)
    for (one, box), (other, further) in itertools.combinations(found, 2):
        overlap = min(box.x1, further.x1) - max(box.x0, further.x0)
        beside = min(box.y1, further.y1) - max(box.y0, further.y0)
        assert min(overlap, beside) < 1.5, (one, other)  # dots of 1/100 inch
    for text, box in found:
        assert figure.bbox.x0 - 1 <= box.x0 and box.x1 <= figure.bbox.x1 + 1, text
        assert figure.bbox.y0 - 1 <= box.y0 and box.y1 <= figure.bbox.y1 + 1, text


def test_heat_map_writes_each_pair_once_below_the_diagonal():
    (axes,) = rate_heat_map(MATRIX).axes
    names = [label.get_text() for label in axes.get_xticklabels()]
    assert names == [label.get_text() for label in axes.get_yticklabels()] == sorted(COMMON[:6])
    *written, pools = axes.texts
    places = {}
    for text in written:
        column, row = text.xy
        places.setdefault((names[column], names[row]), []).append(text.get_text())
    assert set(places) == set(SCORES)
    for cell in MATRIX.cells:
        low, high = (f"{100 * end:.1f}" for end in cell.interval)
        assert places[cell.emotions] == [f"{100 * cell.eer:.1f}", f"[{low}, {high}]"]
    lines = pools.get_text().split("\n")
    assert [line.split(" ")[0] for line in lines] == ["same", "cross", "pooled", "cross"]
    assert lines[-1] == f"cross - same {100 * MATRIX.difference:.1f} [-1.0, 12.0]"


def test_heat_map_shades_rates_and_greys_what_is_doubted():
    figure = rate_heat_map(MATRIX)
    (axes,) = figure.axes
    shares = axes.images[0].get_array().filled(np.nan)
    emotions = sorted(COMMON[:6])
    rates = {}
    for cell in MATRIX.cells:
        column, row = map(emotions.index, cell.emotions)
        if cell.name != FEW:
            rates[cell.eer] = shares[row, column]
        shares[row, column] = np.nan
    assert np.isnan(shares).all()  # nothing else is shaded
    assert [rates[rate] for rate in (min(rates), max(rates))] == [0, 1]
    assert sorted(rates.values()) == [rates[rate] for rate in sorted(rates)]
    (grey,) = axes.patches
    assert matplotlib.colors.to_hex(grey.get_facecolor()).upper() == DOUBTED
    assert (grey.get_x() + 0.5, grey.get_y() + 0.5) == (0, emotions.index("fear"))
    assert "grey: not to be trusted" in figure._supxlabel.get_text()


def test_heat_map_of_few_things():
    no_impostors = matrix_of({("anger", "anger"): ([0.5] * 40, [])})
    (axes,) = rate_heat_map(no_impostors).axes
    assert [text.get_text() for text in axes.texts] == ["-"]
    equal = matrix_of({("anger", "anger"): ([0.5] * 40, [0.1])})
    assert rate_heat_map(equal).axes[0].images[0].get_array().tolist() == [[0.5]]
    plain = replace(MATRIX, cells=tuple(replace(cell, interval=None) for cell in MATRIX.cells))
    assert rate_heat_map(plain).axes[0].get_title() == "EER in %"
    with pytest.raises(ValueError, match="no cells"):
        rate_heat_map(replace(MATRIX, cells=()))


def test_det_curves_are_the_rates_of_the_raw_scores():
    (axes,) = detection_error_tradeoff(MATRIX).axes
    curves = {line.get_label().split(":")[0]: line for line in axes.lines if len(line.get_xdata())}
    spread = NormalDist()
    for name, sides in (("same", {1}), ("cross", {2}), ("pooled", {1, 2})):
        of = [found for pair, found in SCORES.items() if len(set(pair)) in sides]
        targets, impostors = map(np.concatenate, zip(*of, strict=True))
        expected = []
        for edge in EDGES:
            accepted, rejected = np.mean(impostors >= edge), np.mean(targets < edge)
            if 0 < accepted < 1 and 0 < rejected < 1:
                expected.append((spread.inv_cdf(accepted), spread.inv_cdf(rejected)))
        drawn = curves[name].get_xydata()
        assert len(drawn) > 50
        # some are left out where they cannot be told apart
        distances = np.abs(np.array(expected)[:, None] - drawn).max(axis=2)
        assert distances.min(axis=0).max() < 1e-9
        assert distances.min(axis=1).max() < 0.011


def test_det_marks_equal_error_rates_and_has_ticks_in_percent():
    figure = detection_error_tradeoff(MATRIX)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    spread = NormalDist()
    marked = [line.get_xydata()[0].tolist() for line in axes.lines if line.get_marker() == "o"]
    rates = [pool.eer for pool in MATRIX.pools.values()]
    assert marked == [pytest.approx([spread.inv_cdf(rate)] * 2) for rate in rates]
    for axis in (axes.xaxis, axes.yaxis):
        for place, label in zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True):
            assert 100 * spread.cdf(place) == pytest.approx(float(label.get_text()))
    low, high = axes.get_xlim()
    assert low < min(map(min, marked)) and max(map(max, marked)) < high
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert [text.split(":")[0] for text in legend] == ["same", "cross", "pooled"]
    assert legend[0].endswith("] %")


@pytest.mark.parametrize("shift", [3.0, -3.0, 0.0])
def test_det_of_perfect_reversed_and_constant_scores(shift):
    scores = {("anger", "anger"): (np.full(40, shift / 4), np.full(90, -shift / 4))}
    detection_error_tradeoff(matrix_of(scores)).draw_without_rendering()


def test_det_leaves_out_pools_without_a_rate():
    scores = {("a", "a"): ([0.5, 0.2], [0.4, 0.1]), ("a", "b"): ([], [0.4, 0.1])}
    (axes,) = detection_error_tradeoff(matrix_of(scores)).axes
    names = [text.get_text().split(":")[0] for text in axes.get_legend().get_texts()]
    assert names == ["same", "pooled"]
    with pytest.raises(ValueError, match="no pool"):
        detection_error_tradeoff(matrix_of({("a", "b"): ([], [0.4])}))


def test_boxes_are_those_of_the_raw_scores():
    (axes,) = score_boxes(MATRIX, "cosine similarity").axes
    labels = [label.get_text() for label in axes.get_xticklabels()]
    cross = ["-".join(pair) for pair in SCORES if pair[0] != pair[1]]
    assert labels == ["genuine", "impostor", *cross]
    assert len(cross) == 15 and axes.get_ylabel() == "cosine similarity"
    genuine, impostor = SCORES["neutral", "neutral"]
    raw = [genuine, impostor, *(SCORES[tuple(name.split("-"))][0] for name in cross)]
    outlines = [line.get_ydata() for line in axes.lines if len(line.get_ydata()) == 5]
    whiskers = [line.get_ydata() for line in axes.lines if len(line.get_ydata()) == 2]
    assert len(outlines) == len(raw)
    ends = np.array([sorted({y for y in of}) for of in outlines])
    # bins know a quantile to their width, and a whisker that may or may not reach the next score
    for box, scores in zip(ends, raw, strict=True):
        if len(scores) > 12:
            found = boxplot_stats(scores)[0]
            assert box == pytest.approx([found["q1"], found["q3"]], abs=2 * WIDTH)
            fits = [w for w in whiskers if min(abs(w[0] - box[0]), abs(w[0] - box[1])) == 0]
            reached = sorted(w[1] for w in fits)
            assert reached[0] == pytest.approx(found["whislo"], abs=0.06)
            assert reached[-1] == pytest.approx(found["whishi"], abs=0.06)


def test_boxes_have_the_colours_of_their_emotions_and_none_where_doubted():
    figure = score_boxes(MATRIX, "cosine")
    (axes,) = figure.axes
    colours = {}
    for half in axes.patches:
        place = round(half.get_x() + 0.2)
        colours.setdefault(place, []).append(matplotlib.colors.to_hex(half.get_facecolor()).upper())
    labels = [label.get_text() for label in axes.get_xticklabels()]
    for place, label in enumerate(labels, start=1):
        pair = ("neutral", "neutral") if place < 3 else label.split("-")
        expected = None if label == FEW else [EMOTION_COLOURS[emotion] for emotion in pair]
        assert colours.get(place) == expected
    assert "without colour" in figure._supxlabel.get_text()


def test_boxes_without_a_reference_or_without_two_emotions():
    (axes,) = score_boxes(matrix_of(scores_of(("anger", "joy"))), "cosine").axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["anger-joy"]
    (axes,) = score_boxes(matrix_of(scores_of(("neutral",))), "cosine").axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["genuine", "impostor"]
    with pytest.raises(ValueError, match="no two emotions have targets"):
        score_boxes(matrix_of(scores_of(("anger",))), "cosine")


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.75, 1.0])
def test_quantiles_of_counts_are_those_of_scores_spread_evenly(share):
    counts = np.array([0, 3, 0, 0, 5, 2, 0])
    edges = np.linspace(-1, 2.5, 8)
    many = 10000
    spread = [
        np.linspace(low, low + 0.5, many * count)
        for low, count in zip(edges, counts, strict=False)
        if count
    ]
    expected = np.quantile(np.concatenate(spread), share)
    assert quantile(counts, edges, share) == pytest.approx(expected, abs=1e-3)


def test_all_scores_in_one_bin():
    matrix = matrix_of({("a", "b"): (np.full(50, 0.301), np.full(9, 0.301))})
    figure = score_boxes(matrix, "cosine")
    figure.draw_without_rendering()
    for line in figure.axes[0].lines:
        assert np.abs(np.array(line.get_ydata()) - 0.301).max() < WIDTH


def test_pyplot_with_its_global_state_is_never_imported():
    code = "import sys, emovec.report.pair_figures; sys.exit('matplotlib.pyplot' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
