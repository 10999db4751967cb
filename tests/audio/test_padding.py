"""Valid places and frames against counting them one by one."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from emovec.audio.padding import frame_counts, valid_mask, zero_padding


def test_mask_of_empty_full_and_ragged_rows():
    mask = valid_mask(torch.tensor([0, 4, 2]), 4)
    assert mask.dtype == torch.bool
    assert mask.tolist() == [[place < length for place in range(4)] for length in (0, 4, 2)]


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 2)])
@pytest.mark.parametrize("garbage", [7.0, torch.nan, torch.inf])
def test_padding_becomes_zero_whatever_it_was(shape, garbage):
    lengths = [5, 0, 3]
    values = torch.rand(shape, generator=torch.Generator().manual_seed(0)) + 1
    padded = values.clone()
    for row, length in enumerate(lengths):
        padded[row, length:] = garbage
    before = padded.clone()
    cleared = zero_padding(padded, torch.tensor(lengths))
    assert cleared.shape == shape
    for row, length in enumerate(lengths):
        assert torch.equal(cleared[row, :length], values[row, :length])
        assert not cleared[row, length:].any()
    assert torch.equal(padded.nan_to_num(), before.nan_to_num())  # the argument stays


def test_no_gradient_reaches_padding():
    values = torch.ones(2, 3, requires_grad=True)
    zero_padding(values, torch.tensor([1, 3])).sum().backward()
    assert values.grad.tolist() == [[1, 0, 0], [1, 1, 1]]


@given(st.lists(st.integers(0, 60), min_size=1, max_size=5), st.integers(1, 20), st.integers(1, 20))
def test_frames_are_those_that_end_inside(lengths, window, hop):
    expected = [sum(start + window <= n for start in range(0, n, hop)) for n in lengths]
    found = frame_counts(torch.tensor(lengths), window, hop)
    assert found.dtype == torch.int64 and found.tolist() == expected
