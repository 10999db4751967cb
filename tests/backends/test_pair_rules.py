"""Which clips have trials: what is foreseen, against all pairs looked at one by one."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emovec.backends.pair_rules import PairRules
from emovec.errors import HparamError, SplitError
from emovec.metrics.pair_blocks import ALONE
from emovec.metrics.pair_scores import cosine_scores
from emovec.tables.manifest import Utterance

ABOUT = st.tuples(*(st.sampled_from(names) for names in (("", "a", "b"), ("", "f", "m"), "xyz")))


def clips(*labels: tuple[str, str, str]) -> list[Utterance]:
    """Of (speaker, gender, text)."""
    return [
        Utterance(str(n), "a.wav", None, None, 1.0, speaker, gender, text=text, emotion="neutral")
        for n, (speaker, gender, text) in enumerate(labels)
    ]


def allowed(rules: PairRules, one: Utterance, other: Utterance) -> bool:
    if not (one.speaker and other.speaker):
        return False
    if rules.same_gender and not (one.gender and one.gender == other.gender):
        return False
    return rules.texts == "any" or (one.text == other.text) == (rules.texts == "same")


@given(
    st.lists(ABOUT, min_size=2, max_size=7),
    st.booleans(),
    st.sampled_from(["any", "same", "different"]),
)
def test_both_kinds_of_trials_are_foreseen(labels, same_gender, texts):
    rules = PairRules(same_gender=same_gender, texts=texts, draws=0)
    some = clips(*labels)
    pairs = [pair for pair in combinations(some, 2) if allowed(rules, *pair)]
    kinds = {one.speaker == other.speaker for one, other in pairs}
    if kinds != {True, False}:
        with pytest.raises((HparamError, SplitError)):
            rules.check(some)
        return
    rules.check(some)
    scores = cosine_scores(np.random.default_rng(0).normal(size=(len(some), 3)))
    assert {frozenset(u.id for u in pair) for pair in rules.pairs(scores, some)} == {
        frozenset(u.id for u in pair) for pair in pairs
    }
    pooled = rules.matrix(scores, some, ALONE).pools["pooled"]
    assert pooled.targets + pooled.impostors == len(pairs)


def test_it_is_said_which_kind_is_missing():
    one_speaker = clips(("a", "f", ""), ("a", "f", ""))
    with pytest.raises(SplitError, match="2 clips of 1 known speakers have no pairs of two speake"):
        PairRules().check(one_speaker)
    with pytest.raises(SplitError, match="no pairs of one speaker and none of two speakers"):
        PairRules().check(clips(("a", "f", ""), ("b", "m", "")))
    with pytest.raises(HparamError, match=r"2 clips have no gender; .* Pass --same_gender=False"):
        PairRules().check(clips(("a", "", ""), ("b", "", "")))
    with pytest.raises(SplitError, match="0 clips"):
        PairRules().check([])


def test_the_reference_is_an_emotion_of_the_corpus_unless_there_are_none():
    some = clips(("a", "f", ""), ("a", "f", ""), ("b", "f", ""))
    PairRules().check(some)
    with pytest.raises(HparamError, match=r"'joy', an emotion of no clip; .* \['neutral'\]"):
        PairRules(reference="joy").check(some)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"texts": "other"}, "texts is 'other'; expected one of"),
        ({"intervals": "foo"}, "intervals is 'foo'; expected one of"),
        ({"draws": -1}, "draws is '-1'; expected 0 or more"),
        ({"draws": 1.5}, "draws is '1.5'"),
        ({"same_gender": "yes"}, "same_gender is 'yes'; expected True or False"),
    ],
)
def test_values_that_cannot_be(option, message):
    with pytest.raises(HparamError, match=message):
        PairRules(**option)
