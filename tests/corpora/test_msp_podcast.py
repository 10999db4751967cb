"""MSP-Podcast on small fake copies in the published form, and its protocols on made-up tables."""

import json
from collections import Counter
from dataclasses import replace

import pytest

from emovec import corpora
from emovec.corpora import msp_podcast
from emovec.corpora.splitting import follow
from emovec.errors import CorpusError, SplitError
from emovec.labels import EMOTIONS
from emovec.tables.manifest import Utterance
from emovec.tables.splits import check_splits

HEADER = "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n"
ROWS = [
    "MSP-PODCAST_0001_0008.wav,N,2.2,4.0,2.6,30,Male,Test1",
    "MSP-PODCAST_0002_0001.wav,X,7,1,4.5,31,Female,Train",
    "MSP-PODCAST_0002_0002.wav,O,3,3,3,31,Female,Train",
    "MSP-PODCAST_0003_0001.wav,A,5,2,6,Unknown,Unknown,Train",
    "MSP-PODCAST_0004_0001.wav,C,5,2,6,32,Female,Development",
    "MSP-PODCAST_0005_0001.wav,,,,,33,Male,Test3",
]


def copy(folder, write_audio, rows=ROWS, name="labels_consensus", form="csv", audio=None):
    for row in rows if audio is None else audio:
        write_audio(folder / "Audios" / row.split(",")[0])
    (folder / "Labels").mkdir(exist_ok=True, parents=True)
    table = folder / "Labels" / f"{name}.{form}"
    if form == "csv":
        table.write_text(HEADER + "\n".join(rows) + "\n")
    else:
        table.write_text(json.dumps(as_json(rows)))
    return folder


def as_json(rows):
    names = HEADER.strip().split(",")
    table = {}
    for row in rows:
        facts = dict(zip(names, row.split(","), strict=True))
        numbers = {key: float(facts[key]) if facts[key] else None for key in names[2:5]}
        table[facts.pop("FileName")] = facts | numbers
    return table


def made(folder, release="1.12", **options):
    corpus = corpora.get("msp_podcast", **({"release": release} if release else {}))
    return corpora.prepare(corpus, folder, folder.parent / "out", progress=False, **options)


@pytest.mark.parametrize("name", ["labels_consensus", "labels_concensus"])
@pytest.mark.parametrize("form", ["csv", "json"])
def test_msp_podcast(tmp_path, write_audio, name, form):
    folder = copy(tmp_path / "MSP-PODCAST-Publish-1.12", write_audio, ROWS, name=name, form=form)
    prepared = made(folder, release="")
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
    split = followed("msp-podcast-official", prepared.utterances)
    assert {row.id[12:]: row.split for row in split.assignments} == {
        "0001_0008": "test",
        "0002_0001": "train",
        "0002_0002": "train",
        "0004_0001": "valid",
    }
    unknown, withheld = check_splits(prepared.utterances, split.assignments).warnings
    assert unknown.startswith("1 utterances of unknown speakers in no split (MSP-PODCAST_0003")
    assert withheld.startswith("1 utterances in no split (MSP-PODCAST_0005")


def test_both_tables_and_further_columns(tmp_path, write_audio):
    rows = [f"{row},rest" for row in ROWS]
    folder = copy(tmp_path / "1.11", write_audio, form="json")
    table = folder / "Labels" / "labels_consensus.csv"
    table.write_text(HEADER.replace("\n", ",Note\n") + "\n".join(rows) + "\n")
    prepared = made(folder, "1.11")
    assert len(prepared.utterances) == 6
    assert {tuple(u.extra) for u in prepared.utterances} == {("split_set", "audio_hash")}
    copy(folder, write_audio, ROWS[1:], form="json", audio=[])
    with pytest.raises(CorpusError, match=r"consensus.json: 1 files are .* first MSP-PODCAST_0001"):
        made(folder, "1.11")


