"""What the page shows, against the Python interface on the same samples."""

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import emovec
from emovec.demo import hearing
from emovec.encoders.cards import read_card
from emovec.encoders.locating import USUAL_ENCODER, place_of
from emovec.encoders.pooling import MeanPooling
from emovec.encoders.resnet import ResNet
from emovec.encoders.wavlm import WavLM
from emovec.errors import AudioError
from emovec.labels import AFFECT_AXES, AFFECT_PROTOTYPES
from emovec.loaded import EncoderModel
from emovec.predictors import AffectPredictor, EmotionPredictor
from emovec.training.models import AffectModel, EmotionModel

RATE = 16000


def tone(seconds: float, rate: int = RATE) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return 0.3 * np.sin(2 * np.pi * 220 * time) * np.sin(2 * np.pi * 2 * time)


@pytest.fixture(scope="module")
def encoder() -> EncoderModel:
    torch.manual_seed(0)
    network = ResNet(channels=(4, 6), blocks=(1, 1), embedding_size=10, activity=True)
    return EncoderModel(network, device="cpu")


@pytest.fixture(scope="module")
def affect_predictor() -> AffectPredictor:
    """On a scale from 1 to 7, with regions, without emotions."""
    torch.manual_seed(0)
    heads = {"affect": list(AFFECT_AXES), "region": [str(number) for number in range(8)]}
    axes = ("arousal", "valence", "dominance")
    parts = (WavLM("tiny"), MeanPooling(128), heads)
    return AffectPredictor(AffectModel(*parts, 16, 0.2, 0.01, 0.1, (1, 7), 8, axes, 0.6), "", "cpu")


@pytest.fixture(scope="module")
def emotion_predictor() -> EmotionPredictor:
    torch.manual_seed(0)
    network = ResNet(channels=(4, 6), blocks=(1, 1), embedding_size=10)
    return EmotionPredictor(EmotionModel(network, ["anger", "joy", "neutral"]), "", "cpu")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "clip.wav", tone(0.8), RATE, subtype="FLOAT")
    return tmp_path / "clip.wav"


def test_affect_is_that_of_the_model_from_minus_one_to_one(affect_predictor, clip):
    found = hearing.hear(affect_predictor, clip)
    raw = affect_predictor.predict(clip)
    for axis in AFFECT_AXES:
        assert found.affect[axis] == pytest.approx((getattr(raw, axis) - 4) / 3)
    assert list(found.affect) == list(AFFECT_AXES)
    assert found.emotions == {}
    for axis, said in zip(AFFECT_AXES, found.octant.split(", "), strict=True):
        assert said == f"{'high' if found.affect[axis] >= 0 else 'low'} {axis}"


def test_files_and_their_samples_are_heard_alike(affect_predictor, clip):
    wave, _ = soundfile.read(clip, dtype="float32")
    from_wave = affect_predictor.predict(wave, RATE)
    found = hearing.hear(affect_predictor, str(clip))
    assert 4 + 3 * found.affect["arousal"] == pytest.approx(from_wave.arousal, abs=1e-5)


@pytest.mark.parametrize(
    ("rate", "channels", "subtype", "suffix"),
    [
        (RATE, 1, "PCM_16", ".wav"),
        (RATE, 2, "PCM_24", ".wav"),
        (48000, 2, "PCM_16", ".wav"),
        (44100, 1, "PCM_16", ".flac"),
        (22050, 1, "PCM_U8", ".wav"),
    ],
)
def test_other_forms_of_the_same_sound(encoder, clip, tmp_path, rate, channels, subtype, suffix):
    """Integers, channels and rates of recorders; what differs is the noise floor."""
    other = tmp_path / f"other{suffix}"
    wave = np.repeat(tone(0.8, rate)[:, None], channels, axis=1)
    soundfile.write(other, wave, rate, subtype=subtype)
    assert hearing.likeness(encoder, clip, other) > 0.97
    assert hearing.likeness(encoder, clip, other) == emovec.similarity(clip, other, model=encoder)


