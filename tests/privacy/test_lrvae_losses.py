"""Losses against closed forms, torch.distributions and sums over loops."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from emovec.privacy.losses import divergence_loss, loss_terms, reconstruction_loss
from emovec.privacy.lrvae import LRVAE, Outputs
from emovec.privacy.systems import SYSTEMS

SIZES = st.tuples(st.integers(1, 5), st.integers(1, 6), st.integers(0, 1000))


def normal(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@given(SIZES)
def test_reconstruction_is_the_likelihood_of_unit_gaussians(sizes: tuple[int, int, int]) -> None:
    batch, width, seed = sizes
    x, y = normal(seed, batch, width), normal(seed + 1, batch, width)
    likelihood = Normal(y, 1.0).log_prob(x).sum() / batch
    constant = 0.5 * width * math.log(2 * math.pi)
    assert reconstruction_loss(y, x).item() == pytest.approx(-likelihood.item() - constant)


@given(SIZES)
def test_divergence_against_torch(sizes: tuple[int, int, int]) -> None:
    batch, width, seed = sizes
    mean, log_variance = normal(seed, batch, width), normal(seed + 1, batch, width)
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum()
    assert divergence_loss(mean, log_variance).item() == pytest.approx(expected.item() / batch)


def test_divergence_of_the_prior_is_0_and_of_others_above() -> None:
    assert divergence_loss(torch.zeros(3, 4), torch.zeros(3, 4)).item() == 0
    # by hand: sigma^2 = 4, mu = 3: (9 + 4 - 1 - ln 4) / 2
    found = divergence_loss(torch.tensor([[3.0]]), torch.tensor([[math.log(4)]]))
    assert found.item() == pytest.approx((12 - math.log(4)) / 2)


def test_both_are_sums_over_dimensions_and_means_over_the_batch() -> None:
    mean, log_variance = normal(0, 3, 4), normal(1, 3, 4)
    twice = torch.cat([mean, mean], 1), torch.cat([log_variance, log_variance], 1)
    longer = torch.cat([mean, mean]), torch.cat([log_variance, log_variance])
    for loss in (divergence_loss, reconstruction_loss):
        once = loss(mean, log_variance).item()
        assert loss(*twice).item() == pytest.approx(2 * once)
        assert loss(*longer).item() == pytest.approx(once)


@pytest.mark.parametrize(
    ("name", "terms"),
    [
        ("dnn", {"emotion", "speaker"}),
        ("vae", {"reconstruction", "divergence", "emotion", "speaker"}),
        ("avae_emotion", {"reconstruction", "divergence", "emotion", "speaker_adversary"}),
        ("avae_identity", {"reconstruction", "divergence", "speaker", "emotion_adversary"}),
        ("lrvae_no_adversary", {"reconstruction", "divergence", "emotion", "speaker"}),
        (
            "lrvae",
            {
                "reconstruction",
                "divergence",
                "emotion",
                "speaker",
                "emotion_adversary",
                "speaker_adversary",
            },
        ),
    ],
)
def test_terms_of_each_system(name: str, terms: set[str]) -> None:
    torch.manual_seed(0)
    model = LRVAE(6, ["a", "b", "c"], 5, **SYSTEMS[name].arguments)
    targets = {"emotion": torch.tensor([0, 2]), "speaker": torch.tensor([4, 1])}
    found = loss_terms(model(torch.randn(2, 6)), targets)
    assert set(found) == terms
    assert all(term.ndim == 0 and term >= 0 for term in found.values())


def test_cross_entropies_are_of_the_right_labels() -> None:
    logits = {"emotion": normal(0, 4, 3), "speaker": normal(1, 4, 5)}
    against = {"emotion": normal(2, 4, 5), "speaker": normal(3, 4, 3)}
    targets = {"emotion": torch.tensor([0, 2, 1, 1]), "speaker": torch.tensor([4, 1, 0, 3])}
    nothing = torch.zeros(4, 1)
    terms = loss_terms(Outputs(nothing, nothing, None, None, logits, against), targets)

    def expected(scores: Tensor, labels: Tensor) -> float:
        rows = scores.numpy()
        chances = np.exp(rows) / np.exp(rows).sum(axis=1, keepdims=True)
        return float(np.mean([-np.log(chances[n, k]) for n, k in enumerate(labels.tolist())]))

    assert terms["emotion"].item() == pytest.approx(expected(logits["emotion"], targets["emotion"]))
    assert terms["speaker_adversary"].item() == pytest.approx(
        expected(against["emotion"], targets["speaker"])
    )
    assert terms["emotion_adversary"].item() == pytest.approx(
        expected(against["speaker"], targets["emotion"])
    )
