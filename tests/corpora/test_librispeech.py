"""LibriSpeech on small fake copies, in the published layout."""

import pytest

from emovec.corpora.librispeech import CORPUS, SUBSETS
from emovec.corpora.preparing import prepare
from emovec.errors import CorpusError
from emovec.tables.splits import check_splits

SPEAKERS = """\
; Some pieces of information about the readers
;ID  |SEX| SUBSET           |MINUTES| NAME
14   | F | train-clean-360  | 25.03 | Kristin LeMoine
60   | M | train-clean-100  | 20.18 | |CBW|Simon
84   | F | dev-clean        |  8.02 | Christie Nowak
"""
CHAPTERS = {"train-clean-100": "60/121082", "dev-clean": "84/121123", "test-other": "1688/142285"}


@pytest.fixture
def copy(tmp_path, write_audio):
    """Writes two clips of a chapter of each of three subsets, below a folder."""

    def write(below="", suffix=".flac"):
        home = tmp_path / "data" / below
        for subset, chapter in CHAPTERS.items():
            stem = chapter.replace("/", "-")
            for number in ("0000", "0001"):
                write_audio(home / subset / chapter / f"{stem}-{number}{suffix}")
            lines = f"{stem}-0000 IT'S {subset.upper()}\n{stem}-0001 GO\n"
            (home / subset / chapter / f"{stem}.trans.txt").write_text(lines)
        (home / "SPEAKERS.TXT").write_text(SPEAKERS)
        return home

    return write


def made(folder, allow_partial=True):
    output = folder.parent / "out"
    return prepare(CORPUS, folder, output, allow_partial=allow_partial, progress=False)


@pytest.mark.parametrize("below", ["", "LibriSpeech"])
@pytest.mark.parametrize("suffix", [".flac", ".wav"])
def test_librispeech(tmp_path, write_audio, copy, below, suffix):
    home = copy(below, suffix)
    chapter = home / "dev-clean" / "84" / "121123"
    (chapter / f"._84-121123-0000{suffix}").write_bytes(b"\0Mac\xff")
    (chapter / "._84-121123.trans.txt").write_bytes(b"\0Mac\xff")
    write_audio(home / "intro-disclaimers" / "a" / "b" / "c.flac")
    prepared = made(tmp_path / "data")
    assert len(prepared.utterances) == 6
    first = prepared.utterances[0]
    prefix = f"{below}/" if below else ""
    assert first.id == "84-121123-0000"
    assert first.path == f"{prefix}dev-clean/84/121123/84-121123-0000{suffix}"
    assert (first.speaker, first.session, first.gender) == ("84", "121123", "female")
    assert (first.text, first.extra["subset"]) == ("IT'S DEV-CLEAN", "dev-clean")
    by_speaker = {u.speaker: u.gender for u in prepared.utterances}
    assert by_speaker == {"84": "female", "60": "male", "1688": ""}
    published = 2703 + 28539 + 2939
    assert f"6 of {published} clips found" in prepared.info.warnings[0]


def test_whole_subsets_are_expected(tmp_path, copy):
    copy()
    opened = CORPUS.open(CORPUS, tmp_path / "data")
    assert (opened.utterances, opened.speakers) == (28539 + 2703 + 2939, 251 + 40 + 33)
    assert (CORPUS.utterances, CORPUS.speakers) == (292_367, 2484)  # of the publication
    with pytest.raises(CorpusError, match=r"6 of 34181 clips .* Pass --allow_partial"):
        made(tmp_path / "data", allow_partial=False)


def test_official_splits(tmp_path, copy):
    copy()
    utterances = made(tmp_path / "data").utterances
    assignments = CORPUS.protocols["librispeech-official"].assign(utterances, 0)
    found = check_splits(utterances, assignments)
    assert (found.leaks, found.warnings) == ((), ())
    assert {row.id.partition("-")[0]: row.split for row in assignments} == {
        "60": "train",
        "84": "valid",
        "1688": "test",
    }
    assert {subset.partition("-")[0] for subset in SUBSETS} == {"train", "dev", "test"}


def test_words_that_are_missing(tmp_path, copy):
    home = copy()
    path = home / "dev-clean" / "84" / "121123" / "84-121123.trans.txt"
    path.write_text("84-121123-0000 ONE\n")
    prepared = made(tmp_path / "data")
    (skip,) = prepared.info.skipped
    assert skip.id == "dev-clean/84/121123/84-121123-0001"
    assert "84-121123-0001.flac: no line in 84-121123.trans.txt" in skip.reason
    path.write_text("84-121123-0000 ONE\n84-121123-0001 TWO\n")  # is looked at again
    assert [u.text for u in made(tmp_path / "data").utterances][:2] == ["ONE", "TWO"]


def test_words_in_another_encoding(tmp_path, copy):
    home = copy()
    (home / "dev-clean/84/121123/84-121123.trans.txt").write_bytes(b"84-121123-0000 CAF\xc9\n")
    with pytest.raises(CorpusError, match=r"84-121123.trans.txt:1: byte 0xc9 is not UTF-8"):
        made(tmp_path / "data")


def test_without_speakers_genders_are_not_known(tmp_path, copy):
    (copy() / "SPEAKERS.TXT").unlink()
    prepared = made(tmp_path / "data")
    assert {u.gender for u in prepared.utterances} == {""}
    assert "SPEAKERS.TXT not found: genders are not known" in prepared.info.warnings


@pytest.mark.parametrize("line", ["84 | X | dev-clean | 8 | A", "84, F, dev-clean, 8, A"])
def test_speakers_that_make_no_sense(tmp_path, copy, line):
    (copy() / "SPEAKERS.TXT").write_text(f"; readers\n\n{line}\n")
    with pytest.raises(CorpusError, match=r"SPEAKERS.TXT:3: sex is '.?'; expected one of 'F', 'M'"):
        made(tmp_path / "data")


def test_pointers_are_named(tmp_path, copy, write_pointer):
    write_pointer(copy() / "dev-clean/84/121123/84-121123-0000.flac")
    (skip,) = made(tmp_path / "data").info.skipped
    assert "is a Git LFS pointer" in skip.reason


def test_wrong_folder(tmp_path, copy):
    copy()
    with pytest.raises(CorpusError, match=r"found them below .*data\. Pass --data_folder"):
        made(tmp_path / "data" / "dev-clean")


@pytest.mark.parametrize(
    ("file", "line", "said"),
    [
        ("SPEAKERS.TXT", "84   | M | dev-clean | 8 | Twin", "'84' is 'female' and 'male'"),
        (
            "dev-clean/84/121123/84-121123.trans.txt",
            "84-121123-0001 STOP",
            "'84-121123-0001' is 'GO' and 'STOP'",
        ),
    ],
)
def test_a_key_with_two_meanings(tmp_path, copy, file, line, said):
    table = copy() / file
    table.write_text(f"{table.read_text()}{line}\n")
    with pytest.raises(CorpusError, match=rf"{table.name}: {said}"):
        made(tmp_path / "data")
