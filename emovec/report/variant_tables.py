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
        published: values by metric name, or by "<corpus>/<condition>", in the unit of the metric:
            shares, no percentages
    """

    name: str
    note: str
    published: Mapping[str, float]


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

    Those of the corpus that ours are measured on; where there are none, those of all corpora.

    Args:
        variants: rows, in the paper's order; published by "<corpus>/<condition>"
        conditions: columns
        metric: that is shown, a mean over folds
        results: the seeds of each "<variant>/<condition>", with the list "folds" in the hparams; a
            missing one is shown as not run
    """
    found = [result for seeds in results.values() for result in seeds]
    corpora = list(dict.fromkeys(key.split("/")[0] for v in variants for key in v.published))
    ours = {result.run.corpus for result in found}
    shown = [corpus for corpus in corpora if ours == {corpus}] or corpora
    header = ["variant", "differs by", "seeds", "folds"]
    for condition in conditions:
        header += [condition, *(f"published, {corpus}" for corpus in shown)]
    rows = []
    for variant in variants:
        by_condition = {name: results.get(f"{variant.name}/{name}", ()) for name in conditions}
        of_row = [result for seeds in by_condition.values() for result in seeds]
        seed_counts = count_cell(len(seeds) for seeds in by_condition.values() if seeds)
        fold_counts = count_cell(len(result.run.hparams["folds"]) for result in of_row)
        row = [variant.name, variant.note, seed_counts or NOT_RUN, fold_counts]
        for condition, seeds in by_condition.items():
            row.append(value_cell(measured(seeds, metric)))
            row += [_number(variant.published.get(f"{corpus}/{condition}")) for corpus in shown]
        rows.append([*row, *metric_cells(of_row, [metric])[1:], commit_cell(of_row)])
    header += ["clips", "speakers", "commit"]
    lines = [*_corpus_warning(found, corpora), *stamp_lines(found)]
    lines.append(
        f"Ours: {metric}, mean over folds, then over seeds, [95 % interval over test speakers, its "
        "ends averaged over seeds], (lowest to highest seed)."
    )
    return "\n".join([*lines, "", table(header, rows)])


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
