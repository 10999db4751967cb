"""An encoder and a separation as one: the same as one after the other."""

import numpy as np
import pytest
import torch

from emovec.encoders.resnet import ResNet
from emovec.errors import HparamError, ModelError
from emovec.privacy.lrvae import LRVAE
from emovec.privacy.masking import masked
from emovec.privacy.noise import noise_of
from emovec.privacy.protected_encoder import ProtectedEncoder


@pytest.fixture(scope="module")
def encoder() -> ResNet:
    torch.manual_seed(0)
    return ResNet(channels=(4, 6), blocks=(1, 1), embedding_size=10).eval()


def separation(inputs: int = 10, **options: object) -> LRVAE:
    torch.manual_seed(1)
    sizes = {"latent_size": 8, "hidden_size": 6, "branch_size": 5, "groups": 4}
    return LRVAE(inputs, ["anger", "neutral"], 3, **{**sizes, **options}).eval()


def noisy(clips: int, samples: int) -> torch.Tensor:
    """(B, T) that the encoder hears."""
    waves = np.random.default_rng(0).standard_normal((clips, samples))
    return 0.1 * torch.from_numpy(waves).float()


@pytest.mark.parametrize("released", ["draw", "mean"])
@pytest.mark.parametrize(
    ("keep", "count"), [("emotion", None), ("identity", 1), ("emotion", 4), ("all", None)]
)
def test_it_is_one_after_the_other(
    encoder: ResNet, keep: str, count: int | None, released: str
) -> None:
    model = separation(released=released)
    waves, lengths = noisy(2, 9000), torch.tensor([9000, 7000])
    with torch.inference_mode():
        both = ProtectedEncoder(encoder, model, keep, count).eval()(waves, lengths)
        noise = torch.stack([noise_of(waves[:1], 8)[0], noise_of(waves[1:, :7000], 8)[0]])
        whole = model.encode(encoder(waves, lengths), noise if released == "draw" else None)
    assert np.array_equal(both.numpy(), masked(whole.numpy(), keep, count, model.groups))


@pytest.mark.parametrize("released", ["draw", "mean"])
def test_the_batch_changes_nothing(encoder: ResNet, released: str) -> None:
    both = ProtectedEncoder(encoder, separation(released=released), "all").eval()
    waves, lengths = noisy(5, 12000), [7000, 12000, 5000, 9001, 7000]
    with torch.inference_mode():
        alone = torch.cat(
            [
                both(wave[None, :length], torch.tensor([length]))
                for wave, length in zip(waves, lengths, strict=True)
            ]
        )
        together = both(waves, torch.tensor(lengths))
        backwards = both(waves.flip(0), torch.tensor(lengths[::-1])).flip(0)
    assert both.padding_safe
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)
    torch.testing.assert_close(backwards, alone, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("keep", "zero"), [("emotion", slice(4, 8)), ("identity", slice(0, 4))])
def test_what_is_hidden_leaves_no_sign(encoder: ResNet, keep: str, zero: slice) -> None:
    model = separation()
    waves, lengths = noisy(6, 9000), torch.full((6,), 9000)
    with torch.inference_mode():
        found = ProtectedEncoder(encoder, model, keep).eval()(waves, lengths)[:, zero]
        whole = ProtectedEncoder(encoder, model, "all").eval()(waves, lengths)[:, zero]
    assert (whole < 0).any() and (whole > 0).any()
    assert set(found.numpy().tobytes()) == {0}  # -0.0 has a bit set, although it equals 0.0


def test_other_clips_have_other_draws(encoder: ResNet) -> None:
    both = ProtectedEncoder(encoder, separation(), "all").eval()
    waves = noisy(1, 9000).repeat(2, 1)
    waves[1, 4000] += 1e-6  # which an embedding hardly shows
    with torch.inference_mode():
        first, second = both(waves, torch.tensor([9000, 9000]))
    assert (first - second).abs().max() > 0.1


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
