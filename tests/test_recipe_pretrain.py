"""The pretraining recipe from end to end on the small corpus."""

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

import emovec
from emovec import experiment
from emovec.audio.loading import load
from emovec.encoders.store import load_model
from emovec.encoders.wavlm import WavLM
from emovec.errors import EmovecError, HparamError, SplitError, TrainingError
from emovec.report.markdown import write_results_markdown
from emovec.tables.corpus import read_corpus_info, write_corpus_info
from emovec.tables.manifest import read_manifest, write_manifest
from emovec.tables.results import read_result
from emovec.tables.splits import read_splits
from emovec.training.brain import TaskBrain

ROOT = Path(__file__).parents[1]
TINY = (
    "--encoder_size=tiny",
    "--clusters=[5, 8]",
    "--epochs=[2, 2]",
    "--target_layer=1",
    "--mask_span=2",
    "--crop_seconds=0.4",
    "--batch_seconds=4.0",
    "--held_out=0.2",  # two of the ten speakers
    "--workers=0",
    "--device=cpu",
)
METRICS = {
    "masked/accuracy",
    "masked/cross_entropy",
    "unmasked/accuracy",
    "baseline_majority/masked/accuracy",
    "baseline_shares/masked/cross_entropy",
    "targets/clusters_used",
}


class KilledError(Exception):
    """Stands for the power cut."""


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    return load_recipe("wavlm/pretrain.py")


def command(corpus: Path, folder: Path, *more: str) -> list[str]:
    return [
        str(ROOT / "hparams" / "wavlm_pretrain_small.yaml"),
        f"--corpora=[{corpus}]",
        f"--run_folder={folder}",
        f"--prepared_folder={folder.parent / 'data'}",
        *TINY,
        *more,
    ]


