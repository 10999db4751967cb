"""The speaker recipe with DeepTalk and the losses that compare clips, from end to end."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile
import torch
from recipe_modules import load_recipe

from emovec import experiment
from emovec.audio.loading import load
from emovec.encoders.deeptalk import DeepTalk
from emovec.encoders.store import load_model
from emovec.errors import HparamError, TrainingError
from emovec.tables.manifest import read_manifest, write_manifest
from emovec.tables.results import read_result
from emovec.tables.splits import Assignment, read_splits
from emovec.training.brain import TaskBrain

ROOT = Path(__file__).parents[1]
RATE = 16000
SECONDS = 1.3
CRITERIA = ("triplet", "generalised_end_to_end")
TINY = (
    "--chunk_seconds=[0.1, 0.1]",
    "--batch_size=8",
    "--utterances_per_speaker=4",
    "--held_out=0.2",  # two of the ten speakers
    "--epochs=2",
    "--workers=0",
    "--device=cpu",
)


class KilledError(Exception):
    """Stands for the power cut."""


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    return load_recipe("speaker/train.py")


@pytest.fixture(scope="module")
def corpus(small_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small corpus with clips over a second, but one of each speaker's."""
    folder = Path(shutil.copytree(small_corpus, tmp_path_factory.mktemp("deeptalk") / "long"))
    rows = []
    for row in read_manifest(folder / "manifest.csv"):
        wave, _ = soundfile.read(folder / row.path)
        seconds = 0.9 if row.id.endswith("anger_1") else SECONDS
        wave = np.resize(wave, int(seconds * RATE))
        soundfile.write(folder / row.path, wave, RATE)
        rows.append(replace(row, duration=len(wave) / RATE))
    write_manifest(folder / "manifest.csv", rows)
    return folder


def command(corpus: Path, folder: Path, *more: str) -> list[str]:
    return [
        str(ROOT / "hparams" / "deeptalk_small.yaml"),
        f"--corpora=[{corpus}]",
        f"--run_folder={folder}",
        f"--prepared_folder={folder.parent / 'data'}",
        *TINY,
        *more,
    ]


