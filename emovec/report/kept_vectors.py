"""Embeddings that a run keeps as vectors.npz, so that its page can have a map of them.

The page has positions in two dimensions, and labels; the vectors stay in the run's folder.

Shapes: N clips, E embedding.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from emovec.corpora.speakers import corpus_of
from emovec.tables.embeddings import Embeddings, column
from emovec.tables.manifest import Utterance

FILE = "vectors.npz"
MOST_KEPT = 1000  # clips: as many as are drawn by their neighbours, see interactive_map
MOST_BYTES = 3_500_000  # of vectors
LABELS = ("emotion", "speaker", "gender")  # columns, and "corpus"


def keep_some(
    utterances: Sequence[Utterance], vectors: NDArray, seed: int, corpus: str = ""
) -> Embeddings:
    """Embeddings of at most 1,000 clips, and what is known of these.

    Fewer where the file would have more than some megabytes. Speakers have equal shares, as far as
    they have clips; clips of unknown speakers count as those of one.

    Args:
        utterances: N, each id once
        vectors: (N, E), E > 0
        seed: of the draw
        corpus: that all are of; "": ids begin with its name
    """
    most = min(MOST_KEPT, MOST_BYTES // (4 * vectors.shape[1]))
    rows = spread_over_speakers([u.speaker for u in utterances], most, seed)
    chosen = [utterances[row] for row in rows]
    columns = {name: column(name, [getattr(u, name) for u in chosen]) for name in LABELS}
    columns["corpus"] = column("corpus", [corpus or corpus_of(u) for u in chosen])
    kept = np.ascontiguousarray(vectors[rows], dtype=np.float32)
    return Embeddings([u.id for u in chosen], kept, None, columns)


def spread_over_speakers(speakers: Sequence[str], most: int, seed: int) -> list[int]:
    """Rows of at most so many clips, in their order: a drawn one of each speaker, then another.

    Args:
        speakers: N
        most: rows
        seed: of the draw

    >>> spread_over_speakers(["a", "b", "b", "b"], 4, seed=0)
    [0, 1, 2, 3]
    >>> 0 in spread_over_speakers(["a", "b", "b", "b"], 2, seed=0)
    True
    """
    drawn = np.random.default_rng(seed).permutation(len(speakers))
    turns, seen = np.empty(len(speakers), dtype=np.int64), dict.fromkeys(speakers, 0)
    for row in drawn.tolist():
        turns[row] = seen[speakers[row]]
        seen[speakers[row]] += 1
    first = drawn[np.argsort(turns[drawn], kind="stable")][:most]
    return sorted(first.tolist())
