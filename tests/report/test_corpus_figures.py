"""Figures of a corpus' card: what is drawn, counted and named, and that nothing overlaps."""

import matplotlib.colors
import numpy as np
import pytest

from emovec.errors import CorpusError
from emovec.labels import affect_prototype
from emovec.report.corpus_figures import affect_figure, duration_histograms
from emovec.report.style import EMOTION_COLOURS
from emovec.tables.corpus import CorpusInfo
from emovec.tables.manifest import Utterance


def clip(number, **known):
    known = {"duration": 1.0, "speaker": "a", "emotion": "anger"} | known
    return Utterance(f"{number}", f"{number}.wav", None, None, **known)


def prototypes(*emotions):
    clips = []
    for number, emotion in enumerate(emotions):
        valence, arousal, dominance = affect_prototype(emotion) or (None, None, None)
        affect = {"valence": valence, "arousal": arousal, "dominance": dominance}
        clips.append(clip(number, emotion=emotion, **affect))
    return clips


NONE = CorpusInfo("small", 4, 2)
DERIVED = CorpusInfo("small", 4, 2, affect_scale=(-1.0, 1.0), affect_source="prototype")
RATED = CorpusInfo("small", 4, 2, affect_scale=(1.0, 7.0), affect_source="rated")


def drawn(figure):
    """Points, colours and areas of the only scatter, after drawing, which may warn."""
    figure.draw_without_rendering()
    (scatter,) = figure.axes[0].collections
    colours = [matplotlib.colors.to_hex(colour).upper() for colour in scatter.get_facecolors()]
    return scatter.get_offsets().tolist(), colours, scatter.get_sizes().tolist()


def test_derived_points_have_the_area_of_their_clips():
    figure = affect_figure(DERIVED, prototypes("anger", *["happiness"] * 3, "contempt"))
    points, colours, areas = drawn(figure)
    assert points == [[0.81, 0.51], [-0.51, 0.59]]
    assert colours == [EMOTION_COLOURS["happiness"], EMOTION_COLOURS["anger"]]
    assert areas[0] == pytest.approx(3 * areas[1])
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["anger (1)", "happiness (3)"]


def test_rated_points_are_all_drawn_in_the_colour_of_their_emotion():
    random = np.random.default_rng(0)
    emotions = ["anger", "fear", "gloom", ""] * 10
    values = random.uniform(1, 7, (40, 2)).tolist()
    clips = [
        clip(number, emotion=emotion, valence=valence, arousal=arousal)
        for number, (emotion, (valence, arousal)) in enumerate(zip(emotions, values, strict=True))
    ]
    figure = affect_figure(RATED, clips)
    points, colours, _areas = drawn(figure)
    own = EMOTION_COLOURS["other"]
    expected = {"anger": EMOTION_COLOURS["anger"], "fear": EMOTION_COLOURS["fear"]}
    assert sorted(zip(map(tuple, points), colours, strict=True)) == sorted(
        (tuple(value), expected.get(emotion, own))
        for emotion, value in zip(emotions, values, strict=True)
    )
    (legend,) = figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["anger (10)", "fear (10)", "other (20)"]


def test_nothing_lies_over_anything_else_in_the_affect_figure():
    emotions = [name for name in EMOTION_COLOURS for _ in range(3)]
    clips = [
        clip(n, emotion=emotion, valence=4.0, arousal=4.0) for n, emotion in enumerate(emotions)
    ]
    figure = affect_figure(RATED, clips)
    figure.draw_without_rendering()
    (axes,), (legend,) = figure.axes, figure.legends
    boxes = axes.get_tightbbox(), legend.get_window_extent()
    assert not boxes[0].overlaps(boxes[1])
    for box in boxes:
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1


def test_no_affect_to_draw():
    for info, clips in ((RATED, [clip(0)]), (NONE, prototypes("anger"))):
        with pytest.raises(CorpusError, match="small: has no affect to draw"):
            affect_figure(info, clips)


def test_durations_that_are_not_drawn_are_counted():
    seconds = [1.0 + number / 100 for number in range(200)] + [500.0]
    figure = duration_histograms({"demo": seconds})
    figure.draw_without_rendering()
    (axes,) = figure.axes
    bars = sum(patch.get_height() for patch in axes.patches)
    beyond = 201 - bars
    assert f"{beyond:.0f} longer than" in axes.get_title()
    assert "up to 500.00 s" in axes.get_title() and 1 <= beyond <= 3
    assert axes.get_xlim()[1] < 4


@pytest.mark.parametrize("seconds", [[1.0], [2.0, 2.0], [0.1, 60.0]])
def test_durations_of_few_clips_are_all_drawn(seconds):
    figure = duration_histograms({"demo": seconds})
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert sum(patch.get_height() for patch in axes.patches) == len(seconds)
    assert "not drawn" not in axes.get_title()


def test_durations_have_a_panel_a_corpus_on_one_scale():
    random = np.random.default_rng(0)
    seconds = {"cremad": random.gamma(30, 0.08, 500), "iemocap": random.gamma(2.5, 1.8, 700)}
    seconds |= {"demo": [1.0], "ravdess": [3.0, 4.0]}
    figure = duration_histograms(seconds)
    figure.draw_without_rendering()
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert len({axes.get_xlim() for axes in panels}) == 1
    for axes, (name, values) in zip(panels, seconds.items(), strict=True):
        first, *rest = axes.get_title().split("\n")
        assert first == f"{name}, median {np.median(values):.2f} s"
        (median,) = axes.lines
        assert set(median.get_xdata()) == {np.median(values)}
        drawn = sum(patch.get_height() for patch in axes.patches)
        beyond = int(rest[0].split(" ")[0]) if rest else 0
        assert drawn + beyond == len(values) and beyond <= 0.01 * len(values)
        assert axes.get_xlabel() == "duration in seconds"
        shown = [patch for patch in axes.patches if patch.get_height()]
        left, right = axes.get_xlim()
        assert left == 0 and max(patch.get_x() + patch.get_width() for patch in shown) <= right
    for one, other in (panels[:2], panels[2:]):
        assert one.get_tightbbox().x1 <= other.get_tightbbox().x0 + 1


@pytest.mark.parametrize("seconds", [{}, {"cremad": []}])
def test_no_durations(seconds):
    with pytest.raises(ValueError, match="at least one of each corpus"):
        duration_histograms(seconds)


def test_affect_of_prototypes_is_called_derived():
    title = affect_figure(DERIVED, prototypes("anger")).axes[0].get_title()
    assert "derived from categories" in title and "rated" not in title
