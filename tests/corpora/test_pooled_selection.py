"""Clips of several corpora in splits of their speakers."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emovec.corpora.pooled_selection import select_pooled
from emovec.corpora.selection import Selection
from emovec.errors import CorpusError, HparamError, SplitError
from emovec.tables.corpus import read_corpus_info, write_corpus_info
from emovec.tables.manifest import read_manifest, write_manifest

Select = Callable[..., Selection]


@pytest.fixture(scope="module")
def other_corpus(small_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same speakers in audio of its own; one of them has one clip, one clip has no speaker."""
    folder = tmp_path_factory.mktemp("other")
    shutil.copytree(small_corpus, folder, dirs_exist_ok=True)
    for place, path in enumerate(sorted((folder / "audio").iterdir())):
        noise = 0.01 * np.random.default_rng(place).standard_normal(4000)
        soundfile.write(path, noise, 16000)
    rows = read_manifest(folder / "manifest.csv")
    kept = [replace(u, duration=0.25) for u in rows if u.speaker != "s9" or u.id == "s9"]
    kept += [replace(u, duration=0.25) for u in rows if u.id == "9_anger_0"]
    kept[0] = replace(kept[0], speaker="")
    write_manifest(folder / "manifest.csv", kept)
    info = read_corpus_info(folder / "corpus.json")
    write_corpus_info(
        folder / "corpus.json", replace(info, name="other", utterances=len(kept), licence="MIT")
    )
    return folder


@pytest.fixture
def select(small_corpus: Path, tmp_path: Path) -> Select:
    def run(*sources: object, **options: object) -> Selection:
        usual = {
            "protocol": "held-out-speakers",
            "held_out": 0.2,
            "seed": 0,
            "emotions": None,
            "merge_emotions": {},
            "drop_emotions": [],
            "allow_partial": False,
            "allow_leak": False,
        }
        names = [str(source) for source in sources or [small_corpus]]
        return select_pooled(names, tmp_path / "data", **{**usual, **options})

    return run


def speakers(found: Selection) -> dict[str, set[str]]:
    return {split: {u.speaker for u in members} for split, members in found.splits.items()}


def test_speakers_of_each_corpus_are_shared_out(
    select: Select, small_corpus: Path, other_corpus: Path
) -> None:
    found = select(small_corpus, other_corpus)
    of = speakers(found)
    assert not (of["train"] & of["valid"] or of["train"] & of["test"] or of["valid"] & of["test"])
    for corpus in ("small", "other"):
        numbers = [sum(s.startswith(f"{corpus}/") for s in of[split]) for split in of]
        assert numbers == [6, 2, 2]  # of other, the one with one clip is trained on
    assert "other/s9" in of["train"]
    assert [s.id for s in found.skipped] == ["other/0_anger_0"]
    assert found.info.name == "small+other" and found.info.licence == "CC0-1.0; MIT"
    clip = found.splits["test"][0]
    assert (found.root / clip.path).is_file() and clip.id.split("/")[0] in ("small", "other")


def test_the_seed_draws(select: Select) -> None:
    assert speakers(select()) == speakers(select())
    assert any(speakers(select(seed=seed)) != speakers(select()) for seed in (1, 2, 3))


def test_emotions_are_merged_then_kept_then_dropped(select: Select) -> None:
    found = select(
        merge_emotions={"sadness": "neutral"}, emotions=["neutral", "anger"], drop_emotions=["fear"]
    )
    clips = [u for members in found.splits.values() for u in members]
    assert {u.emotion for u in clips} == {"neutral", "anger"}
    assert len(clips) == 60 and len(found.skipped) == 20
    assert {skip.reason for skip in found.skipped} == {"emotion is happiness"}


def test_a_protocol_of_one_corpus(select: Select, small_corpus: Path, other_corpus: Path) -> None:
    found = select(protocol="group-kfold", merge_emotions={"sadness": "neutral"})
    assert found.protocol == "group-kfold"
    of = speakers(found)
    assert [len(of[split]) for split in ("train", "valid", "test")] == [6, 2, 2]
    clip = found.splits["test"][0]
    assert clip.id.startswith("small/") and (found.root / clip.path).is_file()
    assert "sadness" not in {u.emotion for u in found.splits["train"]}
    assert select(protocol="default").protocol == "by-speaker"
    with pytest.raises(HparamError, match="with 2 corpora"):
        select(small_corpus, other_corpus, protocol="group-kfold")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"held_out": 0.5}, HparamError, "held_out is 0.5"),
        ({"held_out": 0.0}, HparamError, "held_out is 0.0"),
        ({"emotions": ["joy"]}, SplitError, "joy"),
        ({"merge_emotions": {"joy": "happiness"}}, HparamError, "joy"),
        ({"drop_emotions": ["anger", "happiness", "neutral", "sadness"]}, SplitError, "to keep"),
        ({"protocol": "nothing"}, SplitError, "protocol is 'nothing'"),
    ],
)
def test_what_cannot_be(select: Select, options: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        select(**options)


def test_the_same_corpus_twice(select: Select, small_corpus: Path) -> None:
    with pytest.raises(CorpusError, match="second corpus of the name small"):
        select(small_corpus, small_corpus)
