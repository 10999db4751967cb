"""Loaded separations: from a folder, and back into one."""

from pathlib import Path

import numpy as np
import pytest
import torch

import emovec
from emovec.encoders.store import save_model
from emovec.errors import HparamError, ModelError
from emovec.privacy.lrvae import LRVAE
from emovec.separator import Separator
from emovec.tables.embeddings import EmbeddingError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("separator") / "model"
    torch.manual_seed(0)
    save_model(path, LRVAE(5, ["anger", "neutral"], 3, latent_size=8, groups=4), "# A card\n")
    return path


def test_one_and_several(folder: Path) -> None:
    model = emovec.load(folder)
    assert isinstance(model, Separator)
    assert (model.input_size, model.embedding_size, model.groups) == (5, 8, 4)
    x = np.random.default_rng(0).standard_normal((3, 5))
    several = model.transform(x, keep="identity")
    assert several.shape == (3, 8) and not several[:, :4].any()
    assert np.allclose(model.transform(x[1], keep="identity"), several[1], atol=1e-6)
    assert np.array_equal(model.transform(x, "emotion", 0), model.transform(x))


def test_back_into_a_folder(folder: Path, tmp_path: Path) -> None:
    model = emovec.load(folder)
    model.save(tmp_path / "copy")
    again = emovec.load(tmp_path / "copy")
    x = np.ones((1, 5))
    assert again.card == "# A card\n" and np.array_equal(again.transform(x), model.transform(x))


def test_what_cannot_be(folder: Path) -> None:
    model = emovec.load(folder)
    with pytest.raises(EmbeddingError, match=r"expected \(N, 5\)"):
        model.transform(np.ones((2, 6)))
    with pytest.raises(HparamError, match="keep is 'voice'"):
        model.transform(np.ones((2, 5)), keep="voice")
    with pytest.raises(ModelError, match="engine 'onnx'"):
        emovec.load(folder, engine="onnx")
    with pytest.raises(ModelError, match="expected a model of clips"):
        emovec.similarity("a.wav", "b.wav", model=folder)
