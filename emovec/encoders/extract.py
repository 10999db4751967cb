"""Embeddings of many clips in memory, by an encoder or by functionals.

Shapes: N clips, B batch, T samples, E embedding.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from emovec.audio.batches import Batch, UtteranceBatches
from emovec.audio.functionals import Extractor, functionals_table
from emovec.encoders.base import Encoder
from emovec.errors import ModelError
from emovec.tables.corpus import Skip


@dataclass(frozen=True)
class Extracted:
    """What was made of some clips, in their order.

    Attributes:
        ids: N ids; copy k of clip "a" is "a#k"
        embeddings: (N, E) float32, finite
        skipped: clips without an embedding, and why
    """

    ids: list[str]
    embeddings: NDArray[np.float32]
    skipped: tuple[Skip, ...]


def extract(
    encoder: Encoder,
    batches: UtteranceBatches,
    *,
    batch_seconds: float = 40.0,
    workers: int = 0,
    device: str = "cpu",
) -> Extracted:
    """Embeddings by an encoder, in its evaluation mode.

    Clips that are too short for the encoder, or in which it hears nothing, are skipped.

    Args:
        encoder: is moved to the device; its modes are given back as they were
        batches: the clips; must accept any length (``shortest`` of 1)
        batch_seconds: most padded seconds in a batch; a longer clip is a batch of its own
        workers: processes that read ahead; 0 reads in this one
        device: where the encoder runs

    Raises:
        AudioError: if a file cannot be read
        ModelError: if an embedding has NaN or infinite values; it names the clip
    """
    names = row_names(batches)
    order = _by_length(batches.seconds(), batch_seconds)
    loader = DataLoader(
        batches,
        batch_size=None,  # an item of the sampler is a batch already
        sampler=order,
        num_workers=workers,
        pin_memory=torch.device(device).type == "cuda",
    )
    found: dict[int, NDArray[np.float32]] = {}
    reasons: dict[int, str] = {}
    encoder.to(device)
    with _evaluating(encoder), torch.inference_mode():
        for rows, batch in zip(tqdm(order, "embeddings", disable=None), loader, strict=True):
            embedded, unheard = _embed(encoder, batch.to(device))
            found |= {rows[place]: vector for place, vector in embedded.items()}
            reasons |= {rows[place]: reason for place, reason in unheard.items()}
    vectors = [found.get(row) for row in range(len(names))]
    return _collected(names, vectors, reasons, encoder.embedding_size, type(encoder).__name__)


def describe(extractor: Extractor, batches: UtteranceBatches, *, workers: int = 0) -> Extracted:
    """Functionals of the clips; one without a value for each of them is skipped.

    Args:
        extractor: which
        batches: the clips
        workers: threads; 0 is one

    Raises:
        AudioError: if a file cannot be read
    """
    names = row_names(batches)
    clips = [lambda row=row: batches[[row]].waves[0].numpy() for row in range(len(names))]
    table = functionals_table(clips, batches.sample_rate, extractor, workers=max(1, workers))
    whole = np.isfinite(table).all(axis=1)
    reasons = {
        int(row): f"{extractor.name} has no value for {(~np.isfinite(table[row])).sum()} of its "
        f"{table.shape[1]}"
        for row in np.flatnonzero(~whole)
    }
    vectors = [vector if good else None for vector, good in zip(table, whole, strict=True)]
    return _collected(names, vectors, reasons, table.shape[1], extractor.name)


def row_names(batches: UtteranceBatches) -> list[str]:
    """The id of each row, copies numbered."""
    ids = [utterance.id for utterance in batches.utterances]
    return [*ids, *(f"{id_}#{copy + 1}" for copy in range(batches.copies) for id_ in ids)]


def _by_length(seconds: Sequence[float], batch_seconds: float) -> list[list[int]]:
    """Rows in order of length, the longest first, as many in a batch as fit when padded.

    The longest first: if memory does not suffice, that is known at once.

    >>> _by_length([1.0, 9.0, 2.0, 2.0], 4.0)
    [[1], [2, 3], [0]]
    """
    batches: list[list[int]] = []
    for row in sorted(range(len(seconds)), key=lambda row: -seconds[row]):
        last = batches[-1] if batches else []
        if last and seconds[last[0]] * (len(last) + 1) <= batch_seconds:
            last.append(row)
        else:
            batches.append([row])
    return batches


def _embed(encoder: Encoder, batch: Batch) -> tuple[dict[int, NDArray[np.float32]], dict[int, str]]:
    """By place in the batch, embeddings (E,) of what is heard, and why the others are not."""
    lengths = batch.lengths
    reasons = {
        place: f"{length} samples, too short for the encoder, which needs {encoder.shortest}"
        for place, length in enumerate(lengths.tolist())
        if length < encoder.shortest
    }
    places = torch.nonzero(lengths >= encoder.shortest).flatten()
    if len(places):
        heard = encoder.hears(*_cut(batch, places))
        reasons |= dict.fromkeys(places[~heard].tolist(), "no speech is heard in it")
        places = places[heard]
    found: dict[int, NDArray[np.float32]] = {}
    for group in _groups(encoder, lengths, places):
        vectors = encoder(*_cut(batch, group)).float().cpu().numpy()
        found |= dict(zip(group.tolist(), vectors, strict=True))
    return found, reasons


def _groups(encoder: Encoder, lengths: Tensor, places: Tensor) -> list[Tensor]:
    """Places that may share a batch: all, or those of equal length."""
    if encoder.padding_safe:
        return [places] if len(places) else []
    return [places[lengths[places] == length] for length in lengths[places].unique()]


def _cut(batch: Batch, places: Tensor) -> tuple[Tensor, Tensor]:
    """Waves and lengths of some places, without padding that none of them needs."""
    lengths = batch.lengths[places]
    return batch.waves[places, : int(lengths.max())], lengths


def _collected(
    names: Sequence[str],
    vectors: Sequence[NDArray[np.float32] | None],
    reasons: dict[int, str],
    size: int,
    source: str,
) -> Extracted:
    kept = [(name, v) for name, v in zip(names, vectors, strict=True) if v is not None]
    broken = [name for name, vector in kept if not np.isfinite(vector).all()]
    if broken:
        raise ModelError(
            f"{source}: {len(broken)} embeddings have NaN or infinite values, first of clip "
            f"'{broken[0]}'; expected finite ones. Is the model trained, and the clip audio?"
        )
    table = np.array([vector for _, vector in kept], dtype=np.float32).reshape(len(kept), size)
    skipped = tuple(Skip(names[row], reasons[row]) for row in sorted(reasons))
    return Extracted([name for name, _ in kept], table, skipped)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode; afterwards each module, frozen ones among them, is in its own again."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
