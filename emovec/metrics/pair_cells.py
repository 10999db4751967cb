"""What all-pairs verification found: one cell for each unordered pair of emotions.

Shapes: B score bins, R resamples.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emovec.metrics.intervals import Interval

SAME, CROSS, POOLED = "same", "cross", "pooled"
FEWEST_SPEAKERS, FEWEST_TARGETS = 5, 30


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """Trials of one pair of emotions, or of several pairs pooled, and what they came to.

    A rate is None where the cell has no targets or no impostors.

    Attributes:
        name: "anger-neutral", emotions in alphabetical order; or "same", "cross", "pooled"
        emotions: the two, equal on the diagonal; () of a pool
        targets: trials of one and the same speaker
        impostors: trials of different speakers
        clips: that have a trial
        speakers: that have a trial
        eer: equal error rate, in [0, 1]
        threshold: score at which it is
        interval: 95 %, of eer
        min_dcf_01: normalised minimum detection cost, p_target = 0.01
        min_dcf_05: the same, p_target = 0.05
        frr: false rejection rate at the matrix' reference threshold
        far: false acceptance rate there
        frr_interval: 95 %, the threshold found anew in each resample
        far_interval: likewise
        target_counts: (B,) targets in each score bin of the matrix
        impostor_counts: (B,) impostors in each
    """

    name: str
    emotions: tuple[str, ...]
    targets: int
    impostors: int
    clips: int
    speakers: int
    eer: float | None = None
    threshold: float | None = None
    interval: Interval | None = None
    min_dcf_01: float | None = None
    min_dcf_05: float | None = None
    frr: float | None = None
    far: float | None = None
    frr_interval: Interval | None = None
    far_interval: Interval | None = None
    target_counts: NDArray[np.int64]
    impostor_counts: NDArray[np.int64]

    @property
    def doubt(self) -> str:
        """Why the cell is not to be trusted; "" if it is."""
        reasons = []
        if self.speakers < FEWEST_SPEAKERS:
            reasons.append(f"{self.speakers} speakers, fewer than {FEWEST_SPEAKERS}")
        if self.targets < FEWEST_TARGETS:
            reasons.append(f"{self.targets} targets, fewer than {FEWEST_TARGETS}")
        if not self.impostors:
            reasons.append("no impostors")
        return "; ".join(reasons)


@dataclass(frozen=True, kw_only=True, eq=False)
class PairMatrix:
    """Verification of every clip against every other one, by pair of emotions.

    Attributes:
        cells: every unordered pair of emotions that has trials, in alphabetical order
        pools: "same" and "cross" emotion, as far as there are trials, and "pooled", of all
        difference: equal error rate of "cross" minus that of "same"; None unless both have one
        difference_interval: 95 %, from the same resamples
        reference: name of the cell whose equal error rate sets the reference threshold; None
            where no such cell has a rate
        reference_threshold: that score
        bin_edges: (B + 1,) scores that bound the bins of the cells' counts; the first and the last
            bin also hold what lies beyond
        excluded: by reason, clips that are in no trial
        method: of the intervals: "bootstrap", "jackknife", or "" where there are none
        resamples: by cell and pool, (R,) equal error rates of the same resamples of speakers,
            or, by the jackknife, without each speaker in turn; NaN where one has none
    """

    cells: tuple[Cell, ...]
    pools: Mapping[str, Cell]
    difference: float | None
    difference_interval: Interval | None
    reference: str | None
    reference_threshold: float | None
    bin_edges: NDArray[np.float64]
    excluded: Mapping[str, int]
    method: str
    resamples: Mapping[str, NDArray[np.float64]]

    def __repr__(self) -> str:
        """A line; the numbers are in ``rows``."""
        rates = ", ".join(
            f"{name} {pool.eer:.2%}" for name, pool in self.pools.items() if pool.eer is not None
        )
        return f"PairMatrix({len(self.cells)} cells; EER {rates})"

    @property
    def rows(self) -> list[Cell]:
        """Cells, then pools."""
        return [*self.cells, *self.pools.values()]

    @property
    def emotions(self) -> list[str]:
        """Emotions of the cells, in alphabetical order."""
        return sorted({emotion for cell in self.cells for emotion in cell.emotions})

    def cell(self, one: str, other: str) -> Cell | None:
        """The cell of two emotions in either order; None if it has no trials."""
        emotions = tuple(sorted((one, other)))
        return next((cell for cell in self.cells if cell.emotions == emotions), None)
