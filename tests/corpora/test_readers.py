"""Readers on small fake copies, in the published form; ravdess on the real one, where it is."""

import json
import os
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from emovec import corpora
from emovec.errors import CorpusError, SplitError
from emovec.labels import AFFECT_PROTOTYPES, EMOTIONS
from emovec.tables.splits import check_splits

REAL_RAVDESS = Path(
    os.environ.get("EMOVEC_RAVDESS", Path(__file__).parents[3] / "shared/corpora/ravdess")
)


def made(corpus, folder, **options):
    output = folder.parent / "out"
    return corpora.prepare(corpus, folder, output, progress=False, **options)


def small(name, utterances, speakers):
    return replace(corpora.get(name), utterances=utterances, speakers=speakers)


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_ravdess(tmp_path, write_audio, suffix):
    for actor in ("01", "02"):
        for emotion in ("01", "02", "05"):
            name = f"03-01-{emotion}-01-02-01-{actor}{suffix}"
            write_audio(tmp_path / "data" / f"Actor_{actor}" / name, sample_rate=48000)
    strong = f"03-01-04-02-01-02-02{suffix}"
    write_audio(tmp_path / "data" / "Actor_02" / strong)
    write_audio(tmp_path / "data" / "Actor_02" / f"03-02-04-02-01-02-02{suffix}")  # a song
    prepared = made(small("ravdess", 7, 2), tmp_path / "data")
    by_id = {u.id: u for u in prepared.utterances}
    assert len(by_id) == 7
    neutral, calm, anger = (by_id[f"03-01-{e}-01-02-01-01"] for e in ("01", "02", "05"))
    assert [u.emotion for u in (neutral, calm, anger)] == ["neutral", "calm", "anger"]
    assert (anger.speaker, anger.gender, anger.intensity) == ("01", "male", 0.5)
    assert anger.text == "dogs are sitting by the door"
    assert anger.affect == pytest.approx((-0.255, 0.295, 0.125))
    assert neutral.affect == (0.0, 0.0, 0.0)
    assert calm.affect is None
    sad = by_id["03-01-04-02-01-02-02"]
    assert (sad.gender, sad.intensity, sad.affect) == ("female", 1.0, AFFECT_PROTOTYPES["sadness"])
    assert prepared.info.affect_source == "prototype"
    assert prepared.info.affect_scale == (-1.0, 1.0)


def test_ravdess_of_a_wrong_code(tmp_path, write_audio):
    write_audio(tmp_path / "data" / "Actor_01" / "03-01-09-01-01-01-01.wav")
    with pytest.raises(CorpusError, match=r"03-01-09.*emotion is '09'; expected one of '01'"):
        made(small("ravdess", 1, 1), tmp_path / "data")


@pytest.mark.skipif(not REAL_RAVDESS.is_dir(), reason=f"no RAVDESS at {REAL_RAVDESS}")
def test_real_ravdess(tmp_path):
    corpus = corpora.get("ravdess")
    prepared = corpora.prepare(corpus, REAL_RAVDESS, tmp_path, progress=False)
    assert (prepared.info.utterances, prepared.info.speakers) == (1440, 24)
    assert (prepared.info.skipped, prepared.info.warnings) == ((), ())
    # 192 clips of each emotion but neutral, which has one intensity
    counts = Counter(u.emotion for u in prepared.utterances)
    assert counts.pop("neutral") == 96
    assert set(counts.values()) == {192}
    assert Counter(u.gender for u in prepared.utterances) == {"female": 720, "male": 720}
    assert sum(u.affect is None for u in prepared.utterances) == 192
    assert 85 < sum(u.duration for u in prepared.utterances) / 60 < 92
    start = time.perf_counter()
    assert corpora.prepare(corpus, REAL_RAVDESS, tmp_path, progress=False) == prepared
    assert time.perf_counter() - start < 2
    for name in ("by_speaker", "speaker_5fold"):
        assignments = corpora.assign(corpus, name, prepared.utterances, seed=0)
        assert check_splits(prepared.utterances, assignments) == []


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
    prepared = made(small("emodb", 8, 2), tmp_path / "data")
    by_id = {u.id: u for u in prepared.utterances}
    assert {id_[5]: u.emotion for id_, u in by_id.items()} == letters
    assert (by_id["03a01Fa"].speaker, by_id["03a01Fa"].gender) == ("03", "male")
    assert (by_id["16b10Wb"].gender, by_id["16b10Wb"].text) == ("female", "b10")
    assert by_id["03a01La"].affect == AFFECT_PROTOTYPES["boredom"]


