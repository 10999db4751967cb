"""The two sides of benchmarks/speaker.py, which says in what they differ."""

import random
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import soundfile
import speechbrain
import torch
from speechbrain.augment.augmenter import Augmenter
from speechbrain.augment.time_domain import AddNoise, AddReverb
from speechbrain.dataio import audio_io
from speechbrain.dataio.batch import PaddedBatch
from speechbrain.dataio.dataloader import make_dataloader
from speechbrain.dataio.dataset import DynamicItemDataset
from speechbrain.lobes.features import Fbank
from speechbrain.processing.features import InputNormalization
from speechbrain.utils.data_pipeline import provides, takes
from speechbrain.utils.run_opts import RunOptions
from torch import Tensor
from torch.utils.data import DataLoader

from emovec.audio.augment import LEVELS, Augmentation
from emovec.audio.batches import make_loader
from emovec.audio.chunks import ChunkBatches, SpeakerChunks
from emovec.audio.loading import load
from emovec.audio.sounds import audio_files
from emovec.tables.manifest import Utterance
from emovec.training.brain import TaskBrain
from emovec.training.models import SpeakerModel
from emovec.training.speaker_task import SpeakerTask

SAMPLE_RATE = 16000
PIECES, PIECE_SECONDS = 1000, 5  # about as many files of noise, and of rooms; noise is cut
OPTIMIZER = partial(torch.optim.Adam, lr=0.001)
OPTIONS = RunOptions.from_dictionary({"noprogressbar": True, "device": "cpu"})


class OurBrain(TaskBrain):
    """Trains an epoch at a time, and keeps its seconds."""

    def run(self, loader: DataLoader, epoch: int) -> dict[str, float]:
        """Seconds of an epoch, those of its parts, and what the processor spent on this process."""
        self.train_sampler, self._steps = loader.batch_sampler, 10**6  # as ``train`` sets them
        self.optimizer_seconds = 0.0
        self.fit([epoch], loader)
        processor = time.process_time() - self.started
        whole, step = (self._training[f"train/{name}"] for name in ("seconds", "step_seconds"))
        passes = step - self.optimizer_seconds
        return {
            "whole": whole,
            "passes": passes,
            "optimiser": self.optimizer_seconds,
            "processor": processor,
        }

    def on_stage_start(self, stage: speechbrain.Stage, epoch: int | None = None) -> None:
        """Begin to take the processor's time, too."""
        super().on_stage_start(stage, epoch)
        self.started = time.process_time()

    def optimizers_step(self) -> None:
        """Step, timed."""
        started = time.perf_counter()
        super().optimizers_step()
        self.optimizer_seconds += time.perf_counter() - started


class RecipeBrain(speechbrain.Brain):
    """What train_speaker_embeddings.py does, on our network."""

    def run(self, loader: DataLoader, epoch: int) -> dict[str, float]:
        """Seconds of an epoch, and those that the processor spent on this process."""
        self.fit([epoch], loader)
        return {"whole": self.seconds, "processor": self.processor_seconds}

    def compute_forward(self, batch: PaddedBatch, stage: speechbrain.Stage) -> Tensor:
        """Augment, take features, embed: (B, E) that the classifier takes."""
        batch = batch.to(self.device)
        waves, whole = batch.wave  # all chunks have one length
        waves, _ = self.hparams.augment(waves, whole)
        features = self.modules.normalise(self.modules.features(waves), whole)
        lengths = (whole * features.shape[1]).long()
        encoder = self.modules.model.encoder
        frames = encoder.pooling(*encoder.network(features, lengths))
        return encoder.class_features(encoder.project(frames))

    def compute_objectives(
        self, predictions: Tensor, batch: PaddedBatch, stage: speechbrain.Stage
    ) -> Tensor:
        """Mean loss over the batch."""
        return self.modules.model.criterion(predictions, batch.speaker, self.optimizer_step)

    def on_stage_start(self, stage: speechbrain.Stage, epoch: int | None = None) -> None:
        """Begin to take the time."""
        self.started = time.perf_counter(), time.process_time()

    def on_stage_end(
        self, stage: speechbrain.Stage, stage_loss: float, epoch: int | None = None
    ) -> None:
        """Keep the seconds of the epoch."""
        self.seconds = time.perf_counter() - self.started[0]
        self.processor_seconds = time.process_time() - self.started[1]


