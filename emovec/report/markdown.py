"""RESULTS.md, made from results.

python -m emovec.report.markdown results RESULTS.md
"""

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from emovec.errors import EmovecError
from emovec.report.cells import commit_cell, count_cell, measured, table, value_cell
from emovec.tables.files import write_atomically
from emovec.tables.results import Result, ResultError, read_result

MEAN_OF_CORPORA = "emotion/unweighted_recall_mean_of_corpora"
MAIN_METRICS = (
    "ccc/valence",
    "ccc/arousal",
    "ccc/dominance",
    "ccc/mean",
    "region/accuracy",
    "region/macro_f1",
    "emotion/weighted_f1",
    "emotion/weighted_f1_mean_of_folds",
    "emotion/macro_f1",
    "emotion/unweighted_recall",
    MEAN_OF_CORPORA,
    "emotion/accuracy",
    "eer/pooled",
    "eer/same",
    "eer/cross",
    "eer/cross_minus_same",
    "eer/same_gender",
    "min_dcf/pooled",
    "test_ravdess/eer/pooled",
    "test_ravdess/eer/same_gender",
    "masked/accuracy",
    "masked/cross_entropy",
    "unmasked/accuracy",
    "targets/clusters_used",
    "origin/weighted_f1",
    "origin/eer",
    "identity_free/weighted_f1",
    "identity_free/eer",
    "identity_free/eer_worst",
    "emotion_free/weighted_f1",
    "emotion_free/weighted_f1_worst",
    "emotion_free/eer",
)

HEAD = """# Results

Generated from `results/**/result.json` by `emovec.report.markdown`; do not edit. What was tried
and did not help stands at the end, from `results/**/notes.md`.

Brackets are 95 % intervals from resampling the test speakers. Those of CCC and F1 are too narrow
with few speakers (`emovec.metrics.intervals`); those of EER hold the truth 94 to 98 times in 100
with 6 to 100 speakers (`emovec.metrics.resampling`). Several seeds: mean over seeds, [interval,
its ends averaged over seeds], (lowest to highest seed); each seed stands below.
Baselines are measured on the same clips in the same run.
"""


@dataclass(frozen=True)
class _Run:
    """A result and where it was found: <recipe>/<name>/<seed>/result.json."""

    recipe: str
    name: str
    result: Result


def write_results_markdown(results_folder: Path, output: Path) -> None:
    """Write RESULTS.md: a section for each recipe, corpus and protocol, papers' tables, notes.

    Args:
        results_folder: holds ``<recipe>/<name>/<seed>/result.json``, and anywhere ``table.md``, as
            recipes/paper_tables.py writes it, and ``notes.md``, what a person says of runs
        output: file to write

    Raises:
        ResultError: if a result cannot be read, or lies elsewhere
        StorageError: if the file cannot be written
    """
    sections: dict[tuple[str, str, str], list[_Run]] = defaultdict(list)
    for path in sorted(results_folder.glob("**/result.json")):
        run = _read(path, results_folder)
        facts = run.result.run
        sections[run.recipe, facts.corpus, facts.protocol].append(run)
    parts = [HEAD, *(_section(*key, runs) for key, runs in sorted(sections.items()))]
    if not sections:
        parts.append("No results yet.\n")
    for name in ("table.md", "notes.md"):
        files = sorted(results_folder.glob(f"**/{name}"))
        parts += [path.read_text(encoding="utf-8") for path in files]
    with write_atomically(output) as file:
        file.write("\n".join(parts))


def _read(path: Path, results_folder: Path) -> _Run:
    *recipe, name, _seed, _file = ["", "", *path.relative_to(results_folder).parts]
    if not any(recipe):
        raise ResultError(
            f"{path}: lies in no <recipe>/<name>/<seed>/ of {results_folder}. Move it to one."
        )
    return _Run("/".join(filter(None, recipe)), name, read_result(path))


def _section(recipe: str, corpus: str, protocol: str, runs: Sequence[_Run]) -> str:
    results = [run.result for run in runs]
    names = {metric.metric for result in results for metric in result.metrics}
    plain = {name for name in names if not name.startswith(("baseline_", "variant_"))}
    having = Counter(metric.metric for result in results for metric in result.metrics)
    usual = {name for name in plain if 2 * having[name] >= len(runs)}  # a column few have is wide
    main = [name for name in MAIN_METRICS if name in usual]
    if MEAN_OF_CORPORA in main:
        own = (name for name in usual if name.endswith("/emotion/unweighted_recall"))
        main = [*sorted(own), *main]
    columns = main or sorted(plain)
    lines = [f"## {recipe} on {corpus}, {protocol}", "", *stamp_lines(results), *_notes(results)]
    header = ["run", "seeds", *columns, "clips", "speakers", "commit"]
    lines.append(table(header, [*_run_rows(runs, columns), *_baseline_rows(runs, columns)]))
    if len(runs) > len({run.name for run in runs}):
        lines += ["Each seed:", "", table(["run", "seed", *header[2:]], _seed_rows(runs, columns))]
    return "\n".join(lines)


