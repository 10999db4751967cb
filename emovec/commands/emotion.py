"""``emovec emotion``."""

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
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
    shown,
    stamps,
    table_lines,
)

if TYPE_CHECKING:
    from emovec.tables.corpus import Skip


@click.command(short_help="Affect and emotion of files, folders or a manifest.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--model", help=f"{MODEL_HELP} Default: affect-small, which comes along.")
@click.option("--csv", "csv_file", type=PATH, help="Write all numbers as a table.")
@device_option
@json_option
def emotion(
    inputs: Sequence[str],
    model: str | None,
    csv_file: Path | None,
    device: str | None,
    as_json: bool,
) -> None:
    """Affect and emotion of audio files, as a model hears them; ends with 1 if it cannot hear one.

    INPUT is audio files, folders or globs in quotes; or one manifest, whose ids are then the names.
    Affect is on the scale of the corpus that the model was trained on. Files of any rate, channels
    and format that soundfile reads are cut at the length that it was trained on.
    """
    from emovec import api

    if as_json and csv_file:
        raise click.UsageError("--json and --csv found; expected one of them.")
    chosen = model_name(model) if model else _usual_model()
    name = shown(chosen)
    predictor = api.load_of_clips(chosen, device=device)
    if isinstance(predictor, api.EncoderModel):
        raise click.UsageError(
            f"--model={name} holds an encoder, which predicts nothing; expected a model of affect "
            "or emotions, such as recipes/ser/train.py trains."
        )
    scale = getattr(predictor, "affect_scale", None)
    warnings = stamps(predictor.card)
    clips, failures = _find(inputs)
    predictions, unheard = _predict(predictor, clips)
    failures += unheard
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


def _usual_model() -> Path:
    """The folder of the model where none is named; says which, and how to choose another.

    Raises:
        ModelError: if it does not come with this release
    """
    from emovec.encoders.locating import USUAL_PREDICTOR, usual

    folder = usual(USUAL_PREDICTOR, "--model, such as the run folder of recipes/ser/train.py")
    note(
        f"model: {folder.name}, small, comes along. Others: --model, such as a large one that "
        "recipes/ser/train.py hparams/emosphere_large.yaml trains"
    )
    return folder


@dataclass(frozen=True)
class _Clip:
    """A file, or a stretch of one.

    Attributes:
        name: what the answer calls it
        path: of the file
        start: seconds; None: its beginning
        stop: seconds; None: its end
    """

    name: str
    path: str
    start: float | None = None
    stop: float | None = None


def _find(inputs: Sequence[str]) -> tuple[list[_Clip], list["Skip"]]:
    """Clips in order of the inputs, each once, and what is not there or is not read."""
    from emovec.audio.inputs import collect
    from emovec.errors import AudioError
    from emovec.tables.corpus import Skip

    clips, failures = dict[_Clip, None](), list[Skip]()
    if any(Path(name).suffix.lower() == ".csv" for name in inputs):
        collect(inputs)  # a manifest stands alone, or is refused
    for name in inputs:
        if Path(name).is_file() and Path(name).suffix.lower() != ".csv":
            clips[_Clip(name, name)] = None  # what it is, reading tells
            continue
        try:
            found = collect([name])
        except AudioError as error:
            failures.append(Skip(name, str(error)))
            continue
        for clip in found.utterances:
            path = os.path.join(found.root, clip.path)
            shown = path if os.path.isabs(name) else os.path.relpath(path)
            id_ = clip.id if found.is_manifest else shown
            clips[_Clip(id_, shown, clip.start, clip.stop)] = None
        failures += found.skipped
    return list(clips), failures


def _predict(predictor: Any, clips: Sequence[_Clip]) -> tuple[list[dict[str, Any]], list["Skip"]]:
    """Predictions as rows, and clips that cannot be heard."""
    from emovec.errors import AudioError
    from emovec.metrics.pair_blocks import ALONE
    from emovec.tables.corpus import Skip

    rows, failures = [], []
    with progress(len(clips), "clips", ALONE) as advance:
        for clip in clips:
            try:
                rows.append({**asdict(_predict_one(predictor, clip)), "file": clip.name})
            except AudioError as error:
                failures.append(Skip(clip.name, str(error)))
            advance(1)
    return rows, failures


def _predict_one(predictor: Any, clip: _Clip) -> Any:
    """What is predicted of a file, or of a stretch of it.

    Raises:
        AudioError: if it cannot be read, is too short, or nothing is heard in it
    """
    from emovec.audio.loading import load
    from emovec.errors import AudioError

    if clip.start is None and clip.stop is None:
        return predictor.predict(clip.path)
    rate, longest = predictor.sample_rate, predictor.max_seconds
    stretch = (Path(clip.path), clip.start, clip.stop)
    wave = load(*stretch, sample_rate=rate, max_seconds=longest)
    try:
        return predictor.predict(wave, rate)
    except AudioError as error:
        raise AudioError(f"{clip.name}: {error}") from error


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
