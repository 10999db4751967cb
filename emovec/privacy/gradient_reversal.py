"""Gradient reversal: what a discriminator finds is unlearnt by what feeds it."""

import math
from typing import Any

import torch
from torch import Tensor


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, scale: float) -> Tensor:
        context.scale = scale
        return x.view_as(x)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return -context.scale * gradient, None


def reverse_gradient(x: Tensor, scale: float = 1.0) -> Tensor:
    """The same values; the gradient comes back with the opposite sign, times ``scale``.

    Ganin & Lempitsky (2015), "Unsupervised domain adaptation by backpropagation", ICML.

    Args:
        x: of any shape
        scale: 0 or more

    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> reverse_gradient(x, 0.5).sum().backward()
    >>> x.grad
    tensor([-0.5000, -0.5000])
    """
    return _Reversal.apply(x, scale)


def ramp(progress: float, steepness: float) -> float:
    r"""Share of the reversal's full scale that acts at a point of the training.

    .. math::
        \frac{2}{1 + e^{-\gamma p}} - 1

    (Ganin & Lempitsky, 2015, with :math:`\gamma = 10`): discriminators learn before they are
    obeyed.

    Args:
        progress: p, share of the training that is done, in [0, 1]
        steepness: gamma; 0: no ramp, all of it from the first step

    >>> ramp(0.0, 10), round(ramp(1.0, 10), 4), ramp(0.0, 0)
    (0.0, 0.9999, 1.0)
    """
    return 2 / (1 + math.exp(-steepness * progress)) - 1 if steepness else 1.0
