import pytest
from hypothesis import given
from hypothesis import strategies as st

from emovec.labels import (
    AFFECT_AXES,
    AFFECT_PROTOTYPES,
    EMOTIONS,
    GENDERS,
    affect_prototype,
    emotion_named,
)


def test_names_are_unique_words():
    for names in (EMOTIONS, AFFECT_AXES, GENDERS):
        assert len(set(names)) == len(names)
        assert all(name.isidentifier() and name.islower() for name in names)


def test_prototypes_are_of_known_emotions_and_on_the_scale():
    assert set(AFFECT_PROTOTYPES) <= set(EMOTIONS)
    for values in AFFECT_PROTOTYPES.values():
        assert len(values) == 3 and all(-1 <= value <= 1 for value in values)


def test_prototypes_lie_where_their_names_say():
    valence, arousal, dominance = zip(*AFFECT_PROTOTYPES.values(), strict=True)
    by_valence = dict(zip(AFFECT_PROTOTYPES, valence, strict=True))
    by_arousal = dict(zip(AFFECT_PROTOTYPES, arousal, strict=True))
    by_dominance = dict(zip(AFFECT_PROTOTYPES, dominance, strict=True))
    assert max(by_valence, key=by_valence.get) == "happiness"
    assert by_arousal["anger"] > by_arousal["neutral"] > by_arousal["sadness"]
    assert by_dominance["anger"] > 0 > by_dominance["fear"]


@given(st.sampled_from(sorted(AFFECT_PROTOTYPES)), st.floats(0.01, 1.0))
def test_intensity_scales_the_prototype(emotion, intensity):
    full, scaled = affect_prototype(emotion), affect_prototype(emotion, intensity)
    assert full == AFFECT_PROTOTYPES[emotion]
    assert scaled == pytest.approx([value * intensity for value in full])


@pytest.mark.parametrize("emotion", ["calm", "contempt", "no_agreement", "", "Anger"])
def test_no_prototype(emotion):
    assert affect_prototype(emotion) is None
    assert affect_prototype(emotion, 0.5) is None


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_our_own_names_are_kept(emotion):
    assert emotion_named(emotion) == emotion_named(f" {emotion.upper()} ") == emotion


@pytest.mark.parametrize(
    ("words", "emotion"),
    [
        ("angry Angry ANG", "anger"),
        ("happy hap joy", "happiness"),
        ("Sad SAD", "sadness"),
        ("neu Neutral", "neutral"),
        ("Fear fearful FEA", "fear"),
        ("disgust Disgusted DIS", "disgust"),
        ("Surprise surprised", "surprise"),
        ("excited exc", "excitement"),
        ("Frustrated fru", "frustration"),
        ("Calm", "calm"),
        ("Boredom bored", "boredom"),
        ("Contempt", "contempt"),
        ("Other others", "other"),
    ],
)
def test_words_of_others(words, emotion):
    assert {emotion_named(word) for word in words.split()} == {emotion}


def test_what_we_have_no_name_for_is_kept():
    assert emotion_named("pain, Groan") == "pain, groan"
    assert emotion_named("") == ""
