"""What can be trusted: model folders and embeddings; of corpora see tests/test_cli.py."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from emovec.tables import embedding_files
from emovec.tables.corpus import Skip
from emovec.tables.embedding_shards import ShardWriter
from emovec.tables.embeddings import Extraction


@pytest.fixture
def model(encoder_folder: Path, tmp_path: Path) -> Path:
    """A copy of a model folder, to be damaged."""
    return Path(shutil.copytree(encoder_folder, tmp_path / "run" / "model"))


@pytest.fixture
def shards(voices, tmp_path: Path) -> Path:
    """Embeddings of a run of two shards that has ended."""
    made = Extraction("x", "0a", 16000, 8, "MIT", "beef", 82, 2)
    writer = ShardWriter(tmp_path / "shards", made)
    writer.write(0, voices.ids[:40], voices.vectors[:40], failures=[Skip("bad", "is empty")])
    writer.write(1, voices.ids[40:], voices.vectors[40:], skips=[Skip("silent", "no speech")])
    writer.finish()
    return tmp_path / "shards"


def test_a_sound_model_folder_or_its_run(emovec, answer, model):
    for path in (model, model.parent):
        done = emovec("check", path)
        assert (done.exit_code, done.stdout) == (
            0,
            f"{path}: model, sound: faults 0, warnings 0\n",
        )
    found, status = answer("check", model)
    assert (status, found) == (
        0,
        {"kind": "model", "path": str(model), "is_sound": True, "findings": []},
    )


def test_all_that_is_wrong_with_a_model(answer, emovec, model):
    (model / "pickle.pt").write_bytes(b"\x80\x02")
    (model / "card.md").unlink()
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "class": "os.system"}))
    found, status = answer("check", model)
    assert (status, found["is_sound"]) == (1, False)
    assert {finding["severity"] for finding in found["findings"]} == {"fault"}
    told = " ".join(finding["what"] for finding in found["findings"])
    assert "pickle.pt" in told and "'os.system' is unknown" in told and "no card.md" in told
    done = emovec("check", model)
    assert (done.exit_code, done.stdout.count("\nfault: ") + 1) == (1, len(found["findings"]))
    assert done.stdout.endswith(f"{model}: model, NOT SOUND: faults 3, warnings 0\n")


def test_a_model_folder_without_weights(emovec, model):
    (model / "model.safetensors").unlink()
    done = emovec("check", model)
    assert done.exit_code == 1
    assert "no model.safetensors" in done.stdout


def test_sound_embeddings(emovec, answer, shards):
    done = emovec("check", shards)
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "warning: 1 clips (bad): could not be read: is empty",
        "warning: 1 clips (silent): have no embedding: no speech",
        f"{shards}: embeddings, sound: faults 0, warnings 2",
    ]
    found, status = answer("check", shards)
    assert (status, found["findings"][0]["ids"]) == (0, ["bad"])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "00001.npy").write_bytes(b"other"), "its SHA-256 is"),
        (lambda folder: (folder / "00001.done").unlink(), "1 of 2 shards"),
        (lambda folder: (folder / "extract.json").unlink(), "extract.json: not found"),
        (lambda folder: (folder / "extract.json").write_text("{"), "is no JSON"),
    ],
)
def test_embeddings_that_are_not_as_they_were_written(emovec, shards, damage, said):
    damage(shards)
    done = emovec("check", shards)
    assert (done.exit_code, said in done.stdout) == (1, True), done.stdout
    assert done.stdout.endswith(": embeddings, NOT SOUND: faults 1, warnings 0\n")


def test_a_file_of_embeddings(emovec, answer, voices, tmp_path):
    vectors = voices.vectors.copy()
    vectors[3] = 0
    embedding_files.write(replace(voices, vectors=vectors), tmp_path / "t.npz")
    found, status = answer("check", tmp_path / "t.npz")
    assert status == 0
    zero, unknown = found["findings"]
    assert zero["ids"] == [voices.ids[3]] and "no direction" in zero["what"]
    assert "does not say by which encoder" in unknown["what"]
    (tmp_path / "t.npz").write_bytes(b"PK")
    done = emovec("check", tmp_path / "t.npz")
    assert done.exit_code == 1 and "cannot be read as npz" in done.stdout


def test_options_of_a_corpus_are_none_of_a_model(emovec, model):
    done = emovec("check", model, "--splits=a.csv")
    assert done.exit_code == 2
    assert "is no corpus; expected one with --splits" in done.stderr


def test_nothing_is_there(emovec, tmp_path):
    done = emovec("check", tmp_path / "absent")
    assert done.exit_code == 1
    assert "absent: not found; expected a manifest" in done.stderr


def test_a_corpus_says_its_kind(answer, small_corpus):
    found, status = answer("check", small_corpus)
    assert (status, found["kind"], found["clips"]) == (0, "corpus", 80)
