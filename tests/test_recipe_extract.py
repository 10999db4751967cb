"""Extraction of embeddings from end to end on the small corpus."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from recipe_modules import load_recipe

from emovec.cli import main as command
from emovec.encoders.resnet import ResNet
from emovec.encoders.store import save_model
from emovec.errors import AudioError, EmovecError, HparamError
from emovec.tables.embedding_shards import read_embeddings

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "recipes" / "embeddings" / "extract.py"


@pytest.fixture(scope="module")
def main() -> Callable[[list[str]], None]:
    return load_recipe("embeddings/extract.py").main


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small encoder with random weights, in the folder of a run."""
    folder = tmp_path_factory.mktemp("speaker")
    torch.manual_seed(0)
    save_model(folder / "model", ResNet(channels=(4,), blocks=(1,), embedding_size=6), "# x\n")
    return folder


@pytest.fixture
def line(small_corpus: Path, encoder_folder: Path, tmp_path: Path) -> list[str]:
    return [
        str(ROOT / "hparams" / "extract.yaml"),
        f"--inputs=[{small_corpus / 'manifest.csv'}]",
        f"--encoder={encoder_folder}",
        f"--run_folder={tmp_path / 'run'}",
        "--device=cpu",
    ]


def test_it_is_the_command(main, line, small_corpus, encoder_folder, tmp_path):
    main(line)
    arguments = ["extract", str(small_corpus / "manifest.csv"), f"--encoder={encoder_folder}"]
    out = ["--output", str(tmp_path / "out"), "--device=cpu"]
    assert CliRunner().invoke(command, [*arguments, *out]).exit_code == 0
    shards = tmp_path / "run" / "shards"
    files = [{p.name: p.read_bytes() for p in d.iterdir()} for d in (shards, tmp_path / "out")]
    assert files[0] == files[1]
    assert len(read_embeddings(shards).ids) == 80
    assert (tmp_path / "run" / "hparams.yaml").is_file()


def test_windows(main, line, tmp_path):
    main([*line, "--window=0.2", "--hop=0.1"])
    table = read_embeddings(tmp_path / "run" / "shards")
    assert len(table.ids) > len(set(table.columns["clip"])) == 80
    assert np.isfinite(table.vectors).all()


def test_a_run_that_was_broken_goes_on(main, line, tmp_path):
    main(line)
    shards = tmp_path / "run" / "shards"
    before = {path.name: path.read_bytes() for path in shards.iterdir()}
    min(shards.glob("*.done")).unlink()
    main(line)
    assert {path.name: path.read_bytes() for path in shards.iterdir()} == before


def test_clips_that_fail(main, line, small_corpus, tmp_path):
    corpus = Path(shutil.copytree(small_corpus, tmp_path / "corpus"))
    min((corpus / "audio").iterdir()).write_text("RIFF? no")
    line = [*line, f"--inputs=[{corpus / 'manifest.csv'}]"]
    with pytest.raises(EmovecError, match="cannot be read"):
        main(line)
    skip = [*line, "--on_error=skip", "--name=skips", f"--run_folder={tmp_path / 'skips'}"]
    with pytest.raises(AudioError, match="1 of 80 clips failed; expected at most 0"):
        main(skip)
    facts = json.loads((tmp_path / "skips" / "shards" / "extract.json").read_text())
    assert (facts["written"], facts["failed"]) == (79, 1)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--engine=jax", "engine is 'jax'; expected 'torch' or 'onnx'"),
        ("--precision=fp8", "fp8"),
        ("--on_error=hope", "hope"),
        ("--window=-1.0", "window"),
        ("--hop=0.1", "hop"),
        ("--encoder=absent", "'absent': no such model"),
        ("--encoder=null", "encoder is None; expected str"),
        ("--inputs=a.wav", "inputs is 'a.wav'; expected list"),
        ("--batch=3", "unknown"),
    ],
)
def test_impossible_hparam(main, line, option, said):
    with pytest.raises(EmovecError, match=said):
        main([*line, option])


def test_another_setting_needs_another_folder(main, line):
    main(line)
    with pytest.raises(HparamError, match="holds a run with"):
        main([*line, "--window=0.2"])


def test_an_error_is_one_message_and_no_traceback(tmp_path):
    file = str(ROOT / "hparams" / "extract.yaml")
    options = ["--encoder=absent", f"--run_folder={tmp_path / 'run'}"]
    done = subprocess.run(
        [sys.executable, RECIPE, file, *options], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("ModelError: 'absent': no such model")
    assert "Traceback" not in done.stderr
