"""What every encoder promises, and means over the valid part of padded batches.

Shapes: B batch, T samples, F frames, D features, E embedding.
"""

from typing import Any

import torch
from torch import Tensor, nn

from emovec.audio.padding import zero_padding
from emovec.encoders.graph_pieces import Pieces, whole_clips
from emovec.errors import AudioError, ModelError


def valid_mean(frames: Tensor, lengths: Tensor) -> Tensor:
    """Mean over the valid frames of each row.

    Args:
        frames: (B, F, D)
        lengths: (B,) int64 number of valid frames, at least 1

    Returns:
        (B, D)

    >>> valid_mean(torch.tensor([[[2.0], [4.0], [9.0]]]), torch.tensor([2])).tolist()
    [[3.0]]
    """
    return zero_padding(frames, lengths).sum(dim=1) / lengths[:, None]


class Encoder(nn.Module):
    """A module from waves to one embedding a clip.

    Batch size, order and padding never change an embedding where ``padding_safe`` is true.

    Attributes:
        embedding_size: E, the width of what a call returns
        frame_size: D, the width of what ``frames`` returns
        sample_rate: Hz of the waves that it expects
        padding_safe: whether clips of different lengths may share a batch
        shortest: the least number of samples that give one frame
        needs_speech: whether a clip without speech has no embedding, see :meth:`hears`
        unheard: what is said of a clip that it does not hear, before "in it"
    """

    needs_speech = False
    unheard = "no speech is heard"

    embedding_size: int
    frame_size: int
    sample_rate: int
    padding_safe: bool
    shortest: int

    def frames(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features over time.

        Args:
            waves: (B, T) float32 at ``sample_rate``
            lengths: (B,) int64 valid samples, in [1, T]

        Returns:
            (B, F, D) frames, and (B,) int64 number of valid ones; the others are zero

        Raises:
            AudioError: if a clip is too short for one frame
            ValueError: if shapes, types or lengths are not as above
        """
        raise NotImplementedError

    def forward(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings: the mean over valid frames; takes and raises what :meth:`frames` does.

        Returns:
            (B, E)
        """
        return valid_mean(*self.frames(waves, lengths))

    def hears(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """Which clips have an embedding: all, unless the encoder looks for speech.

        Args:
            waves: (B, T) float32 at ``sample_rate``
            lengths: (B,) int64 valid samples

        Returns:
            (B,) bool
        """
        return torch.ones_like(lengths, dtype=torch.bool)

    def class_features(self, embeddings: Tensor) -> Tensor:
        """What a classifier takes of embeddings (B, E): (B, E), the same unless normalised."""
        return embeddings

    def feature_frames(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Frames (B, F', D), and (B,) their number, of features (B, F, M) of ``describe``.

        There is no padding; for exported graphs of what stands on an encoder's frames.

        Raises:
            ModelError: if the encoder has none
        """
        raise ModelError(
            f"{type(self).__name__}: its frames cannot be exported; expected those of a WavLM or "
            "a ResNet. Use torch."
        )

    def pieces(self, features: Tensor, counts: Tensor) -> Pieces:
        """What of the features (B, F, M) of ``describe`` goes through an exported graph."""
        return whole_clips(features, counts)

    def arguments(self) -> dict[str, Any]:
        """Arguments that build the same architecture again, without its weights."""
        raise NotImplementedError

    def check(self, waves: Tensor, lengths: Tensor) -> None:
        """Stop on a batch that :meth:`frames` does not accept; raises what it says."""
        where = type(self).__name__
        if waves.ndim != 2 or lengths.shape != waves.shape[:1] or len(waves) == 0:
            raise ValueError(
                f"{where}: waves is {tuple(waves.shape)} and lengths {tuple(lengths.shape)}; "
                "expected (B, T) and (B,) with B > 0."
            )
        if waves.dtype != torch.float32 or lengths.dtype != torch.int64:
            raise ValueError(
                f"{where}: waves is {waves.dtype} and lengths {lengths.dtype}; "
                "expected torch.float32 and torch.int64."
            )
        self._check_lengths(where, lengths.tolist(), waves.shape[1])

    def _check_lengths(self, where: str, lengths: list[int], size: int) -> None:
        for position, length in enumerate(lengths):
            if not 1 <= length <= size:
                raise ValueError(
                    f"{where}: length {length} at position {position} of the batch; "
                    f"expected 1 to {size} samples."
                )
            if length < self.shortest:
                raise AudioError(
                    f"{where}: {length} samples at position {position} of the batch; expected "
                    f"at least {self.shortest} ({1000 * self.shortest / self.sample_rate:.0f} ms). "
                    "Leave the clip out, or pad it with silence."
                )
