"""Embeddings of files by the command: what is written, what is told, how it ends."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import emovec as package
from emovec.audio.loading import load
from emovec.encoders.pooling import MeanPooling
from emovec.encoders.resnet import ResNet
from emovec.encoders.store import load_model, save_model
from emovec.tables.embedding_shards import ShardWriter, read_embeddings
from emovec.tables.manifest import Utterance, read_manifest, write_manifest
from emovec.training.models import EmotionModel


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
        (["--encoder={encoder}"], "Missing argument 'INPUT...'", 2),
    ],
)
def test_what_cannot_be_extracted(emovec, audio, encoder_folder, tmp_path, options, said, status):
    line = [text.format(audio=audio, encoder=encoder_folder) for text in options]
    done = emovec("extract", *line, "--output", tmp_path / "out")
    assert (said in done.stderr, done.exit_code) == (True, status), done.stderr


def test_of_a_model_that_predicts(emovec, audio, affect_folder, tmp_path):
    tone = np.sin(np.arange(14 * 16000) / 9) / 3
    soundfile.write(audio / "long.wav", tone, 16000)
    out = tmp_path / "out"
    line = ("extract", audio, "--encoder", affect_folder, "--device=cpu", "--output")
    assert package.load(affect_folder, device="cpu").max_seconds == 0.6
    done = emovec(*line, out)
    assert done.exit_code == 0, done.stderr
    assert "clips are cut at 0.6 s, the length that the model was trained on" in done.stderr
    table = read_embeddings(out)
    model = package.load(affect_folder, device="cpu")
    expected = model.embed([audio / id_ for id_ in table.ids])
    assert len(table.ids) == 6
    assert np.allclose(table.vectors, expected, rtol=1e-4, atol=1e-5)
    done = emovec(*line, tmp_path / "windows", "--window=1.0", "--on_error=skip")
    assert done.exit_code == 0 and len(read_embeddings(tmp_path / "windows").ids) == 14
    done = emovec(*line, tmp_path / "onnx", "--engine=onnx")
    assert (done.exit_code, "with engine 'onnx'; expected an encoder" in done.stderr) == (1, True)


def test_a_model_that_predicts_and_looks_for_speech(emovec, audio, tmp_path):
    torch.manual_seed(0)
    encoder = ResNet(channels=(4, 6), blocks=(1, 1), embedding_size=10)
    model = EmotionModel(encoder, ["anger", "joy"], max_seconds=0.4).eval()
    save_model(tmp_path / "model", model, "# e\n")
    soundfile.write(audio / "silent.wav", np.zeros(9000), 16000)
    out = tmp_path / "out"
    done = emovec("extract", audio, "--encoder", tmp_path / "model", "--output", out)
    assert done.exit_code == 0, done.stderr
    assert "skipped: silent.wav: no speech is heard in it" in done.stderr
    table = read_embeddings(out)
    expected = package.load(tmp_path / "model").embed([audio / id_ for id_ in table.ids])
    assert np.allclose(table.vectors, expected, rtol=1e-4, atol=1e-5) and len(table.ids) == 5


def test_what_is_no_encoder(emovec, audio, tmp_path):
    save_model(tmp_path / "model", MeanPooling(4), "# p\n")
    done = emovec("extract", audio, "--encoder", tmp_path / "model", "--output", tmp_path / "out")
    assert (done.exit_code, "holds MeanPooling; expected an encoder" in done.stderr) == (1, True)


def test_ctrl_c_says_how_far_it_is(emovec, audio, encoder_folder, tmp_path, monkeypatch):
    line = ("extract", audio, "--encoder", encoder_folder, "--device=cpu", "--output")
    emovec(*line, tmp_path / "whole")
    monkeypatch.setattr("emovec.encoders.pieces.ROWS_OF_SHARD", 2)  # a clip is a row
    emovec(*line, tmp_path / "shards")
    (out := tmp_path / "out").mkdir()
    write, seen = ShardWriter.write, []

    def interrupted(*arguments: Any, **options: Any) -> None:
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(write(*arguments, **options))

    with monkeypatch.context() as patch:
        patch.setattr(ShardWriter, "write", interrupted)
        done = emovec(*line, out)
    assert (done.exit_code, done.stdout) == (130, "")
    said = f"stopped: 4 of 5 clips are done: {out}; the same command goes on"
    assert done.stderr.splitlines()[-1] == said
    assert emovec(*line, out).exit_code == 0
    one, two = (
        {p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in ("out", "shards")
    )
    assert one == two


@pytest.mark.slow
def test_a_real_ctrl_c(encoder_folder, tmp_path):
    """A process of its own, which is interrupted in the middle."""
    for number in range(20):
        wave = np.random.default_rng(number).normal(0, 0.1, 500 * 16000)
        soundfile.write(tmp_path / f"{number}.wav", wave, 16000)
    out = tmp_path / "out"
    start = [sys.executable, "-m", "emovec.cli", "extract", str(tmp_path), "--device=cpu"]
    line = [*start, f"--encoder={encoder_folder}", f"--output={out}"]
    # a process in the background ignores it, and what that starts does, too
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    run = subprocess.Popen(line, stderr=subprocess.PIPE, text=True, preexec_fn=heed)
    deadline = time.monotonic() + 120
    while not (out / "extract.json").is_file() and time.monotonic() < deadline:
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=120)
    assert run.returncode == 130, said
    assert said.splitlines()[-1].startswith("stopped: 0 of 20 clips are done"), said
    assert "Traceback" not in said


@pytest.mark.parametrize("kind", ["files", "folder", "manifest"])
@pytest.mark.parametrize("window", [[], ["--window=0.1"]])
def test_a_file_without_samples_has_failed(answer, audio, encoder_folder, tmp_path, kind, window):
    none = audio / "none.wav"
    soundfile.write(none, np.zeros(0), 16000)
    rows = [Utterance("none.wav", "none.wav", None, None, 1.0)]
    rows.append(
        Utterance(
            "in", next((audio / "in").iterdir()).relative_to(audio).as_posix(), None, None, 0.3
        )
    )
    write_manifest(tmp_path / "clips.csv", [replace(u, path=f"audio/{u.path}") for u in rows])
    inputs = {
        "files": [none, *(audio / "in").iterdir()],
        "folder": [audio],
        "manifest": [tmp_path / "clips.csv"],
    }[kind]
    line = ("extract", *inputs, "--encoder", encoder_folder, "--output", tmp_path / "out")
    found, status = answer(*line, "--device=cpu", "--on_error=skip", *window)
    assert (status, found["failed"], found["skipped"]) == (1, 1, 0)
    (failure,) = found["failures"]
    assert failure["id"] == "none.wav"
    assert failure["reason"] == f"{none}: no samples; expected some speech. Leave the clip out."


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
