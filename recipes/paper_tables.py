"""Train every variant of a paper's table, and put the published numbers beside ours.

    python recipes/paper_tables.py emosphere
    python recipes/paper_tables.py emosphere --corpus=ravdess --data_folder=/data/RAVDESS
    python recipes/paper_tables.py xvector --folds=2 --epochs=2 --rows=random_mfcc
    python recipes/paper_tables.py deeptalk --folds=2
    python recipes/paper_tables.py lrvae --rows=functionals --epochs=2

Reads   hparams/tables/<paper>.yaml; any --key=value of its recipes applies to every variant whose
        recipe has it
Writes  <output_folder>/<variant>/<seed>/ (log.txt, and what the recipe writes), table.md; a table
        with conditions, over folds, <variant>/<condition>/<seed>/<fold>/; one of classifiers,
        <variant>/<seed>/folds/ and figures/

What is complete is not trained again: the same command goes on where it was stopped.
"""

import argparse
import shlex
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from emovec import corpora, experiment
from emovec.corpora.speakers import read_corpora
from emovec.errors import HparamError, TrainingError
from emovec.report.paper_appendix import appendix
from emovec.report.paper_folds import choose_folds, over_folds
from emovec.report.paper_plan import PaperPlan, key_of, with_network
from emovec.report.paper_runs import Run
from emovec.report.paper_table import PaperTable, read_paper_table
from emovec.report.parameters import read_yaml
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
    table, overrides = read_table(file, arguments, overrides)
    wanted = {training.name for training in table.trained(arguments.rows)}
    plan = PaperPlan(table, ROOT, overrides, experiment.plain_hparams)
    output = arguments.output_folder or Path("runs/paper_tables", file.stem, plan.name)
    hparams = plan.hparams(output)
    folds = choose_folds(hparams, arguments.folds) if table.over_folds else []
    runs = plan.runs(arguments.seeds, folds, output)
    missing = [run for run in runs if run.variant in wanted and run.result() is None]
    if missing:
        prepare(hparams)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        done = list(pool.map(lambda run: run.train(arguments.jobs), missing))
    write_table(table, runs, output / "table.md", argv)
    failed = [run for run, success in zip(missing, done, strict=True) if not success]
    if failed:
        logs = "\n\n".join(f"{run.log} ends with\n{run.log_end(LOG_LINES)}" for run in failed)
        raise TrainingError(f"{len(failed)} of {len(missing)} runs failed.\n\n{logs}")


def parse(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Our own arguments, and those of the table and its recipes."""
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
    parser.add_argument("--rows", type=words, default=[], help="to train, such as a,b")
    parser.add_argument("--folds", help="the first so many of the protocol's, or all, the default")
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time")
    arguments, overrides = parser.parse_known_args(argv)
    for override in overrides:
        ours = CHOSEN_HERE.get(key_of(override))
        if ours:
            raise HparamError(f"command line: found {override}; expected {ours}=... instead.")
    return arguments, overrides


def words(text: str) -> list[str]:
    """Words between commas."""
    return text.split(",")


def numbers(text: str) -> list[int]:
    """Numbers between commas."""
    return [int(word) for word in words(text)]


def read_table(
    file: Path, arguments: argparse.Namespace, overrides: list[str]
) -> tuple[PaperTable, list[str]]:
    """The table with what the command line says of it, and the overrides that are left."""
    table = read_paper_table(file)
    if arguments.hparams:
        table = replace(table, hparams=str(Path(arguments.hparams).absolute()))
    given = {
        key_of(override): read_yaml(override.partition("=")[2], override)
        for override in overrides
        if key_of(override) in table.parameters
    }
    rest = [override for override in overrides if key_of(override) not in given]
    table = table.with_parameters(given)
    if table.over_folds:
        folds = [override for override in rest if key_of(override) == "fold"]
        if folds:
            raise HparamError(f"command line: found {folds[0]}; expected --folds=... instead.")
    elif arguments.folds:
        raise HparamError(f"{table.title}: found --folds; expected none, it is of one fold.")
    return with_network(table), rest


def prepare(hparams: Mapping[str, Any]) -> None:
    """Prepare the corpora of all runs, so that they find it done and do not all fail of it."""
    folder, partial = Path(hparams["prepared_folder"]), hparams["allow_partial"]
    if "corpora" in hparams:
        read_corpora(hparams["corpora"], folder, partial)
        return
    corpora.prepare(
        corpora.get(hparams["corpus"], **hparams["corpus_options"]),
        Path(hparams["data_folder"]) if hparams["data_folder"] else None,
        folder,
        allow_partial=partial,
    )


def write_table(table: PaperTable, runs: list[Run], path: Path, argv: list[str]) -> None:
    """Write and print the table of all results that there are."""
    of_seed = defaultdict(list)
    for run in runs:
        of_seed[run.variant, run.seed].append(run)
    results = defaultdict(list)
    for (variant, _seed), members in of_seed.items():
        result = over_folds(members) if table.over_folds else members[0].result()
        if result is not None:
            results[variant].append(result)
    text = table.markdown(results, shlex.join(["python", "recipes/paper_tables.py", *argv]))
    if table.clips:
        text += appendix(table.clips, runs, path.parent)
    with write_atomically(path) as file:
        file.write(text)
    print(text)


if __name__ == "__main__":
    experiment.run(main)
