"""What of a batch goes through an exported graph, which knows neither padding nor frames to drop.

Shapes: B batch, F frames, M bands or samples of one, N windows, P pieces, E embedding.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

WINDOWS_OF_PIECE = 64


@dataclass(frozen=True)
class Pieces:
    """Stretches of clips, whose embeddings' weighted means are those of the clips.

    Attributes:
        features: P of (F, M), without padding
        clips: (P,) int64 place in the batch
        weights: (P,) float32, above 0
    """

    features: list[Tensor]
    clips: Tensor
    weights: Tensor

    def batches(self, most: int) -> list[Tensor]:
        """Numbers of pieces that are equally long, at most so many at once."""
        lengths = torch.tensor([len(of) for of in self.features])
        alike = [torch.nonzero(lengths == length).flatten() for length in lengths.unique()]
        return [part for numbers in alike for part in numbers.split(most)]

    def mean(self, embeddings: Tensor, size: int) -> Tensor:
        """Embeddings (B, E) of a batch of some size from those of the pieces (P, E)."""
        sums = embeddings.new_zeros(size, embeddings.shape[1])
        sums.index_add_(0, self.clips, self.weights[:, None] * embeddings)
        return sums / self.weights.new_zeros(size).index_add_(0, self.clips, self.weights)[:, None]


def whole_clips(features: Tensor, counts: Tensor) -> Pieces:
    """A piece for each clip of features (B, F, M) with (B,) valid ones."""
    clips = [of[:count] for of, count in zip(features, counts.tolist(), strict=True)]
    return Pieces(clips, torch.arange(len(clips)), torch.ones(len(clips)))


def window_pieces(frames: Tensor, said: Tensor, sounding: Tensor, size: int, hop: int) -> Pieces:
    """Windows next to each other in one piece, and apart those of which frames are dropped.

    Args:
        frames: (B, F, M)
        said: (B, F) bool, frames that count
        sounding: (B, N) bool, windows that count
        size: frames of a window
        hop: frames from one to the next
    """
    full = sounding & said.unfold(1, size, hop).all(dim=2)  # (B, N)
    found: list[tuple[Tensor, int, int]] = []
    for clip, first, number in _runs(full):
        start = first * hop
        stretch = frames[clip, start : start + (number - 1) * hop + size]
        found.append((stretch, clip, number))
    for clip, first in torch.nonzero(sounding & ~full).tolist():
        window = slice(first * hop, first * hop + size)
        found.append((frames[clip, window][said[clip, window]], clip, 1))
    stretches, clips, weights = zip(*found, strict=True)
    return Pieces(list(stretches), torch.tensor(clips), torch.tensor(weights).float())


def _runs(flags: Tensor) -> list[tuple[int, int, int]]:
    """Row, first place and number of true flags (B, N) in a row, at most 64 of them.

    >>> _runs(torch.tensor([[True, True, False, True]]))
    [(0, 0, 2), (0, 3, 1)]
    """
    edges = torch.nn.functional.pad(flags, (1, 1)).int().diff(dim=1)  # (B, N + 1)
    starts, stops = torch.nonzero(edges == 1).tolist(), torch.nonzero(edges == -1).tolist()
    return [
        (row, first, min(WINDOWS_OF_PIECE, stop - first))
        for (row, start), (_, stop) in zip(starts, stops, strict=True)
        for first in range(start, stop, WINDOWS_OF_PIECE)
    ]
