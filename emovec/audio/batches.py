"""Batches of clips of similar length, padded at the end, read in the background.

One optimiser step sees an *effective batch*: a list of micro-batches, each bounded in padded
seconds. The loader yields such lists, so that a loss can be taken over all of their clips.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from speechbrain.dataio.dataloader import SaveableDataLoader
from speechbrain.dataio.sampler import DynamicBatchSampler
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from emovec.audio.augment import Augmentation
from emovec.audio.loading import load
from emovec.errors import HparamError, TrainingError
from emovec.tables.manifest import Utterance

MOST_BUCKETS = 20
BATCHES_A_BUCKET = 4  # fewer buckets on small corpora: each leaves one unfilled batch an epoch


@dataclass(frozen=True)
class Batch:
    """Clips padded to one length.

    Attributes:
        ids: B ids
        waves: (B, T) float32 in [-1, 1], zeros after each clip's end
        lengths: (B,) int64 valid samples
        targets: by name (B, ...) what is to be predicted
    """

    ids: list[str]
    waves: Tensor
    lengths: Tensor
    targets: dict[str, Tensor]

    def pin_memory(self) -> "Batch":
        """The same batch in memory that copies fast to a GPU; the loader asks for it."""
        targets = {name: target.pin_memory() for name, target in self.targets.items()}
        return Batch(self.ids, self.waves.pin_memory(), self.lengths.pin_memory(), targets)

    def to(self, device: str | torch.device) -> "Batch":
        """The same batch on a device."""
        return Batch(
            self.ids,
            self.waves.to(device, non_blocking=True),
            self.lengths.to(device, non_blocking=True),
            {name: target.to(device, non_blocking=True) for name, target in self.targets.items()},
        )


def pad(waves: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Waves of ragged lengths as one array with zeros after each end.

    Args:
        waves: B arrays (T_i,) float32

    Returns:
        (B, max T_i) float32 and (B,) int64 lengths
    """
    lengths = torch.tensor([len(wave) for wave in waves])
    padded = torch.zeros(len(waves), int(lengths.max()))
    for row, wave in zip(padded, waves, strict=True):
        row[: len(wave)] = torch.from_numpy(wave)
    return padded, lengths


class UtteranceBatches(Dataset):
    """Reads the micro-batch that a list of row numbers names.

    Args:
        utterances: N rows of a manifest
        root: folder that their paths are relative to
        targets: by name (N, ...) what is to be predicted
        sample_rate: in Hz
        max_seconds: clips are cut to this length
        shortest: samples that the encoder needs
        augmentation: of the copies, at the speed of the clips
        copies: augmented ones of every clip, each drawn once; rows N to 2 N - 1 are the first of
            all clips, and so on

    Raises:
        HparamError: if there is nothing to augment copies with, or it changes the speed
        TrainingError: if there are shorter clips, once cut
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        root: Path,
        targets: Mapping[str, Tensor],
        sample_rate: int,
        max_seconds: float,
        shortest: int = 1,
        augmentation: Augmentation | None = None,
        copies: int = 0,
    ) -> None:
        short = [
            u.id for u in utterances if round(min(u.duration, max_seconds) * sample_rate) < shortest
        ]
        if short:
            raise TrainingError(
                f"{len(short)} clips are shorter than the encoder's {shortest} samples at "
                f"{sample_rate} Hz: {short[:10]}; expected longer ones. "
                f"Leave them out (max_seconds is {max_seconds})."
            )
        self.utterances = utterances
        self.root = root
        self.targets = targets
        self.sample_rate = sample_rate
        self.max_seconds = max_seconds
        self.augmentation, self.copies = augmentation, copies
        if copies:
            _check_copies(copies, augmentation)

    def __len__(self) -> int:
        return len(self.utterances) * (1 + self.copies)

    def __getitem__(self, rows: Sequence[int]) -> Batch:
        places = [row % len(self.utterances) for row in rows]
        waves, lengths = pad([self._wave(row) for row in rows])
        targets = {name: target[places] for name, target in self.targets.items()}
        return Batch([self.utterances[place].id for place in places], waves, lengths, targets)

    def seconds(self) -> list[float]:
        """Length of each row's clip after cutting."""
        once = [min(utterance.duration, self.max_seconds) for utterance in self.utterances]
        return once * (1 + self.copies)

    def _wave(self, row: int) -> np.ndarray:
        copy, place = divmod(row, len(self.utterances))
        utterance = self.utterances[place]
        wave = load(
            self.root / utterance.path,
            utterance.start,
            utterance.stop,
            sample_rate=self.sample_rate,
            max_seconds=self.max_seconds,
        )
        if not (copy and self.augmentation):
            return wave
        return self.augmentation(wave, self.sample_rate, f"{utterance.id}#{copy}", epoch=0)


def _check_copies(copies: int, augmentation: Augmentation | None) -> None:
    kinds = list(augmentation.kinds) if augmentation else []
    if augmentation is None or not kinds or set(augmentation.speeds) != {1.0}:
        raise HparamError(
            f"copies is {copies}, augmented by {kinds}; expected a kind, and speeds of 1 only. "
            "Give a folder of noise, music, speech or impulse_responses, or set copies to 0."
        )


