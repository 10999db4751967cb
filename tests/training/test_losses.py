"""Losses against NumPy, closed forms and finite differences."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from emovec.metrics.regression import concordance
from emovec.training.losses import (
    class_weights,
    concordance_loss,
    constant_weight,
    decaying_weight,
)


def random_pair(seed: int, rows: int = 40, columns: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    target = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
    noise = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
    return 0.6 * target + 0.5 * noise + 0.2, target


def concordance_by_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Lin's own form: Pearson's r times a bias correction of location and scale shift."""
    scale = x.std() / y.std()
    location = (x.mean() - y.mean()) / np.sqrt(x.std() * y.std())
    return np.corrcoef(x, y)[0, 1] * 2 / (scale + 1 / scale + location**2)


@pytest.mark.parametrize("seed", range(3))
def test_concordance_loss_is_the_mean_of_lins_coefficients(seed: int) -> None:
    predicted, target = random_pair(seed)
    columns = zip(predicted.numpy().T, target.numpy().T, strict=True)
    expected = 1 - np.mean([concordance_by_correlation(x, y) for x, y in columns])
    assert concordance_loss(predicted, target).item() == pytest.approx(expected, abs=1e-6)


def test_loss_and_metric_agree() -> None:
    predicted, target = random_pair(5, columns=1)
    metric = concordance(predicted[:, 0].numpy(), target[:, 0].numpy())
    assert concordance_loss(predicted, target).item() == pytest.approx(1 - metric, abs=1e-6)


def test_gradient_is_that_of_finite_differences() -> None:
    predicted, target = random_pair(1, rows=6)
    assert torch.autograd.gradcheck(
        lambda x: concordance_loss(x, target), (predicted.requires_grad_(),)
    )


@pytest.mark.parametrize("value", [0.0, 3.5])
def test_constants_are_finite_with_finite_gradients(value: float) -> None:
    predicted = torch.full((8, 3), value, requires_grad=True)
    loss = concordance_loss(predicted, torch.rand(8, 3))
    loss.backward()
    assert loss.item() == pytest.approx(1.0, abs=1e-4)
    assert torch.isfinite(predicted.grad).all()


def test_both_constant_is_finite() -> None:
    predicted = torch.ones(4, 3, requires_grad=True)
    loss = concordance_loss(predicted, torch.ones(4, 3))
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(predicted.grad).all()


@given(st.floats(0.1, 10), st.floats(-5, 5))
def test_a_common_affine_map_changes_nothing(scale: float, shift: float) -> None:
    predicted, target = random_pair(2)
    moved = concordance_loss(scale * predicted + shift, scale * target + shift)
    assert moved.item() == pytest.approx(concordance_loss(predicted, target).item(), abs=1e-5)


@pytest.mark.parametrize("shapes", [((4, 3), (4, 2)), ((1, 3), (1, 3)), ((0, 3), (0, 3))])
def test_wrong_shapes_are_named(shapes: tuple) -> None:
    with pytest.raises(ValueError, match="expected the same"):
        concordance_loss(*(torch.zeros(shape) for shape in shapes))


def test_class_weights_by_counting() -> None:
    classes = torch.tensor([0, 0, 0, 2, 2, 3])
    weights = class_weights(classes, 5)
    expected = [6 / (5 * 3), 0, 6 / (5 * 2), 6 / 5, 0]
    assert weights.tolist() == pytest.approx(expected)


@given(st.lists(st.integers(0, 3), min_size=4).filter(lambda classes: len(set(classes)) == 4))
def test_class_weights_average_to_one(classes: list[int]) -> None:
    numbers = torch.tensor(classes)
    assert class_weights(numbers, 4)[numbers].mean().item() == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("classes", [[], [0, 4], [-1]])
def test_class_weights_refuse(classes: list[int]) -> None:
    with pytest.raises(ValueError, match="expected some in"):
        class_weights(torch.tensor(classes, dtype=torch.int64), 4)


def test_schedule_is_the_published_one() -> None:
    published = [1.0, 0.802, 0.604, 0.406, 0.208, 0.0, 0.0]
    assert [decaying_weight(epoch) for epoch in range(7)] == pytest.approx(published)
    assert {constant_weight(epoch) for epoch in range(20)} == {1.0}
