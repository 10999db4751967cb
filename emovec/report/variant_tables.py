"""Tables of papers in Markdown: every variant with ours and the published numbers beside."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from emovec.report.cells import commit_cell, count_cell, measured, table, value_cell
from emovec.report.markdown import MAIN_METRICS, metric_cells, stamp_lines
from emovec.tables.results import Result

NOT_RUN = "not run"


@dataclass(frozen=True)
class Variant:
    """A row of a paper's table.

    Attributes:
        name: as in the recipe
        note: what it differs by
        published: values by metric name, or by "<corpus>/<condition>" or "<corpus>/<metric>", in
            the unit of the metric: shares, no percentages
    """

    name: str
    note: str
    published: Mapping[str, float]


@dataclass(frozen=True)
class Column:
    """A column of a paper's table.

    Attributes:
        heading: above it; published numbers are by it
        metric: that it shows
        condition: whose results it shows; "" in a table without
    """

    heading: str
    metric: str
    condition: str = ""


def variant_table(
    variants: Sequence[Variant], results: Mapping[str, Sequence[Result]], published_corpus: str
) -> str:
    """Every variant of a paper's table, each published metric with ours beside.

    Args:
        variants: rows, in the paper's order
        results: the seeds of each variant by its name; a missing one is shown as not run, and two
            variants may have the same results
        published_corpus: what the published numbers were measured on
    """
    published = dict.fromkeys(metric for variant in variants for metric in variant.published)
    columns = sorted(published, key=_main_first)
    found = [result for variant in variants for result in results.get(variant.name, ())]
    header = ["variant", "differs by", "seeds"]
    header += [cell for metric in columns for cell in (metric, "published")]
    rows = []
    for variant in variants:
        seeds = results.get(variant.name, ())
        row = [variant.name, variant.note, str(len(seeds)) if seeds else NOT_RUN]
        for metric in columns:
            row += [value_cell(measured(seeds, metric)), _number(variant.published.get(metric))]
        rows.append([*row, *metric_cells(seeds, columns)[len(columns) :], commit_cell(seeds)])
    header += ["clips", "speakers", "commit"]
    lines = [*_corpus_warning(found, [published_corpus]), *stamp_lines(found)]
    lines.append(
        "Ours: mean over seeds, [95 % interval over test speakers, its ends averaged over seeds], "
        "(lowest to highest seed)."
    )
    return "\n".join([*lines, "", table(header, rows)])


def condition_table(
    variants: Sequence[Variant],
    conditions: Sequence[str],
    metric: str,
    results: Mapping[str, Sequence[Result]],
) -> str:
    """Every variant of a paper's table in each condition, the published numbers beside.

    Args:
        variants: rows, in the paper's order; published by "<corpus>/<condition>"
        conditions: columns
        metric: that is shown, a mean over folds
        results: the seeds of each "<variant>/<condition>", with the list "folds" in the hparams; a
            missing one is shown as not run
    """
    columns = [Column(condition, metric, condition) for condition in conditions]
    ours = (
        f"Ours: {metric}, mean over folds, then over seeds, [95 % interval over test speakers, its "
        "ends averaged over seeds], (lowest to highest seed)."
    )
    notes = corpus_notes(variants, results)
    return "\n".join([*notes, ours, "", column_table(variants, columns, results)])


def column_table(
    variants: Sequence[Variant],
    columns: Sequence[Column],
    results: Mapping[str, Sequence[Result]],
    over_folds: bool = True,
) -> str:
    """Every variant of a paper's table, the published number beside each column.

    Those of the corpus that ours are measured on; where there are none, those of all corpora.

    Args:
        variants: rows, in the paper's order; published by "<corpus>/<heading>" of a column
        columns: what is shown
        results: the seeds of each "<variant>/<condition>", or "<variant>" without a condition,
            with the list "folds" in the hparams; a missing one is shown as not run
        over_folds: whether there are any folds
    """
    ours = {result.run.corpus for seeds in results.values() for result in seeds}
    headings = {column.heading for column in columns}
    published = [key.split("/", 1) for variant in variants for key in variant.published]
    corpora = list(dict.fromkeys(corpus for corpus, heading in published if heading in headings))
    shown = [corpus for corpus in corpora if ours == {corpus}] or corpora
    header = ["variant", "differs by", "seeds", *(["folds"] if over_folds else [])]
    for column in columns:
        header += [column.heading, *(f"published, {corpus}" for corpus in shown)]
    rows = []
    for variant in variants:
        by_column = [results.get(run_name(variant.name, c.condition), ()) for c in columns]
        of_row = [result for seeds in by_column for result in seeds]
        seed_counts = count_cell(len(seeds) for seeds in by_column if seeds)
        row = [variant.name, variant.note, seed_counts or NOT_RUN]
        row += [count_cell(_folds(result) for result in of_row)] if over_folds else []
        for column, seeds in zip(columns, by_column, strict=True):
            row.append(value_cell(measured(seeds, column.metric)))
            row += [_number(variant.published.get(f"{of}/{column.heading}")) for of in shown]
        metrics = list(dict.fromkeys(column.metric for column in columns))
        counts = metric_cells(of_row, metrics)[len(metrics) :]
        rows.append([*row, *counts, commit_cell(of_row)])
    return table([*header, "clips", "speakers", "commit"], rows)


def corpus_notes(variants: Sequence[Variant], results: Mapping[str, Sequence[Result]]) -> list[str]:
    """Lines of what a reader must know: other corpora than the published ones, and stamps.

    Args:
        variants: rows; published by "<corpus>/..."
        results: the seeds of each
    """
    found = [result for seeds in results.values() for result in seeds]
    corpora = dict.fromkeys(key.split("/")[0] for v in variants for key in v.published)
    return [*_corpus_warning(found, list(corpora)), *stamp_lines(found)]


def run_name(variant: str, condition: str) -> str:
    """Name of a variant's results in a condition, or without one.

    >>> run_name("frozen", "clean"), run_name("svm", "")
    ('frozen/clean', 'svm')
    """
    return f"{variant}/{condition}" if condition else variant


def _folds(result: Result) -> int:
    """How many folds a run had."""
    return len(result.run.hparams["folds"])


def _corpus_warning(results: Iterable[Result], published: Sequence[str]) -> list[str]:
    others = sorted({result.run.corpus for result in results} - set(published))
    if not others:
        return []
    return [
        f"> **Measured on {', '.join(others)}, not on {' or '.join(published)} as the published "
        "numbers: compare the order of the rows, not the columns.**",
        "",
    ]


def _main_first(metric: str) -> int:
    """Place of a column: main metrics in their order, then others as they come."""
    return MAIN_METRICS.index(metric) if metric in MAIN_METRICS else len(MAIN_METRICS)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
