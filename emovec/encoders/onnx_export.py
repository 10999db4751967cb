"""Encoders as ONNX graphs; the extra "onnx".

The cut is where the first weight is. What comes before, an encoder's ``describe``, runs in torch on
the CPU and is the same code for both engines; what follows, its ``embed_features``, is the graph.

| encoder | before the graph | into the graph |
|---|---|---|
| ResNet | features, sliding mean, silence dropped | features (B, F, M) |
| SpeechBrainEncoder | log-mel less its mean over the clip | features (B, F, M) |
| WavLM tiny | log-mel | features (B, F, M) |
| PooledEncoder | silence taken out, then as the encoder within | as the encoder within |
| DeepTalk | level, silence taken out, standardised frames | frames (B, F, M) of M samples |
| WavLM base, large | large: normalisation of the clip | waves (B, T) |

Graphs know no padding: masks cost time, and on CPUs large batches are no faster than single clips.
So clips of as many frames go through together, others apart. DeepTalk's windows are in the graph;
a long clip goes through it in pieces.

Shapes: B batch, T samples, F frames, M bands, E embedding.
"""

import hashlib
import io
import json
import warnings
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from emovec.encoders.base import Encoder
from emovec.encoders.registry import REGISTRY
from emovec.encoders.store import describe
from emovec.errors import HparamError, ModelError
from emovec.tables.files import write_atomically

INPUT, OUTPUT = "features", "embeddings"
OPSET = 17
FACTS = "emovec"  # key of the facts among the metadata of a file
TRACED_SECONDS = 1.5  # of noise; graphs take any length


@dataclass(frozen=True)
class Facts:
    """What an exported file says of itself.

    Attributes:
        encoder: name of its class in the registry
        arguments: that build the encoder again, without its weights
        sample_rate: Hz
        embedding_size: E
        weights_sha256: what :func:`weights_checksum` said of the encoder
    """

    encoder: str
    arguments: dict[str, Any]
    sample_rate: int
    embedding_size: int
    weights_sha256: str


def weights_checksum(encoder: nn.Module) -> str:
    """SHA-256 of names, types, shapes and values of all weights, in order of the names."""
    digest = hashlib.sha256()
    for name, value in sorted(encoder.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def export_onnx(encoder: Encoder, path: Path) -> None:
    """Write an encoder as an ONNX file: features (B, F, M) to embeddings (B, E), any B and F.

    Args:
        encoder: one with ``describe`` and ``embed_features``; is left as it was
        path: replaced if it is there

    Raises:
        HparamError: if onnx is not installed
        ModelError: if the encoder cannot be exported
        StorageError: if the file cannot be written; an old one is then as it was
    """
    require("onnx")
    import onnx

    facts = _describe(encoder)
    modes = {module: module.training for module in encoder.modules()}
    try:
        model = onnx.load_model_from_string(_trace(encoder.eval()))
    finally:
        for module, training in modes.items():
            module.training = training
    onnx.helper.set_model_props(model, {FACTS: json.dumps(asdict(facts))})
    with write_atomically(path, "wb") as file:
        file.write(model.SerializeToString())


def _describe(encoder: Encoder) -> Facts:
    target = f"{type(encoder).__module__}:{type(encoder).__qualname__}"
    if target not in REGISTRY.values() or not hasattr(encoder, "embed_features"):
        raise ModelError(
            f"{target}: cannot be exported; expected an encoder of the registry with `describe` "
            "and `embed_features`. Use torch."
        )
    description = describe(encoder)
    return Facts(
        encoder=description["class"],
        arguments=description["arguments"],
        sample_rate=encoder.sample_rate,
        embedding_size=encoder.embedding_size,
        weights_sha256=weights_checksum(encoder),
    )


class _Graph(nn.Module):
    """What is exported of an encoder."""

    def __init__(self, encoder: Any):
        super().__init__()
        self.encoder = encoder

    def forward(self, features: Tensor) -> Tensor:
        return self.encoder.embed_features(features)


def _trace(encoder: Any) -> bytes:
    """The graph, by torch's exporter on TorchScript.

    That on torch.export takes five times as long, and bakes the number of clips into ECAPA-TDNN.
    """
    samples = encoder.shortest + round(TRACED_SECONDS * encoder.sample_rate)
    noise = 0.1 * torch.randn(1, samples, generator=torch.Generator().manual_seed(0))
    device = next(encoder.parameters()).device
    features, _ = encoder.describe(noise.to(device), torch.tensor([samples], device=device))
    buffer: Any = io.BytesIO()  # which torch takes, and does not say so
    with torch.no_grad(), warnings.catch_warnings():
        # Of a successor, of shapes as constants (SpeechBrain's and torchaudio's checks), and of
        # constants that onnxruntime folds when torch does not
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Graph(encoder).eval(),
            (features,),
            buffer,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "clips", 1: "frames"}, OUTPUT: {0: "clips"}},
            opset_version=OPSET,
            dynamo=False,
        )
    return buffer.getvalue()


def require(package: str) -> None:
    """Stop if a package of the extra is not installed.

    Raises:
        HparamError: if it is not
    """
    if find_spec(package) is None:
        raise HparamError(
            f'ONNX: {package} is not installed; run `pip install "emovec[onnx]"`, or use torch.'
        )
