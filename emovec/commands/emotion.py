"""``emovec emotion``."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from emovec.commands.shared import (
    MODEL_HELP,
    PATH,
    device_option,
    json_option,
    model_name,
    note,
    print_json,
    printable,
    progress,
    stamps,
    table_lines,
)

if TYPE_CHECKING:
    from emovec.tables.corpus import Skip

PREDICTING = ("affect_model", "emotion_model")  # classes of the registry


@click.command(short_help="Affect and emotion of audio files.")
@click.argument("files", nargs=-1, required=True)
@click.option("--model", help=f"{MODEL_HELP} Default: the first of `emovec models` that predicts.")
@click.option("--csv", "csv_file", type=PATH, help="Write all numbers as a table.")
@device_option
@json_option
def emotion(
    files: Sequence[str],
    model: str | None,
    csv_file: Path | None,
    device: str | None,
    as_json: bool,
) -> None:
    """Affect and emotion of audio files, as a model hears them; ends with 1 if it cannot hear one.

    Affect is on the scale of the corpus that the model was trained on. Files of any rate, channels
    and format that soundfile reads are cut at the length that it was trained on.
    """
    from emovec import api

    if as_json and csv_file:
        raise click.UsageError("--json and --csv found; expected one of them.")
    name = model_name(model or _usual_model())
    predictor = api.load(name, device=device)
    if isinstance(predictor, api.EncoderModel):
        raise click.UsageError(
            f"--model={name} holds an encoder, which predicts nothing; expected a model of affect "
            "or emotions, such as recipes/ser/train.py trains."
        )
    scale = getattr(predictor, "affect_scale", None)
    warnings = stamps(predictor.card)
    predictions, failures = _predict(predictor, files)
    for warning in warnings:
        note(f"warning: {name}: {warning}")
    for failure in failures:
        note(f"failed: {failure.reason}")
    if as_json:
        facts = {"model": name, "affect_scale": scale, "warnings": warnings}
        print_json({**facts, "predictions": predictions, "failures": list(map(asdict, failures))})
    elif csv_file:
        _write(csv_file, predictions)
        note(f"{len(predictions)} rows written to {csv_file}")
    elif predictions:
        if scale:
            click.echo("affect from {:g} to {:g}, as the model's corpus has it".format(*scale))
        for line in table_lines([_cells(prediction) for prediction in predictions]):
            click.echo(line)
    if failures:
        raise SystemExit(1)


def _usual_model() -> str:
    """The first model of the package that predicts."""
    from emovec.encoders.locating import shipped

    names = [listing.name for listing in shipped() if listing.kind in PREDICTING]
    if not names:
        raise click.UsageError(
            "no --model found, and none that predicts comes with this release; expected, for "
            "example, the run folder of recipes/ser/train.py."
        )
    return names[0]


def _predict(predictor: Any, files: Sequence[str]) -> tuple[list[dict[str, Any]], list["Skip"]]:
    """Predictions as rows, and files that cannot be heard."""
    from emovec.errors import AudioError
    from emovec.metrics.pair_blocks import ALONE
    from emovec.tables.corpus import Skip

    rows, failures = [], []
    with progress(len(files), "files", ALONE) as advance:
        for file in files:
            try:
                rows.append(asdict(predictor.predict(file)))
            except AudioError as error:
                failures.append(Skip(file, str(error)))
            advance(1)
    return rows, failures


def _cells(prediction: Mapping[str, Any]) -> dict[str, str]:
    """A row of the table for people: numbers rounded, of the classes the likeliest."""
    cells = {"file": printable(prediction["file"]).replace("\n", "\\n")}
    if "valence" in prediction:
        cells |= {name: f"{prediction[name]:.2f}" for name in ("valence", "arousal", "dominance")}
        sure = prediction["region_probability"]
        cells["region"] = f"{prediction['region']}" + ("" if sure is None else f" ({sure:.0%})")
    shares = prediction["emotions"]
    if shares:
        likeliest = max(shares, key=shares.__getitem__)
        cells["emotion"] = f"{likeliest} ({shares[likeliest]:.0%})"
    return cells


def _write(path: Path, predictions: Sequence[Mapping[str, Any]]) -> None:
    """A row a file, with a column for the probability of each class."""
    from emovec.tables.files import write_atomically

    rows = [dict(_columns(prediction)) for prediction in predictions]
    with write_atomically(path) as file:
        table = csv.DictWriter(file, list(rows[0]) if rows else ["file"], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def _columns(prediction: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in prediction.items():
        if name != "emotions":
            yield name, value
    yield from ((f"probability_{name}", share) for name, share in prediction["emotions"].items())
