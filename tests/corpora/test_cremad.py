"""CREMA-D on small fake copies in the published form, and its protocols on published numbers."""

from collections import Counter
from dataclasses import replace

import pytest

from emovec import corpora
from emovec.corpora import cremad
from emovec.corpora.splitting import follow
from emovec.errors import CorpusError
from emovec.labels import AFFECT_PROTOTYPES, EMOTIONS
from emovec.tables.manifest import Utterance
from emovec.tables.splits import check_splits

NAMES = (
    "1001_DFA_ANG_XX",
    "1001_IEO_FEA_LO",
    "1001_IEO_FEA_MD",
    "1002_IEO_HAP_HI",
    "1040_ITH_SAD_X",
    "1076_MTI_SAD_XX",
)
ACTORS = (
    "ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,Caucasian,Not Hispanic\n"
    "1002,21,Female,Caucasian,Not Hispanic\n"
)
CROWD = (
    '"","FileName","VoiceVote","VoiceLevel","FaceVote","FaceLevel","MultiModalVote",'
    '"MultiModalLevel"\n'
    '"1","1001_DFA_ANG_XX","A","73.6","D","58.1","A","61.5"\n'
    '"2","1001_IEO_FEA_LO","F:N:S","33:50:10","N","61.8","F","45"\n'
    '"3","1001_ITH_NEU_XX","N","70","N","70","N","70"\n'  # no audio
)


def made(folder, utterances=6, speakers=4, **options):
    corpus = replace(corpora.get("cremad"), utterances=utterances, speakers=speakers)
    return corpora.prepare(corpus, folder, folder.parent / "out", progress=False, **options)


def copy(folder, write_audio, actors=None, crowd=None):
    for name in NAMES:
        write_audio(folder / "AudioWAV" / f"{name}.wav")
    (folder / "AudioWAV" / "1076_MTI_SAD_XX.wav").write_bytes(b"")
    (folder / "AudioWAV" / "._1001_DFA_ANG_XX.wav").write_bytes(b"Mac OS X")
    (folder / "processedResults").mkdir(exist_ok=True)
    if actors is not None:
        (folder / "VideoDemographics.csv").write_bytes(actors.encode("latin-1"))
    if crowd is not None:
        (folder / "processedResults" / "summaryTable.csv").write_text(crowd)
    return folder


def test_cremad(tmp_path, write_audio):
    prepared = made(copy(tmp_path / "data", write_audio, ACTORS))
    by_id = {u.id: u for u in prepared.utterances}
    assert [skip.id for skip in prepared.info.skipped] == ["1076_MTI_SAD_XX"]
    assert prepared.info.warnings == ()
    assert len(by_id) == 5
    assert [by_id[id_].intensity for id_ in NAMES[:5]] == [None, 1 / 3, 2 / 3, 1.0, None]
    assert [by_id[id_].gender for id_ in NAMES[1:5]] == ["male", "male", "female", ""]
    assert [by_id[id_].extra["age"] for id_ in NAMES[1:5]] == ["51", "51", "21", ""]
    assert by_id["1001_DFA_ANG_XX"].affect == AFFECT_PROTOTYPES["anger"]
    assert by_id["1001_IEO_FEA_LO"].affect == pytest.approx((-0.64 / 3, 0.2, -0.43 / 3))
    assert by_id["1001_DFA_ANG_XX"].text == "DFA"


def test_votes_of_the_crowd(tmp_path, write_audio):
    prepared = made(copy(tmp_path / "data", write_audio, crowd=CROWD))
    by_id = {u.id: (u.extra["voice_vote"], u.extra["voice_level"]) for u in prepared.utterances}
    assert by_id == {
        "1001_DFA_ANG_XX": ("anger", "73.6"),
        "1001_IEO_FEA_LO": ("fear:neutral:sadness", "33:50:10"),
        "1001_IEO_FEA_MD": ("", ""),
        "1002_IEO_HAP_HI": ("", ""),
        "1040_ITH_SAD_X": ("", ""),
    }
    # what is heard is no label: the actor's intention is
    assert {u.emotion for u in prepared.utterances if u.id == "1001_IEO_FEA_LO"} == {"fear"}


@pytest.mark.parametrize(("actors", "crowd"), [(None, None), (ACTORS, None), (ACTORS, CROWD)])
def test_columns_are_the_same_whichever_table_is_there(tmp_path, write_audio, actors, crowd):
    prepared = made(copy(tmp_path / "data", write_audio, actors, crowd))
    assert {tuple(u.extra) for u in prepared.utterances} == {
        ("age", "voice_vote", "voice_level", "audio_hash")
    }


def test_a_change_in_a_table_is_noticed(tmp_path, write_audio):
    folder = copy(tmp_path / "data", write_audio)
    assert {u.gender for u in made(folder).utterances} == {""}
    copy(folder, write_audio, ACTORS, CROWD)
    prepared = made(folder)
    assert {u.gender for u in prepared.utterances} == {"male", "female", ""}
    assert prepared.utterances[0].extra["voice_vote"] == "anger"


