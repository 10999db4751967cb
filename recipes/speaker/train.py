"""Train a speaker encoder.

    python recipes/speaker/train.py hparams/xvector.yaml
    python recipes/speaker/train.py hparams/xvector.yaml --corpora="[voxceleb2=/data/VoxCeleb2]"

Reads   corpora as published or in our own form; with corpora=[demo] it makes one
Writes  <run_folder>/hparams.yaml, history.json, figures/*.png, model/, result.json
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from speechbrain.utils.distributed import if_main_process, run_on_main
from torch.utils.data import DataLoader

from emovec import experiment
from emovec.audio.augment import Augmentation
from emovec.audio.batches import EffectiveBatches, UtteranceBatches, make_loader
from emovec.audio.chunks import ChunkBatches, SpeakerChunks
from emovec.corpora.speaker_tests import check_part, check_trials, read_tests
from emovec.corpora.speakers import SpeakerSelection, select_speakers
from emovec.encoders import store
from emovec.encoders.audible import audible
from emovec.encoders.base import Encoder
from emovec.encoders.processes import process_place
from emovec.errors import HparamError
from emovec.report.speaker_run import Embedded, write_speaker_run
from emovec.tables.corpus import Skip
from emovec.tables.manifest import Utterance
from emovec.training.brain import TaskBrain
from emovec.training.models import SpeakerModel
from emovec.training.speaker_task import SpeakerTask

ROOT = Path("/")  # paths of a speaker selection are absolute
TALKERS = 2000  # training clips that babble is made of


@dataclass(frozen=True)
class Hparams:
    """The keys of an hparams file for this recipe; hparams/xvector.yaml explains them."""

    seed: int
    name: str
    run_folder: str
    corpora: list[str]
    test_corpora: list[str]
    prepared_folder: str
    held_out: float
    split_seed: int
    allow_partial: bool
    allow_leak: bool
    features: str
    sample_rate: int
    activity: bool
    channels: list[int]
    blocks: list[int]
    pooling: str
    embedding_size: int
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
    chunk_seconds: list[float]
    batch_size: int
    micro_batches: int
    valid_seconds: float
    optimizer: Callable
    learning_rate: float
    schedule: str
    precision: str
    max_grad_norm: float
    epochs: int
    patience: int
    workers: int


def main(argv: list[str]) -> None:
    """Train, pick the epoch with the least EER on valid, score it once on test speakers."""
    started = datetime.now(timezone.utc)
    run = experiment.start(Hparams, argv)
    hparams = run.hparams
    run_on_main(read_clips, [hparams])  # one process prepares, the others find it done
    clips, tests, skipped = audible_clips(hparams, *read_clips(hparams))
    task = SpeakerTask(clips.train, [*clips.valid, *(u for test in tests.values() for u in test)])
    criterion = store.create(
        hparams.criterion,
        width=hparams.encoder.embedding_size,
        speakers=len(task.heads["speaker"]),
        **hparams.criterion_options,
    )
    brain = TaskBrain(
        task,
        SpeakerModel(hparams.encoder, criterion),
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
    training, validation = chunks(hparams, task, clips.train), [*clips.known, *clips.valid]
    run.begin()
    brain.train(training, whole_clips(hparams, task, validation))
    tested = []
    for prefix, utterances in tests.items():
        collected = brain.predict(whole_clips(hparams, task, utterances))
        clip = {u.id: u for u in utterances}
        in_order = [clip[id_] for id_ in collected.ids]
        tested.append(Embedded(prefix, in_order, collected.outputs["embedding"]))
    if if_main_process():
        write_speaker_run(
            hparams.encoder,
            tested,
            brain.history.rows,
            replace(
                clips,
                skipped=(*clips.skipped, *skipped),
                warnings=(*clips.warnings, *unusable(training)),
            ),
            run.folder,
            command=["recipes/speaker/train.py", *argv],
            hparams=run.plain,
            started=started,
            device=str(brain.device),
        )


def read_clips(hparams: Hparams) -> tuple[SpeakerSelection, dict[str, list[Utterance]]]:
    """Clips of the corpora to train on, and of those that are for tests only, by name."""
    folder = Path(hparams.prepared_folder)
    clips = select_speakers(
        hparams.corpora,
        folder,
        held_out=hparams.held_out,
        seed=hparams.split_seed,
        allow_partial=hparams.allow_partial,
        allow_leak=hparams.allow_leak,
    )
    return read_tests(
        hparams.test_corpora, folder / "test", clips, hparams.allow_partial, hparams.allow_leak
    )


def audible_clips(
    hparams: Hparams, clips: SpeakerSelection, others: dict[str, list[Utterance]]
) -> tuple[SpeakerSelection, dict[str, list[Utterance]], list[Skip]]:
    """Clips to train on, those of each test by the prefix of its metrics, and what is left out."""
    parts = {"known": clips.known, "valid": clips.valid, "": clips.test}
    parts |= {f"test_{name}/": utterances for name, utterances in others.items()}
    skipped: list[Skip] = []
    for name, utterances in parts.items():
        parts[name], silent = audible(hparams.encoder, utterances, ROOT, hparams.valid_seconds)
        check_part(name or "test", parts[name], silent)
        skipped += silent
    chosen = replace(clips, known=parts.pop("known"), valid=parts.pop("valid"))
    check_trials("valid", chosen.valid)
    return chosen, parts, skipped


def chunks(hparams: Hparams, task: SpeakerTask, utterances: list[Utterance]) -> DataLoader:
    """A loader of this process' share of the training chunks."""
    rank, processes = process_place()
    batches = ChunkBatches(
        utterances,
        ROOT,
        task.targets(utterances),
        hparams.encoder.sample_rate,
        augmentation(hparams, utterances),
    )
    order = SpeakerChunks(
        [u.duration for u in utterances],
        [u.speaker for u in utterances],
        hparams.chunk_seconds,
        hparams.batch_size,
        hparams.micro_batches,
        hparams.seed,
        rank,
        processes,
    )
    shortest = hparams.encoder.shortest / hparams.encoder.sample_rate
    if hparams.chunk_seconds[0] < shortest:
        raise HparamError(
            f"chunk_seconds is {hparams.chunk_seconds}; expected at least {shortest} s, a frame of "
            "the encoder. Raise it."
        )
    return make_loader(batches, order, hparams.workers)


