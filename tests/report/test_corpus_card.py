import math
import subprocess
import sys
from dataclasses import replace

import matplotlib.colors
import numpy as np
import pytest

from emovec.errors import CorpusError
from emovec.labels import affect_prototype
from emovec.report.corpus_card import (
    affect_figure,
    corpus_card,
    durations_figure,
    write_corpus_card,
)
from emovec.report.style import EMOTION_COLOURS
from emovec.tables.corpus import CorpusInfo, Skip
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


INFO = CorpusInfo(
    "small",
    4,
    2,
    release="1.4",
    language="en",
    licence="CC0",
    citation="Nobody, 2020",
    warnings=("3 of 4 found",),
)
DERIVED = replace(INFO, affect_scale=(-1.0, 1.0), affect_source="prototype")
RATED = replace(INFO, affect_scale=(1.0, 7.0), affect_source="rated")
CLIPS = [
    clip(0, speaker="b", gender="female"),
    clip(1, speaker="b", gender="female", emotion="gloom", duration=3.0),
    clip(2, speaker="a|x", gender="male"),
    clip(3, speaker="", emotion=""),
]


def test_facts():
    card = corpus_card(INFO, CLIPS, "https://example.org/ask")
    assert card.startswith("# small 1.4\n\n- Release: 1.4\n- Language: en\n- Licence: CC0\n")
    assert "- Citation: Nobody, 2020\n- To be had from: https://example.org/ask\n" in card
    assert "- Clips: 4, 0 more left out\n- Speakers: 2 (1 female, 1 male)\n- Hours: 0.00\n" in card
    assert "## Affect\n\nNone.\n" in card
    assert "## Left out\n\nNone.\n" in card
    assert card.endswith("## Warnings\n\n- 3 of 4 found\n")


def test_what_is_not_known_is_said():
    card = corpus_card(CorpusInfo("x", 1, 0), [clip(0, speaker="", emotion="")], "")
    for fact in ("Release", "Language", "Licence", "Citation", "To be had from", "Speakers"):
        assert f"- {fact}: not known\n" in card
    assert "| not known | 1 | 1 |" in card
    assert "Clips a speaker" not in card
    clips = [clip(0), clip(1, gender="male"), clip(2, speaker="b")]
    assert "- Speakers: 2 (1 male, 1 of unknown gender)\n" in corpus_card(INFO, clips, "")


def test_hours():
    clips = [clip(number, duration=90.0) for number in range(60)]
    assert "- Hours: 1.50\n" in corpus_card(INFO, clips, "")


def test_speakers_by_emotions():
    lines = corpus_card(INFO, CLIPS, "").splitlines()
    start = lines.index("## Speakers and emotions") + 2
    assert lines[start : start + 8] == [
        "| speaker | anger | gloom | no label | all |",
        "|---|---|---|---|---|",
        "| a\\|x | 1 | 0 | 0 | 1 |",
        "| b | 1 | 1 | 0 | 2 |",
        "| not known | 0 | 0 | 1 | 1 |",
        "| **all** | 2 | 1 | 1 | 4 |",
        "",
        "Clips a speaker: minimum 1, median 1.5, maximum 2.",
    ]


@pytest.mark.parametrize(("speakers", "listed"), [(40, 40), (41, 20)])
def test_many_speakers(speakers, listed):
    clips = [
        clip(f"{speaker}_{take}", speaker=f"s{speaker:02}", emotion=("anger", "fear")[take % 2])
        for speaker in range(speakers)
        for take in range(speaker + 1)
    ]
    card = corpus_card(INFO, clips, "")
    rows = [line for line in card.splitlines() if line.startswith("| s") and line[3].isdigit()]
    assert len(rows) == listed
    if listed < speakers:
        assert rows[0].startswith("| s40 | 21 | 20 | 41 |")
        assert rows[-1].startswith("| s21 ")
        assert "The 20 speakers with most clips, and 21 more speakers." in card
    else:
        assert rows[0].startswith("| s00 ") and "more speakers" not in card
    total = speakers * (speakers + 1) // 2
    assert f" {total} |\n" in card  # of all, not of those that are shown
    assert f"minimum 1, median {(speakers + 1) / 2:g}, maximum {speakers}." in card


def histogram(card):
    """(label, count, bar) of its lines."""
    lines = card.split("```text\n")[1].split("\n```")[0].splitlines()
    parts = [line.rstrip("#").rstrip() for line in lines]
    return [
        (" ".join(part.split()[:-1]), int(part.split()[-1]), line.count("#"))
        for part, line in zip(parts, lines, strict=True)
    ]


