"""Predictions of files: as a table, as CSV, as JSON."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import emovec as package
from emovec.encoders.resnet import ResNet
from emovec.encoders.store import save_model
from emovec.tables.manifest import Utterance, write_manifest
from emovec.training.models import EmotionModel


@pytest.fixture
def files(small_corpus: Path) -> list[Path]:
    return sorted((small_corpus / "audio").iterdir())[:3]


@pytest.fixture(scope="session")
def emotion_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of three emotions with random weights."""
    torch.manual_seed(0)
    encoder = ResNet(channels=(4, 6), blocks=(1, 1), embedding_size=10)
    folder = tmp_path_factory.mktemp("emotion") / "model"
    save_model(folder, EmotionModel(encoder, ["anger", "joy", "neutral"]).eval(), "# e\n")
    return folder


def test_numbers_are_those_of_the_model(answer, affect_folder, files):
    found, status = answer("emotion", *files, "--model", affect_folder, "--device=cpu")
    assert status == 0
    assert found["model"] == str(affect_folder)
    assert found["affect_scale"] == [1, 7]
    assert found["warnings"] == ["Synthetic demonstration: never evidence."]
    assert found["failures"] == []
    model = package.load(affect_folder, device="cpu")
    for row, file in zip(found["predictions"], files, strict=True):
        said = model.predict(file)
        assert row["file"] == str(file)
        assert row["valence"] == pytest.approx(said.valence, rel=1e-4)
        assert row["region"] == said.region
        assert row["emotions"] == pytest.approx(said.emotions, rel=1e-4)


def test_a_table_for_people(emovec, affect_folder, files):
    done = emovec("emotion", *files, "--model", affect_folder.parent)  # the run's folder
    assert done.exit_code == 0
    scale, header, *rows = done.stdout.splitlines()
    assert scale == "affect from 1 to 7, as the model's corpus has it"
    assert header.split() == ["file", "valence", "arousal", "dominance", "region", "emotion"]
    assert [row.split()[0] for row in rows] == list(map(str, files))
    assert len({row.index("%)") for row in rows}) == 1  # aligned
    assert "warning: " in done.stderr and "never evidence" in done.stderr


def test_a_model_of_emotions(emovec, answer, emotion_folder, files, tmp_path):
    found, status = answer("emotion", files[0], "--model", emotion_folder)
    assert (status, found["affect_scale"], found["warnings"]) == (0, None, [])
    (row,) = found["predictions"]
    assert set(row["emotions"]) == {"anger", "joy", "neutral"}
    assert row["emotion"] == max(row["emotions"], key=row["emotions"].get)
    done = emovec("emotion", *files, "--model", emotion_folder)
    assert "affect" not in done.stdout.splitlines()[0]
    line = ("emotion", *files, "--model", emotion_folder, "--csv", tmp_path / "said" / "e.csv")
    done = emovec(*line)
    assert (done.exit_code, done.stdout) == (0, "")
    with (tmp_path / "said" / "e.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == list(map(str, files))
    shares = [float(rows[0][f"probability_{name}"]) for name in ("anger", "joy", "neutral")]
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    assert list(rows[0]) == [
        "file",
        "emotion",
        "probability_anger",
        "probability_joy",
        "probability_neutral",
    ]


def test_one_file_that_cannot_be_heard(emovec, answer, affect_folder, files, tmp_path):
    line = ("emotion", files[0], tmp_path / "absent.wav", files[1], "--model", affect_folder)
    found, status = answer(*line)
    assert status == 1
    assert [row["file"] for row in found["predictions"]] == [str(files[0]), str(files[1])]
    (failure,) = found["failures"]
    assert failure["id"] == str(tmp_path / "absent.wav") and "not found" in failure["reason"]
    done = emovec(*line)
    assert (done.exit_code, len(done.stdout.splitlines())) == (1, 4)
    assert "failed: " in done.stderr


def test_no_file_can_be_heard(emovec, affect_folder, tmp_path):
    line = ("emotion", tmp_path / "absent.wav", "--model", affect_folder)
    done = emovec(*line)
    assert (done.exit_code, done.stdout) == (1, "")
    done = emovec(*line, "--csv", tmp_path / "e.csv")
    assert (done.exit_code, (tmp_path / "e.csv").read_text()) == (1, "file\n")


def test_names_that_would_break_a_line(emovec, affect_folder, files, tmp_path):
    odd = tmp_path / "zwei\nZeilen\x1b[2J Ł.wav"
    shutil.copy(files[0], odd)
    done = emovec("emotion", odd, "--model", affect_folder)
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 3
    assert "zwei\\nZeilen\\x1b[2J Ł.wav" in done.stdout


@pytest.mark.parametrize(
    ("options", "said", "status"),
    [
        (["a.wav", "--model=absent"], "'absent': no such model", 1),
        (["a.wav", "--model={encoder}"], "holds an encoder, which predicts nothing", 2),
        (["a.wav", "--model={encoder}", "--json", "--csv=a.csv"], "--json and --csv found", 2),
        ([], "Missing argument 'INPUT...'", 2),
    ],
)
def test_what_cannot_be_predicted(emovec, encoder_folder, options, said, status):
    done = emovec("emotion", *(text.format(encoder=encoder_folder) for text in options))
    assert (said in done.stderr, done.exit_code) == (True, status), done.stderr


# --- Folders, globs and manifests


@pytest.fixture
def folder(files: list[Path], tmp_path: Path) -> Path:
    """The files, one of them in a folder within, beside what is no audio."""
    for path, name in zip(files, ("b.wav", "a.wav", "in/c.wav"), strict=True):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "data" / name)
    (tmp_path / "data" / "notes.txt").write_text("no audio")
    return tmp_path / "data"


