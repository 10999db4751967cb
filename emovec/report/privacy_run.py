"""All of a run on emotion and identity: search, systems, curves; and what it leaves."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emovec.encoders.cards import read_card
from emovec.encoders.store import save_model
from emovec.privacy.search import best_setting
from emovec.report.cells import measured
from emovec.report.markdown import stamp_lines
from emovec.report.privacy_extras import MAIN, draw_curves, search_settings
from emovec.report.privacy_measures import MAJORITY
from emovec.report.privacy_study import Study
from emovec.report.privacy_tables import (
    INPUT,
    RANDOM,
    over_seeds,
    privacy_table,
    write_privacy_csv,
)
from emovec.report.published_privacy import published_notes
from emovec.tables.corpus import Skip
from emovec.tables.files import write_atomically
from emovec.tables.results import Metric, Result, write_result

logger = logging.getLogger(__name__)

CHOSEN = "chosen"  # the system of a search's best setting
Results = Mapping[str, Sequence[Result]]


@dataclass(frozen=True)
class Extras:
    """What a run does beside its systems.

    Args:
        input_name: whose published numbers to show
        curves: whether to measure masking curves
        curve_groups: numbers of masked groups on them; None: all
        search: values of settings by name; empty: none
    """

    input_name: str
    curves: bool
    curve_groups: Sequence[int] | None
    search: Mapping[str, Sequence[Any]]


def run_study(study: Study, extras: Extras, skipped: Sequence[Skip]) -> Result:
    """Train, attack and write all, the result last: it marks a run as complete.

    Args:
        study: systems on clips
        extras: what else is done
        skipped: clips without a vector, and why
    """
    trainings = {name: study.plan.training(name) for name in study.plan.systems}
    notes = published_notes(extras.input_name, study.clips.info.name)
    if extras.search:
        best = best_setting(search_settings(study, extras.search))
        trainings[CHOSEN] = study.plan.training(MAIN).with_values(best.values)
        notes.append(
            f"{CHOSEN}: {dict(best.values)}, of which validation speakers lack the least of four "
            f"goals, {best.shortfall:.3f}; search.csv has all settings"
        )
    results = study.results(trainings)
    if extras.curves:
        guessed = measured(results[INPUT], MAJORITY)[0].value
        draw_curves(study, list(trainings), extras.curve_groups, guessed)
    main = next(name for name in (CHOSEN, MAIN, *trainings) if name in trainings)
    result = Result(
        study.facts(None),
        tuple(_metrics(results, main)),
        (*study.clips.skipped, *skipped),
        (*study.clips.warnings, *study.warnings),
    )
    _write(study, main, result, results, extras.input_name, notes)
    return result


def _metrics(results: Results, main: str) -> list[Metric]:
    """Means over seeds of all systems, those of the main one also without its name."""
    metrics = []
    for name, seeds in results.items():
        prefix = "baseline_" if name in (INPUT, RANDOM) else "variant_"
        for metric in (metric.metric for metric in seeds[0].metrics):
            mean = over_seeds(measured(seeds, metric), metric)
            if metric != MAJORITY:
                metrics.append(over_seeds([mean], f"{prefix}{name}/{metric}"))
                metrics += [mean] if name == main else []
            elif name == INPUT:
                metrics.append(over_seeds([mean], f"baseline_{metric}"))
    return metrics


def _write(
    study: Study,
    main: str,
    result: Result,
    results: Results,
    input_name: str,
    notes: Sequence[str],
) -> None:
    """Table, model folder and result."""
    model = study.part(main, study.plan.seeds[0]) / "model"
    save_model(study.folder / "model", study.model(main, study.plan.seeds[0]), read_card(model))
    facts = result.run
    lines = [f"# LR-VAE on {facts.corpus}, {facts.protocol}: {input_name}", ""]
    lines += [f"Made by `{facts.command}`.", "", *stamp_lines([result])]
    lines += [f"- {note}" for note in (*notes, *result.warnings)]
    text = "\n".join([*lines, "", privacy_table(results, input_name)])
    with write_atomically(study.folder / "table.md") as file:
        file.write(text)
    write_privacy_csv(study.folder / "table.csv", results, input_name)
    write_result(study.folder / "result.json", result)
    logger.info("%s", text)
    logger.info("written to %s: table.md, table.csv, figures/, model/, result.json", study.folder)