def make_ours(task: SpeakerTask, model: SpeakerModel, folder: Path) -> OurBrain:
    """The Brain of recipes/speaker/train.py."""
    return OurBrain(
        task,
        model,
        OPTIMIZER,
        "warm_up_cosine",
        OPTIONS,
        folder,
        seed=0,
        epochs=1,
        patience=1,
        precision="fp32",
        max_grad_norm=5.0,
    )


def load_ours(
    corpus: Path,
    utterances: Sequence[Utterance],
    task: SpeakerTask,
    augmentation: Augmentation,
    batch_size: int,
    chunk_seconds: float,
    workers: int,
) -> DataLoader:
    """The loader of recipes/speaker/train.py."""
    batches = ChunkBatches(utterances, corpus, task.targets(utterances), SAMPLE_RATE, augmentation)
    order = SpeakerChunks(
        [u.duration for u in utterances],
        [u.speaker for u in utterances],
        [chunk_seconds] * 2,
        batch_size,
        micro_batches=1,
        seed=0,
    )
    return make_loader(batches, order, workers)


def load_recipe(
    corpus: Path,
    utterances: Sequence[Utterance],
    task: SpeakerTask,
    batch_size: int,
    chunk_seconds: float,
    workers: int,
) -> DataLoader:
    """The loader of train_speaker_embeddings.py with random_chunk."""
    size = int(chunk_seconds * SAMPLE_RATE)

    @takes("path", "start", "duration")
    @provides("wave")
    def read_chunk(path: str, start: float, duration: float) -> Tensor:
        spare = int(duration * SAMPLE_RATE) - size - 1
        first = int(start * SAMPLE_RATE) + random.randint(0, spare)
        wave, _rate = audio_io.load(path, num_frames=size, frame_offset=first)
        return wave.transpose(0, 1).squeeze(1)

    numbers = task.targets(utterances)["speaker"].tolist()
    rows = {
        str(place): {
            "path": str(corpus / utterance.path),
            "start": utterance.start or 0.0,
            "duration": utterance.duration,
            "speaker": number,
        }
        for place, (utterance, number) in enumerate(zip(utterances, numbers, strict=True))
    }
    return make_dataloader(
        DynamicItemDataset(rows, [read_chunk], ["id", "wave", "speaker"]),
        batch_size=batch_size,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )


def make_augmenter(folder: Path, noise: Path, rooms: Path, clean_share: float) -> Augmenter:
    """Noise or a room for all but the clean share."""
    noises = write_pieces(folder / "noise_pieces", audio_files("noise", noise), PIECE_SECONDS)
    responses = write_pieces(folder / "responses", audio_files("impulse_responses", rooms), None)
    return Augmenter(
        parallel_augment=True,
        parallel_augment_fixed_bs=True,
        min_augmentations=2,
        max_augmentations=2,
        augment_prob=1 - clean_share,
        augmentations=[
            AddNoise(
                str(noises),
                snr_low=min(LEVELS["noise"]),
                snr_high=max(LEVELS["noise"]),
                pad_noise=True,
            ),
            AddReverb(str(responses)),
        ],
    )


def write_pieces(folder: Path, files: Sequence[Path], seconds: float | None) -> Path:
    """A table of mono WAV files at 16 kHz, cut into pieces, as SpeechBrain's preparation makes."""
    folder.mkdir()
    table = ["ID,duration,wav,wav_format,wav_opts"]
    for source in random.Random(0).sample(files, len(files)):
        if len(table) > PIECES:
            break
        wave = load(source, sample_rate=SAMPLE_RATE)
        size = len(wave) if seconds is None else int(seconds * SAMPLE_RATE)
        for start in range(0, len(wave), size):
            piece = wave[start : start + size]
            if len(piece) < SAMPLE_RATE / 2 < size:  # the rest of a file that was cut
                break
            path = folder / f"{len(table)}.wav"
            soundfile.write(path, piece, SAMPLE_RATE)
            table.append(f"{len(table)},{len(piece) / SAMPLE_RATE},{path},wav,")
    path = folder / "files.csv"
    path.write_text("\n".join(table) + "\n")
    return path


def make_recipe(model: SpeakerModel, augment: Augmenter, bands: int) -> RecipeBrain:
    """The Brain of the recipe."""
    modules = {
        "features": Fbank(n_mels=bands, left_frames=0, right_frames=0),
        "normalise": InputNormalization(norm_type="sentence", std_norm=False),
        "model": model,
    }
    return RecipeBrain(modules, OPTIMIZER, {"augment": augment}, OPTIONS)
