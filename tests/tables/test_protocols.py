from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emovec.errors import SplitError
from emovec.tables.manifest import Utterance
from emovec.tables.protocols import (
    by_speaker,
    folds_by_speaker,
    from_column,
    leave_one_session_out,
    leave_one_speaker_out,
    speakers_drawn,
)
from emovec.tables.splits import SPLITS, SplitCheck, check_splits


def clip(number, speaker, gender="", session="", emotion="", **extra):
    known = {"session": session, "emotion": emotion, "extra": extra}
    return Utterance(str(number), f"{number}.wav", None, None, 1.0, speaker, gender, **known)


def corpus(clips_of, genders=()):
    """Utterances of speakers s0, s1, ..., with so many clips each."""
    genders = dict(enumerate(genders))
    return [
        clip(f"{speaker}-{take}", f"s{speaker}", genders.get(speaker, ""))
        for speaker, clips in enumerate(clips_of)
        for take in range(clips)
    ]


def speakers_of(utterances, assignments, fold=0):
    speaker_of = {u.id: u.speaker for u in utterances}
    found = defaultdict(set)
    for row in assignments:
        if row.fold == fold:
            found[row.split].add(speaker_of[row.id])
    return found


PEOPLE = st.lists(
    st.tuples(st.integers(1, 9), st.sampled_from(["female", "male", ""])), min_size=3, max_size=30
)


@given(PEOPLE, st.integers(0, 99))
def test_by_speaker_never_leaks_and_fills_every_split(people, seed):
    utterances = corpus(*zip(*people, strict=True))
    assignments = by_speaker(utterances, seed)
    assert check_splits(utterances, assignments) == SplitCheck((), ())
    found = speakers_of(utterances, assignments)
    for split, share in zip(SPLITS, (0.6, 0.15, 0.25), strict=True):
        # one off by rounding, and up to two given away to fill the other splits
        assert abs(len(found[split]) - share * len(people)) < 3
    assert sum(map(len, found.values())) == len(people)


def test_by_speaker_of_24_with_either_gender_alike():
    genders = ["female", "male"] * 12
    utterances = corpus([3] * 24, genders)
    gender_of = {u.speaker: u.gender for u in utterances}
    found = speakers_of(utterances, by_speaker(utterances, 0))
    # 14.4, 3.6 and 6 speakers: the second has the largest remainder
    assert {split: len(found[split]) for split in SPLITS} == {"train": 14, "valid": 4, "test": 6}
    for split in SPLITS:
        number = Counter(gender_of[speaker] for speaker in found[split])
        assert number["female"] == number["male"]


def test_by_speaker_depends_on_the_seed_only():
    utterances = corpus([2] * 12)
    assignments = by_speaker(utterances, 5)
    backwards = by_speaker(utterances[::-1], 5)
    assert sorted(backwards, key=str) == sorted(assignments, key=str)
    assert any(by_speaker(utterances, seed) != assignments for seed in range(5))


def test_by_speaker_takes_other_shares():
    utterances = corpus([1] * 10)
    found = speakers_of(utterances, by_speaker(utterances, 0, train=0.5, valid=0.2, test=0.3))
    assert [len(found[split]) for split in SPLITS] == [5, 2, 3]
    for shares in [(0.5, 0.5, 0.5), (1.0, 0.0, 0.0), (1.2, -0.1, -0.1)]:
        with pytest.raises(ValueError, match="shares"):
            by_speaker(utterances, 0, *shares)


def test_unknown_speakers_are_left_out():
    utterances = [*corpus([2] * 6), clip("nobody", "")]
    for assignments in (by_speaker(utterances, 0), folds_by_speaker(utterances, 3, 0)):
        assert "nobody" not in {row.id for row in assignments}
        assert (
            "1 utterances of unknown speakers in no split (nobody)"
            in check_splits(utterances, assignments).warnings
        )


def test_too_few_speakers():
    for split in (lambda u: by_speaker(u, 0), lambda u: folds_by_speaker(u, 3, 0)):
        with pytest.raises(SplitError, match="2 speakers found; expected at least 3"):
            split(corpus([5, 5]))
        with pytest.raises(SplitError, match="0 speakers"):
            split([])


@given(PEOPLE, st.integers(3, 6), st.integers(0, 9))
def test_folds_test_every_clip_once_and_never_leak(people, folds, seed):
    utterances = corpus(*zip(*people, strict=True))
    if len(people) < folds:
        with pytest.raises(SplitError):
            folds_by_speaker(utterances, folds, seed)
        return
    assignments = folds_by_speaker(utterances, folds, seed)
    assert check_splits(utterances, assignments) == SplitCheck((), ())
    tested = [row.id for row in assignments if row.split == "test"]
    assert sorted(tested) == sorted(u.id for u in utterances)
    validated = [row.id for row in assignments if row.split == "valid"]
    assert sorted(validated) == sorted(tested)


