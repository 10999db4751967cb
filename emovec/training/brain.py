"""A thin adapter from tasks to SpeechBrain's Brain: checkpoints, precision, processes, resume."""

import csv
import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import speechbrain
import torch
from numpy.typing import NDArray
from speechbrain.utils import checkpoints
from speechbrain.utils.distributed import if_main_process
from speechbrain.utils.epoch_loop import EpochCounter
from speechbrain.utils.run_opts import RunOptions
from torch import Tensor, distributed, nn
from torch.utils.data import DataLoader

from emovec.audio.batches import Batch
from emovec.encoders.processes import process_place, running_processes
from emovec.errors import HparamError, TrainingError
from emovec.tables.files import write_atomically
from emovec.training.checkpoints import WholeCheckpointer
from emovec.training.effective_batch import (
    accumulate_gradients,
    micro_batch_seed,
    sum_gradients,
)
from emovec.training.parts import frozen_norms
from emovec.training.schedules import SCHEDULES
from emovec.training.tasks import Objective

logger = logging.getLogger(__name__)

# what is worth a line in the terminal
HEADLINE = (
    "train/loss",
    "valid/loss",
    "valid/ccc/mean",
    "valid/emotion/weighted_f1",
    "valid/emotion/unweighted_recall_mean_of_corpora",
    "valid/speaker/accuracy",
    "valid/eer/pooled",
    "valid/masked/accuracy",
)


@dataclass(frozen=True)
class Collected:
    """What a model said of a split.

    Attributes:
        ids: N ids
        outputs: by name (N, ...)
        targets: by name (N, ...)
    """

    ids: list[str]
    outputs: dict[str, NDArray]
    targets: dict[str, NDArray]


