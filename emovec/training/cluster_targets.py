"""Targets of masked prediction: the k-means cluster of each frame of clean clips, kept on disk.

HuBERT (Hsu et al., 2021, IEEE/ACM TASLP 29, doi 10.1109/TASLP.2021.3122291): first of MFCC, then of
what a layer of the model says that was trained on those.

Shapes: N clips, F frames, D features, K clusters.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor, distributed

from emovec.audio.batches import EffectiveBatches, UtteranceBatches, make_loader
from emovec.audio.crops import Frames
from emovec.encoders.processes import running_processes
from emovec.errors import HparamError, TrainingError
from emovec.tables.files import folder_atomically
from emovec.tables.manifest import Utterance

LABELS, OFFSETS, CENTRES, IDS = "labels.npy", "offsets.npy", "centres.npy", "ids.json"
MOST_CLUSTERS = 2**16

Features = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class ClusterTargets:
    """Cluster of each frame of N clips.

    Attributes:
        labels: (sum of all F,) uint16, clip after clip
        offsets: (N + 1,) int64, where each clip begins
        centres: (K, D) float32
    """

    labels: NDArray[np.uint16]
    offsets: NDArray[np.int64]
    centres: NDArray[np.float32]

    def __getitem__(self, row: int) -> NDArray[np.uint16]:
        """(F,) of one clip."""
        return self.labels[self.offsets[row] : self.offsets[row + 1]]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def part(self, first: int, clips: int) -> "ClusterTargets":
        """Those of some clips in a row."""
        return replace(self, offsets=self.offsets[first : first + clips + 1])

    def counts(self, clips: int) -> NDArray[np.int64]:
        """(K,) frames of each cluster in the first clips."""
        return np.bincount(self.labels[: self.offsets[clips]], minlength=len(self.centres))


@dataclass(frozen=True)
class Clips:
    """Clips in order of their rows, and how to read them.

    Attributes:
        utterances: N rows of a manifest
        root: folder that their paths are relative to
        frames: of the encoder
        max_seconds: clips are cut to this length
        batch_seconds: most padded seconds in a batch
        workers: processes that read ahead
    """

    utterances: Sequence[Utterance]
    root: Path
    frames: Frames
    max_seconds: float
    batch_seconds: float
    workers: int

    def frame_count(self, row: int) -> int:
        """Frames of a clip, by its duration."""
        seconds = min(self.utterances[row].duration, self.max_seconds)
        return self.frames.count(round(seconds * self.frames.sample_rate))

    def features(self, rows: Sequence[int], features: Features) -> Iterator[tuple[int, NDArray]]:
        """Rows and their (F, D) float32, those of this process, in order of length."""
        alone = [self.utterances[row] for row in rows]
        numbers = {"row": torch.tensor(rows)}
        rate = self.frames.sample_rate
        dataset = UtteranceBatches(alone, self.root, numbers, rate, self.max_seconds)
        seconds = dataset.seconds()
        longest = max(self.batch_seconds, *seconds)
        processes = running_processes()
        order = EffectiveBatches(
            seconds, longest, processes.count, 0, False, processes.rank, processes.count
        )
        for batches in make_loader(dataset, order, self.workers):
            for batch in batches:
                with torch.no_grad():
                    values, counts = features(batch.waves, batch.lengths)
                arrays = values.float().cpu().numpy()
                for row, array, count in zip(
                    batch.targets["row"].tolist(), arrays, counts.tolist(), strict=True
                ):
                    yield row, array[:count]


def make_targets(
    clips: Clips,
    training: int,
    features: Features,
    clusters: int,
    fit_frames: int,
    seed: int,
    folder: Path,
) -> ClusterTargets:
    """Targets of all clips, made once and then read from a folder.

    The first process finds the centres and writes; the others wait, no longer than their group
    lets them (NCCL: ten minutes).

    Args:
        clips: training clips first
        training: how many of them; centres are found in these
        features: waves (B, T) and lengths (B,) to (B, F, D) and (B,), on the encoder's frames
        clusters: K
        fit_frames: centres are found in as many frames, of clips that are drawn
        seed: of that draw and of k-means
        folder: where they are kept

    Raises:
        HparamError: if there are too many clusters, or more than frames
        StorageError: if they cannot be written
        TrainingError: if the folder holds those of other clips
    """
    ids = [u.id for u in clips.utterances]
    if not folder.is_dir():
        processes = running_processes()
        centres = _centres(clips, training, features, clusters, fit_frames, seed)
        found = {
            row: nearest(values, centres)
            for row, values in clips.features(range(len(ids)), features)
        }
        labels = _in_the_first(found)
        if processes.rank == 0:
            _write(folder, ids, [labels[row] for row in range(len(ids))], centres)
        processes.gather(None)  # the others wait for the folder
    return _read(folder, ids)


def fit_clusters(features: NDArray[np.float32], clusters: int, seed: int) -> NDArray[np.float32]:
    """Centres (K, D) of features (F, D) by k-means in mini-batches, with HuBERT's settings.

    Raises:
        HparamError: if there are too many clusters, or more than features
    """
    if not 2 <= clusters <= min(MOST_CLUSTERS, len(features)):
        raise HparamError(
            f"clusters is {clusters} for {len(features)} frames; expected 2 or more, at most "
            f"{MOST_CLUSTERS}, and no more than frames. Lower it, or raise fit_frames."
        )
    kmeans = MiniBatchKMeans(
        clusters,
        init="k-means++",
        max_iter=100,
        batch_size=10000,
        tol=0.0,
        max_no_improvement=100,
        n_init=20,
        reassignment_ratio=0.0,
        random_state=seed,
    )
    return kmeans.fit(features).cluster_centers_.astype(np.float32)


def nearest(features: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Cluster (F,) of features (F, D): that of the nearest centre of (K, D), the first of equals.

    >>> nearest(np.array([[0.0], [0.6]]), np.array([[0.0], [1.0]])).tolist()
    [0, 1]
    """
    # |x - c|^2 without |x|^2, which is the same for all centres
    distances = np.square(centres).sum(axis=1) - 2 * features @ centres.T
    return distances.argmin(axis=1).astype(np.uint16)


