"""Speakers of several corpora: held out of each, kept apart, and nobody in two parts."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from emovec.corpora.speaker_tests import check_part, check_trials, read_tests
from emovec.corpora.speakers import (
    PROTOCOL,
    SpeakerSelection,
    corpus_and_gender,
    corpus_of,
    read_corpora,
    select_speakers,
)
from emovec.errors import CorpusError, HparamError, SplitError
from emovec.tables.corpus import CorpusInfo, Skip, write_corpus_info
from emovec.tables.manifest import Utterance, write_manifest
from emovec.tables.splits import read_splits

SECONDS = 0.05


@pytest.fixture
def make(tmp_path: Path, write_audio: Callable) -> Callable:
    """Makes a corpus in our own form with so many clips of each speaker."""

    def corpus(
        folder: str,
        clips: Sequence[int],
        name: str = "",
        change: Callable[[list[Utterance]], list[Utterance]] = list,
        **facts: object,
    ) -> str:
        rows = []
        for speaker, count in enumerate(clips):
            for clip in range(count):
                id_ = f"s{speaker}_{clip}"
                write_audio(tmp_path / folder / f"{id_}.wav", SECONDS)
                gender = "female" if speaker % 2 else "male"
                row = Utterance(id_, f"{id_}.wav", None, None, SECONDS, f"s{speaker}", gender)
                rows.append(replace(row, session=f"{clip % 2}"))
        rows = change(rows)
        write_manifest(tmp_path / folder / "manifest.csv", rows)
        speakers = len({row.speaker for row in rows} - {""})
        info = CorpusInfo(name or Path(folder).name, len(rows), speakers, **facts)
        write_corpus_info(tmp_path / folder / "corpus.json", info)
        return str(tmp_path / folder)

    return corpus


@pytest.fixture
def select(tmp_path: Path) -> Callable[..., SpeakerSelection]:
    def selected(*sources: str, **changes: object) -> SpeakerSelection:
        options: dict = {"held_out": 0.2, "seed": 0, "allow_partial": False, "allow_leak": False}
        return select_speakers(sources, tmp_path / "made", **options | changes)

    return selected


def parts(clips: SpeakerSelection) -> dict[str, list[Utterance]]:
    return {name: getattr(clips, name) for name in ("train", "known", "valid", "test")}


def people(utterances: Sequence[Utterance]) -> set[str]:
    return {u.speaker for u in utterances}


def test_nobody_is_in_two_parts_and_no_clip_is_lost(make: Callable, select: Callable) -> None:
    clips = select(make("a", [4] * 10), make("b", [3] * 6))
    ids = [u.id for part in parts(clips).values() for u in part]
    assert len(ids) == len(set(ids)) == 58
    heard = people([*clips.train, *clips.known])
    groups = [heard, people(clips.valid), people(clips.test)]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 16
    for name, held_out in (("a", 2), ("b", 1)):  # of each corpus, its share
        for part in (clips.valid, clips.test):
            assert len({u.speaker for u in part if corpus_of(u) == name}) == held_out
    genders = {u.gender for u in clips.test if corpus_of(u) == "a"}
    assert genders == {"female", "male"}


def test_known_clips_are_of_training_speakers_who_keep_some(
    make: Callable, select: Callable
) -> None:
    clips = select(make("a", [40] * 10), make("b", [1, 1, 1, 2, 2, 2]))
    assert people(clips.known) <= people(clips.train)
    total = len(clips.train) + len(clips.known)
    assert 0.05 * total <= len(clips.known) < 0.05 * total + 1


def test_nobody_loses_the_last_clip(make: Callable, select: Callable) -> None:
    """Two training speakers of two clips among thirty of one: only theirs can be kept back."""
    clips = select(make("a", [2, 2, 2, 2] + [1] * 36))
    assert len(clips.known) == 2 and len(people(clips.known)) == 2
    assert len(people(clips.train)) == 38
    assert clips.warnings[0] == "36 speakers have one clip; they are trained on only"


def test_speakers_with_one_clip_are_trained_on(make: Callable, select: Callable) -> None:
    clips = select(make("a", [1, 1, 1, 5, 5, 5, 5, 5]), held_out=0.3)
    assert {"a/s0", "a/s1", "a/s2"} <= people(clips.train)
    assert min(Counter(u.speaker for u in [*clips.valid, *clips.test]).values()) == 5


def test_a_corpus_of_two_speakers_is_trained_on_as_a_whole(
    make: Callable, select: Callable
) -> None:
    clips = select(make("a", [4] * 6), make("two", [3, 3]))
    assert {corpus_of(u) for u in [*clips.valid, *clips.test]} == {"a"}
    assert {"two/s0", "two/s1"} <= people(clips.train)


def test_ids_and_speakers_begin_with_their_corpus(
    make: Callable, select: Callable, tmp_path: Path
) -> None:
    """Both corpora have a speaker s0 and a clip s0_0: two people, two clips."""
    clips = select(make("a", [3] * 5), make("b", [3] * 5))
    every = [u for part in parts(clips).values() for u in part]
    assert people(every) == {f"{name}/s{number}" for name in "ab" for number in range(5)}
    for u in every:
        assert u.id.startswith(f"{u.speaker}_") and corpus_of(u) == u.id[0]
        assert u.session == f"{corpus_of(u)}/{int(u.id[-1]) % 2}"
        assert u.path == str(tmp_path / corpus_of(u) / f"{u.id[2:]}.wav")
        assert corpus_and_gender(u) == f"{corpus_of(u)} {u.gender}"
    assert corpus_and_gender(replace(every[0], gender="")) == ""  # no pairs of unknown gender
    assert clips.info.name == "a+b" and (clips.info.utterances, clips.info.speakers) == (30, 10)


def test_facts_of_all_corpora_are_kept(make: Callable, select: Callable) -> None:
    skips = (Skip("x", "is broken"),)
    one = make("a", [3] * 5, licence="CC0-1.0", skipped=skips, warnings=("is noisy",))
    clips = select(one, make("b", [3] * 5, licence="CC0-1.0", citation="Doe (2020)"))
    assert (clips.info.licence, clips.info.citation) == ("CC0-1.0", "Doe (2020)")
    assert clips.skipped == (Skip("a/x", "is broken"),)
    assert clips.warnings[0] == "a: is noisy"


def test_clips_of_nobody_are_listed(make: Callable, select: Callable) -> None:
    def forget(rows: list[Utterance]) -> list[Utterance]:
        return [replace(rows[0], speaker=""), *rows[1:]]

    clips = select(make("a", [3] * 5, change=forget))
    assert clips.skipped == (Skip("a/s0_0", "speaker is not known"),)
    assert "a/s0_0" not in {u.id for part in parts(clips).values() for u in part}


def test_the_split_is_written_and_drawn_again_alike(
    make: Callable, select: Callable, tmp_path: Path
) -> None:
    sources = make("a", [4] * 10), make("b", [3] * 6)
    first, again, other = select(*sources), select(*sources), select(*sources, seed=1)
    assert parts(first) == parts(again) and first.split_line == again.split_line
    assert people(first.test) != people(other.test) and first.split_line != other.split_line
    assert first.manifest_hash == other.manifest_hash
    assert first.split_line.startswith(f"a+b {PROTOCOL} 58 clips 1 folds ")
    written = read_splits(tmp_path / "made" / "splits" / f"{PROTOCOL}.csv")
    assert {row.id for row in written if row.split == "test"} == {u.id for u in other.test}


def test_draws_stay_what_they_were(make: Callable, select: Callable) -> None:
    """Results were taken with them: otherwise a seed would name another split."""
    clips = select(make("a", [4] * 10), make("b", [1, 3, 3, 3, 3, 3]))
    assert sorted(people(clips.valid)) == ["a/s0", "a/s1", "b/s1"]
    assert sorted(people(clips.test)) == ["a/s3", "a/s6", "b/s3"]
    assert sorted(u.id for u in clips.known) == ["a/s2_2", "a/s5_3"]


def test_folders_of_one_name_keep_their_own_tables(
    make: Callable, select: Callable, tmp_path: Path
) -> None:
    sources = make("x/wav", [3] * 5, "a"), make("y/wav", [3] * 5, "b")
    first = select(*sources)
    tables = [path for path in (tmp_path / "made").iterdir() if path.name != "splits"]
    assert len(tables) == 2
    times = {path: (path / "manifest.csv").stat().st_mtime_ns for path in tables}
    assert parts(select(*sources)) == parts(first)
    assert {path: (path / "manifest.csv").stat().st_mtime_ns for path in tables} == times


def test_tables_stay_in_their_folder(
    make: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("a", [2, 2])
    (tmp_path / "a" / "below").mkdir()
    monkeypatch.chdir(tmp_path / "a" / "below")
    (found,) = read_corpora([".."], tmp_path / "made" / "tables", allow_partial=False)
    assert len(found.utterances) == 4
    assert [path.name for path in (tmp_path / "made" / "tables").iterdir()] == ["a"]


# --- Bad input


def test_one_speaker_alone(make: Callable, select: Callable) -> None:
    with pytest.raises(SplitError, match=r"no utterance is in valid; .*no utterance is in test"):
        select(make("a", [9]))


def test_one_clip_a_speaker(make: Callable, select: Callable) -> None:
    with pytest.raises(SplitError, match=r"9 training speakers have 9 clips; .*Add a corpus"):
        select(make("a", [1] * 9))


def test_no_speakers_at_all(make: Callable, select: Callable) -> None:
    source = make("a", [3] * 3, change=lambda rows: [replace(row, speaker="") for row in rows])
    with pytest.raises(SplitError, match="0 training speakers have 0 clips"):
        select(source)


@pytest.mark.parametrize("share", [0.0, -0.1, 0.5, 0.9])
def test_an_impossible_share(make: Callable, select: Callable, share: float) -> None:
    with pytest.raises(HparamError, match=rf"held_out is {share} to test on, .*; expected shares"):
        select(make("a", [3] * 9), held_out=share)


def test_fewer_speakers_to_validate_on_than_to_test_on(make: Callable, select: Callable) -> None:
    found = select(make("a", [3] * 20), held_out=0.3, validation=0.1)
    speakers = {name: len({u.speaker for u in getattr(found, name)}) for name in ("valid", "test")}
    assert speakers == {"valid": 2, "test": 6}
    with pytest.raises(HparamError, match=r"0.3 to test on, and 0.7 to validate on; .* below 1"):
        select(make("b", [3] * 20), held_out=0.3, validation=0.7)


def test_no_corpus(select: Callable) -> None:
    with pytest.raises(CorpusError, match="corpora is empty; expected"):
        select()


def test_two_corpora_of_one_name(make: Callable, select: Callable) -> None:
    sources = make("x/a", [3] * 5), make("y/a", [3] * 5)
    with pytest.raises(CorpusError, match=r"y/a: a second corpus of the name a; .*Rename it"):
        select(*sources)
    with pytest.raises(CorpusError, match="a second corpus of the name a"):
        select(sources[0], sources[0])


def test_a_name_with_a_slash(make: Callable, select: Callable) -> None:
    with pytest.raises(CorpusError, match=r"its name is a/b; expected none with a slash"):
        select(make("x", [3] * 5, "a/b"))


@pytest.mark.parametrize("source", ["nowhere", "ravdess=nowhere", "ravdess=", "martian=nowhere"])
def test_a_corpus_that_is_not_there(select: Callable, source: str) -> None:
    with pytest.raises(CorpusError, match=r"nowhere not found|no data folder|'martian'"):
        select(source)


def test_audio_in_two_parts_stops_unless_it_is_allowed(make: Callable, select: Callable) -> None:
    """All clips of one corpus are in the other, under other names."""

    def copy(rows: list[Utterance]) -> list[Utterance]:
        return [replace(row, path=rows[0].path) for row in rows]

    source = make("a", [3] * 9, change=copy)
    with pytest.raises(SplitError, match=r"same audio in more than one split.*--allow_leak"):
        select(source)
    assert len(select(source, allow_leak=True).leaks) == 1


# --- Test corpora, and parts that can be scored


def test_test_corpora_are_read_beside(make: Callable, select: Callable, tmp_path: Path) -> None:
    def forget(rows: list[Utterance]) -> list[Utterance]:
        return [replace(rows[0], speaker=""), *rows[1:]]

    clips = select(make("a", [3] * 9))
    other = make("b", [2] * 3, change=forget, skipped=(Skip("x", "is broken"),), warnings=("!",))
    said, tests = read_tests([other], tmp_path / "made" / "test", clips, False, False)
    assert sorted(u.id for u in tests["b"]) == [f"b/s{n // 2}_{n % 2}" for n in range(1, 6)]
    assert set(said.skipped) == {Skip("b/x", "is broken"), Skip("b/s0_0", "speaker is not known")}
    assert said.warnings == (*clips.warnings, "b: !") and said.leaks == ()
    assert parts(said) == parts(clips)
    assert read_tests([], tmp_path / "made" / "test", clips, False, False) == (clips, {})


def test_nobody_tests_on_what_is_trained_on(
    make: Callable, select: Callable, tmp_path: Path
) -> None:
    source = make("a", [3] * 9)
    clips, folder = select(source), tmp_path / "made" / "test"
    with pytest.raises(CorpusError, match=r"test_corpora has \['a'\], of which names there are"):
        read_tests([source], folder, clips, False, False)
    renamed = make("b/a", [3] * 9, "b")
    for path in Path(renamed).glob("*.wav"):
        path.write_bytes((Path(source) / path.name).read_bytes())
    with pytest.raises(SplitError, match=r"test_corpora: 21 same audio in more than one split"):
        read_tests([renamed], folder, select(source, allow_leak=False), False, False)
    said, _ = read_tests([renamed], folder, clips, False, True)
    assert said.leaks[0].startswith("test_corpora: ")


def utterance(id_: str, speaker: str) -> Utterance:
    return Utterance(id_, "a.wav", None, None, 1.0, speaker)


def test_a_part_of_one_clip_says_why() -> None:
    one = [utterance("a/1", "a/s")]
    with pytest.raises(SplitError, match=r"known: 1 clips are left, 1 left out \(a/2 no speech"):
        check_part("known", one, [Skip("a/2", "no speech is heard in it")])
    with pytest.raises(SplitError, match=r"test: 0 clips are left, 0 left out \(there are no oth"):
        check_part("test", [], [])
    check_part("test", one * 2, [])


@pytest.mark.parametrize(
    "speakers", [["a/s", "a/s"], ["a/s", "a/t"], ["a/s", "a/s", "b/s", "b/s"], []]
)
def test_no_trials_of_a_kind(speakers: list[str]) -> None:
    clips = [utterance(f"{name[0]}/{place}", name) for place, name in enumerate(speakers)]
    with pytest.raises(SplitError, match=r"valid: .*for an equal error rate. Raise held_out"):
        check_trials("valid", clips)


def test_trials_of_both_kinds() -> None:
    names = ["a/s", "a/s", "a/t"]
    check_trials("valid", [utterance(f"a/{place}", name) for place, name in enumerate(names)])
