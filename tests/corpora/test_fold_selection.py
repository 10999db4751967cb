"""From a corpus' name to the clips of all folds of a protocol."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from emovec.corpora import splitting
from emovec.corpora.base import Protocol
from emovec.corpora.fold_selection import FoldSelection, select_folds
from emovec.errors import SplitError
from emovec.tables.manifest import read_manifest, write_manifest
from emovec.tables.protocols import folds_by_speaker
from emovec.tables.splits import read_splits

EMOTIONS = ["anger", "happiness", "neutral", "sadness"]


@pytest.fixture
def corpus(small_corpus: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_corpus, tmp_path / "corpus"))


def choose(folder: Path, **changes: object) -> FoldSelection:
    options: dict = {"protocol": "group-kfold", "folds": None, "seed": 0, "emotions": None}
    options |= {"drop_emotions": [], "allow_partial": False, "allow_leak": False}
    return select_folds("manifest", {}, str(folder), folder.parent / "made", **options | changes)


def test_folds_are_those_of_the_splits_file_and_share_no_speaker(corpus: Path) -> None:
    chosen = choose(corpus)
    found = {
        (u.id, fold, split)
        for fold, splits in chosen.folds.items()
        for split, clips in splits.items()
        for u in clips
    }
    written = read_splits(corpus.parent / "made" / "splits" / "group-kfold.csv")
    assert found == {(row.id, row.fold, row.split) for row in written}
    for splits in chosen.folds.values():
        people = [{u.speaker for u in clips} for clips in splits.values()]
        assert len(set.union(*people)) == sum(map(len, people)) == 10
    tested = [u.id for splits in chosen.folds.values() for u in splits["test"]]
    assert sorted(tested) == sorted(u.id for u in chosen.utterances)
    assert len(tested) == len(set(tested)) == 80
    assert (chosen.classes, chosen.skipped, chosen.leaks) == (EMOTIONS, (), ())
    assert chosen.split_line.startswith("small group-kfold 80 clips 5 folds ")
    assert len(choose(corpus, protocol="group-8fold").folds) == 8


def test_some_folds_have_the_line_of_all(corpus: Path) -> None:
    every, some = choose(corpus), choose(corpus, folds=[3, 1])
    assert list(some.folds) == [1, 3] and some.split_line == every.split_line
    assert some.folds[3] == every.folds[3]
    with pytest.raises(SplitError, match=r"group-kfold has no fold 5; expected one of \[0, 1, 2"):
        choose(corpus, folds=[0, 5])
    with pytest.raises(SplitError, match="no folds, as none is chosen"):
        choose(corpus, folds=[])


def test_a_protocol_without_validation_keeps_all_to_train_on(corpus: Path) -> None:
    chosen = choose(corpus, protocol="loso")
    assert len(chosen.folds) == 10
    for splits in chosen.folds.values():
        assert [len(splits[name]) for name in ("train", "valid", "test")] == [72, 0, 8]


def test_what_is_left_out_is_listed(corpus: Path) -> None:
    path = corpus / "manifest.csv"
    first, *others = read_manifest(path)
    write_manifest(path, [replace(first, emotion=""), *others])
    chosen = choose(corpus, emotions=["anger", "sadness"])
    assert chosen.classes == ["anger", "sadness"]
    reasons = {skip.id: skip.reason for skip in chosen.skipped}
    assert len(reasons) == 41 and reasons[first.id] == "emotion is not known"
    assert set(reasons.values()) == {
        "emotion is not known",
        "emotion is happiness",
        "emotion is neutral",
    }
    assert choose(corpus, drop_emotions=["anger"]).classes == EMOTIONS[1:]


def test_a_class_that_no_clip_is_of_is_an_error(corpus: Path) -> None:
    with pytest.raises(SplitError, match=r"no clip is of the emotions \['hapiness'\]; expected so"):
        choose(corpus, emotions=["anger", "hapiness"])
    with pytest.raises(SplitError, match="all of its 80 clips are left out"):
        choose(corpus, emotions=["hapiness"])


def test_emotions_are_the_classes_of_the_protocol(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is merged into another is kept with it."""
    merged = {"anger": "anger", "happiness": "happiness", "neutral": "happiness"}
    merging = Protocol(lambda clips, seed: folds_by_speaker(clips, 5, seed), emotions=merged)
    monkeypatch.setitem(splitting._PROTOCOLS, "merging", merging)
    assert choose(corpus, protocol="merging").classes == ["anger", "happiness"]
    chosen = choose(corpus, protocol="merging", emotions=["happiness"])
    assert chosen.classes == ["happiness"] and len(chosen.utterances) == 40


def test_leaks_stop_unless_they_are_allowed(corpus: Path) -> None:
    path = corpus / "manifest.csv"
    rows = read_manifest(path)
    write_manifest(path, [*rows[:-1], replace(rows[-1], path=rows[0].path)])
    with pytest.raises(SplitError, match=r"same audio in more than one split.*--allow_leak"):
        choose(corpus)
    assert choose(corpus, allow_leak=True).leaks
