"""Losses of speaker classification: modules with the class weights, smaller is better.

Each is called with embeddings (B, E), speakers (B,) int64 in [0, S) and the number of optimiser
steps done, and returns the mean loss () over the batch; ``losses`` gives that of each clip, and
``logits`` (B, S) without margin, for accuracy. A margin is computed for the target column alone and
written into the one matrix of logits, so that memory is that of plain softmax. Under autocast all
is computed in the precision of the weights.

Shapes: B batch, E embedding, S speakers.
"""

from typing import Any

import torch
from speechbrain.nnet.losses import AdditiveAngularMargin
from torch import Tensor, nn
from torch.nn import functional

from emovec.errors import HparamError


class SpeakerLoss(nn.Module):
    """What all losses share.

    Attributes:
        speakers: S
    """

    speakers: int

    def logits(self, embeddings: Tensor) -> Tensor:
        """Logits (B, S) of embeddings (B, E), without margin."""
        raise NotImplementedError

    def losses(self, embeddings: Tensor, speakers: Tensor, step: int) -> Tensor:
        """Loss (B,) of each clip.

        Args:
            embeddings: (B, E)
            speakers: (B,) int64 in [0, S)
            step: optimiser steps done

        Raises:
            ValueError: if shapes or types are not as above
        """
        raise NotImplementedError

    def forward(self, embeddings: Tensor, speakers: Tensor, step: int) -> Tensor:
        """Mean loss () over the batch; takes and raises what :meth:`losses` does."""
        return self.losses(embeddings, speakers, step).mean()

    def outputs(self, features: Tensor, speakers: Tensor, step: int) -> dict[str, Tensor]:
        """How well speakers are told, some of whom may be unknown: numbers from S on.

        Args:
            features: (B, E)
            speakers: (B,) int64
            step: optimiser steps done

        Returns:
            "loss" and "correct" (B,), both 0 for unknown speakers
        """
        known = speakers < self.speakers
        classes = torch.where(known, speakers, 0)  # any that there is
        losses = self.losses(features, classes, step)
        with torch.no_grad():
            correct = self.logits(features).argmax(dim=1) == speakers
        return {"loss": torch.where(known, losses, 0.0), "correct": correct.to(losses.dtype)}


class SpeakerSoftmax(SpeakerLoss):
    """Plain softmax cross-entropy on a linear layer with bias.

    Args:
        width: E
        speakers: S

    Raises:
        HparamError: if there are fewer than two speakers
    """

    def __init__(self, width: int, speakers: int) -> None:
        super().__init__()
        _check_speakers(type(self).__name__, speakers)
        self.width, self.speakers = width, speakers
        self.output = nn.Linear(width, speakers)

    def logits(self, embeddings: Tensor) -> Tensor:
        """Logits (B, S) of embeddings (B, E)."""
        with torch.autocast(embeddings.device.type, enabled=False):
            return self.output(embeddings.to(self.output.weight.dtype))

    def losses(self, embeddings: Tensor, speakers: Tensor, step: int) -> Tensor:
        """Loss (B,) of each clip, the same at every step."""
        _check_batch(self.width, embeddings, speakers)
        return _cross_entropies(self.logits(embeddings), speakers)

    def arguments(self) -> dict[str, Any]:
        """Arguments that build the same layer."""
        return {"width": self.width, "speakers": self.speakers}


