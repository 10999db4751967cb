"""Folders as EmoBox publishes them, made anew for each test."""

import json
from pathlib import Path

import pytest

from emovec import corpora
from emovec.corpora import emobox
from emovec.errors import CorpusError, SplitError
from emovec.tables.splits import check_splits

LABELS = {
    "cremad": {"ANG": "Angry", "DIS": "Disgust", "HAP": "Happy", "NEU": "Neutral"},
    "tess": {"angry": "Angry", "ps": "Surprise", "neutral": "Neutral"},
    "iemocap": {"neu": "Neutral", "hap": "Happy", "ang": "Angry", "exc": "Happy"},
}


def line(key, dataset, wav, emo, **more):
    return {"key": key, "dataset": dataset, "wav": wav, "type": "raw", "emo": emo, **more}


def write_folder(folder: Path, dataset: str, folds: dict, speakers: dict | None) -> None:
    """Metadata of EmoBox; ``folds`` is fold to split to lines, ``speakers`` what the .stm says."""
    for fold, splits in folds.items():
        for split, lines in splits.items():
            path = folder / f"fold_{fold}" / f"{dataset}_{split}_fold_{fold}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(json.dumps(row) + "\n" for row in lines))
            path.with_suffix(".json").write_text("{}")  # the same once more, not read
    (folder / "label_map.json").write_text(json.dumps(LABELS.get(dataset, {})))
    if speakers is not None:
        (folder / "data.seg.wrd.stm").write_text(
            "".join(
                f"{key} 1 {who} 0 2.5 <id={key},lang=en,spk={who},emotion=neu> neu\n"
                for key, who in speakers.items()
            )
        )


@pytest.fixture
def emobox_of(tmp_path, write_audio):
    """A prepared corpus from lines of folds, with audio for each."""

    def make(dataset, folds, speakers=None, audio=True, **options):
        metadata = tmp_path / "EmoBox" / "data" / dataset
        write_folder(metadata, dataset, folds, speakers)
        rows = [row for splits in folds.values() for lines in splits.values() for row in lines]
        for row in rows:
            flat = row if "key" in row else next(iter(row.values()))
            path = flat.get("wav", flat.get("audio"))
            if audio and isinstance(path, str) and not Path(path).is_absolute():
                write_audio(tmp_path / path, seconds=0.5)
        corpus = emobox.corpus(metadata=metadata)
        prepared = corpora.prepare(corpus, tmp_path, tmp_path / "out", progress=False, **options)
        return corpus, prepared

    return make


def split(corpus, prepared):
    return corpus.protocols["emobox"].assign(prepared.utterances, 0)


def check(corpus, prepared):
    allowed = corpus.protocols["emobox"].shares_speakers
    return check_splits(prepared.utterances, split(corpus, prepared), allowed)


def cremad(*names):
    return [
        line(
            f"cremad-{name.replace('_', '-')}",
            "cremad",
            f"downloads/cremad/AudioWAV/{name}.wav",
            name.split("_")[2],
        )
        for name in names
    ]


def tess(*names):
    return [
        line(
            f"tess-{name.replace('_', '-')}",
            "tess",
            f"downloads/tess/{name}.wav",
            name.split("_")[2],
        )
        for name in names
    ]


def iemocap(*names, emo="neu"):
    return [
        line(f"iemocap-{n}", "iemocap", f"downloads/iemocap/{n[:5]}/{n}.wav", emo) for n in names
    ]


def test_folds_as_published(emobox_of):
    one, two, three = (
        iemocap(f"Ses0{n}F_impro01_M000", emo=e)[0]
        for n, e in enumerate(("exc", "ang", "neu"), start=1)
    )
    folds = {
        1: {"train": [two], "valid": [three], "test": [one]},
        10: {"train": [one, three], "test": [two]},
    }  # fmt: skip
    corpus, prepared = emobox_of("iemocap", folds, {})
    assert prepared.info.name == "emobox_iemocap"
    assert [(u.id, u.emotion, u.extra["emobox_label"]) for u in prepared.utterances] == [
        ("iemocap-Ses01F_impro01_M000", "happiness", "exc"),
        ("iemocap-Ses02F_impro01_M000", "anger", "ang"),
        ("iemocap-Ses03F_impro01_M000", "neutral", "neu"),
    ]
    assert [(u.extra["emobox_fold_1"], u.extra["emobox_fold_10"]) for u in prepared.utterances] == [
        ("test", "train"),
        ("train", "test"),
        ("valid", "train"),
    ]
    told = {(row.id[8:13], row.fold, row.split) for row in split(corpus, prepared)}
    assert told == {
        ("Ses01", 0, "test"), ("Ses02", 0, "train"), ("Ses03", 0, "valid"),
        ("Ses01", 1, "train"), ("Ses02", 1, "test"), ("Ses03", 1, "train"),
    }  # fmt: skip
    assert prepared.info.affect_source == "prototype"


