"""Train a speech emotion recogniser: affect on a sphere, or emotion classes.

    python recipes/ser/train.py hparams/emosphere.yaml
    python recipes/ser/train.py hparams/emosphere.yaml --corpus=ravdess --data_folder=/data/RAVDESS
    python recipes/ser/train.py hparams/finetune.yaml --corpus=ravdess --data_folder=/data/RAVDESS

Reads   a corpus as published (layouts: emovec/corpora/*.py); with corpus=demo it makes one
Writes  <run_folder>/hparams.yaml, history.json, predictions.csv, figures/*.png, model/,
        result.json, report.html
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from speechbrain.utils.distributed import if_main_process, run_on_main

from emovec import experiment
from emovec.audio.augment import Augmentation
from emovec.audio.batches import EffectiveBatches, UtteranceBatches, make_loader, wave_statistics
from emovec.corpora.selection import Selection, select
from emovec.encoders import store
from emovec.encoders.audible import audible_parts
from emovec.encoders.base import Encoder
from emovec.encoders.locating import find_model
from emovec.encoders.processes import process_place
from emovec.errors import HparamError
from emovec.report.affect_run import AffectRun, write_affect_run
from emovec.report.emotion_run import EmotionRun, write_emotion_run
from emovec.tables.manifest import Utterance
from emovec.training.brain import TaskBrain
from emovec.training.models import AffectModel, EmotionModel
from emovec.training.parts import make_encoder, optimizer_of_parts
from emovec.training.tasks import AffectTask, EmotionTask


@dataclass(frozen=True)
class Hparams:
    """The keys that every hparams file for this recipe has."""

    seed: int
    name: str
    run_folder: str
    target: str
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
    pretrained: str | None
    frozen: list[str]
    pooling: str | None
    pooling_options: dict[str, Any] | None
    head_dropout: float
    weighted_cross_entropy: bool
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


@dataclass(frozen=True)
class AffectHparams(Hparams):
    """Further keys for target=affect; hparams/emosphere.yaml explains them."""

    encoder_size: str
    weights: str | None
    freeze_front_end: bool
    layers: str
    dropout: float
    layer_drop: float
    mask_time_probability: float
    encoder: Encoder
    head_width: int | None
    auxiliary: str
    auxiliary_weight: str
    regions: int
    axes: list[str]
    centre_region: bool
    task: Callable[..., AffectTask]


@dataclass(frozen=True)
class EmotionHparams(Hparams):
    """Further keys for target=emotion; hparams/finetune.yaml explains them."""

    emotions: list[str] | None
    encoder: str
    encoder_options: dict[str, Any]
    encoder_learning_rate: float
    copies: int
    noise: str | None
    music: str | None
    augmentation: Augmentation


TARGETS = {"affect": AffectHparams, "emotion": EmotionHparams}


def main(argv: list[str]) -> Path:
    """Train, pick the best epoch on valid, score it once on test."""
    started = datetime.now(timezone.utc)
    run = experiment.start(TARGETS, argv)
    hparams = run.hparams
    run_on_main(choose_clips, [hparams])  # one process prepares, the others find it done
    clips = choose_clips(hparams)
    prepare_run = prepare_affect if hparams.target == "affect" else prepare_emotion
    prepared = prepare_run(hparams, clips)
    brain = TaskBrain(
        prepared.task,
        prepared.model,
        prepared.optimizer,
        hparams.schedule,
        run.run_options,
        run.folder,
        seed=hparams.seed,
        epochs=hparams.epochs,
        patience=hparams.patience,
        precision=hparams.precision,
        max_grad_norm=hparams.max_grad_norm,
    )
    loaders = {split: order(hparams, batches, split) for split, batches in prepared.sets.items()}
    run.begin()
    brain.train(loaders["train"], loaders["valid"])
    collected = brain.predict(loaders["test"])
    if if_main_process():
        prepared.write(
            collected,
            brain.history.rows,
            run.folder,
            command=["recipes/ser/train.py", *argv],
            hparams=run.plain,
            started=started,
            device=str(brain.device),
        )
    return run.folder


@dataclass(frozen=True)
class Prepared:
    """What a target brings: what to train, on what, and how to write what comes of it."""

    task: AffectTask | EmotionTask
    model: AffectModel | EmotionModel
    optimizer: Callable
    sets: dict[str, UtteranceBatches]
    write: Callable


def choose_clips(hparams: Hparams) -> Selection:
    """The clips of each split."""
    affect = hparams.target == "affect"
    return select(
        hparams.corpus,
        hparams.corpus_options,
        hparams.data_folder,
        Path(hparams.prepared_folder),
        protocol=hparams.protocol,
        fold=hparams.fold,
        seed=hparams.split_seed,
        drop_emotions=hparams.drop_emotions if affect else [*hparams.drop_emotions, ""],
        emotions=None if affect else hparams.emotions,
        with_affect=affect,
        allow_partial=hparams.allow_partial,
        allow_leak=hparams.allow_leak,
    )


def prepare_affect(hparams: AffectHparams, clips: Selection) -> Prepared:
    """Encoder, pooling and heads, with the statistics of the training split's waves."""
    encoder = hparams.encoder
    if hparams.pretrained is not None:
        encoder = store.load_model(find_model(hparams.pretrained))
        if not isinstance(encoder, Encoder):
            raise HparamError(
                f"pretrained is {hparams.pretrained}, which holds a {type(encoder).__name__}; "
                "expected an encoder. Choose another."
            )
    clips = only_audible(encoder, clips, hparams.max_seconds)
    task = hparams.task(clips.info, clips.splits["train"])
    sets = {
        split: read_batches(hparams, encoder, task, clips.root, utterances)
        for split, utterances in clips.splits.items()
    }
    width = encoder.frame_size
    wave_mean, wave_deviation = wave_statistics(sets["train"], hparams.workers)
    model = AffectModel(
        encoder,
        store.create(hparams.pooling, width=width, **(hparams.pooling_options or {})),
        task.heads,
        head_width=hparams.head_width or width,
        head_dropout=hparams.head_dropout,
        wave_mean=wave_mean,
        wave_deviation=wave_deviation,
        affect_scale=task.info.affect_scale,
        regions=hparams.regions,
        axes=hparams.axes,
        max_seconds=hparams.max_seconds,
    )

    def write(collected: Any, history: Any, folder: Path, **facts: Any) -> None:
        write_affect_run(AffectRun(task, model, collected, history, clips), folder, **facts)

    optimizer = optimizer_of_parts(hparams.optimizer, model, hparams.learning_rate, hparams.frozen)
    return Prepared(task, model, optimizer, sets, write)


