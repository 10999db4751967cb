"""An encoder and a separation as one: the same as one after the other."""

import numpy as np
import pytest
import torch

from emovec.encoders.resnet import ResNet
from emovec.errors import HparamError, ModelError
from emovec.privacy.lrvae import LRVAE
from emovec.privacy.protected_encoder import ProtectedEncoder


@pytest.fixture(scope="module")
def encoder() -> ResNet:
    torch.manual_seed(0)
    return ResNet(channels=(4, 6), blocks=(1, 1), embedding_size=10).eval()


def separation(inputs: int = 10, **options: object) -> LRVAE:
    torch.manual_seed(1)
    sizes = {"latent_size": 8, "hidden_size": 6, "branch_size": 5, "groups": 4}
    return LRVAE(inputs, ["anger", "neutral"], 3, **{**sizes, **options}).eval()


@pytest.mark.parametrize("released", ["draw", "mean"])
@pytest.mark.parametrize(
    ("keep", "count"), [("emotion", None), ("identity", 1), ("emotion", 4), ("all", None)]
)
def test_it_is_one_after_the_other(
    encoder: ResNet, keep: str, count: int | None, released: str
) -> None:
    model = separation(released=released)
    waves = 0.1 * torch.from_numpy(np.random.default_rng(0).standard_normal((2, 9000))).float()
    lengths = torch.tensor([9000, 7000])
    with torch.inference_mode():
        both = ProtectedEncoder(encoder, model, keep, count).eval()(waves, lengths)
        embeddings = encoder(waves, lengths).numpy()
    assert np.array_equal(both.numpy(), model.transform(embeddings, keep, count))


def test_it_hears_what_the_encoder_hears(encoder: ResNet) -> None:
    both = ProtectedEncoder(encoder, separation(), "emotion")
    assert (both.embedding_size, both.sample_rate) == (8, encoder.sample_rate)
    assert (both.shortest, both.needs_speech) == (encoder.shortest, encoder.needs_speech)
    waves, lengths = torch.zeros(1, 9000), torch.tensor([9000])
    assert both.hears(waves, lengths).tolist() == encoder.hears(waves, lengths).tolist()


def test_what_cannot_be(encoder: ResNet) -> None:
    with pytest.raises(ModelError, match="10 numbers"):
        ProtectedEncoder(encoder, separation(inputs=11), "emotion")
    with pytest.raises(HparamError, match="keep is 'voice'"):
        ProtectedEncoder(encoder, separation(), "voice")
    with pytest.raises(HparamError, match="masked_groups is 5"):
        ProtectedEncoder(encoder, separation(), "emotion", 5)
    with pytest.raises(HparamError, match="no ends"):
        ProtectedEncoder(encoder, separation(profile=None), "identity")
