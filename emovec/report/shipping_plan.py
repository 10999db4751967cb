"""What ships, and which runs make it: hparams/ship/NAME.yaml."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from emovec.errors import HparamError
from emovec.report.paper_runs import Run
from emovec.report.parameters import read_yaml
from emovec.tables.results import Result, ResultError


@dataclass(frozen=True)
class Step:
    """A run.

    Attributes:
        folder: that it writes to
        command: recipe, hparams file and overrides, but for the folder
    """

    folder: str
    command: str

    def run(self, plain_hparams: Callable[[Sequence[str]], Mapping[str, Any]]) -> Run:
        """The run, with ``emovec.experiment.plain_hparams``."""
        recipe, *arguments = [*shlex.split(self.command), f"--run_folder={self.folder}"]
        hparams = plain_hparams(arguments)
        return Run(self.folder, hparams["seed"], Path(self.folder), [recipe, *arguments], hparams)


@dataclass(frozen=True)
class Evaluation:
    """What of a run's result stands on the card.

    Attributes:
        what: a phrase for the table
        metrics: names
        step: that measures; None: the last training itself, on the speakers that it held out
    """

    what: str
    metrics: tuple[str, ...]
    step: Step | None


@dataclass(frozen=True)
class Plan:
    """A model that ships.

    Attributes:
        name: to load it by
        summary: a sentence
        about: a paragraph
        use: what it is meant for
        misuse: what it must not be used for, beside what holds for all models
        licence: of the weights
        made_from: the plan whose model training starts from; None: from random weights
        stands_on: by argument of the model, the shipped model that it is and that stays apart
        further_data: audio beside the corpora, such as noise, with licences
        trainings: in order; the model is that of the last
        evaluations: in the order of the card
    """

    name: str
    summary: str
    about: str
    use: str
    misuse: tuple[str, ...]
    licence: str
    made_from: str | None
    stands_on: Mapping[str, str]
    further_data: tuple[str, ...]
    trainings: tuple[Step, ...]
    evaluations: tuple[Evaluation, ...]

    def steps(self) -> list[Step]:
        """All runs, in the order in which they can be made."""
        return [*self.trainings, *(e.step for e in self.evaluations if e.step is not None)]


def read_plan(file: Path) -> Plan:
    """A plan of a file.

    Raises:
        HparamError: if there is no such file, a key is missing or unknown, or it has no training
    """
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in file.parent.glob("*.yaml"))) or "none"
        raise HparamError(f"{file}: not found; expected one of {known}. Correct the name.")
    content = _known(read_yaml(file.read_text(encoding="utf-8"), str(file)), Plan, str(file))
    where = f"{file}: {file.stem}"
    if content["name"] != file.stem or not content["trainings"]:
        raise HparamError(f"{where} found; expected a plan of that name, with trainings. Mend it.")
    trainings = tuple(Step(**_known(step, Step, where)) for step in content["trainings"])
    evaluations = tuple(_evaluation(row, where) for row in content["evaluations"])
    tuples = {key: tuple(content[key]) for key in ("misuse", "further_data")}
    return Plan(**{**content, **tuples, "trainings": trainings, "evaluations": evaluations})


def chain(file: Path) -> list[Plan]:
    """A plan behind those that its model is made from, the first one first.

    Raises:
        HparamError: as :func:`read_plan`, and if plans go round in circles
    """
    found: list[Plan] = []
    name: str | None = file.stem
    while name is not None:
        if name in [plan.name for plan in found]:
            raise HparamError(f"{file}: made_from leads back to {name}; expected an end. Mend it.")
        found.append(read_plan(file.with_stem(name)))
        name = found[-1].made_from
    return found[::-1]


def result_of(run: Run) -> Result:
    """The result of a run of a plan.

    Raises:
        ResultError: if it has none, or its hparams are not those of the plan's command
    """
    result = run.result()
    if result is None:
        raise ResultError(
            f"{run.folder}: no result of the plan's hparams; expected that of "
            f"`{shlex.join(run.command)}`. Look at its log.txt."
        )
    return result


def _evaluation(row: Any, where: str) -> Evaluation:
    if not isinstance(row, dict) or set(row) not in (
        {"what", "metrics"},
        {"what", "metrics", "folder", "command"},
    ):
        raise HparamError(
            f"{where}: evaluation {row!r} found; expected what and metrics, and of a run of its "
            "own folder and command. Mend it."
        )
    step = Step(row["folder"], row["command"]) if "folder" in row else None
    return Evaluation(row["what"], tuple(row["metrics"]), step)


def _known(content: Any, kind: type, where: str) -> dict[str, Any]:
    """The content if it is a mapping whose keys are the fields of a dataclass."""
    expected = {field.name for field in fields(kind)}
    if not isinstance(content, dict) or set(content) != expected:
        found = sorted(content) if isinstance(content, dict) else content
        raise HparamError(f"{where}: {found} found; expected {sorted(expected)}. Mend it.")
    return content