def only_audible(encoder: Encoder, clips: Selection, max_seconds: float) -> Selection:
    """The clips that the encoder hears; others are told in the result."""
    splits, silent = audible_parts(encoder, clips.splits, clips.root, max_seconds)
    return replace(clips, splits=splits, skipped=(*clips.skipped, *silent))


def prepare_emotion(hparams: EmotionHparams, clips: Selection) -> Prepared:
    """An encoder, pretrained or not, with a new output layer; silent clips are left out."""
    encoder = make_encoder(hparams.encoder, hparams.encoder_options, hparams.pretrained)
    clips = only_audible(encoder, clips, hparams.max_seconds)
    splits = clips.splits
    task = EmotionTask(splits["train"], hparams.weighted_cross_entropy)
    sets = {
        split: read_batches(hparams, encoder, task, clips.root, splits[split])
        for split in ("valid", "test")
    }
    sets["train"] = read_batches(
        hparams,
        encoder,
        task,
        clips.root,
        splits["train"],
        augmentation=hparams.augmentation,
        copies=hparams.copies,
    )
    options = {"width": encoder.frame_size, **(hparams.pooling_options or {})}
    model = EmotionModel(
        encoder,
        task.heads["emotion"],
        store.create(hparams.pooling, **options) if hparams.pooling else None,
        head_dropout=hparams.head_dropout,
        max_seconds=hparams.max_seconds,
    )
    optimizer = optimizer_of_parts(
        hparams.optimizer, model, hparams.encoder_learning_rate, hparams.frozen
    )

    def write(collected: Any, history: Any, folder: Path, **facts: Any) -> None:
        write_emotion_run(EmotionRun(task, model, collected, history, clips), folder, **facts)

    return Prepared(task, model, optimizer, sets, write)


def read_batches(
    hparams: Hparams,
    encoder: Encoder,
    task: AffectTask | EmotionTask,
    root: Path,
    utterances: list[Utterance],
    **augmented: Any,
) -> UtteranceBatches:
    """Clips of a split and what is to be predicted of them."""
    return UtteranceBatches(
        utterances,
        root,
        task.targets(utterances),
        encoder.sample_rate,
        hparams.max_seconds,
        encoder.shortest,
        **augmented,
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
