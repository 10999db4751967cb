"""Masking against loops over nodes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emovec.errors import HparamError
from emovec.privacy.masking import KEEPS, masked


@given(
    st.integers(1, 8),
    st.integers(1, 4),
    st.integers(0, 8),
    st.sampled_from(["emotion", "identity"]),
)
def test_exactly_the_named_groups_are_zero(groups: int, size: int, count: int, keep: str) -> None:
    count = min(count, groups)
    latent = np.arange(1, 2 * groups * size + 1, dtype=np.float32).reshape(2, -1)
    before = latent.copy()
    found = masked(latent, keep, count, groups)
    for node in range(groups * size):
        group = node // size
        gone = group < count if keep == "identity" else group >= groups - count
        np.testing.assert_array_equal(found[:, node], 0 if gone else latent[:, node])
    np.testing.assert_array_equal(latent, before)


def test_half_unless_said_and_all_keeps_all() -> None:
    latent = np.ones((3, 64), dtype=np.float32)
    assert masked(latent, "emotion", None, 32).sum(axis=1).tolist() == [32] * 3
    assert masked(latent, "identity", None, 32)[:, 32:].all()
    whole = masked(latent, "all", None, 32)
    np.testing.assert_array_equal(whole, latent)
    assert whole is not latent


@pytest.mark.parametrize("keep", ["", "Emotion", "speaker", "none"])
def test_an_unknown_end(keep: str) -> None:
    with pytest.raises(HparamError, match=f"keep is '{keep}'; expected one of"):
        masked(np.ones((1, 32), np.float32), keep, None, 32)
    assert keep not in KEEPS


@pytest.mark.parametrize("count", [-1, 33, 1.5, True])
def test_as_many_groups_there_are_not(count: object) -> None:
    with pytest.raises(HparamError, match="expected 0 to 32"):
        masked(np.ones((1, 32), np.float32), "emotion", count, 32)  # type: ignore[arg-type]


def test_a_number_of_groups_with_nothing_to_mask() -> None:
    with pytest.raises(HparamError, match="masks none"):
        masked(np.ones((1, 32), np.float32), "all", 4, 32)
