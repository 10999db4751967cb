"""A probe over all folds of a protocol: each is fitted to its own training clips alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from emovec.backends.detection import DETECTED, NEUTRAL, neutral_or_other
from emovec.backends.fold_clips import ClipCount, choose_clips
from emovec.backends.hierarchical import StageDecisions
from emovec.backends.probe import FittedProbe, Probe
from emovec.backends.undersampling import Undersampling
from emovec.encoders.extract import Extracted
from emovec.errors import HparamError, TrainingError
from emovec.tables.manifest import Utterance

ALL_CLIPS = Undersampling()


@dataclass(frozen=True)
class FoldOutcome:
    """What a probe of a fold says of its test clips.

    Attributes:
        fold: its number
        trained: clips that it was fitted to, once for each copy that it saw, too
        tested: N others
        predicted: (N,) classes
        probability: (N,) of the predicted class; None of a machine without
        probe: what was fitted
        warnings: what a reader of the results must know
        counts: clips of each class, in "train" and "test"
        stages: what either stage says; None of a classifier of one stage
        detected: (N,) "neutral" or "other"; None where that was not asked
    """

    fold: int
    trained: list[Utterance]
    tested: list[Utterance]
    predicted: list[str]
    probability: list[float] | None
    probe: FittedProbe
    warnings: tuple[str, ...] = ()
    counts: tuple[ClipCount, ...] = ()
    stages: StageDecisions | None = None
    detected: list[str] | None = None


def evaluate_folds(
    probe: Probe,
    folds: Mapping[int, Mapping[str, Sequence[Utterance]]],
    embedded: Extracted,
    classes: Sequence[str],
    copies: int = 0,
    *,
    undersampling: Undersampling = ALL_CLIPS,
    detection: bool = False,
) -> list[FoldOutcome]:
    """Fit a probe to each fold's training clips, and let it say what its test clips are.

    C is chosen by training speakers left out, so that ``training_clips`` are fitted to.

    Args:
        probe: what to fit
        folds: by number and split, clips
        embedded: embeddings of the clips and of their copies; clips without are left out
        classes: all that are to be told apart
        copies: of each training clip, to train on as well
        undersampling: which clips are used
        detection: whether to tell neutral from the rest, too: by a classifier of its own, or by
            the classes that a hierarchical one says

    Raises:
        HparamError: if the probe or the detection needs a class that is not there
        TrainingError: if a fold has no test clip left, or cannot be trained on; it names the fold
    """
    check_classes(probe, classes, detection)
    row_of = {id_: row for row, id_ in enumerate(embedded.ids)}
    outcomes = []
    for fold, splits in folds.items():
        clips = choose_clips(fold, splits, row_of, classes, copies, undersampling)
        training = embedded.embeddings[clips.train_rows]
        features = embedded.embeddings[clips.test_rows]  # (N, D)
        fitted = _fit(probe, fold, training, clips.trained, classes)
        outcome = FoldOutcome(
            fold,
            clips.trained,
            clips.tested,
            fitted.predict(features),
            fitted.probability(features),
            fitted,
            tuple(f"fold {fold}: {n}" for n in (*fitted.warnings, *_absent(clips.tested, classes))),
            clips.counts,
            fitted.stages(features),
        )
        outcomes.append(
            _with_detection(outcome, probe, training, features) if detection else outcome
        )
    return outcomes


def check_classes(probe: Probe, classes: Sequence[str], detection: bool) -> None:
    """Raise where the probe or the detection needs a class that is not there.

    Raises:
        HparamError: which lists those that are
    """
    probe.check_first(classes)
    if detection and (NEUTRAL not in classes or len(classes) < 2):
        raise HparamError(
            f"detection is asked for, with classes {list(classes)}; expected {NEUTRAL} and others. "
            "Set detection to False, or keep their clips (emotions)."
        )


def _with_detection(
    outcome: FoldOutcome,
    probe: Probe,
    training: NDArray[np.float32],
    features: NDArray[np.float32],
) -> FoldOutcome:
    """What a fold says, with neutral against the rest."""
    if outcome.stages is not None:
        return replace(outcome, detected=neutral_or_other(outcome.predicted))
    labels = neutral_or_other(u.emotion for u in outcome.trained)
    clips = [replace(u, emotion=label) for u, label in zip(outcome.trained, labels, strict=True)]
    detector = _fit(probe, outcome.fold, training, clips, DETECTED)
    notes = (f"fold {outcome.fold}: detection: {note}" for note in detector.warnings)
    return replace(
        outcome, detected=detector.predict(features), warnings=(*outcome.warnings, *notes)
    )


def _fit(
    probe: Probe,
    fold: int,
    features: NDArray[np.float32],
    trained: Sequence[Utterance],
    classes: Sequence[str],
) -> FittedProbe:
    emotions, speakers = [u.emotion for u in trained], [u.speaker for u in trained]
    try:
        return probe.fit(features, emotions, speakers, classes)
    except TrainingError as error:
        raise TrainingError(f"fold {fold}: {error}") from error


def _absent(tested: Sequence[Utterance], classes: Sequence[str]) -> Iterator[str]:
    absent = sorted(set(classes) - {u.emotion for u in tested})
    if absent:
        yield f"no test clip of {', '.join(absent)}; its metrics are of the other classes"