def test_folds_are_balanced():
    utterances = corpus([60] * 24, ["male", "female"] * 12)
    assignments = folds_by_speaker(utterances, 5, 0)
    sizes = [
        sum(row.split == "test" and row.fold == fold for row in assignments) for fold in range(5)
    ]
    assert sorted(sizes) == [240, 300, 300, 300, 300]
    gender_of = {u.speaker: u.gender for u in utterances}
    for fold in range(5):
        number = Counter(gender_of[s] for s in speakers_of(utterances, assignments, fold)["test"])
        assert abs(number["female"] - number["male"]) <= 1


def test_one_large_speaker_gets_a_fold_alone():
    assignments = folds_by_speaker(corpus([100, 1, 1, 1, 1, 1]), 3, 0)
    tested = defaultdict(set)
    for row in assignments:
        if row.split == "test":
            tested[row.fold].add(row.id.split("-")[0])
    assert {"0"} in tested.values()


def test_two_folds_leave_nothing_to_validate_on():
    with pytest.raises(ValueError, match="folds is 2"):
        folds_by_speaker(corpus([1] * 9), 2, 0)


def test_sessions_take_turns():
    utterances = [clip(i, f"s{i}", session=session) for i, session in enumerate("cabba")]
    assignments = leave_one_session_out(utterances)
    split_of = {(row.fold, row.id): row.split for row in assignments}
    assert [split_of[0, str(i)] for i in range(5)] == ["train", "test", "valid", "valid", "test"]
    assert [split_of[2, str(i)] for i in range(5)] == ["test", "valid", "train", "train", "valid"]
    assert len(assignments) == 15


def test_sessions_must_be_known_and_three():
    with pytest.raises(SplitError, match="1 utterances have no session, first 2"):
        leave_one_session_out([clip(1, "a", session="1"), clip(2, "a")])
    with pytest.raises(SplitError, match="2 sessions"):
        leave_one_session_out([clip(1, "a", session="1"), clip(2, "a", session="2")])


def test_published_column():
    utterances = [clip(i, f"s{i}", part=part) for i, part in enumerate(["dev", "x", "tr", "te"])]
    mapping = {"tr": "train", "dev": "valid", "te": "test"}
    assignments = from_column(utterances, "part", mapping)
    found = [(row.id, row.fold, row.split) for row in assignments]
    assert found == [("0", 0, "valid"), ("2", 0, "train"), ("3", 0, "test")]
    assert check_splits(utterances, assignments).warnings == ("1 utterances in no split (1)",)
    with pytest.raises(SplitError, match="column 'set' not found"):
        from_column(utterances, "set", mapping)


def test_sessions_without_validation():
    utterances = [clip(i, f"s{i}", session=session) for i, session in enumerate("cabba")]
    assignments = leave_one_session_out(utterances, validate=False)
    split_of = {(row.fold, row.id): row.split for row in assignments}
    assert [split_of[0, str(i)] for i in range(5)] == ["train", "test", "train", "train", "test"]
    assert {row.split for row in assignments} == {"train", "test"}


def test_every_speaker_is_tested_once():
    utterances = [*corpus([3, 1, 2, 2]), clip("nobody", "")]
    assignments = leave_one_speaker_out(utterances)
    assert len(assignments) == 4 * 8
    for fold in range(4):
        tested = [row.id for row in assignments if row.fold == fold and row.split == "test"]
        (speaker,) = {u.speaker for u in utterances if u.id in tested}
        assert tested == [u.id for u in utterances if u.speaker == speaker]
    with pytest.raises(SplitError, match="2 speakers found; expected at least 3"):
        leave_one_speaker_out(corpus([5, 5]))


def test_so_many_speakers_are_drawn_of_either_gender():
    people = [("female", 43), ("male", 48)]
    utterances = [
        clip(f"{gender}{number}", f"{gender}{number}", gender=gender)
        for gender, count in people
        for number in range(count)
    ]
    numbers = {"train": 51, "valid": 8, "test": 32}
    assignments = speakers_drawn(utterances, 0, numbers)
    assert Counter(row.split for row in assignments) == numbers
    for split, count in numbers.items():
        women = sum(row.split == split and row.id.startswith("f") for row in assignments)
        assert abs(women - count * 43 / 91) <= 1
    assert assignments == speakers_drawn(utterances, 0, numbers)
    assert assignments != speakers_drawn(utterances, 1, numbers)


def test_a_smaller_copy_is_shared_out_alike():
    utterances = corpus([1] * 10)
    found = Counter(row.split for row in speakers_drawn(utterances, 0, {"train": 70, "test": 30}))
    assert found == {"train": 7, "test": 3}
    with pytest.raises(SplitError, match="1 speakers found"):
        speakers_drawn(corpus([4]), 0, {"train": 70, "test": 30})
