"""By what a model is chosen: what its representations show and hide of validation speakers.

Two linear attackers that need no iterations stand in for those of the final evaluation.

Shapes: N clips, M of the training, L numbers of a representation.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeClassifier

from emovec.backends.lda import discriminant_directions
from emovec.backends.probe import majority
from emovec.metrics.classification import weighted_f1
from emovec.metrics.pair_scores import PairScores
from emovec.privacy.attacker_inputs import fit_inputs, unit_rows
from emovec.privacy.masking import masked
from emovec.privacy.systems import EMOTION_FREE, IDENTITY_FREE
from emovec.privacy.trials import Trials
from emovec.privacy.vectors import Vectors

CHANCE = 0.5  # EER of guessing
# Of the ridge, for each clip of the training [ours]
PENALTY = 0.1


class Measures(NamedTuple):
    """What attackers find in a representation.

    Attributes:
        weighted_f1: of emotions
        equal_error_rate: of speakers
    """

    weighted_f1: float
    equal_error_rate: float


def majority_f1(train: Vectors, valid: Vectors) -> float:
    """Weighted F1 of saying the most frequent emotion of the training for every clip."""
    return weighted_f1([majority(train.emotions.tolist())] * len(valid), valid.emotions)


def quick_measures(
    train_x: NDArray, train: Vectors, valid_x: NDArray, valid: Vectors, trials: Trials
) -> Measures:
    """What a ridge finds of emotions, and the cosine behind a discriminant analysis of speakers.

    Args:
        train_x: (M, L)
        train: the clips of ``train_x``, that both learn from
        valid_x: (N, L)
        valid: the clips of ``valid_x``
        trials: of ``valid``
    """
    inputs = fit_inputs(train_x, train.groups)
    if not inputs.size:
        return Measures(majority_f1(train, valid), CHANCE)
    ridge = RidgeClassifier(alpha=PENALTY * len(train))
    ridge.fit(inputs.standardised(train_x), train.emotions)
    said = ridge.predict(inputs.standardised(valid_x))
    directions = discriminant_directions(
        inputs.centred(train_x, train.groups), train.speakers.tolist()
    )
    points = unit_rows(inputs.centred(valid_x, valid.groups) @ directions)
    return Measures(
        weighted_f1(said.astype(str), valid.emotions), trials.equal_error_rate(PairScores(points))
    )


def representation_cost(name: str, measures: Measures, guessed_f1: float) -> float:
    """How far a representation is from what it is for, 0 or more.

    1 - F1 where emotion is to be told, and how far F1 is above that of guessing where it is not;
    the EER where speakers are to be told, and how far it is below chance where they are not.

    Args:
        name: "origin", "identity_free" or "emotion_free"
        measures: of it
        guessed_f1: of the most frequent emotion

    >>> round(representation_cost("identity_free", Measures(0.75, 0.375), 0.2), 3)
    0.375
    >>> round(representation_cost("emotion_free", Measures(0.3, 0.125), 0.2), 3)
    0.225
    """
    tells = measures.equal_error_rate
    if name == IDENTITY_FREE:
        tells = max(0.0, CHANCE - measures.equal_error_rate)
    if name == EMOTION_FREE:
        return tells + max(0.0, measures.weighted_f1 - guessed_f1)
    return tells + 1 - measures.weighted_f1


class Chooser:
    """Costs of a latent by its representations.

    Args:
        representations: names, and what of the latent each keeps
        groups: that the latent is masked by, half of them
        train: clips to learn from
        valid: clips to measure on
        trials: of ``valid``
    """

    def __init__(
        self,
        representations: Mapping[str, str],
        groups: int,
        train: Vectors,
        valid: Vectors,
        trials: Trials,
    ) -> None:
        self.representations, self.groups = representations, groups
        self.train, self.valid, self.trials = train, valid, trials
        self.guessed_f1 = majority_f1(train, valid)

    def measure(self, train_latent: NDArray, valid_latent: NDArray) -> dict[str, Measures]:
        """What is found in each representation of (M, L) and (N, L)."""
        return {
            name: quick_measures(
                masked(train_latent, keep, None, self.groups),
                self.train,
                masked(valid_latent, keep, None, self.groups),
                self.valid,
                self.trials,
            )
            for name, keep in self.representations.items()
        }

    def cost(self, measures: Mapping[str, Measures]) -> float:
        """Mean over representations of how far each is from what it is for."""
        costs = [representation_cost(name, of, self.guessed_f1) for name, of in measures.items()]
        return float(np.mean(costs))
