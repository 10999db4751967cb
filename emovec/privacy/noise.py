"""Noise that a clip's own numbers decide, and nothing else.

Shapes: B batch, D numbers of a row, L nodes of the latent.
"""

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def noise_of(rows: Tensor, size: int, lengths: Tensor | None = None) -> Tensor:
    """Standard normal numbers (B, L) that the bytes of rows (B, D) decide.

    The same row gives the same ones, whatever its neighbours are; one that differs in the last bit
    gives others. Samples of a clip are the same each time that it is read: it has one draw. Its
    embedding is not, as an encoder rounds otherwise in another batch: embeddings of one clip, each
    made in a batch of its own, have several draws, which can be averaged.

    Args:
        rows: (B, D) float32, samples or features
        size: L
        lengths: (B,) int64 numbers of each row that decide, the others are padding; None: all

    >>> one, same = noise_of(torch.tensor([[1.0, 2.0], [1.0, 2.0]]), 3)
    >>> one.equal(same), one.equal(noise_of(torch.tensor([[1.0, 2.5]]), 3)[0])
    (True, False)
    >>> one.equal(noise_of(torch.tensor([[1.0, 2.0, 0.0]]), 3, torch.tensor([2]))[0])
    True
    """
    numbers = rows.detach().cpu().numpy()
    counts = [rows.shape[1]] * len(rows) if lengths is None else lengths.tolist()
    drawn = np.empty((len(rows), size), dtype=np.float32)
    for place, (row, count) in enumerate(zip(numbers, counts, strict=True)):
        drawn[place] = _normal(row[:count].tobytes(), size)
    return torch.from_numpy(drawn).to(rows.device)


def _normal(data: bytes, size: int) -> NDArray[np.float32]:
    key = np.frombuffer(hashlib.blake2b(data, digest_size=16).digest(), dtype="<u8")
    return np.random.Generator(np.random.Philox(key=key)).standard_normal(size, dtype=np.float32)
