import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from emovec.errors import CorpusError
from emovec.labels import affect_prototype
from emovec.report.corpus_card import corpus_card, write_corpus_card
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


def test_affect_of_ratings():
    clips = [clip(0, valence=2.0, arousal=3.0), clip(1, valence=4.0)]
    card = corpus_card(RATED, clips, "")
    assert "- Source: ratings of people" in card and "- Scale: 1 to 7\n" in card
    assert "| valence | 2 | 2.00 | 3.00 | 4.00 | 1.00 |" in card
    assert "| arousal | 1 | 3.00 | 3.00 | 3.00 | 0.00 |" in card
    assert "| dominance | 0 |  |  |  |  |" in card


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
