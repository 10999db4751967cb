"""Train an encoder on the emotion labels of several corpora at once, each by its own names.

    python recipes/ser/categories.py hparams/categories.yaml
    python recipes/ser/categories.py hparams/categories.yaml --pretrained=runs/wavlm/small/1/model \
        --corpora="[/data/mine, iemocap=/data/IEMOCAP, msp_podcast=/data/MSP-Podcast]"

Reads   corpora as published or in our own form; with corpora=[demo] it makes one
Writes  <run_folder>/hparams.yaml, history.json, predictions.csv, figures/*.png, result.json,
        report.html, model/: the encoder, without the layers that name emotions
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from speechbrain.utils.distributed import if_main_process, run_on_main

from emovec import experiment
from emovec.audio.augment import Augmentation
from emovec.corpora.pooled_selection import select_pooled_of
from emovec.corpora.selection import Selection
from emovec.encoders import store
from emovec.encoders.audible import audible_parts
from emovec.encoders.base import Encoder
from emovec.encoders.pooled import PooledEncoder
from emovec.report.categories_run import CategoriesRun, write_categories_run
from emovec.training.brain import TaskBrain
from emovec.training.corpora_task import CorporaTask
from emovec.training.models import CorporaModel
from emovec.training.parts import make_encoder, optimizer_of_parts
from emovec.training.speaker_data import SpeakerLoaders


@dataclass(frozen=True)
class Hparams:
    """The keys of an hparams file for this recipe; hparams/categories.yaml explains them."""

    seed: int
    name: str
    run_folder: str
    corpora: list[str]
    prepared_folder: str
    protocol: str
    held_out: float
    split_seed: int
    merge_emotions: dict[str, str]
    emotions: list[str] | None
    drop_emotions: list[str]
    allow_partial: bool
    allow_leak: bool
    encoder: str
    encoder_options: dict[str, Any]
    pretrained: str | None
    pooling: str
    pooling_options: dict[str, Any]
    embedding_size: int | None
    activity: bool
    head_dropout: float
    head_width: int | None
    frozen: list[str]
    noise: str | None
    music: str | None
    speech: str | None
    impulse_responses: str | None
    clean_share: float
    speeds: list[float]
    augmentation: Augmentation
    weighted_cross_entropy: bool
    corpus_balance: float
    label_smoothing: float
    chunk_seconds: list[float]
    batch_size: int
    micro_batches: int
    max_seconds: float
    optimizer: Callable
    learning_rate: float
    encoder_learning_rate: float
    schedule: str
    precision: str
    max_grad_norm: float
    epochs: int
    patience: int
    workers: int


def main(argv: list[str]) -> Path:
    """Train, pick the epoch with the best mean recall on valid, score it once on test."""
    started = datetime.now(timezone.utc)
    run = experiment.start(Hparams, argv)
    hparams = run.hparams
    run_on_main(select_pooled_of, [hparams])  # one process prepares, the others find it done
    encoder = make_pooled(hparams)
    clips = audible_clips(encoder, select_pooled_of(hparams), hparams)
    task = CorporaTask(
        clips.splits["train"],
        hparams.weighted_cross_entropy,
        hparams.corpus_balance,
        hparams.label_smoothing,
    )
    model = CorporaModel(encoder, task.heads, hparams.head_dropout, hparams.head_width)
    brain = make_brain(run, task, model)
    loaders = SpeakerLoaders(
        task,
        encoder,
        hparams.chunk_seconds,
        hparams.batch_size,
        hparams.micro_batches,
        None,
        hparams.max_seconds,
        hparams.seed,
        hparams.workers,
        turns="id",
    )
    training = loaders.chunks(clips.splits["train"], hparams.augmentation)
    valid, test = (loaders.whole_clips(clips.splits[name]) for name in ("valid", "test"))
    run.begin()
    brain.train(training, valid)
    collected = brain.predict(test)
    if if_main_process():
        write_categories_run(
            CategoriesRun(task, model, collected, brain.history.rows, clips),
            run.folder,
            command=["recipes/ser/categories.py", *argv],
            hparams=run.plain,
            started=started,
            device=str(brain.device),
        )
    return run.folder


def make_pooled(hparams: Hparams) -> PooledEncoder:
    """An encoder, pretrained or not, with a pooling and an embedding behind it."""
    encoder = make_encoder(hparams.encoder, hparams.encoder_options, hparams.pretrained)
    pooling = store.create(hparams.pooling, width=encoder.frame_size, **hparams.pooling_options)
    return PooledEncoder(encoder, pooling, hparams.embedding_size, hparams.activity)


def audible_clips(encoder: Encoder, clips: Selection, hparams: Hparams) -> Selection:
    """The clips in which the encoder hears speech enough."""
    fastest = max(hparams.augmentation.speeds)
    splits, skipped = audible_parts(encoder, clips.splits, clips.root, hparams.max_seconds, fastest)
    return replace(clips, splits=splits, skipped=(*clips.skipped, *skipped))


def make_brain(
    run: experiment.Experiment[Hparams], task: CorporaTask, model: CorporaModel
) -> TaskBrain:
    """What trains; the encoder within the embedding's has a rate of its own."""
    hparams = run.hparams
    optimizer = optimizer_of_parts(
        hparams.optimizer,
        model,
        hparams.encoder_learning_rate,
        hparams.frozen,
        part="encoder.encoder",
    )
    return TaskBrain(
        task,
        model,
        optimizer,
        hparams.schedule,
        run.run_options,
        run.folder,
        seed=hparams.seed,
        epochs=hparams.epochs,
        patience=hparams.patience,
        precision=hparams.precision,
        max_grad_norm=hparams.max_grad_norm,
    )


if __name__ == "__main__":
    experiment.run(main)