class EffectiveBatches(Sampler):
    """Rows of each effective batch, as one list a micro-batch.

    Clips are put into buckets by length and each micro-batch is filled from one bucket
    (SpeechBrain's sampler), so that little padding is computed. The order depends on the seed and
    the epoch alone: whatever the number of processes, they share the same effective batches.

    Args:
        seconds: N lengths
        batch_seconds: most padded seconds in a micro-batch
        micro_batches: how many make an effective batch, over all processes
        seed: of the order
        shuffle: draw a new order every epoch; otherwise rows are in order of length
        rank: this process, in [0, processes)
        processes: how many share each effective batch

    Raises:
        TrainingError: if there are fewer than two clips, a clip is longer than a batch, or there
            are more processes than micro-batches
    """

    def __init__(
        self,
        seconds: Sequence[float],
        batch_seconds: float,
        micro_batches: int,
        seed: int,
        shuffle: bool,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        if len(seconds) < 2:
            raise TrainingError(
                f"a split has {len(seconds)} clips; expected at least 2 to make a batch of. "
                "Choose another split."
            )
        if max(seconds) > batch_seconds:
            raise TrainingError(
                f"batch_seconds is {batch_seconds}; expected at least the longest clip's "
                f"{max(seconds):.2f} s. Raise it, or lower max_seconds."
            )
        if micro_batches < processes:
            raise TrainingError(
                f"micro_batches is {micro_batches} for {processes} processes; "
                "expected at least one each. Raise micro_batches."
            )
        buckets = int(sum(seconds) / batch_seconds / BATCHES_A_BUCKET)
        shares = np.linspace(0, 1, np.clip(buckets, 1, MOST_BUCKETS) + 1)[1:]
        self._sampler = DynamicBatchSampler(
            range(len(seconds)),
            max_batch_length=batch_seconds,
            bucket_boundaries=np.unique(np.quantile(seconds, shares)).tolist(),
            lengths_list=list(seconds),
            shuffle=shuffle,
            batch_ordering="random" if shuffle else "ascending",
            seed=seed,
        )
        self._micro_batches = micro_batches
        self._rank = rank
        self._processes = processes
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Draw the order of an epoch."""
        self._sampler.set_epoch(epoch)
        # taken once: iterating SpeechBrain's sampler draws a new order behind its back
        self._groups = self._group(list(self._sampler))

    def __len__(self) -> int:
        return len(self._groups)

    def __iter__(self) -> Iterator[list[list[int]]]:
        for group in self._groups:
            yield group[self._rank :: self._processes]

    def _group(self, batches: list[list[int]]) -> list[list[list[int]]]:
        """Effective batches; one that is short joins its neighbour, the last also if unfilled."""
        size = self._micro_batches
        groups: list[list[list[int]]] = []
        for start in range(0, len(batches), size):
            group = batches[start : start + size]
            if groups and (len(group) < size or _is_short(group) or _is_short(groups[-1])):
                groups[-1] += group
            else:
                groups.append(group)
        return [_without_lone_clips(group, size) for group in groups]


def _without_lone_clips(group: list[list[int]], size: int) -> list[list[int]]:
    """Micro-batches of which those beyond ``size`` have more than one clip, as batch norm needs.

    A lone clip goes with the fewest others, where the batch then is longer than was asked for.

    >>> _without_lone_clips([[3, 4], [7, 8, 9], [5]], size=1)
    [[3, 4, 5], [7, 8, 9]]
    """
    group = [list(batch) for batch in group]
    while len(group) > size and min(map(len, group)) == 1:
        lone = group.pop(min(range(len(group)), key=lambda place: len(group[place])))
        min(group, key=len).extend(lone)
    return group


def _is_short(group: list[list[int]]) -> bool:
    """Whether a concordance, which needs two clips, cannot be taken."""
    return sum(map(len, group)) < 2


def make_loader(dataset: Dataset, batches: Sampler, workers: int) -> SaveableDataLoader:
    """A loader of effective batches, lists of :class:`Batch`; its place goes into checkpoints.

    Args:
        dataset: what to read: gives a :class:`Batch` for a list of its items
        batches: lists of such lists, in which order
        workers: processes that read ahead; 0 reads in this one
    """
    return SaveableDataLoader(
        dataset,
        batch_sampler=batches,
        collate_fn=list,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
    )


def wave_statistics(dataset: UtteranceBatches, workers: int) -> tuple[float, float]:
    """Global mean and standard deviation of all samples of a data set, usually the training split.

    Args:
        dataset: where to read
        workers: threads

    Raises:
        TrainingError: if all samples are equal
    """

    def moments(row: int) -> tuple[int, float, float]:
        wave = dataset[[row]].waves[0].double()
        return len(wave), float(wave.sum()), float(wave.square().sum())

    with ThreadPoolExecutor(max(1, workers)) as pool:
        count, total, squares = np.sum(list(pool.map(moments, range(len(dataset)))), axis=0)
    mean = total / count
    variance = squares / count - mean**2
    if variance <= 0:
        raise TrainingError(
            f"the {len(dataset)} training clips hold one constant value {mean:g}; expected speech."
        )
    return float(mean), float(np.sqrt(variance))
