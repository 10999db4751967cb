"""A loaded separation of emotion and identity: embeddings in, protected ones out.

Shapes: N clips, D numbers of an embedding, L of a protected one.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emovec.privacy.lrvae import LRVAE
from emovec.privacy.masking import ALL
from emovec.stored import StoredModel


class Separator(StoredModel):
    """A trained LR-VAE, or one of its baselines.

    What is hidden is hidden from the attackers of its card, on the speakers of its card: it is no
    guarantee of anonymity. Where a draw is released, embeddings of one clip that were made in
    different batches have draws of their own, which can be averaged; ``emovec extract --then``
    draws once a clip.

    Args:
        model: to be used in evaluation, on the CPU
        card: text of card.md
    """

    def __init__(self, model: LRVAE, card: str = "") -> None:
        super().__init__(model, card)
        self._lrvae = model

    @property
    def input_size(self) -> int:
        """D, numbers of an embedding that it takes."""
        return self._lrvae.input_size

    @property
    def embedding_size(self) -> int:
        """L, numbers of what it gives."""
        return self._lrvae.latent_size

    @property
    def groups(self) -> int:
        """That the latent is masked by."""
        return self._lrvae.groups

    def transform(
        self, embeddings: ArrayLike, keep: str = ALL, masked_groups: int | None = None
    ) -> NDArray[np.float32]:
        """Embeddings with one end of the latent masked, which is zero.

        Args:
            embeddings: (N, D), or (D,) of one clip, by the encoder that it was trained on
            keep: "emotion", to hide the speaker; "identity", to hide the emotion; "all"
            masked_groups: how many; None: half of them; not for "all"

        Returns:
            (N, L), or (L,)

        Raises:
            EmbeddingError: if embeddings have another size, or NaN
            HparamError: if ``keep`` is unknown, there are not as many groups, or the model has no
                order in its latent
        """
        x = np.asarray(embeddings, dtype=np.float32)
        if x.ndim == 1:
            return self._lrvae.transform(x[None], keep, masked_groups)[0]
        return self._lrvae.transform(x, keep, masked_groups)
