"""Trials of a split for choosing a model: pairs of clips of one group.

Final results are not measured on these but on all pairs, by ``emovec.metrics.pairs``.

Shapes: N clips, P pairs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emovec.metrics.pair_scores import PairScores
from emovec.metrics.verification import equal_error_rate
from emovec.privacy.vectors import Vectors

MOST_PAIRS = 100_000  # of either kind
MOST_CLIPS = 1000  # up to so many all pairs are listed


@dataclass(frozen=True, eq=False)
class Trials:
    """Pairs of clips of one group.

    Attributes:
        first: (P,) number of one clip
        second: (P,) number of the other
        is_target: (P,) whether one speaker says both
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    is_target: NDArray[np.bool_]

    def equal_error_rate(self, scores: PairScores) -> float:
        """EER of these pairs."""
        return equal_error_rate(scores.pairs(self.first, self.second), self.is_target)[0]


def trials_within_groups(vectors: Vectors, seed: int) -> Trials:
    """Pairs of clips within groups: all of them, of many clips as many of either kind as suffice.

    Args:
        vectors: clips that ``vectors.check_splits`` has passed
        seed: of the draw
    """
    random = np.random.default_rng(seed)
    clips = len(vectors)
    if clips <= MOST_CLIPS:
        first, second = np.triu_indices(clips, k=1)
    else:
        order = np.lexsort((vectors.speakers, vectors.groups))
        drawn = random.integers(clips, size=(2, 10 * MOST_PAIRS))
        # neighbours in this order: pairs of one speaker, which a draw of any two rarely meets
        near = random.integers(clips, size=MOST_PAIRS)
        beside = np.minimum(near + random.integers(1, 20, size=MOST_PAIRS), clips - 1)
        first = np.concatenate([drawn[0], order[near]])
        second = np.concatenate([drawn[1], order[beside]])
    together = (vectors.groups[first] == vectors.groups[second]) & (vectors.groups[first] != "")
    together &= first != second
    first, second = first[together], second[together]
    same = vectors.speakers[first] == vectors.speakers[second]
    kinds = [np.flatnonzero(same), np.flatnonzero(~same)]
    pairs = np.concatenate(
        [random.permutation(of)[:MOST_PAIRS] if len(of) > MOST_PAIRS else of for of in kinds]
    )
    return Trials(first[pairs], second[pairs], same[pairs])