@pytest.mark.parametrize(
    ("name", "said"),
    [("03a01Xa", "emotion is 'X'"), ("04a01Fa", "speaker is '04'"), ("03a01", "emotion is ''")],
)
def test_emodb_of_a_wrong_letter(tmp_path, write_audio, name, said):
    write_audio(tmp_path / "data" / "wav" / f"{name}.wav")
    with pytest.raises(CorpusError, match=said):
        made(small("emodb", 1, 1), tmp_path / "data")


CREMAD = (
    "1001_DFA_ANG_XX",
    "1001_IEO_FEA_LO",
    "1001_IEO_FEA_MD",
    "1002_IEO_HAP_HI",
    "1040_ITH_SAD_X",
    "1076_MTI_SAD_XX",
)


def test_cremad(tmp_path, write_audio):
    for name in CREMAD:
        write_audio(tmp_path / "data" / "AudioWAV" / f"{name}.wav")
    (tmp_path / "data" / "AudioWAV" / "1076_MTI_SAD_XX.wav").write_bytes(b"")
    (tmp_path / "data" / "VideoDemographics.csv").write_text(
        "ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,Caucasian,Not Hispanic\n"
        "1002,21,Female,Caucasian,Not Hispanic\n"
    )
    prepared = made(small("cremad", 6, 4), tmp_path / "data")
    by_id = {u.id: u for u in prepared.utterances}
    assert [skip.id for skip in prepared.info.skipped] == ["1076_MTI_SAD_XX"]
    assert len(by_id) == 5
    assert [by_id[id_].intensity for id_ in CREMAD[:5]] == [None, 1 / 3, 2 / 3, 1.0, None]
    assert [by_id[id_].gender for id_ in CREMAD[1:5]] == ["male", "male", "female", ""]
    assert by_id["1001_DFA_ANG_XX"].affect == AFFECT_PROTOTYPES["anger"]
    assert by_id["1001_IEO_FEA_LO"].affect == pytest.approx((-0.64 / 3, 0.2, -0.43 / 3))
    assert by_id["1001_DFA_ANG_XX"].text == "DFA"


def test_cremad_without_git_lfs(tmp_path, write_pointer):
    for name in CREMAD:
        write_pointer(tmp_path / "data" / "AudioWAV" / f"{name}.wav")
    with pytest.raises(CorpusError, match=r"5 of 5 clips cannot be used(.|\n)*git lfs pull"):
        made(small("cremad", 6, 4), tmp_path / "data")


def test_nemo(tmp_path, write_audio):
    for name in ("EB0_anger_1", "WR0_surprised_64"):
        write_audio(tmp_path / "data" / "samples" / f"{name}.wav", sample_rate=24000)
    # as published: ids with suffix, blanks before the speaker
    (tmp_path / "data" / "data.tsv").write_text(
        "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage\n"
        "WR0_surprised_64.wav\tsurprised\tUcho, tak.\tucho tak\t        WR0\tmale\t23\n"
        'EB0_anger_1\tanger\t"Tak?"\ttak\tEB0\tfemale\t27\n',
        encoding="utf-8",
    )
    anger, surprise = made(small("nemo", 2, 2), tmp_path / "data").utterances
    assert (anger.id, anger.speaker, anger.gender) == ("EB0_anger_1", "EB0", "female")
    assert (surprise.emotion, surprise.speaker, surprise.text) == ("surprise", "WR0", "Ucho, tak.")
    assert surprise.extra["age"] == "23"
    assert surprise.affect == AFFECT_PROTOTYPES["surprise"]


