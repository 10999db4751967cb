"""Commands as a user types them, and what they are given."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from emovec.cli import main
from emovec.encoders.pooling import MeanPooling
from emovec.encoders.resnet import ResNet
from emovec.encoders.store import save_model
from emovec.encoders.wavlm import WavLM
from emovec.tables import embedding_files
from emovec.tables.embeddings import Embeddings, column
from emovec.tables.manifest import read_manifest
from emovec.training.models import AffectModel

Run = Callable[..., Result]


@pytest.fixture
def emovec(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command; what it prints and how it ends. Nothing ends with a traceback."""

    def run(*arguments: object) -> Result:
        line = [str(argument) for argument in arguments]
        monkeypatch.setattr(sys, "argv", ["emovec", *line])
        result = CliRunner().invoke(main, line)
        if not isinstance(result.exception, SystemExit | None):
            raise result.exception
        return result

    return run


@pytest.fixture
def answer(emovec: Run) -> Callable[..., tuple[dict, int]]:
    """Runs a command with --json; all of standard output as JSON, and how it ends."""

    def run(*arguments: object) -> tuple[dict, int]:
        result = emovec(*arguments, "--json")
        return json.loads(result.stdout), result.exit_code

    return run


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small encoder with random weights."""
    folder = tmp_path_factory.mktemp("run") / "model"
    torch.manual_seed(0)
    encoder = ResNet(channels=(4, 6), blocks=(1, 1), embedding_size=10)
    save_model(folder, encoder.eval(), "# small\n\nA network.\n\n- Licence: MIT\n")
    return folder


@pytest.fixture(scope="session")
def affect_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small affect model with random weights, of the demonstration corpus."""
    folder = tmp_path_factory.mktemp("affect") / "model"
    torch.manual_seed(0)
    heads = {
        "affect": ["valence", "arousal", "dominance"],
        "region": [str(number) for number in range(8)],
        "emotion": ["anger", "neutral"],
    }
    axes = ("arousal", "valence", "dominance")
    encoder, pooling = WavLM("tiny"), MeanPooling(128)
    model = AffectModel(encoder, pooling, heads, 16, 0.2, 0.01, 0.1, (1, 7), 8, axes, 0.6)
    card = "# affect\n\n> **Synthetic demonstration: never evidence.**\n\nA network.\n"
    save_model(folder, model.eval(), card)
    return folder


@pytest.fixture(scope="session")
def voices(small_corpus: Path) -> Embeddings:
    """Embeddings of all clips of the small corpus with their labels: voices with noise."""
    clips = read_manifest(small_corpus / "manifest.csv")
    random = np.random.default_rng(0)
    voice = {name: random.normal(size=8) for name in sorted({u.speaker for u in clips})}
    vectors = np.array([voice[u.speaker] + random.normal(size=8) for u in clips], np.float32)
    columns = {
        name: column(name, [getattr(u, name) for u in clips])
        for name in ("speaker", "emotion", "gender")
    }
    return Embeddings([u.id for u in clips], vectors, None, columns)


@pytest.fixture
def table(voices: Embeddings, tmp_path: Path) -> Path:
    """The voices as a file."""
    path = tmp_path / "voices.npz"
    embedding_files.write(voices, path)
    return path
