import os
import pickle
import resource
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emovec.errors import StorageError
from emovec.tables import embedding_kaldi, embedding_records
from emovec.tables.corpus import Skip
from emovec.tables.embedding_files import FORMATS, read, write
from emovec.tables.embedding_records import to_json
from emovec.tables.embeddings import EmbeddingError, Embeddings, Extraction, column

h5py = pytest.importorskip("h5py", reason="needs the extra formats", exc_type=ImportError)
kaldiio = pytest.importorskip("kaldiio", reason="needs the extra formats", exc_type=ImportError)

SUFFIXES = [".npz", ".h5", ".hdf5", ".ark", ".scp", ".parquet"]
E = 3
KNOWN = Extraction(
    encoder="xvector",
    encoder_checksum="0a",
    sample_rate=16000,
    embedding_size=E,
    licence="CC BY 4.0: Łukasz\n",
    manifest_hash="beef",
    expected=6,
    shards=1,
    versions={"torch": "2.11"},
    settings={"precision": "float32", "window": None},
    written=4,
    skipped=2,
    skips=(Skip("bad\udcff.wav", "no audio"), Skip("silent", "no speech is heard in it")),
)
IDS = ["a", "take 1\n2", "Ł/100%20\u2003x", "%"]
VECTORS = np.array(
    [[1e-45, -0.0, 3.4e38], [0.1, 0.2, 0.3], [4, 5, 6], [-7, 8, 9]], dtype=np.float32
)
TABLE = Embeddings(
    IDS,
    VECTORS,
    KNOWN,
    {
        "speaker": column("speaker", ["x", "ÿ\n", "", "x"]),
        "valence": column("valence", [0.5, None, 1e-300, 3]),
        "take": column("take", [1, 2, -(2**63), 2**63 - 1]),
        "a/b.npy %": column("a/b.npy %", ["1", "2", "3", "4"]),
        ".": column(".", [1, 2, 3, 4]),
    },
)
PLAIN = Embeddings(["a", "b"], VECTORS[:2])


