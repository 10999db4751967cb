"""Layered dropout against its definition and binomial errors."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from emovec.errors import HparamError
from emovec.privacy.layered_dropout import PROFILES, LayeredDropout, keep_probabilities

SAMPLES = 20000


@pytest.mark.parametrize("size", [2, 3, 32, 255, 256])
@pytest.mark.parametrize("profile", PROFILES)
def test_named_profiles_against_loops(profile: str, size: int) -> None:
    formula = {
        "linear": lambda t: 1 - t,
        "cosine": lambda t: math.cos(math.pi * t / 2) ** 2,  # the half-angle formula
        "step": lambda t: 1.0 if 2 * t < 1 else 0.0,
    }[profile]
    expected = [formula(node / (size - 1)) for node in range(size)]
    falling = keep_probabilities(profile, size, rising=False)
    np.testing.assert_allclose(falling, expected, atol=1e-6)
    np.testing.assert_array_equal(keep_probabilities(profile, size, rising=True), falling[::-1])
    assert falling.dtype == np.float32


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=9).map(lambda of: sorted(of, reverse=True)),
    st.integers(2, 64),
)
def test_lists_stay_monotone_and_keep_their_ends(points: list[float], size: int) -> None:
    if points[0] == points[-1]:
        points[0], points[-1] = 1.0, 0.0
    falling = keep_probabilities(points, size, rising=False)
    assert (np.diff(falling) <= 1e-6).all()
    assert falling[0] == pytest.approx(points[0], abs=1e-6)
    assert falling[-1] == pytest.approx(points[-1], abs=1e-6)


@pytest.mark.parametrize(
    "profile",
    [
        "quadratic",
        "",
        [],
        [1.0],
        [1.0, 0.2, 0.3],  # rises
        [0.0, 1.0],
        [0.5, 0.5],  # does not fall
        [1.1, 0.0],
        [1.0, -0.1],
        [1.0, float("nan")],
        [1.0, float("nan"), 0.0],
        [[1.0, 0.0]],
        ["a", "b"],
    ],
)
def test_profiles_that_are_none(profile: object) -> None:
    with pytest.raises(HparamError, match="profile is"):
        keep_probabilities(profile, 8, rising=False)  # type: ignore[arg-type]


def test_one_node_has_no_order() -> None:
    with pytest.raises(HparamError, match="2 or more"):
        keep_probabilities("linear", 1, rising=False)


@pytest.mark.parametrize("profile", [*PROFILES, [0.9, 0.4, 0.4, 0.1]])
@pytest.mark.parametrize("rising", [False, True])
def test_keep_rates_match_the_profile(profile: str, rising: bool) -> None:
    torch.manual_seed(0)
    probabilities = keep_probabilities(profile, 16, rising)
    kept = LayeredDropout(probabilities).train()(torch.ones(SAMPLES, 16))
    assert set(kept.unique().tolist()) <= {0.0, 1.0}
    error = np.sqrt(probabilities * (1 - probabilities) / SAMPLES)
    # 5 standard errors; nodes that are always or never kept have none
    assert (np.abs(kept.mean(dim=0).numpy() - probabilities) <= 5 * error + 1e-6).all()


def test_masks_differ_between_samples_and_draws() -> None:
    torch.manual_seed(0)
    dropout = LayeredDropout(keep_probabilities([0.6, 0.4], 64, rising=False)).train()
    first, second = dropout(torch.ones(8, 64)), dropout(torch.ones(8, 64))
    assert len({tuple(row) for row in torch.cat([first, second]).tolist()}) == 16


def test_nodes_of_a_sample_are_independent() -> None:
    torch.manual_seed(0)
    kept = LayeredDropout(keep_probabilities([0.7, 0.3], 6, rising=False)).train()(
        torch.ones(SAMPLES, 6)
    )
    correlation = np.corrcoef(kept.numpy(), rowvar=False) - np.eye(6)
    assert np.abs(correlation).max() < 5 / math.sqrt(SAMPLES)


def test_evaluation_is_the_mean_of_training_and_draws_nothing() -> None:
    torch.manual_seed(0)
    dropout = LayeredDropout(keep_probabilities("linear", 16, rising=True))
    latent = torch.linspace(-2, 3, 16)
    evaluated = dropout.eval()(latent[None])
    mean = dropout.train()(latent.expand(SAMPLES, 16)).mean(dim=0)
    # a masked value deviates by less than half its size
    np.testing.assert_allclose(
        evaluated[0], mean, atol=5 * 0.5 * float(latent.abs().max()) / math.sqrt(SAMPLES)
    )
    dropout.eval()
    torch.testing.assert_close(dropout(latent[None]), evaluated, rtol=0, atol=0)
    torch.testing.assert_close(evaluated[0], latent * torch.linspace(0, 1, 16))


def test_gradients_pass_kept_nodes_only() -> None:
    torch.manual_seed(0)
    latent = torch.ones(5, 12, requires_grad=True)
    kept = LayeredDropout(keep_probabilities("linear", 12, rising=False)).train()(latent)
    kept.sum().backward()
    torch.testing.assert_close(latent.grad, kept.detach())
