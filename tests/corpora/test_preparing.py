import os
from dataclasses import replace
from pathlib import Path, PurePath

import numpy as np
import pytest
import soundfile

from emovec.corpora.base import Corpus, Labels, Protocol, pick, read_rows
from emovec.corpora.preparing import prepare
from emovec.errors import CorpusError, ManifestError
from emovec.tables.corpus import CorpusInfo, Skip
from emovec.tables.manifest import read_manifest
from emovec.tables.protocols import by_speaker
from emovec.tables.splits import Assignment, write_splits
from emovec.tables.trials import Trial, write_trials

EMOTIONS = {"ANG": "anger", "NEU": "neutral", "CAL": "calm"}


def label(path: Path) -> Labels:
    actor, emotion = path.stem.split("_")
    return Labels(speaker=actor, emotion=EMOTIONS[emotion])


# the five arguments that a corpus needs at least
TOY = Corpus(name="toy", audio="AudioWAV/*.wav", utterances=4, speakers=2, label=label)


@pytest.fixture
def tree(tmp_path, write_audio):
    for name in ("1_ANG", "1_CAL", "2_ANG", "2_NEU"):
        write_audio(tmp_path / "data" / "AudioWAV" / f"{name}.wav")
    return tmp_path / "data"


def made(tree, corpus=TOY, **options):
    return prepare(corpus, tree, tree.parent / "out", progress=False, **options)


def test_manifest_and_facts(tree):
    prepared = made(tree)
    assert prepared.root == tree
    assert [u.id for u in prepared.utterances] == ["1_ANG", "1_CAL", "2_ANG", "2_NEU"]
    assert [u.affect for u in prepared.utterances] == [
        (-0.51, 0.59, 0.25),
        None,
        (-0.51, 0.59, 0.25),
        (0.0, 0.0, 0.0),
    ]
    first = prepared.utterances[0]
    assert (first.path, first.duration, first.speaker) == ("AudioWAV/1_ANG.wav", 0.1, "1")
    assert len({u.extra["audio_hash"] for u in prepared.utterances}) == 4
    assert prepared.info == CorpusInfo(
        "toy", 4, 2, affect_scale=(-1.0, 1.0), affect_source="prototype", published=4
    )
    assert read_manifest(tree.parent / "out" / "manifest.csv") == prepared.utterances


def test_used_again_until_something_changes(tree, write_audio, monkeypatch):
    first = made(tree)

    def fail(*_):
        raise AssertionError("read again")

    monkeypatch.setattr("emovec.corpora.reading.measure_all", fail)
    assert made(tree) == first
    monkeypatch.undo()
    audio = tree / "AudioWAV" / "1_ANG.wav"
    write_audio(audio, seconds=0.2)
    assert made(tree).utterances[0].duration == 0.2
    os.utime(audio, ns=(1, 1))
    monkeypatch.setattr("emovec.corpora.reading.measure_all", fail)
    changed = [
        {},
        {"corpus": replace(TOY, release="2")},
        {"corpus": replace(TOY, options="x")},
        {"allow_partial": True},
    ]
    for options in changed:
        with pytest.raises(AssertionError, match="read again"):
            made(tree, **options)


def test_a_killed_run_is_not_taken_for_done(tree):
    made(tree)
    (tree.parent / "out" / "corpus.json").unlink()
    assert made(tree).info.utterances == 4


def test_published_example_of_a_partial_copy(tmp_path, write_audio):
    for number in range(72):
        write_audio(tmp_path / "data" / "AudioWAV" / f"{number}_ANG.wav")
    corpus = replace(TOY, name="cremad", utterances=7442)
    with pytest.raises(CorpusError) as caught:
        made(tmp_path / "data", corpus)
    assert str(caught.value) == (
        f"cremad: 72 of 7442 clips found under {tmp_path}/data/AudioWAV; "
        "is the copy complete? Pass --allow_partial to go on."
    )
    info = made(tmp_path / "data", corpus, allow_partial=True).info
    assert info.utterances == 72
    assert info.warnings[0].startswith("72 of 7442 clips found")


def test_too_few_and_too_many_speakers(tree):
    with pytest.raises(CorpusError, match="2 of 3 speakers found"):
        made(tree, replace(TOY, speakers=3))
    info = made(tree, replace(TOY, utterances=3, speakers=1)).info
    assert info.warnings == (
        "4 clips found, 3 are published",
        "2 speakers found, 1 are published",
    )