MSP_HEADER = "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n"


def msp(folder, write_audio, rows):
    for row in rows:
        write_audio(folder / "Audios" / row.split(",")[0])
    (folder / "Labels").mkdir(exist_ok=True)
    (folder / "Labels" / "labels_consensus.csv").write_text(MSP_HEADER + "\n".join(rows) + "\n")


MSP_ROWS = [
    "MSP-PODCAST_0001_0008.wav,N,2.2,4.0,2.6,30,Male,Test1",
    "MSP-PODCAST_0002_0001.wav,X,7,1,4.5,31,Female,Train",
    "MSP-PODCAST_0002_0002.wav,O,3,3,3,31,Female,Train",
    "MSP-PODCAST_0003_0001.wav,A,5,2,6,Unknown,Unknown,Train",
    "MSP-PODCAST_0004_0001.wav,C,5,2,6,32,Female,Development",
    "MSP-PODCAST_0005_0001.wav,,,,,33,Male,Test3",
]


@pytest.mark.parametrize("form", ["csv", "json"])
def test_msp_podcast(tmp_path, write_audio, form):
    folder = tmp_path / "MSP-PODCAST-Publish-1.12"
    msp(folder, write_audio, MSP_ROWS)
    if form == "json":
        (folder / "Labels" / "labels_consensus.csv").unlink()
        names = MSP_HEADER.strip().split(",")
        table = {}
        for row in MSP_ROWS:
            facts = dict(zip(names, row.split(","), strict=True))
            numbers = {key: float(facts[key]) if facts[key] else None for key in names[2:5]}
            table[facts.pop("FileName")] = facts | numbers
        (folder / "Labels" / "labels_consensus.json").write_text(json.dumps(table))
    corpus = corpora.get("msp_podcast")
    prepared = made(corpus, folder)
    by_id = {u.id[12:]: u for u in prepared.utterances}
    neutral = by_id["0001_0008"]
    assert neutral.affect == (4.0, 2.2, 2.6)
    assert (neutral.speaker, neutral.gender, neutral.emotion) == ("30", "male", "neutral")
    assert by_id["0002_0001"].emotion == "no_agreement"
    assert by_id["0002_0002"].emotion == "other"
    assert (by_id["0003_0001"].speaker, by_id["0003_0001"].gender) == ("", "")
    assert (by_id["0005_0001"].emotion, by_id["0005_0001"].affect) == ("", None)
    info = prepared.info
    assert (info.release, info.affect_source, info.affect_scale) == ("1.12", "rated", (1.0, 7.0))
    assignments = corpora.assign(corpus, "official", prepared.utterances, 0)
    split_of = {row.id[12:]: row.split for row in assignments}
    assert split_of == {
        "0001_0008": "test",
        "0002_0001": "train",
        "0002_0002": "train",
        "0004_0001": "valid",
    }
    unknown, withheld = check_splits(prepared.utterances, assignments)
    assert unknown.startswith("1 utterances of unknown speakers in no split (MSP-PODCAST_")
    assert withheld.startswith("1 utterances in no split (MSP-PODCAST_")
    assert "MSP-PODCAST_0003_0001" in unknown + withheld


