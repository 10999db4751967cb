"""Several runs side by side: metrics, differences to the first, and whether they compare."""

from collections.abc import Iterator, Mapping, Sequence

from emovec.metrics.intervals import Interval
from emovec.report.html_blocks import Block, Notice, Section, Table
from emovec.report.html_differences import differences
from emovec.report.html_facts import notices, number, shown
from emovec.report.html_runs import RunFolder
from emovec.report.markdown import MAIN_METRICS
from emovec.tables.results import Metric

MOST_METRICS = 12  # of the table that is not folded, where none of them is a main one
ABSENT = "–"  # noqa: RUF001


def comparison(runs: Sequence[RunFolder]) -> Section:
    """A row for each run, a column for each metric of several runs.

    Where the splits are the first run's, the difference to it stands below a value, with a 95 %
    interval where both runs' predictions are there: from the same resamples of speakers.
    """
    blocks: list[Block] = [*_warnings(runs)]
    names = _common(runs)
    main = [name for name in MAIN_METRICS if name in names] or names[:MOST_METRICS]
    rest = [name for name in names if name not in main]
    cells = {run: _cells(run, runs[0], names) for run in runs}
    if main:
        caption = f"Main numbers [95 % interval]; below, the difference to {runs[0].name}"
        rows = [[run.name, *(of[name] for name in main)] for run, of in cells.items()]
        blocks.append(Table(caption, ["run", *main], rows))
    else:
        blocks.append(Notice("warning", "The runs have no metric in common."))
    if rest:
        rows = [[name, *(of[name] for of in cells.values())] for name in rest]
        header = ["metric", *(run.name for run in runs)]
        blocks.append(Table(f"{len(rest)} further numbers", header, rows, folded=True))
    return Section("Comparison", blocks)


def are_comparable(run: RunFolder, first: RunFolder) -> bool:
    """Whether two runs were tested on the same split of the same labels."""
    facts, others = run.result.run, first.result.run
    return (facts.split_hash, facts.manifest_hash) == (others.split_hash, others.manifest_hash)


def _warnings(runs: Sequence[RunFolder]) -> Iterator[Notice]:
    """Leaks of each run, and why numbers of the runs cannot be held against each other."""
    for run in runs:
        for notice in notices(run.result):
            if notice.severity == "leak":
                yield Notice("leak", f"{run.name}: {notice.text}")
    if not all(are_comparable(run, runs[0]) for run in runs):
        said = [
            f"{run.name}: {run.result.run.split_hash}, manifest {run.result.run.manifest_hash}"
            for run in runs
        ]
        text = "The runs are NOT comparable: their splits or labels are not the same"
        yield Notice("leak", f"{text}. {'; '.join(said)}.")
    elif len({frozenset(skip.id for skip in run.result.skipped) for run in runs}) > 1:
        yield Notice("warning", "The runs have left out different clips.")


def _common(runs: Sequence[RunFolder]) -> list[str]:
    """Metrics that at least two runs have, in the order of the first run."""
    counts: dict[str, int] = {}
    for run in runs:
        for metric in run.result.metrics:
            counts[metric.metric] = counts.get(metric.metric, 0) + 1
    return [name for name, count in counts.items() if count > 1]


def _cells(run: RunFolder, first: RunFolder, names: Sequence[str]) -> dict[str, str]:
    """Texts of a run's metrics by name."""
    found = {metric.metric: metric for metric in run.result.metrics}
    bases: dict[str, Metric] = {}
    intervals: Mapping[str, Interval | None] = {}
    if run is not first and are_comparable(run, first):
        bases = {metric.metric: metric for metric in first.result.metrics}
        intervals = differences(run, first)
    cells = {}
    for name in names:
        metric, base = found.get(name), bases.get(name)
        cells[name] = shown(metric) if metric else ABSENT
        if metric and base:
            value = metric.value - base.value
            cells[name] += f"\n{number(name, value, intervals.get(name), sign=True)}"
    return cells