def test_durations():
    seconds = [1.0, 2.0, 3.0, 4.0, 10.0]
    clips = [clip(number, duration=value) for number, value in enumerate(seconds)]
    card = corpus_card(INFO, clips, "")
    assert "| 1.00 s | 1.20 s | 2.00 s | 3.00 s | 4.00 s | 8.80 s | 10.00 s | 4.00 s |" in card
    bars = histogram(card)
    assert bars[0] == ("1 to 2 s", 1, 40)
    assert bars[4] == ("5 to 6 s", 0, 0)
    assert sum(count for _label, count, _bar in bars) == 5


@pytest.mark.parametrize("spread", [0.0, 1e-3, 0.4, 2.0])
def test_the_histogram_of_any_durations_holds_all_clips(spread):
    seconds = np.random.default_rng(0).lognormal(0.5, spread, 500)
    clips = [clip(number, duration=float(value)) for number, value in enumerate(seconds)]
    bars = histogram(corpus_card(INFO, clips, ""))
    assert sum(count for _label, count, _bar in bars) == 500
    assert len(bars) <= 12
    for label, count, bar in bars:
        low = float(label.split()[0])
        high = math.inf if label.endswith("and more") else float(label.split()[2])
        inside = np.count_nonzero((seconds >= low) & (seconds < high))
        assert count == inside
        assert (bar > 0) == (count > 0) and bar <= 40


def test_left_out_by_reason():
    skips = (
        Skip("a", "audio/a 1.wav: lasts 0.0100 s; expected at least 0.025 s"),
        Skip("b", "audio/b.wav: not found"),
        Skip("c", "audio/c.wav: lasts 0.0200 s; expected at least 0.025 s"),
        Skip("d", "is empty as published"),
    )
    card = corpus_card(replace(INFO, skipped=skips), CLIPS, "")
    assert "4 more left out" in card
    assert (
        "| clips | reason, of the first | first |\n|---|---|---|\n"
        "| 2 | lasts 0.0100 s; expected at least 0.025 s | a |\n"
        "| 1 | not found | b |\n| 1 | is empty as published | d |\n"
    ) in card


def test_affect_of_prototypes_is_never_called_rated():
    card = corpus_card(DERIVED, prototypes("anger", "happiness", "contempt"), "")
    assert "- Source: prototypes of the clips' emotion categories" in card
    assert "- Scale: -1 to 1\n" in card
    assert "| valence | 2 | -0.51 | 0.15 | 0.81 | 0.66 |" in card
    assert "rating" not in card
    title = affect_figure(DERIVED, prototypes("anger")).axes[0].get_title()
    assert "derived from categories" in title and "rated" not in title


def test_affect_of_ratings():
    clips = [clip(0, valence=2.0, arousal=3.0), clip(1, valence=4.0)]
    card = corpus_card(RATED, clips, "")
    assert "- Source: ratings of people" in card and "- Scale: 1 to 7\n" in card
    assert "| valence | 2 | 2.00 | 3.00 | 4.00 | 1.00 |" in card
    assert "| arousal | 1 | 3.00 | 3.00 | 3.00 | 0.00 |" in card
    assert "| dominance | 0 |  |  |  |  |" in card


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
    for info, clips in ((RATED, CLIPS), (INFO, prototypes("anger"))):
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


@pytest.mark.parametrize(
    ("info", "clips", "names"),
    [
        (DERIVED, prototypes("anger", "fear"), ["affect", "durations"]),
        (DERIVED, prototypes("contempt"), ["durations"]),
        (INFO, CLIPS, ["durations"]),
    ],
)
def test_written_cards_link_their_figures(tmp_path, info, clips, names):
    write_corpus_card(tmp_path / "new", info, clips, "")
    text = (tmp_path / "new" / "card.md").read_text(encoding="utf-8")
    assert text.startswith(corpus_card(info, clips, ""))
    found = sorted((tmp_path / "new" / "figures").iterdir())
    assert [path.name for path in found] == [f"{name}.png" for name in names]
    for name, path in zip(names, found, strict=True):
        assert path.read_bytes()[:4] == b"\x89PNG"
        assert f"![{name}](figures/{name}.png)" in text
    assert text.count("](") == len(names)


def test_no_clips(tmp_path):
    with pytest.raises(CorpusError, match="small: has no clips; expected at least one"):
        write_corpus_card(tmp_path, INFO, [], "")
    assert list(tmp_path.iterdir()) == []


def test_needs_no_torch():
    code = "import sys, emovec.report.corpus_card; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