def _run_rows(runs: Sequence[_Run], columns: Sequence[str]) -> list[list[str]]:
    return [
        [f"**{name}**", str(len(seeds)), *metric_cells(seeds, columns), commit_cell(seeds)]
        for name, seeds in _by_name(runs).items()
    ]


def _baseline_rows(runs: Sequence[_Run], columns: Sequence[str]) -> list[list[str]]:
    """A row for each baseline, those that are the same for several runs only once."""
    names: dict[tuple[str, ...], list[str]] = defaultdict(list)
    by_name = _by_name(runs)
    for run, seeds in by_name.items():
        metrics = [metric.metric for result in seeds for metric in result.metrics]
        baselines = dict.fromkeys(
            name.split("/")[0] for name in metrics if name.startswith("baseline_")
        )
        for baseline in baselines:
            cells = metric_cells(seeds, [f"{baseline}/{column}" for column in columns])
            names[(baseline.removeprefix("baseline_"), str(len(seeds)), *cells)].append(run)
    rows = []
    for (baseline, *cells), of in names.items():
        whose = "" if len(of) == len(by_name) else f" of {', '.join(of)}"
        rows.append([f"baseline: {baseline}{whose}", *cells, ""])
    return rows


def _seed_rows(runs: Sequence[_Run], columns: Sequence[str]) -> list[list[str]]:
    return [
        [
            run.name,
            str(run.result.run.seed),
            *metric_cells([run.result], columns),
            commit_cell([run.result]),
        ]
        for run in sorted(runs, key=lambda run: (run.name, run.result.run.seed))
    ]


def metric_cells(seeds: Sequence[Result], columns: Iterable[str]) -> list[str]:
    """Values of the columns, clips and speakers."""
    metrics = [measured(seeds, column) for column in columns]
    flat = [metric for column in metrics for metric in column]
    return [
        *(value_cell(column) for column in metrics),
        count_cell(metric.n for metric in flat),
        count_cell(metric.speakers for metric in flat),
    ]


def _by_name(runs: Iterable[_Run]) -> dict[str, list[Result]]:
    names: dict[str, list[Result]] = defaultdict(list)
    for run in runs:
        names[run.name].append(run.result)
    return names


def stamps(result: Result) -> list[str]:
    """What a reader must know before believing a result."""
    found = []
    if result.run.corpus == "demo":
        found.append("Synthetic demonstration: never evidence.")
    if result.run.affect_source == "prototype":
        found.append("Labels are affect prototypes, not ratings.")
    if result.run.shares_speakers:
        found.append("The protocol shares speakers between its splits.")
    found += [f"Leak, allowed with --allow_leak: {leak}." for leak in result.run.leaks]
    return found


def stamp_lines(results: Iterable[Result]) -> list[str]:
    """Stamps of any of the results, once each."""
    found = dict.fromkeys(stamp for result in results for stamp in stamps(result))
    return ["\n>\n".join(f"> **{stamp}**" for stamp in found), ""] if found else []


def _notes(results: Sequence[Result]) -> list[str]:
    """Splits, warnings and skips, each text once."""
    hashes = sorted({result.run.split_hash for result in results})
    drawn = "the same for all" if len(hashes) == 1 else f"{len(hashes)} different ones"
    texts = [f"Splits: {drawn}, hash {', '.join(hashes)}."]
    texts += dict.fromkeys(text for result in results for text in result.warnings)
    counts = sorted({len(result.skipped) for result in results if result.skipped})
    if counts:
        texts.append(f"Clips skipped: {' or '.join(map(str, counts))}; result.json lists them.")
    return [*(f"- {text}" for text in texts), ""]


def main(argv: Sequence[str]) -> None:
    """Write RESULTS.md as a command line asks; what a user can mend is said without a traceback."""
    parser = argparse.ArgumentParser(
        "python -m emovec.report.markdown", description="Make RESULTS.md of results."
    )
    parser.add_argument("results", type=Path, help="folder of <recipe>/<name>/<seed>/result.json")
    parser.add_argument("output", type=Path, help="file to write, such as RESULTS.md")
    arguments = parser.parse_args(argv)
    try:
        write_results_markdown(arguments.results, arguments.output)
    except EmovecError as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
