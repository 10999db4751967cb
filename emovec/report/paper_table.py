"""A paper's table as a file: its variants, what they differ by, and the published numbers."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from emovec.errors import HparamError
from emovec.report.paper_rows import Part, PlannedVariant, known, read_part, read_variant
from emovec.report.parameters import filled, read_yaml, references
from emovec.report.variant_tables import (
    Column,
    column_table,
    condition_table,
    corpus_notes,
    run_name,
    variant_table,
)
from emovec.tables.results import Result

_OF_ALL = {"title", "recipe", "hparams", "remarks", "variants"}
_OF_METRICS = _OF_ALL | {"published_corpus"}
_OF_FOLDS = _OF_ALL | {"parameters", "defaults"}
_OF_CONDITIONS = _OF_FOLDS | {"metric", "conditions"}
_OF_PARTS = _OF_FOLDS | {"tables"}


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

    Or several tables of the same variants, each of some metrics.

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
        tables: of some metrics of some variants; () where there is one table of all
        clips: published numbers of clips by corpus: "given", "embedded", and used of each class in
            "train" and "test"; of several tables, only of those over folds
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
    tables: tuple[Part, ...] = ()
    clips: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def over_folds(self) -> bool:
        """Whether runs are over folds of a protocol, and not of one."""
        return bool(self.metric or self.clips)

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
            run_name(variant.name, condition): results.get(run_name(variant.trained, condition), ())
            for variant in self.variants
            for condition in self.conditions
        }
        if self.tables:
            table = self._parts(by_row)
        elif self.metric:
            table = condition_table(self.variants, list(self.conditions), self.metric, by_row)
        else:
            table = variant_table(self.variants, by_row, self.published_corpus)
        remarks = "".join(f"- {remark}\n" for remark in (*self.remarks, *self._left_out()))
        return f"# {self.title}\n\nMade by `{command}`.\n\n{remarks}\n{table}"

    def _parts(self, by_row: Mapping[str, Sequence[Result]]) -> str:
        """Each table with its heading, below what is to be said of all."""
        clips = "all test clips of all folds together; " if self.over_folds else ""
        lines = [
            *corpus_notes(self.variants, by_row),
            f"Ours: {clips}mean over seeds, [95 % interval over test speakers, its ends averaged "
            "over seeds], (lowest to highest seed).",
        ]
        for part in self.tables:
            rows = [variant for variant in self.variants if variant.name in part.variants]
            columns = [Column(metric, metric) for metric in part.metrics]
            lines += [
                "",
                f"## {part.title}",
                "",
                column_table(rows, columns, by_row, self.over_folds).rstrip(),
            ]
        return "\n".join([*lines, ""])

    def _training(
        self, variant: PlannedVariant, condition: str, overrides: Mapping[str, Any]
    ) -> Training:
        return Training(
            run_name(variant.name, condition),
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
        tables = sorted(file.stem for file in path.parent.glob("*.yaml"))
        raise HparamError(f"{path}: not found; expected one of {tables}.")
    content = read_yaml(path.read_text(encoding="utf-8"), str(path))
    kinds = {"conditions": _OF_CONDITIONS, "tables": _OF_PARTS}
    kind = next((key for key in kinds if isinstance(content, dict) and key in content), "")
    expected = kinds.get(kind, _OF_METRICS)
    if kind == "tables" and "clips" in content:
        expected = expected | {"clips"}
    values = known(content, expected, str(path))
    parts = tuple(read_part(row, path) for row in values.get("tables", ()))
    conditions = tuple(values.get("conditions", ()))
    metrics = [metric for part in parts for metric in part.metrics]
    variants = tuple(read_variant(row, path, conditions, metrics) for row in values["variants"])
    names = [variant.name for variant in variants]
    if len(set(names)) < len(names):
        raise HparamError(f"{path}: a variant occurs twice in {names}; expected each once.")
    own = [variant.name for variant in variants if variant.same_as is None]
    for variant in variants:
        if variant.trained not in own:
            raise HparamError(
                f"{path}: {variant.name} is the same as '{variant.same_as}'; expected one of {own}."
            )
    strangers = sorted({name for part in parts for name in part.variants} - set(names))
    if strangers:
        raise HparamError(f"{path}: tables have no variants {strangers}; expected among {names}.")
    read = {"remarks": tuple(values["remarks"]), "variants": variants, "tables": parts}
    table = PaperTable(**{**values, **read})
    overrides = [*table.conditions.values(), *(variant.overrides for variant in variants)]
    unknown = sorted({n for o in overrides for n in references(o)} - set(table.parameters))
    if unknown:
        raise HparamError(f"{path}: no parameters {unknown}; expected {list(table.parameters)}.")
    return table


def _text(value: Any) -> str:
    """A value as YAML on one line."""
    return value if isinstance(value, str) else json.dumps(value)
