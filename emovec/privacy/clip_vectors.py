"""From clips to vectors: what encoders, functionals or tables make of them, kept for later."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emovec.corpora.selection import Selection
from emovec.corpora.speakers import corpus_and_gender, corpus_of
from emovec.encoders.embedding_tables import Table, rows_of, table_notes, with_corpus_names
from emovec.encoders.extract import Extracted
from emovec.encoders.sources import Source, embed
from emovec.privacy.vectors import Vectors
from emovec.tables import embedding_files
from emovec.tables.corpus import Skip
from emovec.tables.embeddings import Embeddings, Extraction
from emovec.tables.manifest import Utterance


def clip_vectors(
    name: str, source: Source, clips: Selection, file: Path, *, same_gender: bool, **options: Any
) -> tuple[dict[str, Vectors], tuple[Skip, ...], list[str]]:
    """Vectors of the clips of each split, in the order of the clips.

    Args:
        name: of the source, as it was given
        source: what makes vectors
        clips: of all splits, of ``emovec.corpora.pooled_selection``
        file: npz in which vectors are kept, so that a run that goes on need not make them again;
            those of a table are not kept
        same_gender: compare speakers of one gender only
        options: of ``emovec.encoders.sources.embed``

    Returns:
        vectors by split, clips that have none, and what a reader of results must know

    Raises:
        EmbeddingError: if a table has not one of the clips, or a split has no vectors
    """
    utterances = [u for members in clips.splits.values() for u in members]
    notes: list[str] = []
    if isinstance(source, Table):
        source = with_corpus_names(source, utterances)
        notes = table_notes(source, {u.id for u in utterances} | {s.id for s in clips.skipped})
        found = rows_of(source, utterances)
    else:
        kept = _kept(file)
        found = kept or embed([source], utterances, clips.root, **options)
        if kept is None:
            _keep(found, name, clips, file)
    row_of = {id_: row for row, id_ in enumerate(found.ids)}
    group_of = corpus_and_gender if same_gender else corpus_of
    vectors = {}
    for split, members in clips.splits.items():
        described = [u for u in members if u.id in row_of]
        features = found.embeddings[[row_of[u.id] for u in described]]
        vectors[split] = _vectors(described, features, [group_of(u) for u in described])
    return vectors, found.skipped, notes


def _vectors(
    utterances: Sequence[Utterance], features: np.ndarray, groups: Sequence[str]
) -> Vectors:
    return Vectors(
        np.array([u.id for u in utterances]),
        features,
        np.array([u.emotion for u in utterances]),
        np.array([u.speaker for u in utterances]),
        np.array(groups),
    )


def _keep(found: Extracted, name: str, clips: Selection, file: Path) -> None:
    """Write vectors, and why other clips have none."""
    extraction = Extraction(
        encoder=name,
        encoder_checksum="",
        sample_rate=0,
        embedding_size=found.embeddings.shape[1],
        licence=clips.info.licence,
        manifest_hash=clips.manifest_hash,
        expected=len(found.ids) + len(found.skipped),
        shards=1,
        written=len(found.ids),
        skipped=len(found.skipped),
        skips=found.skipped,
    )
    embedding_files.write(Embeddings(found.ids, found.embeddings, extraction), file)


def _kept(file: Path) -> Extracted | None:
    """What an earlier run has written."""
    if not file.is_file():
        return None
    table = embedding_files.read(file)
    skipped = table.extraction.skips if table.extraction else ()
    return Extracted(list(table.ids), table.vectors, skipped)
