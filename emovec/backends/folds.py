"""A probe over all folds of a protocol: each is fitted to its own training clips alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emovec.backends.probe import FittedProbe, Probe
from emovec.encoders.extract import Extracted
from emovec.errors import TrainingError
from emovec.tables.manifest import Utterance


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
    """

    fold: int
    trained: list[Utterance]
    tested: list[Utterance]
    predicted: list[str]
    probability: list[float] | None
    probe: FittedProbe
    warnings: tuple[str, ...]


def evaluate_folds(
    probe: Probe,
    folds: Mapping[int, Mapping[str, Sequence[Utterance]]],
    embedded: Extracted,
    classes: Sequence[str],
    copies: int = 0,
) -> list[FoldOutcome]:
    """Fit a probe to each fold's training clips, and let it say what its test clips are.

    C is chosen by training speakers left out, so that :func:`training_clips` are fitted to.

    Args:
        probe: what to fit
        folds: by number and split, clips
        embedded: embeddings of the clips and of their copies; clips without are left out
        classes: all that are to be told apart
        copies: of each training clip, to train on as well

    Raises:
        TrainingError: if a fold has no test clip left, or cannot be trained on; it names the fold
    """
    row_of = {id_: row for row, id_ in enumerate(embedded.ids)}
    outcomes = []
    for fold, splits in folds.items():
        trained, rows = _training(splits, row_of, copies)
        tested = [u for u in splits["test"] if u.id in row_of]
        if not tested:
            raise TrainingError(
                f"fold {fold}: none of {len(splits['test'])} test clips has an embedding; expected "
                "some. See what is skipped, or choose another source."
            )
        fitted = _fit(probe, fold, embedded.embeddings[rows], trained, classes)
        features = embedded.embeddings[[row_of[u.id] for u in tested]]  # (N, D)
        said = fitted.predict(features), fitted.probability(features)
        notes = (f"fold {fold}: {note}" for note in (*fitted.warnings, *_absent(tested, classes)))
        outcomes.append(FoldOutcome(fold, trained, tested, *said, fitted, tuple(notes)))
    return outcomes


def training_clips(splits: Mapping[str, Sequence[Utterance]]) -> list[Utterance]:
    """Clips of a fold to train on: those for validation, too, unless they share a test speaker.

    Unknown speakers, "", may be the same.
    """
    shared = {u.speaker for u in splits["valid"]} & {u.speaker for u in splits["test"]}
    return [*splits["train"], *([] if shared else splits["valid"])]


def _training(
    splits: Mapping[str, Sequence[Utterance]], row_of: Mapping[str, int], copies: int
) -> tuple[list[Utterance], list[int]]:
    """Clips to train on, once for each embedding that they and their copies have; and its row."""
    trained, rows = [], []
    for utterance in training_clips(splits):
        for name in (utterance.id, *(f"{utterance.id}#{copy + 1}" for copy in range(copies))):
            if name in row_of:
                trained.append(utterance)
                rows.append(row_of[name])
    return trained, rows


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