@checkpoints.register_checkpoint_hooks
class History:
    """One row of numbers an epoch; goes into checkpoints, so that a resumed run has all of it."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def best(self) -> int:
        """Index of the row with the least validation error; the first of equals."""
        return int(np.argmin([row["valid/error"] for row in self.rows]))

    @checkpoints.mark_as_saver
    def save(self, path: Path) -> None:
        """Write the rows as JSON."""
        Path(path).write_text(json.dumps(self.rows))

    @checkpoints.mark_as_loader
    def load(self, path: Path, end_of_epoch: bool) -> None:
        """Read the rows back."""
        del end_of_epoch
        self.rows = json.loads(Path(path).read_text())


class PatientCounter(EpochCounter):
    """Counts epochs, and stops when none of the last ``patience`` was the best."""

    def __init__(self, epochs: int, patience: int, history: History) -> None:
        super().__init__(epochs)
        self.patience = patience
        self.history = history

    def __next__(self) -> int:
        rows = self.history.rows
        if rows and len(rows) - 1 - self.history.best() >= self.patience:
            raise StopIteration
        return super().__next__()


class TaskBrain(speechbrain.Brain):
    """Trains a model on a task.

    Args:
        task: what to predict
        model: its weights
        optimizer: makes an optimiser of parameters
        schedule: name of the learning-rate schedule
        run_options: SpeechBrain's, from the command line
        folder: for checkpoints and the log
        seed: of dropout
        epochs: at most
        patience: epochs without a better one before stopping
        precision: of training: "fp32", or "bf16" or "fp16" for mixed precision
        max_grad_norm: longer gradients are cut to this length
    """

    def __init__(
        self,
        task: Objective,
        model: nn.Module,
        optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer],
        schedule: str,
        run_options: RunOptions,
        folder: Path,
        seed: int,
        epochs: int,
        patience: int,
        precision: str,
        max_grad_norm: float,
    ) -> None:
        if schedule not in SCHEDULES:
            raise HparamError(f"schedule is '{schedule}'; expected one of {sorted(SCHEDULES)}.")
        if epochs < 1:
            raise HparamError(f"epochs is {epochs}; expected at least 1.")
        history = History()
        self.epochs = PatientCounter(epochs, patience, history)
        checkpointer = WholeCheckpointer(
            folder / "checkpoints",
            recoverables={"model": model, "history": history, "epochs": self.epochs},
        )
        try:
            super().__init__(
                {"model": model},
                optimizer,
                {"precision": precision, "max_grad_norm": max_grad_norm},
                run_options,
                checkpointer,
            )
        except (ValueError, KeyError) as error:  # such as fp16 without a GPU
            raise HparamError(f"precision is '{precision}': {error}") from error
        self.task = task
        self.model = model
        self.folder = folder
        self.seed = seed
        self.history = history
        self._schedule = SCHEDULES[schedule]
        self._collected: list[Collected] = []
        self._seconds = {"step": 0.0, "epoch": 0.0}

    def train(self, training: DataLoader, validation: DataLoader) -> None:
        """Fit, resuming from the last checkpoint if there is one; then load the best epoch."""
        self.train_sampler = training.batch_sampler
        self._steps = self.epochs.limit * len(training)
        self._frozen_norms = frozen_norms(self.model)
        self.checkpointer.add_recoverable("loader", training)
        self.fit(self.epochs, training, validation)
        # only the weights: the history goes on to the last epoch
        best = self.checkpointer.find_checkpoint(min_key="error")
        weights = torch.load(best.paramfiles["model"], self.device, weights_only=True)
        self.model.load_state_dict(weights)

    def predict(self, loader: DataLoader) -> Collected:
        """Outputs for a whole split, in evaluation mode, from all processes."""
        self.modules.eval()
        self._collected = []
        with torch.no_grad():
            for batches in loader:
                self.evaluate_batch(batches, speechbrain.Stage.TEST)
        return self._gather()

    def _wrap_distributed(self) -> None:
        """Only the weights of the first process: for gradients see ``sum_gradients``."""
        if distributed.is_initialized():
            for weights in self.modules.state_dict().values():
                distributed.broadcast(weights, 0)

    def init_optimizers(self) -> None:
        """Make the optimiser, and note its peak rates before a checkpoint overwrites them."""
        super().init_optimizers()
        self._peak_rates = [group["lr"] for group in self.optimizer.param_groups]

    def fit_batch(self, batch: list[Batch]) -> Tensor:
        """One optimiser step on an effective batch."""
        if not batch:
            raise TrainingError(
                "an epoch has fewer micro-batches than there are processes; expected one each. "
                "Lower batch_seconds, or use fewer processes."
            )
        started = time.perf_counter()
        for norm in self._frozen_norms:
            norm.eval()
        self.task.step = self.optimizer_step
        rank, processes = process_place()
        seeds = [
            micro_batch_seed(self.seed, self.optimizer_step, rank + place * processes)
            for place in range(len(batch))
        ]
        epoch = self.epochs.current - 1
        loss = accumulate_gradients(
            lambda part: self.task.outputs(self.modules.model, part),
            lambda outputs, targets: self.task.loss(outputs, targets, epoch),
            [part.to(self.device) for part in batch],
            seeds,
            lambda: self.training_ctx,
            self.scaler,
        )
        _check_finite(loss, f"epoch {epoch + 1}, step {self.optimizer_step}: the loss")
        sum_gradients(self.modules)
        factor = self._schedule(self.optimizer_step, self._steps)
        for group, peak in zip(self.optimizer.param_groups, self._peak_rates, strict=True):
            group["lr"] = factor * peak
        self.optimizers_step()
        self._seconds["step"] += time.perf_counter() - started
        return loss.cpu()

    def evaluate_batch(self, batch: list[Batch], stage: speechbrain.Stage) -> Tensor:
        """Keep the outputs; losses and metrics are taken over the whole split."""
        del stage
        for part in batch:
            part = part.to(self.device)
            with self.evaluation_ctx:
                outputs = self.task.outputs(self.modules.model, part)
            self._collected.append(
                Collected(part.ids, _to_arrays(outputs), _to_arrays(part.targets))
            )
        return torch.zeros(())

    def on_stage_start(self, stage: speechbrain.Stage, epoch: int) -> None:
        """Forget what the last stage collected; after training share the moments of batch norm."""
        self._collected = []
        if stage == speechbrain.Stage.VALID and distributed.is_initialized():
            for moments in self.modules.buffers():  # each process has its own, only one is saved
                distributed.broadcast(moments, 0)
        if stage == speechbrain.Stage.TRAIN:
            self._seconds = {"step": 0.0, "epoch": time.perf_counter()}

    def on_stage_end(self, stage: speechbrain.Stage, stage_loss: float, epoch: int) -> None:
        """After training keep its loss; after validation log, and save a checkpoint."""
        if stage == speechbrain.Stage.TRAIN:
            self._training = {
                "train/loss": float(stage_loss),
                "train/seconds": time.perf_counter() - self._seconds["epoch"],
                "train/step_seconds": self._seconds["step"],
            }
            return
        collected = self._gather()
        loss = self.task.loss(
            _to_tensors(collected.outputs), _to_tensors(collected.targets), epoch - 1
        )
        _check_finite(loss, f"epoch {epoch}: the loss on valid")
        metrics = self.task.metrics(collected.outputs, collected.targets)
        error = self.task.error(metrics)
        found = {"loss": loss.item(), "error": error, **metrics}
        validation = {f"valid/{name}": value for name, value in found.items()}
        self.history.rows.append({"epoch": epoch, **self._training, **validation})
        self._write_log()
        # the newest for a resume, the best for the end
        self.checkpointer.save_and_keep_only(
            meta={"error": error}, min_keys=["error"], num_to_keep=1
        )

    def _gather(self) -> Collected:
        """Outputs of all processes for the split that was just passed through."""
        parts = running_processes().gather(self._collected)
        return _joined([collected for part in parts for collected in part])

    def _write_log(self) -> None:
        """A line in the terminal, history.json and history.csv, and TensorBoard if installed."""
        if not if_main_process():
            return
        rows = self.history.rows
        row = rows[-1]
        numbers = ", ".join(f"{key} {row[key]:.3f}" for key in HEADLINE if key in row)
        seconds = row["train/seconds"]
        logger.info("epoch %d/%d: %s (%.1f s)", row["epoch"], self.epochs.limit, numbers, seconds)
        with write_atomically(self.folder / "history.json") as file:
            json.dump(rows, file, indent=1)
        with write_atomically(self.folder / "history.csv") as file:
            table = csv.DictWriter(file, list(row), lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
        if find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            with SummaryWriter(str(self.folder / "tensorboard")) as writer:
                for key, value in row.items():
                    writer.add_scalar(key, value, row["epoch"])


def _check_finite(loss: Tensor, what: str) -> None:
    if not torch.isfinite(loss):
        raise TrainingError(
            f"{what} is {loss.item()}; expected a finite one. "
            "Lower the learning rate, or use --precision=fp32."
        )


def _joined(parts: list[Collected]) -> Collected:
    def join(field: str) -> dict[str, NDArray]:
        first: dict[str, NDArray] = getattr(parts[0], field)
        return {
            name: np.concatenate([getattr(part, field)[name] for part in parts]) for name in first
        }

    ids = [name for part in parts for name in part.ids]
    return Collected(ids, join("outputs"), join("targets"))


def _to_arrays(tensors: Mapping[str, Tensor]) -> dict[str, NDArray]:
    # bfloat16 has no NumPy twin
    return {
        name: (tensor.float() if tensor.is_floating_point() else tensor).cpu().numpy()
        for name, tensor in tensors.items()
    }


def _to_tensors(arrays: Mapping[str, NDArray]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}
