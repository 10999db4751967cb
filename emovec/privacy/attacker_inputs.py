"""What attackers make of a representation before they learn from it; and what is left of none.

Shapes: N clips, L numbers of a representation, D of them that vary.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emovec.privacy.vectors import feature_scales


@dataclass(frozen=True, eq=False)
class AttackerInputs:
    """Standardisation that has learnt from the training; masked numbers, which never vary, go.

    Attributes:
        mean: (L,)
        scale: (L,) one over the deviation, 0 of what never varies
        group_means: (D,) of the standardised training clips of each group
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    group_means: dict[str, NDArray[np.float32]]

    @property
    def size(self) -> int:
        """D, 0 where all is masked."""
        return int(np.count_nonzero(self.scale))

    def standardised(self, representation: NDArray) -> NDArray[np.float32]:
        """(N, D) of mean 0 and deviation 1 in training."""
        varies = self.scale > 0
        found = (representation[:, varies] - self.mean[varies]) * self.scale[varies]
        return found.astype(np.float32)

    def centred(self, representation: NDArray, groups: NDArray[np.str_]) -> NDArray[np.float32]:
        """(N, D) and of mean 0 in each group of the training.

        Clips are compared within their groups, so that what a group has in common, its language
        and channel, tells no speaker apart and would only make all cosines high.
        """
        found = self.standardised(representation)
        for group, mean in self.group_means.items():
            found[groups == group] -= mean
        return found


def fit_inputs(representation: NDArray, groups: NDArray[np.str_]) -> AttackerInputs:
    """Inputs of attackers who know the training.

    Args:
        representation: (N, L) of the training
        groups: (N,) of its clips
    """
    inputs = AttackerInputs(*feature_scales(representation), {})
    x = inputs.standardised(representation)
    for group in np.unique(groups):
        inputs.group_means[str(group)] = x[groups == group].mean(axis=0)
    return inputs


def unit_rows(x: NDArray) -> NDArray[np.float32]:
    """(N, D) of length 1; rows of zeros, which have no direction, stay as they are.

    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    x = np.asarray(x, dtype=np.float64)
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    return np.divide(x, lengths, out=np.zeros_like(x), where=lengths > 0).astype(np.float32)
