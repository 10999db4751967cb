"""The learned filterbank: lengths, sizes, one frame at a time, and standardised frames."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from emovec.encoders import filterbank
from emovec.encoders.filterbank import Filterbank, standardise


def build(feature_size=40):
    torch.manual_seed(0)
    return Filterbank(feature_size)


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def by_conv1d(layers, frames):
    """The specification, layer by layer, with the sizes that come out."""
    values, sizes = frames[:, None], [(1, frames.shape[1])]
    for number, layer in enumerate(layers):
        if number == 5:
            values = functional.pad(values, (3, 4))
            sizes.append(tuple(values.shape[1:]))
        values = functional.selu(
            functional.conv1d(values, layer.weight, layer.bias, dilation=(2, 2, 3, 4, 5, 5)[number])
        )
        sizes.append(tuple(values.shape[1:]))
    return values[:, :, 0], sizes


def test_chain_of_lengths_and_channels():
    bank, frames = build(), standardise(noise(3, 160))
    expected, sizes = by_conv1d(bank.layers, frames)
    assert sizes == [
        (1, 160), (2, 152), (4, 144), (8, 126), (16, 94), (32, 44), (32, 51), (40, 1)
    ]  # fmt: skip
    torch.testing.assert_close(bank(frames), expected)


def test_parameters():
    assert sum(value.numel() for value in build().parameters()) == 21_240


def test_a_frame_moves_its_own_features_alone():
    bank, frames = build(), standardise(noise(6, 160))
    changed = frames.clone()
    changed[3, 17] += 0.5
    moved = (bank(changed) - bank(frames)).abs().amax(dim=1)
    assert moved[3] > 1e-3
    assert moved[[0, 1, 2, 4, 5]].max() < 1e-6
    frames.requires_grad_()
    bank(frames)[3].sum().backward()
    assert frames.grad[[0, 1, 2, 4, 5]].abs().max() == 0


def test_parts_in_evaluation_are_the_whole(monkeypatch):
    bank, frames = build(), standardise(noise(10, 160))
    expected = bank(frames)
    monkeypatch.setattr(filterbank, "ON_CPU", 3)
    with torch.inference_mode():
        torch.testing.assert_close(bank(frames), expected)
        assert bank(frames[:0]).shape == (0, 40)


def test_variance_survives_at_the_start():
    """SELU and the initial weights keep it, or nothing would be learned."""
    features = build()(standardise(noise(2000, 160)))
    assert 0.3 < features.var(dim=0).mean() < 2.0


def test_standardised_frames():
    frames = noise(2, 5, 160) + 0.3
    found = standardise(frames)
    window = [0.54 - 0.46 * math.cos(2 * math.pi * n / 159) for n in range(160)]
    tapered = frames.double().numpy() * np.array(window)
    mean, deviation = tapered.mean(axis=-1), tapered.std(axis=-1)
    expected = (tapered - mean[..., None]) / deviation[..., None]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.25, -1.0])
def test_frames_of_equal_samples_are_zero_and_others_are_not(value):
    frames = torch.full((2, 160), value)
    frames[1, 80] += 2**-15
    found = standardise(frames)
    assert (found[0] == 0).all()
    assert found[1].any() and found.isfinite().all()


@pytest.mark.parametrize("gain", [1e-3, 1e3])
def test_level_of_frames_does_not_matter(gain):
    frames = noise(4, 160)
    torch.testing.assert_close(standardise(gain * frames), standardise(frames))


def test_every_weight_learns():
    bank = build()
    bank(standardise(noise(8, 160))).square().mean().backward()
    assert all(value.grad.abs().max() > 0 for value in bank.parameters())


@pytest.mark.parametrize("level", [1e-6, 1e-12, 1e-20, 1e-24, 1e-38])
def test_what_decoders_leave_of_silence_is_silence(level):
    assert not standardise(level * noise(3, 160)).any()
