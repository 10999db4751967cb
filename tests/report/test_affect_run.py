"""What a finished run leaves, from numbers that were made up."""

import errno
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest

from emovec.corpora.selection import select
from emovec.encoders.pooling import StylePooling
from emovec.encoders.wavlm import WavLM
from emovec.errors import StorageError
from emovec.report import affect_run
from emovec.report.affect_run import AffectRun, draw, model_metrics, write_affect_run
from emovec.tables.results import Metric, Result
from emovec.training.brain import Collected
from emovec.training.models import AffectModel
from emovec.training.tasks import AffectTask

AXES = ("arousal", "valence", "dominance")
HISTORY = [{"epoch": 1, "train/loss": 3.0, "valid/loss": 3.0, "valid/ccc/mean": 0.0}]


def make_run(corpus: Path, folder: Path, affect: np.ndarray | float, centre: bool) -> AffectRun:
    """Predicts ``affect`` on [0, 1] for every test clip, which come in reversed order."""
    options: dict = {"protocol": "default", "fold": 0, "seed": 0, "drop_emotions": []}
    options |= {"with_affect": True, "allow_partial": False, "allow_leak": False}
    data = select("manifest", {}, str(corpus), folder / "made", **options)
    task = AffectTask(data.info, data.splits["train"], "region", "decaying", True, 8, AXES, centre)
    clips = data.splits["test"][::-1]
    targets = {name: tensor.numpy() for name, tensor in task.targets(clips).items()}
    outputs = {
        "affect": np.full((len(clips), 3), affect, np.float32),
        "region": np.zeros((len(clips), len(task.heads["region"])), np.float32),
    }
    model = AffectModel(
        WavLM("tiny"), StylePooling(128), task.heads, 16, 0.2, 0.0, 0.1, (1, 7), 8, AXES, 12.0
    )
    return AffectRun(task, model, Collected([u.id for u in clips], outputs, targets), HISTORY, data)


def write(run: AffectRun, folder: Path) -> Result:
    hparams = {"name": "made up", "seed": 1, "prepared_folder": str(folder / "made")}
    return write_affect_run(
        run,
        folder / "run",
        command=["recipes/ser/train.py"],
        hparams=hparams,
        started=datetime.now(timezone.utc),
        device="cpu",
    )


@pytest.fixture
def no_baselines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(affect_run, "affect_baselines", lambda *_: {})


def test_constant_predictions_score_zero(small_corpus: Path, tmp_path: Path) -> None:
    run = make_run(small_corpus, tmp_path, 0.3, centre=False)
    found = {metric.metric: metric for metric in model_metrics(run)}
    for axis in (*AXES, "mean"):
        assert found[f"ccc/{axis}"].value == 0
        assert found[f"ccc/{axis}"].interval == (0, 0)
    assert found["rmse/valence"].value > 0
    assert all(isinstance(metric, Metric) and metric.interval for metric in found.values())


@pytest.mark.usefixtures("no_baselines")
@pytest.mark.parametrize("centre", [False, True])
def test_everything_is_written_of_constant_predictions(
    small_corpus: Path, tmp_path: Path, centre: bool
) -> None:
    """All at the centre of the scale, which may be a class of its own."""
    result = write(make_run(small_corpus, tmp_path, 0.5, centre), tmp_path)
    assert result.get("ccc/mean").value == 0
    names = {path.relative_to(tmp_path / "run").as_posix() for path in tmp_path.rglob("run/**/*")}
    assert {"result.json", "predictions.csv", "model/card.md", "figures/affect_sphere.png"} <= names


def test_the_centre_has_a_row_of_its_own(small_corpus: Path, tmp_path: Path) -> None:
    figure = draw(make_run(small_corpus, tmp_path, 0.5, centre=True))["region_confusion"]
    names = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert (len(names), names[-1]) == (9, "centre")


def test_baselines_are_measured_on_the_rows_that_were_collected(
    small_corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A baseline that says the truth agrees wholly, though the rows came in another order."""
    run = make_run(small_corpus, tmp_path, 0.3, centre=False)
    truth = np.array([u.affect for u in run.data.splits["test"]])
    monkeypatch.setattr(affect_run, "affect_baselines", lambda *_: {"truth": truth})
    found = {m.metric: m.value for m in affect_run.baseline_metrics(run, tmp_path, seed=0)}
    assert found["baseline_truth/ccc/mean"] == pytest.approx(1, abs=1e-6)
    assert found["baseline_truth/rmse/valence"] == pytest.approx(0, abs=1e-5)
    assert found["baseline_truth/region/accuracy"] == 1
    assert not any("region_head" in name for name in found)


@pytest.mark.usefixtures("no_baselines")
def test_a_full_disk_leaves_no_result(
    small_corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The result marks a run as complete, so it is written last."""
    run = make_run(small_corpus, tmp_path, 0.3, centre=False)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("emovec.encoders.store.save_file", full)
    with pytest.raises(StorageError, match=r"model: could not be written \(No space left"):
        write(run, tmp_path)
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert left == {"predictions.csv", "figures"}
