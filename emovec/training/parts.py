"""Parts of a model that learn at rates of their own, or not at all."""

from collections.abc import Callable, Collection, Iterable

import torch
from torch import nn

from emovec.errors import HparamError

MakeOptimizer = Callable[[Iterable], torch.optim.Optimizer]


def optimizer_of_parts(
    make: MakeOptimizer, model: nn.Module, encoder_rate: float, frozen: Collection[str]
) -> MakeOptimizer:
    """A maker of optimisers in which the encoder has its own rate.

    Args:
        make: of an optimiser, with the rate of all else
        model: whose part ``encoder`` has a rate of its own
        encoder_rate: learning rate of the encoder
        frozen: beginnings of names of weights that are left as they are

    Raises:
        HparamError: if nothing begins with one of ``frozen``, or nothing is left to learn
    """
    names = [name for name, _ in model.named_parameters()]
    for part in frozen:
        if not any(name.startswith(part) for name in names):
            raise HparamError(f"frozen: no weights begin with '{part}'; found {names[:5]}, ...")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not name.startswith(tuple(frozen)))
    learnt = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    if not learnt:
        raise HparamError(f"frozen: {list(frozen)} leaves nothing to learn; expected less.")
    encoder = [parameter for name, parameter in learnt if name.startswith("encoder.")]
    others = [parameter for name, parameter in learnt if not name.startswith("encoder.")]
    groups = [{"params": others}, {"params": encoder, "lr": encoder_rate}]
    return lambda _parameters: make([group for group in groups if group["params"]])