@pytest.mark.parametrize(
    ("actors", "crowd", "said"),
    [
        (ACTORS.replace("Female", "F"), None, "VideoDemographics.csv: Sex is 'F'.*'Male', 'Femal"),
        (ACTORS.replace("Sex", "Gender"), None, r"VideoDemographics.csv: columns \['Sex'\] are"),
        (ACTORS.replace("Cau", "Caú"), None, "VideoDemographics.csv: .*expected a table in utf-8"),
        (ACTORS, CROWD.replace('"A"', '"Z"'), "VoiceVote is 'Z'; expected one of 'A', 'D', 'F'"),
        (ACTORS, CROWD.replace("VoiceVote", "Vote"), r"summaryTable.csv: columns \['VoiceVote'\]"),
        (ACTORS, CROWD + '"4","1001_', "summaryTable.csv:5: cells do not match"),
    ],
)
def test_broken_tables(tmp_path, write_audio, actors, crowd, said):
    with pytest.raises(CorpusError, match=said):
        made(copy(tmp_path / "data", write_audio, actors, crowd))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("1001_DFA_JOY_XX", "emotion is 'JOY'; expected one of 'ANG'"),
        ("1001_DFA_ANG_YY", "intensity is 'YY'"),
        ("1001_DFA_ANG", "the name has 3 parts at '_'; expected 4"),
    ],
)
def test_wrong_codes(tmp_path, write_audio, name, said):
    write_audio(tmp_path / "data" / "AudioWAV" / f"{name}.wav")
    with pytest.raises(CorpusError, match=said):
        made(tmp_path / "data", 1, 1)


def test_a_copy_without_git_lfs(tmp_path, write_pointer):
    for name in NAMES:
        write_pointer(tmp_path / "data" / "AudioWAV" / f"{name}.wav")
    with pytest.raises(CorpusError, match=r"5 of 5 clips cannot be used(.|\n)*git lfs pull"):
        made(tmp_path / "data")


def test_partial_copies(tmp_path, write_audio, write_pointer):
    folder = copy(tmp_path / "data", write_audio, ACTORS, CROWD)
    write_pointer(folder / "AudioWAV" / "1002_IEO_HAP_HI.wav")
    with pytest.raises(CorpusError, match=r"6 of 7442 clips found.*--allow_partial"):
        made(folder, 7442, 91)
    prepared = made(folder, 7442, 91, allow_partial=True)
    assert len(prepared.utterances) == 4
    skipped = {skip.id: skip.reason for skip in prepared.info.skipped}
    assert sorted(skipped) == ["1002_IEO_HAP_HI", "1076_MTI_SAD_XX"]
    assert "Git LFS pointer" in skipped["1002_IEO_HAP_HI"]


def whole_corpus():
    """As many clips as are published; of every ninth speaker, half last less than a second."""
    counts = dict.fromkeys(("anger", "disgust", "fear", "happiness", "sadness"), 1271)
    return [
        Utterance(
            id=f"{emotion}-{number}",
            path=f"{emotion}-{number}.wav",
            start=None,
            stop=None,
            duration=0.9 if number % 9 == 0 and number % 2 else 2.5,
            speaker=str(1001 + number % 91),
            gender="male" if number % 91 < 48 else "female",
            emotion=emotion,
        )
        for emotion, count in (counts | {"neutral": 1087}).items()
        for number in range(count)
    ]


def followed(name, utterances, seed=0):
    return follow(name, corpora.protocol(cremad.CORPUS, name), utterances, seed)


def test_51_8_and_32_speakers():
    utterances = whole_corpus()
    assert len(utterances) == 7442
    split = followed("cremad-51-8-32", utterances)
    assert split.warnings == ()
    assert len(split.assignments) == len(split.utterances) == 4900
    split_of = {row.id: row.split for row in split.assignments}
    speakers = {(u.speaker, u.gender, split_of[u.id]) for u in split.utterances}
    assert len(speakers) == 91  # each in one split
    # 48 of 91 speakers are male: 26.9, 4.2 and 16.9 of 51, 8 and 32
    assert Counter(part for _, gender, part in speakers if gender == "male") == {
        "train": 27,
        "valid": 4,
        "test": 17,
    }
    check_splits(split.utterances, split.assignments)
    assert split.assignments != followed("cremad-51-8-32", utterances, seed=1).assignments


def test_the_silent_clip_is_missed():
    without = [u for u in whole_corpus() if u.id != "sadness-0"]
    assert followed("cremad-51-8-32", without).warnings == (
        "cremad-51-8-32: 4899 clips found, 4900 published",
        "cremad-51-8-32: 1270 sadness found, 1271 published",
    )


def test_deeptalk_takes_all_clips_and_shares_no_speaker():
    split = followed("deeptalk-cremad", whole_corpus())
    by_id = {u.id: u for u in split.utterances}
    speakers = {part: set() for part in ("train", "test")}
    for row in split.assignments:
        speakers[row.split].add(by_id[row.id].speaker)
    assert (len(speakers["train"]), len(speakers["test"])) == (64, 27)
    assert not speakers["train"] & speakers["test"]
    assert len(split.assignments) == len(by_id)
    assert all(u.duration >= 1 for u in by_id.values())


def test_the_published_protocol_comes_first_and_takes_four_classes():
    assert next(iter(corpora.protocols(cremad.CORPUS))) == "cremad-51-8-32"
    assert set(cremad.CORPUS.protocols["cremad-51-8-32"].emotions) == {
        "anger",
        "happiness",
        "sadness",
        "neutral",
    }


def test_every_emotion_has_our_name():
    assert set(cremad.EMOTIONS.values()) == set(cremad.VOTES.values()) <= set(EMOTIONS)


def test_an_actor_or_a_clip_with_two_rows(tmp_path, write_audio):
    folder = copy(tmp_path / "data", write_audio, ACTORS + "1001,51,Female,Caucasian,x\n")
    with pytest.raises(CorpusError, match=r"VideoDemographics.csv: '1001' is .*Male.*Female"):
        made(folder)
    copy(folder, write_audio, ACTORS + "1001,51,Male,Caucasian,x\n")  # the same facts
    assert len(made(folder).utterances) == 5
    copy(folder, write_audio, crowd=CROWD + '"4","1001_DFA_ANG_XX","N","9","D","8","A","7"\n')
    with pytest.raises(CorpusError, match=r"summaryTable.csv: '1001_DFA_ANG_XX' is"):
        made(folder)
