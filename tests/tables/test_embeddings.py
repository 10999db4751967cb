import hashlib
import json
import re
import resource
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emovec.errors import StorageError
from emovec.tables import embedding_marks, embedding_shards
from emovec.tables.corpus import Skip
from emovec.tables.embedding_marks import read_extraction
from emovec.tables.embedding_records import from_json, to_json
from emovec.tables.embedding_shards import (
    ShardWriter,
    done_shards,
    read_embeddings,
)
from emovec.tables.embeddings import (
    EmbeddingError,
    Embeddings,
    Extraction,
    check_embeddings,
    column,
    match,
)
from emovec.tables.manifest import Utterance

E = 3
PLAN = Extraction(
    encoder="xvector",
    encoder_checksum="0a",
    sample_rate=16000,
    embedding_size=E,
    licence="CC BY 4.0",
    manifest_hash="beef",
    expected=6,
    shards=3,
    versions={"torch": "2.11"},
    settings={"precision": "float32", "window": None},
)
FAILURE, SKIP = Skip("bad\udcff.wav", "no audio"), Skip("silent", "no speech is heard in it")
SHARDS = {  # rows of each; the second has none
    0: dict(ids=["a", "b\n1"], columns={"speaker": ["x", "ÿ"], "valence": [0.5, None]}),
    1: dict(ids=[], columns={"speaker": [], "valence": []}, failures=[FAILURE], skips=[SKIP]),
    2: dict(ids=["Ł/c 1", "d"], columns={"speaker": ["x", ""], "valence": [2, 3]}),
}
VECTORS = np.array(
    [[1e-45, -0.0, 3.4e38], [0.1, 0.2, 0.3], [4, 5, 6], [-7, 8, 9]], dtype=np.float32
)


def vectors(number):
    start = sum(len(SHARDS[n]["ids"]) for n in range(number))
    return VECTORS[start : start + len(SHARDS[number]["ids"])]


def write(writer, number):
    writer.write(number, vectors=vectors(number), **SHARDS[number])


