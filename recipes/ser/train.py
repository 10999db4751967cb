"""Train a speech emotion recogniser: affect on a sphere.

    python recipes/ser/train.py hparams/emosphere.yaml
    python recipes/ser/train.py hparams/emosphere.yaml --corpus=ravdess --data_folder=/data/RAVDESS

Reads   a corpus as published (layouts: emovec/corpora/*.py); with corpus=demo it makes one
Writes  <run_folder>/hparams.yaml, history.json, predictions.csv, figures/*.png, model/, result.json
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from speechbrain.utils.distributed import if_main_process, run_on_main

from emovec import experiment
from emovec.audio.batches import EffectiveBatches, UtteranceBatches, make_loader, wave_statistics
from emovec.corpora.selection import Selection, select
from emovec.encoders import store
from emovec.encoders.base import Encoder
from emovec.report.affect_run import AffectRun, write_affect_run
from emovec.training.brain import TaskBrain, process_place
from emovec.training.models import AffectModel
from emovec.training.tasks import AffectTask


@dataclass(frozen=True)
class Hparams:
    """The keys of an hparams file for this recipe; hparams/emosphere.yaml explains them."""

    seed: int
    name: str
    run_folder: str
    corpus: str
    corpus_options: dict[str, Any]
    data_folder: str | None
    prepared_folder: str
    protocol: str
    fold: int
    split_seed: int
    drop_emotions: list[str]
    allow_partial: bool
    allow_leak: bool
    max_seconds: float
    encoder_size: str
    weights: str | None
    freeze_front_end: bool
    layers: str
    dropout: float
    layer_drop: float
    mask_time_probability: float
    encoder: Encoder
    pooling: str
    pooling_options: dict[str, Any] | None
    head_dropout: float
    auxiliary: str
    auxiliary_weight: str
    weighted_cross_entropy: bool
    regions: int
    axes: list[str]
    centre_region: bool
    task: Callable[..., AffectTask]
    optimizer: Callable
    learning_rate: float
    schedule: str
    precision: str
    max_grad_norm: float
    epochs: int
    patience: int
    batch_seconds: float
    micro_batches: int
    workers: int


def main(argv: list[str]) -> None:
    """Train, pick the best epoch on valid, score it once on test."""
    started = datetime.now(timezone.utc)
    run = experiment.start(Hparams, argv)
    hparams = run.hparams
    run_on_main(choose_clips, [hparams])  # one process prepares, the others find it done
    clips = choose_clips(hparams)
    task = hparams.task(clips.info, clips.splits["train"])
    sets = {
        split: UtteranceBatches(
            utterances,
            clips.root,
            task.targets(utterances),
            hparams.encoder.sample_rate,
            hparams.max_seconds,
            hparams.encoder.shortest,
        )
        for split, utterances in clips.splits.items()
    }
    model = make_model(hparams, task, sets["train"])
    brain = TaskBrain(
        task,
        model,
        hparams.optimizer,
        hparams.schedule,
        run.run_options,
        run.folder,
        seed=hparams.seed,
        epochs=hparams.epochs,
        patience=hparams.patience,
        precision=hparams.precision,
        max_grad_norm=hparams.max_grad_norm,
    )
    loaders = {split: order(hparams, batches, split) for split, batches in sets.items()}
    run.begin()
    brain.train(loaders["train"], loaders["valid"])
    collected = brain.predict(loaders["test"])
    if if_main_process():
        write_affect_run(
            AffectRun(task, model, collected, brain.history.rows, clips),
            run.folder,
            command=["recipes/ser/train.py", *argv],
            hparams=run.plain,
            started=started,
            device=str(brain.device),
        )


def choose_clips(hparams: Hparams) -> Selection:
    """The clips of each split."""
    return select(
        hparams.corpus,
        hparams.corpus_options,
        hparams.data_folder,
        Path(hparams.prepared_folder),
        protocol=hparams.protocol,
        fold=hparams.fold,
        seed=hparams.split_seed,
        drop_emotions=hparams.drop_emotions,
        with_affect=True,
        allow_partial=hparams.allow_partial,
        allow_leak=hparams.allow_leak,
    )


def make_model(hparams: Hparams, task: AffectTask, training: UtteranceBatches) -> AffectModel:
    """Encoder, pooling and heads, with the statistics of the training split's waves."""
    width = hparams.encoder.frame_size
    wave_mean, wave_deviation = wave_statistics(training, hparams.workers)
    return AffectModel(
        hparams.encoder,
        store.create(hparams.pooling, width=width, **(hparams.pooling_options or {})),
        task.heads,
        head_width=width,
        head_dropout=hparams.head_dropout,
        wave_mean=wave_mean,
        wave_deviation=wave_deviation,
        affect_scale=task.info.affect_scale,
        regions=hparams.regions,
        axes=hparams.axes,
        max_seconds=hparams.max_seconds,
    )


def order(hparams: Hparams, batches: UtteranceBatches, split: str) -> Any:
    """A loader of this process' share of a split's effective batches."""
    rank, processes = process_place()
    training = split == "train"
    shares = EffectiveBatches(
        batches.seconds(),
        hparams.batch_seconds,
        hparams.micro_batches if training else processes,
        hparams.seed,
        shuffle=training,
        rank=rank,
        processes=processes,
    )
    return make_loader(batches, shares, hparams.workers)


if __name__ == "__main__":
    experiment.run(main)
