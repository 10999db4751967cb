"""Learning-rate schedules: factor of the peak rate at a step, from 0, of all steps there will be.

Functions of these two alone, so that a resumed run needs no state of theirs. Epochs may differ by
a few steps, so that a step may lie beyond all that were counted: the rate then stays at its last.
"""

import math
from collections.abc import Callable

WARM_UP = 0.15  # share of the steps [ours]
LINEAR_WARM_UP = 0.08
WARM_UP_STEPS = 8000  # of Pappagari et al. (2020), in their code


def constant(step: int, steps: int) -> float:
    """The peak rate throughout, as published for EmoSphere-SER.

    >>> constant(70, 100)
    1.0
    """
    return 1.0


def warm_up_inverse_root(step: int, steps: int) -> float:
    """Linear to the peak in 8000 steps, then falling with the root of the steps done.

    Vaswani et al. (2017), "Attention is all you need", NIPS; as published for the x-vectors of
    Pappagari et al. (2020). A training of fewer steps never reaches the peak.

    >>> [warm_up_inverse_root(step, 10**6) for step in (0, 3999, 7999, 31999)]
    [0.000125, 0.5, 1.0, 0.5]
    """
    done = step + 1
    return min(done / WARM_UP_STEPS, (WARM_UP_STEPS / done) ** 0.5)


def warm_up_cosine(step: int, steps: int) -> float:
    """Linear from 0 to the peak over the first 15 %, then half a cosine back to 0.

    A transformer from random weights learns nothing at its best rate without a warm-up; the
    decline is that of Loshchilov & Hutter (2017), "SGDR", ICLR.

    >>> [round(warm_up_cosine(step, 1000), 3) for step in (0, 150, 575, 1000, 1100)]
    [0.0, 1.0, 0.5, 0.0, 0.0]
    """
    progress = min(step / steps, 1.0)
    if progress < WARM_UP:
        return progress / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP)))


def warm_up_linear(step: int, steps: int) -> float:
    """Linear from 0 to the peak over the first 8 %, then linear back to 0.

    As published for HuBERT (Hsu et al., 2021) and WavLM.

    >>> [round(warm_up_linear(step, 1000), 3) for step in (0, 40, 80, 540, 1000, 1001)]
    [0.0, 0.5, 1.0, 0.5, 0.0, 0.0]
    """
    progress = min(step / steps, 1.0)
    return min(progress / LINEAR_WARM_UP, (1 - progress) / (1 - LINEAR_WARM_UP))


SCHEDULES: dict[str, Callable[[int, int], float]] = {
    "constant": constant,
    "warm_up_inverse_root": warm_up_inverse_root,
    "warm_up_cosine": warm_up_cosine,
    "warm_up_linear": warm_up_linear,
}
