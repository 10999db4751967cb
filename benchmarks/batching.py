"""Batches bucketed by length against plain random padded batches, and where an epoch's time goes.

    python benchmarks/batching.py              about six minutes on two cores
    python benchmarks/batching.py --quick      about two minutes

Clips are as long as MSP-Podcast's: 2.75 to 11 s, uniform; they are cut out of a WAV file of noise.
Both kinds of batches have the same cap of padded seconds, by default that of 16 clips of 12 s, the
micro-batch of the authors of EmoSphere-SER. Both are read in the same way and make optimiser steps
with the model and task of hparams/emosphere.yaml. Each repetition takes an equal share of either
kind's epoch, long and short batches alike, and their steps alternate, so that a busy machine slows
both. On cores that others use as well, OMP_NUM_THREADS=1 makes the numbers steadier.

Targets: 1.4 times the clips per second; forward and backward at least 90 % of a training epoch.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import soundfile
import torch
from speechbrain.utils.run_opts import RunOptions

from emovec.audio.batches import EffectiveBatches, UtteranceBatches, make_loader
from emovec.encoders.pooling import StylePooling
from emovec.encoders.wavlm import WavLM
from emovec.labels import AFFECT_AXES
from emovec.tables.corpus import CorpusInfo
from emovec.tables.manifest import Utterance
from emovec.training.brain import TaskBrain
from emovec.training.effective_batch import accumulate_gradients
from emovec.training.models import AffectModel
from emovec.training.tasks import AffectTask

SAMPLE_RATE = 16000
SHORTEST, LONGEST = 2.75, 11.0  # seconds
CLIPS = 3000  # 5.7 hours; every bucket has several batches
CLIPS_OF_EPOCH = 400  # of the epoch whose time is broken down
NOISE_SECONDS = 600.0
SPEEDUP_TARGET, SHARE_TARGET = 1.4, 0.9
AXES = ("arousal", "valence", "dominance")
INFO = CorpusInfo("noise", 0, 1, affect_scale=(1.0, 7.0), affect_source="prototype")


class Trainer:
    """A model that makes one optimiser step on each of a list of batches, timed."""

    def __init__(self, data: UtteranceBatches, batches: list[list[int]]) -> None:
        self.data = data
        self.batches = batches
        self.task = make_task(data.utterances)
        self.model = make_model(self.task)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.0007)
        self.done = 0
        self.clips = 0
        self.seconds = 0.0

    @property
    def share_done(self) -> float:
        """Share of the batches that are done."""
        return self.done / len(self.batches)

    @property
    def clips_per_second(self) -> float:
        """Clips per second, reading included."""
        return self.clips / self.seconds

    def step(self) -> None:
        """Read the next batch; forward, backward, step."""
        started = time.perf_counter()
        batch = self.data[self.batches[self.done]]
        accumulate_gradients(
            lambda part: self.task.outputs(self.model, part),
            lambda outputs, targets: self.task.loss(outputs, targets, 0),
            [batch],
            [self.done],
            nullcontext,
            torch.GradScaler(enabled=False),
        )
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.seconds += time.perf_counter() - started
        self.clips += len(batch.ids)
        self.done += 1


class TimedBrain(TaskBrain):
    """Takes the time of the optimiser, which a step has besides forward and backward."""

    optimizer_seconds = 0.0

    def optimizers_step(self) -> None:
        """Step, timed."""
        started = time.perf_counter()
        super().optimizers_step()
        self.optimizer_seconds += time.perf_counter() - started


def main() -> None:
    """Measure both targets and print what came out."""
    arguments = parse()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        utterances = make_clips(folder)
        data = make_data(folder, utterances)
        kinds = order_batches(data.seconds(), arguments.batch_seconds)
        print(f"{torch.get_num_threads()} threads, {arguments.batch_seconds:g} padded seconds:")
        for kind, batches in kinds.items():
            share = filled(data.seconds(), batches)
            print(f"  {kind}: {len(batches)} batches, {share:.1%} of the padded seconds are clips")
        step, repetitions = (10, 2) if arguments.quick else (5, 5)
        ratios = [
            compare(data, {kind: batches[start::step] for kind, batches in kinds.items()})
            for start in range(repetitions)
        ]
        epoch = make_data(folder, utterances[:CLIPS_OF_EPOCH])
        shares = [
            share_of_epoch(epoch, arguments.epoch_batch_seconds, folder / str(repetition))
            for repetition in range(2)
        ]
    report("clips per second, bucketed over plain", ratios, SPEEDUP_TARGET)
    report("forward and backward, share of a bucketed training epoch", shares, SHARE_TARGET)


def parse() -> argparse.Namespace:
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a fifth of an epoch, not a whole one")
    parser.add_argument("--batch_seconds", type=float, default=192.0, help="cap; default 192")
    parser.add_argument(
        "--epoch_batch_seconds", type=float, default=60.0, help="of the epoch broken down"
    )
    return parser.parse_args()


def make_clips(folder: Path) -> list[Utterance]:
    """Stretches of a file of noise, with random affect."""
    random = np.random.default_rng(0)
    noise = 0.1 * random.standard_normal(int(NOISE_SECONDS * SAMPLE_RATE), dtype=np.float32)
    soundfile.write(folder / "noise.wav", noise.clip(-1, 1), SAMPLE_RATE)
    utterances = []
    for number in range(CLIPS):
        duration = random.uniform(SHORTEST, LONGEST)
        start = random.uniform(0, NOISE_SECONDS - LONGEST)
        affect = dict(zip(AFFECT_AXES, random.uniform(1, 7, size=3).tolist(), strict=True))
        utterances.append(
            Utterance(str(number), "noise.wav", start, start + duration, duration, **affect)
        )
    return utterances


def make_data(folder: Path, utterances: Sequence[Utterance]) -> UtteranceBatches:
    """Clips and targets, as the recipe makes them."""
    targets = make_task(utterances).targets(utterances)
    return UtteranceBatches(utterances, folder, targets, SAMPLE_RATE, max_seconds=12.0)


def make_task(utterances: Sequence[Utterance]) -> AffectTask:
    """The task of hparams/emosphere.yaml."""
    return AffectTask(INFO, utterances, "region", "decaying", True, 8, AXES, False)


def make_model(task: AffectTask) -> AffectModel:
    """The model of hparams/emosphere.yaml."""
    torch.manual_seed(0)
    encoder = WavLM("tiny")
    width = encoder.frame_size
    pooling = StylePooling(width)
    return AffectModel(
        encoder, pooling, task.heads, width, 0.2, 0.0, 0.1, (1, 7), 8, AXES, max_seconds=12.0
    )


def order_batches(seconds: Sequence[float], batch_seconds: float) -> dict[str, list[list[int]]]:
    """Batches of an epoch of either kind, in order of their longest clip."""
    bucketed = EffectiveBatches(seconds, batch_seconds, 1, 0, shuffle=True)
    kinds = {
        "bucketed": [rows for group in bucketed for rows in group],
        "plain": list(plain_batches(seconds, batch_seconds)),
    }
    for batches in kinds.values():
        batches.sort(key=lambda batch: max(seconds[row] for row in batch))
    return kinds


def plain_batches(seconds: Sequence[float], batch_seconds: float) -> Iterator[list[int]]:
    """Clips in random order; a batch is full when one more would exceed the padded seconds."""
    batch: list[int] = []
    for row in np.random.default_rng(0).permutation(len(seconds)).tolist():
        longest = max(seconds[other] for other in [*batch, row])
        if longest * (len(batch) + 1) > batch_seconds:
            yield batch
            batch = []
        batch.append(row)
    if len(batch) > 1:  # a concordance needs two clips
        yield batch


def filled(seconds: Sequence[float], batches: list[list[int]]) -> float:
    """Share of the padded seconds that are clips."""
    lengths = [[seconds[row] for row in batch] for batch in batches]
    return sum(map(sum, lengths)) / sum(max(batch) * len(batch) for batch in lengths)


def compare(data: UtteranceBatches, kinds: dict[str, list[list[int]]]) -> float:
    """Clips per second of bucketed batches over those of plain ones; their steps alternate."""
    trainers = {kind: Trainer(data, batches) for kind, batches in kinds.items()}
    while any(trainer.share_done < 1 for trainer in trainers.values()):
        min(trainers.values(), key=lambda trainer: trainer.share_done).step()
    for kind, trainer in trainers.items():
        speed = trainer.clips_per_second
        print(f"  {kind:8} {speed:6.2f} clips/s in {trainer.seconds:.1f} s", flush=True)
    return trainers["bucketed"].clips_per_second / trainers["plain"].clips_per_second


def share_of_epoch(data: UtteranceBatches, batch_seconds: float, folder: Path) -> float:
    """Share of forward and backward in a bucketed training epoch of the Brain."""
    task = make_task(data.utterances)
    brain = TimedBrain(
        task,
        make_model(task),
        partial(torch.optim.AdamW, lr=0.0007),
        "warm_up_cosine",
        RunOptions.from_dictionary({"noprogressbar": True, "device": "cpu"}),
        folder,
        seed=0,
        epochs=1,
        patience=1,
        precision="fp32",
        max_grad_norm=5.0,
    )
    few = make_data(data.root, data.utterances[:4])
    loaders = [
        make_loader(clips, EffectiveBatches(clips.seconds(), batch_seconds, 1, 0, shuffle), 1)
        for clips, shuffle in ((data, True), (few, False))
    ]
    brain.train(*loaders)
    row = brain.history.rows[0]
    share = (row["train/step_seconds"] - brain.optimizer_seconds) / row["train/seconds"]
    optimizer = brain.optimizer_seconds / row["train/seconds"]
    print(
        f"  epoch of {len(data)} clips in {row['train/seconds']:.1f} s: forward and backward "
        f"{share:.1%}, optimiser {optimizer:.1%}",
        flush=True,
    )
    return share


def report(what: str, values: Sequence[float], target: float) -> None:
    """A line on one target."""
    found = median(values)
    verdict = "met" if found >= target else "MISSED"
    listed = ", ".join(f"{value:.3f}" for value in values)
    print(f"{what}: median {found:.3f} of {listed}; target at least {target}: {verdict}")


if __name__ == "__main__":
    main()
