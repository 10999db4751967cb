"""Masking curves: what is found of emotion and identity as more and more of a latent is masked.

Huang et al. (2021), figure 2.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from emovec.privacy.attackers import NETWORK, attack
from emovec.privacy.lrvae import LRVAE
from emovec.privacy.masking import EMOTION, IDENTITY, masked
from emovec.privacy.selection import Measures
from emovec.privacy.vectors import Vectors


class Point(NamedTuple):
    """A point of a curve.

    Attributes:
        keep: "emotion": the identity end is masked; "identity": the emotion end is
        masked_groups: how many
        measures: by the attacker
    """

    keep: str
    masked_groups: int
    measures: Measures


def masking_curve(
    model: LRVAE,
    splits: Mapping[str, Vectors],
    seed: int,
    attackers: Sequence[str] = (NETWORK,),
    counts: Sequence[int] | None = None,
    progress: Callable[[Point], None] | None = None,
) -> list[Point]:
    """What attackers find at each number of masked groups, from both ends.

    A latent without order, such as that of a VAE, is masked all the same.

    Args:
        model: trained
        splits: "train", "valid" and "test"
        seed: of the attackers, the same at each point
        attackers: see ``attackers.attack``; the one that finds most counts
        counts: of masked groups; None: from 0 to all of them
        progress: is called after each point

    Returns:
        points that keep emotion, fewest masked first; then those that keep identity
    """
    train, valid, test = (splits[name] for name in ("train", "valid", "test"))
    latents = [model.latent(of.features) for of in (train, valid, test)]
    points: list[Point] = []
    whole: Measures | None = None  # nothing masked: the same from either end
    for keep in (EMOTION, IDENTITY):
        for count in counts or range(model.groups + 1):
            measures = whole if count == 0 else None
            if measures is None:
                x = [masked(of, keep, count, model.groups) for of in latents]
                attacks = attack(x[0], train, x[1], valid, x[2], test, seed, attackers)
                worst = attacks.worst
                measures = Measures(attacks.f1_of(worst.emotion), attacks.rate_of(worst.speaker))
            if count == 0:
                whole = measures
            points.append(Point(keep, count, measures))
            if progress:
                progress(points[-1])
    return points