def test_folder_missing_empty_or_not_given(tree, tmp_path):
    with pytest.raises(CorpusError, match=r"toy: .*absent not found; expected a folder with Audio"):
        made(tmp_path / "absent")
    with pytest.raises(CorpusError, match="no data folder given"):
        prepare(TOY, None, tmp_path / "out")
    (tmp_path / "bare").mkdir()
    for allow_partial in (False, True):
        with pytest.raises(CorpusError, match="0 of 4 clips found"):
            made(tmp_path / "bare", allow_partial=allow_partial)
    assert not (tmp_path / "out").exists()


def test_wrong_label(tree, write_audio):
    write_audio(tree / "AudioWAV" / "3_WHAT.wav")
    with pytest.raises(CorpusError, match=r"(?s)toy: 1 of .*AudioWAV/3_WHAT.wav: 'WHAT' is no"):
        made(tree)
    (tree / "AudioWAV" / "3_WHAT.wav").rename(tree / "AudioWAV" / "3.wav")
    with pytest.raises(CorpusError, match=r"AudioWAV/3.wav: not enough values"):
        made(tree)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (Labels(affect=(1.0, 5.5, 2.0)), r"affect is \(1.0, 5.5, 2.0\); expected values in"),
        (Labels(affect=(float("nan"), 2.0, 2.0)), "affect is"),
        (Labels(intensity=0.0), "intensity is 0.0"),
        (Labels(intensity=1.5), "intensity is 1.5"),
    ],
)
def test_numbers_out_of_scale(tree, labels, said):
    rated = replace(TOY, prototypes=False, affect_scale=(1.0, 5.0), affect_source="rated")
    with pytest.raises(CorpusError, match=rf"(?s)toy: .*AudioWAV/1_ANG.wav: {said}"):
        made(tree, replace(rated, label=lambda _: labels))


def test_affect_without_a_scale(tree):
    corpus = replace(TOY, prototypes=False, label=lambda _: Labels(affect=(1.0, 2.0, 3.0)))
    with pytest.raises(CorpusError, match="no affect_scale"):
        made(tree, corpus)


def test_wrong_labels_are_left_out_of_a_partial_copy(tree, write_audio):
    write_audio(tree / "AudioWAV" / "3_WHAT.wav")
    prepared = made(tree, allow_partial=True)
    (skip,) = prepared.info.skipped
    assert skip.id == "AudioWAV/3_WHAT"
    assert skip.reason.startswith("AudioWAV/3_WHAT.wav: 'WHAT' is no known code")
    assert "3_WHAT" not in {u.id for u in prepared.utterances}


@pytest.mark.parametrize("level", ["above", "below"])
def test_a_folder_of_another_level_is_named(tree, level):
    given = tree.parent if level == "above" else tree / "AudioWAV"
    with pytest.raises(CorpusError) as caught:
        prepare(TOY, given, tree.parent / "out", progress=False)
    said = str(caught.value)
    assert said.startswith(f"toy: no AudioWAV/*.wav below {given}; found them below {tree}. ")
    assert said.endswith(f"Pass --data_folder={tree}.")


def test_a_name_that_is_not_utf8(tree):
    name = os.fsencode(tree / "AudioWAV") + b"/1_\xe4.wav"
    try:
        Path(os.fsdecode(name)).write_bytes(b"")
    except OSError:
        pytest.skip("this file system refuses such names")
    with pytest.raises(CorpusError, match=r"the name b'AudioWAV/1_\\xe4.wav' is not UTF-8"):
        made(tree)


def test_audio_that_must_be_converted_first(tree):
    for path in (tree / "AudioWAV").iterdir():
        path.rename(path.with_suffix(".m4a"))
    corpus = replace(TOY, conversions={".m4a": "convert them with ffmpeg."})
    with pytest.raises(CorpusError, match=r"There are .m4a files: convert them with ffmpeg."):
        made(tree, corpus)


def test_bad_audio_is_listed_or_skipped(tree, write_pointer):
    folder = tree / "AudioWAV"
    write_pointer(folder / "1_ANG.wav")
    soundfile.write(folder / "2_ANG.wav", np.zeros(0), 16000)
    with pytest.raises(CorpusError) as caught:
        made(tree)
    said = str(caught.value)
    assert said.startswith("toy: 2 of 4 clips cannot be used; expected none.\n")
    assert "  AudioWAV/1_ANG.wav: is a Git LFS pointer" in said
    assert "  AudioWAV/2_ANG.wav: lasts 0.0000 s" in said
    assert said.endswith("pass --allow_partial to leave them out.")
    prepared = made(tree, allow_partial=True)
    assert [u.id for u in prepared.utterances] == ["1_CAL", "2_NEU"]
    assert [skip.id for skip in prepared.info.skipped] == ["1_ANG", "2_ANG"]
    assert "git lfs pull" in prepared.info.skipped[0].reason