@pytest.mark.parametrize(
    ("name", "given", "release"),
    [("MSP-PODCAST-Publish-1.4", "", "1.4"), ("data", "1.10", "1.10"), ("v1.11", "1.11", "1.11")],
)
def test_release(tmp_path, write_audio, name, given, release):
    assert made(copy(tmp_path / name, write_audio), given).info.release == release


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("data", "", "release is '', and the folder 'data'; .*Pass --corpus_options"),
        ("data", "latest", "release is 'latest'.*1.11"),
        ("data", "v1.11", "release is 'v1.11'"),
        ("data", "1", "release is '1'"),
        ("MSP-1.10", "1.1", "release is 1.1, but the folder is 'MSP-1.10'"),
    ],
)
def test_a_release_that_cannot_be(tmp_path, write_audio, name, given, said):
    with pytest.raises(CorpusError, match=said):
        made(copy(tmp_path / name, write_audio), given)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a.wav,Q,1,1,1,1,Male,Train", "a.wav: EmoClass is 'Q'; expected one of 'A', 'S'"),
        ("a.wav,N,0.5,1,1,1,Male,Train", r"a.wav: affect is \(1.0, 0.5, 1.0\)"),
        ("a.wav,N,1,nan,1,1,Male,Train", "a.wav: affect is"),
        ("a.wav,N,1,high,1,1,Male,Train", "a.wav: EmoVal is 'high'; expected a number"),
        ("a.wav,N,1,1,1,1,M,Train", "a.wav: Gender is 'M'"),
        (
            "a.wav,N,1,1,1,1,Male,Trian",
            "a.wav: Split_Set is 'Trian'; expected one of 'Train', 'Dev",
        ),
        ("../a.wav,N,1,1,1,1,Male,Train", "'Audios/../a.wav' is outside of"),
        ("a.wav,N,1,1,1,1,Male", "labels_consensus.csv:2: cells do not match"),
    ],
)
def test_wrong_rows(tmp_path, write_audio, row, said):
    with pytest.raises(CorpusError, match=said):
        made(copy(tmp_path / "data", write_audio, [row]))


def test_a_file_with_two_rows(tmp_path, write_audio):
    folder = copy(tmp_path / "data", write_audio, [*ROWS, ROWS[1].replace("X", "A")])
    with pytest.raises(CorpusError, match=r"csv:8: MSP-PODCAST_0002_0001.wav has a row already"):
        made(folder)
    (folder / "Labels" / "labels_consensus.csv").unlink()
    once = json.dumps(as_json(ROWS[:1]))
    twice = once[:-1] + ", " + once[1:]
    (folder / "Labels" / "labels_consensus.json").write_text(twice)
    with pytest.raises(CorpusError, match=r"json: MSP-PODCAST_0001_0008.wav has a row already"):
        made(folder)


def test_a_table_without_a_column(tmp_path, write_audio):
    folder = copy(tmp_path / "data", write_audio)
    table = folder / "Labels" / "labels_consensus.csv"
    table.write_text(table.read_text().replace("SpkrID", "Speaker"))
    with pytest.raises(CorpusError, match=r"consensus.csv: columns \['SpkrID'\] are missing"):
        made(folder)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"a.wav": {"EmoClass": "N"}}', r"a.wav: \['EmoVal', 'EmoAct', .* are missing"),
        (b'{"a.wav": "N"}', "a.wav: .* are missing"),
        (b'{"a.wav": ', "is no JSON"),
        (b"[]", "is no JSON object"),
        (b'{"caf\xe9.wav": {}}', "is no JSON .*utf-8"),
    ],
)
def test_a_json_table_that_is_broken(tmp_path, write_audio, text, said):
    folder = copy(tmp_path / "data", write_audio, form="json")
    (folder / "Labels" / "labels_consensus.json").write_bytes(text)
    with pytest.raises(CorpusError, match=f"labels_consensus.json: {said}"):
        made(folder)


def test_a_table_that_is_not_utf8(tmp_path, write_audio):
    folder = copy(tmp_path / "data", write_audio)
    table = folder / "Labels" / "labels_consensus.csv"
    table.write_bytes(table.read_bytes().replace(b"Male", b"M\xe4le"))
    with pytest.raises(CorpusError, match=r"consensus.csv: .*expected a table in utf-8"):
        made(folder)


