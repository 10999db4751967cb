"""What commands take where no model is named, and that they say so."""

import re
import shutil
from pathlib import Path

import pytest
from recipe_modules import RECIPES

from emovec import experiment
from emovec.commands import shared
from emovec.encoders import locating
from emovec.encoders.locating import USUAL_ENCODER, USUAL_PREDICTOR


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of models that come with the package; empty."""
    (tmp_path / "shipped").mkdir()
    monkeypatch.setattr(locating, "_shipped_folder", lambda: tmp_path / "shipped")
    return tmp_path / "shipped"


@pytest.fixture
def clip(small_corpus: Path) -> Path:
    return min((small_corpus / "audio").iterdir())


def test_extract(answer, emovec, encoder_folder, shipped, clip, tmp_path):
    shutil.copytree(encoder_folder, shipped / USUAL_ENCODER)
    found, status = answer("extract", clip, "--output", tmp_path / "out")
    assert (status, found["encoder"], found["written"]) == (0, USUAL_ENCODER, 1)
    done = emovec("extract", clip, "--output", tmp_path / "again")
    assert f"encoder: {USUAL_ENCODER}" in done.stderr and "Others: --encoder" in done.stderr
    done = emovec("extract", clip, "--output", tmp_path / "named", "--encoder", encoder_folder)
    assert "Others:" not in done.stderr


def test_verify(answer, emovec, encoder_folder, shipped, clip):
    shutil.copytree(encoder_folder, shipped / USUAL_ENCODER)
    found, status = answer("verify", clip, clip)
    assert (status, found["encoder"]) == (0, USUAL_ENCODER)
    assert "Others: --encoder" in emovec("verify", clip, clip).stderr


def test_emotion(answer, emovec, affect_folder, shipped, clip):
    shutil.copytree(affect_folder, shipped / USUAL_PREDICTOR)
    found, status = answer("emotion", clip)
    assert (status, found["model"]) == (0, USUAL_PREDICTOR)
    said = emovec("emotion", clip).stderr
    assert f"model: {USUAL_PREDICTOR}" in said and "emosphere_large.yaml" in said


def test_folders_of_those_names_are_not_taken(
    answer, encoder_folder, affect_folder, shipped, clip, tmp_path, monkeypatch
):
    """Where nobody named a model, what lies where the command runs is not meant."""
    shutil.copytree(encoder_folder, shipped / USUAL_ENCODER)
    shutil.copytree(affect_folder, shipped / USUAL_PREDICTOR)
    for name in (USUAL_ENCODER, USUAL_PREDICTOR):
        (tmp_path / "here" / name).mkdir(parents=True)  # no models: to take them is an error
    monkeypatch.chdir(tmp_path / "here")
    for command, *rest in (
        ("extract", clip, "--output", tmp_path / "out"),
        ("verify", clip, clip),
        ("emotion", clip),
    ):
        assert answer(command, *rest)[1] == 0


@pytest.mark.parametrize(
    ("command", "name", "option", "status"),
    [
        ("extract", USUAL_ENCODER, "--encoder", 1),
        ("emotion", USUAL_PREDICTOR, "--model", 1),
        ("verify", USUAL_ENCODER, "--encoder", 2),
    ],
)
def test_none_comes_along(emovec, shipped, clip, tmp_path, command, name, option, status):
    rest = {"extract": ["--output", tmp_path / "out"], "verify": [clip], "emotion": []}[command]
    done = emovec(command, clip, *rest)
    assert (done.exit_code, done.stdout) == (status, "")
    assert f"the usual one, '{name}', does not come with this release (none does)" in done.stderr
    assert f"Pass {option}" in done.stderr


def test_all_places_name_the_same(emovec):
    """Help and hparams are written without the constants."""
    for command, name in (
        ("extract", USUAL_ENCODER),
        ("verify", USUAL_ENCODER),
        ("emotion", USUAL_PREDICTOR),
    ):
        text = " ".join(emovec(command, "--help").stdout.split())
        assert re.search(rf"Default:\s*{name}", text), text
    assert USUAL_ENCODER in shared.USUAL_ENCODER_HELP
    hparams = experiment.plain_hparams([str(RECIPES.parent / "hparams" / "extract.yaml")])
    assert hparams["encoder"] == USUAL_ENCODER