def unusable(training: DataLoader) -> Sequence[str]:
    """Files of noise, music, speech and rooms that were left out, each with the reason."""
    used = training.dataset.augmentation
    return used.skipped if used else ()


def augmentation(hparams: Hparams, utterances: list[Utterance]) -> Augmentation | None:
    """What makes ResNet-aug of ResNet-clean."""
    if not hparams.augment:
        return None
    made = hparams.augmentation
    if hparams.babble_of_training:
        drawn = random.Random(hparams.seed).sample(utterances, min(TALKERS, len(utterances)))
        made = made.with_talkers([ROOT / utterance.path for utterance in drawn])
    if not made.kinds:
        raise HparamError(
            "augment is True, but there is nothing to augment with; expected a folder of noise, "
            "music, speech or impulse_responses, or babble_of_training. Give one."
        )
    return made


def whole_clips(hparams: Hparams, task: SpeakerTask, utterances: list[Utterance]) -> DataLoader:
    """A loader of this process' share of clips, cut at ``valid_seconds``."""
    rank, processes = process_place()
    batches = UtteranceBatches(
        utterances,
        ROOT,
        task.targets(utterances),
        hparams.encoder.sample_rate,
        hparams.valid_seconds,
    )
    # the longest clip may be longer than a batch of chunks
    seconds = max(hparams.batch_size * hparams.chunk_seconds[1], *batches.seconds())
    order = EffectiveBatches(
        batches.seconds(), seconds, processes, hparams.seed, False, rank, processes
    )
    return make_loader(batches, order, hparams.workers)


if __name__ == "__main__":
    experiment.run(main)