class AngularSoftmax(SpeakerLoss):
    r"""Softmax cross-entropy with a multiplicative angular margin, annealed.

    .. math::
        z_j = \lVert x \rVert \cos\theta_j, \quad
        z_y = \lVert x \rVert \, \frac{\lambda \cos\theta_y + \psi(\theta_y)}{1 + \lambda}, \quad
        \psi(\theta) = (-1)^k \cos(m \theta) - 2 k, \quad k = \lfloor m \theta / \pi \rfloor

    Class weights are divided by their length, embeddings are not, and there is no bias. Liu et al.
    (2017), "SphereFace: deep hypersphere embedding for face recognition", CVPR; lambda as in
    :func:`plain_share`.

    Args:
        width: E
        speakers: S
        margin: m

    Raises:
        HparamError: if the margin is no positive whole number, or speakers are fewer than two
    """

    def __init__(self, width: int, speakers: int, margin: int = 2) -> None:
        super().__init__()
        _check_speakers(type(self).__name__, speakers)
        if not isinstance(margin, int) or margin < 1:
            raise HparamError(
                f"AngularSoftmax: margin is {margin}; expected a whole number from 1 on, such as 2."
            )
        self.width, self.speakers, self.margin = width, speakers, margin
        self.weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(speakers, width)))

    def logits(self, embeddings: Tensor) -> Tensor:
        """Logits (B, S), the embedding's length times the cosine, of embeddings (B, E)."""
        with torch.autocast(embeddings.device.type, enabled=False):
            return embeddings.to(self.weight.dtype) @ functional.normalize(self.weight).T

    def losses(self, embeddings: Tensor, speakers: Tensor, step: int) -> Tensor:
        """Loss (B,) of each clip at a step, which sets lambda."""
        _check_batch(self.width, embeddings, speakers)
        with torch.autocast(embeddings.device.type, enabled=False):
            logits = self.logits(embeddings)  # (B, S)
            lengths = embeddings.to(self.weight.dtype).norm(dim=1, keepdim=True)  # (B, 1)
            plain = _of_targets(logits, speakers)
            smallest = torch.finfo(lengths.dtype).tiny  # an embedding of zeros has cosine 0
            cosines = (plain / lengths.clamp_min(smallest)).clamp(-1, 1)
            share = plain_share(step)
            target = (share * plain + lengths * margin_cosine(cosines, self.margin)) / (1 + share)
            return _cross_entropies(logits.scatter_(1, speakers[:, None], target), speakers)

    def arguments(self) -> dict[str, Any]:
        """Arguments that build the same layer."""
        return {"width": self.width, "speakers": self.speakers, "margin": self.margin}


class AdditiveAngularMarginSoftmax(SpeakerLoss):
    r"""Softmax cross-entropy with an additive angular margin.

    .. math::
        z_j = s \cos\theta_j, \quad z_y = s \cos(\theta_y + m)

    Deng et al. (2019), "ArcFace: additive angular margin loss for deep face recognition", CVPR; the
    margin is SpeechBrain's. With several centres a speaker, the nearest one counts: Deng et al.
    (2020), "Sub-center ArcFace: boosting face recognition by large-scale noisy web faces", ECCV.

    Args:
        width: E
        speakers: S
        margin: m in radians
        scale: s
        centres: of each speaker

    Raises:
        HparamError: if the margin is not in [0, pi / 2), the scale not positive, there is no
            centre, or speakers are fewer than two
    """

    def __init__(
        self,
        width: int,
        speakers: int,
        margin: float = 0.2,
        scale: float = 30.0,
        centres: int = 1,
    ) -> None:
        super().__init__()
        _check_speakers(type(self).__name__, speakers)
        if not 0 <= margin < torch.pi / 2 or not scale > 0 or centres < 1:
            raise HparamError(
                f"AdditiveAngularMarginSoftmax: margin {margin}, scale {scale}, centres {centres}; "
                "expected a margin from 0 to below pi / 2, a positive scale and at least one "
                "centre. Correct them."
            )
        self.width, self.speakers, self.scale, self.centres = width, speakers, scale, centres
        self.add_margin = AdditiveAngularMargin(margin, scale)
        weight = torch.empty(speakers * centres, width)  # centres of a speaker side by side
        self.weight = nn.Parameter(nn.init.xavier_uniform_(weight))

    def cosines(self, embeddings: Tensor) -> Tensor:
        """Cosines (B, S) of embeddings (B, E) to the nearest centre of each speaker."""
        with torch.autocast(embeddings.device.type, enabled=False):
            directions = functional.normalize(embeddings.to(self.weight.dtype))
            found = directions @ functional.normalize(self.weight).T
            if self.centres == 1:
                return found
            return found.unflatten(1, (self.speakers, self.centres)).max(dim=2).values

    def logits(self, embeddings: Tensor) -> Tensor:
        """Logits (B, S), scaled cosines, of embeddings (B, E)."""
        return self.cosines(embeddings).mul_(self.scale)

    def losses(self, embeddings: Tensor, speakers: Tensor, step: int) -> Tensor:
        """Loss (B,) of each clip, the same at every step."""
        _check_batch(self.width, embeddings, speakers)
        with torch.autocast(embeddings.device.type, enabled=False):
            cosines = self.cosines(embeddings)  # (B, S)
            plain = _of_targets(cosines, speakers)
            target = self.add_margin(plain, torch.ones_like(plain))  # (B, 1), scaled
            logits = cosines.mul_(self.scale).scatter_(1, speakers[:, None], target)
            return _cross_entropies(logits, speakers)

    def arguments(self) -> dict[str, Any]:
        """Arguments that build the same layer."""
        return {
            "width": self.width,
            "speakers": self.speakers,
            "margin": self.add_margin.margin,
            "scale": self.scale,
            "centres": self.centres,
        }


