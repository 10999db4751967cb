"""Intervals of differences between two runs that were tested on the same clips."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from emovec.labels import AFFECT_AXES
from emovec.metrics.classification import accuracy, macro_f1, unweighted_recall, weighted_f1
from emovec.metrics.intervals import Interval, speaker_intervals
from emovec.metrics.regression import concordance
from emovec.report.facts import speaker_or_own
from emovec.report.html_runs import RunFolder

NEAR = 1e-3
Statistics = Callable[[NDArray[np.int64]], dict[str, float]]
CLASS_METRICS = {
    "emotion/accuracy": accuracy,
    "emotion/weighted_f1": weighted_f1,
    "emotion/macro_f1": macro_f1,
    "emotion/unweighted_recall": unweighted_recall,
}


def differences(run: RunFolder, first: RunFolder) -> Mapping[str, Interval | None]:
    """95 % intervals of a run's metrics minus the first one's, by metric.

    Speakers are drawn, for both runs the same ones; {} where a run has no predictions of such
    clips, or their speakers are not known.
    """
    if len({row["id"] for row in run.predictions}) < len(run.predictions):
        return {}  # a clip that several folds test
    theirs = {row["id"]: row for row in first.predictions}
    clips = run.clips or first.clips
    ids = [row["id"] for row in run.predictions]
    if not ids or set(ids) != set(theirs) or not clips.keys() >= theirs.keys():
        return {}
    both = [_statistics(run.predictions), _statistics([theirs[id_] for id_ in ids])]

    def minus(rows: NDArray[np.int64]) -> dict[str, float]:
        own, other = (of(rows) for of in both)
        return {name: own[name] - other[name] for name in own if name in other}

    speakers = [speaker_or_own(clips[id_].utterance.speaker, id_) for id_ in ids]
    found = speaker_intervals(minus, speakers)
    whole = minus(np.arange(len(ids)))
    return {name: of for name, of in found.items() if _is_said(run, first, name, whole[name])}


def _is_said(run: RunFolder, first: RunFolder, name: str, difference: float) -> bool:
    """Whether the results have a difference too: predictions have four digits."""
    own, other = run.result.get(name), first.result.get(name)
    return bool(own and other and abs(own.value - other.value - difference) < NEAR)


def _statistics(rows: list[Mapping[str, str]]) -> Statistics:
    """From rows of predictions to their metrics."""
    if "predicted" in rows[0]:
        return _of_classes(rows)
    affect = [f"predicted_{axis}" for axis in AFFECT_AXES]
    if all(name in rows[0] for name in (*AFFECT_AXES, *affect)):
        return _of_affect(rows)
    return lambda chosen: {}


def _of_classes(rows: list[Mapping[str, str]]) -> Statistics:
    column = "emotion" if "emotion" in rows[0] else "true"
    true = np.array([row[column] for row in rows])
    said = np.array([row["predicted"] for row in rows])
    _, numbers = np.unique(np.concatenate([true, said]), return_inverse=True)
    true, said = numbers[: len(rows)], numbers[len(rows) :]
    return lambda chosen: {
        name: measure(said[chosen], true[chosen]) for name, measure in CLASS_METRICS.items()
    }


def _of_affect(rows: list[Mapping[str, str]]) -> Statistics:
    true = np.array([[float(row[axis]) for axis in AFFECT_AXES] for row in rows])
    said = np.array([[float(row[f"predicted_{axis}"]) for axis in AFFECT_AXES] for row in rows])

    def statistics(chosen: NDArray[np.int64]) -> dict[str, float]:
        found = {
            f"ccc/{axis}": concordance(said[chosen, column], true[chosen, column])
            for column, axis in enumerate(AFFECT_AXES)
        }
        return {**found, "ccc/mean": float(np.mean(list(found.values())))}

    return statistics
