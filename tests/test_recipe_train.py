"""The main recipe from end to end on the small corpus."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.numpy import load_file

import emovec
from emovec.errors import HparamError
from emovec.tables.manifest import read_manifest
from emovec.tables.results import Result, read_result
from emovec.tables.splits import read_splits

ROOT = Path(__file__).parents[1]
AXES = ("valence", "arousal", "dominance")
FAMILIES = {
    "ccc": (*AXES, "mean"),
    "rmse": AXES,
    "region": ("accuracy", "unweighted_recall", "macro_f1", "weighted_f1"),
}
HEAD = tuple(f"region_head/{name}" for name in FAMILIES["region"])
PLAIN = tuple(f"{family}/{name}" for family, names in FAMILIES.items() for name in names)


def command(corpus: Path, folder: Path, *more: str) -> list[str]:
    """A short run; functionals are kept beside the run folders, for all of them."""
    return [
        str(ROOT / "hparams" / "emosphere.yaml"),
        "--corpus=manifest",
        f"--data_folder={corpus}",
        f"--run_folder={folder}",
        f"--prepared_folder={folder.parent / 'data'}",
        "--encoder_size=tiny",
        "--weights=null",
        "--epochs=2",
        "--batch_seconds=8",
        "--workers=0",
        "--device=cpu",
        *more,
    ]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def run(small_corpus: Path, runs: Path, train: Callable) -> Path:
    train(command(small_corpus, runs / "first"))
    return runs / "first"


def values(folder: Path) -> dict[str, tuple]:
    result = read_result(folder / "result.json")
    return {found.metric: (found.value, found.interval) for found in result.metrics}


def history(folder: Path) -> list[dict[str, float]]:
    """Rows without what depends on the clock."""
    rows = json.loads((folder / "history.json").read_text())
    return [{key: row[key] for key in row if "seconds" not in key} for row in rows]


def read_predictions(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "predictions.csv").open(newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def test_everything_is_written(run: Path) -> None:
    names = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    figures = ("affect_sphere", "learning_curves", "predicted_against_true", "region_confusion")
    expected = {f"figures/{name}.png" for name in figures}
    expected |= {"hparams.yaml", "history.json", "predictions.csv", "result.json"}
    expected |= {f"model/{name}" for name in ("card.md", "config.json", "model.safetensors")}
    assert expected <= names
    assert not [name for name in names if "/." in f"/{name}"]  # no temporary files
    for name in figures:
        assert (run / "figures" / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
    assert [row["epoch"] for row in history(run)] == [1, 2]
    assert "CC0-1.0" in (run / "model" / "card.md").read_text()


def test_metrics_and_facts(run: Path, small_corpus: Path) -> None:
    result: Result = read_result(run / "result.json")
    baselines = [found.metric for found in result.metrics if found.metric.startswith("baseline_")]
    ridge = next(name for name in baselines if name.startswith("baseline_ridge_")).split("/")[0]
    prefixed = [f"{prefix}/{name}" for prefix in ("baseline_mean", ridge) for name in PLAIN]
    assert sorted(m.metric for m in result.metrics) == sorted((*PLAIN, *HEAD, *prefixed))
    clips = {u.id: u for u in read_manifest(small_corpus / "manifest.csv")}
    test = list(read_predictions(run))
    speakers = {clips[id_].speaker for id_ in test}
    assert {(m.n, m.speakers) for m in result.metrics} == {(len(test), len(speakers))}
    inside = [m.interval[0] <= m.value <= m.interval[1] for m in result.metrics]
    assert sum(inside) >= 0.8 * len(inside)
    assert (result.run.corpus, result.run.affect_source) == ("small", "rated")
    assert (result.run.protocol, result.run.shares_speakers) == ("by-speaker", False)
    assert result.run.hparams["epochs"] == 2 and result.run.seed == 1
    mixed = "fold 0: 2 sessions in more than one split (0, 1)"
    assert (result.skipped, result.run.leaks, result.warnings) == ((), (), (mixed,))


def test_the_mean_agrees_with_nothing(run: Path) -> None:
    found = values(run)
    for axis in (*AXES, "mean"):
        assert found[f"baseline_mean/ccc/{axis}"] == (0.0, (0.0, 0.0))


def test_predictions_are_of_the_test_split_and_true_on_the_corpus_scale(
    run: Path, small_corpus: Path
) -> None:
    clips = {u.id: u for u in read_manifest(small_corpus / "manifest.csv")}
    rows = read_predictions(run)
    splits = read_splits(run.parent / "data" / "splits" / "by-speaker.csv")
    assert set(rows) == {row.id for row in splits if row.split == "test"}
    for id_, row in rows.items():
        assert [float(row[axis]) for axis in AXES] == pytest.approx(clips[id_].affect, abs=1e-3)
        assert all(1 <= float(row[f"predicted_{axis}"]) <= 7 for axis in AXES)


def test_the_saved_model_says_what_the_table_says(run: Path, small_corpus: Path) -> None:
    clips = {u.id: u for u in read_manifest(small_corpus / "manifest.csv")}
    rows = list(read_predictions(run).items())[:4]
    model = emovec.load(run / "model")
    said = model.predict([small_corpus / clips[id_].path for id_, _ in rows])
    for found, (_, row) in zip(said, rows, strict=True):
        for axis in AXES:
            assert getattr(found, axis) == pytest.approx(float(row[f"predicted_{axis}"]), abs=1e-3)


def test_run_again_changes_nothing(run: Path, small_corpus: Path, train: Callable) -> None:
    before = values(run), history(run), read_predictions(run)
    weights = (run / "model" / "model.safetensors").read_bytes()
    train(command(small_corpus, run))
    assert (values(run), history(run), read_predictions(run)) == before
    assert (run / "model" / "model.safetensors").read_bytes() == weights


def test_a_folder_is_not_taken_for_a_run_of_other_hparams(
    run: Path, small_corpus: Path, train: Callable
) -> None:
    before = (run / "result.json").read_bytes()
    with pytest.raises(HparamError, match=r"holds a run with .*'learning_rate': .*Choose another"):
        train(command(small_corpus, run, "--learning_rate=0.5"))
    assert (run / "result.json").read_bytes() == before


def test_same_seed_same_numbers(run: Path, runs: Path, small_corpus: Path, train: Callable) -> None:
    train(command(small_corpus, runs / "again"))
    assert history(runs / "again") == history(run)
    assert values(runs / "again") == values(run)
    assert read_predictions(runs / "again") == read_predictions(run)


def test_emotion_as_auxiliary_with_other_parts(
    runs: Path, small_corpus: Path, train: Callable
) -> None:
    folder = runs / "emotion"
    options = (
        "--auxiliary=emotion",
        "--pooling=attentive_statistics_pooling",
        "--pooling_options=null",
        "--layers=weighted",
        "--auxiliary_weight=constant",
        "--micro_batches=2",
        "--drop_emotions=[sadness]",
    )
    train(command(small_corpus, folder, *options))
    found = values(folder)
    assert "emotion/macro_f1" in found and not any(name in found for name in HEAD)
    model = emovec.load(folder / "model")
    said = model.predict(small_corpus / "audio" / "0_anger_0.wav")
    assert list(said.emotions) == ["anger", "happiness", "neutral"]
    assert sum(said.emotions.values()) == pytest.approx(1)
    assert said.region_probability is None
    result = read_result(folder / "result.json")
    assert {skip.reason for skip in result.skipped} == {"emotion is sadness"}
    assert len(result.skipped) == 20


def test_no_auxiliary_on_one_of_five_folds(runs: Path, small_corpus: Path, train: Callable) -> None:
    folder = runs / "fold"
    options = ("--auxiliary=none", "--regions=18", "--protocol=group-kfold", "--fold=2")
    heads = ("--layers=all", "--pooling=statistics_pooling", "--pooling_options=null")
    train(command(small_corpus, folder, *options, *heads, "--head_width=5"))
    found = values(folder)
    assert {name for name in found if not name.startswith("baseline_")} == set(PLAIN)
    splits = read_splits(folder.parent / "data" / "splits" / "group-kfold.csv")
    expected = {row.id for row in splits if (row.fold, row.split) == (2, "test")}
    assert set(read_predictions(folder)) == expected
    said = emovec.load(folder / "model").predict(small_corpus / "audio" / "0_anger_0.wav")
    assert 0 <= said.region < 18 and said.emotions == {}
    assert read_result(folder / "result.json").run.protocol == "group-kfold"
    weights = load_file(folder / "model" / "model.safetensors")
    assert weights["heads.affect.1.weight"].shape == (5, 2 * 2 * 128)  # two moments of two layers


@pytest.mark.slow
def test_two_processes_train_as_one(runs: Path, small_corpus: Path, train: Callable) -> None:
    train(command(small_corpus, runs / "one", "--micro_batches=2"))
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [
            sys.executable,
            *launcher,
            str(ROOT / "recipes" / "ser" / "train.py"),
            *command(small_corpus, runs / "two", "--micro_batches=2"),
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    for row, expected in zip(history(runs / "two"), history(runs / "one"), strict=True):
        for key in ("train/loss", "valid/loss"):
            assert row[key] == pytest.approx(expected[key], abs=1e-3)
    assert set(read_predictions(runs / "two")) == set(read_predictions(runs / "one"))
    assert values(runs / "two").keys() == values(runs / "one").keys()
