"""Clips to learn from without labels: nobody in both parts, and no clip lost."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from emovec.corpora.speakers import SpeakerSelection
from emovec.corpora.unlabelled import select_unlabelled
from emovec.errors import HparamError, SplitError
from emovec.tables.corpus import CorpusInfo, write_corpus_info
from emovec.tables.manifest import Utterance, read_manifest, write_manifest
from emovec.tables.splits import read_splits

SECONDS = 0.05


@pytest.fixture
def make(tmp_path: Path, write_audio: Callable) -> Callable:
    """Makes a corpus in our own form with so many clips of each speaker; the first is unknown."""

    def corpus(name: str, clips: Sequence[int]) -> str:
        rows = []
        for speaker, count in enumerate(clips):
            for clip in range(count):
                id_ = f"s{speaker}_{clip}"
                write_audio(tmp_path / name / f"{id_}.wav", SECONDS)
                row = Utterance(id_, f"{id_}.wav", None, None, SECONDS, f"s{speaker}")
                rows.append(row if speaker else replace(row, speaker=""))
        write_manifest(tmp_path / name / "manifest.csv", rows)
        info = CorpusInfo(name, len(rows), len(clips) - 1)
        write_corpus_info(tmp_path / name / "corpus.json", info)
        return str(tmp_path / name)

    return corpus


@pytest.fixture
def select(tmp_path: Path) -> Callable[..., SpeakerSelection]:
    def selected(*sources: str, **changes: object) -> SpeakerSelection:
        options: dict = {"held_out": 0.2, "seed": 0, "allow_partial": False, "allow_leak": False}
        return select_unlabelled(sources, tmp_path / "made", **options | changes)

    return selected


def people(utterances: Sequence[Utterance]) -> set[str]:
    return {u.speaker for u in utterances}


def test_no_clip_is_lost_and_nobody_is_in_both_parts(make: Callable, select: Callable) -> None:
    clips = select(make("a", [2, *[3] * 10]), make("b", [0, *[2] * 5]))
    assert len({u.id for u in [*clips.train, *clips.valid]}) == 2 + 30 + 10
    assert len(clips.train) + len(clips.valid) == 42
    assert not people(clips.train) & people(clips.valid)
    valid = people(clips.valid)
    assert [sum(name.startswith(f"{corpus}/") for name in valid) for corpus in "ab"] == [2, 1]
    assert (clips.known, clips.test) == ([], [])
    assert clips.info.name == "a+b"


def test_the_unknown_and_those_of_one_clip_are_trained_on(make: Callable, select: Callable) -> None:
    clips = select(make("a", [4, 3, 3, 3, 1, 1]), make("b", [0, 5, 5]))  # b: too few to hold out
    assert "" in people(clips.train) and "" not in people(clips.valid)
    assert {"a/s4", "a/s5", "b/s1", "b/s2"} <= people(clips.train)
    assert len(people(clips.valid)) == 1


def test_the_splits_are_written_and_drawn_by_the_seed(
    make: Callable, select: Callable, tmp_path: Path
) -> None:
    source = make("a", [1, *[2] * 12])
    clips = select(source)
    written = read_splits(tmp_path / "made" / "splits" / "held-out-speakers.csv")
    assert {row.id for row in written if row.split == "valid"} == {u.id for u in clips.valid}
    assert {row.split for row in written} == {"train", "valid"}
    assert people(select(source).valid) == people(clips.valid)
    drawn = {frozenset(people(select(source, seed=seed).valid)) for seed in range(8)}
    assert len(drawn) > 1


def test_nobody_to_validate_on(make: Callable, select: Callable) -> None:
    with pytest.raises(SplitError, match="valid"):
        select(make("a", [3, 4, 4]))


def test_a_copy_of_a_clip_to_validate_on_without_its_speaker(
    make: Callable, select: Callable, tmp_path: Path
) -> None:
    source = Path(make("a", [1, *[2] * 10]))
    known = select(str(source))
    one = known.valid[0]
    copied, _ = read_manifest(source / "manifest.csv")[:2]
    assert copied.speaker == ""
    (source / copied.path).write_bytes(Path(one.path).read_bytes())
    with pytest.raises(SplitError, match=rf"unknown speakers: .*{one.id}.*pass --allow_leak"):
        select(str(source))
    allowed = select(str(source), allow_leak=True)
    assert known.leaks == () and len(allowed.leaks) == 1 and one.id in allowed.leaks[0]
    copy = known.train[0] if known.train[0].speaker else known.train[1]
    (source / copied.path).write_bytes(Path(copy.path).read_bytes())
    assert select(str(source)).leaks == ()  # both are trained on


@pytest.mark.parametrize("share", [0.0, 0.5, -1.0])
def test_bad_shares(make: Callable, select: Callable, share: float) -> None:
    with pytest.raises(HparamError, match=f"held_out is {share}"):
        select(make("a", [0, *[2] * 9]), held_out=share)
