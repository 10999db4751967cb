"""Tables of representations: emotion and identity in each, as printed in the paper, beside ours."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from emovec.report.cells import measured, table, value_cell
from emovec.report.privacy_measures import EER, MAJORITY, WEIGHTED_F1, WORST
from emovec.report.published_privacy import ROWS, Row, published
from emovec.tables.files import write_atomically
from emovec.tables.results import Metric, Result

INPUT, RANDOM = "input", "random"
BOUNDS = (
    Row(INPUT, "origin", "bound: the input, standardised"),
    Row(RANDOM, "origin", "bound: random vectors"),
)
COSTS = {"training/seconds": "seconds of training", "training/parameters": "parameters"}
CSV_COLUMNS = (
    *("system", "representation", "measure", "seeds", "mean", "interval_low", "interval_high"),
    *("lowest_seed", "highest_seed", "published"),
)

Results = Mapping[str, Sequence[Result]]


def rows_of(results: Results) -> list[Row]:
    """Rows of the paper's table, of further systems and of the bounds, as far as there are results.

    Args:
        results: of each system its seeds
    """
    known = {row.system for row in (*ROWS, *BOUNDS)}
    further = [
        Row(system, representation, f"{system}, {representation.replace('_', '-')}")
        for system, seeds in results.items()
        if system not in known
        for representation in _representations(seeds)
    ]
    return [row for row in (*ROWS, *further, *BOUNDS) if results.get(row.system)]


def privacy_table(results: Results, kind: str) -> str:
    """Table 1 of the paper with ours, all attackers, and costs, in Markdown.

    Args:
        results: of each system its seeds
        kind: of input, for the published numbers
    """
    parts = [
        "Ours: mean over seeds, [95 % interval over test speakers, its ends averaged over seeds], "
        "(lowest to highest seed). Shares, not percentages. PP-SER keeps emotion and is to hide "
        "speakers: a high EER; PP-SV keeps speakers and is to hide emotion: a low weighted F1.\n",
        "## Table 1: the paper's attackers\n",
        _main_table(results, published(kind)),
        "## Every attacker, and the worst of them for us\n",
        _attacker_table(results),
        "## Costs\n",
        _cost_table(results),
    ]
    return "\n".join(parts)


def write_privacy_csv(path: Path, results: Results, kind: str) -> None:
    """A row for each representation and measure; published ones only of the paper's attackers."""
    printed = published(kind)
    with write_atomically(path) as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(CSV_COLUMNS)
        for row in rows_of(results):
            for measure in _measures(results):
                found = measured(results[row.system], f"{row.representation}/{measure}")
                if found:
                    beside = printed.get(f"{row.prefix}/{measure}")
                    cells = [row.system, row.representation, measure, len(found)]
                    rows.writerow([*cells, *_numbers(found), beside])


def over_seeds(metrics: Sequence[Metric], name: str) -> Metric:
    """The mean of a metric over seeds, with the mean ends of its interval.

    >>> one = Metric("eer", 0.4, 9, 3, (0.3, 0.5))
    >>> other = Metric("eer", 0.5, 9, 3, (0.3, 0.6))
    >>> over_seeds([one, other], "eer")
    Metric(metric='eer', value=0.45, n=9, speakers=3, interval=(0.3, 0.55))
    """
    ends = [metric.interval for metric in metrics if metric.interval is not None]
    interval = None
    if len(ends) == len(metrics):
        low, high = np.mean(ends, axis=0).tolist()
        interval = (low, high)
    value = float(np.mean([metric.value for metric in metrics]))
    return Metric(name, value, metrics[0].n, metrics[0].speakers, interval)


def _main_table(results: Results, printed: Mapping[str, float]) -> str:
    header = ["representation", "seeds"]
    header += [cell for name in ("weighted F1", "EER") for cell in (name, "published")]
    if not printed:
        header = [name for name in header if name != "published"]
    rows = []
    for row in rows_of(results):
        seeds = results[row.system]
        cells = [row.label, str(len(seeds))]
        for measure in (WEIGHTED_F1, EER):
            cells.append(value_cell(measured(seeds, f"{row.representation}/{measure}")))
            if printed:
                beside = printed.get(f"{row.prefix}/{measure}")
                cells.append("" if beside is None else f"{beside:.4f}")
        rows.append(cells)
    return table(header, [*rows, *_majority(results, len(header))])


def _majority(results: Results, width: int) -> Iterator[list[str]]:
    """What a classifier comes to that always says the most frequent class."""
    found = next((measured(seeds, MAJORITY) for seeds in results.values() if seeds), [])
    if found:
        cells = ["bound: the most frequent class", "", value_cell(found[:1])]
        yield cells + [""] * (width - len(cells))


def _attacker_table(results: Results) -> str:
    measures = _measures(results)
    rows = [
        [row.label]
        + [
            value_cell(measured(results[row.system], f"{row.representation}/{measure}"))
            for measure in measures
        ]
        for row in rows_of(results)
    ]
    return table(["representation", *map(_heading, measures)], rows)


def _heading(measure: str) -> str:
    """Name of a measure for readers.

    >>> _heading("eer"), _heading("weighted_f1_svm"), _heading("eer_worst")
    ('EER', 'weighted F1, svm', 'EER, worst')
    """
    texts = {"weighted_f1": "weighted F1", "eer": "EER"}
    name = next(name for name in texts if measure.startswith(name))
    attacker = measure.removeprefix(name).lstrip("_")
    return f"{texts[name]}, {attacker}" if attacker else texts[name]


def _cost_table(results: Results) -> str:
    rows = []
    for system, seeds in results.items():
        cells = [measured(seeds, cost) for cost in COSTS]
        if all(cells):
            rows.append([system, *map(_range_cell, cells)])
    pair = [results.get(name, ()) for name in ("avae_emotion", "avae_identity")]
    if all(pair):
        sums = [
            sum(np.mean([m.value for m in measured(seeds, cost)]) for seeds in pair)
            for cost in COSTS
        ]
        rows.append(["both of A-VAE", *(f"{value:,.0f}" for value in sums)])
    return table(["system", *COSTS.values()], rows)


def _range_cell(metrics: Sequence[Metric]) -> str:
    values = [metric.value for metric in metrics]
    cell = f"{np.mean(values):,.0f}"
    if min(values) < max(values):
        cell += f" ({min(values):,.0f} to {max(values):,.0f})"
    return cell


def _measures(results: Results) -> list[str]:
    """Of emotion, then of speakers: the paper's, others, the worst."""
    names = [
        metric.metric.partition("/")[2]
        for seeds in results.values()
        for result in seeds
        for metric in result.metrics
        if metric.metric != MAJORITY
    ]
    found = list(dict.fromkeys(names))
    return [
        name
        for measure in (WEIGHTED_F1, EER)
        for name in sorted(found, key=_worst_last)
        if name.startswith(measure)
    ]


def _worst_last(measure: str) -> bool:
    return measure.endswith(WORST)


def _representations(seeds: Sequence[Result]) -> list[str]:
    order = ("origin", "identity_free", "emotion_free")
    names = {metric.metric.partition("/")[0] for result in seeds for metric in result.metrics}
    return [name for name in order if name in names]


def _numbers(metrics: Sequence[Metric]) -> list[str]:
    mean = over_seeds(metrics, "")
    low, high = mean.interval or (None, None)
    values = [metric.value for metric in metrics]
    numbers = (mean.value, low, high, min(values), max(values))
    return ["" if value is None else f"{value:.6g}" for value in numbers]
