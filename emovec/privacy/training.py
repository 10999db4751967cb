"""Training of a system on vectors in memory: one short loop.

Shapes: N clips, B batch, D features, L nodes of the latent.
"""

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from emovec.errors import HparamError, TrainingError
from emovec.privacy.gradient_reversal import ramp
from emovec.privacy.losses import loss_terms
from emovec.privacy.lrvae import LRVAE
from emovec.privacy.noise import noise_of
from emovec.privacy.selection import Chooser, Measures
from emovec.privacy.systems import System
from emovec.privacy.trials import trials_within_groups
from emovec.privacy.vectors import Vectors, check_splits, numbered


@dataclass(frozen=True)
class TrainingOptions:
    """How a system is trained.

    Adam, its rate, batches, L2 and weights of 1 are the paper's; the rest is ours.

    Args:
        epochs: over the training clips
        batch_size: B
        learning_rate: of Adam
        weight_decay: L2
        reconstruction_weight: of the reconstruction loss; 1 / D: the mean over features
        divergence_weight: of the divergence
        reversal_scale: of the gradient that comes back from discriminators
        reversal_steepness: of the ramp of that scale; 0: all of it from the first step

    Raises:
        HparamError: if a value is not in its range
    """

    epochs: int = 60
    batch_size: int = 128
    learning_rate: float = 5e-4
    weight_decay: float = 1e-6
    reconstruction_weight: float = 1.0
    divergence_weight: float = 1.0
    reversal_scale: float = 1.0
    reversal_steepness: float = 0.0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise HparamError(f"{name} is {value}; expected an integer of 1 or more.")
        numbers = set(self.__dataclass_fields__) - {"epochs", "batch_size"}
        for name in sorted(numbers):
            value = getattr(self, name)
            positive = name == "learning_rate"
            if not (isinstance(value, int | float) and 0 <= value < math.inf) or (
                positive and not value
            ):
                least = "above 0" if positive else "0 or more"
                raise HparamError(f"{name} is {value}; expected a number of {least}. Correct it.")


class Epoch(NamedTuple):
    """What came of an epoch.

    Attributes:
        epoch: its number, from 1
        losses: mean of each term over the training clips, before its weight
        measures: of each representation, of validation speakers
        cost: of these, by which the model is chosen; smaller is better
    """

    epoch: int
    losses: dict[str, float]
    measures: dict[str, Measures]
    cost: float


@dataclass(frozen=True)
class Trained:
    """A trained system.

    Attributes:
        model: of the best epoch, in evaluation mode
        history: all epochs
        best: the epoch of the lowest cost, the first of several
        seconds: that the training took, validation included
        parameters: numbers that were trained
        warnings: what a reader of its results must know
    """

    model: LRVAE
    history: tuple[Epoch, ...]
    best: Epoch
    seconds: float
    parameters: int
    warnings: tuple[str, ...] = field(default=())


def train(
    system: System,
    train: Vectors,
    valid: Vectors,
    options: TrainingOptions,
    seed: int,
    arguments: Mapping[str, Any] | None = None,
    progress: Callable[[Epoch], None] | None = None,
) -> Trained:
    """A system trained on clips, of the epoch that does best on validation speakers.

    Best is the lowest mean, over the representations that are scored, of how far each is from what
    it is for (``selection.representation_cost``), with linear attackers.

    Args:
        system: of ``systems.SYSTEMS``
        train: clips to learn from
        valid: clips of other speakers, to choose the epoch by
        options: of the training
        seed: of weights, batches, masks and draws of the latent
        arguments: of ``LRVAE``, that all systems share or that replace the system's own
        progress: is called after each epoch

    Raises:
        EmbeddingError, SplitError, TrainingError: if the splits are not fit for it, see
            ``vectors.check_splits``; TrainingError as well if the loss is not finite
        HparamError: if an argument is none
    """
    warnings = check_splits(train, valid)
    started = time.perf_counter()
    emotions, speakers = (sorted(set(of.tolist())) for of in (train.emotions, train.speakers))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LRVAE(
            train.features.shape[1],
            emotions,
            len(speakers),
            **{**system.arguments, **(arguments or {})},
        )
        model.standardised.fit(train.features)
        targets = {
            "emotion": torch.from_numpy(numbered(train.emotions, emotions)),
            "speaker": torch.from_numpy(numbered(train.speakers, speakers)),
        }
        chooser = Chooser(
            system.representations, model.groups, train, valid, trials_within_groups(valid, seed)
        )
        history = _run(model, chooser, targets, options, progress)
    parameters = sum(of.numel() for of in model.parameters())
    seconds = time.perf_counter() - started
    best = min(history, key=lambda epoch: epoch.cost)
    return Trained(model.eval(), tuple(history), best, seconds, parameters, tuple(warnings))


def _run(
    model: LRVAE,
    chooser: Chooser,
    targets: Mapping[str, Tensor],
    options: TrainingOptions,
    progress: Callable[[Epoch], None] | None,
) -> list[Epoch]:
    """All epochs; the model is left with the weights of the best one."""
    optimizer = torch.optim.Adam(
        model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )
    features, valid = (torch.from_numpy(of.features) for of in (chooser.train, chooser.valid))
    noise = [noise_of(of, model.latent_size) if model.draws else None for of in (features, valid)]
    history: list[Epoch] = []
    lowest, state = math.inf, model.state_dict()
    for number in range(options.epochs):
        losses = _epoch(model, optimizer, features, targets, options, number)
        model.eval()
        with torch.inference_mode():
            measures = chooser.measure(
                model.encode(features, noise[0]).numpy(), model.encode(valid, noise[1]).numpy()
            )
        history.append(Epoch(number + 1, losses, measures, chooser.cost(measures)))
        if history[-1].cost < lowest:
            lowest, state = history[-1].cost, copy.deepcopy(model.state_dict())
        if progress:
            progress(history[-1])
    model.load_state_dict(state)
    return history


def _epoch(
    model: LRVAE,
    optimizer: torch.optim.Optimizer,
    features: Tensor,
    targets: Mapping[str, Tensor],
    options: TrainingOptions,
    number: int,
) -> dict[str, float]:
    """One pass over the training clips in a new order; mean of each loss term."""
    model.train()
    weights = {
        "reconstruction": options.reconstruction_weight,
        "divergence": options.divergence_weight,
    }
    sums: dict[str, float] = {}
    batches = torch.randperm(len(features)).split(options.batch_size)
    for place, rows in enumerate(batches):
        done = (number + place / len(batches)) / options.epochs
        reversal = options.reversal_scale * ramp(done, options.reversal_steepness)
        outputs = model(features[rows], reversal)
        terms = loss_terms(outputs, {name: of[rows] for name, of in targets.items()})
        weighted = [weights.get(name, 1.0) * term for name, term in terms.items()]
        loss = torch.stack(weighted).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        for name, term in terms.items():
            sums[name] = sums.get(name, 0.0) + term.item() * len(rows)
    if not np.isfinite(list(sums.values())).all():
        raise TrainingError(
            f"epoch {number + 1}: losses are {sums}; expected finite ones. Lower learning_rate, "
            "reversal_scale or the weights."
        )
    return {name: total / len(features) for name, total in sums.items()}