def named(found: dict) -> list[str]:
    return [row["file"] for row in found["predictions"]]


def test_folders_and_globs(answer, affect_folder, folder, files, monkeypatch):
    monkeypatch.chdir(folder.parent)
    model = f"--model={affect_folder}"
    found, status = answer("emotion", "data", model)
    assert (status, named(found)) == (0, ["data/a.wav", "data/b.wav", "data/in/c.wav"])
    one, _ = answer("emotion", files[0], model)
    assert found["predictions"][1]["valence"] == one["predictions"][0]["valence"]
    found, _ = answer("emotion", f"{folder}/*.wav", model)
    assert named(found) == [f"{folder}/a.wav", f"{folder}/b.wav"]
    found, _ = answer("emotion", "data/**/c.wav", "data/b.wav", "data/in", "data/b.wav", model)
    assert named(found) == ["data/in/c.wav", "data/b.wav"]  # as named, each once


def test_what_a_folder_has_that_is_not_read(answer, affect_folder, folder):
    (folder / "phone.m4a").touch()
    soundfile.write(folder / "none.wav", np.zeros(0), 16000)
    found, status = answer("emotion", folder, folder.parent / "no*", "--model", affect_folder)
    assert (status, len(found["predictions"])) == (1, 3)
    reasons = {failure["id"]: failure["reason"] for failure in found["failures"]}
    assert set(reasons) == {"phone.m4a", f"{folder}/none.wav", f"{folder.parent}/no*"}
    assert "is .m4a, which is not read" in reasons["phone.m4a"]
    assert "none.wav: no samples; expected" in reasons[f"{folder}/none.wav"]
    assert "no audio files found" in reasons[f"{folder.parent}/no*"]


def test_a_manifest_with_stretches(answer, emovec, affect_folder, folder):
    rows = [
        Utterance("whole", "b.wav", None, None, 0.3),
        Utterance("late", "b.wav", 0.1, 0.25, 0.15),
        Utterance("beyond", "b.wav", 90.0, None, 1.0),
    ]
    write_manifest(folder / "manifest.csv", rows)
    found, status = answer("emotion", folder, "--model", affect_folder)
    assert (status, named(found)) == (1, ["whole", "late"])
    assert [failure["id"] for failure in found["failures"]] == ["beyond"]
    wave, rate = soundfile.read(folder / "b.wav", dtype="float32")
    model = package.load(affect_folder, device="cpu")
    said = model.predict(wave[round(0.1 * rate) : round(0.25 * rate)], rate)
    assert found["predictions"][1]["valence"] == pytest.approx(said.valence, rel=1e-4)
    done = emovec("emotion", folder / "manifest.csv", folder, "--model", affect_folder)
    assert done.exit_code == 1 and "the manifest alone" in done.stderr
