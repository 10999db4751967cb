"""Tables as sources: names of corpora before ids, broken folders, and what is told of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emovec.encoders.embedding_tables import (
    Table,
    open_table,
    rows_of,
    table_notes,
    with_corpus_names,
)
from emovec.encoders.sources import embed, embed_in_processes, open_sources, width
from emovec.errors import HparamError
from emovec.metrics.pair_blocks import Processes
from emovec.tables import embedding_files
from emovec.tables.embedding_shards import ShardWriter
from emovec.tables.embeddings import EmbeddingError, Embeddings, Extraction
from emovec.tables.manifest import Utterance, read_manifest

PLAN = Extraction("x", "0", 16000, 2, "", "0", expected=3, shards=2)


def table(*ids: str) -> Table:
    vectors = np.arange(2 * len(ids), dtype=np.float32).reshape(-1, 2)
    return Table("t.npz", Embeddings(list(ids), vectors))


def clips(*ids: str) -> list[Utterance]:
    return [Utterance(id_, "a.wav", None, None, 1.0) for id_ in ids]


def test_ids_get_the_name_of_the_one_corpus_that_has_them():
    named = with_corpus_names(table("a", "two/b", "x/c", "d"), clips("one/a", "two/b", "one/x/c"))
    assert named.embeddings.ids == ["one/a", "two/b", "one/x/c", "d"]
    np.testing.assert_array_equal(named.embeddings.vectors, np.arange(8).reshape(4, 2))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (("a",), r"t\.npz: 1 ids are of clips of several corpora \(a\); expected each clip once"),
        (("one/a", "b", "one/b"), r"1 clips have two rows \(one/b\); expected each clip once"),
    ],
)
def test_ids_that_might_be_of_several_clips(ids, message):
    with pytest.raises(EmbeddingError, match=message):
        with_corpus_names(table(*ids), clips("one/a", "two/a", "one/b"))
    sound = with_corpus_names(table("one/a", "two/a", "b"), clips("one/a", "two/a", "one/b"))
    assert sound.embeddings.ids == ["one/a", "two/a", "one/b"]


def test_rows_are_those_of_the_clips_in_their_order():
    found = rows_of(table("a", "b", "c"), clips("c", "z", "a"))
    assert (found.ids, found.embeddings.tolist()) == (["c", "a"], [[4, 5], [0, 1]])
    assert [(skip.id, skip.reason) for skip in found.skipped] == [("z", "not in t.npz")]
    with pytest.raises(EmbeddingError, match=r"t\.npz: embeddings: none of their ids"):
        rows_of(table("a"), clips("z"))
    with pytest.raises(HparamError, match="copies is 1"):
        rows_of(table("a"), clips("a"), copies=1)


def test_notes_count_rows_of_no_clip_and_what_an_extraction_did_not_reach():
    some = table("a", "b", "c")
    assert table_notes(some, {"a", "b", "c", "d"}) == []
    assert table_notes(some, {"a"}) == ["t.npz: 2 embeddings are of no clip here"]
    killed = Table("t", replace(some.embeddings, extraction=replace(PLAN, written=1)))
    assert table_notes(killed, {"a", "b", "c"}) == [
        "t: of an extraction that has not ended, 1 of 3 clips"
    ]
    ended = Table("t", replace(some.embeddings, extraction=replace(PLAN, written=3)))
    assert table_notes(ended, {"a", "b", "c"}) == []


def test_folders_and_files_that_are_no_sound_table(tmp_path: Path):
    assert open_table(str(tmp_path)) is None
    (tmp_path / "00000.npy").write_bytes(b"")
    with pytest.raises(EmbeddingError, match=r"shards without extract\.json found"):
        open_table(str(tmp_path))
    embedding_files.write(Embeddings([], np.zeros((0, 2), np.float32)), tmp_path / "empty.npz")
    with pytest.raises(EmbeddingError, match=r"empty\.npz: holds no embeddings"):
        open_sources([str(tmp_path / "empty.npz")])


def test_half_an_extraction_is_opened_where_that_is_allowed(tmp_path: Path):
    ShardWriter(tmp_path, PLAN).write(1, ["a", "b"], np.ones((2, 2), np.float32))
    with pytest.raises(EmbeddingError, match="pass --allow_partial"):
        open_sources([str(tmp_path)])
    (found,) = open_sources([str(tmp_path)], allow_partial=True)
    assert found.embeddings.ids == ["a", "b"]


def test_processes_find_the_rows_of_a_table_whatever_their_share(small_corpus: Path):
    """The share of the second process has no row in the table."""
    some = read_manifest(small_corpus / "manifest.csv")[:4]
    sources = [table(some[2].id, some[0].id), *open_sources(["functionals"])]
    alone = embed_in_processes(sources, some, small_corpus, Processes())
    parts = [embed(sources[1:], some[rank::2], small_corpus) for rank in (0, 1)]
    together = embed_in_processes(sources, some, small_corpus, Processes(1, 2, lambda _: parts))
    assert alone.ids == together.ids == [some[0].id, some[2].id]
    np.testing.assert_array_equal(alone.embeddings, together.embeddings)
    assert alone.skipped == together.skipped
    assert alone.embeddings.shape[1] == width(sources)
    assert alone.embeddings[:, :2].tolist() == [[2, 3], [0, 1]]
