"""Where embeddings come from: encoders, functionals and tables by name, and several at once.

Shapes: N clips, E embedding.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emovec.audio import opensmile
from emovec.audio.augment import Augmentation
from emovec.audio.batches import UtteranceBatches
from emovec.audio.functionals import NAMES, Extractor, functionals
from emovec.encoders.base import Encoder
from emovec.encoders.embedding_tables import Table, open_table, rows_of
from emovec.encoders.extract import Extracted, describe, extract
from emovec.encoders.locating import find_model
from emovec.encoders.store import load_model
from emovec.errors import HparamError, ModelError
from emovec.metrics.pair_blocks import Processes
from emovec.tables.manifest import Utterance

FUNCTIONALS_RATE = 16000  # Hz
FUNCTIONALS = ("functionals", *opensmile.FEATURE_SETS)


Source = Encoder | Extractor | Table


def open_sources(names: Sequence[str], *, allow_partial: bool = False) -> list[Source]:
    """What makes embeddings, by name.

    Args:
        names: of each "functionals", "egemaps" or "emobase2010"; an encoder, as
            :func:`emovec.encoders.locating.find_model` takes it; or the folder or file of a table
            of embeddings
        allow_partial: whether a table of an extraction that has not ended will do

    Raises:
        EmbeddingError: if a table cannot be read
        HparamError: if there is none, one twice or one that is not known or cannot be fetched, or
            openSMILE is needed and missing
        ModelError: if a model folder cannot be loaded
    """
    if not names or len(set(names)) < len(names):
        raise HparamError(f"embeddings: {list(names)} found; expected one or more, each once.")
    return [_open(name, allow_partial) for name in names]


def width(sources: Sequence[Source]) -> int:
    """E, numbers of an embedding by all sources, side by side."""
    return sum(
        source.embeddings.vectors.shape[1]
        if isinstance(source, Table)
        else source.embedding_size
        if isinstance(source, Encoder)
        else len(source.names)
        for source in sources
    )


def embed(
    sources: Sequence[Source],
    utterances: Sequence[Utterance],
    root: Path,
    *,
    max_seconds: float | None = None,
    augmentation: Augmentation | None = None,
    copies: int = 0,
    batch_seconds: float = 40.0,
    workers: int = 0,
    device: str = "cpu",
) -> Extracted:
    """Embeddings of clips from all sources, side by side; a clip that one skips has none.

    Args:
        sources: as :func:`open_source` gives them
        utterances: rows of a manifest
        root: folder that their paths are relative to
        max_seconds: clips are cut to this length; None: whole clips
        augmentation: of the copies
        copies: augmented ones of every clip
        batch_seconds: most padded seconds in a batch of an encoder
        workers: processes that read ahead, or threads for functionals
        device: of the encoders
    """
    longest = max_seconds or math.ceil(max(u.duration for u in utterances))
    parts = []
    for source in sources:
        if isinstance(source, Table):
            parts.append(rows_of(source, utterances, copies))
            continue
        rate = source.sample_rate if isinstance(source, Encoder) else FUNCTIONALS_RATE
        clips = UtteranceBatches(
            utterances, root, {}, rate, longest, augmentation=augmentation, copies=copies
        )
        if isinstance(source, Encoder):
            parts.append(
                extract(source, clips, batch_seconds=batch_seconds, workers=workers, device=device)
            )
        else:
            parts.append(describe(source, clips, workers=workers))
    return side_by_side(parts)


def embed_in_processes(
    sources: Sequence[Source],
    utterances: Sequence[Utterance],
    root: Path,
    processes: Processes,
    **options: Any,
) -> Extracted:
    """What :func:`embed` gives, shared by processes; each gets all of it.

    Args:
        sources: as :func:`open_sources` gives them
        utterances: rows of a manifest, at least one
        root: folder that their paths are relative to
        processes: that share the clips
        options: of :func:`embed`
    """
    own = utterances[processes.rank :: processes.count]
    found = []
    for source in sources:
        if isinstance(source, Table):  # whole: the share of one process may have no rows
            found.append(rows_of(source, utterances))
            continue
        part = embed([source], own, root, **options) if own else None
        shares = [share for share in processes.gather(part) if share is not None]
        found.append(_in_order(one_below_the_other(shares), utterances))
    return side_by_side(found)


def side_by_side(parts: Sequence[Extracted]) -> Extracted:
    """Embeddings of several sources as one, of the clips that all of them have.

    >>> from emovec.tables.corpus import Skip
    >>> one = Extracted(["a", "b"], np.array([[1], [2]], np.float32), ())
    >>> two = Extracted(["b"], np.array([[3, 4]], np.float32), (Skip("a", "silent"),))
    >>> side_by_side([one, two]).embeddings.tolist()
    [[2.0, 3.0, 4.0]]
    """
    skipped = {skip.id: skip for part in reversed(parts) for skip in part.skipped}
    blocks = []
    for part in parts:
        kept = [row for row, id_ in enumerate(part.ids) if id_ not in skipped]
        blocks.append(part.embeddings[kept])
    ids = [id_ for id_ in parts[0].ids if id_ not in skipped]
    return Extracted(ids, np.concatenate(blocks, axis=1), tuple(skipped.values()))


def one_below_the_other(parts: Sequence[Extracted]) -> Extracted:
    """Embeddings of several lots of clips by the same sources as one.

    >>> from emovec.tables.corpus import Skip
    >>> one = Extracted(["a"], np.array([[1]], np.float32), ())
    >>> two = Extracted(["b"], np.array([[2]], np.float32), (Skip("c", "silent"),))
    >>> one_below_the_other([one, two]).embeddings.tolist()
    [[1.0], [2.0]]
    """
    return Extracted(
        [id_ for part in parts for id_ in part.ids],
        np.concatenate([part.embeddings for part in parts]),
        tuple(skip for part in parts for skip in part.skipped),
    )


def _in_order(extracted: Extracted, utterances: Sequence[Utterance]) -> Extracted:
    """Embeddings, and what is skipped, in the order of the clips."""
    row_of = {id_: row for row, id_ in enumerate(extracted.ids)}
    skip_of = {skip.id: skip for skip in extracted.skipped}
    ids = [u.id for u in utterances if u.id in row_of]
    vectors = extracted.embeddings[[row_of[id_] for id_ in ids]]
    return Extracted(ids, vectors, tuple(skip_of[u.id] for u in utterances if u.id in skip_of))


def _open(name: str, allow_partial: bool) -> Source:
    if name == "functionals":
        return Extractor(name, NAMES, functionals)
    if name in opensmile.FEATURE_SETS:
        return opensmile.extractor(name)
    table = open_table(name, allow_partial=allow_partial)
    if table:
        return table
    try:
        folder = find_model(name)
    except ModelError as error:
        raise HparamError(
            f"embeddings: {error} Or give one of {', '.join(FUNCTIONALS)}, or a table of "
            "embeddings."
        ) from error
    model = load_model(folder)
    if not isinstance(model, Encoder):
        raise HparamError(
            f"embeddings: {name} holds a {type(model).__name__}; expected an encoder, which gives "
            "one vector a clip. Choose another folder, or give the one that `emovec extract` makes "
            "of this model."
        )
    return model
