"""Clips to try against each other: emotions merged, kept and dropped."""

from pathlib import Path

import pytest

from emovec.corpora.pair_selection import PairSelection, select_all
from emovec.errors import HparamError, SplitError


def select(corpus: Path, folder: Path, **known) -> PairSelection:
    options = {"emotions": None, "drop_emotions": [], "allow_partial": False} | known
    return select_all("manifest", {}, str(corpus), folder, **options)


def test_all_clips_are_kept_beside_the_chosen_ones(small_corpus, tmp_path):
    found = select(small_corpus, tmp_path, drop_emotions=["anger"])
    assert {u.emotion for u in found.utterances} == {"happiness", "neutral", "sadness"}
    assert len(found.utterances) == 60 and len(found.prepared) == 80
    assert {skip.reason for skip in found.skipped} == {"emotion is anger"}


def test_emotions_are_merged_first(small_corpus, tmp_path):
    merge = {"happiness": "high", "anger": "high", "sadness": "neutral"}
    found = select(
        small_corpus, tmp_path, merge_emotions=merge, emotions=["high"], drop_emotions=["anger"]
    )
    plain = select(small_corpus, tmp_path)
    assert {u.emotion for u in found.utterances} == {"high"}
    assert {u.id for u in found.utterances} == {
        u.id for u in plain.utterances if u.emotion in ("anger", "happiness")
    }
    assert found.manifest_hash == plain.manifest_hash  # of the corpus
    assert found.split_line != plain.split_line
    with pytest.raises(SplitError, match=r"no clip is of the emotions \['anger'\]"):
        select(small_corpus, tmp_path, merge_emotions=merge, emotions=["anger"])


@pytest.mark.parametrize(
    ("merge", "message"),
    [
        ({"joy": "happiness"}, r"no clip is of \['joy'\]; expected some of \['anger', 'happin"),
        ({"anger": None}, "expected emotions by emotion"),
        ({"anger": ""}, "expected emotions by emotion"),
        (["anger"], "expected emotions by emotion"),
    ],
)
def test_what_cannot_be_merged(small_corpus, tmp_path, merge, message):
    with pytest.raises(HparamError, match=message):
        select(small_corpus, tmp_path, merge_emotions=merge)
