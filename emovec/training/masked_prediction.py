"""Masked prediction: the cluster of each hidden frame, told from what is around it.

Hsu et al. (2021), "HuBERT", IEEE/ACM TASLP 29, doi 10.1109/TASLP.2021.3122291, and Chen et al.
(2022), "WavLM", IEEE JSTSP 16, doi 10.1109/JSTSP.2022.3188113.

Shapes: B batch, T samples, F frames, D features of the encoder, P of the projection, K clusters, M
frames that are predicted.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from emovec.audio.batches import Batch
from emovec.encoders.wavlm import WavLM
from emovec.training.tasks import Arrays

TEMPERATURE = 0.1


class MaskedPrediction(nn.Module):
    """An encoder, what stands for hidden frames, and a codeword for each cluster.

    Args:
        encoder: whose last layer predicts
        clusters: K
        projection_size: P
    """

    def __init__(self, encoder: WavLM, clusters: int, projection_size: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.mask_embedding = nn.Parameter(torch.rand(encoder.frame_size))  # as in HuBERT's code
        self.projection = nn.Linear(encoder.frame_size, projection_size)
        # HuBERT draws these from [0, 1], too: all point much the same way, and take long to part
        self.codewords = nn.Parameter(torch.randn(clusters, projection_size))

    def forward(
        self, waves: Tensor, lengths: Tensor, clusters: Tensor, masked: Tensor
    ) -> dict[str, Tensor]:
        """How well the clusters of each clip's frames are predicted.

        Args:
            waves: (B, T) float32 in [-1, 1]
            lengths: (B,) int64 valid samples
            clusters: (B, at least F) int64, negative where there is none
            masked: (B, at least F) bool, which frames are hidden

        Returns:
            "loss" (B,), the sum of the cross-entropy over hidden frames; in evaluation also
            "correct" and "unmasked_correct" (B,), how many of the hidden and of the other frames
            have their cluster as the most probable
        """
        values, _ = self.encoder.masked_outputs(waves, lengths, masked, self.mask_embedding)
        clusters, masked = clusters[:, : values.shape[1]], masked[:, : values.shape[1]]
        hidden = masked & (clusters >= 0)
        loss, correct = self._predict(values, clusters, hidden)
        if self.training:
            return {"loss": loss}
        _, others = self._predict(values, clusters, ~masked & (clusters >= 0))
        return {"loss": loss, "correct": correct, "unmasked_correct": others}

    def _predict(self, values: Tensor, clusters: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Sums over the chosen frames of each clip: cross-entropy (B,), and right ones (B,)."""
        clips = chosen.nonzero()[:, 0]  # (M,)
        logits = self.logits(values[chosen])  # (M, K)
        losses = functional.cross_entropy(logits, clusters[chosen], reduction="none")
        right = (logits.argmax(dim=1) == clusters[chosen]).float()
        empty = torch.zeros(len(values), device=values.device)
        return empty.index_add(0, clips, losses), empty.index_add(0, clips, right)

    def logits(self, values: Tensor) -> Tensor:
        r"""Similarity to each codeword, :math:`\cos(A x, e_k) / 0.1` (HuBERT, equation 3).

        Args:
            values: (M, D) frames of the encoder

        Returns:
            (M, K) float32
        """
        projected = functional.normalize(self.projection(values).float(), dim=1)
        codewords = functional.normalize(self.codewords.float(), dim=1)
        with torch.autocast(values.device.type, enabled=False):
            return projected @ codewords.T / TEMPERATURE


class MaskedPredictionTask:
    """Cross-entropy over hidden frames alone, which WavLM was trained by.

    Args:
        counts: (K,) how often each cluster occurs in training
    """

    step = 0

    def __init__(self, counts: NDArray[np.int64]) -> None:
        self.counts = counts

    def outputs(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """What :class:`MaskedPrediction` says of each clip."""
        return model(batch.waves, batch.lengths, batch.targets["cluster"], batch.targets["masked"])

    def loss(self, outputs: dict[str, Tensor], targets: dict[str, Tensor], epoch: int) -> Tensor:
        """Mean over the hidden frames of all clips of an effective batch."""
        hidden = targets["masked"] & (targets["cluster"] >= 0)
        return outputs["loss"].sum() / hidden.sum().clamp_min(1)

    def metrics(self, outputs: Arrays, targets: Arrays) -> dict[str, float]:
        """Accuracy on hidden and other frames, and what is reached without hearing any.

        The baselines always say the cluster that is most frequent in training, and its shares of
        clusters (add-one smoothed).
        """
        valid = targets["cluster"] >= 0
        masked = targets["masked"]
        hidden = targets["cluster"][masked & valid]
        shares = (self.counts + 1) / (self.counts + 1).sum()
        return {
            "masked/accuracy": _share(outputs["correct"].sum(), len(hidden)),
            "masked/cross_entropy": _share(outputs["loss"].sum(), len(hidden)),
            "unmasked/accuracy": _share(outputs["unmasked_correct"].sum(), (valid & ~masked).sum()),
            "baseline_majority/masked/accuracy": _share(
                (hidden == self.counts.argmax()).sum(), len(hidden)
            ),
            "baseline_shares/masked/cross_entropy": _share(
                -np.log(shares[hidden]).sum(), len(hidden)
            ),
            "targets/clusters_used": float((self.counts > 0).sum()),
        }

    def error(self, metrics: Mapping[str, float]) -> float:
        """The cross-entropy on hidden frames."""
        return metrics["masked/cross_entropy"]


def _share(total: float, count: int) -> float:
    return float(total) / max(1, int(count))
