"""Noise that a vector decides, and nothing else.

Shapes: B batch, D features, L nodes of the latent.
"""

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def noise_of(features: Tensor, size: int) -> Tensor:
    """Standard normal numbers (B, L) that the bytes of vectors (B, D) decide.

    The same vector always gives the same ones, whatever its neighbours are: draws of one clip
    cannot be averaged. Vectors that differ in the last bit give others.

    Args:
        features: (B, D) float32
        size: L

    >>> one, same = noise_of(torch.tensor([[1.0, 2.0], [1.0, 2.0]]), 3)
    >>> one.equal(same), one.equal(noise_of(torch.tensor([[1.0, 2.5]]), 3)[0])
    (True, False)
    """
    rows = features.detach().cpu().numpy()
    drawn = np.empty((len(rows), size), dtype=np.float32)
    for place, row in enumerate(rows):
        drawn[place] = _normal(row.tobytes(), size)
    return torch.from_numpy(drawn).to(features.device)


def _normal(data: bytes, size: int) -> NDArray[np.float32]:
    key = np.frombuffer(hashlib.blake2b(data, digest_size=16).digest(), dtype="<u8")
    return np.random.Generator(np.random.Philox(key=key)).standard_normal(size, dtype=np.float32)
