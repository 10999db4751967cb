"""Models by name: what comes back, what is refused; how alike two voices are."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import emovec
from emovec import api
from emovec.encoders import locating
from emovec.encoders.pooling import MeanPooling, StylePooling
from emovec.encoders.resnet import ResNet
from emovec.encoders.store import load_model, save_model
from emovec.encoders.wavlm import WavLM
from emovec.errors import AudioError, HparamError, ModelError
from emovec.predictors import AffectPredictor, EmotionPredictor
from emovec.training.models import AffectModel, EmotionModel

AXES = ("arousal", "valence", "dominance")
AFFECT = {"affect": ["valence", "arousal", "dominance"]}


def make_encoder() -> ResNet:
    torch.manual_seed(0)
    return ResNet(channels=(4, 6), blocks=(1, 1), embedding_size=10)


def affect_model(heads: dict[str, list[str]]) -> AffectModel:
    return AffectModel(
        WavLM("tiny"), StylePooling(128), heads, 16, 0.2, 0.01, 0.1, (1, 7), 8, AXES, 0.6
    )


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "encoder"
    save_model(folder, make_encoder(), "A card.\n")
    return folder


@pytest.fixture
def files(small_corpus: Path) -> list[Path]:
    return sorted((small_corpus / "audio").iterdir())[:3]


@pytest.fixture
def nothing_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of models that come with the package; empty."""
    (tmp_path / "shipped").mkdir()
    monkeypatch.setattr(locating, "_shipped_folder", lambda: tmp_path / "shipped")
    return tmp_path / "shipped"


def test_an_encoder(encoder_folder: Path, files: list[Path]) -> None:
    encoder = emovec.load(str(encoder_folder))
    assert isinstance(encoder, api.EncoderModel)
    assert (encoder.embedding_size, encoder.sample_rate) == (10, 16000)
    assert encoder.card == "A card.\n"
    assert encoder.embed(files[0]).shape == (10,)
    assert encoder.embed(files).shape == (3, 10)


def test_a_saved_model_is_the_same(encoder_folder: Path, files: list[Path], tmp_path: Path) -> None:
    encoder = emovec.load(encoder_folder)
    encoder.save(tmp_path / "again")
    again = emovec.load(tmp_path / "again")
    assert np.array_equal(again.embed(files[0]), encoder.embed(files[0]))
    assert again.card == encoder.card


def test_predictors(tmp_path: Path, files: list[Path]) -> None:
    save_model(tmp_path / "affect", affect_model(AFFECT), "")
    affect = emovec.load(tmp_path / "affect")
    assert isinstance(affect, AffectPredictor) and affect.affect_scale == (1.0, 7.0)
    assert 1 <= affect.predict(files[0]).valence <= 7
    save_model(tmp_path / "emotion", EmotionModel(make_encoder(), ["joy", "anger"]), "Of joy.\n")
    emotion = emovec.load(tmp_path / "emotion")
    assert isinstance(emotion, EmotionPredictor) and emotion.card == "Of joy.\n"
    said = emotion.predict(files)
    assert {one.emotion for one in said} <= {"joy", "anger"}
    emotion.save(tmp_path / "again")
    assert emovec.load(tmp_path / "again").predict(files[0]).emotions == pytest.approx(
        said[0].emotions, rel=1e-4
    )