def plain_share(step: int) -> float:
    """Weight lambda of the plain cosine beside that with margin, which has weight 1.

    max(5, 1500 / (1 + 0.01 step)): training starts without a margin and ends with a sixth of it.

    Args:
        step: optimiser steps done

    >>> [plain_share(step) for step in (0, 100, 1_000_000)]
    [1500.0, 750.0, 5.0]
    """
    return max(5.0, 1500.0 / (1 + 0.01 * step))


def margin_cosine(cosines: Tensor, margin: int) -> Tensor:
    r"""Cosine of a multiplied angle, continued so that it falls from 1 to 1 - 2 m over [0, pi].

    psi(theta) = (-1)^k cos(m theta) - 2 k with k = floor(m theta / pi), where cos(m theta) is the
    Chebyshev polynomial of cos(theta), whose gradient is finite at 0 and pi too, unlike arccos'.

    Args:
        cosines: (...) in [-1, 1]
        margin: m, at least 1

    Returns:
        (...) the same shape

    >>> margin_cosine(torch.tensor([1.0, 0.0, -1.0]), 2)
    tensor([ 1., -1., -3.])
    """
    before, multiplied = torch.ones_like(cosines), cosines  # cos(0 theta), cos(1 theta)
    for _ in range(margin - 1):
        before, multiplied = multiplied, 2 * cosines * multiplied - before
    with torch.no_grad():
        piece = torch.floor(margin * torch.arccos(cosines) / torch.pi)
    return (1 - 2 * (piece % 2)) * multiplied - 2 * piece


def _cross_entropies(logits: Tensor, speakers: Tensor) -> Tensor:
    return functional.cross_entropy(logits, speakers, reduction="none")


def _of_targets(logits: Tensor, speakers: Tensor) -> Tensor:
    """Target column (B, 1) of (B, S), which may then be overwritten: ``gather`` would keep all."""
    return logits[torch.arange(len(speakers), device=speakers.device), speakers][:, None]


def _check_speakers(loss: str, speakers: int) -> None:
    if speakers < 2:
        raise HparamError(
            f"{loss}: {speakers} speakers; expected at least 2. Train on more speakers."
        )


def _check_batch(width: int, embeddings: Tensor, speakers: Tensor) -> None:
    """Stop on a batch of other shapes, or speakers that are no int64."""
    fits = embeddings.ndim == 2 and embeddings.shape[1] == width
    if not fits or speakers.shape != embeddings.shape[:1] or len(speakers) == 0:
        raise ValueError(
            f"embeddings is {tuple(embeddings.shape)} and speakers {tuple(speakers.shape)}; "
            f"expected (B, {width}) and (B,) with B > 0."
        )
    if speakers.dtype != torch.int64:
        raise ValueError(f"speakers is {speakers.dtype}; expected torch.int64.")
