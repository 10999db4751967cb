r"""Losses of embeddings against each other: speakers are told apart without classes of their own.

Each is a pure function of all embeddings of an effective batch, and a module that hparams name. The
module is built and called like a loss of :mod:`emovec.training.speaker_losses`, but has no loss of
a single clip: micro-batches give their embeddings, and :meth:`MetricLoss.of_batch` is taken when
all are there. What a loss learns goes along as an output of each clip, so that gradients come back
to it over micro-batches and processes as they do to embeddings.

Shapes: B batch, E embedding, S speakers.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from emovec.errors import HparamError
from emovec.training.triplets import MINING, SMALLEST, check_batch, fault_of, triplet_loss

BLOCK = 512  # clips that are compared at once in evaluation, where there may be any number


def generalised_end_to_end_loss(
    embeddings: Tensor, speakers: Tensor, scale: Tensor, bias: Tensor
) -> Tensor:
    r"""Cross-entropy of a clip's speaker among those of the batch, by cosines to centroids.

    .. math::
        L = -\mathrm{mean}_i \log \frac{\exp(w \cos(e_i, c_{y_i}) + b)}{\sum_k
            \exp(w \cos(e_i, c_k) + b)}

    where c is the mean of a speaker's clips of length 1, that of the own speaker without the clip
    itself, in the sum too. Wan et al. (2018), "Generalized end-to-end loss for speaker
    verification", ICASSP: the softmax variant, which the bias, being in all logits of a clip, does
    not change.

    A clip that is its speaker's only one has no loss, and is a centroid for the others.

    Args:
        embeddings: (B, E), of any length
        speakers: (B,) int64
        scale: w, () or one of each clip (B,), more than 0
        bias: b, the same

    Returns:
        () loss, at least 0

    Raises:
        TrainingError: if the clips are of one speaker, or no two are of the same
        ValueError: if the shapes do not fit

    >>> two = torch.eye(2).repeat_interleave(2, dim=0)
    >>> one = torch.tensor(1.0)
    >>> generalised_end_to_end_loss(two, torch.tensor([0, 0, 1, 1]), one, one)  # log(1 + 1 / e)
    tensor(0.3133)
    """
    check_batch(embeddings, speakers)
    names, classes = speakers.unique(return_inverse=True)
    members = functional.one_hot(classes, len(names)).to(embeddings.dtype)  # (B, S)
    directions = functional.normalize(embeddings, eps=SMALLEST)
    sums = members.T @ directions  # (S, E); a centroid's length does not matter
    others = sums[classes] - directions  # (B, E)
    own = (directions * functional.normalize(others, eps=SMALLEST)).sum(dim=1, keepdim=True)
    cosines = directions @ functional.normalize(sums, eps=SMALLEST).T  # (B, S)
    cosines = cosines.scatter(1, classes[:, None], own)
    logits = scale.expand(len(classes))[:, None] * cosines + bias.expand(len(classes))[:, None]
    has_others = members.sum(dim=0)[classes] > 1
    return functional.cross_entropy(logits[has_others], classes[has_others])


class MetricLoss(nn.Module):
    """What the modules share.

    Args:
        width: E
        speakers: S, as other losses take it; these know no classes

    Raises:
        HparamError: if there are fewer than two speakers
    """

    def __init__(self, width: int, speakers: int) -> None:
        super().__init__()
        if speakers < 2:
            raise HparamError(
                f"{type(self).__name__}: {speakers} speakers; expected at least 2. "
                "Train on more speakers."
            )
        self.width, self.speakers = width, speakers

    def outputs(self, features: Tensor, speakers: Tensor, step: int) -> dict[str, Tensor]:
        """What is learnt besides embeddings, by name (B,), the same for each clip."""
        return {}

    def of_batch(self, outputs: dict[str, Tensor], speakers: Tensor, step: int) -> Tensor:
        """Loss () of the outputs of all clips.

        In evaluation it is the mean over blocks of clips, by speaker, that are no larger than
        batches are: with so many others, the nearest one is always near.

        Args:
            outputs: "embedding" (B, E) and those of :meth:`outputs`
            speakers: (B,) int64
            step: optimiser steps done

        Raises:
            TrainingError: if the clips are of one speaker, or no two are of the same
        """
        blocks = [slice(None)] if self.training else _blocks(speakers)
        losses = [
            self.loss({name: rows[block] for name, rows in outputs.items()}, speakers[block], step)
            for block in blocks
        ]
        return torch.stack(losses).mean()

    def loss(self, outputs: dict[str, Tensor], speakers: Tensor, step: int) -> Tensor:
        """Loss () of clips that are compared with each other; as :meth:`of_batch`."""
        raise NotImplementedError

    def forward(self, embeddings: Tensor, speakers: Tensor, step: int) -> Tensor:
        """Loss () of embeddings (B, E) and speakers (B,) that are in one batch."""
        outputs = {"embedding": embeddings, **self.outputs(embeddings, speakers, step)}
        return self.of_batch(outputs, speakers, step)


class TripletLoss(MetricLoss):
    """:func:`triplet_loss`, whose random negatives change with the step.

    Args:
        width: E
        speakers: S
        margin: in cosines
        mining: "semi_hard", "batch_hard" or "random"

    Raises:
        HparamError: if the mining is unknown, the margin not positive, or speakers are fewer than
            two
    """

    def __init__(
        self, width: int, speakers: int, margin: float = 0.2, mining: str = "semi_hard"
    ) -> None:
        super().__init__(width, speakers)
        if not margin > 0 or mining not in MINING:
            raise HparamError(
                f"TripletLoss: margin {margin}, mining '{mining}'; expected a positive margin and "
                f"one of {sorted(MINING)}. Correct them."
            )
        self.margin, self.mining = margin, mining

    def loss(self, outputs: dict[str, Tensor], speakers: Tensor, step: int) -> Tensor:
        """Loss () of "embedding" (B, E)."""
        return triplet_loss(outputs["embedding"], speakers, self.margin, self.mining, step)

    def arguments(self) -> dict[str, Any]:
        """Arguments that build the same loss."""
        return {
            "width": self.width,
            "speakers": self.speakers,
            "margin": self.margin,
            "mining": self.mining,
        }


class GeneralisedEndToEndLoss(MetricLoss):
    """:func:`generalised_end_to_end_loss`, whose scale and bias are learnt.

    The scale as its logarithm, so that it stays positive without a bound.

    Args:
        width: E
        speakers: S
        scale: at the start
        bias: at the start

    Raises:
        HparamError: if the scale is not positive, or speakers are fewer than two
    """

    def __init__(self, width: int, speakers: int, scale: float = 10.0, bias: float = -5.0) -> None:
        super().__init__(width, speakers)
        if not scale > 0:
            raise HparamError(
                f"GeneralisedEndToEndLoss: scale is {scale}; expected more than 0. Correct it."
            )
        self.start = {"scale": scale, "bias": bias}
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.bias = nn.Parameter(torch.tensor(float(bias)))

    def outputs(self, features: Tensor, speakers: Tensor, step: int) -> dict[str, Tensor]:
        """Scale and bias, (B,) each."""
        each = torch.ones(len(features), device=self.bias.device, dtype=self.bias.dtype)
        return {"scale": self.log_scale.exp() * each, "bias": self.bias * each}

    def loss(self, outputs: dict[str, Tensor], speakers: Tensor, step: int) -> Tensor:
        """Loss () of "embedding" (B, E), "scale" and "bias" (B,)."""
        return generalised_end_to_end_loss(
            outputs["embedding"], speakers, outputs["scale"], outputs["bias"]
        )

    def arguments(self) -> dict[str, Any]:
        """Arguments that build the same loss."""
        return {"width": self.width, "speakers": self.speakers, **self.start}


def _blocks(speakers: Tensor) -> list[Tensor]:
    """Rows of about equally many clips in order of speakers; those without a pair are left out."""
    order = speakers.argsort(stable=True)
    blocks = order.tensor_split(max(1, math.ceil(len(order) / BLOCK)))
    return [rows for rows in blocks if not fault_of(speakers[rows])] or [order]
