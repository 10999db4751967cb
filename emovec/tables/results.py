"""Result: what a run measured, and what it takes to run it again."""

import json
import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from emovec.errors import EmovecError
from emovec.tables import provenance
from emovec.tables.corpus import Skip
from emovec.tables.files import write_atomically

_MOVE_NO_NUMBERS = {"run_folder", "prepared_folder", "workers"}


class ResultError(EmovecError):
    """A result that breaks its promises."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A measured number.

    Attributes:
        metric: ``family/detail``, for example "ccc/valence", after a prefix
            ``baseline_<name>/`` or ``variant_<name>/`` where it is no result of the run's model
        value: finite
        n: clips it is measured on
        speakers: their speakers
        interval: lower and upper bound, 95 %, by resampling speakers; None where there is one
    """

    metric: str
    value: float
    n: int
    speakers: int
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class RunFacts:
    """How a result came about.

    Attributes:
        command: as typed
        commit: of the code, "-dirty" if tracked files differ from it, or "unknown"
        seed: of everything random
        started: ISO 8601, with the time zone
        seconds: from start to result
        machine: processor, cores and device
        versions: of Python and the libraries that move numbers
        manifest_hash: of the corpus' ids and labels
        hparams: all hyper-parameters
        corpus: its name
        affect_source: "rated", "prototype", or None where the corpus has no affect
        protocol: name of the splits
        split_hash: the line that names the splits in all folds, ``tables.splits.split_line``
        shares_speakers: whether the protocol's own splits share speakers
        leaks: what let the model know its test clips, where --allow_leak let it pass
    """

    command: str
    commit: str
    seed: int
    started: str
    seconds: float
    machine: str
    versions: Mapping[str, str]
    manifest_hash: str
    hparams: Mapping[str, Any]
    corpus: str
    affect_source: str | None
    protocol: str
    split_hash: str
    shares_speakers: bool
    leaks: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What a run measured.

    Attributes:
        run: how it came about
        metrics: names are unique
        skipped: clips left out, and why
        warnings: sentences
    """

    run: RunFacts
    metrics: tuple[Metric, ...]
    skipped: tuple[Skip, ...] = ()
    warnings: tuple[str, ...] = ()

    def get(self, metric: str) -> Metric | None:
        """The metric of a name, or None."""
        return next((found for found in self.metrics if found.metric == metric), None)


def run_facts(
    argv: Sequence[str],
    hparams: Mapping[str, Any],
    *,
    seed: int,
    started: datetime,
    device: str,
    manifest_hash: str,
    corpus: str,
    affect_source: str | None,
    protocol: str,
    split_hash: str,
    shares_speakers: bool,
    leaks: Sequence[str],
) -> RunFacts:
    """Facts of the run that ends now.

    Args:
        argv: the command line, script included
        hparams: all hyper-parameters: numbers, strings, paths, lists and mappings of them
        seed: of everything random
        started: with its time zone
        device: what the model ran on, for example "cpu"
        manifest_hash: of the corpus' ids and labels
        corpus: its name
        affect_source: "rated", "prototype", or None
        protocol: name of the splits
        split_hash: the line that names the splits
        shares_speakers: whether the protocol's own splits share speakers
        leaks: what let the model know its test clips
    """
    return RunFacts(
        command=shlex.join(["python", *argv]),
        commit=provenance.commit(Path(__file__)),
        seed=seed,
        started=started.isoformat(timespec="seconds"),
        seconds=round((datetime.now(started.tzinfo) - started).total_seconds(), 1),
        machine=f"{provenance.processor()}, {provenance.cores()} cores, {device}",
        versions=provenance.versions(),
        manifest_hash=manifest_hash,
        hparams=dict(hparams),
        corpus=corpus,
        affect_source=affect_source,
        protocol=protocol,
        split_hash=split_hash,
        shares_speakers=shares_speakers,
        leaks=tuple(leaks),
    )


def differing_hparams(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Keys in which the hparams of two runs differ, without those that move no numbers.

    >>> differing_hparams({"epochs": 1, "workers": 0}, {"epochs": 2, "workers": 4, "seed": 1})
    ['epochs', 'seed']
    """
    keys = sorted((set(one) | set(other)) - _MOVE_NO_NUMBERS)
    return [key for key in keys if key not in one or key not in other or one[key] != other[key]]


