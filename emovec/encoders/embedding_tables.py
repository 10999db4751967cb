"""Tables of embeddings that were extracted before, as a source of embeddings.

Shapes: N clips.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from emovec.encoders.extract import Extracted
from emovec.errors import HparamError
from emovec.tables import embedding_files
from emovec.tables.corpus import Skip
from emovec.tables.embedding_marks import EXTRACT
from emovec.tables.embedding_shards import read_embeddings
from emovec.tables.embeddings import EmbeddingError, Embeddings, match
from emovec.tables.leaks import listed
from emovec.tables.manifest import Utterance


@dataclass(frozen=True)
class Table:
    """Embeddings that were extracted before.

    Attributes:
        name: its folder or file
        embeddings: of clips, by their ids
    """

    name: str
    embeddings: Embeddings


def open_table(name: str, *, allow_partial: bool = False) -> Table | None:
    """The table of a folder or file; None for a folder that has nothing of a table.

    Args:
        name: its path
        allow_partial: whether the shards of a run that has not ended will do

    Raises:
        EmbeddingError: if it cannot be read, or has no rows
    """
    path = Path(name)
    if path.is_file():
        embeddings = embedding_files.read(path)
    elif (path / EXTRACT).is_file():
        embeddings = read_embeddings(path, allow_partial=allow_partial)
    elif any(path.glob("[0-9]*.npy")):
        raise EmbeddingError(
            f"{name}: shards without {EXTRACT} found; expected both, as an extraction writes "
            "them. Copy the folder again, or run the extraction again."
        )
    else:
        return None
    if not embeddings.ids:
        raise EmbeddingError(
            f"{name}: holds no embeddings; expected one a row. Run the extraction again."
        )
    return Table(name, embeddings)


def rows_of(table: Table, utterances: Sequence[Utterance], copies: int = 0) -> Extracted:
    """The embeddings of clips, in the clips' order; those that it lacks are skipped.

    Args:
        table: of the embeddings
        utterances: N clips
        copies: augmented ones of every clip; a table has none

    Raises:
        EmbeddingError: if it has not one of the clips
        HparamError: if there are to be copies
    """
    if copies:
        raise HparamError(
            f"copies is {copies}, and {table.name} a table of embeddings, which has none; "
            "expected 0. Give the encoder instead."
        )
    try:
        matched = match(table.embeddings, utterances)
    except EmbeddingError as error:
        raise EmbeddingError(f"{table.name}: {error}") from error
    skipped = tuple(Skip(id_, f"not in {table.name}") for id_ in matched.without_embedding)
    return Extracted(list(matched.embeddings.ids), matched.embeddings.vectors, skipped)


def with_corpus_names(table: Table, utterances: Sequence[Utterance]) -> Table:
    """The table with the ids of clips of several corpora, which begin with the corpus' name.

    A table is made from the manifest of one corpus, whose ids are without that name. Rows of no
    clip keep their ids.

    Args:
        table: with ids as in the corpora's manifests, or with the corpus' name before
        utterances: of ``emovec.corpora.speakers.read_corpora``

    Raises:
        EmbeddingError: if an id is of clips of two corpora, or two rows are of one clip

    >>> import numpy as np
    >>> clips = [Utterance(id_, "a.wav", None, None, 1.0) for id_ in ("radio/a", "radio/b")]
    >>> table = Table("t.npz", Embeddings(["b", "radio/a", "c"], np.zeros((3, 1), np.float32)))
    >>> with_corpus_names(table, clips).embeddings.ids
    ['radio/b', 'radio/a', 'c']
    """
    clips: dict[str, set[str]] = defaultdict(set)
    for utterance in utterances:
        for name in (utterance.id, without_corpus_name(utterance.id)):
            clips[name].add(utterance.id)
    found = table.embeddings.ids
    several = [id_ for id_ in found if len(clips.get(id_, ())) > 1]
    ids = [next(iter(clips.get(id_, {id_}))) for id_ in found]
    twice = [id_ for id_, times in Counter(ids).items() if times > 1]
    if several or twice:
        what = "ids are of clips of several corpora" if several else "clips have two rows"
        raise EmbeddingError(
            f"{table.name}: {listed(several or twice, what)}; expected each clip once, with "
            "CORPUS/ before its id where corpora share ids. Rename the rows."
        )
    return replace(table, embeddings=replace(table.embeddings, ids=ids))


def without_corpus_name(id_: str) -> str:
    """The id of a clip in the manifest of its own corpus.

    >>> without_corpus_name("voxceleb1/id10270/x6uYqmx31kE/00001")
    'id10270/x6uYqmx31kE/00001'
    """
    return id_.partition("/")[2]


def table_notes(table: Table, ids: Collection[str]) -> list[str]:
    """What a reader of results must know of a table.

    Args:
        table: whose embeddings were used
        ids: of all clips that it may have embeddings of, used or not
    """
    strange = sum(id_ not in ids for id_ in table.embeddings.ids)
    extraction = table.embeddings.extraction
    notes = [f"{table.name}: {strange} embeddings are of no clip here"] if strange else []
    if extraction and not extraction.finished:
        notes.append(
            f"{table.name}: of an extraction that has not ended, {extraction.written} of "
            f"{extraction.expected} clips"
        )
    return notes