def run(folder, plan=PLAN):
    """What an extractor does: go on where the last one stopped."""
    writer = ShardWriter(folder, plan)
    for number in sorted(SHARDS.keys() - done_shards(folder).keys()):
        write(writer, number)
    return writer.finish()


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(autouse=True, scope="module")
def no_power_failures():
    """Nothing here asks whether a file has reached the disk, and waiting for it takes long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _file: None)
        yield


@pytest.fixture
def whole(tmp_path):
    run(tmp_path / "whole")
    return tmp_path / "whole"


def check_table(table):
    assert list(table.ids) == ["a", "b\n1", "Ł/c 1", "d"]
    assert table.vectors.dtype == np.float32
    assert table.vectors.tobytes() == VECTORS.tobytes()
    assert table.columns["speaker"].tolist() == ["x", "ÿ", "x", ""]
    np.testing.assert_array_equal(table.columns["valence"], [0.5, np.nan, 2, 3])
    outcome = dict(written=4, failed=1, skipped=1, failures=(FAILURE,), skips=(SKIP,))
    assert table.extraction == replace(PLAN, **outcome)
    assert table.extraction.finished


def test_a_table_comes_back(whole):
    check_table(read_embeddings(whole))
    check_table(read_embeddings(whole, allow_partial=True))


def test_the_files_are_as_promised(whole):
    names = [f"0000{n}.{end}" for n in range(3) for end in ("done", "npy", "parquet")]
    assert sorted(contents(whole)) == [*names, "extract.json"]
    mapped = np.load(whole / "00002.npy", mmap_mode="r")
    assert isinstance(mapped, np.memmap)
    assert mapped.tolist() == [[4, 5, 6], [-7, 8, 9]]
    rows = pyarrow.parquet.read_table(whole / "00002.parquet").to_pydict()
    assert rows == {"id": ["Ł/c 1", "d"], "speaker": ["x", ""], "valence": [2, 3]}
    mark = json.loads((whole / "00002.done").read_bytes())
    for name in ("npy", "parquet"):
        content = (whole / f"00002.{name}").read_bytes()
        assert mark[f"{name}_sha256"] == hashlib.sha256(content).hexdigest()
    assert (mark["rows"], mark["clips"]) == (2, 2)
    facts = json.loads((whole / "extract.json").read_bytes())
    assert facts["expected"] == facts["written"] + facts["failed"] + facts["skipped"] == 6
    assert facts["skips"] == [{"id": "silent", "reason": "no speech is heard in it"}]
    assert facts["failures"] == [{"id": "bad\udcff.wav", "reason": "no audio"}]


def test_an_ended_run_has_nothing_left_to_do(whole):
    before = contents(whole)
    assert list(done_shards(whole)) == [0, 1, 2]
    run(whole)
    assert contents(whole) == before


class Killed(BaseException):
    pass


@pytest.mark.parametrize("files", range(11))  # extract.json, three of each shard, extract.json
def test_killed_after_any_file_it_ends_with_the_same_bytes(tmp_path, whole, monkeypatch, files):
    folder = tmp_path / "broken"
    written = []
    write_atomically = embedding_shards.write_atomically

    def killed(path, mode="w"):
        if len(written) == files:
            folder.mkdir(exist_ok=True)
            (folder / f".{path.name}.a1b2_d3e").write_bytes(b"torn")
            raise Killed
        written.append(path)
        return write_atomically(path, mode)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(embedding_shards, "write_atomically", killed)
        patch.setattr(embedding_marks, "write_atomically", killed)
        run(folder)
    with pytest.raises(EmbeddingError, match=r"not found; expected|of 3 shards and . of 6 clips"):
        read_embeddings(folder)
    run(folder)
    assert contents(folder) == contents(whole)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-4])


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["00002.npy", "00002.parquet"])
@pytest.mark.parametrize("damage", [truncate, flip, Path.unlink])
def test_a_damaged_shard_is_told_and_made_again(whole, name, damage):
    before = contents(whole)
    damage(whole / name)
    for allow_partial in (False, True):
        with pytest.raises(EmbeddingError, match=rf"{name}: its SHA-256 is .*; its done mark"):
            read_embeddings(whole, allow_partial=allow_partial)
    assert list(done_shards(whole)) == [0, 1]
    run(whole)
    assert contents(whole) == before


@pytest.mark.parametrize("mark", [b"", b"{", b"[]", b'{"rows": 2}', b"\xff"])
def test_a_torn_mark_is_none(whole, mark):
    before = contents(whole)
    (whole / "00000.done").write_bytes(mark)
    with pytest.raises(
        EmbeddingError, match=r"00000\.done: (is no JSON|found .*expected the keys)"
    ):
        read_embeddings(whole, allow_partial=True)
    assert list(done_shards(whole)) == [1, 2]
    run(whole)
    assert contents(whole) == before


@pytest.mark.parametrize(
    ("vectors", "said"),
    [
        (np.zeros((2, E)), r"float64 \(2, 3\) and 2 ids found; expected float32 \(2, 3\)"),
        (np.zeros((3, E), np.float32), r"float32 \(3, 3\) and 2 ids found"),
        (np.zeros((2, 1), np.float32), r"float32 \(2, 1\) and 2 ids found"),
        (np.array([[print] * E] * 2), "no shard .*allow_pickle=False"),
    ],
)
def test_a_shard_that_was_made_by_hand(whole, vectors, said):
    np.save(whole / "00002.npy", vectors)
    mark = json.loads((whole / "00002.done").read_bytes())
    mark["npy_sha256"] = hashlib.sha256((whole / "00002.npy").read_bytes()).hexdigest()
    (whole / "00002.done").write_text(json.dumps(mark))
    with pytest.raises(EmbeddingError, match=rf"00002\.npy: {said}"):
        read_embeddings(whole)


def test_a_part_is_read_when_that_is_allowed(whole):
    (whole / "00001.done").unlink()
    (whole / "00002.done").unlink()
    with pytest.raises(EmbeddingError, match=r"1 of 3 shards and 2 of 6 clips found; expected all"):
        read_embeddings(whole)
    part = read_embeddings(whole, allow_partial=True)
    assert part.ids == ["a", "b\n1"]
    assert part.vectors.tobytes() == VECTORS[:2].tobytes()
    assert part.extraction == replace(PLAN, written=2)
    assert not part.extraction.finished


def test_all_shards_without_an_end_are_a_part(tmp_path):
    writer = ShardWriter(tmp_path, PLAN)
    for number in SHARDS:
        write(writer, number)
    with pytest.raises(EmbeddingError, match="3 of 3 shards and 4 of 6 clips"):
        read_embeddings(tmp_path)
    check_table(read_embeddings(tmp_path, allow_partial=True))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"encoder": "ecapa"}, "encoder: found 'xvector', expected 'ecapa'"),
        ({"encoder_checksum": "0b"}, "encoder_checksum: found '0a', expected '0b'"),
        ({"versions": {"torch": "2.12"}}, "versions torch: found '2.11', expected '2.12'"),
        (
            {"settings": {"precision": "bfloat16"}},
            "settings precision: found 'float32', expected 'bfloat16'; "
            "settings window: found None, expected nothing",
        ),
        (
            {"expected": 7, "shards": 4},
            "expected: found 6, expected 7; shards: found 3, expected 4",
        ),
        ({"manifest_hash": "dead"}, "manifest_hash: found 'beef', expected 'dead'"),
    ],
)
def test_the_folder_of_another_run_is_refused(whole, change, said):
    before = contents(whole)
    with pytest.raises(EmbeddingError, match=f"holds another run: {said}. Choose another folder"):
        ShardWriter(whole, replace(PLAN, **change))
    assert contents(whole) == before


def test_shards_of_an_unknown_run_are_refused(whole):
    (whole / "extract.json").unlink()
    with pytest.raises(EmbeddingError, match=r"shards without extract\.json"):
        ShardWriter(whole, PLAN)
    with pytest.raises(EmbeddingError, match=r"extract\.json: not found"):
        read_embeddings(whole)


def test_shards_of_two_runs_are_not_mixed(tmp_path, whole):
    run(tmp_path / "other", replace(PLAN, encoder="ecapa"))
    for path in whole.glob("00001.*"):
        shutil.copy(path, tmp_path / "other")
    with pytest.raises(EmbeddingError, match=r"00001\.done: is of run \w{16}; expected \w{16}"):
        read_embeddings(tmp_path / "other")
    assert list(done_shards(tmp_path / "other")) == [0, 2]


def test_other_files_in_the_folder_do_no_harm(tmp_path):
    (tmp_path / "log.txt").write_text("kept")
    (tmp_path / ".notes.npy.12345678").write_text("kept, since no shard has this name")
    run(tmp_path)
    assert {"log.txt", ".notes.npy.12345678"} < contents(tmp_path).keys()
    check_table(read_embeddings(tmp_path))


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="could not be written"):
        ShardWriter(tmp_path / "file", PLAN)
    with pytest.raises(EmbeddingError, match="not found"):
        read_embeddings(tmp_path / "file")


def test_a_full_disk_leaves_the_shard_undone(tmp_path):
    writer = ShardWriter(tmp_path, PLAN)
    before = contents(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))  # bytes of a file
    try:
        with pytest.raises(StorageError, match=r"00000\.npy: could not be written"):
            write(writer, 0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert contents(tmp_path) == before
    assert done_shards(tmp_path) == {}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (dict(ids=["a"]), "1 ids and 2 vectors; expected as many"),
        (dict(ids=["a", "a"]), r"1 ids occur twice \(a\)"),
        (dict(ids=["a", ""]), "an id is empty"),
        (dict(ids=["a", "b\0"]), "id is 'b.x00'; expected Unicode text"),
        (dict(ids=["a", "\udcff"]), "id is '.udcff'; expected Unicode text"),
        (dict(ids=["a", 2]), "id is 2; expected Unicode text"),
        (dict(vectors=np.array([[1, 2, 3], [4, np.nan, 6]], np.float32)), r"infinite values \(b\)"),
        (dict(vectors=np.array([[1, 2, np.inf], [4, 5, 6]], np.float32)), r"infinite values \(a\)"),
        (dict(vectors=np.zeros((2, 3))), r"vectors are float64 \(2, 3\); expected float32"),
        (dict(vectors=np.zeros(6, np.float32)), r"vectors are float32 \(6,\)"),
        (dict(vectors=np.zeros((2, 4), np.float32)), "have 4 values; expected 3, as xvector gives"),
        (dict(columns={"id": ["x", "y"]}), "a column is named 'id'"),
        (dict(columns={"embedding": ["x", "y"]}), "a column is named 'embedding'"),
        (dict(columns={"": ["x", "y"]}), "a column is named ''"),
        (dict(columns={"n\0": ["x", "y"]}), "name of a column is 'n.x00'"),
        (dict(columns={"n": ["x", "y\0"]}), "a text of column 'n' is 'y.x00'"),
        (dict(columns={"n": ["x"]}), r"column 'n' is \(1,\); expected \(2,\)"),
        (dict(columns={"n": ["x", 1]}), "column 'n': int, str found; expected texts, or numbers"),
        (dict(columns={"n": ["x", None]}), "column 'n': NoneType, str found"),
        (dict(columns={"n": [True, False]}), "column 'n': bool found"),
        (dict(columns={"n": [1, [2]]}), "column 'n': int, list found"),
        (dict(columns={"n": [1, 2**63]}), "column 'n': integers beyond 64 bits"),
    ],
)
def test_rows_that_break_a_promise_are_not_written(tmp_path, row, said):
    writer = ShardWriter(tmp_path, PLAN)
    before = contents(tmp_path)
    sound = dict(ids=["a", "b"], vectors=np.zeros((2, E), np.float32))
    with pytest.raises(EmbeddingError, match=said):
        writer.write(0, **{**sound, **row})
    assert contents(tmp_path) == before


@pytest.mark.parametrize("number", [-1, 3])
def test_a_shard_that_the_run_does_not_have(tmp_path, number):
    with pytest.raises(EmbeddingError, match=f"shard {number}: expected one of 3, from 0"):
        ShardWriter(tmp_path, PLAN).write(number, ["a"], np.zeros((1, E), np.float32))


@pytest.mark.parametrize(
    ("column", "values"), [("speaker", ["x", "ÿ"]), ("valence", ["much", "little"])]
)
def test_shards_whose_columns_differ(tmp_path, column, values):
    writer = ShardWriter(tmp_path, PLAN)
    write(writer, 2)
    writer.write(0, ["a", "b"], VECTORS[:2], {"speaker": ["x", "y"], column: values})
    with pytest.raises(
        EmbeddingError, match=r"expected the same in all|a text of column 'valence'"
    ):
        read_embeddings(tmp_path, allow_partial=True)


def test_an_id_in_two_shards(tmp_path):
    plan = replace(PLAN, expected=4, shards=2)
    writer = ShardWriter(tmp_path, plan)
    writer.write(0, ["a", "b"], VECTORS[:2])
    writer.write(1, ["c", "a"], VECTORS[2:])
    writer.finish()
    with pytest.raises(EmbeddingError, match=r"1 ids occur twice \(a\)"):
        read_embeddings(tmp_path)


def test_clips_that_got_lost(tmp_path):
    writer = ShardWriter(tmp_path, replace(PLAN, shards=1))
    with pytest.raises(EmbeddingError, match="0 of 1 shards found, and of 6 clips 0 written"):
        writer.finish()
    writer.write(0, ["a"], VECTORS[:1], skips=[SKIP])
    with pytest.raises(EmbeddingError, match=r"1 of 1 shards .* 1 written, 0 failed and 1 skipped"):
        writer.finish()


def test_windows_count_as_the_clips_that_they_are_of(tmp_path):
    writer = ShardWriter(tmp_path, replace(PLAN, shards=1, expected=3))
    clips = {"clip": ["a", "a", "a", "b"], "start": [0.0, 0.5, 1.0, 0.0]}
    writer.write(0, ["a@0", "a@1", "a@2", "b@0"], VECTORS, clips, skips=[SKIP])
    assert writer.finish().written == 2
    assert len(read_embeddings(tmp_path).ids) == 4


def test_a_run_without_clips(tmp_path):
    writer = ShardWriter(tmp_path, replace(PLAN, expected=0, shards=0))
    writer.finish()
    table = read_embeddings(tmp_path)
    assert (len(table.ids), table.vectors.shape, table.columns) == (0, (0, E), {})


def test_a_run_in_which_all_clips_fail(tmp_path):
    writer = ShardWriter(tmp_path, replace(PLAN, expected=1, shards=1))
    writer.write(0, [], np.zeros((0, E), np.float32), {"valence": []}, failures=[FAILURE])
    writer.finish()
    table = read_embeddings(tmp_path)
    assert (table.vectors.shape, table.extraction.failures) == ((0, E), (FAILURE,))


def test_vectors_in_another_order_of_memory(tmp_path):
    writer = ShardWriter(tmp_path, replace(PLAN, expected=4, shards=1))
    writer.write(0, list("abcd"), np.asfortranarray(VECTORS))
    writer.finish()
    assert read_embeddings(tmp_path).vectors.tobytes() == VECTORS.tobytes()


def test_folders_named_like_partitions_add_no_column(tmp_path):
    run(tmp_path / "speaker=7" / "set=a")
    check_table(read_embeddings(tmp_path / "speaker=7" / "set=a"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sample_rate": -1}, "sample_rate is -1, which cannot be"),
        ({"sample_rate": "16 kHz"}, "sample_rate is '16 kHz'"),
        ({"shards": True}, "shards is True"),
        ({"encoder": None}, "encoder is None"),
        ({"versions": []}, r"versions is \[\]"),
        ({"skips": [{"id": "a"}]}, "skips is"),
        ({"skips": [{"id": "a", "reason": 1}]}, "skips is"),
        ({"failures": "a"}, "failures is 'a'"),
        ({"colour": "red"}, "found .*'colour'.*expected the keys"),
    ],
)
def test_extract_json_is_checked(whole, change, said):
    path = whole / "extract.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **change}))
    with pytest.raises(EmbeddingError, match=rf"extract\.json: {said}"):
        read_extraction(whole)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
NAMES = TEXT.filter(lambda name: name not in ("", "id", "embedding"))
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
INTEGERS = st.integers(-(2**63), 2**63 - 1)


@st.composite
def tables(draw):
    """Ids, vectors and columns of any length, 0 among them."""
    ids = draw(st.lists(TEXT.filter(bool), unique=True, max_size=7))
    size = len(ids)
    rows = [draw(st.lists(FLOATS, min_size=E, max_size=E)) for _ in range(size)]
    values = [TEXT, INTEGERS, st.none() | st.floats()]
    columns = st.one_of(st.lists(kind, min_size=size, max_size=size) for kind in values)
    further = draw(st.dictionaries(NAMES, columns, max_size=3))
    return ids, np.array(rows, dtype=np.float32).reshape(size, E), further


@settings(deadline=None, max_examples=40)
@given(table=tables(), cuts=st.lists(st.integers(0, 7), max_size=3))
def test_any_table_comes_back_however_it_is_cut(tmp_path_factory, table, cuts):
    ids, rows, columns = table
    bounds = [0, *sorted(min(cut, len(ids)) for cut in cuts), len(ids)]
    folder = tmp_path_factory.mktemp("any")
    writer = ShardWriter(folder, replace(PLAN, expected=len(ids), shards=len(bounds) - 1))
    further = {name: column(name, values) for name, values in columns.items()}
    for number in reversed(range(len(bounds) - 1)):
        part = slice(bounds[number], bounds[number + 1])
        parts = {name: values[part] for name, values in further.items()}
        writer.write(number, ids[part], rows[part], parts)
    writer.finish()
    found = read_embeddings(folder)
    assert (list(found.ids), found.vectors.tobytes()) == (ids, rows.tobytes())
    for name, values in further.items() if ids else ():
        assert found.columns[name].dtype == values.dtype
        np.testing.assert_array_equal(found.columns[name], values)
    assert found.columns.keys() == (columns.keys() if ids else set())


@given(st.text(), st.text(), st.dictionaries(st.text(), st.none() | st.floats(-1, 1)))
def test_any_extraction_comes_back(encoder, id_, settings):
    known = replace(PLAN, encoder=encoder, settings=settings, skipped=1, skips=(Skip(id_, "x"),))
    text = to_json(known)
    assert text.encode()  # whatever names there are, it is UTF-8
    assert from_json(text, Extraction, "here") == known


def test_the_run_is_the_plan_and_not_its_outcome():
    assert replace(PLAN, written=3, failures=(FAILURE,)).run == PLAN.run
    assert re.fullmatch(r"[0-9a-f]{16}", PLAN.run)
    assert replace(PLAN, settings={"window": None, "precision": "float32"}).run == PLAN.run
    others = [{"settings": {}}, {"licence": ""}, {"sample_rate": 8000}, {"embedding_size": 4}]
    assert len({PLAN.run, *(replace(PLAN, **other).run for other in others)}) == 5


def clips(*ids):
    return [Utterance(id_, f"{id_}.wav", None, None, 1.0) for id_ in ids]


TABLE = Embeddings(
    list("abcd"), VECTORS, PLAN, {"speaker": column("speaker", ["w", "x", "y", "z"])}
)


def test_rows_in_the_order_of_a_manifest():
    matched = match(TABLE, clips("d", "e", "b", "f", "a"))
    assert list(matched.embeddings.ids) == ["d", "b", "a"]
    assert [clip.id for clip in matched.utterances] == ["d", "b", "a"]
    assert matched.embeddings.vectors.tobytes() == VECTORS[[3, 1, 0]].tobytes()
    assert matched.embeddings.columns["speaker"].tolist() == ["z", "x", "w"]
    assert matched.embeddings.extraction is PLAN
    assert matched.without_utterance == ["c"]
    assert matched.without_embedding == ["e", "f"]


def test_rows_that_are_in_order_are_not_copied():
    matched = match(TABLE, clips("a", "b", "c", "d"))
    assert matched.embeddings is TABLE
    assert matched.without_utterance == matched.without_embedding == []
    assert match(TABLE, clips("a", "b")).embeddings.ids == ["a", "b"]


def test_a_manifest_of_other_clips():
    with pytest.raises(
        EmbeddingError, match=r"none of their ids .* 'a'; expected ids such as 'a.w"
    ):
        match(TABLE, clips("a.wav", "b.wav"))


def test_nothing_to_match():
    empty = Embeddings([], np.zeros((0, E), np.float32))
    assert match(TABLE, []).without_utterance == list("abcd")
    assert match(empty, clips("a")).without_embedding == ["a"]
    assert match(empty, []).embeddings.vectors.shape == (0, E)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["a", ""], object),
        (np.array(["a", "b"]), object),
        ([1, np.int32(2)], np.int64),
        (np.array([1, 2], np.uint8), np.int64),
        ([1, 2.5], np.float64),
        ([None, None], np.float64),
        (np.array([1, 2], np.float32), np.float64),
    ],
)
def test_kinds_of_columns(values, dtype):
    found = column("x", values)
    assert found.dtype == dtype
    expected = [np.nan if value is None else value for value in values]
    assert list(map(str, found)) == list(map(str, np.asarray(expected, dtype=dtype)))
    check_embeddings(Embeddings(["a", "b"], VECTORS[:2], None, {"x": found}), "here")


def test_columns_that_were_not_made_by_column():
    for values in (np.array(["a", "b"]), np.array([1, 2], np.float32), np.array([True, False])):
        with pytest.raises(EmbeddingError, match=r"here: column 'x' is .*; expected texts, int64"):
            check_embeddings(Embeddings(["a", "b"], VECTORS[:2], None, {"x": values}), "here")
