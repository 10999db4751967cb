"""Files in, numbers out: on the corpus' scale, with the region's probability."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import emovec
from emovec import sphere
from emovec.api import AffectPredictor
from emovec.encoders.pooling import StylePooling
from emovec.encoders.store import save_model
from emovec.encoders.wavlm import WavLM
from emovec.errors import AudioError, ModelError
from emovec.training.models import AffectModel

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


def loaded(folder: Path, *heads: str, bias: float = 0.5) -> AffectPredictor:
    save_model(folder / "model", make_model(*heads, bias=bias), "A card.\n")
    return emovec.load(folder / "model")


@pytest.fixture
def files(small_corpus: Path) -> list[Path]:
    return sorted((small_corpus / "audio").iterdir())[:4]


def test_one_or_many(tmp_path: Path, files: list[Path]) -> None:
    model = loaded(tmp_path, "affect", "region")
    many = model.predict(files)
    assert [said.file for said in many] == [str(path) for path in files]
    assert model.predict(files[2]) == many[2]
    assert model.predict(str(files[2])) == many[2]
    assert model.predict([]) == []
    assert len({said.valence for said in many}) == len(files)


def test_numbers_are_those_of_the_model(tmp_path: Path, files: list[Path]) -> None:
    said = loaded(tmp_path, "affect", "region", "emotion").predict(files[0])
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


def test_without_a_region_head_the_region_is_that_of_the_affect(
    tmp_path: Path, files: list[Path]
) -> None:
    said = loaded(tmp_path, "affect").predict(files[0])
    signed = [(value - 4) / 3 for value in (said.valence, said.arousal, said.dominance)]
    assert said.region == int(sphere.region(signed, 8, AXES))
    assert said.region_probability is None
    assert said.emotions == {}


@pytest.mark.parametrize(("bias", "end"), [(9.0, 7.0), (-9.0, 1.0)])
def test_no_prediction_leaves_the_scale(
    tmp_path: Path, files: list[Path], bias: float, end: float
) -> None:
    model = loaded(tmp_path, "affect", bias=bias)
    assert model.affect_scale == (1.0, 7.0)
    said = model.predict(files[0])
    assert (said.valence, said.arousal, said.dominance) == (end, end, end)


def test_what_is_behind_the_longest_clip_of_training_is_not_heard(tmp_path: Path) -> None:
    model = loaded(tmp_path, "affect")
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 16000)
    soundfile.write(tmp_path / "long.wav", wave, 16000)
    soundfile.write(tmp_path / "cut.wav", wave[:9600], 16000)
    long, cut = model.predict([tmp_path / "long.wav", tmp_path / "cut.wav"])
    assert (long.valence, long.region) == (cut.valence, cut.region)


def test_rate_channels_and_format_do_not_matter(tmp_path: Path) -> None:
    model = loaded(tmp_path, "affect")
    time = {rate: np.arange(rate // 2) / rate for rate in (16000, 48000)}
    tones = {rate: 0.3 * np.sin(2 * np.pi * 440 * seconds) for rate, seconds in time.items()}
    soundfile.write(tmp_path / "mono.wav", tones[16000], 16000)
    soundfile.write(tmp_path / "stereo.flac", np.stack([tones[48000]] * 2, axis=1), 48000)
    mono, stereo = model.predict([tmp_path / "mono.wav", tmp_path / "stereo.flac"])
    assert stereo.arousal == pytest.approx(mono.arousal, abs=0.05)


def test_files_that_cannot_be_heard(tmp_path: Path) -> None:
    model = loaded(tmp_path, "affect")
    with pytest.raises(AudioError, match=r"absent\.wav: not found"):
        model.predict(tmp_path / "absent.wav")
    soundfile.write(tmp_path / "short.wav", np.ones(1359) / 2, 16000)
    with pytest.raises(AudioError, match=r"short\.wav: 1359 samples.* at least 1360"):
        model.predict(tmp_path / "short.wav")


def test_folders_that_are_no_affect_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere: no config\.json; expected a model folder"):
        emovec.load(tmp_path / "nowhere")
    save_model(tmp_path / "encoder", WavLM("tiny"), "")
    with pytest.raises(ModelError, match="holds WavLM; expected a model that predicts affect"):
        emovec.load(tmp_path / "encoder")
    with pytest.raises(ModelError, match="holds AffectModel; expected"):
        loaded(tmp_path, "emotion")
