"""Parts of a model that learn at rates of their own, or not at all."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import torch
from torch import nn

from emovec.encoders import store
from emovec.encoders.base import Encoder
from emovec.encoders.locating import find_model
from emovec.encoders.residual import NormedConvolution
from emovec.encoders.style_tokens import HalvingConvolution
from emovec.errors import HparamError

MakeOptimizer = Callable[[Iterable], torch.optim.Optimizer]


def make_encoder(name: str, options: Mapping[str, Any], pretrained: str | None) -> Encoder:
    """The encoder of a model folder, or a new one.

    Args:
        name: of its class in the registry
        options: arguments; those of a model folder's encoder are its own unless they are named
            here, such as its dropout, or ``layers``, whose weights may be new
        pretrained: the folder, or None

    Raises:
        HparamError: if the folder holds something else than the encoder that is named, or there is
            no such class or argument
        ModelError: if the folder cannot be read, or its weights do not fit the options
    """
    if pretrained is None:
        return store.create(name, **options)  # type: ignore[return-value]
    folder = find_model(pretrained)
    found = store.load_model(folder)
    if type(found) is not store.kind(name):
        raise HparamError(
            f"pretrained is {pretrained}, which holds a {type(found).__name__}; expected "
            f"encoder={name}. Mend one of them."
        )
    arguments: Mapping[str, Any] = found.arguments()  # type: ignore[operator]
    encoder = store.create(name, **{**arguments, **options})
    store.fit_weights(encoder, found.state_dict(), folder, optional={"layer_weights"})
    return encoder  # type: ignore[return-value]


def optimizer_of_parts(
    make: MakeOptimizer,
    model: nn.Module,
    encoder_rate: float,
    frozen: Collection[str],
    part: str = "encoder",
) -> MakeOptimizer:
    """A maker of optimisers in which the encoder has its own rate.

    Args:
        make: of an optimiser, with the rate of all else
        model: that learns
        encoder_rate: learning rate of the encoder
        frozen: beginnings of names of weights that are left as they are; so are the moments of
            batch norms in what is frozen as a whole, by :func:`frozen_norms`
        part: of the model that is the encoder

    Raises:
        HparamError: if nothing begins with one of ``frozen``, or nothing is left to learn
    """
    names = [name for name, _ in model.named_parameters()]
    for beginning in frozen:
        if not any(name.startswith(beginning) for name in names):
            raise HparamError(
                f"frozen: no weights begin with '{beginning}'; found {names[:5]}, ..."
            )
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not name.startswith(tuple(frozen)))
    learnt = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    if not learnt:
        raise HparamError(f"frozen: {list(frozen)} leaves nothing to learn; expected less.")
    encoder = [parameter for name, parameter in learnt if name.startswith(f"{part}.")]
    others = [parameter for name, parameter in learnt if not name.startswith(f"{part}.")]
    groups: list[dict[str, Any]] = [{"params": others}, {"params": encoder, "lr": encoder_rate}]
    return lambda _parameters: make([group for group in groups if group["params"]])


def frozen_norms(model: nn.Module) -> list[nn.Module]:
    """Batch norms in parts of a model of which no weight learns; in evaluation mode they stay."""
    kinds = (nn.modules.batchnorm._BatchNorm, NormedConvolution, HalvingConvolution)
    found: dict[nn.Module, None] = {}
    for part in model.modules():
        weights = list(part.parameters())
        if weights and not any(weight.requires_grad for weight in weights):
            found |= dict.fromkeys(norm for norm in part.modules() if isinstance(norm, kinds))
    return list(found)
