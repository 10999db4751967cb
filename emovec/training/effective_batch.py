"""Gradients of a loss over an effective batch: many micro-batches, and many processes.

A concordance over micro-batches of 8 is noisy and is not the mean of theirs, so the loss is
taken over the outputs of all micro-batches of all processes at once. First pass: outputs, without
graphs. Then the gradient of the loss with respect to each output. Second pass: outputs again,
each micro-batch's graph freed before the next is built. (A single micro-batch keeps its graph and
needs no second pass.)

Each micro-batch has a seed of its own. So dropout is the same in both passes, whatever the number
of processes, and after a resume.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import numpy as np
import torch
from torch import Tensor, distributed, nn

from emovec.audio.batches import Batch
from emovec.errors import TrainingError

Tensors = dict[str, Tensor]


def micro_batch_seed(seed: int, step: int, place: int) -> int:
    """Seed of one micro-batch's dropout.

    Args:
        seed: of the run
        step: optimiser steps before
        place: of the micro-batch in its effective batch, over all processes
    """
    return int(np.random.SeedSequence([seed, step, place]).generate_state(1, np.uint64)[0] >> 1)


def accumulate_gradients(
    outputs: Callable[[Batch], Tensors],
    loss: Callable[[Tensors, Tensors], Tensor],
    batches: Sequence[Batch],
    seeds: Sequence[int],
    autocast: Callable[[], AbstractContextManager],
    scaler: torch.GradScaler,
) -> Tensor:
    """Add this process' part of the gradients of the loss over all clips of all processes.

    Args:
        outputs: of the model for a batch, by name (B, ...)
        loss: of outputs and targets of N clips, () in float32
        batches: this process' micro-batches
        seeds: one a micro-batch, set before its forward pass
        autocast: context of the forward passes
        scaler: keeps float16 gradients from vanishing

    Returns:
        () the loss, the same in all processes
    """

    def forward(batch: Batch, seed: int) -> Tensors:
        torch.manual_seed(seed)
        with autocast():
            return outputs(batch)

    keeps_graph = len(batches) == 1
    with torch.set_grad_enabled(keeps_graph):
        made = [forward(batch, seed) for batch, seed in zip(batches, seeds, strict=True)]
    own = {name: torch.cat([part[name] for part in made]).detach().float() for name in made[0]}
    for tensor in own.values():
        tensor.requires_grad_()
    targets = {
        name: torch.cat([batch.targets[name] for batch in batches]) for name in batches[0].targets
    }
    value = loss(*_with_other_processes(own, targets))
    gradients = _gradients(scaler.scale(value), own)

    start = 0
    for batch, seed, part in zip(batches, seeds, made, strict=True):
        if not keeps_graph:
            part = _same(forward(batch, seed), part)
        rows = slice(start, start := start + len(batch.lengths))
        torch.autograd.backward(
            [part[name] for name in gradients],
            [gradients[name][rows].to(part[name].dtype) for name in gradients],
        )
    return value.detach()


def _same(second: Tensors, first: Tensors) -> Tensors:
    """The second pass, which must say what the first said; rounding may differ, masks may not."""
    for name, tensor in first.items():
        scale = 1 + tensor.float().abs().max()
        if (second[name].float() - tensor.float()).abs().max() > 0.05 * scale:
            raise TrainingError(
                f"{name}: the second pass over a micro-batch differs from the first, so their "
                "dropout does; expected the same. Use --micro_batches=1 a process, or no dropout."
            )
    return second


def _gradients(loss: Tensor, outputs: Tensors) -> Tensors:
    """Gradient of the loss for each output that it depends on."""
    gradients = torch.autograd.grad(loss, list(outputs.values()), allow_unused=True)
    named = zip(outputs, gradients, strict=True)
    return {name: gradient for name, gradient in named if gradient is not None}


def _with_other_processes(outputs: Tensors, targets: Tensors) -> tuple[Tensors, Tensors]:
    """Outputs and targets of all processes, in order of rank; only the own ones carry gradients."""
    if not distributed.is_initialized():
        return outputs, targets
    parts: list = [None] * distributed.get_world_size()
    distributed.all_gather_object(parts, [_to_host(outputs), _to_host(targets)])
    parts[distributed.get_rank()] = [outputs, targets]
    whole = []
    for kind, own in enumerate((outputs, targets)):
        whole.append(
            {
                name: torch.cat([part[kind][name].to(tensor.device) for part in parts])
                for name, tensor in own.items()
            }
        )
    return whole[0], whole[1]


def _to_host(tensors: Tensors) -> Tensors:
    return {name: tensor.detach().cpu() for name, tensor in tensors.items()}


def sum_gradients(model: nn.Module) -> None:
    """Add up the gradients of all processes, once an effective batch.

    Every process has the gradient of the one common loss for its own clips, so the sum is the
    whole gradient. Torch's own wrapper averages instead, and reduces at every backward pass.
    A parameter that no process used (a dropped layer, a frozen part) keeps no gradient.
    """
    if not distributed.is_initialized():
        return
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    device = parameters[0].device
    used = torch.tensor([float(p.grad is not None) for p in parameters], device=device)
    distributed.all_reduce(used)
    for parameter, count in zip(parameters, used.tolist(), strict=True):
        if count:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            distributed.all_reduce(parameter.grad)
