"""IEMOCAP on small fake copies in the published form, and its protocols on published numbers."""

from collections import Counter
from dataclasses import replace

import pytest

from emovec import corpora
from emovec.corpora import iemocap
from emovec.corpora.splitting import follow
from emovec.errors import CorpusError, ManifestError
from emovec.labels import EMOTIONS
from emovec.tables.manifest import Utterance
from emovec.tables.splits import check_splits

TABLE = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.0000, 3.5000]
C-E2:\tNeutral;\t()
A-E3:\tval 3; act 2; dom  2;\t()

[10.0100 - 11.3925]\tSes01F_impro01_M001\txxx\t[5.5000, 5.0000, 0.5000]
C-E2:\tFrustration; Anger;\t([unsure])
"""
WORDS = """Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.
F: [BREATHING]
Ses01F_impro01_MXX0 [009.0000-009.5000]: [LAUGHTER]
"""


def copy(root, write_audio, session=1, dialog="Ses01F_impro01", table=TABLE, words=WORDS):
    folder = root / f"Session{session}"
    for kind, text in (("EmoEvaluation", table), ("transcriptions", words)):
        path = folder / "dialog" / kind / f"{dialog}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for line in table.splitlines():
        if line.startswith("["):
            name = line.split("\t")[1]
            write_audio(folder / "sentences" / "wav" / dialog / f"{name}.wav")
    return root


def made(folder, clips=2, speakers=2, **options):
    corpus = replace(iemocap.CORPUS, utterances=clips, speakers=speakers)
    return corpora.prepare(corpus, folder, folder.parent / "out", progress=False, **options)


def test_labels_come_from_the_dialogues_tables(tmp_path, write_audio):
    prepared = made(copy(tmp_path / "data", write_audio))
    female, male = prepared.utterances
    assert female.path == "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav"
    assert (female.valence, female.arousal, female.dominance) == (2.5, 2.0, 3.5)
    assert (female.speaker, female.gender, female.session) == ("1F", "female", "1")
    assert (female.emotion, female.text) == ("neutral", "Excuse me.")
    assert female.extra["dialog"] == "Ses01F_impro01"
    # he speaks while she wears the markers
    assert (male.speaker, male.gender, male.emotion) == ("1M", "male", "no_agreement")
    assert male.text == ""
    assert (male.valence, male.arousal, male.dominance) == (5.0, 5.0, 1.0)  # not 5.5 and 0.5
    assert (prepared.info.affect_source, prepared.info.affect_scale) == ("rated", (1.0, 5.0))
    assert prepared.info.warnings == ()


def test_dialogues_whose_names_have_many_parts(tmp_path, write_audio):
    line = "[1.0 - 2.0]\tSes02M_script01_1b_F003\texc\t[4.3333, 3.6667, 3.0000]\n"
    copy(tmp_path / "data", write_audio, 2, "Ses02M_script01_1b", line, "")
    (clip,) = made(tmp_path / "data", 1, 1).utterances
    assert (clip.speaker, clip.session, clip.emotion) == ("2F", "2", "excitement")
    assert clip.affect == (4.3333, 3.6667, 3.0)


def test_files_of_a_mac_and_missing_transcriptions(tmp_path, write_audio):
    root = copy(tmp_path / "data", write_audio)
    dialog = root / "Session1" / "dialog"
    (dialog / "transcriptions" / "Ses01F_impro01.txt").unlink()
    binary = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X\xb0\n[6.2 - 8"
    (dialog / "EmoEvaluation" / "._Ses01F_impro01.txt").write_bytes(binary)
    audio = root / "Session1" / "sentences" / "wav" / "Ses01F_impro01"
    (audio / "._Ses01F_impro01_F000.wav").write_bytes(binary)
    prepared = made(root)
    assert [u.text for u in prepared.utterances] == ["", ""]
    assert prepared.info.warnings == ()


@pytest.mark.parametrize(
    "line",
    [
        "[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu",
        "[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000]",
        "[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, nan, 2.5000]",
        "[6.2901 - 8.2357] Ses01F_impro01_F000 neu [2.5000, 2.5000, 2.5000]",
        "[6.2901 - 8.2357]\tSes01F_impro01_X000\tneu\t[2.5000, 2.5000, 2.5000]",
        "[6.2901 - 8.2357]\tSes01F_impro02_F000\tneu\t[2.5000, 2.5000, 2.5000]",
        "[6.2901 - 8.2",
    ],
)
def test_malformed_lines_are_named(tmp_path, write_audio, line):
    root = copy(tmp_path / "data", write_audio)
    table = root / "Session1" / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt"
    table.write_text(f"{TABLE}{line}\n")
    with pytest.raises(CorpusError, match=r"EmoEvaluation/Ses01F_impro01\.txt:9: found '\[6"):
        made(root)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ("joy\t[2.5000, 2.5000, 2.5000]", "F000.wav: emotion is 'joy'; expected one of 'ang'"),
        ("neu\t[2.5000, 6.0000, 2.5000]", r"F000.wav: affect is \(2.5, 6.0, 2.5\)"),
    ],
)
def test_codes_and_values_that_cannot_be(tmp_path, write_audio, cells, said):
    table = f"[6.2901 - 8.2357]\tSes01F_impro01_F000\t{cells}\n"
    with pytest.raises(CorpusError, match=said):
        made(copy(tmp_path / "data", write_audio, table=table), 1, 1)


@pytest.mark.parametrize("kind", ["EmoEvaluation", "transcriptions"])
def test_a_table_that_is_not_utf8(tmp_path, write_audio, kind):
    root = copy(tmp_path / "data", write_audio)
    table = root / "Session1" / "dialog" / kind / "Ses01F_impro01.txt"
    table.write_bytes(table.read_bytes() + "café\n".encode("latin-1"))
    with pytest.raises(CorpusError, match=rf"{kind}/Ses01F_impro01.txt:\d+: byte 0xe9 is not"):
        made(root)


def test_a_change_in_a_table_is_noticed(tmp_path, write_audio):
    root = copy(tmp_path / "data", write_audio)
    assert made(root).utterances[0].emotion == "neutral"
    copy(root, write_audio, table=TABLE.replace("\tneu\t", "\tsad\t"))
    assert made(root).utterances[0].emotion == "sadness"


def test_partial_copies(tmp_path, write_audio):
    root = copy(tmp_path / "data", write_audio)
    audio = root / "Session1" / "sentences" / "wav" / "Ses01F_impro01"
    (audio / "Ses01F_impro01_M001.wav").unlink()
    with pytest.raises(CorpusError, match=r"1 of 2 clips found.*--allow_partial"):
        made(root)
    prepared = made(root, allow_partial=True)
    assert [u.id for u in prepared.utterances] == ["Ses01F_impro01_F000"]
    assert [skip.id for skip in prepared.info.skipped] == ["Ses01F_impro01_M001"]


def test_a_folder_with_nothing_of_it(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(CorpusError, match="0 of 2 clips found"):
        made(tmp_path / "data")


# clips of each session: neutral, angry, sad, happy, excited
PUBLISHED = {
    "1": (384, 229, 194, 135, 143),
    "2": (362, 137, 197, 117, 210),
    "3": (320, 240, 305, 135, 151),
    "4": (258, 327, 143, 65, 238),
    "5": (384, 170, 245, 143, 299),
}
CLASSES = ("neutral", "anger", "sadness", "happiness", "excitement")


def whole_corpus():
    """As many clips as there are, every seventh of less than a second, some of other emotions."""
    clips = [
        (session, emotion, number)
        for session, counts in PUBLISHED.items()
        for emotion, count in zip(
            (*CLASSES, "frustration", "no_agreement"), (*counts, 9, 9), strict=True
        )
        for number in range(count)
    ]
    return [
        Utterance(
            id=f"{session}-{emotion}-{number}",
            path=f"{session}-{emotion}-{number}.wav",
            start=None,
            stop=None,
            duration=0.9 if emotion != "happiness" and number % 7 == 0 else 2.0,
            speaker=session + "FM"[number % 2],
            session=session,
            emotion=emotion,
        )
        for session, emotion, number in clips
    ]


def followed(name, utterances, seed=0):
    return follow(name, corpora.protocol(iemocap.CORPUS, name), utterances, seed)


def test_four_classes_over_five_sessions():
    split = followed("iemocap-4class-5fold", whole_corpus())
    assert split.warnings == ()  # all published numbers are met
    assert Counter(u.emotion for u in split.utterances) == {
        "neutral": 1708,
        "anger": 1103,
        "sadness": 1084,
        "happiness": 1636,
    }
    tested = {row.id: row.fold for row in split.assignments if row.split == "test"}
    assert len(tested) == len(split.utterances) == 5531
    assert all(tested[u.id] == int(u.session) - 1 for u in split.utterances)
    assert {row.split for row in split.assignments} == {"train", "test"}
    assert len(split.assignments) == 5 * 5531
    check_splits(split.utterances, split.assignments)


def test_happiness_and_excitement_apart():
    split = followed("iemocap-happy-excited", whole_corpus())
    assert split.warnings == ()
    counts = Counter(u.emotion for u in split.utterances)
    assert (counts["happiness"], counts["excitement"]) == (595, 1041)
    merged = followed("iemocap-4class-5fold", whole_corpus())
    assert [u.id for u in split.utterances] == [u.id for u in merged.utterances]


@pytest.mark.parametrize("name", ["iemocap-4class-5fold", "iemocap-happy-excited"])
def test_other_numbers_than_published_are_told(name):
    _, *others = whole_corpus()  # neutral, session 1
    warnings = followed(name, others).warnings
    assert warnings == (
        f"{name}: 5530 clips found, 5531 published",
        f"{name}: 1707 neutral found, 1708 published",
        f"{name}: 383 fold 0/test/neutral found, 384 published",
    )


def test_deeptalk_tests_on_session_3():
    utterances = whole_corpus()
    split = followed("deeptalk-iemocap", utterances)
    by_id = {u.id: u for u in split.utterances}
    assert {u.emotion for u in by_id.values()} == {"anger", "happiness", "neutral", "sadness"}
    assert {row.id for row in split.assignments} == {
        u.id for u in utterances if u.emotion in CLASSES[:4] and u.duration >= 1
    }
    tested = {by_id[row.id].session for row in split.assignments if row.split == "test"}
    trained = {by_id[row.id].session for row in split.assignments if row.split == "train"}
    assert (tested, trained) == ({"3"}, {"1", "2", "4", "5"})


def test_who_talk_to_each_other_are_in_one_split_by_default():
    corpus = iemocap.CORPUS
    assert next(iter(corpus.protocols)) == "iemocap-4class-5fold"
    name = corpora.default_protocol(corpus)  # takes clips of every emotion
    utterances = whole_corpus()
    session_of = {u.id: u.session for u in utterances}
    split = follow(name, corpora.protocol(corpus, name), utterances, 0)
    places = {(row.fold, row.split, session_of[row.id]) for row in split.assignments}
    assert len(places) == 25  # each session in one split of each fold
    assert len(split.utterances) == len(utterances)


def test_every_emotion_has_our_name():
    assert set(iemocap.EMOTIONS.values()) <= set(EMOTIONS)


def test_a_clip_with_two_texts(tmp_path, write_audio):
    words = WORDS + "Ses01F_impro01_F000 [006.2901-008.2357]: Pardon.\n"
    root = copy(tmp_path / "data", write_audio, words=words)
    with pytest.raises(CorpusError, match=r"'Ses01F_impro01_F000' is 'Excuse me.' and 'Pardon.'"):
        made(root)


def test_a_clip_with_two_rows(tmp_path, write_audio):
    row = next(line for line in TABLE.splitlines() if line.startswith("["))
    root = copy(tmp_path / "data", write_audio, table=f"{TABLE}{row}\n")
    with pytest.raises(ManifestError, match="'Ses01F_impro01_F000' has two rows in its tables"):
        made(root)
