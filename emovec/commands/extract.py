"""``emovec extract``, and what it shares with recipes/embeddings/extract.py."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from emovec.commands.opened import KEEPS, open_models
from emovec.commands.shared import (
    MODEL_HELP,
    PATH,
    USUAL_ENCODER_HELP,
    device_option,
    json_option,
    note,
    print_json,
    progress,
    shown,
    torchrun_processes,
    usual_encoder,
)

if TYPE_CHECKING:
    from emovec.audio.inputs import Collected
    from emovec.loaded import Engine
    from emovec.metrics.pair_blocks import Processes
    from emovec.tables.corpus import Skip
    from emovec.tables.embeddings import Extraction
    from emovec.tables.manifest import Utterance

PRECISIONS = ("fp32", "bf16")
ENGINES = ("torch", "onnx")


@click.command(short_help="Embeddings of files, folders or a manifest.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--encoder", help=f"{MODEL_HELP} {USUAL_ENCODER_HELP}")
@click.option("--output", required=True, type=PATH, help="Folder of shards.")
@click.option("--precision", default="fp32", type=click.Choice(PRECISIONS), show_default=True)
@click.option(
    "--engine",
    default="torch",
    type=click.Choice(ENGINES),
    show_default=True,
    help="onnx: by onnxruntime on the CPU, an extra.",
)
@click.option("--then", help="A model that hides one of emotion and identity: see --keep.")
@click.option("--keep", type=click.Choice(KEEPS), help="What --then leaves in the embeddings.")
@click.option("--masked_groups", type=click.IntRange(min=0), help="Of --then. Default: half.")
@device_option
@click.option("--workers", type=click.IntRange(min=1), help="Threads. Default: as many as cores.")
@click.option("--window", type=float, help="Seconds of an embedding. Default: whole clips.")
@click.option("--hop", type=float, help="Seconds between starts of windows. Default: the window.")
@click.option(
    "--on_error",
    default="stop",
    type=click.Choice(["stop", "skip"]),
    show_default=True,
    help="What to do on a clip that cannot be read; skip lists it.",
)
@click.option(
    "--allow_failures",
    default=0,
    type=click.IntRange(min=0),
    help="End with 0 if at most so many clips fail.",
)
@json_option
def extract(
    inputs: Sequence[str],
    encoder: str | None,
    output: Path,
    allow_failures: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Write embeddings of audio as a folder of shards; ends with 1 if a clip fails.

    INPUT is audio files, folders or globs in quotes; or one manifest. A run that was killed goes on
    where it stopped when it is started again, to the same table; Ctrl-C ends it with 130.
    Of a model that predicts, embeddings are what its output layers take. With --then they go
    through a model of recipes/privacy/train.py first: no guarantee of anonymity. Several processes
    share the work: torchrun --nproc_per_node=2 -m emovec.cli extract ...
    """
    with torchrun_processes() as processes:
        chosen = encoder or usual_encoder(talk=processes.rank == 0)
        found = extract_all(inputs, chosen, output, processes=processes, **options)
        if as_json and processes.rank == 0:
            unread = [asdict(skip) for skip in found.unread]
            print_json({"output": str(output), **asdict(found.extraction), "unread": unread})
        found.check(allow_failures)


@dataclass(frozen=True)
class Outcome:
    """What an extraction has left.

    Attributes:
        extraction: of the clips
        unread: files that were named and are in no format that is read
    """

    extraction: "Extraction"
    unread: tuple["Skip", ...]

    def check(self, allowed: int) -> None:
        """Raise where more files failed than may.

        Raises:
            AudioError: how many
        """
        from emovec.errors import AudioError

        failed = self.extraction.failed + len(self.unread)
        if failed > allowed:
            raise AudioError(
                f"{failed} of {self.extraction.expected + len(self.unread)} clips failed; expected "
                f"at most {allowed}. Mend them and extract into another folder, or pass "
                "--allow_failures."
            )


