"""Where embeddings come from: encoders and functionals by name, and several of them at once.

Shapes: N clips, E embedding.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emovec.audio import opensmile
from emovec.audio.augment import Augmentation
from emovec.audio.batches import UtteranceBatches
from emovec.audio.functionals import NAMES, Extractor, functionals
from emovec.encoders.base import Encoder
from emovec.encoders.extract import Extracted, describe, extract
from emovec.encoders.store import load_model
from emovec.errors import HparamError
from emovec.tables.manifest import Utterance

FUNCTIONALS_RATE = 16000  # Hz
FUNCTIONALS = ("functionals", *opensmile.FEATURE_SETS)

Source = Encoder | Extractor


def open_sources(names: Sequence[str]) -> list[Source]:
    """What makes embeddings, by name.

    Args:
        names: of each "functionals", "egemaps", "emobase2010", or the model folder of an encoder

    Raises:
        HparamError: if there is none, one twice or one that is not known, or openSMILE is needed
            and missing
        ModelError: if a folder cannot be loaded
    """
    if not names or len(set(names)) < len(names):
        raise HparamError(f"embeddings: {list(names)} found; expected one or more, each once.")
    return [_open(name) for name in names]


def embed(
    sources: Sequence[Source],
    utterances: Sequence[Utterance],
    root: Path,
    *,
    max_seconds: float | None = None,
    augmentation: Augmentation | None = None,
    copies: int = 0,
    batch_seconds: float = 40.0,
    workers: int = 0,
    device: str = "cpu",
) -> Extracted:
    """Embeddings of clips from all sources, side by side; a clip that one skips has none.

    Args:
        sources: as :func:`open_source` gives them
        utterances: rows of a manifest
        root: folder that their paths are relative to
        max_seconds: clips are cut to this length; None: whole clips
        augmentation: of the copies
        copies: augmented ones of every clip
        batch_seconds: most padded seconds in a batch of an encoder
        workers: processes that read ahead, or threads for functionals
        device: of the encoders
    """
    longest = max_seconds or math.ceil(max(u.duration for u in utterances))
    parts = []
    for source in sources:
        rate = source.sample_rate if isinstance(source, Encoder) else FUNCTIONALS_RATE
        clips = UtteranceBatches(
            utterances, root, {}, rate, longest, augmentation=augmentation, copies=copies
        )
        if isinstance(source, Encoder):
            parts.append(
                extract(source, clips, batch_seconds=batch_seconds, workers=workers, device=device)
            )
        else:
            parts.append(describe(source, clips, workers=workers))
    return side_by_side(parts)


def side_by_side(parts: Sequence[Extracted]) -> Extracted:
    """Embeddings of several sources as one, of the clips that all of them have.

    >>> from emovec.tables.corpus import Skip
    >>> one = Extracted(["a", "b"], np.array([[1], [2]], np.float32), ())
    >>> two = Extracted(["b"], np.array([[3, 4]], np.float32), (Skip("a", "silent"),))
    >>> side_by_side([one, two]).embeddings.tolist()
    [[2.0, 3.0, 4.0]]
    """
    skipped = {skip.id: skip for part in reversed(parts) for skip in part.skipped}
    blocks = []
    for part in parts:
        kept = [row for row, id_ in enumerate(part.ids) if id_ not in skipped]
        blocks.append(part.embeddings[kept])
    ids = [id_ for id_ in parts[0].ids if id_ not in skipped]
    return Extracted(ids, np.concatenate(blocks, axis=1), tuple(skipped.values()))


def one_below_the_other(parts: Sequence[Extracted]) -> Extracted:
    """Embeddings of several lots of clips by the same sources as one.

    >>> from emovec.tables.corpus import Skip
    >>> one = Extracted(["a"], np.array([[1]], np.float32), ())
    >>> two = Extracted(["b"], np.array([[2]], np.float32), (Skip("c", "silent"),))
    >>> one_below_the_other([one, two]).embeddings.tolist()
    [[1.0], [2.0]]
    """
    return Extracted(
        [id_ for part in parts for id_ in part.ids],
        np.concatenate([part.embeddings for part in parts]),
        tuple(skip for part in parts for skip in part.skipped),
    )


def _open(name: str) -> Source:
    if name == "functionals":
        return Extractor(name, NAMES, functionals)
    if name in opensmile.FEATURE_SETS:
        return opensmile.extractor(name)
    if not Path(name).is_dir():
        raise HparamError(
            f"embeddings: '{name}' is no folder; expected one of {', '.join(FUNCTIONALS)}, or the "
            "model folder of an encoder. Correct it."
        )
    model = load_model(Path(name))
    if not isinstance(model, Encoder):
        raise HparamError(
            f"embeddings: {name} holds a {type(model).__name__}; expected an encoder, which gives "
            "one vector a clip. Choose another folder."
        )
    return model
