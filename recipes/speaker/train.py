"""Train a speaker encoder.

    python recipes/speaker/train.py hparams/xvector.yaml
    python recipes/speaker/train.py hparams/xvector.yaml --corpora="[voxceleb2=/data/VoxCeleb2]"
    python recipes/speaker/train.py hparams/deeptalk.yaml

Reads   corpora as published or in our own form; with corpora=[demo] it makes one
Writes  <run_folder>/hparams.yaml, history.json, figures/*.png, model/, vectors.npz, result.json,
        report.html
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from speechbrain.utils.distributed import if_main_process, run_on_main

from emovec import experiment
from emovec.audio.augment import Augmentation
from emovec.audio.speeds import with_speakers_at
from emovec.corpora.speaker_tests import read_tests
from emovec.corpora.speakers import SpeakerSelection, select_speakers
from emovec.encoders.base import Encoder
from emovec.report.speaker_run import Embedded, write_speaker_run
from emovec.tables.manifest import Utterance
from emovec.training.brain import TaskBrain
from emovec.training.speaker_data import SpeakerLoaders, audible_clips, prepare_augmentation
from emovec.training.speaker_task import task_and_model


@dataclass(frozen=True)
class Hparams:
    """The keys of an hparams file for this recipe; hparams/xvector.yaml explains them.

    Keys of one encoder alone are the file's own.
    """

    seed: int
    name: str
    run_folder: str
    corpora: list[str]
    test_corpora: list[str]
    prepared_folder: str
    held_out: float
    validation: float | None
    split_seed: int
    allow_partial: bool
    allow_leak: bool
    encoder: Encoder
    criterion: str
    criterion_options: dict[str, Any]
    augment: bool
    babble_of_training: bool
    noise: str | None
    music: str | None
    speech: str | None
    impulse_responses: str | None
    augmentation: Augmentation
    speaker_speeds: list[float]
    chunk_seconds: list[float]
    batch_size: int
    micro_batches: int
    utterances_per_speaker: int | None
    valid_seconds: float
    optimizer: Callable
    learning_rate: float
    schedule: str
    precision: str
    max_grad_norm: float
    epochs: int
    patience: int
    workers: int


def main(argv: list[str]) -> Path:
    """Train, pick the epoch with the least EER on valid, score it once on test speakers."""
    started = datetime.now(timezone.utc)
    run = experiment.start(Hparams, argv)
    hparams = run.hparams
    run_on_main(read_clips, [hparams])  # one process prepares, the others find it done
    clips, tests, skipped = audible_clips(
        hparams.encoder, *read_clips(hparams), hparams.valid_seconds
    )
    heard = with_speakers_at(hparams.speaker_speeds, clips.train)
    brain, loaders = brain_and_loaders(run, heard, clips.valid, tests)
    augmentation = augmentation_of(hparams, clips.train)
    training = loaders.chunks(heard, augmentation)
    run.begin()
    brain.train(training, loaders.whole_clips([*clips.known, *clips.valid]))
    tested = [embedded(brain, loaders, prefix, test) for prefix, test in tests.items()]
    if if_main_process():
        write_speaker_run(
            hparams.encoder,
            tested,
            brain.history.rows,
            replace(
                clips,
                skipped=(*clips.skipped, *skipped),
                warnings=(*clips.warnings, *(augmentation.skipped if augmentation else ())),
            ),
            run.folder,
            command=["recipes/speaker/train.py", *argv],
            hparams=run.plain,
            started=started,
            device=str(brain.device),
        )
    return run.folder


def brain_and_loaders(
    run: experiment.Experiment,
    training: list[Utterance],
    valid: list[Utterance],
    tests: dict[str, list[Utterance]],
) -> tuple[TaskBrain, SpeakerLoaders]:
    """What trains, and what it reads."""
    hparams = run.hparams
    held_out = [*valid, *(u for test in tests.values() for u in test)]
    task, model = task_and_model(
        training, held_out, hparams.encoder, hparams.criterion, hparams.criterion_options
    )
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
    loaders = SpeakerLoaders(
        task,
        hparams.encoder,
        hparams.chunk_seconds,
        hparams.batch_size,
        hparams.micro_batches,
        hparams.utterances_per_speaker,
        hparams.valid_seconds,
        hparams.seed,
        hparams.workers,
    )
    return brain, loaders


def embedded(
    brain: TaskBrain, loaders: SpeakerLoaders, prefix: str, utterances: list[Utterance]
) -> Embedded:
    """Embeddings of the clips of a test, in the order in which they come."""
    collected = brain.predict(loaders.whole_clips(utterances))
    clip = {u.id: u for u in utterances}
    in_order = [clip[id_] for id_ in collected.ids]
    return Embedded(prefix, in_order, collected.outputs["embedding"])


def read_clips(hparams: Hparams) -> tuple[SpeakerSelection, dict[str, list[Utterance]]]:
    """Clips of the corpora to train on, and of those that are for tests only, by name."""
    folder = Path(hparams.prepared_folder)
    clips = select_speakers(
        hparams.corpora,
        folder,
        held_out=hparams.held_out,
        validation=hparams.validation,
        seed=hparams.split_seed,
        allow_partial=hparams.allow_partial,
        allow_leak=hparams.allow_leak,
    )
    return read_tests(
        hparams.test_corpora, folder / "test", clips, hparams.allow_partial, hparams.allow_leak
    )


def augmentation_of(hparams: Hparams, utterances: list[Utterance]) -> Augmentation | None:
    """What makes ResNet-aug of ResNet-clean."""
    if not hparams.augment:
        return None
    return prepare_augmentation(
        hparams.augmentation, hparams.babble_of_training, utterances, hparams.seed
    )


if __name__ == "__main__":
    experiment.run(main)
