"""Random stretches of clips for speaker training, with speakers drawn alike.

All draws are the sampler's, from the seed and the epoch: what a loader's worker reads is decided
before, so that a resumed run reads what an unbroken one would.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from emovec.audio.augment import Augmentation, change_speed
from emovec.audio.batches import Batch, pad
from emovec.audio.loading import load
from emovec.audio.speeds import speed_of
from emovec.errors import TrainingError
from emovec.tables.manifest import Utterance


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of a clip.

    Attributes:
        row: of the clip
        start: seconds from the clip's beginning
        seconds: length; a clip that is shorter is taken whole
        epoch: from 0, for the augmentation
    """

    row: int
    start: float
    seconds: float
    epoch: int


class ChunkBatches(Dataset):
    """Reads the batch that a list of chunks names.

    Args:
        utterances: N rows of a manifest, at speeds of their own
        root: folder that their paths are relative to
        targets: by name (N, ...) what is to be predicted
        sample_rate: in Hz
        augmentation: of every chunk, anew in each epoch
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        root: Path,
        targets: Mapping[str, Tensor],
        sample_rate: int,
        augmentation: Augmentation | None = None,
    ) -> None:
        self.utterances = utterances
        self.root = root
        self.targets = targets
        self.sample_rate = sample_rate
        self.augmentation = augmentation

    def __len__(self) -> int:
        return len(self.utterances)

    def __getitem__(self, chunks: Sequence[Chunk]) -> Batch:
        rows = [chunk.row for chunk in chunks]
        waves, lengths = pad([self._wave(chunk) for chunk in chunks])
        targets = {name: target[rows] for name, target in self.targets.items()}
        return Batch([self.utterances[row].id for row in rows], waves, lengths, targets)

    def _wave(self, chunk: Chunk) -> np.ndarray:
        utterance = self.utterances[chunk.row]
        speed = speed_of(utterance)
        wave = load(
            self.root / utterance.path,
            (utterance.start or 0.0) + chunk.start * speed,
            utterance.stop,
            sample_rate=self.sample_rate,
            max_seconds=chunk.seconds * speed,
        )
        wave = change_speed(wave, speed)
        if self.augmentation is None:
            return wave
        return self.augmentation(wave, self.sample_rate, utterance.id, chunk.epoch)


class SpeakerChunks(Sampler):
    """Chunks of each effective batch, as one list a micro-batch.

    Speakers take turns in a new random order each round, so that each is heard equally often
    however many clips there are of them; the clip is drawn from the speaker's. All chunks of an
    effective batch have one length, drawn evenly between the shortest and the longest, so that
    only clips which are shorter than it are padded. An epoch has as many chunks as there are clips.

    Args:
        seconds: N lengths of clips
        speakers: (N,) who speaks
        chunk_seconds: shortest and longest chunk
        batch_size: chunks of a micro-batch
        micro_batches: how many make an effective batch, over all processes
        seed: of the draws
        rank: this process, in [0, processes)
        processes: how many share each effective batch

    Raises:
        TrainingError: if there are fewer than two speakers, the shortest chunk is longer than
            every clip, a batch has fewer than two chunks, or there are more processes than
            micro-batches
    """

    def __init__(
        self,
        seconds: Sequence[float],
        speakers: Sequence[str],
        chunk_seconds: Sequence[float],
        batch_size: int,
        micro_batches: int,
        seed: int,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        _check(seconds, speakers, chunk_seconds, batch_size, micro_batches, processes)
        self._seconds = np.asarray(seconds)
        names, numbers = np.unique(np.asarray(speakers), return_inverse=True)
        self._clips_of = [np.flatnonzero(numbers == speaker) for speaker in range(len(names))]
        self._shortest, self._longest = chunk_seconds
        self._size = batch_size
        self._micro_batches = micro_batches
        self._seed = seed
        self._rank = rank
        self._processes = processes
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Draw the chunks of an epoch."""
        random = np.random.default_rng([self._seed, epoch])
        whole = self._size * self._micro_batches
        count = max(1, round(len(self._seconds) / whole)) * whole
        rounds = -(-count // len(self._clips_of))
        turns = [random.permutation(len(self._clips_of)) for _ in range(rounds)]
        drawn = np.concatenate(turns)[:count].reshape(-1, self._micro_batches, self._size)
        self._groups = [self._group(speakers, epoch, random) for speakers in drawn]

    def __len__(self) -> int:
        return len(self._groups)

    def __iter__(self) -> Iterator[list[list[Chunk]]]:
        for group in self._groups:
            yield group[self._rank :: self._processes]

    def _group(
        self, speakers: np.ndarray, epoch: int, random: np.random.Generator
    ) -> list[list[Chunk]]:
        """Chunks of one effective batch, of speakers (micro-batches, size)."""
        length = float(random.uniform(self._shortest, self._longest))
        return [
            [self._chunk(speaker, length, epoch, random) for speaker in row] for row in speakers
        ]

    def _chunk(self, speaker: int, length: float, epoch: int, random: np.random.Generator) -> Chunk:
        row = int(random.choice(self._clips_of[speaker]))
        return self._stretch(row, length, epoch, random)

    def _stretch(self, row: int, length: float, epoch: int, random: np.random.Generator) -> Chunk:
        start = random.uniform(0, max(0.0, self._seconds[row] - length))
        return Chunk(row, float(start), length, epoch)


def _check(
    seconds: Sequence[float],
    speakers: Sequence[str],
    chunk_seconds: Sequence[float],
    batch_size: int,
    micro_batches: int,
    processes: int,
) -> None:
    if len(set(speakers)) < 2:
        raise TrainingError(
            f"{len(set(speakers))} speakers to train on; expected at least 2. Add a manifest."
        )
    if len(chunk_seconds) != 2 or not 0 < chunk_seconds[0] <= chunk_seconds[1]:
        raise TrainingError(
            f"chunk_seconds is {list(chunk_seconds)}; expected [shortest, longest] in seconds. "
            "Correct it."
        )
    if batch_size < 2:
        raise TrainingError(
            f"batch_size is {batch_size}; expected at least 2, for batch normalisation. Raise it."
        )
    if chunk_seconds[0] > max(seconds):
        raise TrainingError(
            f"the shortest chunk is {chunk_seconds[0]} s and the longest clip "
            f"{max(seconds):.2f} s; expected clips at least as long. Lower chunk_seconds."
        )
    if micro_batches < processes:
        raise TrainingError(
            f"micro_batches is {micro_batches} for {processes} processes; "
            "expected at least one each. Raise micro_batches."
        )
