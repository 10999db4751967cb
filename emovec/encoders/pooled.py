"""An encoder with a pooling and an embedding behind it, as one encoder.

Shapes: B batch, T samples, F frames, D features, P pooled, E embedding.
"""

from typing import Any

import torch
from torch import Tensor, nn

from emovec.audio.activity import keep_active
from emovec.audio.level import unit_variance
from emovec.audio.trimming import WINDOW_MS, near_speech
from emovec.encoders.base import Encoder
from emovec.errors import AudioError, HparamError

LEVEL = 0.1  # root mean square of clips in which silence is sought: -20 dBFS


class PooledEncoder(Encoder):
    """Silence taken out, clips of unit variance, an encoder's frames, pooling, an embedding.

    Corpora differ in their levels and pauses, and a network tells them apart by these before it
    listens to voices; so both go first. The linear layer stands between layer norms, which know of
    no other clips, so that micro-batches train as one batch does.

    Args:
        encoder: waves to frames (B, F, D)
        pooling: frames to one vector (B, P)
        embedding_size: E of a linear layer; None without one, so that E = P
        activity: whether silence is taken out, but for 100 ms before and behind speech

    Raises:
        HparamError: if the size is not at least 1
    """

    encoder: Any  # an Encoder; not each has `describe`
    pooling: Any

    def __init__(
        self,
        encoder: Encoder,
        pooling: nn.Module,
        embedding_size: int | None = 256,
        activity: bool = True,
    ) -> None:
        super().__init__()
        self.encoder, self.pooling = encoder, pooling
        self.project = _projection(self.pooling.output_size, embedding_size)
        self._projected = embedding_size
        self.embedding_size = embedding_size or int(self.pooling.output_size)
        self.frame_size = encoder.frame_size
        self.sample_rate, self.padding_safe = encoder.sample_rate, encoder.padding_safe
        self.activity = activity
        self.needs_speech = activity or encoder.needs_speech
        window = encoder.sample_rate * WINDOW_MS // 1000
        self.shortest = max(encoder.shortest, window) if activity else encoder.shortest

    def frames(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Frames of the speech in clips, as :class:`Encoder` describes them.

        In training a clip without speech keeps its samples.

        Raises:
            AudioError: if a clip is too short, or not enough speech is heard in it
            ValueError: if shapes, types or lengths are not as above
        """
        return self.encoder.frames(*self._heard_speech(waves, lengths))

    def forward(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings (B, E); takes and raises what :meth:`frames` does."""
        return self.project(self.pooling(*self.frames(waves, lengths)))

    def describe(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """What the encoder's own ``describe`` makes of the speech; raises what `frames` does."""
        return self.encoder.describe(*self._heard_speech(waves, lengths))

    def embed_features(self, features: Tensor) -> Tensor:
        """Embeddings (B, E) of features of :meth:`describe` without padding."""
        return self.project(self.pooling(*self.encoder.feature_frames(features)))

    def hears(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """Clips (B,) with enough speech to embed; all, where none is looked for."""
        speech, counts, enough = self._speech(waves, lengths)
        return enough & self.encoder.hears(speech, counts)

    def arguments(self) -> dict[str, Any]:
        """Arguments that build the same architecture again, without its weights."""
        return {
            "encoder": self.encoder,
            "pooling": self.pooling,
            "embedding_size": self._projected,
            "activity": self.activity,
        }

    def _heard_speech(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Waves (B, T) as the encoder gets them, and (B,) valid samples; raises what `frames` does.

        In training a random stretch without speech is no reason to stop.
        """
        self.check(waves, lengths)
        speech, counts, enough = self._speech(waves, lengths)
        if not (self.training or enough.all()):
            places = ", ".join(map(str, torch.nonzero(~enough).flatten().tolist()))
            raise AudioError(
                f"PooledEncoder: no speech at position {places} of the batch; expected frames "
                "above the threshold of energy. Leave the clip out, or set the encoder's "
                "`activity` to false."
            )
        return speech, counts

    def _speech(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Waves (B, T) at unit variance without silence, (B,) valid samples, (B,) enough of them.

        Clips without enough speech are whole.
        """
        with torch.autocast(waves.device.type, enabled=False):
            waves = unit_variance(waves.float(), lengths)
            if not self.activity:
                return waves, lengths, torch.ones_like(lengths, dtype=torch.bool)
            kept = near_speech(LEVEL * waves, lengths, self.sample_rate)
            enough = kept.sum(dim=1) >= self.shortest
            speech, counts = keep_active(waves[..., None], lengths, kept | ~enough[:, None])
            return unit_variance(speech[..., 0], counts), counts, enough


def _projection(pooled: int, size: int | None) -> nn.Module:
    """Layer norms, and a linear layer between them if there is a size."""
    if size is None:
        return nn.LayerNorm(pooled)
    if size < 1:
        raise HparamError(
            f"PooledEncoder: embedding_size is {size}; expected at least 1, or null. Raise it."
        )
    return nn.Sequential(nn.LayerNorm(pooled), nn.Linear(pooled, size), nn.LayerNorm(size))
