"""Embeddings of any number of clips as a folder of shards, which goes on where it was stopped.

Shapes: N rows, E embedding.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from emovec.encoders.base import Encoder
from emovec.encoders.forward import Read, Vector, by_length, embed_ahead
from emovec.encoders.onnx_engine import OnnxEncoder, uses_onnx
from emovec.encoders.onnx_export import weights_checksum
from emovec.encoders.pieces import Clips, make_windows
from emovec.encoders.precision import Compute
from emovec.encoders.shard_run import ShardRun
from emovec.errors import AudioError, EmovecError, HparamError
from emovec.metrics.pair_blocks import ALONE, Processes
from emovec.tables.embedding_shards import ShardWriter
from emovec.tables.embeddings import Extraction
from emovec.tables.leaks import listed
from emovec.tables.manifest import Utterance
from emovec.tables.provenance import versions

SHARD_CLIPS = 500
Value = TypeVar("Value")


def extract_table(
    encoder: Encoder,
    utterances: Sequence[Utterance],
    root: Path,
    folder: Path,
    *,
    name: str,
    licence: str = "",
    checksum: str = "",
    manifest_hash: str = "",
    settings: Mapping[str, Any] | None = None,
    device: str = "cpu",
    precision: str = "fp32",
    workers: int | None = None,
    window: float | None = None,
    hop: float | None = None,
    on_error: str = "stop",
    shard_clips: int = SHARD_CLIPS,
    processes: Processes = ALONE,
    progress: Callable[[int], object] | None = None,
) -> Extraction:
    """Embeddings of clips as a table in a folder, see :mod:`emovec.tables.embedding_shards`.

    What is there of the same run is kept. However often it is stopped, and whatever the number of
    threads and processes, it ends with the same bytes. Clips that are too short, or in which
    nothing is heard, are skipped and listed.

    With windows there is a row "clip@start" for each window that lies wholly inside a clip, with
    the columns clip, and start and stop in seconds from the clip's beginning.

    Args:
        encoder: is moved to the device; its modes are given back as they were; one of ONNX takes
            as many cores in each thread as it was made with
        utterances: clips, each id once
        root: folder that their paths are relative to
        folder: of the table; empty, or of the same run
        name: of the model, as a user would give it
        licence: what the embeddings may be used for
        checksum: SHA-256 of the model's weights; "": it is taken
        manifest_hash: of the clips
        settings: what else moves numbers, JSON values
        device: "cpu", "cuda", "cuda:1", ..., or "mps"
        precision: "fp32", or "bf16" by autocast
        workers: threads that read and, on a CPU, compute; None: as many as there are cores
        window: seconds of a window; None: whole clips, of at most ``LONGEST`` of
            :mod:`emovec.audio.clips`
        hop: seconds from one window to the next; None: ``window``
        on_error: at a file that cannot be read "stop", or "skip" it and list it as failed; a run
            that goes on with "stop" tries again what had failed before
        shard_clips: most clips of a shard
        processes: that share the shards
        progress: called with numbers of clips that are done, by each process with its own

    Returns:
        what came out, the same for all processes

    Raises:
        AudioError: if a file cannot be read, or lasts too long
        EmbeddingError: if the folder holds another run, or an embedding has NaN
        HparamError: if there are no clips, an id occurs twice, or an option is impossible
        StorageError: if the folder cannot be written; the same call then goes on
    """
    compute = Compute.of(device, precision, workers, processes.count)
    _check(encoder, utterances, precision, on_error, shard_clips)
    windows = make_windows(encoder, window, hop)
    clips = Clips(utterances, root, encoder.sample_rate, windows, shard_clips)
    if on_error == "stop" or windows is not None:
        clips.check()
    run = ShardRun(encoder, clips, clips.shards(), compute, on_error == "skip", progress)
    plan = Extraction(
        encoder=name,
        encoder_checksum=checksum or _checksum(encoder),
        sample_rate=encoder.sample_rate,
        embedding_size=encoder.embedding_size,
        licence=licence,
        manifest_hash=manifest_hash,
        expected=len(utterances),
        shards=len(run.shards),
        versions=_versions(encoder),
        settings={**run.settings(), **(settings or {})},
    )
    left = _on_first(processes, lambda: run.left(ShardWriter(folder, plan)))
    writer = ShardWriter(folder, plan)
    if processes.rank == 0:
        run.tell(set(range(len(run.shards))) - set(left))
    run.write(writer, left[processes.rank :: processes.count])
    processes.gather(None)  # all have written
    return _on_first(processes, writer.finish)


def embed_clips(
    encoder: Encoder, waves: Sequence[Vector], *, device: str = "cpu"
) -> NDArray[np.float32]:
    """Embeddings of clips in memory.

    Args:
        encoder: is moved to the device; its modes are given back as they were
        waves: N of (T_i,) float32 in [-1, 1] at the encoder's sample rate
        device: "cpu", "cuda", "cuda:1", ..., or "mps"

    Returns:
        (N, E)

    Raises:
        AudioError: if a clip is too short, or nothing is heard in it
        HparamError: if there is no such device
    """
    compute = Compute.of(device)
    found: dict[int, Vector] = {}
    batches = by_length([len(w) / encoder.sample_rate for w in waves], compute.batch_seconds)
    compute = compute.for_batches(len(batches))

    def pick(rows: list[int]) -> Read[int]:
        return Read(rows, [waves[row] for row in rows])

    for _, embedded in embed_ahead(encoder, batches, pick, compute):
        for row, reason in embedded.reasons.items():
            raise AudioError(f"clip {row}: {reason}; expected speech. Leave the clip out.")
        found |= embedded.vectors
    table = [found[row] for row in range(len(waves))]
    return np.array(table, dtype=np.float32).reshape(len(waves), encoder.embedding_size)


def _check(
    encoder: Encoder,
    utterances: Sequence[Utterance],
    precision: str,
    on_error: str,
    shard_clips: int,
) -> None:
    if on_error not in ("stop", "skip"):
        raise HparamError(f"on_error is '{on_error}'; expected 'stop' or 'skip'. Correct it.")
    if shard_clips < 1:
        raise HparamError(f"shard_clips is {shard_clips}; expected at least 1. Correct it.")
    if precision != "fp32" and uses_onnx(encoder):
        raise HparamError(f"precision is '{precision}'; ONNX has fp32 only. Take it, or torch.")
    if not utterances:
        raise HparamError("extraction: no clips found; expected some. Name others.")
    twice = [id_ for id_, times in Counter(u.id for u in utterances).items() if times > 1]
    if twice:
        raise HparamError(f"extraction: {listed(twice, 'ids occur twice')}; expected each once.")


def _on_first(processes: Processes, work: Callable[[], Value]) -> Value:
    """What the first process makes of some work, or its error, for all of them."""
    outcome: Value | EmovecError | None = None
    if processes.rank == 0:
        try:
            outcome = work()
        except EmovecError as error:
            outcome = error
    shared = processes.gather(outcome)[0]
    if isinstance(shared, EmovecError):
        raise shared
    return shared


def _checksum(encoder: Encoder) -> str:
    """Of the weights; of an exported encoder of those that it was made from."""
    if isinstance(encoder, OnnxEncoder):
        return encoder.facts.weights_sha256
    return weights_checksum(encoder)


def _versions(encoder: Encoder) -> dict[str, str]:
    if not uses_onnx(encoder):
        return versions()
    return {**versions(), "onnxruntime": metadata.version("onnxruntime")}
