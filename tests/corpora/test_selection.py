"""From a corpus' name to the clips of each split; what is left out is listed."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from emovec.corpora.selection import Selection, select
from emovec.errors import CorpusError, SplitError
from emovec.tables.manifest import Utterance, read_manifest, write_manifest
from emovec.tables.splits import read_splits


@pytest.fixture
def corpus(small_corpus: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_corpus, tmp_path / "corpus"))


def choose(folder: Path, made: str = "made", **changes: object) -> Selection:
    options: dict = {"protocol": "default", "fold": 0, "seed": 0, "drop_emotions": []}
    options |= {"with_affect": True, "allow_partial": False, "allow_leak": False}
    options |= changes
    return select("manifest", {}, str(folder), folder.parent / made, **options)


def rewrite(folder: Path, change: Callable[[list[Utterance]], list[Utterance]]) -> None:
    write_manifest(folder / "manifest.csv", change(read_manifest(folder / "manifest.csv")))


def test_every_clip_is_in_the_split_that_the_file_says(corpus: Path) -> None:
    chosen = choose(corpus)
    assert (chosen.protocol, chosen.shares_speakers, chosen.root) == ("by-speaker", False, corpus)
    written = read_splits(corpus.parent / "made" / "splits" / "by-speaker.csv")
    found = {u.id: split for split, clips in chosen.splits.items() for u in clips}
    assert found == {row.id: row.split for row in written}
    assert len(found) == 80 and list(chosen.splits) == ["train", "valid", "test"]
    people = [{u.speaker for u in clips} for clips in chosen.splits.values()]
    assert sum(map(len, people)) == len(set.union(*people)) == 10
    mixed = "fold 0: 2 sessions in more than one split (0, 1)"
    assert (chosen.skipped, chosen.leaks, chosen.warnings) == ((), (), (mixed,))


def test_dropped_emotions_are_listed(corpus: Path) -> None:
    chosen = choose(corpus, drop_emotions=["sadness", "no_agreement"])
    assert {(skip.id.split("_")[1], skip.reason) for skip in chosen.skipped} == {
        ("sadness", "emotion is sadness")
    }
    assert len(chosen.skipped) == 20
    assert sum(map(len, chosen.splits.values())) == 60


def test_clips_without_affect_are_listed_where_it_is_needed(corpus: Path) -> None:
    rewrite(corpus, lambda rows: [replace(rows[0], dominance=None), *rows[1:]])
    chosen = choose(corpus)
    (skip,) = chosen.skipped
    assert (skip.id, skip.reason) == ("0_anger_0", "valence, arousal or dominance is not known")
    assert choose(corpus, with_affect=False).skipped == ()
    # a clip that is out for two reasons is listed once
    assert len(choose(corpus, drop_emotions=["anger"]).skipped) == 20


def test_folds_take_turns_and_there_are_no_others(corpus: Path) -> None:
    folds = [choose(corpus, protocol="group-kfold", fold=fold) for fold in range(5)]
    tested = sorted(u.id for chosen in folds for u in chosen.splits["test"])
    assert tested == sorted(u.id for u in read_manifest(corpus / "manifest.csv"))
    assert len({chosen.manifest_hash for chosen in folds}) == 1
    assert len({chosen.split_line for chosen in folds}) == 1
    with pytest.raises(SplitError, match=r"no fold 5; expected one of \[0, 1, 2, 3, 4\]"):
        choose(corpus, protocol="group-kfold", fold=5)
    with pytest.raises(SplitError, match="protocol is 'by_gender'; expected one of by-speaker"):
        choose(corpus, protocol="by_gender")


def hashes(chosen: Selection) -> tuple[str, str]:
    return chosen.manifest_hash, chosen.split_line


def test_hashes_stay_with_paths_and_order(corpus: Path) -> None:
    before = hashes(choose(corpus))
    moved = corpus.parent / "moved"
    corpus.rename(moved)
    (moved / "audio").rename(moved / "sounds")
    rewrite(moved, lambda rows: [replace(r, path=f"sounds/{r.id}.wav") for r in reversed(rows)])
    assert hashes(choose(moved, "elsewhere")) == before


@pytest.mark.parametrize(
    "change",
    [{"valence": 4.0}, {"emotion": "fear"}, {"id": "renamed"}],
    ids=["affect", "emotion", "id"],
)
def test_hashes_change_with_labels(corpus: Path, change: dict) -> None:
    before = hashes(choose(corpus))
    rewrite(corpus, lambda rows: [replace(rows[0], **change), *rows[1:]])
    after = hashes(choose(corpus))
    assert after[0] != before[0] and after[1] != before[1]


def test_hashes_change_with_the_splits(corpus: Path) -> None:
    assert len({choose(corpus, seed=seed).split_line for seed in range(3)}) > 1


def test_nothing_left_says_why(corpus: Path) -> None:
    emotions = ["anger", "happiness", "neutral", "sadness"]
    with pytest.raises(SplitError, match=r"all of its 80 clips are left out.*'emotion is anger'"):
        choose(corpus, drop_emotions=emotions)


def test_options_go_to_the_corpus(corpus: Path) -> None:
    options: dict = {"protocol": "default", "fold": 0, "seed": 0, "drop_emotions": ()}
    options |= {"with_affect": False, "allow_partial": False, "allow_leak": False}
    made = corpus.parent / "made"
    chosen = select("manifest", {"release": "2"}, str(corpus), made, **options)
    assert chosen.info.release == "2"
    with pytest.raises(CorpusError, match=r"options are \['colour'\]"):
        select("manifest", {"colour": "red"}, str(corpus), made, **options)


def test_a_leak_stops_unless_it_is_allowed(corpus: Path) -> None:
    def copy(rows: list[Utterance]) -> list[Utterance]:
        return [*rows[:-1], replace(rows[-1], path=rows[0].path)]

    rewrite(corpus, copy)
    with pytest.raises(SplitError, match=r"same audio in more than one split.*--allow_leak"):
        choose(corpus)
    (leak,) = choose(corpus, allow_leak=True).leaks
    assert "0_anger_0 (" in leak and "9_sadness_1 (" in leak


def test_a_protocol_without_validation_is_given_some(corpus: Path) -> None:
    chosen = choose(corpus, protocol="loso", fold=3)
    people = {split: {u.speaker for u in clips} for split, clips in chosen.splits.items()}
    assert people["test"] == {"s3"}
    assert [len(people[split]) for split in ("train", "valid")] == [8, 1]
    assert chosen.warnings[0] == (
        "manifest: loso does not validate; 8 clips of training speakers are held out"
    )
