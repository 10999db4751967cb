"""What the systems minimise: reconstruction, divergence, and cross-entropies of their branches.

Shapes: B batch, D features, L nodes of the latent.
"""

from collections.abc import Mapping

from torch import Tensor
from torch.nn.functional import cross_entropy

from emovec.privacy.lrvae import Outputs, other_task


def reconstruction_loss(reconstructed: Tensor, features: Tensor) -> Tensor:
    r"""Negative log-likelihood of features under Gaussians of variance 1, less its constant.

    .. math::
        \frac{1}{2 B} \sum_b \sum_d (x_{bd} - \hat{x}_{bd})^2

    Summed over dimensions and averaged over the batch: ours, as it is not published.

    Args:
        reconstructed: (B, D)
        features: (B, D)

    Returns:
        () 0 or more

    >>> import torch
    >>> reconstruction_loss(torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.zeros(2, 2))
    tensor(1.2500)
    """
    return 0.5 * (reconstructed - features).square().sum(dim=1).mean()


def divergence_loss(mean: Tensor, log_variance: Tensor) -> Tensor:
    r"""Kullback-Leibler divergence of diagonal Gaussians from the standard one.

    .. math::
        \frac{1}{2 B} \sum_b \sum_l \mu_{bl}^2 + \sigma_{bl}^2 - 1 - \log \sigma_{bl}^2

    (Kingma & Welling, 2014, "Auto-encoding variational Bayes", ICLR, appendix B), summed over
    dimensions and averaged over the batch.

    Args:
        mean: (B, L)
        log_variance: (B, L) logarithm of the squared deviation

    Returns:
        () 0 or more

    >>> import torch
    >>> divergence_loss(torch.tensor([[1.0, 2.0]]), torch.zeros(1, 2))
    tensor(2.5000)
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()


def loss_terms(outputs: Outputs, targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All that a system minimises, by name; what it lacks has no term.

    Cross-entropies of discriminators are minimised as well: the gradient reversal before them makes
    what feeds them maximise theirs.

    Args:
        outputs: of the model
        targets: "emotion" and "speaker", (B,) int64 each

    Returns:
        "reconstruction", "divergence", "emotion", "speaker", "speaker_adversary" of the emotion
        side, "emotion_adversary" of the speaker side; () each
    """
    terms = {}
    if outputs.log_variance is not None and outputs.reconstructed is not None:
        terms["reconstruction"] = reconstruction_loss(outputs.reconstructed, outputs.standardised)
        terms["divergence"] = divergence_loss(outputs.mean, outputs.log_variance)
    for task, logits in outputs.tasks.items():
        terms[task] = cross_entropy(logits, targets[task])
    for task, logits in outputs.adversaries.items():
        terms[f"{other_task(task)}_adversary"] = cross_entropy(logits, targets[other_task(task)])
    return terms
