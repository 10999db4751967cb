"""The folds of a paper's table, and one result of the runs over them."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emovec.corpora.fold_selection import select_folds
from emovec.errors import HparamError
from emovec.metrics.intervals import speaker_intervals
from emovec.report.facts import speaker_or_own
from emovec.report.folds import MEAN_OF_FOLDS, mean_of_folds
from emovec.report.paper_runs import Run
from emovec.tables.manifest import read_manifest
from emovec.tables.results import Metric, Result, ResultError


@dataclass(frozen=True)
class TestedFold:
    """What a run said of the test clips of its fold: their ids, true and predicted classes."""

    ids: list[str]
    true: list[str]
    predicted: list[str]


def choose_folds(hparams: Mapping[str, Any], wanted: str | None) -> list[int]:
    """Numbers of a protocol's folds; prepares the corpus, and refuses folds that leak.

    Args:
        hparams: those of hparams/finetune.yaml that say which clips
        wanted: "all", None for the same, or how many, of which the first are taken

    Raises:
        HparamError: if it is neither, or more than there are
        CorpusError: if the corpus is not as published
        SplitError: if the protocol cannot be followed
    """
    keys = ("protocol", "emotions", "drop_emotions", "allow_partial", "allow_leak")
    clips = select_folds(
        hparams["corpus"],
        hparams["corpus_options"],
        hparams["data_folder"],
        Path(hparams["prepared_folder"]),
        folds=None,
        seed=hparams["split_seed"],
        **{key: hparams[key] for key in keys},
    )
    folds = sorted(clips.folds)
    if wanted in (None, "all"):
        return folds
    if wanted not in map(str, range(1, len(folds) + 1)):
        raise HparamError(
            f"command line: folds is {wanted}; expected all, or a number from 1 to {len(folds)}, "
            f"of {clips.protocol}."
        )
    return folds[: int(wanted)]


def over_folds(runs: Sequence[Run]) -> Result | None:
    """One result of a variant with a seed, None if no fold is complete.

    A run over all folds has the mean over them. Runs of one fold each, by recipes/ser/train.py,
    are taken together: the mean of their weighted F1, and its interval by resampling the speakers
    of all folds, in which a fold counts as often as its clips are drawn. Both are the same numbers
    that recipes/ser/frozen.py measures of the same predictions.

    Returns:
        a result with the metric ``MEAN_OF_FOLDS``, and with the folds as "folds" in the hparams

    Raises:
        ResultError: if predictions cannot be read, or name other clips than the manifest
    """
    complete = [(run, result) for run in runs if (result := run.result()) is not None]
    if not complete:
        return None
    first = complete[0][1]
    if first.get(MEAN_OF_FOLDS) is not None:
        return first
    folds = [_read_predictions(run.folder / "predictions.csv") for run, _result in complete]
    prepared = Path(str(complete[0][0].hparams["prepared_folder"]))
    speaker_of = {u.id: u.speaker for u in read_manifest(prepared / "manifest.csv")}
    unknown = sorted({id_ for fold in folds for id_ in fold.ids} - set(speaker_of))
    if unknown:
        raise ResultError(
            f"{complete[0][0].folder}: {len(unknown)} clips, such as {unknown[0]}, are not in the "
            f"manifest of {prepared}; expected its clips. Remove the run, to train it again."
        )
    speakers = [[speaker_or_own(speaker_of[id_], id_) for id_ in fold.ids] for fold in folds]
    facts = first.run
    numbers = [run.hparams["fold"] for run, _result in complete]
    return replace(
        first,
        run=replace(facts, hparams={**facts.hparams, "folds": numbers}),
        metrics=(_mean_of_folds(folds, speakers),),
        skipped=tuple(dict.fromkeys(skip for _run, result in complete for skip in result.skipped)),
        warnings=tuple(
            dict.fromkeys(text for _run, result in complete for text in result.warnings)
        ),
    )


def _mean_of_folds(folds: Sequence[TestedFold], speakers: Sequence[Sequence[str]]) -> Metric:
    sizes = [len(fold.ids) for fold in folds]
    fold_of = np.repeat(np.arange(len(folds)), sizes)  # (N,)
    names = [name for fold in folds for name in fold.true]
    names += [name for fold in folds for name in fold.predicted]
    true, predicted = np.unique(names, return_inverse=True)[1].reshape(2, -1)  # numbers: faster

    def statistics(rows: NDArray[np.int64]) -> dict[str, float]:
        mean = mean_of_folds(predicted[rows], true[rows], fold_of[rows], dict(enumerate(sizes)))
        return {MEAN_OF_FOLDS: mean}

    everybody = [speaker for members in speakers for speaker in members]
    value = statistics(np.arange(len(true)))[MEAN_OF_FOLDS]
    interval = speaker_intervals(statistics, everybody)[MEAN_OF_FOLDS]
    return Metric(MEAN_OF_FOLDS, value, len(true), len(set(everybody)), interval)


def _read_predictions(path: Path) -> TestedFold:
    """What recipes/ser/train.py writes."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [(row["id"], row["emotion"], row["predicted"]) for row in csv.DictReader(file)]
        ids, true, predicted = zip(*rows, strict=True)
    except (OSError, KeyError, ValueError) as error:
        raise ResultError(
            f"{path}: {type(error).__name__} ({error}); expected rows of id, emotion, predicted. "
            "Remove the run's folder, to train it again."
        ) from error
    return TestedFold(list(ids), list(true), list(predicted))
