"""Several runs side by side: metrics, differences to the first, and whether they compare."""

from collections.abc import Iterator, Sequence

from emovec.report.html_blocks import Block, Notice, Section, Table
from emovec.report.html_facts import number, shown
from emovec.report.html_runs import RunFolder
from emovec.report.markdown import MAIN_METRICS

MOST_METRICS = 12  # columns of the table that is not folded


def comparison(runs: Sequence[RunFolder]) -> Section:
    """A row for each run, a column for each metric of several runs."""
    blocks: list[Block] = [*_warnings(runs)]
    names = _common(runs)
    main = [name for name in MAIN_METRICS if name in names] or names[:MOST_METRICS]
    blocks.append(_table("Main numbers", runs, main))
    rest = [name for name in names if name not in main]
    if rest:
        blocks.append(_table(f"{len(rest)} further numbers", runs, rest, folded=True))
    return Section("Comparison", blocks)


def _warnings(runs: Sequence[RunFolder]) -> Iterator[Notice]:
    """Why numbers of the runs cannot be held against each other."""
    for what, hashes in (
        ("splits", [run.result.run.split_hash for run in runs]),
        ("labels", [run.result.run.manifest_hash for run in runs]),
    ):
        if len(set(hashes)) > 1:
            said = "; ".join(
                f"{run.name}: {found}" for run, found in zip(runs, hashes, strict=True)
            )
            yield Notice(
                "leak", f"The {what} are not the same: the runs are NOT comparable. {said}."
            )
            return
    skipped = {tuple(sorted(skip.id for skip in run.result.skipped)) for run in runs}
    if len(skipped) > 1:
        yield Notice("warning", "The runs have left out different clips.")


def _common(runs: Sequence[RunFolder]) -> list[str]:
    """Metrics that at least two runs have, in the order of the first run."""
    counts: dict[str, int] = {}
    for run in runs:
        for metric in run.result.metrics:
            counts[metric.metric] = counts.get(metric.metric, 0) + 1
    return [name for name, count in counts.items() if count > 1]


def _table(
    caption: str, runs: Sequence[RunFolder], names: Sequence[str], *, folded: bool = False
) -> Table:
    first = runs[0]
    rows = []
    for run in runs:
        cells = [run.name]
        for name in names:
            metric, base = run.result.get(name), first.result.get(name)
            cell = shown(metric) if metric else ""
            if metric and base and run is not first:
                cell += f"\n{number(name, metric.value - base.value, None, sign=True)}"
            cells.append(cell)
        rows.append(cells)
    if folded:  # many metrics: each is a row
        header = ["metric", *(run.name for run in runs)]
        turned = [[name, *column] for name, *column in zip(names, *[r[1:] for r in rows], strict=True)]
        return Table(caption, header, turned, folded=True)
    return Table(caption, ["run", *names], rows)
