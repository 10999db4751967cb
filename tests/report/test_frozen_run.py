"""What a finished frozen run leaves, from predictions that were made up."""

import csv
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score
from sklearn.pipeline import Pipeline

from emovec.backends.fold_clips import ClipCount
from emovec.backends.folds import FoldOutcome
from emovec.backends.hierarchical import StageDecisions
from emovec.backends.probe import FittedProbe
from emovec.backends.probe_settings import Setting
from emovec.corpora.fold_selection import FoldSelection, select_folds
from emovec.encoders.extract import Extracted
from emovec.errors import StorageError
from emovec.report.frozen_files import read_clips
from emovec.report.frozen_metrics import FrozenRun, measure_run
from emovec.report.frozen_run import _validation, vectors_of_tests, write_frozen_run
from emovec.tables.corpus import Skip
from emovec.tables.results import Metric, read_result


def chosen(corpus: Path, folder: Path, protocol: str) -> FoldSelection:
    return select_folds(
        "manifest",
        {},
        str(corpus),
        folder / "made",
        protocol=protocol,
        folds=None,
        seed=0,
        emotions=None,
        drop_emotions=[],
        allow_partial=False,
        allow_leak=False,
    )


COUNTS = (ClipCount("train", "anger", 20, 19, 16), ClipCount("test", "anger", 4, 4, 4))


def make_run(corpus: Path, folder: Path, protocol: str = "group-kfold") -> FrozenRun:
    """Every third prediction is right, the others are drawn."""
    data = chosen(corpus, folder, protocol)
    random = np.random.default_rng(0)
    outcomes = []
    for fold, splits in data.folds.items():
        tested = splits["test"][fold % 2 :]  # folds of unlike sizes
        said = [
            u.emotion if row % 3 == 0 else str(random.choice(data.classes))
            for row, u in enumerate(tested)
        ]
        sure = None if fold == 1 else [0.25] * len(tested)
        inner = {Setting(0.1): 0.5, Setting(1.0): 0.25}
        probe = FittedProbe(Pipeline([]), Setting(0.1), inner, ())
        trained = splits["train"] + splits["valid"]
        outcomes.append(FoldOutcome(fold, trained, tested, said, sure, probe, (), COUNTS))
    return FrozenRun(data, outcomes, (Skip("x", "no speech is heard in it"),))


def by_name(run: FrozenRun) -> dict[str, Metric]:
    metrics = measure_run(run)
    found = {metric.metric: metric for metric in metrics}
    assert len(found) == len(metrics)
    return found


def expected(true: list[str], said: list[str]) -> dict[str, float]:
    return {
        "weighted_f1": f1_score(true, said, average="weighted"),
        "macro_f1": f1_score(true, said, average="macro"),
        "unweighted_recall": balanced_accuracy_score(true, said),
        "accuracy": accuracy_score(true, said),
    }


def test_metrics_are_scikit_learn_s_pooled_and_of_each_fold(
    small_corpus: Path, tmp_path: Path
) -> None:
    run = make_run(small_corpus, tmp_path)
    found = by_name(run)
    for name, value in expected(run.true, run.predicted).items():
        assert found[f"emotion/{name}"].value == pytest.approx(value)
    scores = []
    for outcome in run.outcomes:
        of_fold = expected([u.emotion for u in outcome.tested], outcome.predicted)
        scores.append(of_fold["weighted_f1"])
        for name, value in of_fold.items():
            assert found[f"fold_{outcome.fold}/emotion/{name}"].value == pytest.approx(value)
        assert found[f"fold_{outcome.fold}/emotion/accuracy"].n == len(outcome.tested)
    mean = found["emotion/weighted_f1_mean_of_folds"]
    assert mean.value == pytest.approx(np.mean(scores))
    assert mean.interval[0] < mean.value < mean.interval[1]
    assert (mean.n, mean.speakers) == (78, 10)
    assert found["baseline_majority/emotion/accuracy"].value == pytest.approx(20 / 78, abs=0.03)
    assert len(found) == 5 + 4 + 5 * 4 + 5
    for name in run.data.classes:
        of_class = found[f"emotion/f1_{name}"]
        (value,) = f1_score(run.true, run.predicted, labels=[name], average=None)
        assert of_class.value == pytest.approx(value)
        pairs = zip(run.true, run.predicted, strict=True)
        assert of_class.n == sum(name in pair for pair in pairs)
        assert of_class.interval[0] < value < of_class.interval[1]


