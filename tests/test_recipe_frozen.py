"""Frozen transfer from end to end on the small corpus."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from recipe_modules import load_recipe

from emovec.encoders.resnet import ResNet
from emovec.encoders.store import save_model
from emovec.errors import HparamError, TrainingError
from emovec.tables.manifest import read_manifest
from emovec.tables.results import Result, read_result

ROOT = Path(__file__).parents[1]
MEASURES = ("weighted_f1", "macro_f1", "unweighted_recall", "accuracy")
Probe = Callable[..., Path]


@pytest.fixture(scope="module")
def main() -> Callable[[list[str]], None]:
    return load_recipe("ser/frozen.py").main


@pytest.fixture
def probe(main: Callable, small_corpus: Path, tmp_path: Path) -> Probe:
    """Runs the recipe, and gives its run folder."""

    def run(*options: str, name: str = "run", file: str = "frozen.yaml") -> Path:
        main(
            [
                str(ROOT / "hparams" / file),
                "--corpus=manifest",
                f"--data_folder={small_corpus}",
                f"--run_folder={tmp_path / name}",
                f"--prepared_folder={tmp_path / 'data'}",
                "--workers=0",
                "--device=cpu",
                *options,
            ]
        )
        return tmp_path / name

    return run


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "resnet"
    options = {"channels": (4, 6), "blocks": (1, 1), "embedding_size": 5}
    save_model(folder, ResNet(**options), "card")
    return folder


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    folder = tmp_path / "noise"
    folder.mkdir()
    wave = 0.1 * np.random.default_rng(0).standard_normal(16000)
    soundfile.write(folder / "hiss.wav", wave, 16000)
    return folder


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def values(folder: Path) -> dict[str, tuple]:
    return {m.metric: (m.value, m.interval) for m in read_result(folder / "result.json").metrics}


def test_functionals_over_all_folds(probe: Probe, small_corpus: Path) -> None:
    folder = probe()
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {
        "clips.csv",
        "figures/emotion_confusion.png",
        "folds.csv",
        "hparams.yaml",
        "predictions.csv",
        "result.json",
        "summary.txt",
        "vectors.npz",
    }
    result: Result = read_result(folder / "result.json")
    families = ["", "baseline_majority/", *(f"fold_{fold}/" for fold in range(5))]
    expected = {f"{family}emotion/{name}" for family in families for name in MEASURES}
    expected |= {f"{family}emotion/weighted_f1_mean_of_folds" for family in families[:2]}
    expected |= {f"emotion/f1_{name}" for name in ("anger", "happiness", "neutral", "sadness")}
    assert {metric.metric for metric in result.metrics} == expected
    pooled = result.get("emotion/weighted_f1")
    assert (pooled.n, pooled.speakers) == (80, 10)
    assert (result.run.protocol, result.run.leaks) == ("group-kfold", ())
    clips = {u.id: u for u in read_manifest(small_corpus / "manifest.csv")}
    rows = table(folder / "predictions.csv")
    assert {row["id"]: row["true"] for row in rows} == {u.id: u.emotion for u in clips.values()}
    assert all(0.25 <= float(row["probability"]) <= 1 for row in rows)
    folds = [{clips[r["id"]].speaker for r in rows if r["fold"] == str(f)} for f in range(5)]
    assert len(set.union(*folds)) == sum(map(len, folds)) == 10
    right = np.mean([row["true"] == row["predicted"] for row in rows])
    assert right == pytest.approx(values(folder)["emotion/accuracy"][0])


def test_the_same_seed_gives_the_same_numbers(probe: Probe) -> None:
    assert values(probe()) == values(probe(name="again"))


def test_a_resnet_beside_functionals_with_copies(probe: Probe, resnet: Path, noise: Path) -> None:
    options = (f"--embeddings=[{resnet}, functionals]", f"--noise={noise}", "--copies=2")
    folder = probe(*options, "--protocol=by-speaker", "--classifier=linear_svm")
    (fold,) = table(folder / "folds.csv")
    test = 80 - int(fold["train"]) // 3  # each training clip is there thrice
    assert int(fold["train"]) % 3 == 0 and int(fold["test"]) == test
    rows = table(folder / "predictions.csv")
    assert len(rows) == test and {row["probability"] for row in rows} == {""}
    result = read_result(folder / "result.json")
    assert result.skipped == () and result.run.hparams["copies"] == 2
    assert result.warnings[-1] == "by-speaker: clips for validation were trained on"


def test_some_folds_some_classes_and_one_c(probe: Probe) -> None:
    folder = probe("--folds=[1, 3]", "--emotions=[anger, sadness]", "--c_values=[0.5]")
    rows = table(folder / "predictions.csv")
    assert {row["fold"] for row in rows} == {"1", "3"}
    assert {row["true"] for row in rows} == {"anger", "sadness"}
    assert [(row["c"], row["inner_weighted_f1"]) for row in table(folder / "folds.csv")] == [
        ("0.5", ""),
        ("0.5", ""),
    ]
    assert len(read_result(folder / "result.json").skipped) == 40


def test_silent_clips_are_listed_and_the_run_goes_on(
    probe: Probe, resnet: Path, small_corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quietest tones of the corpus are below the threshold that the encoder is given."""
    loud = {
        path.stem: np.abs(soundfile.read(path)[0]).max() for path in small_corpus.rglob("*.wav")
    }
    quiet = sorted(loud, key=loud.get)[:3]
    threshold = (loud[quiet[-1]] + sorted(loud.values())[3]) / 2
    monkeypatch.setattr(ResNet, "hears", lambda self, w, n: w.abs().amax(dim=1) > threshold)
    folder = probe(f"--embeddings=[{resnet}]")
    result = read_result(folder / "result.json")
    assert {skip.id for skip in result.skipped} == set(quiet)
    assert {skip.reason for skip in result.skipped} == {"no speech is heard in it"}
    assert result.get("emotion/accuracy").n == 77


