import pytest
import torch

import emovec
from emovec.encoders import converted as module
from emovec.encoders import foreign
from emovec.encoders.foreign import CHECKPOINT, MODELS, SpeechBrainEncoder
from emovec.encoders.locating import find_model
from emovec.encoders.store import load_model
from emovec.errors import ModelError

NAME = "speechbrain/spkrec-xvect-voxceleb"


@pytest.fixture
def fetched(tmp_path, monkeypatch):
    """Random weights in place of the published; what was asked for is listed."""
    torch.manual_seed(0)
    encoder = SpeechBrainEncoder("xvector")
    torch.save(encoder.network.state_dict(), tmp_path / CHECKPOINT)
    asked = []

    def download(repository, file, revision):
        asked.append((repository, file, revision))
        return str(tmp_path / CHECKPOINT)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path / "cache"))
    return encoder, asked


def test_a_published_model_becomes_a_folder_once(fetched):
    encoder, asked = fetched
    folder = find_model(NAME)
    assert asked == [(NAME, CHECKPOINT, MODELS["xvector"].revision)]
    waves, lengths = 0.1 * torch.randn(2, 16000), torch.tensor([16000, 9000])
    with torch.inference_mode():
        expected = encoder.eval()(waves, lengths)
        assert torch.equal(load_model(folder)(waves, lengths), expected)
    assert find_model(f"{NAME}@{MODELS['xvector'].revision}") == folder and len(asked) == 1
    assert emovec.load(NAME).embedding_size == 512
    assert "Apache-2.0" in (folder / "card.md").read_text()


def test_another_revision_is_refused(fetched):
    with pytest.raises(ModelError, match="revision is 0a1b; expected 56895a2d"):
        find_model(f"{NAME}@0a1b")


def test_what_cannot_be_fetched_leaves_no_folder(tmp_path, monkeypatch):
    def offline(*_arguments, **_options):
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", offline)
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path))
    with pytest.raises(ModelError, match="could not be fetched"):
        find_model(NAME)
    assert list(tmp_path.rglob("config.json")) == []


def test_every_published_model_has_a_name():
    assert set(module.NAMES.values()) == set(foreign.MODELS)
