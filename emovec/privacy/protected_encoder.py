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
from emovec.privacy.noise import noise_of


class ProtectedEncoder(Encoder):
    """Embeddings of which one end is zero; those of the encoder itself are kept nowhere.

    Where the model releases a draw, the clip's samples decide it: one clip has one draw, in any
    batch, and none to average it with.

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

    hidden: Tensor

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
        ones = np.ones((1, model.latent_size), dtype=np.float32)
        kept = masked(ones, keep, masked_groups, model.groups)
        self.register_buffer("hidden", torch.from_numpy(kept == 0))  # (1, L) bool
        self.encoder, self.model = encoder, model
        self.embedding_size, self.frame_size = model.latent_size, encoder.frame_size
        self.sample_rate, self.shortest = encoder.sample_rate, encoder.shortest
        self.padding_safe = encoder.padding_safe
        self.needs_speech, self.unheard = encoder.needs_speech, encoder.unheard

    def forward(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """Protected embeddings (B, L); takes and raises what the encoder does."""
        embeddings = self.encoder(waves, lengths)
        # by the samples: the last bits of an embedding depend on its batch
        noise = noise_of(waves, self.embedding_size, lengths) if self.model.draws else None
        # filled, as a product with 0 keeps the sign of what it hides: -0.0
        return self.model.encode(embeddings, noise).masked_fill(self.hidden, 0)

    def hears(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """Clips (B,) that have an embedding, as the encoder says."""
        return self.encoder.hears(waves, lengths)
