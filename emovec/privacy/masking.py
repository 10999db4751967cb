"""Masking of a latent from either end, group by group.

Shapes: N clips, L nodes of the latent.
"""

import numpy as np
from numpy.typing import NDArray

from emovec.errors import HparamError

ALL = "all"
EMOTION = "emotion"  # is kept: the identity end is masked
IDENTITY = "identity"  # is kept: the emotion end is masked
KEEPS = (EMOTION, IDENTITY, ALL)


def masked(
    latent: NDArray[np.float32], keep: str, masked_groups: int | None, groups: int
) -> NDArray[np.float32]:
    """A copy of a latent with the groups of one end zero.

    Args:
        latent: (N, L), emotion at its beginning, identity at its end
        keep: "emotion", "identity" or "all"
        masked_groups: how many; None: half of them
        groups: that L is divided into

    Returns:
        (N, L)

    Raises:
        HparamError: if ``keep`` is unknown, or there are not as many groups

    >>> masked(np.ones((1, 4), np.float32), "identity", 1, groups=2).tolist()
    [[0.0, 0.0, 1.0, 1.0]]
    """
    check_masked(keep, masked_groups, groups)
    result = latent.copy()
    if keep == ALL:
        return result
    number = groups // 2 if masked_groups is None else masked_groups
    nodes = number * (latent.shape[1] // groups)
    if keep == IDENTITY:
        result[:, :nodes] = 0
    else:
        result[:, latent.shape[1] - nodes :] = 0
    return result


def check_masked(keep: str, masked_groups: int | None, groups: int) -> None:
    """Raise where there is no such end, or not as many groups.

    Raises:
        HparamError: which of the two
    """
    if keep not in KEEPS:
        raise HparamError(f"keep is '{keep}'; expected one of {KEEPS}. Correct it.")
    if masked_groups is None:
        return
    if keep == ALL:
        raise HparamError(
            f"masked_groups is {masked_groups}, with keep '{ALL}', which masks none; expected "
            "null. Leave it out, or choose what to keep."
        )
    if type(masked_groups) is not int or not 0 <= masked_groups <= groups:
        raise HparamError(f"masked_groups is {masked_groups}; expected 0 to {groups}. Correct it.")
