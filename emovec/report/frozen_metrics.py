"""What a probe over folds found, and the metrics of it.

Shapes: N tested clips of all folds; a clip that several folds test is there for each.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from emovec.backends.detection import neutral_or_other
from emovec.backends.folds import FoldOutcome
from emovec.backends.probe import majority
from emovec.corpora.fold_selection import FoldSelection
from emovec.metrics.intervals import speaker_intervals
from emovec.report.facts import speaker_or_own
from emovec.report.folds import MEAN_OF_FOLDS, mean_of_folds
from emovec.tables.corpus import Skip
from emovec.tables.results import Metric
from emovec.training.tasks import class_metrics

FAMILY = "emotion"
BASELINE = "baseline_majority/"


@dataclass(frozen=True)
class FrozenRun:
    """A probe over folds and what it said of their test clips.

    Attributes:
        data: the clips
        outcomes: of each fold
        skipped: clips without an embedding, and why
    """

    data: FoldSelection
    outcomes: Sequence[FoldOutcome]
    skipped: tuple[Skip, ...]

    @property
    def folds(self) -> NDArray[np.int64]:
        """(N,) fold of each tested clip."""
        return np.repeat([o.fold for o in self.outcomes], [len(o.tested) for o in self.outcomes])

    @property
    def true(self) -> list[str]:
        """(N,) classes."""
        return [u.emotion for outcome in self.outcomes for u in outcome.tested]

    @property
    def predicted(self) -> list[str]:
        """(N,) classes."""
        return [said for outcome in self.outcomes for said in outcome.predicted]

    @property
    def majority(self) -> list[str]:
        """(N,) the most frequent class of each fold's training clips."""
        return self._always(lambda emotions: emotions)

    @property
    def detected(self) -> list[str] | None:
        """(N,) "neutral" or "other"; None where that was not asked."""
        said = [o.detected for o in self.outcomes if o.detected is not None]
        return [name for of_fold in said for name in of_fold] if said else None

    @property
    def detected_majority(self) -> list[str]:
        """(N,) the more frequent one of each fold's training clips."""
        return self._always(neutral_or_other)

    @cached_property
    def speakers(self) -> NDArray[np.str_]:
        """(N,) speakers; one that is not known counts as a speaker of its own."""
        tested = [u for outcome in self.outcomes for u in outcome.tested]
        return np.array([speaker_or_own(u.speaker, u.id) for u in tested])

    @property
    def stage1_right(self) -> NDArray[np.bool_] | None:
        """(N,) whether stage 1 is right; None of a classifier of one stage."""
        right = [
            of.stages.is_first == [u.emotion == of.probe.setting.first for u in of.tested]
            for of in self.outcomes
            if of.stages is not None
        ]
        return np.concatenate(right) if right else None

    @property
    def stage2_right(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(N,) whether stage 2 names the true class, and whether it can: not of the first one."""
        stages = [(of, of.stages) for of in self.outcomes if of.stages is not None]
        right = [said.other == [u.emotion for u in of.tested] for of, said in stages]
        asked = [[u.emotion != of.probe.setting.first for u in of.tested] for of, _said in stages]
        return np.concatenate(right), np.concatenate(asked).astype(bool)

    def _always(self, taken: Callable[[list[str]], list[str]]) -> list[str]:
        said = [(majority(taken([u.emotion for u in o.trained])), o) for o in self.outcomes]
        return [name for name, outcome in said for _clip in outcome.tested]


def measure_run(run: FrozenRun) -> list[Metric]:
    """Metrics of all folds pooled and of each, of detection, of stages, and of the baseline.

    The interval of the mean of the folds weighs a fold by how often its clips are drawn.
    """
    true, predicted, common = _numbers(run.true, run.predicted, run.majority)
    metrics = _measure(predicted, true, run.folds, run.speakers, "")
    metrics += _class_f1(run)
    for fold in np.unique(run.folds):
        rows = run.folds == fold
        of_fold = (predicted[rows], true[rows], None, run.speakers[rows])
        metrics += _measure(*of_fold, f"fold_{fold}/")
    metrics += _measure(common, true, run.folds, run.speakers, BASELINE)
    return metrics + _stages(run) + _detection(run)


def class_f1(said: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    """F1 of one class, 2 hits / (predicted + true).

    Args:
        said: (N,) whether a clip is taken for it, N > 0
        true: (N,) whether it is one; ``said`` or ``true`` of some clip

    >>> class_f1(np.array([True, True, False]), np.array([True, False, False]))  # 2 * 1 / (2 + 1)
    0.6666666666666666
    """
    return float(2 * np.sum(said & true) / (np.sum(said) + np.sum(true)))


def _class_f1(run: FrozenRun) -> list[Metric]:
    """F1 of each class that is tested."""
    true, said = np.array(run.true), np.array(run.predicted)
    return [
        metric
        for name in sorted(set(run.true))
        for metric in _one_class_f1(f"{FAMILY}/f1_{name}", said == name, true == name, run.speakers)
    ]


def _one_class_f1(
    name: str, said: NDArray[np.bool_], true: NDArray[np.bool_], speakers: NDArray
) -> list[Metric]:
    """On the clips that it depends on, so that no draw of speakers is without any."""
    rows = said | true
    said, true = said[rows], true[rows]
    return _with_intervals(lambda at: {name: class_f1(said[at], true[at])}, speakers[rows])


def _stages(run: FrozenRun) -> list[Metric]:
    """Accuracy of either stage alone: the second is asked about all clips that it is for."""
    if run.stage1_right is None:
        return []
    first = run.stage1_right
    metrics = _with_intervals(lambda at: {"stage1/accuracy": first[at].mean()}, run.speakers)
    right, asked = run.stage2_right
    if asked.any():
        metrics += _with_intervals(
            lambda at: {"stage2/accuracy": right[asked][at].mean()}, run.speakers[asked]
        )
    return metrics


def _detection(run: FrozenRun) -> list[Metric]:
    """Neutral against the rest."""
    if run.detected is None:
        return []
    true, said, common = _numbers(neutral_or_other(run.true), run.detected, run.detected_majority)
    family = "detection"
    return [
        *_with_intervals(lambda at: class_metrics(family, said[at], true[at]), run.speakers),
        *_with_intervals(
            lambda at: class_metrics(f"{BASELINE}{family}", common[at], true[at]), run.speakers
        ),
    ]


def _measure(
    predicted: NDArray, true: NDArray, folds: NDArray | None, speakers: NDArray, prefix: str
) -> list[Metric]:
    """Metrics with intervals; with ``folds``, also the mean over them."""

    def statistics(rows: NDArray[np.int64]) -> dict[str, float]:
        found = class_metrics(FAMILY, predicted[rows], true[rows])
        if folds is not None:
            found[MEAN_OF_FOLDS] = mean_of_folds(predicted[rows], true[rows], folds[rows], sizes)
        return {f"{prefix}{name}": value for name, value in found.items()}

    sizes = {} if folds is None else dict(zip(*np.unique(folds, return_counts=True), strict=True))
    return _with_intervals(statistics, speakers)


def _with_intervals(
    statistics: Callable[[NDArray[np.int64]], dict[str, float]], speakers: NDArray
) -> list[Metric]:
    """Statistics of all rows, with intervals by resampling their speakers."""
    values = statistics(np.arange(len(speakers)))
    intervals = speaker_intervals(statistics, speakers.tolist())
    number = len(np.unique(speakers))
    return [
        Metric(name, float(value), len(speakers), number, intervals[name])
        for name, value in values.items()
    ]


def _numbers(*names: Sequence[str]) -> list[NDArray[np.int64]]:
    """Class numbers for names, which are compared faster."""
    classes = np.unique(np.concatenate([np.asarray(of) for of in names]))
    return [np.searchsorted(classes, of) for of in names]