def test_channels_are_averaged(affect_predictor, clip, tmp_path):
    wave = tone(0.8)
    soundfile.write(tmp_path / "s.wav", np.stack([2 * wave, 0 * wave], 1), RATE, subtype="FLOAT")
    both = [hearing.hear(affect_predictor, file).affect for file in (clip, tmp_path / "s.wav")]
    assert both[0] == pytest.approx(both[1], abs=1e-4)


def test_classes_are_sorted_by_probability(emotion_predictor, clip):
    found = hearing.hear(emotion_predictor, clip)
    shares = list(found.emotions.values())
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1)
    assert found.emotions == emotion_predictor.predict(clip).emotions
    assert (found.affect, found.octant, found.prototypes) == ({}, "", {})


def test_prototypes_are_nearest_at_their_own_place():
    for emotion, prototype in AFFECT_PROTOTYPES.items():
        found = hearing.prototype_distances(np.array(prototype))
        assert next(iter(found.items())) == (emotion, 0.0)
        assert set(found) == set(AFFECT_PROTOTYPES)
        assert found["neutral"] == pytest.approx(math.hypot(*prototype))
        assert list(found.values()) == sorted(found.values())


def test_octants_are_signs():
    seen = set()
    for signs in np.ndindex(2, 2, 2):
        point = np.array([0.3, 0.5, 0.7]) * (2 * np.array(signs) - 1)
        words = [("low", "high")[sign] for sign in signs]
        expected = ", ".join(f"{w} {axis}" for w, axis in zip(words, AFFECT_AXES, strict=True))
        assert hearing.octant(point) == expected
        seen.add(expected)
    assert len(seen) == 8


@pytest.mark.parametrize(
    ("wave", "said"), [(np.zeros(RATE), "no speech is heard"), (np.zeros(40), "40 samples")]
)
def test_what_cannot_be_heard_is_told_by_name(encoder, clip, tmp_path, wave, said):
    soundfile.write(tmp_path / "mine.wav", wave, RATE)
    with pytest.raises(AudioError) as error:
        hearing.likeness(encoder, clip, tmp_path / "mine.wav")
    text = hearing.told(error.value, clip, tmp_path / "mine.wav")
    assert text.startswith(f"mine.wav: {said}")
    assert str(tmp_path) not in text


def test_what_is_no_audio_is_told_by_name(affect_predictor, tmp_path):
    (tmp_path / "mine.wav").write_text("no audio")
    with pytest.raises(AudioError) as error:
        hearing.hear(affect_predictor, tmp_path / "mine.wav")
    text = hearing.told(error.value, tmp_path / "mine.wav")
    assert "mine.wav: cannot be read" in text and str(tmp_path) not in text


def test_an_embedding_without_direction(encoder, clip, monkeypatch):
    monkeypatch.setattr(encoder, "embed", lambda clips: np.zeros((2, 10), np.float32))
    with pytest.raises(AudioError, match=r"clip\.wav"):
        hearing.likeness(encoder, clip, clip)


def test_error_rates_of_tables_with_and_without_a_first_column():
    card = """# x

The eer/pooled is | in prose.

| measured on | metric | value | clips | speakers |
|---|---|---|---|---|
| held out | eer/pooled | 0.235 [0.15, 0.42] | 9 | 3 |
| held out | wuw2/eer/pooled | 0.343 | 9 | 3 |
| RAVDESS | test_ravdess/eer/same_gender | 0.372 | 9 | 3 |
| RAVDESS | eer/cross | 0.379 | 9 | 3 |

| metric | value |
|---|---|
| eer/pooled | 0.1 |
"""
    found = [(rate.what, rate.pairs, rate.value) for rate in hearing.error_rates(card)]
    assert found == [
        ("held out", "all", "0.235 [0.15, 0.42]"),
        ("RAVDESS", "within a gender", "0.372"),
        ("", "all", "0.1"),
    ]
    assert hearing.error_rates("") == []


def test_the_usual_encoder_says_how_often_it_errs():
    if not place_of(USUAL_ENCODER).is_dir():
        pytest.skip("no model is made yet")
    found = hearing.error_rates(read_card(place_of(USUAL_ENCODER)))
    assert any("RAVDESS" in rate.what for rate in found)
    assert all(0 < float(rate.value.split()[0]) < 0.5 for rate in found)