def test_with_a_speaker_a_fold_the_mean_is_resampled_by_speaker(
    small_corpus: Path, tmp_path: Path
) -> None:
    """Then the interval is that of a plain mean of ten numbers."""
    run = make_run(small_corpus, tmp_path, "loso")
    scores = np.array(
        [expected([u.emotion for u in o.tested], o.predicted)["weighted_f1"] for o in run.outcomes]
    )
    random = np.random.default_rng(1)
    means = scores[random.integers(10, size=(20000, 10))].mean(axis=1)
    mean = by_name(run)["emotion/weighted_f1_mean_of_folds"]
    assert mean.interval == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.015)
    assert by_name(run)["fold_3/emotion/accuracy"].interval is None


def test_files_say_what_was_found(small_corpus: Path, tmp_path: Path) -> None:
    run = make_run(small_corpus, tmp_path)
    folder = tmp_path / "run"
    write_frozen_run(
        run,
        folder,
        command=["recipes/ser/frozen.py"],
        hparams={"seed": 1},
        started=datetime.now(timezone.utc),
        device="cpu",
    )
    assert not (folder / "vectors.npz").exists()  # no embeddings were given
    result = read_result(folder / "result.json")
    assert result.skipped == run.skipped and result.run.protocol == "group-kfold"
    assert result.warnings[-1] == "group-kfold: clips for validation were trained on"
    with (folder / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["true"] for row in rows] == run.true
    assert [row["predicted"] for row in rows] == run.predicted
    assert {(row["fold"] == "1", row["probability"]) for row in rows} == {
        (True, ""),
        (False, "0.2500"),
    }
    with (folder / "folds.csv").open(newline="") as file:
        first = next(csv.DictReader(file))
    assert list(first.values()) == ["0", "64", "8", "16", "2", "0.1", "", "", "0.5000"]
    assert read_clips(folder / "clips.csv") == {fold: list(COUNTS) for fold in range(5)}
    text = (folder / "summary.txt").read_text()
    assert "fold 4, C 0.1" in text and "78 clips of 10 speakers, 1 skipped" in text
    assert "emotion/f1_sadness" in text and "detection" not in text
    assert is_picture(folder / "figures" / "emotion_confusion.png")
    assert not (folder / "figures" / "detection_confusion.png").exists()


def test_validation_that_shares_test_speakers_is_told(small_corpus: Path, tmp_path: Path) -> None:
    data = chosen(small_corpus, tmp_path, "group-kfold")
    folds = {n: s | {"valid": s["test"][:1]} if n else s for n, s in data.folds.items()}
    assert list(_validation(replace(data, folds=folds))) == [
        "group-kfold: clips for validation were trained on",
        "group-kfold: clips for validation share test speakers and were left out",
    ]
    assert list(_validation(chosen(small_corpus, tmp_path, "loso"))) == []


def is_picture(path: Path) -> bool:
    return path.read_bytes()[:4] == b"\x89PNG"


def staged(run: FrozenRun) -> FrozenRun:
    """The same run by two stages, another first class in one of the folds; detection asked for."""
    random = np.random.default_rng(2)
    outcomes = []
    for outcome in run.outcomes:
        first = "anger" if outcome.fold == 2 else "sadness"
        others = sorted(set(run.data.classes) - {first})
        is_first = np.array([said == first for said in outcome.predicted])
        other = np.array(
            [
                str(random.choice(others)) if is_first[row] else said
                for row, said in enumerate(outcome.predicted)
            ]
        )
        probe = FittedProbe(Pipeline([]), Setting(1000.0, 0.1, first), {}, ())
        said = ["neutral" if name == "neutral" else "other" for name in outcome.predicted]
        stages = StageDecisions(is_first, other)
        outcomes.append(
            replace(outcome, probe=probe, stages=stages, detected=said, probability=None)
        )
    return replace(run, outcomes=outcomes)


