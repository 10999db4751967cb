"""Models that ship: in half precision, and as what they add to another one."""

import json
import shutil

import pytest
import torch

from emovec.encoders import locating, shipping, store
from emovec.encoders.pooled import PooledEncoder
from emovec.encoders.pooling import MeanPooling
from emovec.encoders.resnet import ResNet
from emovec.encoders.shipping import check_sizes, halved, shipped_form
from emovec.encoders.store import check_folder, load_model, save_model, write_model
from emovec.encoders.wavlm import WavLM
from emovec.errors import ModelError
from emovec.training.models import AffectModel, EmotionModel

AFFECT = {"affect": ["valence", "arousal", "dominance"]}


def affect_model(encoder):
    axes = ("arousal", "valence", "dominance")
    return AffectModel(encoder, MeanPooling(128), AFFECT, 16, 0.2, 0.01, 0.1, (-1, 1), 8, axes, 9)


def write(folder, model, stands_on=None):
    folder.mkdir(parents=True)
    write_model(folder, *shipped_form(model, stands_on or {}))
    (folder / "card.md").write_text("A card.\n")
    return folder


def edit(folder, change):
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Models of a package, of which one is another with heads."""
    folder = tmp_path / "package"
    monkeypatch.setattr(locating, "_shipped_folder", lambda: folder)
    torch.manual_seed(0)
    write(folder / "base", WavLM("tiny"))
    write(folder / "whole", affect_model(load_model(folder / "base")), {"encoder": "base"})
    return folder


@pytest.fixture
def waves():
    return torch.randn(2, 9000, generator=torch.Generator().manual_seed(0)) / 10


def test_parameters_are_halved_and_buffers_are_not():
    model = ResNet(channels=(4,), blocks=(1,), embedding_size=6)
    state = halved(model)
    assert state.keys() == model.state_dict().keys()
    learnt = {name for name, _ in model.named_parameters()}
    assert {value.dtype for name, value in state.items() if name in learnt} == {torch.float16}
    for name, value in model.state_dict().items():
        if name not in learnt:
            assert state[name].dtype == value.dtype and torch.equal(state[name], value)
    assert any(value.dtype == torch.int64 for value in state.values())


def test_it_is_loaded_as_float32(tmp_path, waves):
    torch.manual_seed(1)
    model = WavLM("tiny").eval()
    folder = write(tmp_path / "model", model)
    again = load_model(folder)
    assert {value.dtype for value in again.parameters()} == {torch.float32}
    for name, value in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], value.half().float()) or name not in dict(
            model.named_parameters()
        )
    lengths = torch.tensor([9000, 6000])
    with torch.inference_mode():
        was, found = model(waves, lengths), again(waves, lengths)
    assert 0 < (found - was).norm() < 0.01 * was.norm()
    assert (folder / "model.safetensors").stat().st_size < 0.6 * 4 * sum(
        value.numel() for value in model.parameters()
    )


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e5])
def test_what_float16_cannot_hold(bad):
    model = MeanPooling(2)
    model.weight = torch.nn.Parameter(torch.tensor([1.0, bad]))
    with pytest.raises(ModelError, match="NaN, infinite or beyond 65504 in weight"):
        halved(model)


def test_a_model_on_another_is_whole_again(package, waves):
    assert check_folder(package / "whole") == []
    names = store.read_weights(package / "whole" / "model.safetensors").keys()
    assert names and not any(name.startswith("encoder.") for name in names)
    model = load_model(package / "whole")
    for name, value in load_model(package / "base").state_dict().items():
        assert torch.equal(model.encoder.state_dict()[name], value)
    assert model(waves, torch.tensor([9000, 5000]))["affect"].shape == (2, 3)


def test_it_is_the_model_that_was_trained(package, tmp_path, waves):
    trained = affect_model(load_model(package / "base")).eval()
    again = load_model(write(package / "third", trained, {"encoder": "base"}))
    lengths = torch.tensor([9000, 5000])
    with torch.inference_mode():
        was, found = trained(waves, lengths)["affect"], again(waves, lengths)["affect"]
    assert torch.allclose(found, was, rtol=0.02, atol=1e-3)
    save_model(tmp_path / "saved", again, "")  # whole, needs no package
    shutil.rmtree(package)
    with torch.inference_mode():
        assert torch.equal(load_model(tmp_path / "saved")(waves, lengths)["affect"], found)


def test_a_part_that_did_not_stay_frozen(package):
    model = affect_model(load_model(package / "base"))
    with torch.no_grad():
        next(model.encoder.parameters()).add_(0.1)
    with pytest.raises(ModelError, match=r"encoder is not base: .* differ; .* freeze it"):
        shipped_form(model, {"encoder": "base"})


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"activity": False}, "activity"), ({"sample_rate": 8000}, "sample_rate")],
)
def test_a_part_with_other_arguments(package, changes, said):
    """Its weights are the same; as the shipped one it would hear something else."""
    small = {"channels": (4,), "blocks": (1,), "embedding_size": 6}
    write(package / "voice", ResNet(**small))
    trained = ResNet(**small, **changes)
    trained.load_state_dict(load_model(package / "voice").state_dict(), strict=False)
    with pytest.raises(ModelError, match=rf"encoder is not voice: .*{said}.* differ"):
        shipped_form(EmotionModel(trained, ["a", "b"]), {"encoder": "voice"})
    same = ResNet(**small)
    same.load_state_dict(load_model(package / "voice").state_dict())
    config, _ = shipped_form(EmotionModel(same, ["a", "b"]), {"encoder": "voice"})
    assert config["arguments"]["encoder"]["shipped"] == "voice"


def test_a_part_with_other_arguments_inside_of_an_argument(package):
    def pooled(layers):
        return PooledEncoder(WavLM("tiny", layers=layers), MeanPooling(128), 6, activity=False)

    torch.manual_seed(3)
    write(package / "pooled", pooled("last"))
    trained = load_model(package / "pooled")
    trained.encoder._arguments["layers"] = "weighted"
    with pytest.raises(ModelError, match=r"encoder is not pooled: encoder\.layers differ"):
        shipped_form(EmotionModel(trained, ["a", "b"]), {"encoder": "pooled"})


def test_what_acts_in_training_alone_may_differ(package):
    trained = WavLM("tiny", dropout=0.2, layer_drop=0.1, mask_time_probability=0.3)
    trained.load_state_dict(load_model(package / "base").state_dict())
    config, _ = shipped_form(affect_model(trained), {"encoder": "base"})
    assert config["arguments"]["encoder"]["shipped"] == "base"


@pytest.mark.parametrize("part", ["pooling", "decoder"])
def test_a_part_that_is_something_else(package, part):
    with pytest.raises(ModelError, match=f"{part} is not base"):
        shipped_form(affect_model(load_model(package / "base")), {part: "base"})


def test_weights_of_the_other_are_rounded_once(package):
    """A run that starts from the trained weights instead of the shipped ones will do, too."""
    torch.manual_seed(0)
    trained = WavLM("tiny")  # of which base is made
    config, _ = shipped_form(affect_model(trained), {"encoder": "base"})
    assert config["arguments"]["encoder"]["shipped"] == "base"


def test_another_release_of_the_other(package):
    shutil.rmtree(package / "base")
    torch.manual_seed(7)
    write(package / "base", WavLM("tiny"))
    with pytest.raises(ModelError, match=r"encoder is base with the SHA-256 .* that of this rel"):
        load_model(package / "whole")


def test_damage_of_the_other(package):
    content = bytearray((package / "base" / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (package / "base" / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match="its SHA-256 is"):
        load_model(package / "whole")
    (package / "base" / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"no model\.safetensors"):
        load_model(package / "whole")


@pytest.mark.parametrize(
    "name", ["absent", "../base", "/etc", "base/", ".", "", None, 3, ["base"], {"shipped": "base"}]
)
def test_names_that_are_no_shipped_model(package, name):
    def change(config):
        config["arguments"]["encoder"]["shipped"] = name

    (package.parent / "absent").mkdir()
    edit(package / "whole", change)
    with pytest.raises(ModelError, match="does not come with this release"):
        load_model(package / "whole")


def test_a_folder_of_that_name_is_not_taken(package, tmp_path, monkeypatch):
    """What lies where the program runs is a stranger's."""
    torch.manual_seed(9)
    save_model(tmp_path / "here" / "base", WavLM("tiny"), "")
    monkeypatch.chdir(tmp_path / "here")
    wanted = load_model(package / "base").state_dict()
    found = load_model(package / "whole").encoder.state_dict()
    assert all(torch.equal(found[name], value) for name, value in wanted.items())


