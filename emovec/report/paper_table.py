"""A paper's table as a file: its variants, what they differ by, and the published numbers."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from emovec.errors import HparamError
from emovec.report.parameters import filled, read_yaml, references
from emovec.report.variant_tables import Variant, condition_table, variant_table
from emovec.tables.results import Result

_OF_ALL = {"title", "recipe", "hparams", "remarks", "variants"}
_OF_METRICS = _OF_ALL | {"published_corpus"}
_OF_CONDITIONS = _OF_ALL | {"metric", "parameters", "defaults", "conditions"}


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
class Training:
    """A variant that is trained, in a condition where the table has any.

    Attributes:
        name: of the variant, and of the condition behind a slash
        recipe: script, relative to the repository
        hparams: its file, relative to the repository
        overrides: hparams that it differs by
    """

    name: str
    recipe: str
    hparams: str
    overrides: Mapping[str, Any]

    def command_line(self) -> list[str]:
        """Its overrides as --key=value."""
        return [f"--{key}={_text(value)}" for key, value in self.overrides.items()]


@dataclass(frozen=True)
class PaperTable:
    """A paper's table: metrics of variants, or one metric of variants in several conditions.

    Attributes:
        title: heading
        recipe: script that trains a variant, relative to the repository
        hparams: its file, relative to the repository
        remarks: sentences that a reader of the numbers needs
        variants: rows in the paper's order
        published_corpus: what published metrics were measured on; with conditions, each
            published number says it
        metric: mean over folds that the table shows in each condition; "" without conditions
        parameters: what the command line may or must (None) say of the table as a whole
        defaults: hparams of all variants where the command line says nothing
        conditions: columns, each with the hparams that it differs by
    """

    title: str
    recipe: str
    hparams: str
    remarks: tuple[str, ...]
    variants: tuple[PlannedVariant, ...]
    published_corpus: str = ""
    metric: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    conditions: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"": {}})

    def with_parameters(self, given: Mapping[str, Any]) -> "PaperTable":
        """The table with these values of some of its parameters."""
        return replace(self, parameters={**self.parameters, **given})

    def trained(self, names: Sequence[str]) -> list[Training]:
        """What to train for the rows of these names, or for all if there are none.

        Raises:
            HparamError: for an unknown name, or one that lacks a parameter
        """
        known = [variant.name for variant in self.variants]
        unknown = sorted(set(names) - set(known))
        if unknown:
            raise HparamError(f"{self.title}: no variants {unknown}; expected among {known}.")
        needed = {v.trained for v in self.variants if v.name in (names or known)}
        variants = [variant for variant in self.variants if variant.name in needed]
        for variant in variants if names else ():
            if lacking := self._lacking(variant.overrides):
                raise HparamError(f"{self.title}: {variant.name} needs {lacking}. Give it.")
        settings = [(v, name, o) for v in variants for name, o in self.conditions.items()]
        return [
            self._training(variant, condition, overrides)
            for variant, condition, overrides in settings
            if not self._lacking({**variant.overrides, **overrides})
        ]

    def markdown(self, results: Mapping[str, Sequence[Result]], command: str) -> str:
        """The table with our results, by the names of trainings, and how they came about."""
        by_row = {
            _name(variant.name, condition): results.get(_name(variant.trained, condition), ())
            for variant in self.variants
            for condition in self.conditions
        }
        if self.metric:
            table = condition_table(self.variants, list(self.conditions), self.metric, by_row)
        else:
            table = variant_table(self.variants, by_row, self.published_corpus)
        remarks = "".join(f"- {remark}\n" for remark in (*self.remarks, *self._left_out()))
        return f"# {self.title}\n\nMade by `{command}`.\n\n{remarks}\n{table}"

    def _training(
        self, variant: PlannedVariant, condition: str, overrides: Mapping[str, Any]
    ) -> Training:
        return Training(
            _name(variant.name, condition),
            variant.recipe or self.recipe,
            variant.hparams or self.hparams,
            filled({**variant.overrides, **overrides}, self.parameters),
        )

    def _lacking(self, overrides: Mapping[str, Any]) -> str:
        """The parameters that overrides refer to and that have no value, "" if there are none."""
        lacking = [name for name in references(overrides) if self.parameters[name] is None]
        return ", ".join(f"--{name}" for name in dict.fromkeys(lacking))

    def _left_out(self) -> Iterator[str]:
        """What is not trained for want of a parameter."""
        lacking: dict[str, list[str]] = {}
        for variant in self.variants:
            lacking.setdefault(self._lacking(variant.overrides), []).append(variant.name)
        for condition, overrides in self.conditions.items():
            lacking.setdefault(self._lacking(overrides), []).append(f"all of {condition}")
        for parameters, rows in lacking.items():
            if parameters:
                yield f"Left out, as {parameters} is not given: {', '.join(rows)}."


def read_paper_table(path: Path) -> PaperTable:
    """A table file, such as those in hparams/tables/.

    Raises:
        HparamError: if the file is missing, no YAML, has other keys than expected, a variant
            twice, one that is the same as none, a published number that is no share, or refers to
            a parameter that it does not have
    """
    if not path.is_file():
        known = sorted(file.stem for file in path.parent.glob("*.yaml"))
        raise HparamError(f"{path}: not found; expected one of {known}.")
    content = read_yaml(path.read_text(encoding="utf-8"), str(path))
    with_conditions = isinstance(content, dict) and "conditions" in content
    values = _known(content, _OF_CONDITIONS if with_conditions else _OF_METRICS, str(path))
    conditions = tuple(values.get("conditions", ()))
    variants = tuple(_variant(row, conditions, path) for row in values["variants"])
    names = [variant.name for variant in variants]
    if len(set(names)) < len(names):
        raise HparamError(f"{path}: a variant occurs twice in {names}; expected each once.")
    own = [variant.name for variant in variants if variant.same_as is None]
    for variant in variants:
        if variant.trained not in own:
            raise HparamError(
                f"{path}: {variant.name} is the same as '{variant.same_as}'; expected one of {own}."
            )
    table = PaperTable(**{**values, "remarks": tuple(values["remarks"]), "variants": variants})
    overrides = [*table.conditions.values(), *(variant.overrides for variant in variants)]
    unknown = sorted({n for o in overrides for n in references(o)} - set(table.parameters))
    if unknown:
        raise HparamError(f"{path}: no parameters {unknown}; expected {list(table.parameters)}.")
    return table


def _variant(row: Any, conditions: Sequence[str], path: Path) -> PlannedVariant:
    """A row that has either overrides or same_as."""
    shared = isinstance(row, dict) and "same_as" in row
    last = "same_as" if shared else "overrides"
    optional = {"recipe", "hparams"} & set(row) if isinstance(row, dict) else set()
    values = _known(row, {"name", "note", "published", last} | optional, f"{path}: variants")
    if conditions:
        values["published"] = _by_condition(values, conditions, path)
    for metric, value in values["published"].items():
        if not (isinstance(value, int | float) and -1 <= value <= 1):
            raise HparamError(
                f"{path}: {values['name']}: {metric} is {value!r}; expected a share, no percentage."
            )
    return PlannedVariant(**{"overrides": {}, "same_as": None, **values})


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


def _known(content: Any, expected: set[str], where: str) -> dict[str, Any]:
    found = set(content) if isinstance(content, dict) else set()
    if found != expected:
        raise HparamError(
            f"{where}: missing {sorted(expected - found)}, unknown {sorted(found - expected)}; "
            "expected no others. Compare hparams/tables/emosphere.yaml."
        )
    return dict(content)


def _name(variant: str, condition: str) -> str:
    return f"{variant}/{condition}" if condition else variant


def _text(value: Any) -> str:
    """A value as YAML on one line."""
    return value if isinstance(value, str) else json.dumps(value)