def test_a_model_without_a_card(encoder_folder: Path, tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((encoder_folder / name).read_bytes())
    assert emovec.load(tmp_path).card == ""


def test_names_that_are_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere': no such model; expected a folder"):
        emovec.load(tmp_path / "nowhere")
    with pytest.raises(ModelError, match=r"no config\.json; expected a model folder"):
        emovec.load(tmp_path)
    save_model(tmp_path / "pooling", MeanPooling(3), "")
    with pytest.raises(ModelError, match="holds MeanPooling; expected an encoder, a model"):
        emovec.load(tmp_path / "pooling")
    save_model(tmp_path / "classes", affect_model({"emotion": ["joy", "anger"]}), "")
    with pytest.raises(ModelError, match="holds AffectModel; expected"):
        emovec.load(tmp_path / "classes")


def test_devices_and_engines(encoder_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(HparamError, match="device is 'tpu'"):
        emovec.load(encoder_folder, device="tpu")
    with pytest.raises(HparamError, match="engine is 'jax'"):
        emovec.load(encoder_folder, engine="jax")
    save_model(tmp_path / "emotion", EmotionModel(make_encoder(), ["joy", "anger"]), "")
    with pytest.raises(ModelError, match="holds EmotionModel, with engine 'onnx'; expected an enc"):
        emovec.load(tmp_path / "emotion", engine="onnx")


def test_another_engine_gives_the_same(encoder_folder: Path, files: list[Path]) -> None:
    pytest.importorskip("onnx", reason="the extra onnx is not installed")
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    found = emovec.load(encoder_folder, engine="onnx").embed(files)
    wanted = emovec.load(encoder_folder, device="cpu").embed(files)
    assert np.linalg.norm(found - wanted) < 1e-4 * np.linalg.norm(wanted)


# --- similarity


def test_similarity_of_vectors() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(2, 7))
    angle = np.arccos(x @ y / np.sqrt((x @ x) * (y @ y)))
    assert emovec.similarity(x, y) == pytest.approx(np.cos(angle), abs=1e-6)
    assert emovec.similarity(list(x), 5 * x) == pytest.approx(1, abs=1e-6)
    assert emovec.similarity(x, -x) == pytest.approx(-1, abs=1e-6)
    assert all(abs(emovec.similarity(v, v)) <= 1 for v in random.normal(size=(50, 9)))


def test_similarity_of_files(encoder_folder: Path, files: list[Path]) -> None:
    encoder = emovec.load(encoder_folder)
    x, y = encoder.embed(files[:2]).astype(np.float64)
    wanted = x @ y / np.sqrt((x @ x) * (y @ y))
    for model in (encoder, encoder_folder, str(encoder_folder)):
        found = emovec.similarity(files[0], str(files[1]), model=model)
        assert isinstance(found, float) and found == pytest.approx(wanted, abs=1e-5)
    assert emovec.similarity(files[0], files[0], model=encoder) == pytest.approx(1, abs=1e-6)


def test_similarity_of_clips_that_cannot_be_used(
    encoder_folder: Path, files: list[Path], tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(9000), 16000)
    with pytest.raises(AudioError, match=r"silent\.wav: no speech is heard in it"):
        emovec.similarity(files[0], tmp_path / "silent.wav", model=encoder_folder)


def test_similarity_of_what_has_none(files: list[Path], encoder_folder: Path) -> None:
    with pytest.raises(ValueError, match="a file and a vector found"):
        emovec.similarity(files[0], np.ones(10), model=encoder_folder)
    with pytest.raises(ValueError, match="vectors and a model found"):
        emovec.similarity([1, 2], [1, 2], model=encoder_folder)
    for a, b in (([1, 2], [1, 2, 3]), (np.ones((2, 2)), np.ones((2, 2))), (1.0, 1.0)):
        with pytest.raises(ValueError, match="expected the same"):
            emovec.similarity(a, b)
    for bad in ([0, 0], [1, np.nan], [np.inf, 1]):
        with pytest.raises(ValueError, match="zero, NaN or infinite"):
            emovec.similarity([1, 2], bad)


def test_no_usual_encoder(nothing_shipped: Path, files: list[Path]) -> None:
    message = r"no model named, .*'xvector-small'.* \(none does\); expected a model folder.*Pass"
    with pytest.raises(ModelError, match=message):
        emovec.similarity(files[0], files[1])
    save_model(nothing_shipped / "other", make_encoder(), "")
    with pytest.raises(ModelError, match=r"\(other\)"):
        emovec.similarity(files[0], files[1])


def test_the_usual_encoder(nothing_shipped: Path, files: list[Path]) -> None:
    save_model(nothing_shipped / "xvector-small", make_encoder(), "")
    assert api.usual_encoder() == nothing_shipped / "xvector-small"
    named = emovec.similarity(files[0], files[1], model=nothing_shipped / "xvector-small")
    assert emovec.similarity(files[0], files[1]) == named


def test_a_folder_that_is_named_like_the_usual_encoder_is_not_taken(
    nothing_shipped: Path, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_model(nothing_shipped / "xvector-small", make_encoder(), "")
    (tmp_path / "here" / "xvector-small").mkdir(parents=True)  # which would be a fault
    wanted = emovec.similarity(files[0].resolve(), files[1].resolve())
    monkeypatch.chdir(tmp_path / "here")
    assert emovec.similarity(files[0].resolve(), files[1].resolve()) == wanted


# --- the package


def test_what_is_public() -> None:
    assert {"load", "similarity", "EmbeddingTransformer"} <= set(dir(emovec))
    assert emovec.load is api.load and emovec.similarity is api.similarity
    assert emovec.EmbeddingTransformer.__module__ == "emovec.transformer"


def test_what_load_reads_is_what_the_store_reads(encoder_folder: Path, files: list[Path]) -> None:
    wave = torch.from_numpy(soundfile.read(files[0], dtype="float32")[0])
    with torch.inference_mode():
        wanted = load_model(encoder_folder)(wave[None], torch.tensor([len(wave)]))[0].numpy()
    found = emovec.load(encoder_folder, device="cpu").embed(files[0])
    assert np.linalg.norm(found - wanted) < 1e-4 * np.linalg.norm(wanted)
