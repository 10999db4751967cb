"""Following a protocol: its clips, its classes, and the numbers that were published for it."""

import pytest

from emovec import corpora
from emovec.corpora.base import Protocol
from emovec.corpora.splitting import follow
from emovec.errors import SplitError
from emovec.tables.manifest import Utterance
from emovec.tables.splits import Assignment


def clip(id_, emotion="anger", duration=2.0, valence=None, speaker="s"):
    affect = {"valence": valence, "arousal": valence, "dominance": valence}
    return Utterance(id_, "a.wav", None, None, duration, speaker, emotion=emotion, **affect)


def all_train(utterances, _seed):
    return [Assignment(u.id, 0, "train") for u in utterances]


def test_classes_are_merged_and_others_left_out():
    merged = {"happiness": "happiness", "excitement": "happiness"}
    utterances = [clip("a", "happiness"), clip("b", "excitement"), clip("c", "fear"), clip("d", "")]
    found = follow("mine", Protocol(all_train, emotions=merged), utterances, 0)
    assert [(u.id, u.emotion) for u in found.utterances] == [("a", "happiness"), ("b", "happiness")]
    assert [row.id for row in found.assignments] == ["a", "b"]
    assert found.left_out == {
        "c": "emotion is fear: not in mine",
        "d": "emotion is not known: not in mine",
    }
    assert utterances[1].emotion == "excitement"  # the corpus' own name stays in the manifest


def test_short_clips_and_those_without_affect_are_left_out():
    utterances = [clip("a", valence=1.0), clip("b"), clip("c", valence=1.0, duration=0.99)]
    protocol = Protocol(all_train, with_affect=True, shortest=1.0)
    assert follow("mine", protocol, utterances, 0).left_out == {
        "b": "valence, arousal or dominance is not known: not in mine",
        "c": "lasts 0.99 s: not in mine",
    }


def test_nothing_left():
    with pytest.raises(SplitError, match=r"mine: none of 1 clips .* expected emotions \['fear'\]"):
        follow("mine", Protocol(all_train, emotions={"fear": "fear"}), [clip("a")], 0)


def test_numbers_are_compared_with_the_published_ones():
    def two_folds(utterances, _seed):
        first, second, third = (u.id for u in utterances)
        folds = [(first, 0, "test"), (second, 0, "train"), (third, 0, "train")]
        return [Assignment(*row) for row in [*folds, (first, 1, "train"), (second, 1, "test")]]

    utterances = [
        clip("a", speaker="1"),
        clip("b", "fear", speaker="1"),
        clip("c", speaker=""),
    ]
    right = {
        "clips": 3,
        "anger": 2,
        "speakers": 1,
        "train/clips": 3,
        "fold 1/train/clips": 1,
        "fold 0/test/anger": 1,
        "fold 1/test/anger": 0,
    }
    assert follow("mine", Protocol(two_folds, published=right), utterances, 0).warnings == ()
    for key, number in right.items():
        protocol = Protocol(two_folds, published={**right, key: number + 1})
        assert follow("mine", protocol, utterances, 0).warnings == (
            f"mine: {number} {key} found, {number + 1} published",
        )


def test_any_number_of_folds_over_speakers():
    utterances = [clip(str(number), speaker=str(number % 9)) for number in range(18)]
    corpus = corpora.get("nemo")
    for name, folds in {"group-kfold": 5, "group-3fold": 3, "group-8fold": 8}.items():
        assignments = corpora.split(corpus, name, utterances, 0).assignments
        assert {row.fold for row in assignments} == set(range(folds))
    assert corpora.split(corpus, "group-5fold", utterances, 1).assignments == (
        corpora.split(corpus, "group-kfold", utterances, 1).assignments
    )
    for name in ("group-2fold", "group-0fold", "group-fold", "group-08fold", "group-99999fold"):
        with pytest.raises(SplitError, match=f"protocol is '{name}'; expected .* group-3fold"):
            corpora.protocol(corpus, name)