@pytest.fixture(scope="module", params=CRITERIA)
def run(
    corpus: Path,
    recipe: ModuleType,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Path:
    folder = tmp_path_factory.mktemp("runs") / request.param
    recipe.main(command(corpus, folder, f"--criterion={request.param}"))
    return folder


def history(folder: Path) -> list[dict[str, float]]:
    rows = json.loads((folder / "history.json").read_text())
    return [{key: row[key] for key in row if "seconds" not in key} for row in rows]


def held_out(folder: Path) -> list[Assignment]:
    rows = read_splits(folder.parent / "data" / "splits" / "held-out-speakers.csv")
    return [row for row in rows if row.split != "train"]


def weights(folder: Path) -> bytes:
    return (folder / "model" / "model.safetensors").read_bytes()


def test_everything_is_written(run: Path) -> None:
    rows = history(run)
    assert [row["epoch"] for row in rows] == [1, 2]
    expected = {"train/loss", "valid/loss", "valid/eer/pooled", "valid/error"}
    assert set(rows[0]) == {"epoch", *expected}  # no accuracy: there are no classes
    assert all(row["valid/error"] == row["valid/eer/pooled"] for row in rows)
    result = read_result(run / "result.json")
    found = {metric.metric: metric for metric in result.metrics}
    assert found["eer/pooled"].speakers == 2 and 0 <= found["eer/pooled"].value <= 1
    assert result.run.hparams["criterion"] == run.name
    assert (run / "figures" / "learning_curves.png").is_file()
    reasons = {skip.id: skip.reason for skip in result.skipped}
    assert {row.id for row in held_out(run) if row.id.endswith("anger_1")} <= set(reasons)
    assert set(reasons.values()) == {"less than 1 s of speech is heard in it"}
    model = load_model(run / "model")
    assert type(model) is DeepTalk and (model.sample_rate, model.embedding_size) == (8000, 256)
    assert "tell apart the speakers" in (run / "model" / "card.md").read_text()


def test_the_saved_model_gives_the_rate_of_the_result(run: Path, corpus: Path) -> None:
    """Two speakers' clips one by one, and a rate by looking at each threshold."""
    result = read_result(run / "result.json")
    test = {row.id for row in held_out(run) if row.split == "test"}
    rows = read_manifest(corpus / "manifest.csv")
    clips = [row for row in rows if f"small/{row.id}" in test and row.duration > 1]
    model = load_model(run / "model")
    vectors = []
    for clip in clips:
        wave = torch.from_numpy(load(corpus / clip.path, sample_rate=8000))
        with torch.inference_mode():
            vector = model(wave[None], torch.tensor([len(wave)]))[0].double().numpy()
        vectors.append(vector / np.linalg.norm(vector))
    pairs = [(i, j) for i in range(len(clips)) for j in range(i)]
    scores = np.array([vectors[i] @ vectors[j] for i, j in pairs])
    same = np.array([clips[i].speaker == clips[j].speaker for i, j in pairs])
    missed = np.array([(scores[same] < end).mean() for end in np.sort(scores)])
    accepted = np.array([(scores[~same] >= end).mean() for end in np.sort(scores)])
    place = np.abs(missed - accepted).argmin()
    found = {metric.metric: metric.value for metric in result.metrics}
    near = (missed[place] + accepted[place]) / 2
    assert found["eer/pooled"] == pytest.approx(near, abs=0.03)


def test_a_resumed_run_equals_an_unbroken_one(
    run: Path,
    corpus: Path,
    recipe: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed behind a checkpoint in the second epoch; what the loss learns resumes too."""
    fit_batch = TaskBrain.fit_batch
    line = command(corpus, tmp_path / "run", f"--criterion={run.name}")

    def fit_until_killed(brain: TaskBrain, batch: list) -> torch.Tensor:
        brain.ckpt_interval_steps = 1
        if brain.epochs.current == 2 and brain.step == 3:
            raise KilledError
        return fit_batch(brain, batch)

    monkeypatch.setattr(TaskBrain, "fit_batch", fit_until_killed)
    with pytest.raises(KilledError):
        recipe.main(line)
    monkeypatch.setattr(TaskBrain, "fit_batch", fit_batch)
    recipe.main(line)
    assert history(tmp_path / "run") == history(run)
    assert weights(tmp_path / "run") == weights(run)


def test_the_encoder_is_built_of_its_keys(tmp_path: Path) -> None:
    for name in ("deeptalk", "deeptalk_small"):
        line = [str(ROOT / f"hparams/{name}.yaml"), f"--run_folder={tmp_path / name}"]
        plain = experiment.plain_hparams([*line, "--tokens=5", "--windows=False"])
        options = {**plain["encoder"]}
        assert options.pop("class") == "new:emovec.encoders.deeptalk.DeepTalk"
        assert options == {key: plain[key] for key in options}
        assert (options["tokens"], options["windows"], options["sample_rate"]) == (5, False, 8000)


def test_the_large_setting_is_the_published_one() -> None:
    """The papers, and the code of the authors."""
    found = experiment.plain_hparams([str(ROOT / "hparams/deeptalk.yaml")])
    published = {
        "sample_rate": 8000,
        "feature_size": 40,
        "tokens": 10,
        "heads": 8,
        "embedding_size": 256,
        "criterion": "triplet",
        "chunk_seconds": [(199 * 80 + 160) / 8000] * 2,  # 200 frames
        "batch_size": 32 * 10,
        "utterances_per_speaker": 10,
        "learning_rate": 1e-4,
        "schedule": "constant",
        "augment": False,
    }
    assert {key: found[key] for key in published} == published
    assert found["optimizer"] == {"class": "name:torch.optim.Adam", "lr": 1e-4}
    small = experiment.plain_hparams([str(ROOT / "hparams/deeptalk_small.yaml")])
    assert small["encoder"] == found["encoder"] and small["criterion"] == found["criterion"]
    assert small["run_folder"] == "runs/speaker/deeptalk_small/1"


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        (["--utterances_per_speaker=3"], TrainingError, "3 and an effective batch has 8 x 1"),
        (["--batch_size=40"], TrainingError, "6 speakers to train on, and batches of 10 speakers"),
        (["--criterion_options={mining: easy}"], HparamError, "mining 'easy'; expected"),
        (["--chunk_seconds=[0.01, 0.01]"], HparamError, "expected at least 0.02"),
        (["--sample_rate=11025"], HparamError, "sample_rate is 11025"),
        (["--channels=[2, 2]"], HparamError, r"unknown \['channels'\]"),
    ],
    ids=lambda item: item[0] if isinstance(item, list) else None,
)
def test_what_cannot_be_trained_says_why(
    corpus: Path,
    recipe: ModuleType,
    tmp_path: Path,
    options: list[str],
    kind: type[Exception],
    said: str,
) -> None:
    with pytest.raises(kind, match=said):
        recipe.main(command(corpus, tmp_path / "run", *options))
    assert not (tmp_path / "run" / "history.json").exists()


def test_a_batch_of_single_clips_says_so(corpus: Path, recipe: ModuleType, tmp_path: Path) -> None:
    """The loss of the other sampler's batches, in which six speakers have one chunk each."""
    line = command(corpus, tmp_path / "run", "--utterances_per_speaker=null", "--batch_size=6")
    with pytest.raises(
        TrainingError, match=r"6 speakers in a batch, with one clip each; .*Set utt"
    ):
        recipe.main(line)


@pytest.mark.slow
def test_two_processes_train_on_the_same_batches(
    corpus: Path, recipe: ModuleType, tmp_path: Path
) -> None:
    """Batch normalisation is within a micro-batch, of which there are as many."""
    more = ["--micro_batches=2", "--criterion=generalised_end_to_end"]
    recipe.main(command(corpus, tmp_path / "one", *more))
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    script = str(ROOT / "recipes" / "speaker" / "train.py")
    done = subprocess.run(
        [sys.executable, *launcher, script, *command(corpus, tmp_path / "two", *more)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    for row, expected in zip(history(tmp_path / "two"), history(tmp_path / "one"), strict=True):
        assert row["train/loss"] == pytest.approx(expected["train/loss"], abs=1e-3)
