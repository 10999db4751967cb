"""Rows of a paper's table as they stand in its file, and the smaller tables they are shown in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emovec.errors import HparamError
from emovec.report.variant_tables import Variant


@dataclass(frozen=True)
class PlannedVariant(Variant):
    """A row of a paper's table, and how to train it.

    Attributes:
        overrides: hparams that it differs by; ``<name>`` stands for a parameter of the table
        same_as: the variant whose training is its own, too; None if it has one of its own
        recipe: script that trains it, if not the table's
        hparams: its file, if not the table's
    """

    overrides: Mapping[str, Any]
    same_as: str | None
    recipe: str | None = None
    hparams: str | None = None

    @property
    def trained(self) -> str:
        """Name of the variant that is trained for this row."""
        return self.same_as or self.name


@dataclass(frozen=True)
class Part:
    """Some metrics of some variants: one of several tables of the same runs.

    Attributes:
        title: heading
        metrics: columns
        variants: names of the rows
    """

    title: str
    metrics: tuple[str, ...]
    variants: tuple[str, ...]


def read_variant(
    row: Any, path: Path, conditions: Sequence[str] = (), metrics: Sequence[str] = ()
) -> PlannedVariant:
    """A row that has either overrides or same_as.

    Args:
        row: from the file
        path: of the file, for messages
        conditions: of the table; published numbers are then lists of them, by corpus
        metrics: of all parts of the table; published numbers are then some of them, by corpus

    Raises:
        HparamError: if it has other keys than expected, or a published number is no share
    """
    shared = isinstance(row, dict) and "same_as" in row
    last = "same_as" if shared else "overrides"
    optional = {"recipe", "hparams"} & set(row) if isinstance(row, dict) else set()
    values = known(row, {"name", "note", "published", last} | optional, f"{path}: variants")
    if conditions:
        values["published"] = _by_condition(values, conditions, path)
    elif metrics:
        values["published"] = _by_metric(values, metrics, path)
    for metric, value in values["published"].items():
        if not (isinstance(value, int | float) and -1 <= value <= 1):
            raise HparamError(
                f"{path}: {values['name']}: {metric} is {value!r}; expected a share, no percentage."
            )
    return PlannedVariant(**{"overrides": {}, "same_as": None, **values})


def read_part(row: Any, path: Path) -> Part:
    """One of several tables.

    Raises:
        HparamError: if it has other keys than expected
    """
    values = known(row, {"title", "metrics", "variants"}, f"{path}: tables")
    return Part(values["title"], tuple(values["metrics"]), tuple(values["variants"]))


def known(content: Any, expected: set[str], where: str) -> dict[str, Any]:
    """A mapping with these keys and no others.

    Raises:
        HparamError: which lists what is missing and unknown
    """
    found = set(content) if isinstance(content, dict) else set()
    if found != expected:
        raise HparamError(
            f"{where}: missing {sorted(expected - found)}, unknown {sorted(found - expected)}; "
            "expected no others. Compare hparams/tables/emosphere.yaml."
        )
    return dict(content)


def _by_condition(
    row: Mapping[str, Any], conditions: Sequence[str], path: Path
) -> dict[str, float]:
    """A row's published numbers by "<corpus>/<condition>"; the file lists them by corpus."""
    found: dict[str, float] = {}
    for corpus, numbers in row["published"].items():
        if not isinstance(numbers, list) or len(numbers) != len(conditions):
            raise HparamError(
                f"{path}: {row['name']}: {corpus} is {numbers!r}; expected a number for each of "
                f"{list(conditions)}."
            )
        found |= {f"{corpus}/{c}": number for c, number in zip(conditions, numbers, strict=True)}
    return found


def _by_metric(row: Mapping[str, Any], metrics: Sequence[str], path: Path) -> dict[str, float]:
    """A row's published numbers by "<corpus>/<metric>"."""
    found: dict[str, float] = {}
    for corpus, numbers in row["published"].items():
        if not isinstance(numbers, dict) or not set(numbers) <= set(metrics):
            raise HparamError(
                f"{path}: {row['name']}: {corpus} is {numbers!r}; expected numbers by metric, some "
                f"of {list(metrics)}."
            )
        found |= {f"{corpus}/{metric}": number for metric, number in numbers.items()}
    return found