@pytest.fixture(scope="module")
def run(small_corpus: Path, recipe: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "pretrain" / "small" / "1"
    recipe.main(command(small_corpus, folder))
    return folder


def history(folder: Path) -> list[dict[str, float]]:
    """Rows of both rounds without what depends on the clock."""
    texts = [(folder / f"round{number}" / "history.json").read_text() for number in (1, 2)]
    rows = [row for text in texts for row in json.loads(text)]
    return [{key: row[key] for key in row if "seconds" not in key} for row in rows]


def values(folder: Path) -> dict[str, float]:
    return {found.metric: found.value for found in read_result(folder / "result.json").metrics}


def weights(folder: Path) -> bytes:
    return (folder / "model" / "model.safetensors").read_bytes()


def targets(folder: Path) -> list[np.ndarray]:
    return [np.load(folder / f"round{number}/targets/labels.npy") for number in (1, 2)]


# --- A run


def test_everything_is_written(run: Path) -> None:
    names = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    expected = {"hparams.yaml", "result.json"}
    expected |= {f"model/{name}" for name in ("card.md", "config.json", "model.safetensors")}
    for number in (1, 2):
        expected |= {f"round{number}/history.json", f"figures/learning_curves_round{number}.png"}
        expected |= {f"round{number}/targets/{name}.npy" for name in ("labels", "offsets")}
    assert expected <= names
    assert not [name for name in names if "/." in f"/{name}"]  # no temporary files
    assert [row["epoch"] for row in history(run)] == [1, 2, 1, 2]
    assert "CC0-1.0" in (run / "model" / "card.md").read_text()


def test_metrics_and_facts(run: Path) -> None:
    result = read_result(run / "result.json")
    found = {metric.metric: metric for metric in result.metrics}
    assert set(found) == METRICS | {f"variant_round1/{name}" for name in METRICS}
    assert {(metric.n, metric.speakers) for metric in result.metrics} == {(16, 2)}
    assert found["targets/clusters_used"].value <= 8
    assert found["variant_round1/targets/clusters_used"].value <= 5
    best = min(row["valid/masked/cross_entropy"] for row in history(run)[2:])
    assert found["masked/cross_entropy"].value == pytest.approx(best, rel=1e-6)
    assert (result.run.corpus, result.run.protocol) == ("small", "held-out-speakers")
    assert (result.skipped, result.run.leaks, result.run.seed) == ((), (), 1)


def test_speakers_are_held_out(run: Path, small_corpus: Path) -> None:
    speaker = {f"small/{u.id}": u.speaker for u in read_manifest(small_corpus / "manifest.csv")}
    splits = read_splits(run.parent / "data" / "splits" / "held-out-speakers.csv")
    assert {row.id for row in splits} == set(speaker)
    parts = [
        {speaker[row.id] for row in splits if row.split == name} for name in ("train", "valid")
    ]
    assert [len(part) for part in parts] == [8, 2] and len(set.union(*parts)) == 10


def test_every_clip_has_as_many_targets_as_frames(run: Path, small_corpus: Path) -> None:
    model = load_model(run / "model")
    for number in (1, 2):
        folder = run / f"round{number}" / "targets"
        ids = json.loads((folder / "ids.json").read_text())
        counts = np.diff(np.load(folder / "offsets.npy"))
        clips = {f"small/{u.id}": u for u in read_manifest(small_corpus / "manifest.csv")}
        assert set(ids) == set(clips)
        for id_, count in zip(ids[:5], counts[:5].tolist(), strict=True):
            wave = torch.from_numpy(load(small_corpus / clips[id_].path))
            with torch.no_grad():
                _, frames = model.frames(wave[None], torch.tensor([len(wave)]))
            assert frames.tolist() == [count]


def test_the_model_loads_and_embeds(run: Path, small_corpus: Path) -> None:
    clip = small_corpus / read_manifest(small_corpus / "manifest.csv")[0].path
    embedding = emovec.load(str(run / "model")).embed(str(clip))
    assert embedding.shape == (128,) and np.isfinite(embedding).all()


def test_results_get_a_table(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "results" / "wavlm" / "small" / "1"
    folder.mkdir(parents=True)
    shutil.copy(run / "result.json", folder)
    write_results_markdown(tmp_path / "results", tmp_path / "RESULTS.md")
    text = (tmp_path / "RESULTS.md").read_text()
    assert "## wavlm on small, held-out-speakers" in text
    assert "| masked/accuracy | masked/cross_entropy | unmasked/accuracy |" in text
    assert "baseline: majority" in text and "variant_" not in text


def test_run_again_changes_nothing(run: Path, small_corpus: Path, recipe: ModuleType) -> None:
    before = values(run), history(run), weights(run)
    recipe.main(command(small_corpus, run))
    assert (values(run), history(run), weights(run)) == before


@pytest.mark.parametrize("killed_in", [1, 2])
def test_a_resumed_run_equals_an_unbroken_one(
    run: Path,
    small_corpus: Path,
    recipe: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    killed_in: int,
) -> None:
    """Killed behind a checkpoint in the middle of the second epoch of a round."""
    fit_batch = TaskBrain.fit_batch
    line = command(small_corpus, tmp_path / "run")

    def fit_until_killed(brain: TaskBrain, batch: list) -> torch.Tensor:
        brain.ckpt_interval_steps = 1
        place = brain.folder.name, brain.epochs.current, brain.step
        if place == (f"round{killed_in}", 2, 3):
            raise KilledError
        return fit_batch(brain, batch)

    monkeypatch.setattr(TaskBrain, "fit_batch", fit_until_killed)
    with pytest.raises(KilledError):
        recipe.main(line)
    steps = []

    def counted(brain: TaskBrain, batch: list) -> torch.Tensor:
        steps.append((brain.folder.name, brain.epochs.current))
        return fit_batch(brain, batch)

    monkeypatch.setattr(TaskBrain, "fit_batch", counted)
    recipe.main(line)
    assert steps[0] == (f"round{killed_in}", 2)  # it did go on, not begin anew
    assert history(tmp_path / "run") == history(run)
    assert all(map(np.array_equal, targets(tmp_path / "run"), targets(run)))
    assert values(tmp_path / "run") == values(run)
    assert weights(tmp_path / "run") == weights(run)


def test_weights_of_the_first_round_are_kept_or_not(
    small_corpus: Path, recipe: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From random weights a second round starts where the first one did not end."""
    begun: list[torch.Tensor] = []
    train = TaskBrain.train

    def noted(brain: TaskBrain, *loaders: object) -> None:
        begun.append(brain.model.encoder.feature_extractor.convolutions[0].weight.clone())
        train(brain, *loaders)
        begun.append(brain.model.encoder.feature_extractor.convolutions[0].weight.clone())

    monkeypatch.setattr(TaskBrain, "train", noted)
    for keep, name in ((True, "keep"), (False, "new")):
        begun.clear()
        short = ("--epochs=[1, 1]", f"--keep_weights={keep}")
        recipe.main(command(small_corpus, tmp_path / name, *short))
        assert torch.equal(begun[1], begun[2]) is keep
    assert torch.equal(begun[0], begun[2])  # those that the seed gives


def test_clips_without_a_speaker_are_trained_on_and_short_ones_left_out(
    small_corpus: Path, recipe: ModuleType, tmp_path: Path, run: Path
) -> None:
    corpus = Path(shutil.copytree(small_corpus, tmp_path / "small"))
    splits = read_splits(run.parent / "data" / "splits" / "held-out-speakers.csv")
    train = [row.id.removeprefix("small/") for row in splits if row.split == "train"]
    soundfile.write(corpus / "audio" / f"{train[0]}.wav", np.full(1000, 0.1), 16000)
    rows = read_manifest(corpus / "manifest.csv")
    rows = [replace(row, duration=1000 / 16000) if row.id == train[0] else row for row in rows]
    rows = [replace(row, speaker="") if row.id == train[1] else row for row in rows]
    write_manifest(corpus / "manifest.csv", rows)
    write_corpus_info(corpus / "corpus.json", read_corpus_info(corpus / "corpus.json"))
    recipe.main(command(corpus, tmp_path / "run", "--epochs=[1]", "--clusters=[5]"))
    result = read_result(tmp_path / "run" / "result.json")
    assert [(skip.id, skip.reason) for skip in result.skipped] == [
        (f"small/{train[0]}", "lasts 0.062 s, too short for the encoder")
    ]
    ids = json.loads((tmp_path / "run/round1/targets/ids.json").read_text())
    assert f"small/{train[1]}" in ids and len(ids) == 79


def test_noise_and_mixing_change_what_is_heard(
    small_corpus: Path, recipe: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "noise").mkdir()
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 16000)
    soundfile.write(tmp_path / "noise" / "a.wav", noise, 16000)
    soundfile.write(tmp_path / "noise" / "silent.wav", np.zeros(16000), 16000)
    losses = {}
    for name, options in {
        "clean": ["--mixing_probability=0.0"],
        "mixed": ["--mixing_probability=1.0"],
        "noisy": ["--mixing_probability=1.0", f"--noise={tmp_path / 'noise'}"],
    }.items():
        line = command(small_corpus, tmp_path / name, "--epochs=[1]", "--clusters=[5]", *options)
        recipe.main(line)
        rows = json.loads((tmp_path / name / "round1" / "history.json").read_text())
        losses[name] = rows[0]["train/loss"]
    assert len(set(losses.values())) == 3
    warnings = read_result(tmp_path / "noisy" / "result.json").warnings
    assert [text for text in warnings if text.endswith("silent.wav: is silent")]


@pytest.mark.slow
def test_two_processes_train_on_the_same_batches(
    small_corpus: Path, recipe: ModuleType, tmp_path: Path
) -> None:
    recipe.main(command(small_corpus, tmp_path / "one", "--micro_batches=2"))
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [
            sys.executable,
            *launcher,
            str(ROOT / "recipes" / "wavlm" / "pretrain.py"),
            *command(small_corpus, tmp_path / "two", "--micro_batches=2"),
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    rows = zip(history(tmp_path / "two"), history(tmp_path / "one"), strict=True)
    for row, expected in rows:
        assert row["train/loss"] == pytest.approx(expected["train/loss"], abs=1e-3)
        assert row["valid/loss"] == pytest.approx(expected["valid/loss"], abs=1e-3)
    first = [np.load(tmp_path / name / "round1/targets/labels.npy") for name in ("one", "two")]
    assert np.array_equal(*first)


# --- Settings


def test_the_published_settings() -> None:
    """WavLM base, and of HuBERT base what it takes over."""
    found = experiment.plain_hparams([str(ROOT / "hparams/wavlm_pretrain.yaml")])
    published = {
        "encoder_size": "base",
        "clusters": [100, 500],
        "target_layer": 6,
        "mask_probability": 0.8,
        "mask_span": 10,
        "projection_size": 256,
        "mixing_probability": 0.2,
        "noise_probability": 0.1,
        "learning_rate": 0.0005,
        "schedule": "warm_up_linear",
        "keep_weights": False,
    }
    assert {key: found[key] for key in published} == published


def test_the_small_one_trains_the_model_that_is_shipped() -> None:
    found = experiment.plain_hparams([str(ROOT / "hparams/wavlm_pretrain_small.yaml")])
    model = WavLM(found["encoder_size"])
    assert sum(p.numel() for p in model.parameters()) < 4e6
    assert 1 <= found["target_layer"] <= model.architecture.layers
    assert len(found["clusters"]) == len(found["epochs"]) == 2


# --- Bad input: each ends before the training


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        (["--clusters=[5]"], HparamError, r"clusters is \[5\] and epochs \[2, 2\]"),
        (["--clusters=[]", "--epochs=[]"], HparamError, r"clusters is \[\] and epochs \[\]"),
        (["--held_out=0.5"], HparamError, "held_out is 0.5; expected above 0 and below 0.5"),
        (["--clusters=[5000, 5]"], HparamError, "clusters is 5000 for .* frames"),
        (["--target_layer=3"], HparamError, "target_layer is 3; expected 1 to 2"),
        (["--noise=/nowhere"], HparamError, "noise is /nowhere: no such folder"),
        (["--mixing_probability=2.0"], HparamError, "probability is 2.0"),
        (["--crop_seconds=0.05"], HparamError, "crop_seconds is 0.05"),
        (["--crop_seconds=5.0", "--batch_seconds=0.2"], TrainingError, "batch_seconds is 0.2"),
    ],
)
def test_bad_hparams(
    small_corpus: Path,
    recipe: ModuleType,
    tmp_path: Path,
    options: list[str],
    kind: type[EmovecError],
    said: str,
) -> None:
    with pytest.raises(kind, match=said):
        recipe.main(command(small_corpus, tmp_path / "run", *options))
    assert not (tmp_path / "run/round1/history.json").exists()


def test_nobody_to_validate_on(small_corpus: Path, recipe: ModuleType, tmp_path: Path) -> None:
    corpus = Path(shutil.copytree(small_corpus, tmp_path / "small"))
    rows = [replace(row, speaker="s1") for row in read_manifest(corpus / "manifest.csv")]
    write_manifest(corpus / "manifest.csv", rows)
    info = replace(read_corpus_info(corpus / "corpus.json"), speakers=1)
    write_corpus_info(corpus / "corpus.json", info)
    with pytest.raises(SplitError, match="valid"):
        recipe.main(command(corpus, tmp_path / "run"))