def test_no_table(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(CorpusError, match=r"labels_consensus.csv: not found"):
        made(tmp_path / "data")


def test_a_mixture_of_two_releases(tmp_path, write_audio):
    audio = [*ROWS[1:], "MSP-PODCAST_9999_0001.wav"]
    folder = copy(tmp_path / "data", write_audio, audio=audio)
    said = "1 rows have no audio, first MSP-PODCAST_0001_0008.wav, and 1 .*9999.* mixture of two"
    with pytest.raises(CorpusError, match=said):
        made(folder)
    with pytest.raises(CorpusError, match="mixture of two releases"):
        made(folder, allow_partial=True)


def test_partial_copies(tmp_path, write_audio):
    # a Mac's file and a test set whose labels are withheld are no sign of another release
    audio = [*ROWS[1:], "MSP-PODCAST_test3_0001.wav"]
    folder = copy(tmp_path / "data", write_audio, audio=audio)
    (folder / "Audios" / "._MSP-PODCAST_0002_0001.wav").write_bytes(b"Mac OS X")
    with pytest.raises(CorpusError, match=r"5 of 6 clips found.*--allow_partial"):
        made(folder)
    prepared = made(folder, allow_partial=True)
    assert [skip.id for skip in prepared.info.skipped] == ["MSP-PODCAST_0001_0008"]
    assert len(prepared.utterances) == 5
    assert any("1 audio files have no labels" in said for said in prepared.info.warnings)


def utterance(id_, speaker, emotion, part, affect=(4.0, 4.0, 4.0), seconds=2.0):
    valence, arousal, dominance = affect
    return Utterance(
        id=id_,
        path=f"{id_}.wav",
        start=None,
        stop=None,
        duration=seconds,
        speaker=speaker,
        emotion=emotion,
        valence=valence,
        arousal=arousal,
        dominance=dominance,
        extra={"split_set": part},
    )


def followed(name, utterances, seed=0, release=""):
    return follow(name, msp_podcast.protocols(release)[name], utterances, seed)


def of_release_1_4(train=610):
    """A clip of each of eight emotions by each speaker of the official splits."""
    numbers = {"Train": train, "Validation": 30, "Test1": 50, "Test2": 9}
    emotions = [name for name in msp_podcast.EMOTIONS.values() if name]
    return [
        utterance(f"{part}-{number}-{emotion}", f"{part}{number}", emotion, part)
        for part, count in numbers.items()
        for number in range(count)
        for emotion in emotions
    ]


def test_five_classes():
    name = "msp-podcast-official-5class"
    split = followed(name, of_release_1_4(), release="1.4")
    assert split.warnings == ()
    classes = {"anger", "happiness", "sadness", "neutral", "disgust"}
    assert {u.emotion for u in split.utterances} == classes
    assert Counter(row.split for row in split.assignments) == {
        "train": 5 * 610,
        "valid": 5 * 30,
        "test": 5 * 50,
    }
    fewer = of_release_1_4(train=600)
    assert followed(name, fewer, release="1.4").warnings == (
        f"{name}: 600 train/speakers found, 610 published",
    )
    # nobody published the numbers of other releases
    assert followed(name, fewer, release="1.11").warnings == ()
    assert followed(name, fewer).warnings == ()


def test_numbers_are_compared_in_their_release_only(tmp_path):
    for release, expected in (("1.4", ["msp-podcast-official-5class"]), ("1.8", [])):
        folder = tmp_path / f"MSP-PODCAST-Publish-{release}"
        opened = msp_podcast.with_release(msp_podcast.CORPUS, folder)
        compared = [name for name, way in opened.protocols.items() if way.published]
        assert compared == expected
        assert list(opened.protocols) == list(msp_podcast.CORPUS.protocols)


def test_eight_classes_and_attributes():
    affect = utterance("v", "s", "anger", "Train", affect=(4.0, None, 4.0))
    withheld = utterance("w", "s", "", "Test1", affect=(None, None, None))
    unknown = utterance("u", "", "anger", "Train")
    utterances = [*of_release_1_4(), affect, withheld, unknown]
    eight = followed("msp-podcast-official-8class", utterances)
    assert {u.emotion for u in eight.utterances} == set(EMOTIONS[:8])
    placed = {row.id for row in eight.assignments}
    assert "v" in placed and not placed & {"u", "w"}
    rated = followed("msp-podcast-official-attributes", utterances)
    assert {row.id for row in rated.assignments} == placed - {"v"}
    every = followed("msp-podcast-official", utterances)
    assert {u.emotion for u in every.utterances} == {*msp_podcast.EMOTIONS.values()}


def test_deeptalk_tests_on_test1():
    parts = ("Train", "Development", "Test1")
    emotions = ("anger", "sadness", "happiness", "neutral", "fear")
    long = [utterance(f"{part}-{name}", part, name, part) for part in parts for name in emotions]
    short = [utterance(f"short{i}", "s", "anger", "Train", seconds=0.99) for i in range(9)]
    split = followed("deeptalk-msp", long + short)
    assert {row.id: row.split for row in split.assignments} == {
        f"{part}-{name}": name_of
        for part, name_of in (("Train", "train"), ("Test1", "test"))
        for name in emotions[:4]
    }
    check_splits(split.utterances, split.assignments)


def development(clips):
    """Utterances of the official splits, so many of each emotion in Development."""
    found = [
        utterance(f"{emotion}{number}", str(number % 7), emotion, "Development")
        for emotion, count in clips.items()
        for number in range(count)
    ]
    others = [utterance("t", "t", "anger", "Train"), utterance("1", "x", "anger", "Test1")]
    return [*found, utterance("u", "", "anger", "Train"), *others]


def test_emosphere_inhouse_draws_300_of_each_category():
    utterances = development({"anger": 450, "neutral": 301, "contempt": 5, "other": 1})
    assignments = followed("emosphere-inhouse", utterances, 3).assignments
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
    assert assignments == followed("emosphere-inhouse", utterances, 3).assignments
    assert assignments != followed("emosphere-inhouse", utterances, 4).assignments
    # what is dropped beforehand does not move the rest
    kept = [u for u in utterances if u.emotion != "other"]
    without = followed("emosphere-inhouse", kept, 3).assignments
    assert without == [row for row in assignments if emotion_of[row.id] != "other"]


def test_emosphere_inhouse_draws_as_it_always_did():
    utterances = development({"contempt": 8})
    assignments = followed("emosphere-inhouse", utterances, 3).assignments
    tested = sorted(row.id for row in assignments if row.split == "test")
    assert tested == ["contempt0", "contempt2", "contempt3", "contempt7"]


def test_emosphere_inhouse_may_share_speakers_and_says_so():
    utterances = development({"anger": 450})
    assignments = followed("emosphere-inhouse", utterances).assignments
    sharing = [name for name, way in msp_podcast.protocols().items() if way.shares_speakers]
    assert sharing == ["emosphere-inhouse"]
    with pytest.raises(SplitError, match="7 speakers in more than one split"):
        check_splits(utterances, assignments)
    may_share = msp_podcast.protocols()["emosphere-inhouse"].shares_speakers
    warnings = check_splits(utterances, assignments, may_share).warnings
    assert len(warnings) == 3  # shared speakers, unknown speakers, Test1 in no split


def test_every_emotion_has_our_name():
    assert set(msp_podcast.EMOTIONS.values()) - {""} <= set(EMOTIONS)


@pytest.mark.parametrize("nobody", ["Unknown", "unknown", "NONE", "nan", ""])
def test_nobody_is_no_speaker(tmp_path, write_audio, nobody):
    rows = [*ROWS[:3], f"MSP-PODCAST_0009_0001.wav,A,5,2,6,{nobody},Unknown,Test2"]
    (clip,) = made(copy(tmp_path / "data", write_audio, rows)).utterances[3:]
    assert (clip.speaker, clip.extra["split_set"]) == ("", "Test2")


def test_emosphere_inhouse_shares_no_training_speakers():
    utterances = [*development({"anger": 450}), utterance("t", "0", "anger", "Train")]
    way = msp_podcast.protocols()["emosphere-inhouse"]
    assignments = followed("emosphere-inhouse", utterances).assignments
    speakers = {u.speaker for u in utterances if u.extra["split_set"] == "Development"}
    utterances[-1] = replace(utterances[-1], speaker=max(speakers))
    with pytest.raises(SplitError, match="1 speakers in more than one split"):
        check_splits(utterances, assignments, way.shares_speakers)
