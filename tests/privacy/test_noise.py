"""Noise of a row: what decides it, and what does not."""

import numpy as np
import pytest
import torch

from emovec.privacy.noise import noise_of


def rows(number: int, size: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(size=(number, size))).float()


@pytest.mark.parametrize("size", [1, 7, 256])
def test_a_row_alone_and_among_others(size: int) -> None:
    x = rows(5, 30)
    together = noise_of(x, size)
    assert together.shape == (5, size) and together.dtype == torch.float32
    assert torch.equal(torch.cat([noise_of(row[None], size) for row in x]), together)
    assert torch.equal(noise_of(x.flip(0), size).flip(0), together)


def test_padding_decides_nothing() -> None:
    x, lengths = rows(4, 30), torch.tensor([30, 1, 17, 29])
    found = noise_of(x, 6, lengths)
    cut = [noise_of(x[place : place + 1, :n], 6)[0] for place, n in enumerate(lengths.tolist())]
    assert torch.equal(found, torch.stack(cut))
    assert torch.equal(noise_of(torch.nn.functional.pad(x, (0, 9), value=3.0), 6, lengths), found)


def test_the_last_valid_number_decides() -> None:
    x, lengths = rows(1, 30).repeat(3, 1), torch.tensor([17, 17, 18])
    x[1, 16] = torch.nextafter(x[1, 16], torch.tensor(9.0))
    first, ulp, longer = noise_of(x, 64, lengths)
    assert not torch.isclose(first, ulp).any() and not torch.isclose(first, longer).any()


def test_it_is_standard_normal_and_independent() -> None:
    z = noise_of(rows(4000, 3), 8).double().numpy()
    assert abs(z.mean()) < 5 / np.sqrt(z.size)
    assert abs(z.var() - 1) < 5 * np.sqrt(2 / z.size)
    assert abs((z**4).mean() - 3) < 5 * np.sqrt(96 / z.size)
    between = np.corrcoef(z, rowvar=False) - np.eye(8)
    assert np.abs(between).max() < 5 / np.sqrt(len(z))
    assert abs(np.mean(z[1:] * z[:-1])) < 5 / np.sqrt(z.size)


def test_no_rows() -> None:
    assert noise_of(torch.empty(0, 3), 8).shape == (0, 8)
