"""A search for settings, and masking curves: measured once, kept, written and drawn."""

import csv
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from emovec.privacy.curves import Point, masking_curve
from emovec.privacy.search import (
    MASKED_GROUPS,
    Setting,
    best_setting,
    grid_of,
    measure_settings,
)
from emovec.privacy.selection import CHANCE, Measures
from emovec.report.figures import save_figure
from emovec.report.pair_run import save_svg
from emovec.report.privacy_figures import masking_curves, trade_off
from emovec.report.privacy_study import Study
from emovec.tables.files import write_atomically

logger = logging.getLogger(__name__)

MAIN = "lrvae"
CURVES = {MAIN: "LR-VAE", "avae_emotion": "A-VAE, PP-SER", "avae_identity": "A-VAE, PP-SV"}


def search_settings(study: Study, search: Mapping[str, Sequence[Any]]) -> list[Setting]:
    """All settings of a search, written and drawn; what an earlier run has measured is read.

    Args:
        study: whose first seed is taken
        search: values by name, see ``emovec.privacy.search.grid_of``
    """
    grid, training, seed = grid_of(search), study.plan.training(MAIN), study.plan.seeds[0]
    counts = search.get(MASKED_GROUPS, [study.plan.masked_groups])
    found: list[Setting] = []
    for number, values in enumerate(grid, start=1):
        path = study.folder / "search" / f"{number}.json"
        if not path.is_file():
            splits = study.splits["train"], study.splits["valid"]
            settings = measure_settings(training, values, counts, *splits, seed)
            _write_json(path, [asdict(setting) for setting in settings])
        for row in _read_json(path):
            measures = {name: Measures(*of) for name, of in row["measured"].items()}
            found.append(Setting(row["values"], measures, row["guessed_f1"]))
        least = best_setting(found).shortfall
        logger.info("search, %d of %d: %s; least shortfall %.3f", number, len(grid), values, least)
    _write_settings(study.folder / "search.csv", found)
    _save(study.folder, "trade_off", trade_off(found, best_setting(found)))
    return found


def draw_curves(
    study: Study, systems: Sequence[str], counts: Sequence[int] | None, guessed_f1: float
) -> None:
    """Masking curves of the first seed of trained systems, written and drawn.

    Args:
        study: of trained systems
        systems: names; of those without a curve there is none
        counts: of masked groups; None: from 0 to all
        guessed_f1: of the most frequent emotion
    """
    drawn = [name for name in CURVES if name in systems]
    if not drawn:
        return
    curves = {name: _curve(study, name, counts) for name in drawn}
    with write_atomically(study.folder / "masking.csv") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["system", "keep", "masked_groups", "weighted_f1", "eer"])
        for system, points in curves.items():
            for keep, count, (f1, rate) in points:
                rows.writerow([system, keep, count, f"{f1:.6g}", f"{rate:.6g}"])
    named = {CURVES[name]: points for name, points in curves.items()}
    _save(study.folder, "masking", masking_curves(named, Measures(guessed_f1, CHANCE)))


def _curve(study: Study, system: str, counts: Sequence[int] | None) -> list[Point]:
    """Of a system; what an earlier run has measured is read."""
    path = study.folder / "curves" / f"{system}.json"
    if not path.is_file():
        seed = study.plan.seeds[0]

        def tell(point: Point) -> None:
            logger.info("curve of %s: keeps %s, %d masked", system, point.keep, point.masked_groups)

        model = study.model(system, seed)
        _write_json(path, masking_curve(model, study.splits, seed, counts=counts, progress=tell))
    return [Point(keep, count, Measures(*of)) for keep, count, of in _read_json(path)]


def _write_settings(path: Path, settings: Sequence[Setting]) -> None:
    """A row for each setting, of validation speakers; the chosen one is marked."""
    best = best_setting(settings)
    representations = list(best.measured)
    header = [*best.values]
    header += [f"{of}/{measure}" for of in representations for measure in ("weighted_f1", "eer")]
    with write_atomically(path) as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow([*header, "majority/weighted_f1", "shortfall", "chosen"])
        for setting in settings:
            numbers = [value for of in representations for value in setting.measured[of]]
            numbers += [setting.guessed_f1, setting.shortfall]
            cells = [f"{number:.6g}" for number in numbers]
            rows.writerow([*setting.values.values(), *cells, int(setting is best)])


def _save(folder: Path, name: str, figure: Figure) -> None:
    """Write a figure as PNG and SVG."""
    save_figure(figure, folder / "figures" / f"{name}.png")
    save_svg(figure, folder / "figures" / f"{name}.svg")


def _write_json(path: Path, content: Any) -> None:
    with write_atomically(path) as file:
        json.dump(content, file, indent=1)


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
