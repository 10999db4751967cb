"""Embeddings of clips to score and of clips to learn from, by encoders or from tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emovec.corpora.pair_selection import PairSelection
from emovec.encoders.embedding_tables import (
    Table,
    table_notes,
    with_corpus_names,
    without_corpus_name,
)
from emovec.encoders.extract import Extracted
from emovec.encoders.sources import Source, embed_in_processes, open_sources, width
from emovec.errors import HparamError
from emovec.metrics.pair_blocks import Processes
from emovec.tables.corpus import Skip
from emovec.tables.embeddings import EmbeddingError
from emovec.tables.manifest import Utterance

# Hyper-parameters that name sources: of clips to try, of the training, and those to compare with.
EMBEDDINGS = ("embeddings", "training_embeddings", "compare_with", "compare_training")
ZERO = "embedding is zero"


@dataclass(frozen=True)
class Encoders:
    """What embeds the clips that are tried, and those of the training.

    Attributes:
        tried: sources, side by side
        training: the same ones, or tables of the training's clips in their place; none without
            training
    """

    tried: Sequence[Source]
    training: Sequence[Source]


@dataclass(frozen=True, eq=False)
class Embedded:
    """Embeddings by one of the encoders.

    Attributes:
        tested: of the clips to score
        training: of those to learn from; None: there are none
    """

    tested: Extracted
    training: Extracted | None


def open_encoders(
    names: Mapping[str, Sequence[str]], training_corpora: Sequence[str], *, allow_partial: bool
) -> list[Encoders]:
    """Encoders to try, and to compare with if there are any.

    Args:
        names: of sources, as ``emovec.encoders.sources.open_sources`` takes them, by the keys
            of ``EMBEDDINGS``; none for the training: the same as for the clips that are tried
        training_corpora: none: there is no training
        allow_partial: whether tables of extractions that have not ended will do

    Raises:
        EmbeddingError: if a table cannot be read
        HparamError: if a name is not known, there is nothing to train on, or the embeddings of
            the training are of another size
        ModelError: if a model folder cannot be loaded
    """
    tried_keys, training_keys = EMBEDDINGS[::2], EMBEDDINGS[1::2]
    return [
        _open(names, key, training_key, training_corpora, allow_partial)
        for key, training_key in zip(tried_keys, training_keys, strict=True)
        if key == EMBEDDINGS[0] or names[key] or names[training_key]
    ]


def _open(
    names: Mapping[str, Sequence[str]],
    key: str,
    training_key: str,
    training_corpora: Sequence[str],
    allow_partial: bool,
) -> Encoders:
    lacking = [n for n, of in ((key, names[key]), ("training_corpora", training_corpora)) if not of]
    if names[training_key] and lacking:
        raise HparamError(
            f"{training_key} is {list(names[training_key])}, and {lacking[0]} is empty; expected "
            "both or none. Give the other one as well."
        )
    tried = open_sources(names[key], allow_partial=allow_partial)
    if not training_corpora or not names[training_key]:
        return Encoders(tried, tried if training_corpora else [])
    training = open_sources(names[training_key], allow_partial=allow_partial)
    if width(training) != width(tried):
        raise HparamError(
            f"{training_key} have {width(training)} numbers, {key} {width(tried)}; expected the "
            "same encoder. Extract both by one."
        )
    return Encoders(tried, training)


def embed_clips(
    encoders: Encoders,
    utterances: Sequence[Utterance],
    clips: PairSelection,
    processes: Processes,
    options: Mapping[str, Any],
) -> Embedded:
    """Embeddings that are not zero of the clips to score, and of those to learn from.

    Args:
        encoders: that embed
        utterances: to score
        clips: the corpus that they are of, and the training
        processes: that share the work; each gets all of it
        options: of ``emovec.encoders.sources.embed``

    Raises:
        EmbeddingError: if a table is of other clips, or no clip of the training has an embedding
    """
    tested = _without_zeros(
        embed_in_processes(encoders.tried, utterances, clips.root, processes, **options)
    )
    if not clips.training:
        return Embedded(tested, None)
    sources = [
        with_corpus_names(source, clips.training) if isinstance(source, Table) else source
        for source in encoders.training
    ]
    training = _without_zeros(
        embed_in_processes(sources, clips.training, Path("/"), processes, **options)
    )
    if not training.ids:
        raise EmbeddingError(
            f"training_embeddings: of {len(clips.training)} training clips none has an embedding "
            f"({training.skipped[0].reason}); expected some. Choose another encoder or corpus."
        )
    return Embedded(tested, training)


def _without_zeros(extracted: Extracted) -> Extracted:
    """Embeddings that have a direction; the others are skipped."""
    has = np.asarray(extracted.embeddings.any(axis=1))
    zero = [Skip(id_, ZERO) for id_, kept in zip(extracted.ids, has, strict=True) if not kept]
    ids = [id_ for id_, kept in zip(extracted.ids, has, strict=True) if kept]
    return Extracted(ids, extracted.embeddings[has], (*extracted.skipped, *zero))


def notes_on_tables(encoders: Sequence[Encoders], clips: PairSelection) -> list[str]:
    """What a reader of results must know of the tables that embeddings are from."""
    ids = {u.id for u in (*clips.prepared, *clips.training)}
    ids |= {without_corpus_name(u.id) for u in clips.training}
    sources = [source for e in encoders for source in (*e.tried, *e.training)]
    tables = {source.name: source for source in sources if isinstance(source, Table)}
    return [note for table in tables.values() for note in table_notes(table, ids)]