def test_audio_of_other_corpora_is_not_walked(emobox_of, tmp_path, write_audio):
    write_audio(tmp_path / "downloads" / "tess" / "other.wav")
    folds = {1: {"train": cremad("1001_DFA_ANG_XX"), "test": cremad("1002_DFA_ANG_XX")}}
    _, prepared = emobox_of("cremad", folds)
    assert prepared.info.warnings == ()


@pytest.mark.parametrize("with_stm", [True, False])
def test_leak_of_cremad_is_caught(emobox_of, with_stm):
    names = ("1001_DFA_ANG_XX", "1002_IEO_DIS_HI", "1003_IEO_HAP_LO")
    folds = {1: {"train": cremad(*names), "test": cremad("1001_TIE_NEU_XX", "1004_TIE_NEU_XX")}}
    keys = [row["key"] for lines in folds[1].values() for row in lines]
    speakers = {key: key.split("-")[1] for key in keys} if with_stm else None
    corpus, prepared = emobox_of("cremad", folds, speakers)
    assert prepared.info.speakers == 4
    with pytest.raises(SplitError, match=r"1 speakers in more than one split \(1001\)"):
        check(corpus, prepared)


@pytest.mark.parametrize("with_stm", [True, False])
def test_leak_of_tess_is_caught(emobox_of, with_stm):
    folds = {
        1: {
            "train": tess("OAF_back_angry", "YAF_back_angry"),
            "test": tess("OA_bite_neutral", "YAF_bar_ps"),
        }
    }
    keys = [row["key"] for lines in folds[1].values() for row in lines]
    speakers = {key: key.split("-")[1] for key in keys} if with_stm else None  # "OA" as published
    corpus, prepared = emobox_of("tess", folds, speakers)
    assert {u.emotion for u in prepared.utterances} == {"anger", "neutral", "surprise"}
    with pytest.raises(SplitError, match=r"2 speakers in more than one split \(OAF, YAF\)"):
        check(corpus, prepared)


def test_speakers_of_iemocap_are_those_who_speak(emobox_of):
    folds = {
        1: {
            "train": iemocap("Ses01F_impro04_M000", "Ses01M_script01_1_MXX0"),
            "test": iemocap("Ses02M_script01_1_F004b"),
        }
    }
    stm = {row["key"]: row["key"][8:14] for lines in folds[1].values() for row in lines}
    assert set(stm.values()) == {"Ses01F", "Ses01M", "Ses02M"}
    _, prepared = emobox_of("iemocap", folds, stm)
    assert [u.speaker for u in prepared.utterances] == ["Ses01M", "Ses01M", "Ses02F"]


def test_speakers_of_the_stm_where_keys_do_not_tell(emobox_of):
    rows = [line(f"x-{n}", "x", f"downloads/x/{n}.wav", "Worried") for n in "abcd"]
    stm = {"x-a": "STEFAN-RÖTTIG", "x-b": "two words", "x-c": "Unknown", "x-d": "d"}
    corpus, prepared = emobox_of("x", {1: {"train": rows[:2], "test": rows[2:]}}, stm)
    speakers = [u.speaker for u in prepared.utterances]
    assert speakers == ["STEFAN-RÖTTIG", "two words", "", ""]  # d: a speaker for the clip alone
    assert {u.emotion for u in prepared.utterances} == {"worried"}
    with pytest.raises(SplitError, match=r"2 utterances of unknown speakers \(x-c, x-d\)"):
        check(corpus, prepared)


