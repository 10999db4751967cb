"""Databases that audformat writes and audb publishes, on this machine."""

import sys

import pytest

from emovec import corpora
from emovec.corpora import audformat as reader
from emovec.errors import CorpusError, SplitError
from emovec.tables.splits import check_splits

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

FILES = ["wav/a.wav", "wav/b.wav", "wav/c.wav", "wav/d.wav"]
SPEAKERS = {
    3: {"gender": "female", "age": 31},
    8: {"gender": "male"},
    10: {"gender": "other", "age": 50},
}


@pytest.fixture
def audformat():
    return pytest.importorskip("audformat", reason="audformat is in the extra 'audb'")


@pytest.fixture
def audb(tmp_path, monkeypatch):
    """The library audb, with a repository and caches of this test only."""
    audb = pytest.importorskip("audb", reason="audb is in the extra 'audb'")
    repository = audb.Repository("local", str(tmp_path / "host"), "file-system")
    monkeypatch.setattr(audb.config, "REPOSITORIES", [repository])
    monkeypatch.setattr(audb.config, "CACHE_ROOT", str(tmp_path / "cache"))
    monkeypatch.setattr(audb.config, "SHARED_CACHE_ROOT", str(tmp_path / "shared"))
    return audb


@pytest.fixture
def database(audformat):
    """A header with schemes, to which tests add tables."""
    db = audformat.Database(
        "mini", "https://example.org", "other", languages="de", license="CC0-1.0", author="A. Uthor"
    )
    db.schemes["emotion"] = audformat.Scheme("str", labels=["anger", "joy", "Fearful", "awe"])
    db.schemes["speaker"] = audformat.Scheme("int", labels=SPEAKERS)
    db.schemes["arousal"] = audformat.Scheme("float", minimum=0, maximum=6)
    db.schemes["transcription"] = audformat.Scheme("str", labels={"a01": "Der Lappen", "b": "Sie"})
    for split in ("train", "dev", "test"):
        db.splits[split] = audformat.Split(split)
    return db


@pytest.fixture
def add(audformat, database):
    """Adds a table; columns have schemes of their names, or of a name given as "column__scheme"."""

    def add_table(name, index=None, split_id=None, **columns):
        index = audformat.filewise_index(FILES) if index is None else index
        table = database[name] = audformat.Table(index, split_id=split_id)
        for column, values in columns.items():
            column, _, scheme = column.partition("__")
            scheme = scheme or (column if column in database.schemes else None)
            table[column] = audformat.Column(scheme_id=scheme)
            table[column].set(values)

    return add_table


@pytest.fixture
def read(tmp_path, database, write_audio):
    """The utterances and facts of the database, by way of files."""

    def save_and_read(form="csv", audio=FILES, allow_partial=False, **options):
        database.save(str(tmp_path / "db"), storage_format=form)
        for name in audio:
            write_audio(tmp_path / "db" / name, seconds=2.0)
        return corpora.prepare(
            reader.corpus(**options),
            tmp_path / "db",
            tmp_path / "out",
            progress=False,
            allow_partial=allow_partial,
        )

    return save_and_read


def by_id(prepared, *fields):
    return {u.id: tuple(getattr(u, field) for field in fields) for u in prepared.utterances}


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_files(add, read, form):
    add("emotion", emotion=["anger", "joy", None, "awe"])
    add("files", speaker=[3, 8, 10, None], transcription=["a01", "b", "a01", None])
    prepared = read(form)
    assert by_id(prepared, "emotion", "speaker", "gender", "text", "start", "duration") == {
        "wav/a": ("anger", "3", "female", "Der Lappen", None, 2.0),
        "wav/b": ("happiness", "8", "male", "Sie", None, 2.0),
        "wav/c": ("", "10", "", "Der Lappen", None, 2.0),
        "wav/d": ("awe", "", "", "", None, 2.0),
    }
    assert [u.extra.get("age") for u in prepared.utterances] == ["31", "", "50", ""]
    info = prepared.info
    assert (info.name, info.utterances, info.speakers) == ("audformat_mini", 4, 3)
    assert (info.language, info.licence, info.citation) == ("deu", "CC0-1.0", "A. Uthor")
    assert (info.affect_source, info.release) == ("prototype", "")


def test_segments(add, read, audformat):
    index = audformat.segmented_index(
        ["wav/a.wav", "wav/a.wav", "wav/b.wav", "wav/c.wav"],
        ["0s", "0.5s", "1.25s", "0s"],
        ["0.5s", "2s", None, None],
    )
    add("emotion", index, emotion=["anger", "joy", "Fearful", "awe"])
    add("files", speaker=[3, 8, 10, 10])
    prepared = read()
    assert by_id(prepared, "emotion", "speaker", "start", "stop", "duration") == {
        "wav/a_0.0_0.5": ("anger", "3", 0.0, 0.5, 0.5),
        "wav/a_0.5_2.0": ("happiness", "3", 0.5, 2.0, 1.5),
        "wav/b_1.25_end": ("fear", "8", 1.25, None, 0.75),
        "wav/c": ("awe", "10", None, None, 2.0),
    }
    assert prepared.info.warnings == ("1 audio files have no labels, first wav/d.wav",)


