"""EMO-DB on small fake copies in the published form."""

from dataclasses import replace

import pytest

from emovec import corpora
from emovec.corpora import emodb
from emovec.errors import CorpusError
from emovec.labels import AFFECT_PROTOTYPES, EMOTIONS


def made(folder, utterances, speakers, **options):
    corpus = replace(corpora.get("emodb"), utterances=utterances, speakers=speakers)
    return corpora.prepare(corpus, folder, folder.parent / "out", progress=False, **options)


def two_clips(folder, write_audio, table=None):
    for name in ("03a01Fa", "16b10Wb"):
        write_audio(folder / "wav" / f"{name}.wav")
    if table is not None:
        (folder / "erkennung.txt").write_bytes(table.encode("latin-1"))
    return folder


def test_emodb(tmp_path, write_audio):
    letters = {
        "W": "anger",
        "L": "boredom",
        "E": "disgust",
        "A": "fear",
        "F": "happiness",
        "T": "sadness",
        "N": "neutral",
    }
    for letter in letters:
        write_audio(tmp_path / "data" / "wav" / f"03a01{letter}a.wav")
    write_audio(tmp_path / "data" / "wav" / "16b10Wb.wav")
    (tmp_path / "data" / "wav" / "._16b10Wb.wav").write_bytes(b"Mac OS X")
    prepared = made(tmp_path / "data", 8, 2)
    by_id = {u.id: u for u in prepared.utterances}
    assert {id_[5]: u.emotion for id_, u in by_id.items()} == letters
    assert (by_id["03a01Fa"].speaker, by_id["03a01Fa"].gender) == ("03", "male")
    assert (by_id["16b10Wb"].gender, by_id["16b10Wb"].text) == ("female", "b10")
    assert by_id["03a01La"].affect == AFFECT_PROTOTYPES["boredom"]
    assert {u.extra["recognition"] for u in by_id.values()} == {""}  # there is no table


@pytest.mark.parametrize(
    ("name", "said"),
    [("03a01Xa", "emotion is 'X'"), ("04a01Fa", "speaker is '04'"), ("03a01", "emotion is ''")],
)
def test_a_wrong_letter(tmp_path, write_audio, name, said):
    write_audio(tmp_path / "data" / "wav" / f"{name}.wav")
    with pytest.raises(CorpusError, match=said):
        made(tmp_path / "data", 1, 1)


@pytest.mark.parametrize(
    "table",
    [
        "Satz\terkannt\tnatürlich\r\n03a01Fa.wav\t90,00\xa0\t100,00\r\n16b10Wb.wav\t100,0\t5,00\r\n",
        "Satz\terkannt\n03a01Fa.wav\t90,00\n16b10Wb.wav\t100,0\n\n",
        "Satz\terkannt\tnatürlich\tmehr\n16b10Wb.wav\t100,0\n03a01Fa.wav\t 90,00\t1\t2\t3",
        "Satz\terkannt\n03a01Fa.wav\t90,00\n16b10Wb.wav\t100,0\n03a01Lz.wav\t35,5\n",  # no audio
    ],
)
def test_recognition_by_listeners(tmp_path, write_audio, table):
    happy, angry = made(two_clips(tmp_path / "data", write_audio, table), 2, 2).utterances
    assert (happy.extra["recognition"], angry.extra["recognition"]) == ("90.00", "100.0")


def test_clips_that_nobody_judged(tmp_path, write_audio):
    table = "Satz\terkannt\tnatürlich\n03a01Fa.wav\t\t50,00\n"
    utterances = made(two_clips(tmp_path / "data", write_audio, table), 2, 2).utterances
    assert [u.extra["recognition"] for u in utterances] == ["", ""]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("Satz\tnatürlich\n03a01Fa.wav\t90,00\n", r"erkennung.txt: columns are \['Satz', 'nat"),
        ("", r"erkennung.txt: columns are \[''\]"),
        ("Satz\terkannt\n03a01Fa.wav\tviel\n", "erkennung.txt:2: found .*'viel'"),
        ("Satz\terkannt\n03a01Fa.wav\t90\n16b10Wb.wav\n", r"erkennung.txt:3: found \['16b10Wb"),
        ("Satz\terkannt\n03a01Fa.wav\t190,0\n", "erkennung.txt:2: .*expected a clip and a per"),
        ("Satz\terkannt\n03a01Fa.wav\tnan\n", "erkennung.txt:2"),
    ],
)
def test_a_broken_table(tmp_path, write_audio, table, said):
    with pytest.raises(CorpusError, match=said):
        made(two_clips(tmp_path / "data", write_audio, table), 2, 2)


def test_a_change_in_the_table_is_noticed(tmp_path, write_audio):
    folder = two_clips(tmp_path / "data", write_audio)
    assert made(folder, 2, 2).utterances[0].extra["recognition"] == ""
    two_clips(folder, write_audio, "Satz\terkannt\n03a01Fa.wav\t7,5\n")
    assert made(folder, 2, 2).utterances[0].extra["recognition"] == "7.5"


def test_partial_copies(tmp_path, write_audio):
    folder = two_clips(tmp_path / "data", write_audio)
    with pytest.raises(CorpusError, match=r"2 of 535 clips found.*--allow_partial"):
        made(folder, 535, 10)
    prepared = made(folder, 535, 10, allow_partial=True)
    assert len(prepared.utterances) == 2
    assert prepared.info.warnings[0].startswith("2 of 535 clips found")


def test_every_emotion_has_our_name():
    assert set(emodb.EMOTIONS.values()) <= set(EMOTIONS)


def test_a_clip_with_two_percentages(tmp_path, write_audio):
    table = "Satz\terkannt\n03a01Fa.wav\t90,00\n03a01Fa.wav\t80,00\n"
    with pytest.raises(CorpusError, match=r"erkennung.txt: '03a01Fa' is '90.00' and '80.00'"):
        made(two_clips(tmp_path / "data", write_audio, table), 2, 2)
