"""Embeddings of exported encoders by onnxruntime; the extra "onnx".

Shapes: B batch, T samples, F frames, M bands, E embedding.
"""

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from emovec.encoders.base import Encoder
from emovec.encoders.budget import MemoryBudget
from emovec.encoders.folders import config_faults
from emovec.encoders.onnx_export import FACTS, INPUT, OUTPUT, Facts, export_onnx, require
from emovec.encoders.store import build
from emovec.errors import HparamError, ModelError

PIECES_AT_ONCE = 16  # more are no faster, and take memory
MOST_TENSORS = 10_000  # that an encoder is made of


class OnnxEncoder(Encoder):
    """An exported encoder in the place of the one that it was made from, on the CPU.

    Its calls may come from several threads at once.

    Attributes:
        facts: what the file says of itself

    Args:
        path: a file of :func:`~emovec.encoders.onnx_export.export_onnx`
        threads: of onnxruntime for one call; None for as many as torch has in the thread that
            calls, so that calls side by side share the cores, and one alone takes all of them
        weights_sha256: of the weights that it must have been made from, as
            :func:`~emovec.encoders.onnx_export.weights_checksum` says it; None for any

    Raises:
        HparamError: if onnxruntime is not installed, or the threads are not at least 1
        ModelError: if the file is missing, no such export, or of other weights
    """

    def __init__(self, path: Path, threads: int | None = None, weights_sha256: str | None = None):
        super().__init__()
        self._sessions = _Sessions(path, threads)
        self.facts = _read_facts(path, self._session)
        if weights_sha256 not in (None, self.facts.weights_sha256):
            raise ModelError(
                f"{path}: exported from weights with checksum {self.facts.weights_sha256}; "
                f"expected {weights_sha256}. Export the encoder again."
            )
        self._front = _front(self.facts, path)
        self.embedding_size = self._front.embedding_size
        self.frame_size, self.sample_rate = self._front.frame_size, self._front.sample_rate
        self.padding_safe, self.shortest = self._front.padding_safe, self._front.shortest
        self.needs_speech, self.unheard = self._front.needs_speech, self._front.unheard
        self.eval()

    @property
    def _session(self) -> Any:
        """What runs the graph in this thread."""
        return self._sessions.get()

    def forward(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings (B, E); takes and raises what the exported encoder does."""
        features, counts = self._front.describe(waves, lengths)
        pieces = self._front.pieces(features.cpu(), counts.cpu())
        embeddings = torch.empty(len(pieces.features), self.embedding_size)
        for numbers in pieces.batches(PIECES_AT_ONCE):
            stacked = torch.stack([pieces.features[number] for number in numbers])
            (found,) = self._session.run([OUTPUT], {INPUT: stacked.numpy()})
            embeddings[numbers] = torch.from_numpy(found)
        return pieces.mean(embeddings, len(waves)).to(waves.device)

    def hears(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """Clips (B,) that have an embedding, as the exported encoder says."""
        return self._front.hears(waves, lengths)

    def class_features(self, embeddings: Tensor) -> Tensor:
        """Nothing: what classifiers take is not in the graph.

        Raises:
            ModelError: always
        """
        raise ModelError(
            "OnnxEncoder: exported without what its classifiers take; use the encoder in torch."
        )

    def arguments(self) -> dict[str, Any]:
        """Arguments that build the exported encoder again, without its weights."""
        return dict(self.facts.arguments)

    def train(self, mode: bool = True) -> "OnnxEncoder":
        """Nothing but evaluation: a graph cannot be trained."""
        return super().train(False)


def uses_onnx(encoder: Encoder) -> bool:
    """Whether an encoder, or a part of it, is run by onnxruntime."""
    return any(isinstance(part, OnnxEncoder) for part in encoder.modules())


def exported(encoder: Encoder, threads: int | None = None) -> OnnxEncoder:
    """The same encoder run by onnxruntime, from a file that is gone once it is read.

    Args:
        encoder: in evaluation mode
        threads: as of :class:`OnnxEncoder`

    Raises:
        HparamError: if onnx or onnxruntime is not installed
        ModelError: if it cannot be exported
    """
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder, "encoder.onnx")
        export_onnx(encoder, path)
        return OnnxEncoder(path, threads)


class _Sessions:
    """Sessions of one file by their threads: that of one thread, and the latest of several.

    Args:
        path: of the file, which may be gone afterwards
        threads: of all calls; None: of torch in the thread that asks
    """

    def __init__(self, path: Path, threads: int | None) -> None:
        require("onnxruntime")
        if threads is not None and threads < 1:
            raise HparamError(
                f"OnnxEncoder: threads is {threads}; expected at least 1. Correct it."
            )
        if not path.is_file():
            raise ModelError(f"{path}: no such file; expected an exported encoder. Check the path.")
        self._path, self._content, self._threads = path, path.read_bytes(), threads
        self._lock = Lock()
        self._open: dict[int, Any] = {}

    def get(self) -> Any:
        """The session for a call, opened if there is none."""
        threads = self._threads or torch.get_num_threads()
        with self._lock:
            if threads not in self._open:
                kept = {n: session for n, session in self._open.items() if 1 in (n, threads)}
                self._open = {**kept, threads: _open(self._path, self._content, threads)}
            return self._open[threads]


def _open(path: Path, content: bytes, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3  # errors
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    # Not one class: onnxruntime has a dozen, without a common one below Exception
    except Exception as error:
        raise ModelError(
            f"{path}: cannot be opened by onnxruntime ({error}). Export the encoder again."
        ) from error


def _read_facts(path: Path, session: Any) -> Facts:
    try:
        facts = Facts(**json.loads(session.get_modelmeta().custom_metadata_map[FACTS]))
        return replace(facts, arguments=dict(facts.arguments))
    except (KeyError, ValueError, TypeError) as error:
        raise ModelError(
            f"{path}: says nothing of an encoder ({error!r}); expected a file of `emovec`. "
            "Export the encoder again."
        ) from error


def _front(facts: Facts, path: Path) -> Any:
    """The encoder with neither weights nor the memory that they take: only its front end is used.

    Raises:
        ModelError: if there is none such
    """
    description = {"class": facts.encoder, "arguments": facts.arguments}
    faults = config_faults(description, path)
    if faults:
        raise ModelError(faults[0])
    size = torch.empty(path.stat().st_size, dtype=torch.uint8, device="meta")
    with MemoryBudget([size], spare_tensors=MOST_TENSORS):
        encoder = build(description, path)
    if not isinstance(encoder, Encoder):
        raise ModelError(f"{path}: of '{facts.encoder}'; expected an encoder. Choose another file.")
    for parameter in encoder.parameters():
        parameter.data = parameter.data.new_empty(0)
    return encoder
