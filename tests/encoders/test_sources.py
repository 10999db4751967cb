"""Sources by name, and several at once: only clips that all of them have."""

from pathlib import Path

import numpy as np
import pytest
import torch

from emovec.audio.functionals import NAMES, Extractor
from emovec.encoders.pooling import MeanPooling
from emovec.encoders.resnet import ResNet
from emovec.encoders.sources import embed, open_sources
from emovec.encoders.store import save_model
from emovec.errors import HparamError, ModelError
from emovec.tables.manifest import read_manifest


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model folder of a small encoder at 8 kHz."""
    torch.manual_seed(0)
    options = {"channels": (4, 6), "blocks": (1, 1), "embedding_size": 5, "sample_rate": 8000}
    save_model(tmp_path / "model", ResNet(**options), "card")
    return tmp_path / "model"


def test_sources_are_opened_by_name(model: Path) -> None:
    ours, encoder = open_sources(["functionals", str(model)])
    assert isinstance(ours, Extractor) and ours.names == NAMES
    assert isinstance(encoder, ResNet) and not encoder.training


def test_models_are_named_as_everywhere(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = []

    def fetch(repository: str, revision: str) -> Path:
        fetched.append((repository, revision))
        return model

    monkeypatch.setattr("emovec.encoders.hub.fetch", fetch)
    monkeypatch.setattr("emovec.encoders.locating._shipped_folder", lambda: tmp_path)
    run = tmp_path  # of the run that has model/, as it comes with the package a model of that name
    by_run, shipped, of_hub, by_folder = open_sources([str(run), "model", "a/b@c0ffee", str(model)])
    assert fetched == [("a/b", "c0ffee")]
    waves, lengths = torch.ones(1, 8000).cumsum(dim=1).sin(), torch.tensor([8000])
    with torch.inference_mode():
        for source in (by_run, shipped, of_hub):
            assert torch.equal(source(waves, lengths), by_folder(waves, lengths))


def test_unknown_sources_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        HparamError, match=r"'egemap': no such model; expected .* Or give one of functionals, eg"
    ):
        open_sources(["egemap"])
    for names in ([], ["functionals", "functionals"]):
        with pytest.raises(HparamError, match="expected one or more, each once"):
            open_sources(names)
    with pytest.raises(HparamError, match=r"name of the Hugging Face hub without a revision"):
        open_sources(["speakers/xvector"])
    with pytest.raises(ModelError, match=r"no config\.json"):
        open_sources([str(tmp_path)])
    save_model(tmp_path / "pooling", MeanPooling(4), "card")
    with pytest.raises(HparamError, match="holds a MeanPooling; expected an encoder"):
        open_sources([str(tmp_path / "pooling")])


def test_sources_stand_side_by_side_of_the_clips_that_all_have(
    model: Path, small_corpus: Path
) -> None:
    clips = read_manifest(small_corpus / "manifest.csv")[:6]
    sizes = iter([1.0, np.nan, 2.0, 3.0, 4.0, 5.0])
    picky = Extractor("picky", ("size",), lambda wave, rate: np.array([next(sizes)]))
    (encoder,) = open_sources([str(model)])
    found = embed([picky, encoder], clips, small_corpus)
    only = embed([encoder], clips, small_corpus)
    assert only.ids == [u.id for u in clips] and only.embeddings.shape == (6, 5)
    assert found.ids == [only.ids[row] for row in (0, 2, 3, 4, 5)]
    assert found.embeddings[:, 0].tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(found.embeddings[:, 1:], only.embeddings[[0, 2, 3, 4, 5]])
    assert [(s.id, s.reason) for s in found.skipped] == [
        (clips[1].id, "picky has no value for 1 of its 1")
    ]


def test_whole_clips_unless_they_are_cut(small_corpus: Path) -> None:
    clips = read_manifest(small_corpus / "manifest.csv")[:4]
    length = Extractor("length", ("samples",), lambda wave, rate: np.array([len(wave)]))
    whole = embed([length], clips, small_corpus).embeddings[:, 0]
    np.testing.assert_array_equal(whole, [round(u.duration * 16000) for u in clips])
    cut = embed([length], clips, small_corpus, max_seconds=0.25).embeddings[:, 0]
    assert cut.tolist() == [4000] * 4