def test_no_reference_leads_to_a_second(package):
    folder = write(package / "classes", EmotionModel(load_model(package / "base"), ["a", "b"]))
    base = json.loads((package / "whole" / "config.json").read_text())["weights_sha256"]

    def change(config):
        config["arguments"]["encoder"] = {"shipped": "whole", "weights_sha256": base}

    edit(folder, change)
    names = {k: v for k, v in store.read_weights(folder / "model.safetensors").items()}
    kept = {k: v for k, v in names.items() if not k.startswith("encoder.")}
    config = json.loads((folder / "config.json").read_text())
    config.pop("weights_sha256")
    write_model(folder, config, kept)
    with pytest.raises(ModelError, match="which stands on another; expected a whole model"):
        load_model(folder)


def test_a_model_on_itself(package):
    def change(config):
        own = config["weights_sha256"]
        config["arguments"]["encoder"] = {"shipped": "whole", "weights_sha256": own}

    edit(package / "whole", change)
    with pytest.raises(ModelError, match="which stands on another"):
        load_model(package / "whole")


def test_a_reference_deeper_inside(package):
    def change(config):
        reference = config["arguments"]["encoder"]
        inner = {"class": "emotion_model", "arguments": {"encoder": reference, "classes": ["a"]}}
        config["arguments"]["encoder"] = inner

    edit(package / "whole", change)
    with pytest.raises(ModelError, match="is a shipped model inside of another"):
        load_model(package / "whole")


