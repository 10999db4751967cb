"""Tables of a frozen run: what was said of each clip, what each fold chose, what it used."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from pathlib import Path

from emovec.backends.fold_clips import ClipCount
from emovec.backends.folds import FoldOutcome
from emovec.errors import StorageError
from emovec.tables.files import write_atomically


def write_predictions(path: Path, outcomes: Iterable[FoldOutcome]) -> None:
    """True and predicted class of every test clip, and what else was said of it.

    The probability where there is one; "neutral" or "other" where that was asked; of two stages
    whether the first took it for the first class, and what the second says.
    """
    header = ["id", "fold", "true", "predicted", "probability", "detected", "is_first", "other"]
    rows: list[Sequence[object]] = []
    for outcome in outcomes:
        nothing = [""] * len(outcome.tested)
        stages = outcome.stages
        columns = (
            [u.id for u in outcome.tested],
            [outcome.fold for _clip in outcome.tested],
            [u.emotion for u in outcome.tested],
            outcome.predicted,
            [f"{sure:.4f}" for sure in outcome.probability] if outcome.probability else nothing,
            outcome.detected or nothing,
            stages.is_first if stages else nothing,
            stages.other if stages else nothing,
        )
        rows += zip(*columns, strict=True)
    _write(path, header, rows)


def write_folds(path: Path, outcomes: Iterable[FoldOutcome]) -> None:
    """What each fold trained and tested on, and the setting that its training speakers chose."""
    header = ["fold", "train", "train_speakers", "test", "test_speakers"]
    rows = []
    for outcome in outcomes:
        row: list[object] = [outcome.fold]
        for clips in (outcome.trained, outcome.tested):
            row += [len(clips), len({u.speaker for u in clips})]
        setting = outcome.probe.setting
        inner = outcome.probe.inner_f1.get(setting)
        chosen = ["" if value is None else value for value in setting]
        rows.append([*row, *chosen, "" if inner is None else f"{inner:.4f}"])
    _write(path, [*header, "c", "gamma", "first", "inner_weighted_f1"], rows)


def write_clips(path: Path, outcomes: Iterable[FoldOutcome]) -> None:
    """Clips of each class in each fold: given by the protocol, with an embedding, used."""
    header = ["fold", *(field.name for field in fields(ClipCount))]
    _write(path, header, [[o.fold, *astuple(count)] for o in outcomes for count in o.counts])


def read_clips(path: Path) -> dict[int, list[ClipCount]]:
    """What :func:`write_clips` wrote, by fold.

    Raises:
        StorageError: if the file is missing or has other columns
    """
    found: dict[int, list[ClipCount]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                numbers = (int(row[name]) for name in ("given", "embedded", "used"))
                count = ClipCount(row["split"], row["emotion"], *numbers)
                found.setdefault(int(row["fold"]), []).append(count)
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise StorageError(
            f"{path}: {type(error).__name__} ({error}); expected what recipes/ser/frozen.py "
            "writes. Remove the run's folder, to run it again."
        ) from error
    return found


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with write_atomically(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)
