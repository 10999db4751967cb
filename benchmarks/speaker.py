"""Speaker training with augmentation on: does the loader keep up, and against SpeechBrain's recipe.

    python benchmarks/speaker.py               about three minutes on two cores
    python benchmarks/speaker.py --profile     and where the time of either goes
    python benchmarks/speaker.py --corpus=/data/VoxCeleb1 --chunk_seconds=3 \
        --noise=/data/musan/noise --impulse_responses=/data/RIRS_NOISES

``ours`` is the path of recipes/speaker/train.py: SpeakerChunks, ChunkBatches with Augmentation in
the loader's workers, TaskBrain. ``recipe`` is a plain Brain after train_speaker_embeddings.py and
hparams/train_resnet.yaml of SpeechBrain's recipes/VoxCeleb/SpeakerRec: a DynamicItemDataset that
reads random chunks, PaddedBatch, and in ``compute_forward`` an Augmenter, Fbank and
InputNormalization. Epochs of the two alternate, so that a busy machine slows both, after one each
that is not counted.

The same on both sides: clips, chunk length, batch size, workers, threads, bands, the network and
the loss (our ResNet with additive angular margin), the optimiser, files of noise and rooms, and
the shares of chunks that stay clean (0.2), get noise (0.4) or a room (0.4). What differs:

- the recipe draws one room for all chunks of a batch that get one, and leaves whole batches clean;
- the recipe's Augmenter makes four more clips of each and trains on all five; here it changes each
  clip once, as ours does, so that a clip read is a clip trained on;
- the recipe reads noise in pieces of at most 5 s, cut before, as its preparation does; ours reads
  a stretch of the file. Published, noises and rooms have loaders with workers of their own; here,
  where both sides have as many processes, the training process reads them;
- Fbank centres its frames: the recipe has 3 more a chunk, 2 % of those of 1.5 s;
- silent frames are kept on both sides, as the recipe keeps them; hparams/xvector.yaml drops them;
- the recipe's workers stay alive between epochs, as ours do, which spares it their start.

A corpus is in our own form, at 16 kHz; clips that are shorter than a chunk are left out. Without
--corpus the demonstration corpus is made, without --noise and --impulse_responses white noise of
60 s a file and rooms that decay within 1 s.

Targets: forward and backward, features included, at least 90 % of our epoch; no fewer clips per
second than the recipe, aimed at 1.3 times as many. A worker needs a core of its own for that: where
others use the cores as well, what it does ahead is taken from the training process. So the ratio by
the processor's time of the training process alone is printed, too, without a target: it counts
neither the workers nor the wait for them.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path
from statistics import median

import numpy as np
import soundfile
import torch
from augment import make_rooms
from speaker_sides import (
    SAMPLE_RATE,
    OurBrain,
    RecipeBrain,
    load_ours,
    load_recipe,
    make_augmenter,
    make_ours,
    make_recipe,
)
from torch.utils.data import DataLoader

from emovec.audio.augment import Augmentation
from emovec.audio.batches import Batch
from emovec.corpora import demo
from emovec.encoders.resnet import ResNet
from emovec.tables.manifest import Utterance, read_manifest
from emovec.training.models import SpeakerModel
from emovec.training.speaker_losses import AdditiveAngularMarginSoftmax
from emovec.training.speaker_task import SpeakerTask

BANDS = 23
CLEAN_SHARE = 0.2
NOISES, NOISE_SECONDS = 40, 60
PROFILED = 4  # batches
SHARE_TARGET, SPEED_TARGET, SPEED_AIM = 0.9, 1.0, 1.3


def main() -> None:
    """Measure both targets and print what came out."""
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpus = arguments.corpus or folder / "corpus"
        if arguments.corpus is None:
            demo.synthesise(corpus)
        noise = arguments.noise or make_noises(folder / "noise")
        rooms = arguments.impulse_responses or make_rooms(folder / "rooms")
        utterances = draw_clips(corpus, arguments)
        task = SpeakerTask(utterances, [])
        ours = make_ours(task, make_model(task, arguments.channels), folder / "run")
        augmentation = Augmentation(noise, impulse_responses=rooms, clean_share=CLEAN_SHARE)
        clips = corpus, utterances, task
        sizes = arguments.batch_size, arguments.chunk_seconds, arguments.workers
        our_loader = load_ours(*clips, augmentation, *sizes)
        augment = make_augmenter(folder, noise, rooms, CLEAN_SHARE)
        recipe = make_recipe(make_model(task, arguments.channels), augment, BANDS)
        recipe_loader = load_recipe(*clips, *sizes)
        print(
            f"{arguments.threads} threads, {arguments.workers} workers, {arguments.batches} "
            f"batches of {arguments.batch_size} chunks of {arguments.chunk_seconds:g} s:"
        )
        if arguments.profile:
            profile(our_loader, augmentation, ours, recipe_loader, recipe)
        pairs = []
        for epoch in range(arguments.repetitions + 1):  # the first starts workers and fills caches
            pair = ours.run(our_loader, epoch), recipe.run(recipe_loader, epoch)
            pairs += [pair] if epoch else []
            print_pair(pair, len(utterances), "" if epoch else " (not counted)")
    report(pairs, len(utterances))


def parse() -> argparse.Namespace:
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, help="folder with manifest.csv")
    parser.add_argument("--noise", type=Path, help="folder of audio")
    parser.add_argument("--impulse_responses", type=Path, help="folder of audio")
    parser.add_argument("--batches", type=int, default=10, help="of an epoch; default 10")
    parser.add_argument("--repetitions", type=int, default=5, help="counted epochs; default 5")
    parser.add_argument("--batch_size", type=int, default=64, help="chunks; default 64")
    parser.add_argument("--chunk_seconds", type=float, default=1.5, help="default 1.5")
    parser.add_argument("--channels", type=int, nargs="+", default=[8, 16, 32, 64])
    parser.add_argument("--workers", type=int, default=1, help="of the loaders; default 1")
    parser.add_argument("--threads", type=int, default=1, help="of torch; default 1")
    parser.add_argument("--profile", action="store_true", help="also milliseconds of each part")
    return parser.parse_args()


def make_noises(folder: Path) -> Path:
    """A folder of white noise."""
    folder.mkdir()
    for number in range(NOISES):
        samples = NOISE_SECONDS * SAMPLE_RATE
        noise = 0.1 * np.random.default_rng(number).standard_normal(samples)
        soundfile.write(folder / f"{number}.wav", noise, SAMPLE_RATE)
    return folder


def draw_clips(corpus: Path, arguments: argparse.Namespace) -> list[Utterance]:
    """As many clips as an epoch has chunks, again from the first if the corpus has fewer."""
    long = [u for u in read_manifest(corpus / "manifest.csv") if u.speaker]
    long = [u for u in long if u.duration > arguments.chunk_seconds + 0.01]
    random.Random(0).shuffle(long)
    return list(islice(cycle(long), arguments.batches * arguments.batch_size))


def make_model(task: SpeakerTask, channels: Sequence[int]) -> SpeakerModel:
    """The network and loss of either side, with the same weights."""
    torch.manual_seed(0)
    encoder = ResNet("log_mel", BANDS, activity=False, channels=channels, embedding_size=192)
    criterion = AdditiveAngularMarginSoftmax(encoder.embedding_size, len(task.heads["speaker"]))
    return SpeakerModel(encoder, criterion)


def profile(
    loader: DataLoader,
    augmentation: Augmentation,
    brain: OurBrain,
    recipe_loader: DataLoader,
    recipe: RecipeBrain,
) -> None:
    """Milliseconds a clip of what is done beside the network, each alone in this process."""
    data, encoder = loader.dataset, brain.model.encoder
    lists = [chunks for group in loader.batch_sampler for chunks in group][:PROFILED]
    data.augmentation = None
    read = [data[chunks] for chunks in lists]
    clips = sum(len(batch.ids) for batch in read)

    def take(name: str, function: Callable, items: Sequence) -> None:
        for item in items:  # caches
            function(item)
        started = time.perf_counter()
        for item in items:
            function(item)
        print(f"  {name:26} {1000 * (time.perf_counter() - started) / clips:6.2f} ms a clip")

    def augment(batch: Batch) -> None:
        for name, wave in zip(batch.ids, batch.waves.numpy(), strict=True):
            augmentation(wave, SAMPLE_RATE, name, 0)

    take("ours: read", data.__getitem__, lists)
    take("ours: augment", augment, read)
    data.augmentation = augmentation
    with torch.no_grad():
        take("ours: features", lambda batch: encoder.describe(batch.waves, batch.lengths), read)
        rows = recipe_loader.dataset
        take("recipe: read", lambda row: rows[row], range(clips))
        ones = torch.ones(len(read[0].ids))
        take("recipe: augment", lambda batch: recipe.hparams.augment(batch.waves, ones), read)
        take(
            "recipe: features",
            lambda batch: recipe.modules.normalise(recipe.modules.features(batch.waves), ones),
            read,
        )


def print_pair(pair: tuple[dict[str, float], ...], clips: int, note: str) -> None:
    """A line on an epoch of each."""
    ours, recipe = pair
    whole = ours["whole"]
    rest = 1 - (ours["passes"] + ours["optimiser"]) / whole
    print(
        f"  ours {clips / whole:6.1f} clips/s: forward and backward {ours['passes'] / whole:.1%}, "
        f"optimiser {ours['optimiser'] / whole:.1%}, loader and rest {rest:.1%}; "
        f"recipe {clips / recipe['whole']:6.1f} clips/s{note}",
        flush=True,
    )


def report(pairs: Sequence[tuple[dict[str, float], ...]], clips: int) -> None:
    """Both targets."""
    shares = [ours["passes"] / ours["whole"] for ours, _recipe in pairs]
    ratios = [recipe["whole"] / ours["whole"] for ours, recipe in pairs]
    alone = [recipe["processor"] / ours["processor"] for ours, recipe in pairs]
    fastest = [clips / min(side["whole"] for side in sides) for sides in zip(*pairs, strict=True)]
    print(f"fastest epoch: ours {fastest[0]:.1f}, recipe {fastest[1]:.1f} clips/s")
    for what, values, target in (
        ("forward and backward, share of our epoch", shares, SHARE_TARGET),
        (f"clips per second, ours over recipe, aimed at {SPEED_AIM}", ratios, SPEED_TARGET),
        ("the same, by processor time of the training process", alone, None),
    ):
        found = median(values)
        line = f"{what}: median {found:.3f} of {', '.join(f'{value:.3f}' for value in values)}"
        if target is not None:
            line += f"; target at least {target}: {'met' if found >= target else 'MISSED'}"
        print(line)


if __name__ == "__main__":
    main()