def test_speakers_of_a_misc_table(add, read, audformat, database):
    import pandas

    facts = audformat.MiscTable(pandas.Index(["x", "y"], name="speaker", dtype="string"))
    database["people"] = facts
    for column, values in {"gender": ["male", "female"], "age": [20, None]}.items():
        facts[column] = audformat.Column()
        facts[column].set(values)
    database.schemes["who"] = audformat.Scheme("str", labels="people")
    add("emotion", emotion=["anger"] * 4, who__who=["x", "y", "y", None])
    prepared = read(speaker_column="who")
    assert [(u.speaker, u.gender) for u in prepared.utterances] == [
        ("x", "male"),
        ("y", "female"),
        ("y", "female"),
        ("", ""),
    ]


def test_speakers_absent(add, read):
    add("emotion.train", emotion=["anger"] * 4)
    prepared = read()
    assert prepared.info.speakers == 0
    rows = reader._published_splits(prepared.utterances, 0)
    with pytest.raises(SplitError, match="4 utterances of unknown speakers"):
        check_splits(prepared.utterances, rows)


def test_affect(add, read, database, audformat):
    database.schemes["valence"] = audformat.Scheme("float", minimum=0, maximum=6)
    add("ratings", valence=[0.0, 2.5, None, 6.0], arousal=[1.0, 0.0, 3.0, None])
    prepared = read()
    assert by_id(prepared, "valence", "arousal", "dominance") == {
        "wav/a": (0.0, 1.0, None),
        "wav/b": (2.5, 0.0, None),
        "wav/c": (None, 3.0, None),
        "wav/d": (6.0, None, None),
    }
    assert (prepared.info.affect_scale, prepared.info.affect_source) == ((0.0, 6.0), "rated")


def test_affect_beside_emotions(add, read):
    add("emotion", emotion=["anger", "joy", None, None])
    add("ratings", arousal=[1.0, 2.0, 3.0, 4.0])
    add("gold", emotion=[None, None, "awe", "awe"])
    assert by_id(read(), "emotion", "arousal") == {
        "wav/a": ("anger", 1.0),
        "wav/b": ("happiness", 2.0),
        "wav/c": ("awe", 3.0),
        "wav/d": ("awe", 4.0),
    }


@pytest.mark.parametrize("how", ["split_id", "name", "column"])
def test_splits(add, read, audformat, tmp_path, how):
    parts = {"train": FILES[:2], "dev": FILES[2:3], "test": FILES[3:]}
    add("files", speaker=[3, 3, 8, 10])
    if how == "column":
        add("emotion", emotion=["joy"] * 4, split=["train", "train", "dev", "test"])
    for part, files in parts.items() if how != "column" else ():
        name = f"emotion.categories.{part}.gold_standard" if how == "name" else f"x{part}"
        index = audformat.filewise_index(files)
        add(name, index, split_id=part if how == "split_id" else None, emotion=["joy"] * len(files))
    if how == "name":
        add("emotion", emotion=["joy"] * 4)  # the whole once more, as in emodb
    prepared = read()
    corpus = reader.corpus()
    corpus = corpus.open(corpus, tmp_path / "db")
    rows = corpora.protocol(corpus, "audformat").assign(prepared.utterances, 0)
    assert {row.id: row.split for row in rows} == {
        "wav/a": "train",
        "wav/b": "train",
        "wav/c": "valid",
        "wav/d": "test",
    }
    assert check_splits(prepared.utterances, rows).warnings == ()


def test_no_splits(add, read, tmp_path):
    add("emotion", emotion=["joy"] * 4)
    read()
    corpus = reader.corpus()
    assert corpus.open(corpus, tmp_path / "db").protocols == {}


def test_tables_that_contradict(add, read):
    add("emotion.desired", emotion=["anger", "joy", "awe", None])
    add("emotion.gold", emotion=["anger", "joy", "joy", "joy"])
    with pytest.raises(
        CorpusError, match=r"'emotion.gold' says emotion of \('wav/c.wav'.*Pass table"
    ):
        read()
    assert by_id(read(table="*.gold"), "emotion")["wav/c"] == ("happiness",)
    assert by_id(read(table="*desired"), "emotion")["wav/c"] == ("awe",)


def test_columns_of_raters(add, read):
    add("raters", one__emotion=["anger"] * 4, two__emotion=["joy"] * 4)
    with pytest.raises(CorpusError, match=r"\['one', 'two'\] are all of the scheme 'emotion'"):
        read()
    assert {u.emotion for u in read(emotion_column="two").utterances} == {"happiness"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"table": "nonsense"}, "no table 'nonsense' with a column 'emotion' or of affect"),
        ({"emotion_column": "mood"}, "no table '\\*' with a column 'mood'; "),
        ({"emotion_column": "mood", "table": "e*"}, "'mood' or of affect"),
        ({"speaker_column": "who"}, "no table '\\*' with a column 'who'; "),
    ],
)
def test_unknown_tables_and_columns(add, read, options, said):
    add("emotion", emotion=["anger"] * 4)
    add("ratings", arousal=[1.0] * 4)
    with pytest.raises(CorpusError, match=rf"{said}.*found {{'emotion': \['emotion'\]"):
        read(**options)


