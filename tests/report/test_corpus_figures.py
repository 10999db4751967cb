"""Figures of a corpus' card: what is drawn, counted and named, and that nothing overlaps."""

import matplotlib.colors
import numpy as np
import pytest

from emovec.errors import CorpusError
from emovec.labels import affect_prototype
from emovec.report.corpus_figures import affect_figure, durations_figure
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


def test_durations_figure_counts_what_it_does_not_draw():
    clips = [clip(number, duration=1.0 + number / 100) for number in range(200)]
    clips.append(clip("long", duration=500.0))
    figure = durations_figure(clips)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    bars = sum(patch.get_height() for patch in axes.patches)
    beyond = 201 - bars
    assert f"{beyond:.0f} longer than" in axes.get_title()
    assert "up to 500.00 s" in axes.get_title() and 1 <= beyond <= 3
    assert axes.get_xlim()[1] < 4


@pytest.mark.parametrize("seconds", [[1.0], [2.0, 2.0], [0.1, 60.0]])
def test_durations_figure_of_few_clips_draws_all(seconds):
    clips = [clip(number, duration=value) for number, value in enumerate(seconds)]
    figure = durations_figure(clips)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert sum(patch.get_height() for patch in axes.patches) == len(seconds)
    assert "not drawn" not in axes.get_title()


def test_affect_of_prototypes_is_called_derived():
    title = affect_figure(DERIVED, prototypes("anger")).axes[0].get_title()
    assert "derived from categories" in title and "rated" not in title
