"""Embeddings of files by the command: what is written, what is told, how it ends."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from emovec.audio.loading import load
from emovec.encoders.store import load_model
from emovec.tables.embedding_shards import read_embeddings
from emovec.tables.manifest import read_manifest, write_manifest


@pytest.fixture
def audio(small_corpus: Path, tmp_path: Path) -> Path:
    """A folder with five clips, two of them of the same base name."""
    files = sorted((small_corpus / "audio").iterdir())[:4]
    for path in files:
        (tmp_path / "audio" / "in").mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "audio" / "in")
    shutil.copy(files[1], tmp_path / "audio" / files[0].name)
    return tmp_path / "audio"


def one_by_one(encoder_folder: Path, paths: list[Path]) -> np.ndarray:
    """Embeddings of whole files, each by itself."""
    encoder = load_model(encoder_folder)
    with torch.inference_mode():
        waves = [torch.from_numpy(load(path)) for path in paths]
        rows = [encoder(wave[None], torch.tensor([len(wave)]))[0] for wave in waves]
    return np.stack([row.numpy() for row in rows])


def test_a_folder(emovec, audio, encoder_folder, tmp_path):
    out = tmp_path / "out"
    done = emovec("extract", audio, "--encoder", encoder_folder, "--output", out, "--device=cpu")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "5 written, 0 failed, 0 skipped of 5 clips" in done.stderr
    table = read_embeddings(out)
    paths = {path.relative_to(audio).as_posix(): path for path in audio.rglob("*.wav")}
    assert sorted(table.ids) == sorted(paths)
    expected = one_by_one(encoder_folder, [paths[id_] for id_ in table.ids])
    assert np.allclose(table.vectors, expected, rtol=1e-4, atol=1e-5)
    assert table.extraction.licence == "MIT"
    assert table.extraction.encoder == str(encoder_folder)
    assert len(table.extraction.encoder_checksum) == 64


def test_a_manifest_by_the_folder_of_a_run(answer, small_corpus, encoder_folder, tmp_path):
    out = tmp_path / "out"
    inputs = ("extract", small_corpus / "manifest.csv", "--output", out, "--device=cpu")
    found, status = answer(*inputs, "--encoder", encoder_folder.parent)
    assert (status, found["written"], found["expected"]) == (0, 80, 80)
    assert (found["output"], found["embedding_size"]) == (str(out), 10)
    clips = read_manifest(small_corpus / "manifest.csv")
    assert sorted(read_embeddings(out).ids) == sorted(u.id for u in clips)


def test_the_same_command_goes_on(emovec, audio, encoder_folder, tmp_path):
    out = tmp_path / "out"
    line = ("extract", audio, "--encoder", encoder_folder, "--output", out, "--device=cpu")
    emovec(*line)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    shard = min(out.glob("*.done"))
    shard.unlink()
    done = emovec(*line)
    assert done.exit_code == 0
    shards = read_embeddings(out).extraction.shards
    assert f"{out}: {shards - 1} of {shards} shards are there already" in done.stderr
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_clip_that_fails(emovec, answer, audio, encoder_folder, tmp_path):
    (audio / "broken.wav").write_text("RIFF? no")
    line = ("extract", audio, "--encoder", encoder_folder, "--device=cpu")
    done = emovec(*line, "--output", tmp_path / "stops")
    assert done.exit_code == 1
    assert "broken.wav" in done.stderr and "cannot be read" in done.stderr
    skip = (*line, "--output", tmp_path / "skips", "--on_error=skip")
    found, status = answer(*skip)
    assert (status, found["written"], found["failed"]) == (1, 5, 1)
    assert [failure["id"] for failure in found["failures"]] == ["broken.wav"]
    done = emovec(*skip, "--allow_failures=1")
    assert done.exit_code == 0
    assert "failed: broken.wav: " in done.stderr


def test_files_in_formats_that_are_not_read_count_as_failed(
    emovec, answer, audio, encoder_folder, tmp_path
):
    (audio / "phone.m4a").write_bytes(b"ftyp")
    line = ("extract", audio, "--encoder", encoder_folder, "--output", tmp_path / "out")
    done = emovec(*line, "--device=cpu")
    assert done.exit_code == 1
    assert "failed: phone.m4a: is .m4a, which is not read" in done.stderr
    assert "Error: 1 of 6 clips failed; expected at most 0" in done.stderr
    found, status = answer(*line, "--device=cpu", "--allow_failures=1")
    assert (status, found["written"], found["failed"]) == (0, 5, 0)
    assert [skip["id"] for skip in found["unread"]] == ["phone.m4a"]


def test_an_output_that_cannot_be_written(emovec, audio, encoder_folder, tmp_path):
    (tmp_path / "file").write_text("mine")
    out = tmp_path / "file" / "out"
    done = emovec("extract", audio, "--encoder", encoder_folder, "--output", out, "--device=cpu")
    assert done.exit_code == 1
    assert "could not be written" in done.stderr
    assert (tmp_path / "file").read_text() == "mine"


def test_another_encoder_s_folder_is_refused(emovec, audio, encoder_folder, tmp_path):
    other = Path(shutil.copytree(encoder_folder, tmp_path / "other"))
    out = tmp_path / "out"
    emovec("extract", audio, "--encoder", encoder_folder, "--output", out, "--device=cpu")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    done = emovec("extract", audio, "--encoder", other, "--output", out, "--device=cpu")
    assert done.exit_code == 1
    assert f"{out}: holds another run: encoder" in done.stderr
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.parametrize(
    ("options", "said", "status"),
    [
        (["{audio}", "--encoder=absent"], "'absent': no such model; expected", 1),
        (["{audio}/absent.wav", "--encoder={encoder}"], "absent.wav", 1),
        (["{audio}", "--encoder={encoder}", "--device=quantum"], "device is 'quantum'", 1),
        (["{audio}", "--encoder={encoder}", "--precision=fp8"], "'fp8' is not one of", 2),
        (["{audio}", "--encoder={encoder}", "--on_error=hope"], "'hope' is not one of", 2),
        (["{audio}", "--encoder={encoder}", "--allow_failures=-1"], "-1 is not in the range", 2),
        (["{audio}", "--encoder={encoder}", "--engine=onnx", "--device=cuda"], "expected 'cpu'", 1),
        (["{audio}"], "Missing option '--encoder'", 2),
        (["--encoder={encoder}"], "Missing argument 'INPUT...'", 2),
    ],
)
def test_what_cannot_be_extracted(emovec, audio, encoder_folder, tmp_path, options, said, status):
    line = [text.format(audio=audio, encoder=encoder_folder) for text in options]
    done = emovec("extract", *line, "--output", tmp_path / "out")
    assert (said in done.stderr, done.exit_code) == (True, status), done.stderr


def test_an_affect_model_is_no_encoder(emovec, audio, affect_folder, tmp_path):
    done = emovec("extract", audio, "--encoder", affect_folder, "--output", tmp_path / "out")
    assert done.exit_code == 1
    assert "holds AffectModel; expected an encoder" in done.stderr


def test_onnx_gives_the_same(emovec, audio, encoder_folder, tmp_path):
    for name in ("onnx", "onnxruntime"):
        pytest.importorskip(name, reason="needs the extra onnx", exc_type=ImportError)
    line = ("extract", audio, "--encoder", encoder_folder)
    for engine in ("torch", "onnx"):
        options = ("--output", tmp_path / engine, f"--engine={engine}")
        done = emovec(*line, *options, *(["--device=cpu"] if engine == "torch" else []))
        assert done.exit_code == 0, done.stderr
    one, two = (read_embeddings(tmp_path / engine) for engine in ("torch", "onnx"))
    assert one.ids == two.ids
    assert np.allclose(one.vectors, two.vectors, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_two_processes_make_the_table_of_one(small_corpus, encoder_folder, tmp_path):
    clips = read_manifest(small_corpus / "manifest.csv")
    copies = [replace(u, id=f"{u.id} {n}") for n in range(40) for u in clips]
    write_manifest(tmp_path / "manifest.csv", copies)
    (tmp_path / "audio").symlink_to(small_corpus / "audio")
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2"]
    for name, start in (("one", [sys.executable]), ("two", launch)):
        line = [*start, "-m", "emovec.cli", "extract", str(tmp_path / "manifest.csv")]
        options = [f"--encoder={encoder_folder}", f"--output={tmp_path / name}", "--device=cpu"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [*line, *options, "--json"], check=True, env=environment, capture_output=True, text=True
        )
        assert done.stdout.count('"written": 3200') == 1  # one process talks
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("one", "two")
    )
    assert one == two
