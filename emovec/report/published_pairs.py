"""Equal error rates for pairs of emotions, as printed in papers."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedMatrix:
    """A paper's equal error rates on one corpus.

    Attributes:
        corpus: a name of ``corpora.names()``
        source: the publication
        conditions: what was measured, as far as the publication tells
        emotions: rows and columns, in the paper's order
        percent: rows as printed, in %
    """

    corpus: str
    source: str
    conditions: str
    emotions: tuple[str, ...]
    percent: tuple[tuple[float, ...], ...]

    @property
    def rates(self) -> Mapping[str, float]:
        """Equal error rates in [0, 1] by the name of the cell, as ``metrics.pair_cells`` has it."""
        return {
            "-".join(sorted((one, other))): self.percent[row][column] / 100
            for row, one in enumerate(self.emotions)
            for column, other in enumerate(self.emotions[: row + 1])
        }


_PAPPAGARI = "Pappagari et al. (2020), x-vectors meet emotions, ICASSP"
_EVERY_PAIR = "every utterance against every other one, same gender only"
_FOUR = ("anger", "happiness", "sadness", "neutral")

PUBLISHED = (
    PublishedMatrix(
        "iemocap",
        _PAPPAGARI,
        f"{_EVERY_PAIR}; happiness with excitement",
        _FOUR,
        (
            (42.19, 44.11, 44.35, 44.35),
            (44.11, 41.47, 42.52, 43.20),
            (44.35, 42.52, 40.45, 43.27),
            (44.35, 43.20, 43.27, 39.40),
        ),
    ),
    PublishedMatrix(
        "msp_podcast",
        _PAPPAGARI,
        f"{_EVERY_PAIR}; release 1.4",
        _FOUR,
        (
            (13.14, 18.15, 17.28, 12.98),
            (18.15, 15.41, 13.97, 11.63),
            (17.28, 13.97, 13.34, 11.89),
            (12.98, 11.63, 11.89, 8.95),
        ),
    ),
    PublishedMatrix(
        "cremad",
        _PAPPAGARI,
        _EVERY_PAIR,
        _FOUR,
        (
            (23.60, 30.29, 34.65, 32.36),
            (30.29, 25.81, 34.07, 31.08),
            (34.65, 34.07, 20.26, 28.43),
            (32.36, 31.08, 28.43, 26.92),
        ),
    ),
)


def published_matrix(corpus: str) -> PublishedMatrix | None:
    """What was published on a corpus, or None.

    Args:
        corpus: its name; one that only has the labels from elsewhere, such as "emobox_cremad",
            is the same corpus

    >>> published_matrix("msp_podcast").rates["anger-neutral"]
    0.1298
    >>> published_matrix("demo") is None
    True
    """
    return next(
        (
            matrix
            for matrix in PUBLISHED
            if corpus == matrix.corpus or corpus.endswith(f"_{matrix.corpus}")
        ),
        None,
    )