def test_no_speakers_at_all(emobox_of):
    rows = [line(f"x-{n}", "x", f"{n}.wav", "sad") for n in "ab"]
    corpus, prepared = emobox_of("x", {1: {"train": rows[:1], "test": rows[1:]}})
    assert prepared.info.speakers == 0
    with pytest.raises(SplitError, match="2 utterances of unknown speakers"):
        check(corpus, prepared)


def test_the_other_schema(emobox_of):
    flat = {"key": "x-a", "audio": "downloads/x/a.wav", "label": "Calm"}
    by_key = {"x-b": {"audio": "downloads/x/b.wav", "label": "Bored"}}
    _, prepared = emobox_of("x", {1: {"train": [flat], "test": [by_key]}})
    assert [(u.id, u.emotion) for u in prepared.utterances] == [("x-a", "calm"), ("x-b", "boredom")]


def test_stretches_of_a_file(emobox_of):
    rows = [
        line(
            f"x-{n}", "x", "downloads/x/long.flac", "sad", start_time=n / 10, end_time=(n + 2) / 10
        )
        for n in range(2)
    ]
    _, prepared = emobox_of("x", {1: {"train": rows[:1], "test": rows[1:]}})
    found = sorted((u.id, u.start, u.stop, round(u.duration, 6)) for u in prepared.utterances)
    assert found == [("x-0", 0.0, 0.2, 0.2), ("x-1", 0.1, 0.3, 0.2)]


def test_metadata_in_the_data_folder(tmp_path, write_audio):
    write_folder(tmp_path, "cremad", {1: {"train": cremad("1001_DFA_ANG_XX")}}, None)
    write_audio(tmp_path / "downloads/cremad/AudioWAV/1001_DFA_ANG_XX.wav")
    prepared = corpora.prepare(emobox.corpus(), tmp_path, tmp_path / "out", progress=False)
    assert [u.speaker for u in prepared.utterances] == ["1001"]


def test_changed_metadata_is_read_again(emobox_of):
    rows = [line(f"x-{n}", "x", f"{n}.wav", "sad") for n in "ab"]
    emobox_of("x", {1: {"train": rows[:1], "test": rows[1:]}})
    rows[0]["emo"] = "angry"
    _, prepared = emobox_of("x", {1: {"train": rows[:1], "test": rows[1:]}})
    assert [u.emotion for u in prepared.utterances] == ["anger", "sadness"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"emo": "DIS"}, r"cremad-1001-DFA-ANG-XX is .*'DIS'.* but .*'ANG'"),
        ({"wav": "downloads/cremad/other.wav"}, "expected the same in all folds"),
        ({"start_time": 0.1, "end_time": 0.2}, "expected the same in all folds"),
    ],
)
def test_contradictions_between_folds(emobox_of, change, said):
    a, b = cremad("1001_DFA_ANG_XX", "1002_DFA_ANG_XX")
    with pytest.raises(CorpusError, match=said):
        emobox_of(
            "cremad", {1: {"train": [a], "test": [b]}, 2: {"train": [b], "test": [a | change]}}
        )


def test_a_clip_in_two_splits_of_a_fold(emobox_of):
    rows = cremad("1001_DFA_ANG_XX")
    with pytest.raises(CorpusError, match=r"'train'\), but .*'test'\) before; .*one line in each"):
        emobox_of("cremad", {1: {"train": rows, "test": rows}})


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"key": "x-a", "emo": "sad"}, "path is None and emotion 'sad'"),
        ({"key": "x-a", "wav": "/a.wav", "emo": "sad"}, "expected a path below the data folder"),
        ({"key": "x-a", "wav": "a.wav", "emo": 3}, "emotion 3"),
        (["x-a"], r"x_train_fold_1.jsonl:1: .*expected a JSON object"),
        ({"x-a": 3}, "expected a JSON object"),
    ],
)
def test_broken_lines(tmp_path, row, said):
    write_folder(tmp_path, "x", {1: {"train": [row]}}, None)
    with pytest.raises(CorpusError, match=said):
        corpora.prepare(emobox.corpus(), tmp_path, tmp_path / "out", progress=False)