@pytest.fixture(autouse=True, scope="module")
def no_power_failures():
    """Nothing here asks whether a file has reached the disk, and waiting for it takes long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _file: None)
        yield


def check_same(found, expected):
    assert list(found.ids) == list(expected.ids)
    assert found.vectors.dtype == np.float32
    assert found.vectors.shape == expected.vectors.shape
    assert found.vectors.tobytes() == expected.vectors.tobytes()
    assert found.vectors.flags.writeable
    assert found.extraction == expected.extraction
    assert found.columns.keys() == expected.columns.keys()
    for name, values in expected.columns.items():
        assert found.columns[name].dtype == values.dtype
        np.testing.assert_array_equal(found.columns[name], values)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_table_comes_back(tmp_path, suffix):
    path = tmp_path / "new folder" / f"table.v1{suffix}"
    for table in (PLAIN, TABLE):  # the second in place of the first
        write(table, path)
        check_same(read(path), table)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("extraction", [KNOWN, None])
def test_a_table_without_rows(tmp_path, suffix, extraction):
    empty = Embeddings([], np.zeros((0, E), np.float32), extraction, {"speaker": column("", [])})
    path = tmp_path / f"table{suffix}"
    write(empty, path)
    if extraction is None and suffix in (".ark", ".scp"):
        with pytest.raises(EmbeddingError, match=r"vectors are float32 \(0, 0\)"):
            read(path)  # nothing in Kaldi's files tells E
    else:
        check_same(read(path), empty)


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".parquet"])
def test_the_format_goes_before_the_suffix(tmp_path, suffix):
    path = tmp_path / "table.bin"
    name = next(name for name, kind in FORMATS.items() if suffix in kind.suffixes)
    write(TABLE, path, name)
    check_same(read(path, name), TABLE)
    check_same(read(path.rename(tmp_path / f"table{suffix}")), TABLE)


@pytest.mark.parametrize(
    ("name", "format"), [("t.csv", ""), ("t", ""), ("t.npz", "csv"), ("t.bin", "kaldi")]
)
def test_no_such_format(tmp_path, name, format):
    (tmp_path / name).touch()
    for job in (lambda path: write(TABLE, path, format), lambda path: read(path, format)):
        with pytest.raises(EmbeddingError, match=r"expected one of \['hdf5', 'kaldi', 'npz', 'par"):
            job(tmp_path / name)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9)
NAMES = TEXT.filter(lambda name: name not in ("", "id", "embedding"))
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
INTEGERS = st.integers(-(2**63), 2**63 - 1)


@st.composite
def tables(draw):
    ids = draw(st.lists(TEXT.filter(bool), unique=True, min_size=1, max_size=5))
    size = len(ids)
    rows = [draw(st.lists(FLOATS, min_size=E, max_size=E)) for _ in range(size)]
    values = [TEXT, INTEGERS, st.none() | st.floats()]
    columns = st.one_of(st.lists(kind, min_size=size, max_size=size) for kind in values)
    further = draw(st.dictionaries(NAMES, columns, max_size=3))
    return Embeddings(
        ids,
        np.array(rows, dtype=np.float32),
        draw(st.sampled_from([None, KNOWN])),
        {name: column(name, cells) for name, cells in further.items()},
    )


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".ark", ".scp", ".parquet"])
@settings(deadline=None, max_examples=30)
@given(table=tables())
def test_any_table_comes_back(tmp_path_factory, suffix, table):
    path = tmp_path_factory.mktemp("any") / f"table{suffix}"
    write(table, path)
    check_same(read(path), table)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_rows_that_break_a_promise(tmp_path, suffix):
    for table, said in (
        (Embeddings(["a", "a"], VECTORS[:2]), "occur twice"),
        (Embeddings(["a", "b"], VECTORS[:2].astype(np.float64)), "are float64"),
        (Embeddings(["a", "b"], VECTORS[:2] * np.float32("nan")), "NaN or infinite"),
        (Embeddings(["a", "\udcff"], VECTORS[:2]), "expected Unicode text"),
    ):
        with pytest.raises(EmbeddingError, match=said):
            write(table, tmp_path / f"table{suffix}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_leaves_the_old_files(tmp_path, suffix):
    path = tmp_path / f"table{suffix}"
    write(PLAIN, path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    big = Embeddings([str(n) for n in range(5000)], np.ones((5000, E), np.float32))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))  # bytes of a file
    try:
        with pytest.raises(StorageError, match="could not be written"):
            write(big, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert after == before


# --- npz ---


def test_npz_is_read_by_numpy_alone(tmp_path):
    write(TABLE, tmp_path / "t.npz")
    with np.load(tmp_path / "t.npz", allow_pickle=False) as file:
        assert file["ids"].tolist() == IDS
        assert file["vectors"].tobytes() == VECTORS.tobytes()
        assert file["columns/speaker"].tolist() == ["x", "ÿ\n", "", "x"]
        assert str(file["extraction"]) == to_json(KNOWN)


def test_npz_of_others(tmp_path):
    np.savez(tmp_path / "t.npz", ids=["a", "b"], vectors=VECTORS[:2], unrelated=[1])
    check_same(read(tmp_path / "t.npz"), PLAIN)


class Canary:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_the_canary_sings(tmp_path):
    pickle.loads(pickle.dumps(Canary(tmp_path / "canary")))
    assert (tmp_path / "canary").is_dir()


@pytest.mark.parametrize("name", ["ids", "vectors", "extraction", "columns/x"])
def test_npz_with_a_pickle_runs_nothing(tmp_path, name):
    arrays = {"ids": np.array(["a"]), "vectors": VECTORS[:1], name: [Canary(tmp_path / "canary")]}
    arrays[name] = np.array(arrays[name], dtype=object)
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(EmbeddingError, match=r"cannot be read as npz .*allow_pickle=False"):
        read(tmp_path / "t.npz")
    assert not (tmp_path / "canary").exists()


# --- HDF5 ---


def test_hdf5_is_read_by_h5py_alone(tmp_path):
    write(TABLE, tmp_path / "t.h5")
    with h5py.File(tmp_path / "t.h5") as file:
        assert file["ids"].asstr()[()].tolist() == IDS
        assert file["vectors"].dtype == np.float32
        assert file["vectors"][2:].tolist() == [[4, 5, 6], [-7, 8, 9]]
        assert file["columns"]["take"][0] == 1
        assert file["extraction"].asstr()[()] == to_json(KNOWN)


def test_hdf5_holds_a_long_list_of_skips(tmp_path):
    """An attribute would end at 64 kB."""
    skips = tuple(Skip(f"clip {number}", "silent") for number in range(5000))
    table = replace(TABLE, extraction=replace(KNOWN, skips=skips, skipped=5000))
    write(table, tmp_path / "t.h5")
    assert read(tmp_path / "t.h5").extraction.skips == skips


def test_hdf5_of_others(tmp_path):
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["ids"] = ["a", "b"]
        file["vectors"] = VECTORS[:2]
        file["unrelated/group"] = [1]
    check_same(read(tmp_path / "t.h5"), PLAIN)


# --- Parquet ---


def test_parquet_is_read_by_pyarrow_alone(tmp_path):
    write(TABLE, tmp_path / "t.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "t.parquet")
    assert table.column("id").to_pylist() == IDS
    assert table.column("embedding").type == pyarrow.list_(pyarrow.float32(), E)
    assert table.column("embedding").to_pylist() == VECTORS.tolist()
    assert table.column("take").to_pylist() == [1, 2, -(2**63), 2**63 - 1]
    assert table.schema.metadata[b"emovec.extraction"].decode() == to_json(KNOWN)


def test_parquet_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(embedding_records, "_AT_ONCE", 3)
    write(TABLE, tmp_path / "t.parquet")
    assert pyarrow.parquet.ParquetFile(tmp_path / "t.parquet").num_row_groups == 2
    check_same(read(tmp_path / "t.parquet"), TABLE)


@pytest.mark.parametrize(
    ("vectors", "said"),
    [
        (pyarrow.array([[1.0], [2.0, 3.0]], pyarrow.list_(pyarrow.float32())), "embedding is list"),
        (pyarrow.array([[1.0], [2.0]], pyarrow.list_(pyarrow.float64(), 1)), "are float64"),
        (pyarrow.array([[1.0], None], pyarrow.list_(pyarrow.float32(), 1)), "1 of them null"),
        (pyarrow.array([[1.0], [None]], pyarrow.list_(pyarrow.float32(), 1)), "cannot be read as"),
        (pyarrow.array(["x", "y"]), "embedding is string"),
    ],
)
def test_parquet_with_something_else(tmp_path, vectors, said):
    table = pyarrow.table({"id": ["a", "b"], "embedding": vectors})
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(EmbeddingError, match=said):
        read(tmp_path / "t.parquet")


# --- Kaldi ---


def test_kaldi_is_read_by_kaldiio(tmp_path):
    write(TABLE, tmp_path / "x vectors.ark")
    keys = ["a", "take%201%0A2", "Ł/100%2520%E2%80%83x", "%25"]
    read_by = (kaldiio.load_ark(str(tmp_path / "x vectors.ark")),)
    read_by += (kaldiio.load_scp(str(tmp_path / "x vectors.scp")).items(),)
    for found in map(list, read_by):
        assert [key for key, _ in found] == keys
        assert b"".join(vector.tobytes() for _, vector in found) == VECTORS.tobytes()


def write_by_kaldiio(path, vectors):
    with kaldiio.WriteHelper(f"ark,scp:{path}.ark,{path}.scp") as writer:
        for key, vector in vectors.items():
            writer(key, vector)


@pytest.mark.parametrize("suffix", [".ark", ".scp"])
def test_kaldi_by_kaldiio_is_read(tmp_path, suffix):
    write_by_kaldiio(tmp_path / "t", dict(zip("ab", VECTORS, strict=False)))
    check_same(read(tmp_path / f"t{suffix}"), PLAIN)


def test_kaldi_in_several_arks(tmp_path):
    write_by_kaldiio(tmp_path / "1", {"a": VECTORS[0]})
    write_by_kaldiio(tmp_path / "2", {"b": VECTORS[1]})
    lines = [(tmp_path / f"{number}.scp").read_text() for number in (1, 2)]
    (tmp_path / "t.scp").write_text("".join(lines))
    check_same(read(tmp_path / "t.scp"), PLAIN)


def test_kaldi_moved_to_another_folder(tmp_path):
    write(TABLE, tmp_path / "old" / "t.scp")
    (tmp_path / "old").rename(tmp_path / "new")
    check_same(read(tmp_path / "new" / "t.scp"), TABLE)


def test_part_of_an_scp(tmp_path):
    write(TABLE, tmp_path / "t.ark")
    lines = (tmp_path / "t.scp").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "t.scp").write_text("".join([lines[3], lines[1]]), encoding="utf-8")
    check_same(read(tmp_path / "t.scp"), TABLE.take([3, 1]))


def test_kaldi_without_the_third_file(tmp_path):
    write(TABLE, tmp_path / "t.ark")
    (tmp_path / "t.rows.parquet").unlink()
    check_same(read(tmp_path / "t.ark"), Embeddings(IDS, VECTORS))


def test_kaldi_with_the_third_file_of_others(tmp_path):
    write(TABLE, tmp_path / "t.ark")
    write(PLAIN, tmp_path / "u.ark")
    (tmp_path / "u.rows.parquet").replace(tmp_path / "t.rows.parquet")
    with pytest.raises(EmbeddingError, match=r"t\.rows\.parquet: 3 ids are missing"):
        read(tmp_path / "t.ark")


def test_kaldi_ended_between_its_files(tmp_path, monkeypatch):
    write(TABLE, tmp_path / "t.ark")
    monkeypatch.setattr(embedding_kaldi, "write_table", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write(replace(TABLE, vectors=-VECTORS), tmp_path / "t.ark")
    assert [path.name for path in tmp_path.iterdir()] == ["t.ark"]
    check_same(read(tmp_path / "t.ark"), Embeddings(IDS, -VECTORS))


@pytest.mark.parametrize("folder", ["line\nbreak", "pipe|"])
def test_kaldi_in_a_folder_that_an_scp_cannot_name(tmp_path, folder):
    with pytest.raises(EmbeddingError, match="has characters that an scp cannot hold"):
        write(TABLE, tmp_path / folder / "t.scp")


@pytest.mark.parametrize(
    "line",
    [
        "a mkdir {} |",
        "a | mkdir {}",
        "a mkdir {} |:12",
        "a -",
        "a",
        "a t.ark",
        "a t.ark:2[0:1]",
        "a t.ark:-2",
        "",
    ],
)
def test_scp_with_a_command_runs_nothing(tmp_path, line):
    write_by_kaldiio(tmp_path / "t", {"a": VECTORS[0]})
    (tmp_path / "t.scp").write_text(line.format(tmp_path / "canary") + "\n")
    with pytest.raises(EmbeddingError, match=r"t\.scp: line '.*' found; expected a key, a file"):
        read(tmp_path / "t.scp")
    assert not (tmp_path / "canary").exists()


def test_ark_with_a_pickle_runs_nothing(tmp_path):
    (tmp_path / "t.ark").write_bytes(b"a PKL" + pickle.dumps(Canary(tmp_path / "canary")))
    (tmp_path / "t.scp").write_text(f"a {tmp_path / 't.ark'}:2\n")
    for suffix in (".ark", ".scp"):
        with pytest.raises(EmbeddingError, match="'a' is not in Kaldi's binary form"):
            read(tmp_path / f"t{suffix}")
    assert not (tmp_path / "canary").exists()
    list(kaldiio.load_ark(str(tmp_path / "t.ark")))  # which is why we do not leave it to kaldiio
    assert (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    "value", [VECTORS, VECTORS[0].astype(np.float64), np.arange(3, dtype=np.int32)]
)
def test_ark_with_something_else(tmp_path, value):
    write_by_kaldiio(tmp_path / "t", {"a": value})
    with pytest.raises(EmbeddingError, match=r"not float32 \(E,\)|cannot be read as kaldi"):
        read(tmp_path / "t.ark")


@pytest.mark.parametrize("suffix", [".ark", ".scp"])
@pytest.mark.parametrize("cut", [1, 4, 8, 11, 12, 13])
def test_ark_that_is_cut_off(tmp_path, suffix, cut):
    write_by_kaldiio(tmp_path / "t", {"a": VECTORS[0]})
    ark = tmp_path / "t.ark"
    ark.write_bytes(ark.read_bytes()[:-cut])
    with pytest.raises(EmbeddingError, match="cannot be read as kaldi"):
        read(tmp_path / f"t{suffix}")


def test_ark_with_a_key_twice_or_none(tmp_path):
    write_by_kaldiio(tmp_path / "t", {"a": VECTORS[0]})
    ark = tmp_path / "t.ark"
    entry = ark.read_bytes()
    ark.write_bytes(entry * 2)
    with pytest.raises(EmbeddingError, match=r"1 ids occur twice \(a\)"):
        read(ark)
    ark.write_bytes(entry + entry[1:])
    with pytest.raises(EmbeddingError, match="an entry without a key"):
        read(ark)


# --- all ---


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"", b"garbage", bytes(range(256)) * 9])
def test_files_of_another_kind(tmp_path, suffix, content):
    path = tmp_path / f"t{suffix}"
    path.write_bytes(content)
    with pytest.raises(EmbeddingError, match=rf"t\{suffix}: "):
        read(path)


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".ark", ".parquet"])
def test_files_that_are_cut_off(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    write(TABLE, path)
    content = path.read_bytes()
    for share in (0.2, 0.5, 0.9, 0.99):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(EmbeddingError, match=rf"t\{suffix}: cannot be read as"):
            read(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_such_file(tmp_path, suffix):
    (tmp_path / f"folder{suffix}").mkdir()
    for name in ("missing", "folder"):
        with pytest.raises(EmbeddingError, match=rf"{name}\{suffix}: not found; expected emb"):
            read(tmp_path / f"{name}{suffix}")


@pytest.mark.parametrize("text", ["{}", "no JSON", "[1]"])
def test_a_broken_extraction(tmp_path, text):
    np.savez(tmp_path / "t.npz", ids=["a"], vectors=VECTORS[:1], extraction=text)
    with pytest.raises(EmbeddingError, match=r"t\.npz: extraction: (found|is no JSON)"):
        read(tmp_path / "t.npz")


@pytest.mark.parametrize(("suffix", "library"), [(".h5", "h5py"), (".ark", "kaldiio")])
def test_without_the_library_of_a_format(tmp_path, monkeypatch, suffix, library):
    path = tmp_path / f"t{suffix}"
    write(PLAIN, path)
    for name in [name for name in sys.modules if name.partition(".")[0] == library]:
        monkeypatch.setitem(sys.modules, name, None)
    for job in (lambda: write(PLAIN, path), lambda: read(path)):
        with pytest.raises(EmbeddingError, match=rf"{library}.* is not installed .*\[formats\]'"):
            job()
    write(PLAIN, tmp_path / "t.npz")
    check_same(read(tmp_path / "t.npz"), PLAIN)


def test_neither_library_is_imported_before_it_is_needed():
    code = "import sys, emovec.tables.embedding_files; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"h5py", "kaldiio", "pyarrow", "torch"}.isdisjoint(found.stdout.split())
