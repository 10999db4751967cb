"""Learning rates of parts of a model."""

from pathlib import Path

import pytest
import torch
from torch import nn

from emovec.encoders.residual import NormedConvolution
from emovec.encoders.resnet import ResNet
from emovec.encoders.store import save_model
from emovec.encoders.style_tokens import HalvingConvolution
from emovec.encoders.wavlm import WavLM
from emovec.errors import HparamError, ModelError
from emovec.training.parts import frozen_norms, make_encoder, optimizer_of_parts

TINY = {"channels": [2, 2], "blocks": [1, 1], "embedding_size": 6, "pooling": "statistics"}


def make_model() -> nn.Module:
    encoder = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3))
    return nn.ModuleDict({"encoder": encoder, "output": nn.Linear(3, 4)})


def sgd(groups):
    return torch.optim.SGD(groups, lr=0.5)


def test_the_encoder_has_its_own_rate() -> None:
    model = make_model()
    optimizer = optimizer_of_parts(sgd, model, 0.01, [])(model.parameters())
    rate_of = {id(p): g["lr"] for g in optimizer.param_groups for p in g["params"]}
    found = {name: rate_of[id(p)] for name, p in model.named_parameters()}
    assert found == {
        name: 0.01 if name.startswith("encoder") else 0.5 for name, _ in model.named_parameters()
    }


def test_a_part_of_the_encoder_may_be_what_has_the_rate() -> None:
    model = make_model()
    optimizer = optimizer_of_parts(sgd, model, 0.01, [], part="encoder.0")(model.parameters())
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.01]
    (others, own) = ({id(p) for p in group["params"]} for group in optimizer.param_groups)
    assert own == {id(p) for p in model["encoder"][0].parameters()}
    assert own | others == {id(p) for p in model.parameters()}


def test_frozen_parts_stay_as_they_are() -> None:
    model = make_model()
    before = {name: p.clone() for name, p in model.named_parameters()}
    optimizer = optimizer_of_parts(sgd, model, 0.1, ["encoder.0"])(model.parameters())
    loss = model["output"](model["encoder"](torch.ones(5, 2))).square().sum()
    loss.backward()
    optimizer.step()
    changed = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert changed == {"encoder.1.weight", "encoder.1.bias", "output.weight", "output.bias"}


def test_a_whole_encoder_may_be_frozen() -> None:
    model = make_model()
    optimizer = optimizer_of_parts(sgd, model, 0.1, ["encoder"])(model.parameters())
    assert [group["lr"] for group in optimizer.param_groups] == [0.5]


def test_norms_are_frozen_with_all_weights_of_a_part() -> None:
    """One without weights of its own goes with its part; one in a part that learns does not."""
    plain, own = nn.BatchNorm1d(3, affine=False), nn.BatchNorm1d(3)
    model = nn.ModuleDict(
        {
            "encoder": nn.Sequential(nn.Linear(2, 3), plain, own, nn.LayerNorm(3)),
            "output": nn.Sequential(nn.BatchNorm1d(3, affine=False), nn.Linear(3, 4)),
        }
    )
    assert frozen_norms(model) == []
    for parameter in own.parameters():
        parameter.requires_grad_(False)
    assert frozen_norms(model) == [own]
    optimizer_of_parts(sgd, model, 0.1, ["encoder"])
    assert frozen_norms(model) == [plain, own]


@pytest.mark.parametrize("kind", [NormedConvolution, HalvingConvolution])
def test_our_own_norms_keep_their_moments(kind: type[nn.Module]) -> None:
    convolution = kind(1, 2, 3) if kind is NormedConvolution else kind(1, 2)
    model = nn.ModuleList([convolution.requires_grad_(False), nn.Linear(1, 1)]).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for norm in frozen_norms(model):
        norm.eval()
    convolution(torch.randn(2, 1, 8, 8), None)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training and model[1].training


@pytest.mark.parametrize(
    ("frozen", "said"),
    [(["decoder"], "no weights begin with 'decoder'"), (["encoder", "output"], "nothing to learn")],
)
def test_what_cannot_be_frozen(frozen: list[str], said: str) -> None:
    with pytest.raises(HparamError, match=said):
        optimizer_of_parts(sgd, make_model(), 0.1, frozen)


def same_weights(found: nn.Module, expected: nn.Module) -> bool:
    state = expected.state_dict()
    return all(torch.equal(value, state[name]) for name, value in found.state_dict().items())


def test_a_new_encoder() -> None:
    assert make_encoder("resnet", TINY, None).embedding_size == 6


def test_the_encoder_of_a_folder(tmp_path: Path) -> None:
    saved = ResNet(**TINY)
    save_model(tmp_path / "model", saved, "card")
    found = make_encoder("resnet", {}, str(tmp_path / "model"))
    assert same_weights(found, saved) and found.arguments() == saved.arguments()


def test_options_take_the_place_of_the_folder_s_own(tmp_path: Path) -> None:
    """What is not named stays; the weights of layers are new, and those alone may be."""
    saved = WavLM("tiny", layer_drop=0.3)
    save_model(tmp_path / "model", saved, "card")
    found = make_encoder("wavlm", {"dropout": 0.2, "layers": "weighted"}, str(tmp_path / "model"))
    own = {"dropout": 0.2, "layers": "weighted", "layer_drop": 0.3}
    assert {name: found.arguments()[name] for name in own} == own
    assert found.layer_weights.tolist() == [0.0, 0.0]
    del found.layer_weights
    assert same_weights(found, saved)


def test_options_that_do_not_fit_the_folder(tmp_path: Path) -> None:
    save_model(tmp_path / "model", ResNet(**TINY), "card")
    with pytest.raises(ModelError, match="model"):
        make_encoder("resnet", {"channels": [2, 4]}, str(tmp_path / "model"))
    with pytest.raises(HparamError, match="colour"):
        make_encoder("resnet", {"colour": "red"}, str(tmp_path / "model"))
    with pytest.raises(HparamError, match="holds a ResNet; expected encoder=wavlm"):
        make_encoder("wavlm", {}, str(tmp_path / "model"))
