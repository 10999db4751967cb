"""Equal error rates for pairs of emotions, as printed in papers."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class PublishedMatrix:
    """A paper's equal error rates on one corpus.

    Attributes:
        corpus: a name of ``corpora.names()``
        source: the publication
        conditions: what was measured, as far as the publication tells
        emotions: rows and columns, in the paper's order
        percent: rows as printed, in %
        merged: by emotion of the corpus, the one of these that its clips were counted with
    """

    corpus: str
    source: str
    conditions: str
    emotions: tuple[str, ...]
    percent: tuple[tuple[float, ...], ...]
    merged: Mapping[str, str] = field(default_factory=dict)

    @property
    def rates(self) -> Mapping[str, float]:
        """Equal error rates in [0, 1] by the name of the cell, as ``metrics.pair_cells`` has it."""
        return {
            "-".join(sorted((one, other))): self.percent[row][column] / 100
            for row, one in enumerate(self.emotions)
            for column, other in enumerate(self.emotions[: row + 1])
        }

    def unlike(self, merged: Mapping[str, str]) -> list[str]:
        """Emotions that are other clips than in a run that has merged some.

        >>> published_matrix("iemocap").unlike({})
        ['happiness']
        >>> published_matrix("iemocap").unlike({"excitement": "happiness"})
        []
        """

        def parts(of: Mapping[str, str], emotion: str) -> set[str]:
            return {part for part, whole in of.items() if emotion in (part, whole)}

        return [e for e in self.emotions if parts(self.merged, e) != parts(merged, e)]

    def rates_like(self, merged: Mapping[str, str]) -> Mapping[str, float]:
        """Equal error rates of the cells that are of the same clips in a run that has merged some.

        >>> sorted(published_matrix("iemocap").rates_like({}))[:3]
        ['anger-anger', 'anger-neutral', 'anger-sadness']
        """
        unlike = set(self.unlike(merged))
        return {name: r for name, r in self.rates.items() if not unlike & set(name.split("-"))}


_PAPPAGARI = "Pappagari et al. (2020), x-vectors meet emotions, ICASSP"
_EVERY_PAIR = "every utterance against every other one, same gender only"
_FOUR = ("anger", "happiness", "sadness", "neutral")

PUBLISHED = (
    PublishedMatrix(
        "iemocap",
        _PAPPAGARI,
        _EVERY_PAIR,
        _FOUR,
        (
            (42.19, 44.11, 44.35, 44.35),
            (44.11, 41.47, 42.52, 43.20),
            (44.35, 42.52, 40.45, 43.27),
            (44.35, 43.20, 43.27, 39.40),
        ),
        merged={"excitement": "happiness"},
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
