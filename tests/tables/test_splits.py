from dataclasses import replace

import pytest

from emovec.errors import SplitError
from emovec.tables.manifest import Utterance
from emovec.tables.splits import (
    Assignment,
    SplitCheck,
    check_splits,
    manifest_hash,
    read_splits,
    split_line,
    write_splits,
)


def clip(id_, speaker, audio_hash="", path="", emotion=""):
    extra = {"audio_hash": audio_hash} if audio_hash else {}
    path = path or f"{id_}.wav"
    return Utterance(id_, path, None, None, 1.0, speaker, emotion=emotion, extra=extra)


UTTERANCES = [clip("a", "1"), clip("b", "2"), clip("c", "3")]
ASSIGNMENTS = [Assignment("a", 0, "train"), Assignment("b", 0, "valid"), Assignment("c", 0, "test")]


def test_reads_what_was_written(tmp_path):
    rows = [*ASSIGNMENTS, Assignment('d "quoted", with comma', 11, "test")]
    write_splits(tmp_path / "new" / "s.csv", rows)
    assert read_splits(tmp_path / "new" / "s.csv") == rows
    assert (tmp_path / "new" / "s.csv").read_text().startswith("id,fold,split\na,0,train\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,split\na,train\n", "columns are"),
        ("", "columns are"),
        ("id,fold,split\na,0,dev\n", r"s.csv:2: found 'a,0,dev'; expected an id, a fold from 0"),
        ("id,fold,split\na,-1,train\n", "found 'a,-1,train'"),
        ("id,fold,split\na\n", "found 'a'"),
        ("id,fold,split\na,0,train\nb,0,test,x\n", "s.csv:3: found 'b,0,test,x'"),
        (f"id,fold,split\na,{'9' * 5000},train\n", "found 'a,9"),
        ("id,fold,split\n\xe9,0,train\n", "expected a table in UTF-8"),
        ('id,fold,split\n"a,0,train\n', "unexpected end of data; expected a table"),
    ],
)
def test_broken_files(tmp_path, text, said):
    (tmp_path / "s.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(SplitError, match=said):
        read_splits(tmp_path / "s.csv")


def test_missing_file(tmp_path):
    with pytest.raises(SplitError, match="not found"):
        read_splits(tmp_path / "s.csv")


CLEAN = SplitCheck((), ())


def test_clean_splits_pass():
    assert check_splits(UTTERANCES, ASSIGNMENTS) == CLEAN


def test_no_splits():
    with pytest.raises(SplitError, match="no utterance is in a split"):
        check_splits(UTTERANCES, [])


@pytest.mark.parametrize(("missing", "name"), [(0, "train"), (2, "test")])
def test_empty_split(missing, name):
    rest = [row for place, row in enumerate(ASSIGNMENTS) if place != missing]
    with pytest.raises(SplitError, match=f"fold 0: no utterance is in {name}"):
        check_splits(UTTERANCES, rest)


def test_a_protocol_need_not_validate():
    (left_out,) = check_splits(UTTERANCES, [ASSIGNMENTS[0], ASSIGNMENTS[2]]).warnings
    assert left_out == "1 utterances in no split (b)"


def test_speaker_in_two_splits_is_an_error_unless_the_protocol_says_so():
    utterances = [*UTTERANCES, clip("d", "1")]
    assignments = [*ASSIGNMENTS, Assignment("d", 0, "test")]
    said = r"fold 0: 1 speakers in more than one split \(1\)"
    with pytest.raises(SplitError, match=said):
        check_splits(utterances, assignments)
    told = ("fold 0: 1 speakers in more than one split (1)",)
    allowed = check_splits(utterances, assignments, may_share=("train", "test"))
    assert allowed == SplitCheck((), told)
    with pytest.raises(SplitError, match=said):
        check_splits(utterances, assignments, may_share=("valid", "test"))
    assert check_splits(utterances, assignments, allow_leak=True) == SplitCheck(told, ())


def test_session_in_two_splits_is_a_warning():
    utterances = [replace(UTTERANCES[0], session="7"), *UTTERANCES[1:2]]
    utterances.append(replace(UTTERANCES[2], session="7"))
    told = ("fold 0: 1 sessions in more than one split (7)",)
    assert check_splits(utterances, ASSIGNMENTS) == SplitCheck((), told)


def test_speaker_may_be_elsewhere_in_another_fold():
    turned = [
        Assignment("a", 1, "test"),
        Assignment("b", 1, "train"),
        Assignment("c", 1, "valid"),
    ]
    assert check_splits(UTTERANCES, ASSIGNMENTS + turned) == CLEAN


def test_unknown_speaker_is_an_error_unless_the_protocol_says_so():
    utterances = [*UTTERANCES, clip("d", "")]
    assignments = [*ASSIGNMENTS, Assignment("d", 0, "train")]
    with pytest.raises(SplitError, match=r"1 utterances of unknown speakers \(d\)"):
        check_splits(utterances, assignments)
    check = check_splits(utterances, assignments, may_share=("valid", "test"))
    assert (check.leaks, len(check.warnings)) == ((), 1)


def test_training_speakers_are_not_shared_by_splits_that_share_others():
    utterances = [*UTTERANCES, clip("d", "2"), clip("e", "1")]
    assignments = [*ASSIGNMENTS, Assignment("d", 0, "test"), Assignment("e", 0, "valid")]
    check = check_splits(utterances, assignments, may_share=("valid", "test"), allow_leak=True)
    assert check == SplitCheck(
        ("fold 0: 1 speakers in more than one split (1)",),
        ("fold 0: 1 speakers in more than one split (2)",),
    )


def part(id_, start, stop, speaker="", audio_hash=""):
    long = stop or 9.0
    return replace(
        clip(id_, speaker or id_, audio_hash, "long.wav"),
        start=start,
        stop=stop,
        duration=long - (start or 0.0),
    )


@pytest.mark.parametrize(
    ("ends", "pairs"),
    [
        (
            [(None, None), (2.0, 3.0), (4.0, 5.0)],
            "a (train) with b (valid), a (train) with c (test",
        ),
        ([(0.0, 2.0), (2.0, 3.0), (3.0, 4.0)], ""),
        ([(0.0, 2.005), (2.0, 3.0), (3.0, 4.0)], ""),  # ends are rounded
        ([(4.0, 5.0), (0.0, 4.5), (5.0, 6.0)], "b (valid) with a (train)"),
        ([(0.0, 9.0), (1.0, 2.0), (3.0, 4.0)], "a (train) with b (valid), a (train) with c (test)"),
    ],
)
def test_overlapping_parts_of_a_file_leak(ends, pairs):
    utterances = [part(id_, *end) for id_, end in zip("abc", ends, strict=True)]
    leaks = check_splits(utterances, ASSIGNMENTS, allow_leak=True).leaks
    assert bool(leaks) == bool(pairs)
    if pairs:
        number = pairs.count(" with ")
        said = f"{number} overlapping parts of a file in more than one split ({pairs}"
        assert leaks[0].startswith(f"fold 0: {said}")
    same_split = [replace(row, split="train") for row in ASSIGNMENTS]
    assert check_splits(utterances, same_split, needed=["train"]) == CLEAN


def test_the_same_part_twice_is_told_once():
    utterances = [part("a", 0.0, 1.0, "1", "ff"), part("b", 0.0, 1.0, "2", "ff"), UTTERANCES[2]]
    (leak,) = check_splits(utterances, ASSIGNMENTS, allow_leak=True).leaks
    assert leak.startswith("fold 0: 1 same audio")


@pytest.mark.parametrize("allowed", [(), ("valid", "test")])
def test_same_audio_under_two_ids_is_always_an_error(allowed):
    utterances = [clip("a", "1", "ff"), clip("b", "2"), clip("c", "3", "ff")]
    with pytest.raises(SplitError, match=r"1 same audio .* \(a \(train\) = c \(test\)\)"):
        check_splits(utterances, ASSIGNMENTS, allowed)
    check = check_splits(utterances, ASSIGNMENTS, allowed, allow_leak=True)
    assert check.leaks == ("fold 0: 1 same audio in more than one split (a (train) = c (test))",)


def test_what_is_broken_stays_an_error():
    with pytest.raises(SplitError, match="twice"):
        check_splits(UTTERANCES, [*ASSIGNMENTS, ASSIGNMENTS[0]], allow_leak=True)


def test_same_audio_twice_in_one_split_is_no_leak():
    utterances = [*UTTERANCES, clip("d", "1", "ff"), clip("e", "1", "ff")]
    assignments = [*ASSIGNMENTS, Assignment("d", 0, "train"), Assignment("e", 0, "train")]
    assert check_splits(utterances, assignments) == CLEAN


def test_id_twice_and_unknown_id():
    assignments = [*ASSIGNMENTS, Assignment("a", 0, "train"), Assignment("ghost", 0, "test")]
    with pytest.raises(SplitError) as caught:
        check_splits(UTTERANCES, assignments)
    assert "1 ids that occur twice (a)" in str(caught.value)
    assert "1 ids unknown to the manifest (ghost)" in str(caught.value)


def test_long_lists_are_cut_after_ten():
    utterances = [clip(f"{i:02d}{part}", str(i)) for i in range(14) for part in "xyz"]
    split_of = {"x": "train", "y": "valid", "z": "test"}
    assignments = [Assignment(u.id, 0, split_of[u.id[-1]]) for u in utterances]
    with pytest.raises(SplitError, match=r"14 speakers .* and 4 more"):
        check_splits(utterances, assignments)


def test_left_out_is_told():
    check = check_splits([*UTTERANCES, clip("d", "9")], ASSIGNMENTS)
    assert check == SplitCheck((), ("1 utterances in no split (d)",))


def line(utterances, assignments):
    return split_line("mine", "by-speaker", utterances, assignments)


def test_line_names_ids_labels_and_folds_only():
    first = line(UTTERANCES, ASSIGNMENTS)
    assert first.startswith("mine by-speaker 3 clips 1 folds ")
    assert int(first[-16:], 16) >= 0
    moved = [clip(u.id, u.speaker, "ff", path="elsewhere.wav") for u in UTTERANCES]
    assert line(moved[::-1], ASSIGNMENTS[::-1]) == first
    assert split_line("a", "b", UTTERANCES, ASSIGNMENTS)[-17:] == first[-17:]
    other_label = [clip("a", "1", emotion="fear"), *UTTERANCES[1:]]
    other_affect = [replace(UTTERANCES[0], valence=0.5), *UTTERANCES[1:]]
    other_fold = [Assignment("a", 1, "train"), *ASSIGNMENTS[1:]]
    others = {
        line(other_label, ASSIGNMENTS)[-16:],
        line(other_affect, ASSIGNMENTS)[-16:],
        line(UTTERANCES, other_fold)[-16:],
        line(UTTERANCES, ASSIGNMENTS[1:])[-16:],
    }
    assert len(others | {first[-16:]}) == 5


def test_line_tells_where_a_speakers_name_ends():
    one = [replace(clip("a", "Anna B"), emotion="C"), *UTTERANCES[1:]]
    other = [replace(clip("a", "Anna"), emotion="B C"), *UTTERANCES[1:]]
    assert line(one, ASSIGNMENTS) != line(other, ASSIGNMENTS)


def test_manifest_hash_names_ids_and_labels_only():
    first = manifest_hash(UTTERANCES)
    assert manifest_hash([replace(u, path="x.wav") for u in UTTERANCES[::-1]]) == first
    assert manifest_hash([replace(UTTERANCES[0], speaker="x"), *UTTERANCES[1:]]) != first
