"""Level of clips: by hand, and with NumPy a clip at a time."""

import numpy as np
import pytest
import torch

from emovec.audio.level import level, unit_variance

LENGTHS = [900, 1, 2000, 1500]


def by_numpy(wave):
    wave = 0.9 * wave / np.abs(wave).max()
    rms = np.sqrt(np.mean(wave**2))
    return wave * max(1.0, 10 ** (-30 / 20) / rms)


@pytest.fixture
def waves():
    """Noise, one sample, noise with an offset, and a click in silence."""
    generator = torch.Generator().manual_seed(0)
    waves = 0.3 * torch.randn(4, 2000, generator=generator)
    waves[2] += 2.0
    waves[3] *= 1e-4
    waves[3, 700] = 1.0
    return waves


def test_ragged_batch(waves):
    padded = waves.clone()
    for row, length in enumerate(LENGTHS):
        padded[row, length:] = torch.nan
    found = level(padded, torch.tensor(LENGTHS))
    for row, length in enumerate(LENGTHS):
        expected = by_numpy(waves[row, :length].double().numpy())
        np.testing.assert_allclose(found[row, :length].numpy(), expected, rtol=1e-5, atol=1e-8)
        assert (found[row, length:] == 0).all()


def test_only_the_quiet_are_raised_beyond_the_peak(waves):
    found = level(waves, torch.tensor(LENGTHS))
    peaks = found.abs().amax(dim=1)
    torch.testing.assert_close(peaks[:3], torch.full((3,), 0.9))
    assert peaks[3] > 1.0  # and is not clipped
    rms = found[3, :1500].square().mean().sqrt()
    assert 20 * rms.log10().item() == pytest.approx(-30.0, abs=1e-4)


@pytest.mark.parametrize("gain", [1e-30, 0.01, 100.0, -1.0])
def test_the_gain_is_gone(waves, gain):
    lengths = torch.tensor(LENGTHS)
    expected = level(waves, lengths) * np.sign(gain)
    torch.testing.assert_close(level(gain * waves, lengths), expected, rtol=1e-5, atol=1e-7)


def test_silence_stays():
    waves = torch.zeros(2, 300)
    waves[1, 200:] = 1.0  # of its padding
    assert (level(waves, torch.tensor([300, 200])) == 0).all()


def test_unit_variance_in_a_ragged_batch(waves):
    padded = waves.clone()
    for row, length in enumerate(LENGTHS):
        padded[row, length:] = torch.nan
    found = unit_variance(padded, torch.tensor(LENGTHS))
    for row, length in enumerate(LENGTHS):
        wave = waves[row, :length].double().numpy()
        expected = (wave - wave.mean()) / (wave.std() or 1.0)  # one sample is constant
        np.testing.assert_allclose(found[row, :length].numpy(), expected, rtol=1e-4, atol=1e-4)
        assert (found[row, length:] == 0).all()


@pytest.mark.parametrize("gain", [1e-4, 1.0, 30.0])
def test_unit_variance_of_any_gain_and_offset(waves, gain):
    lengths = torch.tensor(LENGTHS)
    found = unit_variance(gain * (waves + 0.1), lengths)
    torch.testing.assert_close(found, unit_variance(waves, lengths), rtol=1e-3, atol=1e-3)
