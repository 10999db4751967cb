"""Tables of embeddings from any format to any other."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from emovec.tables import embedding_files
from emovec.tables.corpus import Skip
from emovec.tables.embedding_shards import ShardWriter, read_embeddings
from emovec.tables.embeddings import Embeddings, Extraction

FORMATS = {"npz": ".npz", "hdf5": ".h5", "kaldi": ".ark", "parquet": ".parquet", "shards": ""}
SHARDS = 3
MADE = Extraction(
    encoder="x",
    encoder_checksum="0a",
    sample_rate=16000,
    embedding_size=8,
    licence="MIT",
    manifest_hash="beef",
    expected=82,
    shards=SHARDS,
)


def write_shards(folder: Path, table: Embeddings, shards: int = SHARDS) -> Path:
    """Shards of a run that failed on one clip and skipped another; 3 of them end it."""
    writer = ShardWriter(folder, MADE)
    for number in range(shards):
        rows = np.arange(len(table.ids))[number::SHARDS]
        part = table.take(rows.tolist())
        columns = {name: values.tolist() for name, values in part.columns.items()}
        first = number == 0
        writer.write(
            number,
            part.ids,
            part.vectors,
            columns,
            failures=[Skip("bad.wav", "is empty")] if first else (),
            skips=[Skip("silent.wav", "no speech")] if first else (),
        )
    if shards == SHARDS:
        writer.finish()
    return folder


def assert_same(found: Embeddings, expected: Embeddings) -> None:
    assert list(found.ids) == list(expected.ids)
    assert found.vectors.tobytes() == expected.vectors.tobytes()
    assert {name: values.tolist() for name, values in found.columns.items()} == {
        name: values.tolist() for name, values in expected.columns.items()
    }


@pytest.mark.parametrize("one", FORMATS)
@pytest.mark.parametrize("other", FORMATS)
def test_every_format_to_every_other(emovec, voices, tmp_path, one, other):
    for name in ("h5py", "kaldiio"):
        pytest.importorskip(name, reason="needs the extra formats", exc_type=ImportError)
    shards = write_shards(tmp_path / "shards", voices)
    before = read_embeddings(shards)
    first, second = tmp_path / f"first{FORMATS[one]}", tmp_path / f"second{FORMATS[other]}"
    assert emovec("export", shards, f"--format={one}", "--output", first).exit_code == 0
    done = emovec("export", first, f"--format={other}", "--output", second)
    assert (done.exit_code, done.stdout) == (0, f"{second}\n")
    after = read_embeddings(second) if other == "shards" else embedding_files.read(second)
    assert_same(after, before)
    changed = {"shards": 1} if "shards" in (one, other) else {}
    assert after.extraction == replace(before.extraction, **changed)


def test_the_usual_place_is_beside(answer, voices, tmp_path):
    shards = write_shards(tmp_path / "my.shards", voices)
    found, status = answer("export", shards, "--format=npz")
    assert status == 0
    assert found["output"] == str(tmp_path / "my.shards.npz")
    assert (found["rows"], found["embedding_size"]) == (80, 8)
    assert found["extraction"]["failures"] == [asdict(Skip("bad.wav", "is empty"))]
    assert (tmp_path / "my.shards.npz").is_file()


def test_nothing_is_overwritten_unless_it_is_named(emovec, table):
    path = table.with_suffix(".parquet")
    path.write_text("mine")
    done = emovec("export", table, "--format=parquet")
    assert done.exit_code == 1
    assert f"Error: {path}: is there already" in done.stderr
    assert path.read_text() == "mine"
    assert emovec("export", table, "--format=parquet", "--output", path).exit_code == 0
    assert len(embedding_files.read(path).ids) == 80


def test_an_unfinished_run(emovec, voices, tmp_path):
    shards = write_shards(tmp_path / "shards", voices, shards=2)
    done = emovec("export", shards, "--format=npz")
    assert done.exit_code == 1
    assert "2 of 3 shards" in done.stderr and "--allow_partial" in done.stderr
    assert emovec("export", shards, "--format=npz", "--allow_partial").exit_code == 0
    assert len(embedding_files.read(tmp_path / "shards.npz").ids) == 54


@pytest.mark.parametrize(
    ("arguments", "said", "status"),
    [
        (["absent.npz", "--format=parquet"], "absent.npz: not found; expected embeddings", 1),
        (["absent", "--format=npz"], "absent: not found; expected embeddings", 1),
        (["{table}", "--format=mp3"], "'mp3' is not one of", 2),
        (["{table}"], "Missing option '--format'", 2),
        (["{table}", "--format=shards", "--output=s"], "does not say how its embeddings came", 1),
        (["{table}", "--format=npz", "--output={table}/x.npz"], "could not be written", 1),
    ],
)
def test_what_cannot_be_exported(emovec, table, monkeypatch, arguments, said, status):
    monkeypatch.chdir(table.parent)
    done = emovec("export", *(text.format(table=table) for text in arguments))
    assert (said in done.stderr, done.exit_code, done.stdout) == (True, status, ""), done.stderr


def test_shards_of_another_run_are_kept(emovec, voices, tmp_path):
    shards = write_shards(tmp_path / "shards", voices)
    done = emovec("export", shards, "--format=shards", "--output", shards)
    assert done.exit_code == 1
    assert "holds another run: shards: found 3, expected 1" in done.stderr
    assert len(read_embeddings(shards).ids) == 80
