"""Folds of a paper's table: how many, and the one result of their runs."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from emovec.errors import HparamError
from emovec.report.paper_folds import MEAN_OF_FOLDS, choose_folds, over_folds
from emovec.report.paper_runs import Run
from emovec.tables.corpus import Skip
from emovec.tables.manifest import Utterance, write_manifest
from emovec.tables.results import Metric, Result, ResultError, RunFacts, write_result

EMOTIONS = ("anger", "neutral", "sadness")
FACTS = RunFacts(
    "", "feed", 1, "", 1.0, "", {}, "", {}, "small", None, "group-3fold", "hash", False
)
Rows = list[tuple[str, str, str]]


def draw_predictions() -> list[Rows]:
    """Rows of three folds of unequal size, of nine speakers, right in two of three cases."""
    random = np.random.default_rng(3)
    folds = []
    for fold in range(3):
        rows = []
        for clip in range(12 + 7 * fold):
            true = EMOTIONS[random.integers(3)]
            said = true if random.random() < 0.66 else EMOTIONS[random.integers(3)]
            rows.append((f"s{3 * fold + clip % 3}_{clip}", true, said))
        folds.append(rows)
    return folds


@pytest.fixture
def make(tmp_path: Path) -> Callable[[list[Rows]], list[Run]]:
    """Runs of one fold each that are complete; one without rows is not."""

    def runs(folds: list[Rows]) -> list[Run]:
        ids = [id_ for rows in folds for id_, *_ in rows]
        write_manifest(
            tmp_path / "data" / "manifest.csv",
            [utterance(id_) for id_ in dict.fromkeys(ids)],
        )
        found = []
        for fold, rows in enumerate(folds):
            hparams = {"fold": fold, "prepared_folder": str(tmp_path / "data")}
            run = Run("a", 1, tmp_path / f"fold_{fold}", ["train.py"], hparams)
            if rows:
                write(run, rows)
            found.append(run)
        return found

    return runs


def utterance(id_: str) -> Utterance:
    speaker = id_.split("_")[0]
    return Utterance(
        id=id_, path=f"{id_}.wav", start=None, stop=None, duration=1.0, speaker=speaker
    )


def write(run: Run, rows: Rows) -> None:
    run.folder.mkdir(parents=True, exist_ok=True)
    with (run.folder / "predictions.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "emotion", "predicted"), *rows])
    own = Metric("emotion/weighted_f1", 0.1, len(rows), 3, None)
    warnings = ("few speakers", f"of fold {run.hparams['fold']}")
    result = Result(replace(FACTS, hparams=run.hparams), (own,), (Skip("x", "short"),), warnings)
    write_result(run.folder / "result.json", result)


def test_the_mean_of_runs_of_one_fold_each(make: Callable) -> None:
    folds = draw_predictions()
    result = over_folds(make(folds))
    (metric,) = result.metrics
    scores = [
        f1_score([true for _, true, _ in rows], [said for *_, said in rows], average="weighted")
        for rows in folds
    ]
    assert metric.metric == MEAN_OF_FOLDS
    assert metric.value == pytest.approx(sum(scores) / 3)
    assert (metric.n, metric.speakers) == (12 + 19 + 26, 9)
    assert result.run.hparams["folds"] == [0, 1, 2]
    assert result.skipped == (Skip("x", "short"),)
    assert result.warnings == ("few speakers", "of fold 0", "of fold 1", "of fold 2")


def f1(true: list[str], said: list[str]) -> float:
    """As scikit-learn's, but faster."""
    total = 0.0
    for name in set(true):
        hits = sum(t == s == name for t, s in zip(true, said, strict=True))
        total += true.count(name) * 2 * hits / (true.count(name) + said.count(name))
    return total / len(true)


def test_the_interval_resamples_the_speakers_of_all_folds(make: Callable) -> None:
    """The same draws of speakers, the mean of the folds written out clip by clip."""
    folds = draw_predictions()
    everything = [
        (fold, *row[1:], row[0].split("_")[0]) for fold, rows in enumerate(folds) for row in rows
    ]
    speakers = sorted({row[3] for row in everything})
    random = np.random.default_rng(0)
    drawn_means = []
    for _ in range(1000):
        drawn = [speakers[i] for i in random.integers(len(speakers), size=len(speakers))]
        total = weight = 0.0
        for fold, rows in enumerate(folds):
            clips = [row for name in drawn for row in everything if row[3] == name]
            clips = [row for row in clips if row[0] == fold]
            if clips:
                total += f1([c[1] for c in clips], [c[2] for c in clips]) * len(clips) / len(rows)
                weight += len(clips) / len(rows)
        drawn_means.append(total / weight)
    (metric,) = over_folds(make(folds)).metrics
    assert metric.interval == pytest.approx(np.percentile(drawn_means, [2.5, 97.5]))


def test_folds_that_are_not_complete_do_not_count(make: Callable) -> None:
    folds = draw_predictions()
    runs = make([folds[0], [], folds[2]])
    result = over_folds(runs)
    assert result.run.hparams["folds"] == [0, 2] and result.metrics[0].n == 12 + 26
    assert over_folds([runs[1]]) is None


def test_a_run_over_all_folds_is_its_own_result(tmp_path: Path) -> None:
    run = Run("a", 1, tmp_path / "folds", ["frozen.py"], {"folds": [0, 1]})
    metric = Metric(MEAN_OF_FOLDS, 0.5, 9, 3, (0.4, 0.6))
    result = Result(replace(FACTS, hparams=run.hparams), (metric,))
    write_result(run.folder / "result.json", result)
    assert over_folds([run]) == result


def test_a_clip_without_a_speaker_is_a_speaker_of_its_own(make: Callable) -> None:
    runs = make([[("_1", "anger", "anger"), ("_2", "anger", "neutral")]])
    assert over_folds(runs).metrics[0].speakers == 2


def test_predictions_that_cannot_be_read(make: Callable) -> None:
    runs = make(draw_predictions())
    predictions = runs[1].folder / "predictions.csv"
    for text in ("id,emotion\nx,anger\n", "id,emotion,predicted\n"):
        predictions.write_text(text)
        with pytest.raises(ResultError, match="expected rows of id, emotion, predicted"):
            over_folds(runs)
    predictions.write_text("id,emotion,predicted\nghost,anger,anger\n")
    with pytest.raises(ResultError, match="1 clips, such as ghost, are not in the manifest"):
        over_folds(runs)
    predictions.unlink()
    with pytest.raises(ResultError, match="FileNotFoundError"):
        over_folds(runs)


def clips(small_corpus: Path, tmp_path: Path, **changes: object) -> dict[str, object]:
    hparams = {
        "corpus": "manifest",
        "corpus_options": {},
        "data_folder": str(small_corpus),
        "prepared_folder": str(tmp_path / "data"),
        "protocol": "group-4fold",
        "split_seed": 0,
        "emotions": None,
        "drop_emotions": [],
        "allow_partial": False,
        "allow_leak": False,
    }
    return {**hparams, **changes}


def test_the_first_folds_of_a_protocol(small_corpus: Path, tmp_path: Path) -> None:
    hparams = clips(small_corpus, tmp_path)
    assert [choose_folds(hparams, wanted) for wanted in ("2", "4", "all", None)] == [
        [0, 1],
        *[[0, 1, 2, 3]] * 3,
    ]
    assert choose_folds(clips(small_corpus, tmp_path, protocol="by-speaker"), None) == [0]
    for wanted in ("0", "5", "-1", "1.0", "every"):
        with pytest.raises(HparamError, match="expected all, or a number from 1 to 4, of group-4"):
            choose_folds(hparams, wanted)
