"""Losses: pure functions of tensors, smaller is better, one scalar out."""

import torch
from torch import Tensor


def concordance_loss(predicted: Tensor, target: Tensor, *, eps: float = 1e-8) -> Tensor:
    r"""One minus the concordance correlation, averaged over columns.

    .. math::
        L = 1 - \frac{1}{K} \sum_{k=1}^{K}
            \frac{2 \, \sigma_{xy}}{\sigma_x^2 + \sigma_y^2 + (\mu_x - \mu_y)^2 + \epsilon}

    with population moments over the batch (Lin, 1989, Biometrics 45, 255-268).
    Perfect agreement gives 0, a constant prediction 1, a mirrored one 2.

    Args:
        predicted: (B, K) predictions, for example K = 3 affect axes
        target: (B, K) references, same unit as ``predicted``
        eps: keeps a batch of constants finite

    Returns:
        () loss in [0, 2]

    Raises:
        ValueError: if the shapes differ, or B < 2

    >>> target = torch.tensor([[0.0], [1.0], [2.0]])
    >>> concordance_loss(target, target).round(decimals=4)
    tensor(0.)
    >>> concordance_loss(2 - target, target).round(decimals=4)
    tensor(2.)
    """
    if predicted.shape != target.shape or len(target) <= 1:
        raise ValueError(
            f"predicted is {tuple(predicted.shape)} and target {tuple(target.shape)}; "
            "expected the same (B, K) with B > 1."
        )
    x_mean, y_mean = predicted.mean(dim=0), target.mean(dim=0)  # (K,)
    x, y = predicted - x_mean, target - y_mean  # (B, K)
    spread = x.square().mean(dim=0) + y.square().mean(dim=0) + (x_mean - y_mean).square()
    concordance = 2 * (x * y).mean(dim=0) / (spread + eps)  # (K,)
    return 1 - concordance.mean()


def class_weights(classes: Tensor, n_classes: int) -> Tensor:
    """Weights that balance a cross-entropy over unevenly filled classes.

    w_c = N / (K n_c), and 0 for a class without examples (Cho et al., 2025, section 2.3).

    Args:
        classes: (N,) int64 class of each training example, in [0, K)
        n_classes: K

    Returns:
        (K,) float32 weights, whose mean over the examples is 1 if every class occurs

    Raises:
        ValueError: if there are no examples or one is out of range

    >>> class_weights(torch.tensor([0, 0, 0, 1]), 2)
    tensor([0.6667, 2.0000])
    """
    if len(classes) == 0 or classes.min() < 0 or classes.max() >= n_classes:
        raise ValueError(f"classes holds {len(classes)} values; expected some in [0, {n_classes}).")
    counts = torch.bincount(classes, minlength=n_classes).float()
    return torch.where(counts > 0, len(classes) / (n_classes * counts.clamp(min=1)), 0.0)


def decaying_weight(epoch: int) -> float:
    """Weight of the auxiliary loss that fades over five epochs, then is dropped.

    1 - 0.99 e / 5 for e = 0..4, 0 afterwards (code of Cho et al., 2025).

    Args:
        epoch: counted from 0

    >>> [round(decaying_weight(epoch), 3) for epoch in range(6)]
    [1.0, 0.802, 0.604, 0.406, 0.208, 0.0]
    """
    return 1 - 0.99 * epoch / 5 if epoch < 5 else 0.0


def constant_weight(epoch: int) -> float:
    """Weight of the auxiliary loss that never changes; 1 is ours, the paper's is unpublished.

    >>> constant_weight(7)
    1.0
    """
    return 1.0
