"""Learning rates of parts of a model."""

import pytest
import torch
from torch import nn

from emovec.errors import HparamError
from emovec.training.parts import optimizer_of_parts


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


@pytest.mark.parametrize(
    ("frozen", "said"),
    [(["decoder"], "no weights begin with 'decoder'"), (["encoder", "output"], "nothing to learn")],
)
def test_what_cannot_be_frozen(frozen: list[str], said: str) -> None:
    with pytest.raises(HparamError, match=said):
        optimizer_of_parts(sgd, make_model(), 0.1, frozen)
