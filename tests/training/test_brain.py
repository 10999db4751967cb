"""Training: same seed, same numbers; a resumed run is an unbroken one; two processes are one."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from gloo_processes import in_processes
from speechbrain.utils.run_opts import RunOptions

from emovec.audio.batches import EffectiveBatches, UtteranceBatches, make_loader
from emovec.encoders.pooling import StylePooling
from emovec.encoders.processes import process_place
from emovec.encoders.wavlm import WavLM
from emovec.errors import TrainingError
from emovec.tables.corpus import read_corpus_info
from emovec.tables.manifest import read_manifest
from emovec.training.brain import TaskBrain
from emovec.training.models import AffectModel
from emovec.training.tasks import AffectTask

AXES = ("arousal", "valence", "dominance")


class KilledError(Exception):
    """Stands for the power cut."""


def make_brain(corpus: Path, folder: Path, epochs: int = 3, **changes: object) -> TaskBrain:
    utterances = read_manifest(corpus / "manifest.csv")
    task = AffectTask(
        read_corpus_info(corpus / "corpus.json"),
        utterances,
        "region",
        "decaying",
        True,
        8,
        AXES,
        False,
    )
    torch.manual_seed(0)
    model = AffectModel(
        WavLM("tiny"), StylePooling(128), task.heads, 16, 0.5, 0.0, 0.1, (1, 7), 8, AXES, 12.0
    )
    options = RunOptions.from_dictionary(
        {"noprogressbar": True, "distributed_backend": "gloo", "device": "cpu"}
    )
    settings: dict = {"seed": 3, "epochs": epochs, "patience": 9, "precision": "fp32"}
    settings |= {"max_grad_norm": 5.0, **changes}

    def optimizer(parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.AdamW(parameters, 1e-3)

    return TaskBrain(task, model, optimizer, "warm_up_cosine", options, folder, **settings)


def make_loaders(brain: TaskBrain, corpus: Path) -> list:
    utterances = read_manifest(corpus / "manifest.csv")[:40]
    data = UtteranceBatches(utterances, corpus, brain.task.targets(utterances), 16000, 12.0)
    rank, processes = process_place()
    return [
        make_loader(data, EffectiveBatches(data.seconds(), 5.0, 2, 0, shuffle, rank, processes), 0)
        for shuffle in (True, False)
    ]


def train(corpus: Path, folder: Path, epochs: int = 3) -> tuple[list[dict], np.ndarray]:
    brain = make_brain(corpus, folder, epochs)
    loaders = make_loaders(brain, corpus)
    brain.train(*loaders)
    return brain.history.rows, brain.predict(loaders[1]).outputs["affect"]


def numbers(rows: list[dict]) -> list[dict]:
    """Rows without what depends on the clock."""
    return [{key: row[key] for key in row if "seconds" not in key} for row in rows]


@pytest.fixture(scope="module")
def unbroken(small_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple:
    return train(small_corpus, tmp_path_factory.mktemp("unbroken"))


def test_same_seed_same_numbers(small_corpus: Path, tmp_path: Path, unbroken: tuple) -> None:
    rows, predicted = train(small_corpus, tmp_path)
    assert numbers(rows) == numbers(unbroken[0])
    assert (predicted == unbroken[1]).all()


def test_a_resumed_run_equals_an_unbroken_one(
    small_corpus: Path, tmp_path: Path, unbroken: tuple
) -> None:
    """Killed behind a checkpoint in the middle of the second epoch."""
    brain = make_brain(small_corpus, tmp_path)
    brain.ckpt_interval_steps = 1
    fit_batch = brain.fit_batch

    def fit_until_killed(batch: list) -> torch.Tensor:
        if brain.epochs.current == 2 and brain.step == 2:
            raise KilledError
        return fit_batch(batch)

    brain.fit_batch = fit_until_killed
    with pytest.raises(KilledError):
        brain.train(*make_loaders(brain, small_corpus))
    rows, predicted = train(small_corpus, tmp_path)
    assert numbers(rows) == numbers(unbroken[0])
    assert (predicted == unbroken[1]).all()


def test_a_finished_run_is_not_trained_again(small_corpus: Path, tmp_path: Path) -> None:
    first = train(small_corpus, tmp_path, epochs=1)
    again = train(small_corpus, tmp_path, epochs=1)
    assert first[0] == again[0] and (first[1] == again[1]).all()


def work(rank: int, processes: int, corpus: Path, folder: Path) -> None:
    rows, predicted = train(corpus, folder)
    if rank == 0:
        torch.save({"rows": numbers(rows), "predicted": predicted.tolist()}, folder / "found.pt")


def test_two_processes_train_as_one(small_corpus: Path, tmp_path: Path, unbroken: tuple) -> None:
    in_processes(work, 2, small_corpus, tmp_path)
    found = torch.load(tmp_path / "found.pt", weights_only=True)
    for row, expected in zip(found["rows"], numbers(unbroken[0]), strict=True):
        assert row["train/loss"] == pytest.approx(expected["train/loss"], abs=1e-3)
        assert row["valid/loss"] == pytest.approx(expected["valid/loss"], abs=1e-3)
    np.testing.assert_allclose(
        np.sort(found["predicted"], axis=0), np.sort(unbroken[1], axis=0), atol=1e-2
    )


def test_the_best_epoch_is_loaded_and_patience_ends(small_corpus: Path, tmp_path: Path) -> None:
    brain = make_brain(small_corpus, tmp_path, epochs=9, patience=2)
    errors = iter([3.0, 1.0, 2.0, 2.5, 0.1])
    brain.task.error = lambda metrics: next(errors)
    loaders = make_loaders(brain, small_corpus)
    kept = []
    end = brain.on_stage_end

    def keep(stage: object, loss: float, epoch: int | None = None) -> None:
        end(stage, loss, epoch)
        kept.append(brain.model.heads["affect"][-1].weight.detach().clone())

    brain.on_stage_end = keep
    brain.train(*loaders)
    assert [row["valid/error"] for row in brain.history.rows] == [3.0, 1.0, 2.0, 2.5]
    assert torch.equal(brain.model.heads["affect"][-1].weight, kept[3])  # behind epoch 2


def test_a_loss_that_is_not_finite_stops(small_corpus: Path, tmp_path: Path) -> None:
    brain = make_brain(small_corpus, tmp_path)
    torch.nn.init.constant_(brain.model.heads["affect"][-1].bias, torch.inf)
    with pytest.raises(TrainingError, match=r"epoch 1, step 0: the loss is nan"):
        brain.train(*make_loaders(brain, small_corpus))