def write_result(path: Path, result: Result) -> None:
    """Write a result; what fails on the way leaves the old file as it was.

    Raises:
        ResultError: if a metric is NaN, infinite, twice there, or its interval no interval, or a
            fact is nothing that JSON can hold
        StorageError: if the file cannot be written
    """
    _check(result.metrics, str(path))
    try:
        text = json.dumps(
            asdict(result), indent=2, ensure_ascii=False, allow_nan=False, default=_plain
        )
    except (TypeError, ValueError) as error:
        raise ResultError(f"{path}: {error}; expected what JSON can hold.") from error
    with write_atomically(path) as file:
        file.write(text + "\n")


def read_result(path: Path) -> Result:
    """A result file, checked.

    Raises:
        ResultError: if the file is missing, no JSON, has other keys than ``write_result``
            writes, or a metric breaks a promise of ``Metric``
    """
    if not path.is_file():
        raise ResultError(f"{path}: not found; expected a result. Run a recipe first.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ResultError(f"{path}: no JSON ({error}); expected a result.") from error
    rows = _known(content, Result, str(path))
    for key in ("metrics", "skipped", "warnings"):
        if not isinstance(rows[key], list):
            raise ResultError(f"{path}: {key} is {rows[key]}; expected a list.")
    facts = _known(rows["run"], RunFacts, f"{path}: run")
    run = RunFacts(**{**facts, "leaks": tuple(facts.get("leaks", ()))})
    metrics = tuple(_metric(row, f"{path}: metrics") for row in rows["metrics"])
    _check(metrics, str(path))
    skipped = tuple(Skip(**_known(row, Skip, f"{path}: skipped")) for row in rows["skipped"])
    return Result(run, metrics, skipped, tuple(rows["warnings"]))


def _metric(row: object, where: str) -> Metric:
    values = dict(_known(row, Metric, where))
    interval = values["interval"]
    if isinstance(interval, list):
        values["interval"] = tuple(interval)
    return Metric(**values)


def _known(content: object, kind: type, where: str) -> Mapping[str, Any]:
    """The content if it is a mapping whose keys are the fields of a dataclass.

    A result of an older release may lack those that have a default.
    """
    expected = {column.name for column in fields(kind)}
    needed = {column.name for column in fields(kind) if column.default is MISSING}
    if not isinstance(content, dict):
        raise ResultError(f"{where}: found {content!r}; expected keys {sorted(expected)}.")
    if not needed <= set(content) <= expected:
        missing, unknown = sorted(needed - set(content)), sorted(set(content) - expected)
        raise ResultError(f"{where}: missing {missing}, unknown {unknown}; expected no others.")
    return content


def _check(metrics: Iterable[Metric], where: str) -> None:
    seen: set[str] = set()
    for metric in metrics:
        if not metric.metric or metric.metric in seen:
            raise ResultError(f"{where}: metric '{metric.metric}' is empty or occurs twice.")
        seen.add(metric.metric)
        fault = _fault(metric)
        if fault:
            raise ResultError(f"{where}: metric '{metric.metric}': {fault}")


def _fault(metric: Metric) -> str:
    if not _is_finite(metric.value):
        return f"value is {metric.value}; expected a finite number. Did the training diverge?"
    if not (_is_count(metric.n) and _is_count(metric.speakers)):
        return f"n is {metric.n} and speakers {metric.speakers}; expected counts."
    if metric.interval is None:
        return ""
    bounds = metric.interval
    if not (isinstance(bounds, tuple) and len(bounds) == 2 and all(map(_is_finite, bounds))):
        return f"interval is {bounds}; expected two finite numbers or none."
    return f"interval is {bounds}; expected low, high." if bounds[0] > bounds[1] else ""


def _is_finite(value: Any) -> bool:
    number = hasattr(value, "__float__") and not isinstance(value, bool)
    return number and math.isfinite(value)


def _is_count(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool) and value >= 0


def _plain(value: object) -> str | int | float:
    """What JSON can hold for a value that it cannot: paths, NumPy's numbers."""
    if isinstance(value, Path):
        return value.as_posix()
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"found {value!r}")