def test_only_ten_bad_clips_are_listed(tmp_path, write_pointer):
    for number in range(12):
        write_pointer(tmp_path / "data" / "AudioWAV" / f"{number:02d}_ANG.wav")
    for allow_partial in (False, True):  # nothing would be left
        with pytest.raises(CorpusError) as caught:
            made(tmp_path / "data", replace(TOY, utterances=12), allow_partial=allow_partial)
        lines = str(caught.value).splitlines()
        assert len(lines) == 13
        assert lines[-2] == "  and 2 more"


def test_clip_known_to_be_bad_is_always_left_out(tree):
    bad = tree / "AudioWAV" / "2_ANG.wav"
    corpus = replace(TOY, known_bad={"2_ANG": "silent as published"})
    for content in (bad.read_bytes(), b""):
        bad.write_bytes(content)
        prepared = made(tree, corpus)
        assert prepared.info.skipped == (Skip("2_ANG", "silent as published"),)
        assert prepared.info.warnings == ()
        assert len(prepared.utterances) == 3
    bad.unlink()  # a copy without it is complete
    prepared = made(tree, corpus)
    assert (len(prepared.utterances), prepared.info.skipped) == (3, ())


def test_two_clips_of_one_id(tree, write_audio):
    write_audio(tree / "more" / "1_ANG.wav")
    corpus = replace(TOY, audio="*/*.wav")
    with pytest.raises(ManifestError, match=r"1_ANG.wav and more/1_ANG.wav both have the id"):
        made(tree, corpus)


def test_hidden_files_and_other_suffixes_are_no_clips(tree, write_audio):
    write_audio(tree / "AudioWAV" / "._1_ANG.wav")
    (tree / "AudioWAV" / "readme.txt").write_text("no audio")
    assert len(made(tree, replace(TOY, audio="AudioWAV/*")).utterances) == 4


def test_genders_of_a_table(tree):
    corpus = replace(TOY, genders=lambda root: {"1": "female"})
    assert [u.gender for u in made(tree, corpus).utterances] == ["female", "female", "", ""]


def test_rows_without_file_and_files_without_row(tree):
    def rows(_root):
        return [("AudioWAV/2_NEU.wav", "2"), ("AudioWAV/1_ANG.wav", "1"), ("AudioWAV/9.wav", "9")]

    corpus = replace(
        TOY, utterances=None, speakers=None, rows=rows, label=lambda row: Labels(speaker=row)
    )
    with pytest.raises(CorpusError, match="toy: 2 of 3 clips found"):
        made(tree, corpus)
    prepared = made(tree, corpus, allow_partial=True)
    assert [u.speaker for u in prepared.utterances] == ["1", "2"]
    assert prepared.info.skipped == (Skip("9", "AudioWAV/9.wav: not found"),)
    assert prepared.info.warnings[1] == ("2 audio files have no labels, first AudioWAV/1_CAL.wav")


def test_labels_show_what_is_known():
    assert repr(Labels(speaker="1", intensity=0.5, affect=(0.0, None, None))) == (
        "Labels(speaker='1', intensity=0.5, affect=(0.0, None, None))"
    )
    assert repr(Labels()) == "Labels()"


def test_pick_lists_the_codes():
    with pytest.raises(ValueError, match="letter is 'Q'; expected one of 'a', 'b'"):
        pick({"a": 1, "b": 2}, "Q", "letter")


def test_rows_of_a_table(tmp_path):
    path = tmp_path / "t.tsv"
    path.write_text("\ufeffa\tb\n 1\t x \n", encoding="utf-8")
    assert read_rows(path, ["a", "b"], "\t") == [{"a": "1", "b": "x"}]
    path.write_text("a,b\n1\n")
    with pytest.raises(CorpusError, match=r"t.tsv:2: cells"):
        read_rows(path, ["a"])
    with pytest.raises(CorpusError, match=r"columns \['c'\] are missing"):
        read_rows(path, ["a", "c"])
    with pytest.raises(CorpusError, match="not found"):
        read_rows(tmp_path / "none.csv", ["a"])


