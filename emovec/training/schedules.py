"""Learning-rate schedules: factor of the peak rate from the share of all steps that are done.

Functions of progress alone, so that a resumed run needs no state of theirs.
"""

import math
from collections.abc import Callable

WARM_UP = 0.15  # share of the steps [ours]


def constant(progress: float) -> float:
    """The peak rate throughout, as published for EmoSphere-SER.

    >>> constant(0.7)
    1.0
    """
    return 1.0


def warm_up_cosine(progress: float) -> float:
    """Linear from 0 to the peak over the first 15 %, then half a cosine back to 0.

    A transformer from random weights learns nothing at its best rate without a warm-up; the
    decline is that of Loshchilov & Hutter (2017), "SGDR", ICLR.

    Args:
        progress: share of the steps that are done, in [0, 1]

    >>> [round(warm_up_cosine(share), 3) for share in (0.0, 0.15, 0.575, 1.0)]
    [0.0, 1.0, 0.5, 0.0]
    """
    if progress < WARM_UP:
        return progress / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP)))


SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": constant,
    "warm_up_cosine": warm_up_cosine,
}
