"""From a paper's table and a command line to the runs that make it."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from emovec.encoders.store import load_model
from emovec.errors import HparamError
from emovec.report.paper_runs import Run
from emovec.report.paper_table import PaperTable


@dataclass(frozen=True)
class PaperPlan:
    """A paper's table with the hparams of a command line.

    Attributes:
        table: with its parameters
        root: folder that its paths are relative to
        overrides: --key=value of the command line
        plain_hparams: ``emovec.experiment.plain_hparams``
    """

    table: PaperTable
    root: Path
    overrides: Sequence[str]
    plain_hparams: Callable[[Sequence[str]], Mapping[str, Any]]

    @cached_property
    def lines(self) -> dict[str, list[str]]:
        """For each hparams file its path, and those overrides that it knows or that none does.

        Those that none knows are options of SpeechBrain, or an error when the line is read.
        """
        every = [*(f"--{key}={value}" for key, value in self.table.defaults.items())]
        every += self.overrides
        files = dict.fromkeys([self.table.hparams, *(t.hparams for t in self.table.trained([]))])
        paths = {file: os.path.relpath(self.root / file) for file in files}
        keys = {file: set(self.plain_hparams([path])) for file, path in paths.items()}
        of_any = set().union(*keys.values())
        return {
            file: [path, *(o for o in every if key_of(o) in keys[file] or key_of(o) not in of_any)]
            for file, path in paths.items()
        }

    @cached_property
    def name(self) -> str:
        """Of the runs, to which each adds its variant."""
        return str(self.plain_hparams(self.lines[self.table.hparams])["name"])

    def hparams(self, output: Path) -> Mapping[str, Any]:
        """What all runs share: those of the table's own file.

        Raises:
            HparamError: for a key that no file has
        """
        return self.plain_hparams([*self.lines[self.table.hparams], _prepared(output)])

    def runs(self, seeds: Sequence[int], folds: Sequence[int], output: Path) -> list[Run]:
        """Every training with every seed, and fold; its own overrides come last and win.

        Args:
            seeds: of everything random
            folds: numbers; none for a table of one fold
            output: folder of all
        """
        runs = []
        for seed in seeds:
            for training in self.table.trained([]):
                file, *overrides = self.lines[training.hparams]
                for place, of_fold in self._by_fold(file, folds):
                    folder = output / training.name / str(seed) / place
                    names = [self.name, *training.name.split("/"), *([place] if place else [])]
                    arguments = [
                        file,
                        _prepared(output),
                        *overrides,
                        f"--seed={seed}",
                        f"--name={'_'.join(names)}",
                        f"--run_folder={folder}",
                        *of_fold,
                        *training.command_line(),
                    ]
                    command = [os.path.relpath(self.root / training.recipe), *arguments]
                    hparams = self.plain_hparams(arguments)
                    runs.append(Run(training.name, seed, folder, command, hparams))
        return runs

    def _by_fold(self, file: str, folds: Sequence[int]) -> Iterator[tuple[str, list[str]]]:
        """Folder and overrides of each fold, or of all where a recipe takes them in one run."""
        if not folds:
            yield "", []
        elif "folds" in self.plain_hparams([file]):
            yield "folds", [f"--folds={list(folds)}"]
        else:
            for fold in folds:
                yield f"fold_{fold}", [f"--fold={fold}"]


def key_of(override: str) -> str:
    """The key of an override.

    >>> key_of("--rate=1e-5=x"), key_of("--flag")
    ('rate', 'flag')
    """
    return override.removeprefix("--").partition("=")[0]


def with_network(table: PaperTable) -> PaperTable:
    """Random networks with the architecture of the pretrained ones, so that only weights differ.

    Nothing changes where the command line gives encoder_options, or the table has no such
    parameter; without pretrained models they are the published network.

    Raises:
        HparamError: if the pretrained ones differ from each other
        ModelError: if a folder holds no model
    """
    if table.parameters.get("encoder_options", {}) is not None:
        return table
    models = {key: value for key, value in table.parameters.items() if key.endswith("_model")}
    found = [
        load_model(Path(folder)).arguments()  # type: ignore[operator]
        for folder in models.values()
        if folder
    ]
    if any(arguments != found[0] for arguments in found):
        raise HparamError(
            f"{table.title}: the networks of {models} differ: {found}; expected the same, so that "
            "only their training differs. Train one again, or give --encoder_options."
        )
    return table.with_parameters({"encoder_options": found[0] if found else {}})


def _prepared(output: Path) -> str:
    return f"--prepared_folder={output / 'data'}"
