"""Pretrain a WavLM without labels: masked prediction with denoising.

    python recipes/wavlm/pretrain.py hparams/wavlm_pretrain.yaml
    python recipes/wavlm/pretrain.py hparams/wavlm_pretrain_small.yaml --corpora="[/data/mine]"

Reads   corpora as published or in our own form; with corpora=[demo] it makes one
Writes  <run_folder>/hparams.yaml, round<number>/{targets, history.json}, figures/*.png, model/,
        result.json, report.html
"""

import gc
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

import torch
from speechbrain.utils.distributed import if_main_process, run_on_main

from emovec import experiment
from emovec.audio.crops import Frames
from emovec.audio.frame_features import MfccFrames
from emovec.audio.mixing import Mixing
from emovec.corpora.speakers import SpeakerSelection
from emovec.corpora.unlabelled import select_unlabelled
from emovec.encoders.wavlm import WavLM
from emovec.report.pretrain_run import Round, write_pretrain_run
from emovec.training.brain import TaskBrain
from emovec.training.cluster_targets import Clips, ClusterTargets, make_targets
from emovec.training.masked_prediction import MaskedPrediction, MaskedPredictionTask
from emovec.training.pretraining_data import (
    ROOT,
    CropLoaders,
    check_rounds,
    layer_features,
    long_enough,
)


@dataclass(frozen=True)
class Hparams:
    """The keys of an hparams file for this recipe; hparams/wavlm_pretrain.yaml explains them."""

    seed: int
    name: str
    run_folder: str
    corpora: list[str]
    prepared_folder: str
    held_out: float
    split_seed: int
    allow_partial: bool
    allow_leak: bool
    encoder: WavLM
    clusters: list[int]
    centred: bool
    target_layer: int
    fit_frames: int
    keep_weights: bool
    mask_probability: float
    mask_span: int
    projection_size: int
    mixing: Mixing
    crop_seconds: float
    max_seconds: float
    batch_seconds: float
    micro_batches: int
    optimizer: Callable
    learning_rate: float
    schedule: str
    precision: str
    max_grad_norm: float
    epochs: list[int]
    patience: int
    workers: int


def main(argv: list[str]) -> Path:
    """Train a round on each set of targets; of each keep the epoch of least cross-entropy."""
    started = datetime.now(timezone.utc)
    run = experiment.start(Hparams, argv)
    hparams = run.hparams
    check_rounds(
        hparams.encoder,
        hparams.clusters,
        hparams.epochs,
        hparams.target_layer,
        hparams.crop_seconds,
    )
    run_on_main(read_clips, [hparams])  # one process prepares, the others find it done
    clips = long_enough(hparams.encoder, read_clips(hparams), hparams.max_seconds)
    run.begin()
    encoder, rounds = hparams.encoder, []
    for number in range(1, len(hparams.clusters) + 1):
        targets = targets_of(run, clips, encoder, number)
        if number > 1 and not hparams.keep_weights:
            torch.manual_seed(hparams.seed)
            encoder = WavLM(**encoder.arguments())
        encoder, done = train_round(run, clips, encoder, targets, number)
        rounds.append(done)
        gc.collect()  # what read audio for this round ends here, not in a fork of the next
    if if_main_process():
        write_pretrain_run(
            encoder,
            rounds,
            replace(clips, warnings=(*clips.warnings, *hparams.mixing.skipped)),
            run.folder,
            command=["recipes/wavlm/pretrain.py", *argv],
            hparams=run.plain,
            started=started,
            device=run.device,
        )
    return run.folder


def read_clips(hparams: Hparams) -> SpeakerSelection:
    """Clips to train on, and those of held-out speakers."""
    return select_unlabelled(
        hparams.corpora,
        Path(hparams.prepared_folder),
        held_out=hparams.held_out,
        seed=hparams.split_seed,
        allow_partial=hparams.allow_partial,
        allow_leak=hparams.allow_leak,
    )


def frames_of(hparams: Hparams) -> Frames:
    """Where the encoder's frames are, and how they are hidden."""
    encoder = hparams.encoder
    return Frames(
        encoder.sample_rate,
        encoder.shortest,
        encoder.hop,
        hparams.mask_probability,
        hparams.mask_span,
    )


def targets_of(
    run: experiment.Experiment, clips: SpeakerSelection, encoder: WavLM, number: int
) -> ClusterTargets:
    """Clusters of MFCC in the first round, then of a layer of what the last one trained."""
    hparams = run.hparams
    whole = Clips(
        [*clips.train, *clips.valid],
        ROOT,
        frames_of(hparams),
        hparams.max_seconds,
        hparams.batch_seconds,
        hparams.workers,
    )
    mfcc = MfccFrames(encoder.sample_rate, encoder.shortest, encoder.hop, hparams.centred)
    return make_targets(
        whole,
        len(clips.train),
        mfcc if number == 1 else layer_features(encoder, hparams.target_layer, run.device),
        hparams.clusters[number - 1],
        hparams.fit_frames,
        hparams.seed,
        run.folder / f"round{number}" / "targets",
    )


def train_round(
    run: experiment.Experiment,
    clips: SpeakerSelection,
    encoder: WavLM,
    targets: ClusterTargets,
    number: int,
) -> tuple[WavLM, Round]:
    """The trained encoder, and how well it predicts."""
    hparams = run.hparams
    torch.manual_seed(hparams.seed + number)  # the same weights whether a run was resumed or not
    model = MaskedPrediction(encoder, len(targets.centres), hparams.projection_size)
    task = MaskedPredictionTask(targets.counts(len(clips.train)))
    brain = TaskBrain(
        task,
        model,
        hparams.optimizer,
        hparams.schedule,
        run.run_options,
        run.folder / f"round{number}",
        seed=hparams.seed + number,
        epochs=hparams.epochs[number - 1],
        patience=hparams.patience,
        precision=hparams.precision,
        max_grad_norm=hparams.max_grad_norm,
    )
    loaders = CropLoaders(
        clips,
        targets,
        frames_of(hparams),
        hparams.crop_seconds,
        hparams.max_seconds,
        hparams.batch_seconds,
        hparams.micro_batches,
        hparams.seed + number,
        hparams.workers,
    )
    validation = loaders.validation()
    brain.train(loaders.training(hparams.mixing), validation)
    collected = brain.predict(validation)
    metrics = task.metrics(collected.outputs, collected.targets)
    return encoder, Round(metrics, brain.history.rows)


if __name__ == "__main__":
    experiment.run(main)
