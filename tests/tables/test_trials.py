import pytest

from emovec.errors import ManifestError
from emovec.tables.manifest import Utterance
from emovec.tables.trials import (
    Trial,
    check_trials,
    read_any_trials,
    read_pairs,
    read_published_trials,
    read_trials,
    write_pairs,
    write_trials,
)

TRIALS = [Trial(True, "a/x/1", "a/y/1"), Trial(False, "a/x/1", "b/z/1")]


def clip(id_, speaker):
    return Utterance(id_, "a.wav", None, None, 1.0, speaker)


UTTERANCES = [clip("a/x/1", "a"), clip("a/y/1", "a"), clip("b/z/1", "b")]


def test_reads_what_was_written(tmp_path):
    trials = [*TRIALS, Trial(False, 'c "quoted", with comma', "ü")]
    write_trials(tmp_path / "new" / "t.csv", trials)
    assert read_trials(tmp_path / "new" / "t.csv") == trials
    text = (tmp_path / "new" / "t.csv").read_text(encoding="utf-8")
    assert text.startswith("is_target,enrolment,test\n1,a/x/1,a/y/1\n0,a/x/1,b/z/1\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"t.csv: columns are \[\]; expected \['is_target', 'enrolment', 'test'\]"),
        ("is_target,enrolment\n1,a\n", "columns are"),
        ("is_target,enrolment,test,score\n1,a,b,2\n", "columns are"),
        ("1 a.wav b.wav\n", "read by read_published_trials"),
        ("is_target,enrolment,test\n", "t.csv: holds no trials; expected one a line"),
        ("is_target,enrolment,test\n1,a,b\nTrue,a,b\n", "t.csv:3: found 'True a b'; expected 1 or"),
        ("is_target,enrolment,test\n1,a\n", "t.csv:2: found '1 a'"),
        ("is_target,enrolment,test\n1,a,b,c\n", "t.csv:2: found '1 a b c'"),
        ("is_target,enrolment,test\n0,,b\n", "t.csv:2: found '0  b'"),
        ("is_target,enrolment,test\n\n0,a,b\n", "t.csv:2: found ''"),
    ],
)
def test_broken_files(tmp_path, text, said):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ManifestError, match=said):
        read_trials(tmp_path / "t.csv")


def test_published_lists(tmp_path):
    (tmp_path / "veri_test.txt").write_text(
        "1 id10270/x6uYqmx31kE/00001.wav id10270/8jEAjG6SegY/00008.wav\n"
        "0 id10270/a.b-_c/00001.wav\tid10300/ize_eiCFEg0/00003\r\n"
        "\n"
    )
    assert read_published_trials(tmp_path / "veri_test.txt") == [
        Trial(True, "id10270/x6uYqmx31kE/00001", "id10270/8jEAjG6SegY/00008"),
        Trial(False, "id10270/a.b-_c/00001", "id10300/ize_eiCFEg0/00003"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "v.txt: holds no trials"),
        ("1 a.wav b.wav\ntarget a.wav b.wav\n", "v.txt:2: found 'target a b'"),
        ("a.wav b.wav 1\n", "v.txt:1: found 'a b 1'"),
        ("1 a.wav\n", "v.txt:1: found '1 a'"),
        ("1 a.wav b.wav c.wav\n", "v.txt:1"),
    ],
)
def test_broken_published_lists(tmp_path, text, said):
    (tmp_path / "v.txt").write_text(text)
    with pytest.raises(ManifestError, match=said):
        read_published_trials(tmp_path / "v.txt")


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "v.txt").write_bytes(bytes(range(256)))
    for reader in (read_trials, read_published_trials):
        with pytest.raises(ManifestError, match=r"v\.txt"):
            reader(tmp_path / "v.txt")


def test_missing_file(tmp_path):
    for reader in (read_trials, read_published_trials):
        with pytest.raises(ManifestError, match=r"t\.csv: not found"):
            reader(tmp_path / "t.csv")


def test_trials_that_fit():
    assert check_trials(TRIALS, UTTERANCES) == []
    assert check_trials(TRIALS, UTTERANCES, published=2) == []


def test_another_number_than_published_is_a_warning():
    warnings = check_trials(TRIALS, UTTERANCES, published=37720)
    assert warnings == ["2 trials found, 37720 are published"]


def test_unknown_ids_are_counted_once_and_cut_after_ten():
    trials = [Trial(False, "a/x/1", f"ghost{number:02d}") for number in range(14)] * 2
    with pytest.raises(ManifestError) as caught:
        check_trials(trials, UTTERANCES)
    said = str(caught.value)
    assert "14 ids are not in the manifest (ghost00, ghost01," in said
    assert "ghost09 and 4 more)" in said
    assert "ghost10" not in said
    assert "Prepare the whole corpus" in said


@pytest.mark.parametrize("wrong", [Trial(False, "a/x/1", "a/y/1"), Trial(True, "b/z/1", "a/x/1")])
def test_labels_that_contradict_the_speakers(wrong):
    with pytest.raises(ManifestError) as caught:
        check_trials([*TRIALS, wrong, Trial(True, "ghost", "a/x/1")], UTTERANCES)
    said = f"{int(wrong.is_target)} {wrong.enrolment} {wrong.test}"
    assert f"1 trials contradict the manifest's speakers ({said})" in str(caught.value)
    assert "1 ids are not in the manifest (ghost)" in str(caught.value)


def test_repeated_trials_and_a_clip_with_itself_are_warnings():
    itself = Trial(True, "b/z/1", "b/z/1")
    swapped = Trial(True, "a/y/1", "a/x/1")  # enrolment and test: another trial
    assert check_trials([*TRIALS, TRIALS[0], TRIALS[0], itself, swapped], UTTERANCES) == [
        "1 trials are listed twice (1 a/x/1 a/y/1)",
        "1 trials are of a clip with itself (1 b/z/1 b/z/1)",
    ]


def test_speakers_that_are_not_known_cannot_contradict():
    utterances = [*UTTERANCES, clip("u", ""), clip("v", "")]
    trials = [Trial(False, "u", "v"), Trial(True, "u", "a/x/1"), *TRIALS]
    assert check_trials(trials, utterances) == [
        "2 trials have an unknown speaker (0 u v, 1 u a/x/1)"
    ]


def test_any_list_that_we_write_is_read_again(tmp_path):
    one, two, other = UTTERANCES
    write_pairs(tmp_path / "pairs.csv", [(one, two), (one, other)])
    write_trials(tmp_path / "trials.csv", TRIALS)
    (tmp_path / "list.txt").write_text("1 a/x/1.wav a/y/1.wav\n0 a/x/1.wav b/z/1.wav\n")
    for name in ("pairs.csv", "trials.csv", "list.txt"):
        assert read_any_trials(tmp_path / name) == TRIALS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id_a,id_b,target\n", r"t.csv: columns are .*expected \['id_a', 'id_b', 'target', 'emo"),
        ("id_a,id_b,target,emotion_a,emotion_b\n", "t.csv: holds no trials"),
        ("id_a,id_b,target,emotion_a,emotion_b\na,b,2,x,y\n", "t.csv:2: found '2 a b'"),
        ("id_a,id_b,target,emotion_a,emotion_b\na,b,1\n", "t.csv:2: found"),
        ("id_a,id_b,target,emotion_a,emotion_b\na,,1,x,y\n", "t.csv:2: found '1 a '"),
    ],
)
def test_broken_tables_of_pairs(tmp_path, text, said):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ManifestError, match=said):
        read_pairs(tmp_path / "t.csv")
