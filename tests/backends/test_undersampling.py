"""Undersampling: how many, which ones, and what cannot be."""

from collections import Counter
from typing import Any

import pytest

from emovec.backends.undersampling import Undersampling
from emovec.errors import HparamError, TrainingError
from emovec.tables.manifest import Utterance

CLASSES = ["anger", "fear", "neutral"]
CLIPS = [
    Utterance(f"{emotion}-{k}", "x.wav", None, None, 1.0, speaker=f"s{k % 3}", emotion=emotion)
    for emotion, clips in (("neutral", 9), ("anger", 20), ("fear", 12))
    for k in range(clips)
]


def drawn(seed: int = 0, fold: int = 0, split: str = "train", **wanted: Any) -> list[str]:
    sampling = Undersampling(**wanted, seed=seed)
    return [u.id for u in sampling.draw(CLIPS, fold, split, CLASSES)]


def counts(ids: list[str]) -> dict[str, int]:
    return dict(Counter(id_.split("-")[0] for id_ in ids))


def test_as_many_of_each_class_as_wanted_and_in_their_order() -> None:
    every = [u.id for u in CLIPS]
    for wanted, each in ((5, 5), (9, 9), ("smallest", 9)):
        found = drawn(train=wanted)
        assert counts(found) == dict.fromkeys(CLASSES, each)
        assert len(set(found)) == len(found) and found == sorted(found, key=every.index)
    assert drawn() == drawn(train=None, test=3) == every
    assert counts(drawn(split="test", train=3)) == counts(every)
    assert counts(drawn(split="test", test=3)) == dict.fromkeys(CLASSES, 3)


def test_the_draw_depends_on_the_seed_the_fold_and_the_split_alone() -> None:
    one = drawn(train=5)
    assert one == drawn(train=5)
    sampling = Undersampling(5)
    assert {u.id for u in sampling.draw(CLIPS[::-1], 0, "train", CLASSES)} == set(one)
    others = (drawn(train=5, seed=1), drawn(train=5, fold=1), drawn(test=5, split="test"))
    assert all(set(other) != set(one) for other in others)
    assert set(drawn(train=4)) < set(one)  # fewer of the same


def test_a_class_with_fewer_clips_than_wanted_is_named() -> None:
    with pytest.raises(
        TrainingError,
        match=r"fold 3: test has {'fear': 12, 'neutral': 9} clips with an embedding; expected at "
        r"least 13 of each class\. Lower the number, or set it to smallest",
    ):
        drawn(test=13, fold=3, split="test")
    without = [u for u in CLIPS if u.emotion != "fear"]
    with pytest.raises(TrainingError, match=r"train has {'fear': 0}"):
        Undersampling(2).draw(without, 0, "train", CLASSES)
    found = Undersampling("smallest").draw(without, 0, "train", CLASSES)
    assert Counter(u.emotion for u in found) == {"anger": 9, "neutral": 9}


@pytest.mark.parametrize("wanted", [0, -3, 1.5, True, "least"])
def test_what_is_no_number_is_refused(wanted: Any) -> None:
    with pytest.raises(HparamError, match="expected a number above 0, smallest or null"):
        Undersampling(wanted)
    with pytest.raises(HparamError, match="undersample_test is "):
        Undersampling(test=wanted)
