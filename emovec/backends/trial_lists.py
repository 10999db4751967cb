"""Lists of trials, such as a corpus publishes, scored.

Shapes: P trials.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from emovec.errors import ManifestError
from emovec.metrics.pair_scores import PairScores
from emovec.metrics.scored_trials import Trials, equal_error_rate_interval
from emovec.metrics.verification import equal_error_rate, minimum_detection_cost
from emovec.tables.manifest import Utterance
from emovec.tables.results import Metric
from emovec.tables.trials import Trial, check_trials, read_any_trials


def read_lists(
    paths: Iterable[str], utterances: Sequence[Utterance]
) -> tuple[dict[str, list[Trial]], list[str]]:
    """Trials of lists, by the file's name without its suffix, and warnings.

    Args:
        paths: of lists in a form of ``emovec.tables.trials.read_any_trials``
        utterances: all clips of the corpus, also those that are in no cell of the matrix

    Raises:
        ManifestError: if a list cannot be read or names other clips than these, its labels
            contradict their speakers, or two lists have one name
    """
    lists: dict[str, list[Trial]] = {}
    warnings: list[str] = []
    for path in map(Path, paths):
        if path.stem in lists:
            raise ManifestError(
                f"{path}: a second list of the name {path.stem}; expected one of each. Rename it."
            )
        lists[path.stem] = read_any_trials(path)
        try:
            said = check_trials(lists[path.stem], utterances)
        except ManifestError as error:
            raise ManifestError(f"{path}: {error}") from error
        warnings += [f"{path.stem}: {warning}" for warning in said]
    return lists, warnings


def score_lists(
    lists: Mapping[str, Sequence[Trial]],
    scores: Sequence[PairScores],
    utterances: Sequence[Utterance],
    draws: int,
    seed: int,
) -> tuple[list[Metric], list[str]]:
    """Equal error rate and costs of each list, and warnings.

    Trials of a clip without an embedding or of an unknown speaker are left out, and counted in a
    warning.

    Args:
        lists: by name
        scores: of the clips by one encoder, and by another one whose metrics begin with "other/"
        utterances: the clips, in the order of the scores
        draws: of the intervals; 0: none
        seed: of the intervals
    """
    place = {u.id: number for number, u in enumerate(utterances) if u.speaker}
    speaker = np.unique([u.speaker for u in utterances], return_inverse=True)[1]
    metrics, warnings = [], []
    for name, trials in lists.items():
        kept = [t for t in trials if t.enrolment in place and t.test in place]
        if len(kept) < len(trials):
            lost = len(trials) - len(kept)
            warnings.append(f"{name}: {lost} trials of unknown speakers or unheard clips left out")
        if len({t.is_target for t in kept}) < 2:
            warnings.append(f"{name}: {len(kept)} trials are all of one kind; no EER")
            continue
        first, second = (
            np.array([place[getattr(t, side)] for t in kept]) for side in ("enrolment", "test")
        )
        is_target = np.array([t.is_target for t in kept])
        for prefix, of in zip(("", "other/"), scores, strict=False):
            scored = Trials(of.pairs(first, second), is_target, speaker[first], speaker[second])
            found = _metrics(name, scored, len({*first, *second}), draws, seed)
            metrics += [replace(metric, metric=f"{prefix}{metric.metric}") for metric in found]
    return metrics, warnings


def _metrics(name: str, trials: Trials, clips: int, draws: int, seed: int) -> list[Metric]:
    rate, _threshold = equal_error_rate(trials.scores, trials.is_target)
    interval = equal_error_rate_interval(trials, draws, seed) if draws else None
    speakers = len({*trials.first.tolist(), *trials.second.tolist()})
    targets = int(trials.is_target.sum())
    values = {
        "eer": rate,
        "min_dcf": minimum_detection_cost(trials.scores, trials.is_target, 0.01),
        "min_dcf_0.05": minimum_detection_cost(trials.scores, trials.is_target, 0.05),
        "targets": targets,
        "impostors": len(trials.scores) - targets,
    }
    return [
        Metric(
            f"{family}/list_{name}", value, clips, speakers, interval if family == "eer" else None
        )
        for family, value in values.items()
    ]