def test_stages_and_detection_are_measured_apart(small_corpus: Path, tmp_path: Path) -> None:
    plain = make_run(small_corpus, tmp_path)
    run = staged(plain)
    found = by_name(run)
    right1, right2 = [], []
    for outcome in run.outcomes:
        first = "anger" if outcome.fold == 2 else "sadness"
        for row, clip in enumerate(outcome.tested):
            right1.append(bool(outcome.stages.is_first[row]) == (clip.emotion == first))
            if clip.emotion != first:
                right2.append(outcome.stages.other[row] == clip.emotion)
    for name, right in (("stage1/accuracy", right1), ("stage2/accuracy", right2)):
        metric = found[name]
        assert metric.value == pytest.approx(np.mean(right)) and metric.n == len(right)
        assert metric.interval[0] < metric.value < metric.interval[1] and metric.speakers == 10
    pair = (run.true, run.predicted)
    mapped = [["neutral" if name == "neutral" else "other" for name in of] for of in pair]
    for name, value in expected(*mapped).items():
        assert found[f"detection/{name}"].value == pytest.approx(value)
    assert found["baseline_majority/detection/accuracy"].value == pytest.approx(
        np.mean([name == "other" for name in mapped[0]])
    )
    assert found["detection/accuracy"].n == 78 and len(right2) < 78
    same = by_name(plain)
    assert {name: found[name] for name in same} == same  # end to end, nothing else changes


def test_a_staged_run_s_files(small_corpus: Path, tmp_path: Path) -> None:
    run = staged(make_run(small_corpus, tmp_path))
    folder = tmp_path / "run"
    write_frozen_run(
        run,
        folder,
        command=[],
        hparams={"seed": 1},
        started=datetime.now(timezone.utc),
        device="cpu",
    )
    assert is_picture(folder / "figures" / "detection_confusion.png")
    with (folder / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        first = "anger" if row["fold"] == "2" else "sadness"
        assert row["predicted"] == (first if row["is_first"] == "True" else row["other"])
        assert (row["detected"] == "neutral") == (row["predicted"] == "neutral")
    with (folder / "folds.csv").open(newline="") as file:
        chosen = [(row["c"], row["gamma"], row["first"]) for row in csv.DictReader(file)]
    assert chosen[1:3] == [("1000.0", "0.1", "sadness"), ("1000.0", "0.1", "anger")]
    text = (folder / "summary.txt").read_text()
    assert "fold 2, C 1000, gamma 0.1, anger first" in text and "stage2/accuracy" in text


def test_a_table_of_clips_that_is_none(tmp_path: Path) -> None:
    for text in (
        None,
        "fold,split\n0,train\n",
        "fold,split,emotion,given,embedded,used\n0,a,b,c,d,e\n",
    ):
        if text:
            (tmp_path / "clips.csv").write_text(text)
        with pytest.raises(StorageError, match="expected what recipes/ser/frozen"):
            read_clips(tmp_path / "clips.csv")


@pytest.mark.parametrize("standardise", [True, False])
def test_embeddings_of_test_clips_are_kept(
    small_corpus: Path, tmp_path: Path, standardise: bool
) -> None:
    run = make_run(small_corpus, tmp_path)
    ids = [u.id for u in run.data.utterances]
    vectors = np.random.default_rng(0).normal(3, 2, (2 * len(ids), 5)).astype(np.float32)
    vectors[:, 4] = 7.0  # a constant has no deviation
    made = Extracted([*ids, *(f"{id_}#1" for id_ in ids)], vectors, ())
    kept = vectors_of_tests(run, made, 1, standardise)
    tested = {u.id: u for outcome in run.outcomes for u in outcome.tested}
    assert set(kept.ids) == set(tested) and len(kept.ids) == len(tested)
    expected = vectors[[ids.index(id_) for id_ in kept.ids]].astype(np.float64)
    if standardise:
        expected -= expected.mean(axis=0)
        expected[:, :4] /= expected[:, :4].std(axis=0)
    np.testing.assert_allclose(kept.vectors, expected, rtol=1e-3, atol=1e-5)
    assert kept.columns["emotion"].tolist() == [tested[id_].emotion for id_ in kept.ids]
    assert set(kept.columns["corpus"]) == {run.data.info.name}
