"""Embeddings of many clips in memory, by an encoder or by functionals.

Shapes: N clips, B batch, T samples, E embedding.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader
from tqdm import tqdm

from emovec.audio.batches import UtteranceBatches
from emovec.audio.functionals import Extractor, functionals_table
from emovec.encoders.base import Encoder
from emovec.encoders.forward import by_length, embed_batch, evaluating
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
    order = by_length(batches.seconds(), batch_seconds)
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
    with evaluating(encoder), torch.inference_mode():
        for rows, batch in zip(tqdm(order, "embeddings", disable=None), loader, strict=True):
            moved = batch.to(device)
            embedded, unheard = embed_batch(encoder, moved.waves, moved.lengths)
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
