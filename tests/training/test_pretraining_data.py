"""What a pretraining hears; what would end it after hours is said before."""

from dataclasses import fields

import pytest

from emovec.corpora.speakers import SpeakerSelection
from emovec.encoders.wavlm import WavLM
from emovec.errors import HparamError, SplitError
from emovec.tables.corpus import Skip
from emovec.tables.manifest import Utterance
from emovec.training.pretraining_data import check_rounds, long_enough


@pytest.fixture(scope="module")
def encoder() -> WavLM:
    return WavLM("tiny")  # two layers; a frame is 1360 samples


POSSIBLE: dict = {
    "clusters": [2, 65536],
    "epochs": [1, 1],
    "target_layer": 2,
    "crop_seconds": 0.085,
}


def test_what_is_possible(encoder: WavLM) -> None:
    check_rounds(encoder, **POSSIBLE)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"clusters": []}, r"clusters is \[\] and epochs \[1, 1\]; expected a number of each"),
        ({"clusters": [100]}, r"clusters is \[100\] and epochs \[1, 1\]"),
        ({"clusters": [100, 1]}, r"clusters is \[100, 1\] .* expected 2 to 65536"),
        ({"clusters": [100, 0]}, r"clusters is \[100, 0\]"),
        ({"clusters": [100, -3]}, r"clusters is \[100, -3\]"),
        ({"clusters": [100, 65537]}, r"clusters is \[100, 65537\]"),
        ({"epochs": [1, 0]}, r"epochs \[1, 0\]; expected .* 1 or more"),
        ({"target_layer": 0}, "target_layer is 0; expected 1 to 2"),
        ({"target_layer": 3}, "target_layer is 3; expected 1 to 2"),
        ({"crop_seconds": 0.08}, "crop_seconds is 0.08; expected at least 0.085 s"),
    ],
)
def test_what_would_end_a_run_later(encoder: WavLM, changes: dict, said: str) -> None:
    with pytest.raises(HparamError, match=said):
        check_rounds(encoder, **POSSIBLE | changes)


def selection(train: list[float], valid: list[float]) -> SpeakerSelection:
    """Clips of so many seconds, of which no file is there."""
    parts = {
        name: [Utterance(f"{name}{n}", "no.wav", None, None, s) for n, s in enumerate(seconds)]
        for name, seconds in (("train", train), ("valid", valid))
    }
    before = (Skip("x", "is broken"),)
    rest = {field.name: () for field in fields(SpeakerSelection)}
    return SpeakerSelection(**rest | parts | {"skipped": before})


def test_short_clips_are_left_out_of_both_parts(encoder: WavLM) -> None:
    clips = long_enough(encoder, selection([1.0, 0.08, 0.085], [0.01, 2.0, 3.0]), 30.0)
    assert [u.id for u in clips.train] == ["train0", "train2"]
    assert [u.id for u in clips.valid] == ["valid1", "valid2"]
    assert clips.skipped == (
        Skip("x", "is broken"),
        Skip("train1", "lasts 0.080 s, too short for the encoder"),
        Skip("valid0", "lasts 0.010 s, too short for the encoder"),
    )


def test_a_part_that_is_left_empty(encoder: WavLM) -> None:
    with pytest.raises(SplitError, match="valid: 1 clips are left, 1 left out"):
        long_enough(encoder, selection([1.0, 1.0], [0.01, 1.0]), 30.0)
