"""Embeddings with what is known of their clips, from a manifest or from their own columns."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from emovec.corpora.pair_selection import with_an_emotion
from emovec.corpora.selection import why_unwanted
from emovec.tables.corpus import Skip, read_corpus_info
from emovec.tables.embeddings import CLIP, LABELS, EmbeddingError, Embeddings, match
from emovec.tables.leaks import listed
from emovec.tables.manifest import Utterance, read_manifest


@dataclass(frozen=True)
class Labelled:
    """Embeddings to compare, and their clips.

    Attributes:
        embeddings: of clips with an emotion
        utterances: their clips, in the same order; without a manifest only labels are known
        corpus: its name
        skipped: clips that are left out, and why
        warnings: what a reader of results must know
    """

    embeddings: Embeddings
    utterances: list[Utterance]
    corpus: str
    skipped: list[Skip]
    warnings: list[str]


def label(
    table: Embeddings, source: Path, manifest: Path | None, drop_emotions: Collection[str]
) -> Labelled:
    """Embeddings with labels; where no clip has an emotion, all are of the emotion "unknown".

    Args:
        table: one embedding a clip
        source: where it is from
        manifest: file, or folder with manifest.csv; None: the table's own columns
        drop_emotions: clips of these are left out

    Raises:
        EmbeddingError: if rows are windows, or of no clip of the manifest, or have no speakers;
            or if no clip is left
        ManifestError: if the manifest cannot be read
    """
    if CLIP in table.columns:
        raise EmbeddingError(
            f"{source}: its rows are windows of clips; expected one embedding a clip. "
            "Extract them without --window."
        )
    found = _of_columns(table, source) if manifest is None else _of(manifest, table, source)
    clips, notes = with_an_emotion(found.utterances)
    reasons = [why_unwanted(u, [*drop_emotions, ""], with_affect=False) for u in clips]
    unwanted = [Skip(u.id, why) for u, why in zip(clips, reasons, strict=True) if why]
    rows = [row for row, why in enumerate(reasons) if not why]
    if not rows:
        raise EmbeddingError(
            f"{source}: none of {len(clips)} clips is left ({'; '.join(sorted(set(reasons)))}); "
            "expected some with an emotion. Choose others with --drop_emotion."
        )
    return Labelled(
        found.embeddings.take(rows),
        [clips[row] for row in rows],
        found.corpus,
        [*found.skipped, *unwanted],
        [*found.warnings, *notes],
    )


def _of(manifest: Path, table: Embeddings, source: Path) -> Labelled:
    """Labels of a manifest; clips without an embedding are skipped."""
    path = manifest / "manifest.csv" if manifest.is_dir() else manifest
    matched = match(table, read_manifest(path))
    how = table.extraction
    said = {skip.id: skip.reason for skip in (*how.failures, *how.skips)} if how else {}
    skipped = [Skip(id_, said.get(id_, f"not in {source}")) for id_ in matched.without_embedding]
    facts = path.with_name("corpus.json")
    corpus = read_corpus_info(facts).name if facts.is_file() else path.absolute().parent.name
    more = matched.without_utterance
    warnings = [f"{listed(more, 'embeddings are of no clip of the manifest')}"] if more else []
    return Labelled(matched.embeddings, matched.utterances, corpus, skipped, warnings)


def _of_columns(table: Embeddings, source: Path) -> Labelled:
    """Labels of the table's own columns, which is all that is then known of its clips."""
    if "speaker" not in table.columns:
        raise EmbeddingError(
            f"{source}: has no column 'speaker', only {sorted(table.columns)}; expected columns "
            f"{LABELS}. Pass --manifest."
        )
    known = [name for name in LABELS if name in table.columns]
    texts = zip(*(_texts(table, name, source) for name in known), strict=True)
    clips = [
        replace(Utterance(id_, id_, None, None, 0.0), **dict(zip(known, row, strict=True)))
        for id_, row in zip(table.ids, texts, strict=True)
    ]
    return Labelled(table, clips, source.absolute().stem, [], [])


def _texts(table: Embeddings, name: str, source: Path) -> list[str]:
    """A column of names; integers may be names as well."""
    values = table.columns[name]
    if values.dtype == np.float64:
        raise EmbeddingError(
            f"{source}: column '{name}' has numbers with fractions or gaps; expected names. "
            "Write it as text."
        )
    return [str(value) for value in values.tolist()]
