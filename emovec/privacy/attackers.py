"""Attackers: what new models, trained on a representation, find in it of speakers never heard.

The paper's attacker knows the training set: it trains an emotion and a speaker network on the
representation of it, and applies them to test speakers (Huang et al., 2021). PLDA and a support
vector machine are ours, to see whether a representation only hides from networks.

Shapes: N test clips, M training clips, L numbers of a representation, D of them that vary.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from emovec.backends.lda import discriminant_directions
from emovec.backends.plda import fit_plda
from emovec.backends.probe import Probe, majority
from emovec.errors import HparamError
from emovec.metrics.classification import weighted_f1
from emovec.metrics.pair_scores import PairScores
from emovec.privacy.attacker_inputs import AttackerInputs, fit_inputs, unit_rows
from emovec.privacy.attacker_network import AttackerNetwork, fit_network
from emovec.privacy.selection import Measures
from emovec.privacy.trials import Trials, trials_within_groups
from emovec.privacy.vectors import Vectors, check_splits, numbered
from emovec.tables.embeddings import EmbeddingError

NETWORK = "network"
PLDA = "plda"
COSINE = "cosine"
SVM = "svm"
SPEAKER_ATTACKERS = (NETWORK, PLDA, COSINE)
EMOTION_ATTACKERS = (NETWORK, SVM)
ATTACKERS = (NETWORK, PLDA, COSINE, SVM)
# The most numbers that PLDA is fitted to: those in which training speakers differ most
PLDA_SIZE = 150
SVM_PENALTIES = (0.3, 1.0, 3.0)  # C, to choose from by validation speakers


class Worst(NamedTuple):
    """The attackers that find most.

    Attributes:
        emotion: name of the one with the highest weighted F1
        speaker: name of the one with the lowest EER
    """

    emotion: str
    speaker: str


@dataclass(frozen=True, eq=False)
class Attacks:
    """What attackers say of N test clips.

    Attributes:
        emotions: by attacker, (N,) predicted
        speakers: by attacker, scores of every pair of clips, for ``emovec.metrics.pairs``
        trials: pairs that :meth:`rate_of` is of
        test: the clips
    """

    emotions: Mapping[str, NDArray[np.str_]]
    speakers: Mapping[str, PairScores]
    trials: Trials
    test: Vectors

    def f1_of(self, attacker: str) -> float:
        """Weighted F1 of an attacker on emotions."""
        return weighted_f1(self.emotions[attacker], self.test.emotions)

    def rate_of(self, attacker: str) -> float:
        """EER of an attacker on speakers, of ``trials``."""
        return self.trials.equal_error_rate(self.speakers[attacker])

    @property
    def paper(self) -> Measures:
        """What the paper's attacker, networks, finds."""
        return Measures(self.f1_of(NETWORK), self.rate_of(NETWORK))

    @property
    def worst(self) -> Worst:
        """The attackers that find most, the first of several."""
        return Worst(max(self.emotions, key=self.f1_of), min(self.speakers, key=self.rate_of))


def attack(
    train_x: NDArray,
    train: Vectors,
    valid_x: NDArray,
    valid: Vectors,
    test_x: NDArray,
    test: Vectors,
    seed: int,
    attackers: Sequence[str] = ATTACKERS,
) -> Attacks:
    """Attacks on a representation; they learn from training clips, and stop by validation clips.

    Args:
        train_x: (M, L) representation of ``train``
        train: clips to learn from
        valid_x: (., L) representation of ``valid``
        valid: clips of other speakers, by which networks stop and penalties are chosen
        test_x: (N, L) representation of ``test``
        test: clips of yet other speakers
        seed: of the networks
        attackers: of ``ATTACKERS``: "network" attacks both, "plda" and "cosine" speakers, "svm"
            emotions

    Raises:
        EmbeddingError: if a representation is not (N, L) or has NaN
        HparamError: if an attacker is unknown, or none is of emotions or of speakers
        SplitError, TrainingError: if the splits are not fit for it, see ``vectors.check_splits``
    """
    _check(attackers)
    check_splits(train, valid, test)
    for x, split in ((train_x, train), (valid_x, valid), (test_x, test)):
        if x.shape != (len(split), train_x.shape[1]) or not np.isfinite(x).all():
            raise EmbeddingError(
                f"a representation is {x.shape}, of {len(split)} clips; expected "
                f"(N, {train_x.shape[1]}), finite. Is the model trained?"
            )
    inputs = fit_inputs(train_x, train.groups)
    known = _Known(inputs, train_x, train, valid_x, valid, seed)
    return Attacks(
        {of: _EMOTION[of](known, test_x) for of in attackers if of in _EMOTION},
        {of: _SPEAKER[of](known, test_x, test) for of in attackers if of in _SPEAKER},
        trials_within_groups(test, seed),
        test,
    )