def test_two_references_are_refused_before_anything_is_read(package, monkeypatch):
    """One folder of some kB would take as much memory as it has references."""

    def change(config):
        config["arguments"]["pooling"] = config["arguments"]["encoder"]

    edit(package / "whole", change)
    read = []
    really = store.put_on_shipped
    monkeypatch.setattr(
        store,
        "put_on_shipped",
        lambda config, state, path, _: really(config, state, path, read.append),
    )
    with pytest.raises(ModelError, match="2 arguments are shipped models; expected at most 1"):
        load_model(package / "whole")
    assert read == []


@pytest.mark.parametrize("arguments", [["size"], "tiny", 3, None])
def test_the_other_has_arguments_that_are_none(package, arguments):
    edit(package / "base", lambda config: config.update(arguments=arguments))
    with pytest.raises(ModelError, match="expected 'class' and 'arguments'"):
        load_model(package / "whole")


def test_weights_in_the_place_of_the_other(package):
    folder = package / "whole"
    config = json.loads((folder / "config.json").read_text())
    config.pop("weights_sha256")
    state = store.read_weights(folder / "model.safetensors")
    write_model(folder, config, {**state, "encoder.extra": torch.zeros(1)})
    with pytest.raises(ModelError, match=r"there are weights in its place: encoder\.extra"):
        load_model(folder)


def test_sizes(tmp_path, monkeypatch):
    folder = write(tmp_path / "models" / "one", WavLM("tiny"))
    size = (folder / "model.safetensors").stat().st_size
    monkeypatch.setattr(shipping, "LARGEST", size)
    check_sizes(folder, folder)
    check_sizes(folder, tmp_path / "models" / "two")  # of which one is another
    monkeypatch.setattr(shipping, "LARGEST", size - 1)
    with pytest.raises(ModelError, match=f"{size} bytes of weights"):
        check_sizes(folder, folder)
    monkeypatch.setattr(shipping, "LARGEST", size)
    whole = sum(path.stat().st_size for path in folder.iterdir())
    monkeypatch.setattr(shipping, "LARGEST_OF_ALL", 2 * whole - 1)
    shutil.copytree(folder, folder.with_name(".one.a1b2"))  # of a run that was killed
    other = write(tmp_path / "new", WavLM("tiny"))
    with pytest.raises(ModelError, match=f"{2 * whole} of all models"):
        check_sizes(other, tmp_path / "models" / "two")


# --- weights by name


def test_weights_of_a_shipped_model(package, tmp_path, monkeypatch):
    file = package / "base" / "model.safetensors"
    assert locating.weights_file("base") == file
    assert locating.weights_file(str(package / "base")) == file
    assert locating.weights_file(str(file)) == file
    assert locating.weights_file("absent.pt").name == "absent.pt"  # reading it says what is wrong
    model = WavLM("tiny", weights=str(file))
    assert torch.equal(
        model.state_dict()["encoder.transformer.layer_norm.weight"],
        load_model(package / "base").state_dict()["encoder.transformer.layer_norm.weight"],
    )


def test_weights_that_are_not_those_that_were_saved(package):
    path = package / "base" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match="its SHA-256 is"):
        locating.weights_file("base")
