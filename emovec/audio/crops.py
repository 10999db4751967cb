"""Random crops of clips for masked prediction, cut at frames of the encoder, with their targets.

All draws depend on the seed, the epoch and the crop alone: a resumed run reads what an unbroken one
would, whatever the number of workers and processes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, Sampler

from emovec.audio.augment import clip_generator
from emovec.audio.batches import Batch, EffectiveBatches, pad
from emovec.audio.chunks import Chunk
from emovec.audio.loading import load
from emovec.audio.mixing import Mixing
from emovec.audio.padding import frame_counts
from emovec.audio.spans import draw_spans
from emovec.errors import HparamError, TrainingError
from emovec.tables.manifest import Utterance

NO_CLUSTER = -1  # of frames behind a crop's end


class Labels(Protocol):
    """Cluster of each frame of each clip."""

    def __getitem__(self, row: int) -> NDArray[np.uint16]:
        """(F,) of one clip."""


@dataclass(frozen=True)
class Frames:
    """Where the frames of an encoder are, and how many of them are hidden.

    Attributes:
        sample_rate: Hz
        window: samples that a frame sees
        hop: samples from one to the next
        mask_probability: share of frames in spans, before overlaps
        span: frames of a span

    Raises:
        HparamError: if the share is not above 0 and at most 1, or a span has no frame
    """

    sample_rate: int
    window: int
    hop: int
    mask_probability: float
    span: int

    def __post_init__(self) -> None:
        if not 0 < self.mask_probability <= 1 or self.span < 1:
            raise HparamError(
                f"mask_probability is {self.mask_probability} and mask_span {self.span}; expected "
                "above 0 and at most 1, and 1 or more. Mend them."
            )

    def count(self, samples: int) -> int:
        """Frames wholly inside a clip of as many samples."""
        return int(frame_counts(torch.tensor(samples), self.window, self.hop))

    def seconds(self, frames: int) -> float:
        """From the start of a clip to that of a frame."""
        return frames * self.hop / self.sample_rate


class CropBatches(Dataset):
    """Reads the batch that a list of crops names.

    Its targets are "cluster" (B, F) int64, with -1 behind a crop's end, and "masked" (B, F) bool,
    with the F of a whole crop in every batch.

    Args:
        utterances: N rows of a manifest
        root: folder that their paths are relative to
        labels: of the same N clips
        frames: of the encoder
        crop_seconds: length of the longest crop
        mixing: of the clips of a batch; None: clean ones
        seed: of the masks
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        root: Path,
        labels: Labels,
        frames: Frames,
        crop_seconds: float,
        mixing: Mixing | None,
        seed: int,
    ) -> None:
        self.utterances = utterances
        self.root = root
        self.labels = labels
        self.frames = frames
        self.size = frames.count(round(crop_seconds * frames.sample_rate))
        self.mixing = mixing
        self.seed = seed

    def __len__(self) -> int:
        return len(self.utterances)

    def __getitem__(self, crops: Sequence[Chunk]) -> Batch:
        waves = [self._wave(crop) for crop in crops]
        keys = [f"{self.utterances[crop.row].id}@{crop.start:.3f}" for crop in crops]
        clusters = np.full((len(crops), self.size), NO_CLUSTER, dtype=np.int64)
        masked = np.zeros((len(crops), self.size), dtype=bool)
        for place, (crop, key, wave) in enumerate(zip(crops, keys, waves, strict=True)):
            count = min(self.frames.count(len(wave)), self.size)
            first = round(crop.start * self.frames.sample_rate / self.frames.hop)
            labels = self.labels[crop.row][first : first + count]
            clusters[place, : len(labels)] = labels
            masked[place, :count] = draw_spans(
                count,
                self.frames.mask_probability,
                self.frames.span,
                clip_generator(self.seed, crop.epoch, f"mask {key}"),
            )
        if self.mixing is not None:
            waves = self.mixing(waves, keys, self.frames.sample_rate, crops[0].epoch)
        padded, lengths = pad(waves)
        targets = {"cluster": torch.from_numpy(clusters), "masked": torch.from_numpy(masked)}
        return Batch([self.utterances[crop.row].id for crop in crops], padded, lengths, targets)

    def _wave(self, crop: Chunk) -> np.ndarray:
        utterance = self.utterances[crop.row]
        return load(
            self.root / utterance.path,
            (utterance.start or 0.0) + crop.start,
            utterance.stop,
            sample_rate=self.frames.sample_rate,
            max_seconds=crop.seconds,
        )


class Crops(Sampler):
    """Crops of each effective batch, as one list a micro-batch.

    A clip has its length over that of a crop, rounded, of crops an epoch, at least one, which start
    at random frames, so that an epoch is about as long as the speech is. A clip that is shorter is
    taken whole. Batches are :class:`EffectiveBatches`, of crops of similar lengths.

    Args:
        seconds: N lengths of clips
        frames: of the encoder
        crop_seconds: length of a crop
        batch_seconds: most padded seconds in a micro-batch
        micro_batches: how many make an effective batch, over all processes
        seed: of the draws
        shuffle: draw other crops in another order every epoch; otherwise the same always
        rank: this process, in [0, processes)
        processes: how many share each effective batch

    Raises:
        TrainingError: as :class:`EffectiveBatches`, or if a clip has no frame
    """

    def __init__(
        self,
        seconds: Sequence[float],
        frames: Frames,
        crop_seconds: float,
        batch_seconds: float,
        micro_batches: int,
        seed: int,
        shuffle: bool,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        lengths = np.asarray(seconds, dtype=float)
        if not len(lengths) or frames.count(round(lengths.min() * frames.sample_rate)) < 1:
            raise TrainingError(
                f"{len(lengths)} clips, of which one has no frame of the encoder; expected clips "
                f"of at least {frames.window / frames.sample_rate:.3f} s. Leave others out."
            )
        counts = np.maximum(1, np.round(lengths / crop_seconds)).astype(int)
        self._rows = np.repeat(np.arange(len(lengths)), counts)
        left = np.maximum(0, lengths - crop_seconds) * frames.sample_rate / frames.hop
        self._places = left.astype(int)[self._rows] + 1  # frames at which a crop may start
        self._frames, self._crop_seconds = frames, crop_seconds
        self._seed, self._shuffle = seed, shuffle
        self._batches = EffectiveBatches(
            np.minimum(lengths, crop_seconds)[self._rows].tolist(),
            batch_seconds,
            micro_batches,
            seed,
            shuffle,
            rank,
            processes,
        )
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Draw the crops and the order of an epoch."""
        self._epoch = epoch if self._shuffle else 0
        self._batches.set_epoch(self._epoch)
        random = np.random.default_rng([self._seed, self._epoch])
        self._starts = random.integers(self._places)

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[list[list[Chunk]]]:
        for group in self._batches:
            yield [[self._crop(item) for item in batch] for batch in group]

    def _crop(self, item: int) -> Chunk:
        start = self._frames.seconds(int(self._starts[item]))
        return Chunk(int(self._rows[item]), start, self._crop_seconds, self._epoch)