def test_files_that_are_no_metadata(tmp_path):
    def prepare():
        corpora.prepare(emobox.corpus(), tmp_path, tmp_path / "out", progress=False)

    with pytest.raises(CorpusError, match=r"no corpus found; .*Pass metadata"):
        prepare()
    write_folder(tmp_path, "x", {1: {"train": []}}, None)
    with pytest.raises(CorpusError, match="no clips found"):
        prepare()
    file = tmp_path / "fold_1" / "x_train_fold_1.jsonl"
    file.write_text("{broken\n")
    with pytest.raises(CorpusError, match=r"x_train_fold_1.jsonl:1: .*expected a JSON object"):
        prepare()
    file.write_text(json.dumps(line("x-a", "x", "a.wav", "sad")) + "\n\n")
    (tmp_path / "data.seg.wrd.stm").write_text("x-a 1 someone 0 1 sad\n")
    with pytest.raises(CorpusError, match=r"data.seg.wrd.stm:1: .*has no tags"):
        prepare()
    (tmp_path / "data.seg.wrd.stm").unlink()
    (tmp_path / "label_map.json").write_text("[1")
    with pytest.raises(CorpusError, match=r"label_map.json: .*expected a JSON object"):
        prepare()
    write_folder(tmp_path, "y", {1: {"train": []}}, None)
    with pytest.raises(CorpusError, match=r"folds of \['x', 'y'\] found"):
        prepare()


def test_missing_audio(emobox_of):
    folds = {1: {"train": cremad("1001_DFA_ANG_XX"), "test": cremad("1002_DFA_ANG_XX")}}
    with pytest.raises(CorpusError, match=r"0 of 2 clips found under .*downloads/cremad/AudioWAV"):
        emobox_of("cremad", folds, audio=False)


def test_a_line_twice_in_a_fold(emobox_of):
    rows = cremad("1001_DFA_ANG_XX")
    with pytest.raises(CorpusError, match=r"train_fold_1.jsonl:2: .*one line in each"):
        emobox_of("cremad", {1: {"train": rows * 2, "test": cremad("1002_DFA_ANG_XX")}})


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("fold_1/x_train_fold_1.jsonl", b"\n\xff\n", ":2: byte 0xff is not UTF-8"),
        ("data.seg.wrd.stm", b"\xff\n", ":1: byte 0xff is not UTF-8"),
        (
            "data.seg.wrd.stm",
            b"<id=x-a,lang=en,spk=1,emotion=sad>\n<id=x-a,lang=en,spk=2,emotion=sad>\n",
            ": 'x-a' is '1' and '2'; expected it once",
        ),
        ("label_map.json", b"\xff", ":1: byte 0xff is not UTF-8"),
        ("label_map.json", b'{"sad": 5}', ": found {'sad': 5}; expected classes by label"),
        ("label_map.json", b'["sad"]', r": found \['sad'\]; expected classes by label"),
        ("label_map.json", b"null", ": found None; expected classes by label"),
    ],
)
def test_files_of_another_form(emobox_of, tmp_path, name, content, said):
    rows = [line(f"x-{name}", "x", f"{name}.wav", "sad") for name in "ab"]
    folds = {1: {"train": rows[:1], "test": rows[1:]}}
    emobox_of("x", folds)
    metadata = tmp_path / "EmoBox" / "data" / "x"
    (metadata / name).write_bytes(content)
    with pytest.raises(CorpusError, match=f"{name}{said}"):
        corpora.prepare(
            emobox.corpus(metadata=metadata), tmp_path, tmp_path / "out", progress=False
        )


@pytest.mark.parametrize("end", ["x", [1], True])
def test_ends_that_are_no_numbers(emobox_of, end):
    rows = [line("x-a", "x", "a.wav", "sad", start_time=end)]
    with pytest.raises(CorpusError, match=r"x_train_fold_1.jsonl:1: start_time and end_time are"):
        emobox_of("x", {1: {"train": rows}})


def test_files_of_a_mac_are_not_read(emobox_of, tmp_path):
    hidden = tmp_path / "EmoBox" / "data" / "x" / "fold_1" / "._x_train_fold_1.jsonl"
    hidden.parent.mkdir(parents=True)
    hidden.write_bytes(b"\0\5\xff")
    rows = [line(f"x-{name}", "x", f"{name}.wav", "sad") for name in "ab"]
    assert emobox_of("x", {1: {"train": rows[:1], "test": rows[1:]}})[0].name == "emobox"
