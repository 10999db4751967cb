"""The triplet loss, and how its negatives are found among the clips of a batch.

Shapes: B batch, E embedding, P pairs of a speaker's clips, A anchors.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from emovec.errors import HparamError, TrainingError

SMALLEST = 1e-6  # shorter embeddings count as longer, so that gradients stay finite


def triplet_loss(
    embeddings: Tensor,
    speakers: Tensor,
    margin: float = 0.2,
    mining: str = "semi_hard",
    seed: int = 0,
) -> Tensor:
    r"""Hinge of how much nearer a clip of the same speaker is than one of another.

    .. math::
        L = \mathrm{mean}_{a, p} \max(0, m + \cos(a, n_{ap}) - \cos(a, p))

    Schroff et al. (2015), "FaceNet", CVPR, with cosines. The negative n of an anchor a and a
    positive p, both of one speaker, is

    - "semi_hard": the nearest of those that are farther than p. If none is, the farthest of all, as
      in TensorFlow's: the pair is wrong altogether, and the nearest would pull embeddings together.
      A negative outside the margin costs nothing.
    - "batch_hard": the nearest; and p is the farthest alone, one of each anchor (Hermans et al.,
      2017, "In defense of the triplet loss", arXiv 1703.07737).
    - "random": any, drawn anew for each pair.

    The mean is over all pairs (anchors, if "batch_hard"), those that cost nothing among them. A
    clip that is its speaker's only one is a negative of the others.

    Args:
        embeddings: (B, E), of any length
        speakers: (B,) int64
        margin: m, in cosines
        mining: as above
        seed: of random negatives; they do not depend on the order of the batch

    Returns:
        () loss in [0, 2 + m]

    Raises:
        HparamError: if the mining is unknown
        TrainingError: if the clips are of one speaker, or no two are of the same
        ValueError: if the shapes do not fit

    >>> wide = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    >>> triplet_loss(wide, torch.tensor([0, 0, 1])), triplet_loss(wide, torch.tensor([0, 1, 0]))
    (tensor(0.), tensor(1.2000))
    """
    if mining not in MINING:
        raise HparamError(f"mining is '{mining}'; expected one of {sorted(MINING)}.")
    check_batch(embeddings, speakers)
    embeddings, speakers = _in_order(embeddings, speakers)
    directions = functional.normalize(embeddings, eps=SMALLEST)
    cosines = directions @ directions.T  # (B, B)
    same = speakers[:, None] == speakers
    positive = same & ~torch.eye(len(same), dtype=torch.bool, device=same.device)
    near, far = MINING[mining](cosines, positive, ~same, seed)
    return functional.relu(margin + near - far).mean()


def _semi_hard(
    cosines: Tensor, positive: Tensor, negative: Tensor, seed: int
) -> tuple[Tensor, Tensor]:
    """Cosine (P,) of the negative and of the positive of each of P pairs."""
    sorted_negatives, places = _sorted_negatives(cosines, negative)
    # of an anchor's negatives in order, as many as are farther than each positive
    farther = torch.searchsorted(sorted_negatives, cosines.detach())  # (B, B)
    chosen = places.gather(1, (farther - 1).clamp_min(0))
    return cosines.gather(1, chosen)[positive], cosines[positive]


def _batch_hard(
    cosines: Tensor, positive: Tensor, negative: Tensor, seed: int
) -> tuple[Tensor, Tensor]:
    """Cosine (A,) of the nearest negative and of the farthest positive of each of A anchors."""
    nearest = cosines.masked_fill(~negative, -torch.inf).max(dim=1).values
    farthest = cosines.masked_fill(~positive, torch.inf).min(dim=1).values
    anchors = positive.any(dim=1)
    return nearest[anchors], farthest[anchors]


def _random(
    cosines: Tensor, positive: Tensor, negative: Tensor, seed: int
) -> tuple[Tensor, Tensor]:
    """Cosine (P,) of the negative and of the positive of each of P pairs."""
    _, places = _sorted_negatives(cosines, negative)
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand(cosines.shape, generator=generator).to(cosines.device)
    place = (drawn * negative.sum(dim=1, keepdim=True)).long()  # in [0, negatives of the anchor)
    return cosines.gather(1, places.gather(1, place))[positive], cosines[positive]


MINING: dict[str, Callable[[Tensor, Tensor, Tensor, int], tuple[Tensor, Tensor]]] = {
    "semi_hard": _semi_hard,
    "batch_hard": _batch_hard,
    "random": _random,
}


def _sorted_negatives(cosines: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines (B, B) to negatives, the farthest first and infinity behind, and where they were."""
    ordered = cosines.detach().masked_fill(~negative, torch.inf).sort(dim=1, stable=True)
    return ordered.values.contiguous(), ordered.indices


def _in_order(embeddings: Tensor, speakers: Tensor) -> tuple[Tensor, Tensor]:
    """The same clips in an order that does not depend on how processes share them."""
    order = embeddings.detach()[:, 0].argsort()
    return embeddings[order], speakers[order]


def check_batch(embeddings: Tensor, speakers: Tensor) -> None:
    """Stop on shapes that do not fit, and on speakers that cannot be compared."""
    if embeddings.ndim != 2 or speakers.shape != embeddings.shape[:1]:
        raise ValueError(
            f"embeddings is {tuple(embeddings.shape)} and speakers {tuple(speakers.shape)}; "
            "expected (B, E) and (B,)."
        )
    if fault := fault_of(speakers):
        raise TrainingError(f"{fault}. Set utterances_per_speaker, or take a larger batch.")


def fault_of(speakers: Tensor) -> str:
    """Why speakers (B,) cannot be compared."""
    counts = speakers.unique(return_counts=True)[1]
    if len(counts) < 2:
        return f"{len(counts)} speaker in a batch of {len(speakers)} clips; expected at least 2"
    if int(counts.max()) < 2:
        return f"{len(counts)} speakers in a batch, with one clip each; expected 2 clips of some"
    return ""