def extract_all(
    inputs: Sequence[str],
    encoder: str | Path,
    output: Path,
    *,
    engine: "Engine",
    device: str | None,
    processes: "Processes",
    then: str | None = None,
    keep: str | None = None,
    masked_groups: int | None = None,
    **options: Any,
) -> Outcome:
    """Embeddings of all inputs in a folder of shards; says on standard error what becomes of them.

    Args:
        inputs: as ``emovec.audio.inputs.collect`` takes them
        encoder: a model, by name; or the folder of one that comes along
        output: folder of shards; one of the same run goes on
        engine: "torch" or "onnx"
        device: where it runs; None: a GPU if there is one
        processes: that share the work; the first of them talks
        then: a model that embeddings go through before they are written, by name; None: none
        keep: what it leaves: "emotion", "identity" or "all"
        masked_groups: how many it masks; None: half
        options: of ``emovec.encoders.extraction.extract_table``

    Raises:
        AudioError: if an input is missing or, unless ``on_error`` is "skip", cannot be read
        EmbeddingError: if the folder holds another run
        HparamError: if an option is impossible, or onnxruntime is missing
        ManifestError: if a manifest cannot be read
        ModelError: if there is no such encoder
        StorageError: if the folder cannot be written
    """
    from emovec.audio.inputs import collect
    from emovec.encoders.extraction import extract_table

    opened = open_models(encoder, engine, device, then, keep, masked_groups)
    clips = collect(inputs)
    longest = None if options.get("window") else opened.max_seconds
    if processes.rank == 0:
        _say_before(output, clips, opened.told, longest)
    with (
        _stoppable(output, clips, processes),
        progress(len(clips.utterances), "clips", processes) as advance,
    ):
        found = extract_table(
            opened.embedder,
            _cut(clips.utterances, longest),
            clips.root,
            output,
            name=shown(encoder),
            manifest_hash=clips.manifest_hash,
            device=_device(engine, device),
            processes=processes,
            progress=advance,
            **opened.facts,
            **options,
        )
    if processes.rank == 0:
        _say_after(output, found)
    return Outcome(found, clips.skipped)


def _cut(clips: "list[Utterance]", max_seconds: float | None) -> "list[Utterance]":
    """Clips no longer than a model takes them, as ``emovec.load(...).embed`` cuts them."""
    if max_seconds is None:
        return clips
    return [
        replace(clip, stop=(clip.start or 0.0) + max_seconds, duration=max_seconds)
        if clip.duration > max_seconds
        else clip
        for clip in clips
    ]


@contextmanager
def _stoppable(output: Path, clips: "Collected", processes: "Processes") -> Iterator[None]:
    """Where Ctrl-C ends a run, a line on what it leaves; 130, as of a shell's programs."""
    try:
        yield
    except KeyboardInterrupt:
        if processes.rank == 0:
            done, total = _done(output), len(clips.utterances)
            note(f"stopped: {done} of {total} clips are done: {output}; the same command goes on")
        raise SystemExit(130) from None


def _done(output: Path) -> int:
    """Clips of shards that are done."""
    from emovec.tables.embedding_marks import EXTRACT, read_extraction, read_marks, with_outcome

    if not (output / EXTRACT).is_file():
        return 0
    run = read_extraction(output)
    outcome = with_outcome(run, read_marks(output, run))
    return outcome.written + outcome.failed + outcome.skipped


def _say_before(
    output: Path, clips: "Collected", warnings: Sequence[str], max_seconds: float | None
) -> None:
    """What there is to do, and what of it is done already."""
    from emovec.tables.embedding_marks import EXTRACT, read_extraction

    for warning in warnings:
        note(f"warning: {warning}")
    for skip in clips.skipped:
        note(f"failed: {skip.id}: {skip.reason}")
    note(f"{len(clips.utterances)} clips below {clips.root}")
    if (output / EXTRACT).is_file():
        shards = read_extraction(output).shards
        done = sum(1 for _ in output.glob("*.done"))
        note(f"{output}: {done} of {shards} shards are there already")
    if max_seconds is not None:
        note(f"clips are cut at {max_seconds:g} s, the length that the model was trained on")


def _say_after(output: Path, found: "Extraction") -> None:
    """What became of the clips."""
    for kind, skips in (("failed", found.failures), ("skipped", found.skips)):
        for skip in skips:
            note(f"{kind}: {skip.id}: {skip.reason}")
    counts = f"{found.written} written, {found.failed} failed, {found.skipped} skipped"
    note(f"{counts} of {found.expected} clips: {output}")


def _device(engine: str, device: str | None) -> str:
    """Where this process computes: of several GPUs each process of ``torchrun`` has its own."""
    from emovec.loaded import checked_device

    place = checked_device("cpu" if engine == "onnx" else device)
    local = os.environ.get("LOCAL_RANK")
    return f"cuda:{local}" if place == "cuda" and local else place