class _Known(NamedTuple):
    """What attackers have before they see a test clip."""

    inputs: AttackerInputs
    train_x: NDArray
    train: Vectors
    valid_x: NDArray
    valid: Vectors
    seed: int


def _check(attackers: Sequence[str]) -> None:
    unknown = sorted(set(attackers) - set(ATTACKERS))
    if unknown or not set(attackers) & set(_EMOTION) or not set(attackers) & set(_SPEAKER):
        raise HparamError(
            f"attackers are {list(attackers)}; expected some of {ATTACKERS}, one at least of "
            f"emotions, {EMOTION_ATTACKERS}, and one of speakers, {SPEAKER_ATTACKERS}. Correct "
            "them."
        )


def _emotion_by_network(known: _Known, test_x: NDArray) -> NDArray[np.str_]:
    if not known.inputs.size:
        return _guessed(known, test_x)
    classes = np.unique(known.train.emotions)
    x, valid_x, test_x = (
        known.inputs.standardised(of) for of in (known.train_x, known.valid_x, test_x)
    )

    def error(network: AttackerNetwork) -> float:
        return 1 - weighted_f1(classes[network.classify(valid_x)], known.valid.emotions)

    network = fit_network(x, numbered(known.train.emotions, classes.tolist()), error, known.seed)
    return classes[network.classify(test_x)]


def _emotion_by_svm(known: _Known, test_x: NDArray) -> NDArray[np.str_]:
    if not known.inputs.size:
        return _guessed(known, test_x)
    train = known.train
    fitted = [
        Probe("rbf_svm", [c], standardise=False).fit(
            known.inputs.standardised(known.train_x),
            train.emotions.tolist(),
            train.speakers.tolist(),
            np.unique(train.emotions).tolist(),
        )
        for c in SVM_PENALTIES
    ]
    valid_x = known.inputs.standardised(known.valid_x)
    best = max(fitted, key=lambda of: weighted_f1(of.predict(valid_x), known.valid.emotions))
    return np.array(best.predict(known.inputs.standardised(test_x)))


def _guessed(known: _Known, test_x: NDArray) -> NDArray[np.str_]:
    """What can be said where all is masked: the most frequent emotion."""
    return np.full(len(test_x), majority(known.train.emotions.tolist()))


def _speakers_by_network(known: _Known, test_x: NDArray, test: Vectors) -> PairScores:
    if not known.inputs.size:
        return _indistinct(test)
    inputs, train, valid = known.inputs, known.train, known.valid
    x = inputs.centred(known.train_x, train.groups)
    valid_x = inputs.centred(known.valid_x, valid.groups)
    trials = trials_within_groups(valid, known.seed)

    def scores(network: AttackerNetwork, of: NDArray, groups: NDArray) -> PairScores:
        hidden = fit_inputs(network.embed(x), train.groups)
        return PairScores(unit_rows(hidden.centred(network.embed(of), groups)))

    network = fit_network(
        x,
        numbered(train.speakers, np.unique(train.speakers).tolist()),
        lambda network: trials.equal_error_rate(scores(network, valid_x, valid.groups)),
        known.seed,
    )
    return scores(network, inputs.centred(test_x, test.groups), test.groups)


def _speakers_by_plda(known: _Known, test_x: NDArray, test: Vectors) -> PairScores:
    if not known.inputs.size:
        return _indistinct(test)
    x = known.inputs.centred(known.train_x, known.train.groups)
    speakers = known.train.speakers.tolist()
    most = min(PLDA_SIZE, x.shape[1], len(set(speakers)) - 1)
    directions = discriminant_directions(x, speakers, most)
    plda = fit_plda(unit_rows(x @ directions), speakers)
    return plda.scores(unit_rows(known.inputs.centred(test_x, test.groups) @ directions))


def _speakers_by_cosine(known: _Known, test_x: NDArray, test: Vectors) -> PairScores:
    if not known.inputs.size:
        return _indistinct(test)
    return PairScores(unit_rows(known.inputs.centred(test_x, test.groups)))


def _indistinct(test: Vectors) -> PairScores:
    """Equal scores of all pairs, of which the EER is 1/2."""
    return PairScores(np.zeros((len(test), 1), dtype=np.float32))


_EMOTION: Mapping[str, Callable[[_Known, NDArray], NDArray[np.str_]]] = {
    NETWORK: _emotion_by_network,
    SVM: _emotion_by_svm,
}
_SPEAKER: Mapping[str, Callable[[_Known, NDArray, Vectors], PairScores]] = {
    NETWORK: _speakers_by_network,
    PLDA: _speakers_by_plda,
    COSINE: _speakers_by_cosine,
}