def test_what_cannot_be_is_refused_before_anything_is_embedded(probe: Probe) -> None:
    for option, message in (
        ("--embeddings=[egemap]", "embeddings: 'egemap'"),
        ("--embeddings=[]", "expected one or more"),
        ("--copies=1", "copies is 1, with nothing to augment them by"),
        ("--classifier=forest", "classifier is 'forest'"),
        ("--c_values=[0]", "c_values are"),
        ("--gamma_values=[0.1]", "only rbf_svm has a gamma"),
        ("--first=fear", "first is 'fear'; expected one of"),
        ("--undersample=most", "undersample is 'most'"),
    ):
        with pytest.raises(HparamError, match=message):
            probe(option)
    options = ("--emotions=[anger, sadness]", "--detection=True")
    with pytest.raises(HparamError, match="expected neutral and others"):
        probe(*options)
    with pytest.raises(TrainingError, match="at least 2 classes"):
        probe("--emotions=[anger]")


def test_the_published_svm_and_sad_first(probe: Probe) -> None:
    """On functionals, which are not of unit length."""
    options = ("--standardise=True", "--gamma_values=[scale]", "--drop_emotions=[]")
    for first in ("null", "sadness"):
        folder = probe(*options, f"--first={first}", name=first, file="deeptalk_svm.yaml")
        found = values(folder)
        assert found["detection/accuracy"][1][0] < found["detection/accuracy"][0] < 1
        assert ("stage1/accuracy" in found) == ("stage2/accuracy" in found) == (first != "null")
        rows = table(folder / "predictions.csv")
        right = [row["predicted"] == row["true"] for row in rows]
        assert found["emotion/accuracy"][0] == pytest.approx(np.mean(right))
        neutral = [(row["detected"] == "neutral") == (row["true"] == "neutral") for row in rows]
        assert found["detection/accuracy"][0] == pytest.approx(np.mean(neutral))
        mapped = [(row["predicted"] == "neutral") == (row["detected"] == "neutral") for row in rows]
        assert all(mapped) or first == "null"
        for row in table(folder / "folds.csv"):
            assert (row["c"], row["gamma"]) == ("1000.0", "scale")
            assert row["first"] == first.replace("null", "")
        for kind in ("emotion", "detection"):
            assert (folder / "figures" / f"{kind}_confusion.png").is_file()


def test_undersampled_classes(probe: Probe) -> None:
    folder = probe("--undersample=9", "--undersample_test=smallest", "--protocol=by-speaker")
    rows = table(folder / "clips.csv")
    assert {row["used"] for row in rows if row["split"] == "train"} == {"9"}
    tested = [row for row in rows if row["split"] == "test"]
    assert {row["used"] for row in tested} == {row["embedded"] for row in tested}  # as many of each
    with pytest.raises(TrainingError, match=r"fold 0: train has .* expected at least 99 of each"):
        probe("--undersample=99", name="more")
