"""Clips in, affect or emotions out: on the corpus' scale, with probabilities."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from emovec import sphere
from emovec.audio.loading import load as load_audio
from emovec.encoders.pooling import StylePooling
from emovec.encoders.resnet import ResNet
from emovec.encoders.wavlm import WavLM
from emovec.errors import AudioError
from emovec.predictors import AffectPrediction, AffectPredictor, EmotionPredictor
from emovec.training.models import AffectModel, EmotionModel

AXES = ("arousal", "valence", "dominance")
HEADS = {
    "affect": ["valence", "arousal", "dominance"],
    "region": [str(number) for number in range(8)],
    "emotion": ["anger", "neutral"],
}


def make_model(*heads: str, bias: float = 0.5) -> AffectModel:
    torch.manual_seed(0)
    chosen = {name: HEADS[name] for name in heads}
    encoder = WavLM("tiny")
    model = AffectModel(
        encoder, StylePooling(128), chosen, 16, 0.2, 0.01, 0.1, (1, 7), 8, AXES, 0.6
    )
    if "affect" in heads:
        torch.nn.init.constant_(model.heads["affect"][-1].bias, bias)
    return model


def predictor(*heads: str, bias: float = 0.5) -> AffectPredictor:
    return AffectPredictor(make_model(*heads, bias=bias), device="cpu")


def numbers(said: AffectPrediction) -> list[float]:
    return [said.valence, said.arousal, said.dominance, *said.emotions.values()]


@pytest.fixture
def files(small_corpus: Path) -> list[Path]:
    return sorted((small_corpus / "audio").iterdir())[:4]


def test_one_or_many(files: list[Path]) -> None:
    model = predictor("affect", "region", "emotion")
    many = model.predict(files)
    assert [said.file for said in many] == [str(path) for path in files]
    for path, among_others in zip(files, many, strict=True):
        alone = model.predict(path)
        assert numbers(alone) == pytest.approx(numbers(among_others), rel=1e-4)
        assert (alone.file, alone.region) == (among_others.file, among_others.region)
    assert model.predict(str(files[2])) == model.predict(files[2])
    assert model.predict([]) == []
    assert len({said.valence for said in many}) == len(files)
    lengths = {min(soundfile.info(path).frames, 9600) for path in files}
    assert len(lengths) > 2  # ragged, or nothing was shown


def test_waves(files: list[Path]) -> None:
    model = predictor("affect")
    waves = [soundfile.read(path)[0] for path in files[:2]]
    several = model.predict(waves, 16000)
    assert [said.file for said in several] == ["wave 0", "wave 1"]
    alone = model.predict(waves[1], sample_rate=16000)
    assert alone.file == "wave"
    wanted = numbers(model.predict(files[1]))
    assert numbers(alone) == pytest.approx(wanted, rel=1e-4)
    assert numbers(several[1]) == pytest.approx(wanted, rel=1e-4)


def test_numbers_are_those_of_the_model(files: list[Path]) -> None:
    said = predictor("affect", "region", "emotion").predict(files[0])
    wave = torch.from_numpy(soundfile.read(files[0], dtype="float32")[0][: int(0.6 * 16000)])
    with torch.no_grad():
        outputs = make_model("affect", "region", "emotion").eval()(
            wave[None], torch.tensor([len(wave)])
        )
    expected = 1 + 6 * outputs["affect"][0]
    assert [said.valence, said.arousal, said.dominance] == pytest.approx(expected.tolist())
    shares = outputs["region"][0].exp() / outputs["region"][0].exp().sum()
    assert said.region == int(shares.argmax())
    assert said.region_probability == pytest.approx(float(shares.max()), rel=1e-5)
    assert 0 < said.region_probability <= 1
    assert list(said.emotions) == ["anger", "neutral"]
    assert sum(said.emotions.values()) == pytest.approx(1)


def test_without_a_region_head_the_region_is_that_of_the_affect(files: list[Path]) -> None:
    said = predictor("affect").predict(files[0])
    signed = [(value - 4) / 3 for value in (said.valence, said.arousal, said.dominance)]
    assert said.region == int(sphere.region(signed, 8, AXES))
    assert said.region_probability is None
    assert said.emotions == {}


@pytest.mark.parametrize(("bias", "end"), [(9.0, 7.0), (-9.0, 1.0)])
def test_no_prediction_leaves_the_scale(files: list[Path], bias: float, end: float) -> None:
    model = predictor("affect", bias=bias)
    assert model.affect_scale == (1.0, 7.0)
    said = model.predict(files[0])
    assert (said.valence, said.arousal, said.dominance) == (end, end, end)


def test_what_is_behind_the_longest_clip_of_training_is_not_heard(tmp_path: Path) -> None:
    model = predictor("affect")
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 16000)
    soundfile.write(tmp_path / "long.wav", wave, 16000)
    soundfile.write(tmp_path / "cut.wav", wave[:9600], 16000)
    long, cut = model.predict([tmp_path / "long.wav", tmp_path / "cut.wav"])
    assert numbers(long) == pytest.approx(numbers(cut), rel=1e-5)


def test_rate_channels_and_format_do_not_matter(tmp_path: Path) -> None:
    model = predictor("affect")
    time = {rate: np.arange(rate // 2) / rate for rate in (16000, 48000)}
    tones = {rate: 0.3 * np.sin(2 * np.pi * 440 * seconds) for rate, seconds in time.items()}
    soundfile.write(tmp_path / "mono.wav", tones[16000], 16000)
    soundfile.write(tmp_path / "stereo.flac", np.stack([tones[48000]] * 2, axis=1), 48000)
    mono, stereo = model.predict([tmp_path / "mono.wav", tmp_path / "stereo.flac"])
    assert stereo.arousal == pytest.approx(mono.arousal, abs=0.05)


def test_files_that_cannot_be_heard(tmp_path: Path) -> None:
    model = predictor("affect")
    with pytest.raises(AudioError, match=r"absent\.wav: not found"):
        model.predict(tmp_path / "absent.wav")
    soundfile.write(tmp_path / "short.wav", np.ones(1359) / 2, 16000)
    with pytest.raises(AudioError, match=r"short\.wav: 1359 samples.* at least 1360"):
        model.predict(tmp_path / "short.wav")


def test_an_affect_model_that_listens_for_speech() -> None:
    torch.manual_seed(0)
    encoder = ResNet(channels=(4, 6), blocks=(1, 1), embedding_size=10)
    deviation = 1e-3
    model = AffectPredictor(
        AffectModel(
            encoder, StylePooling(6), {"affect": HEADS["affect"]}, 8, 0.0, 0.0, deviation, (1, 5),
            8, AXES, 1.0,
        ),
        device="cpu",
    )  # fmt: skip
    quiet = 2e-4 * np.random.default_rng(0).standard_normal(9000)
    assert not encoder.hears(torch.from_numpy(quiet).float()[None], torch.tensor([9000])).item()
    assert 1 <= model.predict(quiet, 16000).valence <= 5  # loud once it is scaled
    with pytest.raises(AudioError, match="wave: no speech is heard in it"):
        model.predict(np.zeros(9000), 16000)


def test_embeddings_are_what_the_heads_take(files: list[Path]) -> None:
    model, module = predictor("affect"), make_model("affect").eval()
    found = model.embed(files)
    assert found.shape == (len(files), model.embedding_size)
    wave = torch.from_numpy(load_audio(files[0], max_seconds=0.6))
    with torch.inference_mode():
        wanted = module.embed(wave[None], torch.tensor([len(wave)]))[0].numpy()
    assert np.linalg.norm(found[0] - wanted) < 1e-4 * np.linalg.norm(wanted)


# --- emotions


def emotion_model(pooling: bool) -> EmotionModel:
    torch.manual_seed(1)
    encoder = ResNet(channels=(4, 6), blocks=(1, 1), embedding_size=10)
    made = StylePooling(6) if pooling else None
    return EmotionModel(encoder, ["anger", "neutral", "joy"], made, max_seconds=0.4)


@pytest.mark.parametrize("pooling", [False, True])
def test_emotions_are_those_of_the_model(pooling: bool, files: list[Path]) -> None:
    model = EmotionPredictor(emotion_model(pooling), device="cpu")
    assert model.classes == ["anger", "neutral", "joy"]
    said = model.predict(files)
    module = emotion_model(pooling).eval()
    for path, prediction in zip(files, said, strict=True):
        wave = torch.from_numpy(load_audio(path, max_seconds=0.4))
        with torch.inference_mode():
            logits = module(wave[None], torch.tensor([len(wave)]))["emotion"][0]
        shares = (logits.exp() / logits.exp().sum()).tolist()
        assert prediction.file == str(path)
        assert list(prediction.emotions) == model.classes
        assert list(prediction.emotions.values()) == pytest.approx(shares, rel=1e-4)
        assert prediction.emotion == model.classes[shares.index(max(shares))]
        alone = model.predict(path)
        assert list(alone.emotions.values()) == pytest.approx(shares, rel=1e-4)
    assert model.embed(files[0]).shape == (model.embedding_size,)
    with pytest.raises(AudioError, match="wave: no speech is heard in it"):
        model.predict(np.zeros(9000), 16000)


def test_emotions_of_far_logits_are_finite() -> None:
    module = emotion_model(pooling=False)
    torch.nn.init.constant_(module.output[-1].weight, 0.0)
    with torch.no_grad():
        module.output[-1].bias.copy_(torch.tensor([-2000.0, 3000.0, 0.0]))
    noise = 0.1 * np.random.default_rng(0).standard_normal(9000)
    said = EmotionPredictor(module, device="cpu").predict(noise, 16000)
    assert said.emotions == {"anger": 0.0, "neutral": 1.0, "joy": 0.0}
    assert said.emotion == "neutral"
