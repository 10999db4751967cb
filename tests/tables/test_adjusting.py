"""Balanced emotions and held-out speakers, of assignments made by hand or drawn."""

from collections import Counter

import pytest

from emovec.errors import SplitError
from emovec.tables.adjusting import balanced, hold_out_valid
from emovec.tables.manifest import Utterance
from emovec.tables.protocols import speakers_drawn
from emovec.tables.splits import Assignment, SplitCheck, check_splits


def clip(id_, speaker, emotion=""):
    return Utterance(id_, f"{id_}.wav", None, None, 1.0, speaker, emotion=emotion)


def speakers_of(assignments, split):
    """Speakers of clips whose ids begin with their number."""
    return {row.id.split("-")[0] for row in assignments if row.split == split}


def test_balanced_keeps_as_many_of_every_emotion():
    numbers = {
        "train": {"anger": 9, "fear": 6},
        "test": {"anger": 2, "fear": 8},
        "valid": {"fear": 3},
    }
    utterances, assignments = [], []
    for split, emotions in numbers.items():
        for emotion, count in emotions.items():
            for number in range(count):
                id_ = f"{split}{emotion}{number}"
                utterances.append(clip(id_, "s", emotion))
                assignments.append(Assignment(id_, 0, split))
    emotion_of = {u.id: u.emotion for u in utterances}
    kept = balanced(utterances, assignments, 0, {"train": 5, "test": 5})
    assert Counter((row.split, emotion_of[row.id]) for row in kept) == {
        ("train", "anger"): 5,
        ("train", "fear"): 5,
        ("test", "anger"): 2,
        ("test", "fear"): 2,
        ("valid", "fear"): 3,
    }
    backwards = balanced(utterances[::-1], assignments[::-1], 0, {"train": 5, "test": 5})
    assert sorted(row.id for row in backwards) == sorted(row.id for row in kept)
    assert kept != balanced(utterances, assignments, 1, {"train": 5, "test": 5})


def test_an_eighth_of_the_training_speakers_validates():
    utterances = [clip(f"{n}-{take}", f"s{n}") for n in range(20) for take in range(2)]
    assignments = speakers_drawn(utterances, 0, {"train": 16, "test": 4})
    held_out = hold_out_valid(utterances, assignments, 0)
    people = {split: speakers_of(held_out, split) for split in ("train", "valid", "test")}
    assert {split: len(speakers) for split, speakers in people.items()} == {
        "train": 14,
        "valid": 2,
        "test": 4,
    }
    assert people["test"] == speakers_of(assignments, "test")
    assert check_splits(utterances, held_out) == SplitCheck((), ())
    with pytest.raises(SplitError, match="1 training speakers found"):
        hold_out_valid(utterances[:2], [Assignment(u.id, 0, "train") for u in utterances[:2]], 0)
