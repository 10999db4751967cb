"""Standardisation of vectors on those of the training, as part of a model.

Shapes: B batch, N clips, D features.
"""

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from emovec.privacy.vectors import feature_scales
from emovec.tables.embeddings import EmbeddingError

# Standardised features beyond it are cut to it: one outlier of a functional would be most of the
# reconstruction error [ours].
FURTHEST = 10.0


class Standardiser(nn.Module):
    """Features of mean 0 and deviation 1 in training, (B, D) -> (B, D); constant ones are 0.

    Args:
        inputs: D
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(inputs))

    def fit(self, features: NDArray) -> None:
        """Take mean and deviation from features (N, D) of the training."""
        mean, scale = feature_scales(features)
        self.mean.copy_(torch.from_numpy(mean))
        self.scale.copy_(torch.from_numpy(scale))

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, D), those beyond 10 deviations cut to it."""
        return ((features - self.mean) * self.scale).clamp(-FURTHEST, FURTHEST)

    def checked(self, features: ArrayLike) -> Tensor:
        """Vectors (N, D) as a tensor, where the model is.

        Raises:
            EmbeddingError: if they are not (N, D), or one has NaN or infinite values
        """
        x = np.array(
            features, dtype=np.float32
        )  # a copy: tensors of arrays that are read only warn
        size = len(self.mean)
        if x.ndim != 2 or x.shape[1] != size:
            raise EmbeddingError(
                f"vectors are {x.shape}; expected (N, {size}), as the model was trained on. Make "
                "them by the same encoder."
            )
        broken = np.flatnonzero(~np.isfinite(x).all(axis=1))
        if len(broken):
            raise EmbeddingError(
                f"vectors {broken[:5].tolist()} ({len(broken)} in all) have NaN or infinite "
                "values; expected finite ones. Leave these clips out."
            )
        return torch.from_numpy(x).to(self.mean.device)
