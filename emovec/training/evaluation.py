"""Measure a task's outputs on a split, with intervals over speakers."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from emovec.metrics.intervals import speaker_intervals
from emovec.tables.results import Metric
from emovec.training.tasks import Task


def measure(
    task: Task,
    outputs: Mapping[str, NDArray],
    targets: Mapping[str, NDArray],
    speakers: Sequence[str],
    prefix: str = "",
    seed: int = 0,
) -> list[Metric]:
    """Every metric of a task, each with its 95 % interval.

    Args:
        task: says which metrics
        outputs: by name (N, ...)
        targets: by name (N, ...)
        speakers: (N,) who speaks
        prefix: of the metrics' names, such as "baseline_mean/"
        seed: of the resampling
    """

    def of(rows: NDArray[np.int64]) -> dict[str, float]:
        return task.metrics(
            {name: array[rows] for name, array in outputs.items()},
            {name: array[rows] for name, array in targets.items()},
        )

    values = of(np.arange(len(speakers)))
    intervals = speaker_intervals(of, speakers, seed=seed)
    return [
        Metric(f"{prefix}{name}", value, len(speakers), len(set(speakers)), intervals[name])
        for name, value in values.items()
    ]