def _centres(
    clips: Clips, training: int, features: Features, clusters: int, fit_frames: int, seed: int
) -> NDArray[np.float32]:
    """Centres, found by the first process for all."""
    processes = running_processes()
    rows, frames = [], 0
    for row in np.random.default_rng(seed).permutation(training).tolist():
        if len(rows) > 1 and frames >= fit_frames:
            break
        rows.append(row)
        frames += clips.frame_count(row)
    values = _in_the_first(dict(clips.features(sorted(rows), features)))
    if processes.rank == 0:
        frames_drawn = np.concatenate([values[row] for row in sorted(values)])
        found = fit_clusters(frames_drawn, clusters, seed)
    centres: NDArray[np.float32] = processes.gather(found if processes.rank == 0 else None)[0]
    return centres


def _in_the_first(arrays: Mapping[int, NDArray]) -> dict[int, NDArray]:
    """Arrays of all processes by row, in the first process; in the others none."""
    if not distributed.is_initialized():
        return dict(arrays)
    first = distributed.get_rank() == 0
    parts: list[Any] | None = [None] * distributed.get_world_size() if first else None
    distributed.gather_object(arrays, parts)
    return {row: array for part in parts or [] for row, array in part.items()}


def _write(
    folder: Path,
    ids: Sequence[str],
    labels: Sequence[NDArray[np.uint16]],
    centres: NDArray[np.float32],
) -> None:
    offsets = np.cumsum([0, *map(len, labels)])
    arrays = {LABELS: np.concatenate(labels), OFFSETS: offsets, CENTRES: centres}
    with folder_atomically(folder) as whole:
        for name, array in arrays.items():
            np.save(whole / name, array)
        (whole / IDS).write_text(json.dumps(ids), encoding="utf-8")


def _read(folder: Path, ids: Sequence[str]) -> ClusterTargets:
    if json.loads((folder / IDS).read_text(encoding="utf-8")) != list(ids):
        raise TrainingError(
            f"{folder}: holds targets of other clips than those of this run; expected the same. "
            "Choose another --run_folder, or remove the folder."
        )
    labels = np.load(folder / LABELS, mmap_mode="r")
    return ClusterTargets(labels, np.load(folder / OFFSETS), np.load(folder / CENTRES))
