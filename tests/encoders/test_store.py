"""Model folders: what is saved comes back, and what is not whole is refused."""

import json
import resource
import signal

import pytest
import torch
from torch import nn

from emovec.encoders import store
from emovec.encoders.pooling import AttentiveStatisticsPooling, MeanPooling, StylePooling
from emovec.encoders.store import load_model, save_model
from emovec.encoders.wavlm import WavLM
from emovec.errors import ModelError, StorageError


class Pair(nn.Module):
    """A module made of modules, as the trained models are."""

    def __init__(self, encoder, pooling, axes):
        super().__init__()
        self.encoder, self.pooling, self.axes = encoder, pooling, list(axes)
        self.register_buffer("mean", torch.zeros(()))

    def arguments(self):
        return {"encoder": self.encoder, "pooling": self.pooling, "axes": self.axes}


@pytest.fixture
def pair(monkeypatch):
    monkeypatch.setitem(store.REGISTRY, "pair", f"{__name__}:Pair")
    model = Pair(WavLM("tiny", layers="weighted"), StylePooling(128), ("valence", "arousal"))
    model.mean.fill_(0.25)
    return model


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    save_model(tmp_path / "model", StylePooling(4, layer_norm=False), "A card.\n")
    return tmp_path / "model"


def edit(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


@pytest.mark.parametrize(
    "model",
    [StylePooling(4), AttentiveStatisticsPooling(4, 3), MeanPooling(4)],
    ids=lambda model: type(model).__name__,
)
def test_layers_come_back(tmp_path, model):
    save_model(tmp_path / "model", model, "A card.\n")
    again = load_model(tmp_path / "model")
    assert not again.training
    frames, lengths = torch.randn(2, 5, 4), torch.tensor([5, 2])
    assert torch.equal(again(frames, lengths), model.eval()(frames, lengths))


def test_nested_modules_come_back(tmp_path, pair):
    save_model(tmp_path / "model", pair, "A card.\n")
    again = load_model(tmp_path / "model")
    assert again.axes == ["valence", "arousal"]
    assert again.mean == 0.25
    assert again.state_dict().keys() == pair.state_dict().keys()
    waves, lengths = torch.randn(2, 3000), torch.tensor([3000, 1500])
    expected = pair.eval().pooling(*pair.encoder.frames(waves, lengths))
    assert torch.equal(again.pooling(*again.encoder.frames(waves, lengths)), expected)


def test_folder_is_readable(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "card.md",
        "config.json",
        "model.safetensors",
    ]
    assert (folder / "card.md").read_text() == "A card.\n"
    config = json.loads((folder / "config.json").read_text())
    assert config["class"] == "style_pooling"
    assert config["arguments"]["layer_norm"] is False
    assert len(config["weights_sha256"]) == 64


def test_weights_from_a_file_are_not_fetched_again(tmp_path):
    path = tmp_path / "tiny.pt"
    torch.save(WavLM("tiny").state_dict(), path)
    model = WavLM("tiny", weights=str(path))
    path.unlink()
    save_model(tmp_path / "model", model, "")
    again = load_model(tmp_path / "model")
    for name, value in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], value)


def test_an_old_folder_is_replaced(folder):
    save_model(folder, MeanPooling(2), "Another.\n")
    assert isinstance(load_model(folder), MeanPooling)
    assert (folder / "card.md").read_text() == "Another.\n"


def test_registry_names_exist():
    for name, target in store.REGISTRY.items():
        module, _, kind = target.partition(":")
        assert module.startswith("emovec.") and kind.isidentifier(), name


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_missing_files(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"no {name}"):
        load_model(folder)


def test_no_folder(tmp_path):
    with pytest.raises(ModelError, match="nowhere"):
        load_model(tmp_path / "nowhere")


def test_damaged_weights(folder):
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match="SHA-256"):
        load_model(folder)


def test_weights_of_another_model(folder, tmp_path):
    save_model(tmp_path / "other", StylePooling(4, layer_norm=True), "")
    (folder / "model.safetensors").write_bytes((tmp_path / "other/model.safetensors").read_bytes())
    other = json.loads((tmp_path / "other/config.json").read_text())
    edit(folder, weights_sha256=other["weights_sha256"])
    with pytest.raises(ModelError, match=r"2 unknown: norm\.bias, norm\.weight"):
        load_model(folder)


def test_weights_of_another_width(folder):
    edit(folder, arguments={"width": 8, "layer_norm": False})
    with pytest.raises(ModelError, match="not those of this StylePooling; size mismatch"):
        load_model(folder)


def test_unknown_class(folder):
    edit(folder, **{"class": "os:system"})
    with pytest.raises(ModelError, match=r"'os:system' is unknown; expected one of .*wavlm"):
        load_model(folder)


def test_unknown_class_within(folder):
    edit(folder, arguments={"width": {"class": "builtins:int", "arguments": {}}})
    with pytest.raises(ModelError, match="'builtins:int' is unknown"):
        load_model(folder)


@pytest.mark.parametrize(
    "arguments", [{"width": 4, "depth": 3}, {}, {"width": "four"}, {"width": -4}]
)
def test_arguments_of_another_release(folder, arguments):
    edit(folder, arguments=arguments)
    with pytest.raises(ModelError, match="arguments of 'style_pooling' do not fit"):
        load_model(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"class": "wavlm", "arguments": 3}'])
def test_configs_that_are_none(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(ModelError):
        load_model(folder)


def test_classes_outside_the_registry_are_not_saved(tmp_path):
    with pytest.raises(ModelError, match=r"torch\.nn.*Linear: cannot be saved"):
        save_model(tmp_path / "model", nn.Linear(2, 2), "")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("axes", [[{1, 2}], [float("nan")]])
def test_arguments_that_are_not_json(tmp_path, pair, axes):
    pair.axes = axes
    with pytest.raises(ModelError, match="expected JSON values"):
        save_model(tmp_path / "model", pair, "")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("limit", [100, 4096])
def test_full_disk_leaves_the_old_folder(folder, limit):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))  # writing beyond fails
    try:
        with pytest.raises(StorageError, match="could not be written"):
            save_model(folder, StylePooling(32), "")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
