"""LR-VAE: one latent whose one end carries emotion and the other identity.

Huang et al. (2021), "Attribute-aligned representation", Interspeech, arXiv 2106.02810; and, with
less of it, the systems that it is compared with (``systems``).

Shapes: B batch, N clips, D features, L nodes of the latent, K emotions, S speakers.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from emovec.errors import HparamError
from emovec.privacy.gradient_reversal import reverse_gradient
from emovec.privacy.layered_dropout import LayeredDropout, Profile, keep_probabilities
from emovec.privacy.masking import ALL, check_masked, masked
from emovec.privacy.noise import noise_of
from emovec.privacy.standardiser import Standardiser

TASKS = ("emotion", "speaker")
DRAW, MEAN = "draw", "mean"
RELEASED = (DRAW, MEAN)
SIZES = ("inputs", "speakers", "latent_size", "hidden_size", "branch_size", "groups")


class Outputs(NamedTuple):
    """What a system makes of a batch.

    Attributes:
        standardised: (B, D) what is to be reconstructed
        mean: (B, L) of the latent's distribution; the latent itself if there is none
        log_variance: (B, L) of it; None: not variational
        reconstructed: (B, D) from a draw of the latent; None: not variational
        tasks: of each task the logits of what its side is to tell, (B, K) or (B, S)
        adversaries: of each task the logits of what its side is not to tell; empty: no adversaries
    """

    standardised: Tensor
    mean: Tensor
    log_variance: Tensor | None
    reconstructed: Tensor | None
    tasks: dict[str, Tensor]
    adversaries: dict[str, Tensor]


class LRVAE(nn.Module):
    """An encoder of vectors, whose latent keeps emotion at its beginning, identity at its end.

    Each task, "emotion" or "speaker", has a side: layered dropout from its end of the latent, a
    classifier of it, and behind a reversed gradient a discriminator of the other.

    Args:
        inputs: D, features of a vector
        emotions: K names
        speakers: S, of the training
        latent_size: L
        hidden_size: of encoder and decoder [ours]
        branch_size: hidden width of classifiers and discriminators [ours]
        groups: that the latent is masked by; must divide it
        variational: whether there are a distribution of the latent and a decoder
        profile: of the layered dropout, see ``keep_probabilities``; None: no dropout, and no order
            in the latent
        tasks: "emotion", "speaker" or both
        adversaries: whether there are discriminators
        released: what leaves a variational model, "draw" of the latent's distribution or its
            "mean" [ours]: the divergence limits what a draw tells, but a mean tells all, however
            small its numbers are, to who scales them up

    Raises:
        HparamError: if groups do not divide the latent, the profile is not monotone, tasks or what
            is released are unknown, or a size is not 1 or more
    """

    def __init__(
        self,
        inputs: int,
        emotions: Sequence[str],
        speakers: int,
        latent_size: int = 256,
        hidden_size: int = 512,
        branch_size: int = 256,
        groups: int = 32,
        variational: bool = True,
        profile: Profile | None = "linear",
        tasks: Sequence[str] = TASKS,
        adversaries: bool = True,
        released: str = DRAW,
    ) -> None:
        super().__init__()
        self._settings: dict[str, Any] = {
            "inputs": inputs,
            "emotions": list(emotions),
            "speakers": speakers,
            "latent_size": latent_size,
            "hidden_size": hidden_size,
            "branch_size": branch_size,
            "groups": groups,
            "variational": variational,
            "profile": profile if isinstance(profile, str | None) else list(profile),
            "tasks": list(tasks),
            "adversaries": adversaries,
            "released": released,
        }
        _check(self._settings)
        self.standardised = Standardiser(inputs)
        self.hidden = nn.Sequential(nn.Linear(inputs, hidden_size), nn.ReLU())
        self.to_mean = nn.Linear(hidden_size, latent_size)
        if variational:
            self.to_log_variance = nn.Linear(hidden_size, latent_size)
            self.decoder = _perceptron(latent_size, hidden_size, inputs)
        classes = {"emotion": len(emotions), "speaker": speakers}
        self.dropouts, self.classifiers = nn.ModuleDict(), nn.ModuleDict()
        self.discriminators = nn.ModuleDict()
        for task in tasks:
            self.dropouts[task] = _dropout(profile, latent_size, rising=task == "speaker")
            self.classifiers[task] = _perceptron(latent_size, branch_size, classes[task])
            if adversaries:
                size = classes[other_task(task)]
                self.discriminators[task] = _perceptron(latent_size, branch_size, size)

    @property
    def emotions(self) -> tuple[str, ...]:
        """Names of the K emotions."""
        return tuple(self._settings["emotions"])

    @property
    def input_size(self) -> int:
        """D, features of a vector."""
        return self._settings["inputs"]

    @property
    def latent_size(self) -> int:
        """L, numbers of a transformed vector."""
        return self._settings["latent_size"]

    @property
    def draws(self) -> bool:
        """Whether a draw leaves the model, and no mean."""
        return self._settings["variational"] and self._settings["released"] == DRAW

    @property
    def groups(self) -> int:
        """That the latent is masked by."""
        return self._settings["groups"]

    def arguments(self) -> dict[str, Any]:
        """Arguments that build this model again, for its config.json."""
        return dict(self._settings)

    def forward(self, features: Tensor, reversal: float = 1.0) -> Outputs:
        """All that the losses need.

        Args:
            features: (B, D)
            reversal: scale of the gradient that comes back from discriminators
        """
        standardised = self.standardised(features)
        hidden = self.hidden(standardised)
        latent = mean = self.to_mean(hidden)  # (B, L)
        log_variance = reconstructed = None
        if self._settings["variational"]:
            log_variance = self.to_log_variance(hidden)
            if self.training:
                latent = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
            reconstructed = self.decoder(latent)
        tasks, adversaries = {}, {}
        for task in self._settings["tasks"]:
            side = self.dropouts[task](latent)  # (B, L)
            tasks[task] = self.classifiers[task](side)
            if self.discriminators:
                adversaries[task] = self.discriminators[task](reverse_gradient(side, reversal))
        return Outputs(standardised, mean, log_variance, reconstructed, tasks, adversaries)

    def encode(self, features: Tensor, noise: Tensor | None = None) -> Tensor:
        """Whole latent (B, L) of features (B, D), whatever its order: what leaves the model.

        A draw is decided by ``noise``, or else by the vector to its last bit: vectors of one clip
        that were made in different batches have different draws, see :func:`.noise_of`.

        Args:
            features: (B, D)
            noise: (B, L) of :func:`.noise_of`, of the clips' samples; None: of the features
        """
        hidden = self.hidden(self.standardised(features))
        latent = self.to_mean(hidden)
        if not self.draws:
            return latent
        noise = noise_of(features, self.latent_size) if noise is None else noise
        return latent + noise * (0.5 * self.to_log_variance(hidden)).exp()

    def latent(self, features: ArrayLike) -> NDArray[np.float32]:
        """What :meth:`encode` gives, (N, L), of vectors (N, D).

        Raises:
            EmbeddingError: if vectors are not (N, D), or one has NaN
        """
        x = self.standardised.checked(features)
        with torch.inference_mode():
            return self.encode(x).cpu().numpy()

    def transform(
        self, features: ArrayLike, keep: str = ALL, masked_groups: int | None = None
    ) -> NDArray[np.float32]:
        """Latent vectors, of which one end is zero.

        Draws are decided by the vectors: whoever hands in several of one clip, made in different
        batches, has several draws of it, whose mean tells what the model's mean does;
        ``ProtectedEncoder`` draws once a clip.

        Args:
            features: (N, D) vectors
            keep: "emotion": the identity end is zero; "identity": the emotion end is; "all": none
            masked_groups: how many are zero, 0 to all; None: half of them; not for "all"

        Returns:
            (N, L)

        Raises:
            EmbeddingError: if vectors are not (N, D), or one has NaN
            HparamError: if ``keep`` is unknown, there are not as many groups, or the model has no
                order in its latent
        """
        if keep != ALL and self._settings["profile"] is None:
            raise HparamError(
                f"keep is '{keep}', of a model without layered dropout, whose latent has no ends; "
                f"expected '{ALL}'. Correct it, or take a model with a profile."
            )
        check_masked(keep, masked_groups, self.groups)
        return masked(self.latent(features), keep, masked_groups, self.groups)


def other_task(task: str) -> str:
    """The one of both tasks that it is not.

    >>> other_task("emotion")
    'speaker'
    """
    return TASKS[1 - TASKS.index(task)]


def _check(settings: Mapping[str, Any]) -> None:
    """Raise where arguments are impossible."""
    sizes = {name: settings[name] for name in SIZES}
    wrong = {name: size for name, size in sizes.items() if type(size) is not int or size < 1}
    if wrong or not settings["emotions"]:
        raise HparamError(
            f"{wrong or 'emotions'}; expected integers of 1 or more, and names. Correct them."
        )
    latent_size, groups = sizes["latent_size"], sizes["groups"]
    if latent_size % groups:
        raise HparamError(
            f"latent_size is {latent_size}, groups {groups}; expected a latent_size that groups "
            f"divide, such as {latent_size - latent_size % groups + groups}. Correct it."
        )
    tasks, released = settings["tasks"], settings["released"]
    if not tasks or len(set(tasks)) < len(tasks) or not set(tasks) <= set(TASKS):
        raise HparamError(f"tasks are {tasks}; expected one or both of {TASKS}. Correct them.")
    if released not in RELEASED:
        raise HparamError(f"released is '{released}'; expected one of {RELEASED}. Correct it.")


def _perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


def _dropout(profile: Profile | None, size: int, rising: bool) -> nn.Module:
    if profile is None:
        return nn.Identity()
    return LayeredDropout(keep_probabilities(profile, size, rising))