def test_msp_podcast_of_an_unnamed_or_given_release(tmp_path, write_audio):
    msp(tmp_path / "data", write_audio, MSP_ROWS)
    assert made(corpora.get("msp_podcast"), tmp_path / "data").info.release == "unknown"
    given = corpora.get("msp_podcast", release="1.4")
    assert made(given, tmp_path / "data").info.release == "1.4"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a.wav,Q,1,1,1,1,Male,Train", "a.wav: EmoClass is 'Q'; expected one of 'A', 'S'"),
        ("a.wav,N,0.5,1,1,1,Male,Train", r"a.wav: affect is \(1.0, 0.5, 1.0\)"),
        ("a.wav,N,1,nan,1,1,Male,Train", "a.wav: affect is"),
        ("a.wav,N,1,high,1,1,Male,Train", "a.wav: could not convert"),
        ("a.wav,N,1,1,1,1,M,Train", "a.wav: Gender is 'M'"),
    ],
)
def test_msp_podcast_of_wrong_rows(tmp_path, write_audio, row, said):
    msp(tmp_path / "data", write_audio, [row])
    with pytest.raises(CorpusError, match=said):
        made(corpora.get("msp_podcast"), tmp_path / "data")


def test_msp_podcast_without_a_table(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(CorpusError, match=r"labels_consensus.csv: not found"):
        made(corpora.get("msp_podcast"), tmp_path / "data")


def development(clips):
    """Utterances of the official splits, so many of each emotion in Development."""
    from emovec.tables.manifest import Utterance

    def clip(id_, speaker, emotion, part):
        extra = {"split_set": part}
        return Utterance(id_, "a", None, None, 1.0, speaker, emotion=emotion, extra=extra)

    found = [
        clip(f"{emotion}{number}", str(number % 7), emotion, "Development")
        for emotion, count in clips.items()
        for number in range(count)
    ]
    others = [clip("t", "t", "anger", "Train"), clip("1", "x", "anger", "Test1")]
    return [*found, clip("u", "", "anger", "Train"), *others]


def test_emosphere_inhouse_draws_300_of_each_category():
    corpus = corpora.get("msp_podcast")
    utterances = development({"anger": 450, "neutral": 301, "contempt": 5, "other": 1})
    assignments = corpora.assign(corpus, "emosphere_inhouse", utterances, 3)
    emotion_of = {u.id: u.emotion for u in utterances}
    counts = Counter((row.split, emotion_of[row.id]) for row in assignments)
    assert counts == {
        ("train", "anger"): 2,
        ("valid", "anger"): 300,
        ("test", "anger"): 150,
        ("valid", "neutral"): 300,
        ("test", "neutral"): 1,
        ("valid", "contempt"): 3,
        ("test", "contempt"): 2,
        ("valid", "other"): 1,
    }
    assert assignments == corpora.assign(corpus, "emosphere_inhouse", utterances, 3)
    assert assignments != corpora.assign(corpus, "emosphere_inhouse", utterances, 4)
    # what is dropped beforehand does not move the rest
    kept = [u for u in utterances if u.emotion != "other"]
    without = corpora.assign(corpus, "emosphere_inhouse", kept, 3)
    assert without == [row for row in assignments if emotion_of[row.id] != "other"]


def test_emosphere_inhouse_may_share_speakers_and_says_so():
    corpus = corpora.get("msp_podcast")
    utterances = development({"anger": 450})
    assignments = corpora.assign(corpus, "emosphere_inhouse", utterances, 0)
    assert corpora.protocol(corpus, "emosphere_inhouse").shares_speakers
    assert not corpora.protocol(corpus, "official").shares_speakers
    with pytest.raises(SplitError, match="7 speakers in more than one split"):
        check_splits(utterances, assignments)
    warnings = check_splits(utterances, assignments, shared_speakers_allowed=True)
    assert len(warnings) == 3  # shared speakers, unknown speakers, Test1 in no split


def test_every_emotion_of_every_reader_has_our_name():
    from emovec.corpora import cremad, emodb, msp_podcast, nemo, ravdess

    for reader in (cremad, emodb, msp_podcast, nemo, ravdess):
        assert set(reader.EMOTIONS.values()) - {""} <= set(EMOTIONS)
