"""Embeddings of files and waves by a loaded encoder; the model back in a folder, on the hub."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from emovec import loaded
from emovec.audio.inputs import collect
from emovec.audio.loading import load as load_audio
from emovec.encoders.base import Encoder
from emovec.encoders.extraction import extract_table
from emovec.encoders.resnet import ResNet
from emovec.encoders.store import load_model
from emovec.encoders.wavlm import WavLM
from emovec.errors import AudioError, HparamError, StorageError
from emovec.loaded import EncoderModel


@pytest.fixture(scope="module")
def encoder() -> ResNet:
    torch.manual_seed(0)
    return ResNet(channels=(4, 6), blocks=(1, 1), embedding_size=10).eval()


@pytest.fixture(scope="module")
def model(encoder: ResNet) -> EncoderModel:
    return EncoderModel(encoder, "A card.\n", device="cpu")


@pytest.fixture
def files(small_corpus: Path) -> list[Path]:
    return sorted((small_corpus / "audio").iterdir())[:5]


def expected(encoder: Encoder, path: Path) -> np.ndarray:
    """Of one clip, by torch."""
    wave = torch.from_numpy(load_audio(path))
    with torch.inference_mode():
        return encoder(wave[None], torch.tensor([len(wave)]))[0].numpy()


def close(found: np.ndarray, wanted: np.ndarray) -> bool:
    return np.linalg.norm(found - wanted) <= 1e-4 * np.linalg.norm(wanted)


def test_one_file_and_several(model: EncoderModel, encoder: ResNet, files: list[Path]) -> None:
    one = model.embed(files[0])
    assert one.shape == (model.embedding_size,) == (10,) and one.dtype == np.float32
    assert close(one, expected(encoder, files[0]))
    many = model.embed(files)
    assert many.shape == (5, 10) and many.dtype == np.float32
    for row, path in zip(many, files, strict=True):
        assert close(row, expected(encoder, path))
    assert close(model.embed([str(path) for path in reversed(files)]), many[::-1])
    assert model.embed([files[3]]).shape == (1, 10)
    assert model.embed([]).shape == (0, 10)


def test_waves_give_what_their_files_give(model: EncoderModel, files: list[Path]) -> None:
    waves = [soundfile.read(path)[0] for path in files]  # float64
    assert close(model.embed(waves, 16000), model.embed(files))
    integers = soundfile.read(files[1], dtype="int16")[0]
    assert close(model.embed(integers, sample_rate=16000), model.embed(files[1]))


def test_any_rate(model: EncoderModel, files: list[Path], tmp_path: Path) -> None:
    wave, _ = soundfile.read(files[0], dtype="float32")
    twice = np.repeat(wave, 2)
    soundfile.write(tmp_path / "a.flac", np.stack([twice, twice], axis=1), 32000)
    assert close(model.embed(tmp_path / "a.flac"), model.embed([twice], 32000)[0])


def test_clips_are_held_a_few_at_a_time(
    model: EncoderModel, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    together = model.embed(files)
    sizes = []
    original = loaded._by_seconds

    def counted(*arguments: object) -> object:
        for group in original(*arguments):
            sizes.append(len(group))
            yield group

    monkeypatch.setattr(loaded, "_by_seconds", counted)
    monkeypatch.setattr(loaded, "SECONDS_AT_ONCE", 1.0)
    assert close(model.embed(files), together)
    assert sum(sizes) == 5 and len(sizes) > 1 and max(sizes) > 1


def test_clips_that_cannot_be_used(model: EncoderModel, files: list[Path], tmp_path: Path) -> None:
    soundfile.write(tmp_path / "short.wav", np.ones(399) / 2, 16000)
    with pytest.raises(AudioError, match=r"short\.wav: 399 samples at 16000 Hz; .*400 \(25 ms\)"):
        model.embed([files[0], tmp_path / "short.wav"])
    with pytest.raises(AudioError, match=r"wave 1: no speech is heard in it"):
        model.embed([soundfile.read(files[0])[0], np.zeros(9000)], 16000)
    soundfile.write(tmp_path / "silent.wav", np.zeros(9000), 16000)
    with pytest.raises(AudioError, match=r"silent\.wav: no speech is heard in it"):
        model.embed([*files, tmp_path / "silent.wav"])
    with pytest.raises(AudioError, match=r"wave: 399 samples"):
        model.embed(np.ones(399), 16000)


def test_a_clip_is_too_long_where_it_is_for_an_extraction(
    model: EncoderModel, encoder: ResNet, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "long.wav", np.full(70_000, 0.5), 100, subtype="PCM_U8")
    message = r"long\.wav: lasts 700 s; expected at most 600 s for one embedding.*--window"
    with pytest.raises(AudioError, match=message):
        model.embed(tmp_path / "long.wav")
    clips = collect([tmp_path]).utterances
    with pytest.raises(AudioError, match=message):
        extract_table(encoder, clips, tmp_path, tmp_path / "out", name="small")
    found = extract_table(encoder, clips, tmp_path, tmp_path / "out", name="small", window=50.0)
    assert found.written == 1


def test_the_modes_of_the_encoder_do_not_matter(encoder: ResNet, files: list[Path]) -> None:
    wavlm = WavLM("tiny").train()
    model = EncoderModel(wavlm, device="cpu")
    assert np.array_equal(model.embed(files[0]), model.embed(files[0]))


def test_devices(encoder: ResNet) -> None:
    wanted = "cuda" if torch.cuda.is_available() else "cpu"
    assert loaded.checked_device(None) == wanted
    assert loaded.checked_device("cpu") == "cpu"
    for device in ("gpu", "cuda:99", "", 7):
        with pytest.raises(HparamError, match=rf"device is {device!r}, .*expected such as 'cpu'"):
            EncoderModel(encoder, device=device)


def test_onnx_gives_the_same(encoder: ResNet, model: EncoderModel, files: list[Path]) -> None:
    pytest.importorskip("onnx", reason="the extra onnx is not installed")
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    fast = EncoderModel(encoder, engine="onnx")
    for found, wanted in zip(fast.embed(files), model.embed(files), strict=True):
        assert close(found, wanted)
    with pytest.raises(AudioError, match="wave: no speech is heard"):
        fast.embed(np.zeros(9000), 16000)


def test_engines(encoder: ResNet) -> None:
    with pytest.raises(HparamError, match="engine is 'tensorrt'; expected 'torch' or 'onnx'"):
        EncoderModel(encoder, engine="tensorrt")
    with pytest.raises(HparamError, match="device is 'cuda' with engine 'onnx'; expected 'cpu'"):
        EncoderModel(encoder, device="cuda", engine="onnx")


def test_saved_and_loaded(model: EncoderModel, files: list[Path], tmp_path: Path) -> None:
    for _ in range(2):  # the second replaces the first
        model.save(tmp_path / "a model")
    names = sorted(path.name for path in (tmp_path / "a model").iterdir())
    assert names == ["card.md", "config.json", "model.safetensors"]
    assert (tmp_path / "a model" / "card.md").read_text() == "A card.\n"
    again = EncoderModel(load_model(tmp_path / "a model"), device="cpu")
    assert np.array_equal(again.embed(files[0]), model.embed(files[0]))


def test_nothing_but_a_model_is_replaced(model: EncoderModel, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("years of work")
    (tmp_path / "file").write_text("mine")
    for name, found in (("thesis", r"thesis\.tex"), ("file", "file")):
        with pytest.raises(StorageError, match=rf"{name}: holds \['{found}'\]; expected a new"):
            model.save(tmp_path / name)
    assert (tmp_path / "thesis" / "thesis.tex").read_text() == "years of work"
    assert (tmp_path / "file").read_text() == "mine"


def test_published(model: EncoderModel, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    sent: dict[str, object] = {}

    class Hub:
        def create_repo(self, repository: str, private: bool, exist_ok: bool) -> None:
            sent[repository] = private

        def create_commit(
            self, repository: str, operations: list, commit_message: str
        ) -> SimpleNamespace:
            sent["files"] = sorted(operation.path_in_repo for operation in operations)
            return SimpleNamespace(oid="0123abc")

    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    assert model.push_to_hub("me/voices", private=False) == "me/voices@0123abc"
    assert sent["me/voices"] is False
    assert sent["files"] == ["README.md", "card.md", "config.json", "model.safetensors"]
