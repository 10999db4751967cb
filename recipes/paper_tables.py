"""Train every variant of a paper's table, and put the published numbers beside ours.

    python recipes/paper_tables.py emosphere
    python recipes/paper_tables.py emosphere --corpus=ravdess --data_folder=/data/RAVDESS

Reads   hparams/tables/<paper>.yaml; any --key=value of its recipe applies to every variant
Writes  <output_folder>/<variant>/<seed>/ (log.txt, and what the recipe writes), table.md

What is complete is not trained again: the same command goes on where it was stopped.
"""

import argparse
import os
import shlex
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from emovec import corpora, experiment
from emovec.errors import HparamError, TrainingError
from emovec.report.paper_runs import Run
from emovec.report.paper_table import PaperTable, read_paper_table
from emovec.tables.files import write_atomically

ROOT = Path(__file__).resolve().parents[1]
TABLES = ROOT / "hparams" / "tables"
CHOSEN_HERE = {"seed": "--seeds", "run_folder": "--output_folder", "name": "--output_folder"}
LOG_LINES = 15  # of a failed run, to be shown


def main(argv: list[str]) -> None:
    """Train what is missing; write the table, whatever has failed; then say what has."""
    arguments, overrides = parse(argv)
    file = Path(arguments.paper)
    if file.suffix != ".yaml":
        file = TABLES / f"{arguments.paper}.yaml"
    table = read_paper_table(file)
    line = [arguments.hparams or os.path.relpath(ROOT / table.hparams), *overrides]
    name = experiment.plain_hparams(line)["name"]
    output = arguments.output_folder or Path("runs/paper_tables", file.stem, name)
    runs = plan(table, line, arguments.seeds, output, name)
    wanted = {variant.name for variant in table.trained(arguments.only)}
    missing = [run for run in runs if run.variant in wanted and run.result() is None]
    if missing:
        prepare(missing[0].hparams)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        done = list(pool.map(lambda run: run.train(arguments.jobs), missing))
    write_table(table, runs, output / "table.md", argv)
    failed = [run for run, success in zip(missing, done, strict=True) if not success]
    if failed:
        logs = "\n\n".join(f"{run.log} ends with\n{run.log_end(LOG_LINES)}" for run in failed)
        raise TrainingError(f"{len(failed)} of {len(missing)} runs failed.\n\n{logs}")


def parse(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Our own arguments, and those of the table's recipe."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    papers = ", ".join(sorted(file.stem for file in TABLES.glob("*.yaml")))
    parser.add_argument("paper", help=f"{papers}, or a file like hparams/tables/*.yaml")
    parser.add_argument("--hparams", help="another file than the table's own")
    parser.add_argument("--seeds", type=numbers, default=[1], help="such as 1,2,3")
    parser.add_argument("--output_folder", type=Path, help="default: runs/paper_tables/PAPER/NAME")
    parser.add_argument("--only", type=words, default=[], help="rows to train, such as a,b")
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time")
    arguments, overrides = parser.parse_known_args(argv)
    for override in overrides:
        ours = CHOSEN_HERE.get(override.removeprefix("--").partition("=")[0])
        if ours:
            raise HparamError(f"command line: found {override}; expected {ours}=... instead.")
    return arguments, overrides


def words(text: str) -> list[str]:
    """Words between commas."""
    return text.split(",")


def numbers(text: str) -> list[int]:
    """Numbers between commas."""
    return [int(word) for word in words(text)]


def plan(
    table: PaperTable, line: list[str], seeds: list[int], output: Path, name: str
) -> list[Run]:
    """Every trained variant with every seed; its own overrides come last and win."""
    hparams, *overrides = line
    runs = []
    for seed in seeds:
        for variant in table.trained([]):
            folder = output / variant.name / str(seed)
            arguments = [
                hparams,
                f"--prepared_folder={output / 'data'}",
                *overrides,
                f"--seed={seed}",
                f"--name={name}_{variant.name}",
                f"--run_folder={folder}",
                *variant.command_line(),
            ]
            command = [os.path.relpath(ROOT / table.recipe), *arguments]
            runs.append(Run(variant.name, folder, command, experiment.plain_hparams(arguments)))
    return runs


def prepare(hparams: Mapping[str, Any]) -> None:
    """Prepare the corpus of all runs, so that they find it done and do not all fail of it."""
    corpora.prepare(
        corpora.get(hparams["corpus"], **hparams["corpus_options"]),
        Path(hparams["data_folder"]) if hparams["data_folder"] else None,
        Path(hparams["prepared_folder"]),
        allow_partial=hparams["allow_partial"],
    )


def write_table(table: PaperTable, runs: list[Run], path: Path, argv: list[str]) -> None:
    """Write and print the table of all results that there are."""
    results = defaultdict(list)
    for run in runs:
        if (result := run.result()) is not None:
            results[run.variant].append(result)
    text = table.markdown(results, shlex.join(["python", "recipes/paper_tables.py", *argv]))
    with write_atomically(path) as file:
        file.write(text)
    print(text)


if __name__ == "__main__":
    experiment.run(main)