def test_splits_and_trials_of_a_manifest_of_before_are_removed(tree, write_audio):
    made(tree)
    folder = tree.parent / "out"
    names = ("by-speaker", "group-8fold", "toy-official", "mine")
    for name in names:
        write_splits(folder / "splits" / f"{name}.csv", [Assignment("1_ANG", 0, "train")])
    write_trials(folder / "trials" / "toy-o.csv", [Trial(True, "1_ANG", "1_CAL")])

    def left():
        return sorted(path.stem for path in folder.glob("[st]*/*.csv"))

    corpus = replace(
        TOY,
        protocols={"toy-official": Protocol(by_speaker)},
        trials=lambda root: {"toy-o": (root / "trials.txt", 1)},
    )
    assert left() == sorted([*names, "toy-o"])
    write_audio(tree / "AudioWAV" / "1_ANG.wav", seconds=0.2)
    made(tree, corpus)
    assert left() == ["mine"]  # nobody else's
    write_splits(folder / "splits" / "by-speaker.csv", [Assignment("1_ANG", 0, "train")])
    made(tree, corpus)
    assert left() == ["by-speaker", "mine"]  # the manifest is used again


@pytest.mark.parametrize("path", ["../a.wav", "/etc/passwd", "AudioWAV/../../a.wav"])
def test_a_path_outside_of_the_data_folder(tree, write_audio, path):
    write_audio(tree.parent / "a.wav")
    corpus = replace(TOY, rows=lambda _root: [(path, PurePath("1_ANG"))])
    with pytest.raises(CorpusError, match=rf"toy: '{path}' is outside of .*data; expected a path"):
        made(tree, corpus)


def test_two_rows_of_a_clip(tree):
    rows = [("AudioWAV/1_ANG.wav", PurePath("1_ANG"))] * 2
    corpus = replace(TOY, rows=lambda _root: rows, tables=("labels.csv",))
    with pytest.raises(ManifestError, match=r"toy: '1_ANG' has two rows in labels.csv"):
        made(tree, corpus)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (Labels(gender="Weiblich"), "gender is 'Weiblich'; expected female or male"),
        (Labels(speaker="Anna "), "'Anna ' has blanks around it"),
        (Labels(id=" 1"), "' 1' has blanks around it"),
        (Labels(text="to\0be"), r"'to\\x00be' has a NUL or a carriage return"),
        (Labels(extra={"note": "a\rb"}), r"'a\\rb' has a NUL or a carriage return"),
    ],
)
def test_texts_that_no_manifest_holds_are_a_fault_of_the_clip(tree, monkeypatch, labels, said):
    monkeypatch.setattr("emovec.corpora.reading.measure_all", None)  # told before
    with pytest.raises(CorpusError, match=rf"(?s)4 of 4 clips .*AudioWAV/1_ANG.wav: {said}"):
        made(tree, replace(TOY, label=lambda _: labels))


def test_parts_of_a_file_with_faults_are_all_told(tree):
    rows = [("AudioWAV/1_ANG.wav", f"x_{emotion}") for emotion in ("ANG", "JOY", "AWE")]
    corpus = replace(
        TOY, utterances=3, speakers=1, rows=lambda _: rows, label=lambda row: label(Path(row))
    )
    with pytest.raises(CorpusError, match="2 of 3 clips cannot be used"):
        made(tree, corpus)
    info = made(tree, corpus, allow_partial=True).info
    assert [skip.id for skip in info.skipped] == ["AudioWAV/1_ANG", "AudioWAV/1_ANG (2)"]


def test_where_it_was_looked_for(tmp_path):
    (tmp_path / "data").mkdir()
    corpus = replace(TOY, audio="Session*/sentences/wav/*/*.wav")
    with pytest.raises(CorpusError, match=rf"0 of 4 clips found under {tmp_path}/data; expected"):
        made(tmp_path / "data", corpus)


@pytest.mark.parametrize("below", ["a", "a/b", "a/b/c", "a/b/c/d"])
def test_a_folder_some_levels_too_deep(tree, below):
    (tree / below).mkdir(parents=True)
    with pytest.raises(CorpusError, match=f"found them below {tree}. Pass --data_folder={tree}."):
        prepare(TOY, tree / below, tree.parent / "out", progress=False)


def test_a_table_without_rows_or_with_a_column_twice(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n")
    with pytest.raises(CorpusError, match=r"t.csv: the table has no rows"):
        read_rows(tmp_path / "t.csv", ["a"])
    (tmp_path / "t.csv").write_text("a,b,b\n1,2,3\n")
    with pytest.raises(CorpusError, match=r"t.csv: columns \['b'\] occur twice"):
        read_rows(tmp_path / "t.csv", ["a"])
