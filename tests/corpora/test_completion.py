"""What stands beside prepared tables, and what a change by hand does."""

import json

import pytest

from emovec import corpora
from emovec.corpora.completion import read_completion
from emovec.errors import CorpusError


def prepared(small_corpus, folder, **options):
    return corpora.prepare(corpora.get("manifest"), small_corpus, folder, progress=False, **options)


@pytest.mark.parametrize("name", ["manifest.csv", "corpus.json"])
@pytest.mark.parametrize("allow_partial", [False, True])  # True: would be prepared anew
def test_a_change_by_hand_is_neither_used_nor_lost(small_corpus, tmp_path, name, allow_partial):
    first = prepared(small_corpus, tmp_path)
    table = tmp_path / name
    changed = table.read_text().replace("s0", "s1").replace("CC0-1.0", "CC-BY-4.0")
    table.write_text(changed)
    with pytest.raises(CorpusError, match=rf"{name}: was changed by hand since it was prepared"):
        prepared(small_corpus, tmp_path, allow_partial=allow_partial)
    assert table.read_text() == changed
    table.unlink()
    assert prepared(small_corpus, tmp_path) == first


def test_a_copied_folder_is_not_changed(small_corpus, tmp_path):
    first = prepared(small_corpus, tmp_path)
    text = (tmp_path / "manifest.csv").read_bytes()
    (tmp_path / "manifest.csv").write_bytes(text)  # another time of change
    assert prepared(small_corpus, tmp_path) == first


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[1]",
        b"\xff",
        b"{}",
        b'{"data_folder": 5}',
        b'{"fingerprint": "x", "data_folder": "y"}',
        b'{"fingerprint": "x", "data_folder": 5, "tables": {}}',
        b'{"fingerprint": "x", "data_folder": "y", "tables": []}',
        json.dumps({"fingerprint": "", "data_folder": "", "tables": {}, "more": 1}).encode(),
    ],
)
def test_a_broken_mark_is_none(small_corpus, tmp_path, content):
    first = prepared(small_corpus, tmp_path)
    whole = read_completion(tmp_path)
    assert whole and whole.data_folder == str(small_corpus)
    (tmp_path / "prepared.json").write_bytes(content)
    assert read_completion(tmp_path) is None
    assert prepared(small_corpus, tmp_path) == first
    assert read_completion(tmp_path) == whole
