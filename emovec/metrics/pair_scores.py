"""Scores of all pairs of clips, in a form from which any block of them is one matrix product.

Cosine, PLDA and scores normalised by a cohort all have this form, so that what counts scores needs
to know of none of them.

Shapes: N clips, E numbers an embedding, R and C clips of the two sides of a block.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

ROWS = 4096  # embeddings that are worked on at a time


@dataclass(frozen=True, eq=False)
class PairScores:
    r"""Symmetric scores of every pair of N clips, none of which are held.

    .. math::
        s_{ij} = (v_i \cdot v_j + o_i + o_j) (r_i + r_j) + b_i + b_j

    in float32. Cosine has unit vectors and no more; the likelihood ratio of PLDA has offsets; what
    a cohort normalises has scales and shifts.

    Args:
        vectors: (N, E) v
        offsets: (N,) o; None: 0
        scales: (N,) r; None: 1/2, which leaves a score as it is
        shifts: (N,) b; None: 0

    Raises:
        ValueError: if the shapes differ, or something is NaN or infinite
    """

    vectors: NDArray[np.float32]
    offsets: NDArray[np.float32] | None = None
    scales: NDArray[np.float32] | None = None
    shifts: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2:
            raise ValueError(f"vectors are {self.vectors.shape}; expected (N, E).")
        for name, values in self._parts().items():
            if name != "vectors" and values.shape != (len(self),):
                raise ValueError(f"{name} are {values.shape}; expected ({len(self)},).")
            if not np.isfinite(values).all():
                raise ValueError(f"{name} have NaN or infinite values; expected finite ones.")
            object.__setattr__(self, name, np.ascontiguousarray(values, dtype=np.float32))

    def __len__(self) -> int:
        return len(self.vectors)

    def take(self, clips: NDArray[np.integer]) -> "PairScores":
        """Scores among some of the clips, in another order."""
        return PairScores(**{name: values[clips] for name, values in self._parts().items()})

    def block(self, rows: slice, columns: slice, size: int = 0) -> NDArray[np.float32]:
        """Scores (R, C) of some clips against others.

        Args:
            rows: clips on the one side
            columns: clips on the other side
            size: both sides are filled up with zeros to this many clips, so that the scores of two
                pairs of the same vectors are equal whatever block they are in: products of
                different sizes are rounded differently
        """
        one, other = _filled(self.vectors[rows], size), _filled(self.vectors[columns], size)
        scores = one @ other.T
        scores = np.ascontiguousarray(
            scores[: len(self.vectors[rows]), : len(self.vectors[columns])]
        )
        if self.offsets is not None:
            scores += self.offsets[rows, None] + self.offsets[columns]
        if self.scales is not None:
            scores *= self.scales[rows, None] + self.scales[columns]
        if self.shifts is not None:
            scores += self.shifts[rows, None] + self.shifts[columns]
        return scores

    def pairs(self, first: NDArray[np.integer], second: NDArray[np.integer]) -> NDArray[np.float32]:
        """Scores (P,) of pairs of clips, of a list of trials for example."""
        scores = np.empty(len(first), dtype=np.float32)
        for begin in range(0, len(first), ROWS):
            part = slice(begin, begin + ROWS)
            one, other = self.vectors[first[part]], self.vectors[second[part]]
            scores[part] = np.einsum("ij,ij->i", one, other)
        if self.offsets is not None:
            scores += self.offsets[first] + self.offsets[second]
        if self.scales is not None:
            scores *= self.scales[first] + self.scales[second]
        if self.shifts is not None:
            scores += self.shifts[first] + self.shifts[second]
        return scores

    def _parts(self) -> dict[str, NDArray]:
        parts = {
            "vectors": self.vectors,
            "offsets": self.offsets,
            "scales": self.scales,
            "shifts": self.shifts,
        }
        return {name: values for name, values in parts.items() if values is not None}


def _filled(vectors: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """A copy with zeros behind; a product of an array with itself would take another way."""
    filled = np.zeros((max(size, len(vectors)), vectors.shape[1]), dtype=np.float32)
    filled[: len(vectors)] = vectors
    return filled


def cosine_scores(embeddings: ArrayLike, mean: ArrayLike | None = None) -> PairScores:
    r"""Cosine similarity, :math:`x \cdot y / (|x| \, |y|)`.

    Args:
        embeddings: (N, E) finite vectors
        mean: (E,) is subtracted from each before; None: nothing is

    Raises:
        ValueError: if embeddings are not (N, E), or one is NaN, infinite, or zero, which has no
            direction

    >>> cosine_scores([[1, 0], [0, 2], [3, 0]]).block(slice(0, 1), slice(1, 3)).tolist()
    [[0.0, 1.0]]
    """
    x = np.asarray(embeddings)
    if x.ndim != 2:
        raise ValueError(f"embeddings are {x.shape}; expected (N, E).")
    centre = np.zeros(x.shape[1]) if mean is None else np.asarray(mean, dtype=np.float64)
    unit = np.empty(x.shape, dtype=np.float32)
    lengths = np.empty(len(x))
    for first in range(0, len(x), ROWS):  # in double precision, a part at a time
        rows = slice(first, first + ROWS)
        part = x[rows].astype(np.float64) - centre
        lengths[rows] = np.linalg.norm(part, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            unit[rows] = part / lengths[rows, None]
    unusable = np.flatnonzero(~np.isfinite(lengths) | (lengths == 0))
    if len(unusable):
        raise ValueError(
            f"embeddings {unusable[:5].tolist()} ({len(unusable)} in all) are zero, NaN or "
            "infinite; expected finite vectors with a direction. Leave these clips out."
        )
    return PairScores(unit)
