"""A paper's table as a file: its variants, what they differ by, and the published numbers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import ruamel.yaml

from emovec.errors import HparamError
from emovec.report.markdown import Variant, variant_table
from emovec.tables.results import Result


@dataclass(frozen=True)
class PlannedVariant(Variant):
    """A row of a paper's table, and how to train it.

    Attributes:
        overrides: hparams that it differs by
        same_as: the variant whose training is its own, too; None if it has one of its own
    """

    overrides: Mapping[str, Any]
    same_as: str | None

    @property
    def trained(self) -> str:
        """Name of the variant that is trained for this row."""
        return self.same_as or self.name

    def command_line(self) -> list[str]:
        """Its overrides as --key=value."""
        return [f"--{key}={_text(value)}" for key, value in self.overrides.items()]


@dataclass(frozen=True)
class PaperTable:
    """A paper's table.

    Attributes:
        title: heading
        published_corpus: what the published numbers were measured on
        recipe: script that trains a variant, relative to the repository
        hparams: its file, relative to the repository
        remarks: sentences that a reader of the numbers needs
        variants: rows in the paper's order
    """

    title: str
    published_corpus: str
    recipe: str
    hparams: str
    remarks: tuple[str, ...]
    variants: tuple[PlannedVariant, ...]

    def trained(self, names: Sequence[str]) -> list[PlannedVariant]:
        """Variants to train for the rows of these names, or for all if there are none.

        Raises:
            HparamError: for an unknown name
        """
        known = [variant.name for variant in self.variants]
        unknown = sorted(set(names) - set(known))
        if unknown:
            raise HparamError(f"{self.title}: no variants {unknown}; expected among {known}.")
        needed = {v.trained for v in self.variants if v.name in (names or known)}
        return [variant for variant in self.variants if variant.name in needed]

    def markdown(self, results: Mapping[str, Sequence[Result]], command: str) -> str:
        """The table with our results, by the names of trained variants, and how they came about."""
        by_row = {variant.name: results.get(variant.trained, ()) for variant in self.variants}
        remarks = "".join(f"- {remark}\n" for remark in self.remarks)
        table = variant_table(self.variants, by_row, self.published_corpus)
        return f"# {self.title}\n\nMade by `{command}`.\n\n{remarks}\n{table}"


def read_paper_table(path: Path) -> PaperTable:
    """A table file, such as those in hparams/tables/.

    Raises:
        HparamError: if the file is missing, no YAML, has other keys than expected, a variant
            twice, one that is the same as none, or a published number that is no share
    """
    if not path.is_file():
        known = sorted(file.stem for file in path.parent.glob("*.yaml"))
        raise HparamError(f"{path}: not found; expected one of {known}.")
    try:
        content = ruamel.yaml.YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except ruamel.yaml.YAMLError as error:
        raise HparamError(f"{path}: no YAML: {error}.") from error
    values = _known(content, {field.name for field in fields(PaperTable)}, str(path))
    variants = tuple(_variant(row, path) for row in values["variants"])
    names = [variant.name for variant in variants]
    if len(set(names)) < len(names):
        raise HparamError(f"{path}: a variant occurs twice in {names}; expected each once.")
    own = [variant.name for variant in variants if variant.same_as is None]
    for variant in variants:
        if variant.trained not in own:
            raise HparamError(
                f"{path}: {variant.name} is the same as '{variant.same_as}'; expected one of {own}."
            )
    return PaperTable(**{**values, "remarks": tuple(values["remarks"]), "variants": variants})


def _variant(row: Any, path: Path) -> PlannedVariant:
    """A row that has either overrides or same_as."""
    shared = isinstance(row, dict) and "same_as" in row
    last = "same_as" if shared else "overrides"
    values = _known(row, {"name", "note", "published", last}, f"{path}: variants")
    for metric, value in values["published"].items():
        if not (isinstance(value, int | float) and -1 <= value <= 1):
            raise HparamError(
                f"{path}: {values['name']}: {metric} is {value!r}; expected a share, no percentage."
            )
    return PlannedVariant(**{"overrides": {}, "same_as": None, **values})


def _known(content: Any, expected: set[str], where: str) -> dict[str, Any]:
    found = set(content) if isinstance(content, dict) else set()
    if found != expected:
        raise HparamError(
            f"{where}: missing {sorted(expected - found)}, unknown {sorted(found - expected)}; "
            "expected no others. Compare hparams/tables/emosphere.yaml."
        )
    return dict(content)


def _text(value: Any) -> str:
    """A value as YAML on one line."""
    return value if isinstance(value, str) else json.dumps(value)
