"""Layered dropout: the further from its end of the latent, the less a branch can rely on a node.

Shapes: B batch, L nodes of the latent.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from emovec.errors import HparamError

PROFILES = ("linear", "cosine", "step")
Profile = str | Sequence[float]


def keep_probabilities(profile: Profile, size: int, rising: bool) -> NDArray[np.float32]:
    r"""Probability that each node is kept.

    With :math:`t = i / (L - 1)`, falling:

    .. math::
        \text{linear: } 1 - t \qquad
        \text{cosine: } \tfrac{1}{2} (1 + \cos \pi t) \qquad
        \text{step: } [t < \tfrac{1}{2}]

    (Huang et al., 2021, "Attribute-aligned representation", Interspeech; that theirs is linear is
    not published, but ours).

    Args:
        profile: a name, or probabilities that never rise and fall at least once, of nodes evenly
            spaced from the first to the last; those between are on straight lines
        size: L, 2 or more
        rising: the same backwards

    Returns:
        (L,)

    Raises:
        HparamError: if the profile is unknown, not in [0, 1] or not monotone, or there are fewer
            than 2 nodes

    >>> keep_probabilities("linear", 3, rising=True).tolist()
    [0.0, 0.5, 1.0]
    >>> keep_probabilities([1, 0.5, 0.5], 5, rising=False).tolist()
    [1.0, 0.75, 0.5, 0.5, 0.5]
    """
    if size < 2:
        raise HparamError(f"{size} node has no order; expected 2 or more. Raise latent_size.")
    t = np.linspace(0, 1, size)
    if isinstance(profile, str):
        falling = _named(profile, t)
    else:
        points = _checked(profile)
        falling = np.interp(t, np.linspace(0, 1, len(points)), points)
    return np.asarray(falling[::-1] if rising else falling, dtype=np.float32).copy()


class LayeredDropout(nn.Module):
    """Nodes kept each with a probability of its own, (B, L) -> (B, L).

    In training every sample draws its mask. In evaluation there is none, and each node is scaled
    by its probability, which is the mean over masks.

    Args:
        probabilities: (L,) of :func:`keep_probabilities`
    """

    probabilities: Tensor

    def __init__(self, probabilities: NDArray[np.float32]) -> None:
        super().__init__()
        # not saved: the model's arguments tell the profile
        self.register_buffer("probabilities", torch.from_numpy(probabilities), persistent=False)

    def forward(self, latent: Tensor) -> Tensor:
        """The latent (B, L), masked in training, else scaled."""
        if not self.training:
            return latent * self.probabilities
        return latent * torch.bernoulli(self.probabilities.expand_as(latent))


def _named(profile: str, t: NDArray) -> NDArray:
    if profile not in PROFILES:
        raise HparamError(
            f"profile is '{profile}'; expected one of {PROFILES}, or a list of probabilities that "
            "fall. Correct it."
        )
    if profile == "linear":
        return 1 - t
    return (1 + np.cos(np.pi * t)) / 2 if profile == "cosine" else (t < 0.5).astype(float)


def _checked(profile: Sequence[float]) -> NDArray:
    try:
        points = np.array(profile, dtype=np.float64)
    except (TypeError, ValueError):
        points = np.empty(0)
    # not "none rises": NaN compares false both ways
    falls = points.ndim == 1 and len(points) > 1 and bool((np.diff(points) <= 0).all())
    if not (falls and points[0] > points[-1] and points[0] <= 1 and points[-1] >= 0):
        raise HparamError(
            f"profile is {profile}; expected one of {PROFILES}, or two or more probabilities in "
            "[0, 1] that fall from the emotion end to the identity end and never rise. Correct it."
        )
    return points
