"""What can be loaded, as far as it is known without fetching anything."""

import shutil

import torch

from emovec.audio.functionals import NAMES
from emovec.commands import models
from emovec.encoders import locating
from emovec.encoders.foreign import MODELS, SpeechBrainEncoder


def test_all_that_there_is(answer, emovec):
    rows, status = answer("models")
    assert status == 0
    by_name = {row["name"]: row for row in rows}
    assert len(by_name) == len(rows)
    assert str(len(NAMES)) in by_name["functionals"]["summary"]
    assert by_name["egemaps"]["licence"] == "for research only"
    for published in MODELS.values():
        row = by_name[published.repository]
        assert published.repository in row["source"] and published.revision in row["source"]
    text = emovec("models").stdout
    assert all(name in text for name in by_name)
    assert "organisation/name@revision" in text


def test_sizes_are_those_of_the_networks():
    for name in MODELS:
        with torch.device("meta"):  # no memory is taken
            parameters = SpeechBrainEncoder(name).parameters()
        assert models._WEIGHTS[name] == 4 * sum(weight.numel() for weight in parameters)


def test_models_of_the_package(answer, emovec, encoder_folder, tmp_path, monkeypatch):
    shutil.copytree(encoder_folder, tmp_path / "models" / "small")
    monkeypatch.setattr(locating, "_shipped_folder", lambda: tmp_path / "models")
    rows, _ = answer("models")
    row = rows[0]
    assert (row["name"], row["kind"], row["licence"]) == ("small", "resnet", "MIT")
    assert row["summary"] == "A network."
    assert row["bytes"] == sum(path.stat().st_size for path in encoder_folder.iterdir())
    assert "small" in emovec("models").stdout.splitlines()[1]
