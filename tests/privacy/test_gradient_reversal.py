"""Gradient reversal against gradients without it."""

import math

import pytest
import torch
from torch import nn

from emovec.privacy.gradient_reversal import ramp, reverse_gradient


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0, 10.0])
def test_values_stay_and_gradients_flip_and_scale(scale: float) -> None:
    torch.manual_seed(0)
    x, layer = torch.randn(3, 4, requires_grad=True), nn.Linear(4, 2)
    plain = layer(x).square().sum()
    (gradient,) = torch.autograd.grad(plain, x)
    reversed_ = layer(reverse_gradient(x, scale)).square().sum()
    (flipped,) = torch.autograd.grad(reversed_, x)
    assert reversed_.item() == plain.item()
    torch.testing.assert_close(flipped, -scale * gradient)


def test_what_is_behind_it_learns_as_ever() -> None:
    torch.manual_seed(0)
    x, layer = torch.randn(3, 4), nn.Linear(4, 2)
    expected = torch.autograd.grad(layer(x).square().sum(), layer.weight)[0]
    found = torch.autograd.grad(layer(reverse_gradient(x, 7.0)).square().sum(), layer.weight)[0]
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("steepness", [1.0, 10.0])
def test_ramp_is_a_hyperbolic_tangent(steepness: float) -> None:
    for progress in (0.0, 0.1, 0.5, 0.9, 1.0):
        expected = math.tanh(steepness * progress / 2)  # 2 / (1 + exp(-x)) - 1
        assert ramp(progress, steepness) == pytest.approx(expected)


def test_no_ramp_acts_at_once() -> None:
    assert {ramp(progress, 0.0) for progress in (0.0, 0.3, 1.0)} == {1.0}
