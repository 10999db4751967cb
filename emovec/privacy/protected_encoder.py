"""An encoder and a trained separation as one encoder: from waves to protected embeddings.

Shapes: B batch, T samples, E embedding, L nodes of the latent.
"""

import numpy as np
import torch
from torch import Tensor

from emovec.encoders.base import Encoder
from emovec.errors import ModelError
from emovec.privacy.lrvae import LRVAE
from emovec.privacy.masking import masked


class ProtectedEncoder(Encoder):
    """Embeddings of which one end is zero; those of the encoder itself are kept nowhere.

    Args:
        encoder: from waves to embeddings (E,)
        model: trained on embeddings by this encoder
        keep: "emotion", "identity" or "all", as of ``LRVAE.transform``
        masked_groups: likewise

    Raises:
        HparamError: if ``keep`` is unknown, there are not as many groups, or the model has no order
            in its latent
        ModelError: if the model takes vectors of another size
    """

    mask: Tensor

    def __init__(
        self, encoder: Encoder, model: LRVAE, keep: str, masked_groups: int | None = None
    ) -> None:
        super().__init__()
        if encoder.embedding_size != model.input_size:
            raise ModelError(
                f"the encoder gives {encoder.embedding_size} numbers, and the model behind it "
                f"takes {model.input_size}; expected as many. Take the encoder that it was "
                "trained on."
            )
        model.transform(np.zeros((1, model.input_size)), keep, masked_groups)  # raises, or nothing
        kept = np.ones((1, model.latent_size), dtype=np.float32)
        mask = torch.from_numpy(masked(kept, keep, masked_groups, model.groups))
        self.register_buffer("mask", mask)  # (1, L)
        self.encoder, self.model = encoder, model
        self.embedding_size, self.frame_size = model.latent_size, encoder.frame_size
        self.sample_rate, self.shortest = encoder.sample_rate, encoder.shortest
        self.padding_safe = encoder.padding_safe
        self.needs_speech, self.unheard = encoder.needs_speech, encoder.unheard

    def forward(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """Protected embeddings (B, L); takes and raises what the encoder does."""
        return self.model.encode(self.encoder(waves, lengths)) * self.mask

    def hears(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """Clips (B,) that have an embedding, as the encoder says."""
        return self.encoder.hears(waves, lengths)
