"""Cells and tables in Markdown."""

from collections.abc import Iterable, Sequence

import numpy as np

from emovec.tables.results import Metric, Result


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    r"""A table; bars in cells are escaped.

    >>> print(table(["a", "b"], [["1", "x|y"]]), end="")
    | a | b |
    |---|---|
    | 1 | x\|y |
    """
    lines = [_line(header), "|" + "---|" * len(header), *map(_line, rows)]
    return "\n".join(lines) + "\n"


def measured(results: Iterable[Result], metric: str) -> list[Metric]:
    """The metric of a name of every result that has it."""
    return [found for result in results if (found := result.get(metric)) is not None]


def value_cell(metrics: Sequence[Metric]) -> str:
    """Mean value, interval and range of the same metric of several seeds.

    The interval's ends are averaged over seeds; without one interval there is none.

    >>> value_cell([Metric("ccc/mean", 0.5, 9, 3, (0.4, 0.6))])
    '0.500 [0.40, 0.60]'
    >>> value_cell([Metric("ccc/mean", 0.5, 9, 3, None), Metric("ccc/mean", 0.6, 9, 3, None)])
    '0.550 (0.500 to 0.600)'
    """
    if not metrics:
        return ""
    values = [metric.value for metric in metrics]
    cell = f"{np.mean(values):.3f}"
    intervals = [metric.interval for metric in metrics if metric.interval is not None]
    if len(intervals) == len(metrics):
        low, high = np.mean(intervals, axis=0)
        cell += f" [{low:.2f}, {high:.2f}]"
    if min(values) < max(values):
        cell += f" ({min(values):.3f} to {max(values):.3f})"
    return cell


def count_cell(counts: Iterable[int]) -> str:
    """A count, or lowest and highest where they differ.

    >>> count_cell([6, 6]), count_cell([4, 6]), count_cell([])
    ('6', '4 to 6', '')
    """
    different = sorted(set(counts))
    return " to ".join(str(count) for count in dict.fromkeys(different[:1] + different[-1:]))


def commit_cell(results: Iterable[Result]) -> str:
    """Commits, cut to ten characters, "-dirty" kept."""
    commits = dict.fromkeys(result.run.commit for result in results)
    return ", ".join(_short(commit) for commit in commits)


def _short(commit: str) -> str:
    name, dash, state = commit.partition("-")
    return name[:10] + dash + state


def _line(cells: Sequence[str]) -> str:
    escaped = (cell.replace("|", "\\|").replace("\n", " ") for cell in cells)
    return "| " + " | ".join(escaped) + " |"