def test_affect_without_one_scale(add, read, database, audformat):
    database.schemes["valence"] = audformat.Scheme("float", minimum=1, maximum=6)
    add("ratings", valence=[1.0] * 4, arousal=[1.0] * 4)
    with pytest.raises(CorpusError, match=r"affect is on the scales .*expected one minimum"):
        read()
    database.schemes["valence"].minimum = None
    with pytest.raises(CorpusError, match="affect is on the scales"):
        read()


def test_missing_files(add, read, tmp_path, audformat):
    (tmp_path / "db").mkdir()
    with pytest.raises(CorpusError, match=r"db.yaml: not found; expected the header"):
        corpora.prepare(reader.corpus(), tmp_path / "db", tmp_path / "out", progress=False)
    add("emotion", emotion=["anger"] * 4)
    with pytest.raises(CorpusError, match="3 of 4 clips found"):
        read(audio=FILES[:3])
    assert len(read(audio=FILES[:3], allow_partial=True).utterances) == 3
    for table in (tmp_path / "db").glob("db.emotion.*"):
        table.unlink()
    with pytest.raises(CorpusError, match=r"table 'emotion' cannot be read .*Get the database"):
        corpora.prepare(reader.corpus(), tmp_path / "db", tmp_path / "out", progress=False)
    (tmp_path / "db" / "db.yaml").write_text("{broken")
    with pytest.raises(CorpusError, match=r"db.yaml: [\s\S]*expected a header of audformat"):
        corpora.prepare(reader.corpus(), tmp_path / "db", tmp_path / "out", progress=False)


@pytest.mark.parametrize("options", [{"database": "mini"}, {"release": "1.0.0"}])
def test_a_database_needs_its_release(options):
    with pytest.raises(CorpusError, match="Pass them"):
        reader.corpus(**options)


def test_without_the_libraries(tmp_path, monkeypatch):
    for name in ("audb", "audformat"):
        monkeypatch.setitem(sys.modules, name, None)
    (tmp_path / "db").mkdir()
    with pytest.raises(CorpusError, match=r"Run pip install 'emovec\[audb\]'"):
        corpora.prepare(reader.corpus(), tmp_path / "db", tmp_path / "out", progress=False)
    with pytest.raises(CorpusError, match=r"Run pip install 'emovec\[audb\]'"):
        reader.corpus("mini", "1.0.0").make(tmp_path / "db")


def test_download(add, read, audb, tmp_path):
    add("emotion", emotion=["anger", "joy", None, "awe"])
    add("files", speaker=[3, 8, 10, 10])
    there = read()
    (tmp_path / "host" / "local").mkdir(parents=True)
    audb.publish(str(tmp_path / "db"), "1.0.0", audb.config.REPOSITORIES[0], verbose=False)
    corpus = reader.corpus("mini", "1.0.0")
    loaded = corpora.prepare(corpus, None, tmp_path / "new", progress=False)
    assert loaded.root == tmp_path / "new" / "audformat_mini_1.0.0"
    assert loaded.utterances == there.utterances
    assert (loaded.info.name, loaded.info.release) == ("audformat_mini", "1.0.0")
    local = reader.corpus()
    assert local.open(local, loaded.root).release == "1.0.0"
    for other in (reader.corpus("mini", "2.0.0"), reader.corpus("maxi", "1.0.0")):
        with pytest.raises(CorpusError, match=r"holds mini 1.0.0; expected m"):
            other.open(other, loaded.root)
    with pytest.raises(CorpusError, match="holds mini of unknown version; expected mini"):
        corpus.open(corpus, tmp_path / "db")


def test_download_of_what_is_not_there(audb, tmp_path):
    (tmp_path / "host" / "local").mkdir(parents=True)
    with pytest.raises(CorpusError, match=r"maxi 1.0.0 cannot be downloaded .*--data_folder=PATH"):
        reader.corpus("maxi", "1.0.0").make(tmp_path / "loaded")


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_label_outside_of_its_scheme_is_a_fault_of_the_clip(add, read, database, form):
    add("emotion", emotion=["anger", "joy", None, "awe"])
    add("files", speaker=[3, 8, 10, None])
    database.schemes["emotion"].replace_labels(["anger", "joy", "awe", "serenity"])
    database.schemes["emotion"].labels.remove("joy")  # as one who mends db.yaml by hand
    with pytest.raises(CorpusError, match=r"wav/b.wav: emotion 'joy' is none of the labels of its"):
        read(form)
    prepared = read(form, allow_partial=True)
    assert [u.id for u in prepared.utterances] == ["wav/a", "wav/c", "wav/d"]
    assert [skip.id for skip in prepared.info.skipped] == ["wav/b"]
