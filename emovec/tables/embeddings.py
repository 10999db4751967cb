"""Embeddings: vectors by id, what else is known of their rows, and how they came about.

Shapes: N rows, E embedding.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emovec.errors import EmovecError
from emovec.tables.corpus import Skip
from emovec.tables.leaks import listed
from emovec.tables.manifest import Utterance

CLIP = "clip"  # column that names the clip of a row, where rows are windows of clips
LABELS = ("speaker", "emotion", "gender", "text")  # columns of a manifest's that rows may have
RESERVED = ("id", "embedding")  # no further column has these names
_OUTCOME = ("written", "failed", "skipped", "failures", "skips")
_UNSOUND = re.compile("[\0\ud800-\udfff]")  # what some of the formats cannot give back
Skips = tuple[Skip, ...]
Versions = Mapping[str, str]
Settings = Mapping[str, Any]
Values = Sequence[str | float | None]


class EmbeddingError(EmovecError):
    """A table of embeddings that breaks its promises."""


@dataclass(frozen=True)
class Extraction:
    """How embeddings came about; the fields are the keys of extract.json.

    Attributes:
        encoder: name or folder of the model
        encoder_checksum: SHA-256 of its weights
        sample_rate: Hz, of the audio it was given
        embedding_size: E
        licence: what the embeddings may be used for
        manifest_hash: of the clips
        expected: clips
        shards: that they are shared out to
        versions: of the libraries that move numbers
        settings: what else moves them, JSON values; for example precision or window
        written: clips with an embedding
        failed: clips that could not be read
        skipped: clips that have no embedding, for example without speech
        failures: those that failed, and why
        skips: those that were skipped, and why
    """

    encoder: str
    encoder_checksum: str
    sample_rate: int
    embedding_size: int
    licence: str
    manifest_hash: str
    expected: int
    shards: int
    versions: Versions = field(default_factory=dict)
    settings: Settings = field(default_factory=dict)
    written: int = 0
    failed: int = 0
    skipped: int = 0
    failures: Skips = ()
    skips: Skips = ()

    @property
    def finished(self) -> bool:
        """Whether every clip is accounted for."""
        return self.written + self.failed + self.skipped == self.expected

    @property
    def plan(self) -> dict[str, Any]:
        """All but what came out of it: what two halves of one run share."""
        keys = (key.name for key in fields(self) if key.name not in _OUTCOME)
        plan = {key: getattr(self, key) for key in keys}
        return json.loads(json.dumps(plan, sort_keys=True, allow_nan=False))

    @property
    def run(self) -> str:
        """16 hexadecimal digits of the plan, which tell its shards from those of other runs."""
        return hashlib.sha256(json.dumps(self.plan).encode()).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Embeddings:
    """A table of embeddings in memory.

    Attributes:
        ids: N unique ids
        vectors: (N, E) float32, finite
        extraction: how they came about; None: not known
        columns: by name (N,) of what else is known of the rows, as :func:`column` makes them:
            texts (dtype object), int64, or float64 with NaN where nothing is known
    """

    ids: Sequence[str]
    vectors: NDArray[np.float32]
    extraction: Extraction | None = None
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def take(self, rows: Sequence[int]) -> "Embeddings":
        """Some rows, in the order given."""
        if list(rows) == list(range(len(self.ids))):
            return self  # without a copy of all vectors
        places = np.asarray(rows, dtype=np.intp)
        columns = {name: values[places] for name, values in self.columns.items()}
        ids = [self.ids[row] for row in rows]
        return Embeddings(ids, self.vectors[places], self.extraction, columns)


@dataclass(frozen=True, eq=False)
class Matched:
    """Embeddings and clips that belong together, and what is left over on both sides.

    Attributes:
        embeddings: rows in the order of ``utterances``
        utterances: clips with an embedding, in the manifest's order
        without_utterance: ids of the table that the manifest lacks
        without_embedding: ids of the manifest that the table lacks
    """

    embeddings: Embeddings
    utterances: list[Utterance]
    without_utterance: list[str]
    without_embedding: list[str]


def match(embeddings: Embeddings, utterances: Sequence[Utterance]) -> Matched:
    """Embeddings in the order of a manifest.

    Raises:
        EmbeddingError: if both have rows, and not one id is in both

    >>> table = Embeddings(["a", "b", "c"], np.array([[1], [2], [3]], np.float32))
    >>> clips = [Utterance(id_, "a.wav", None, None, 1.0) for id_ in ("c", "d", "a")]
    >>> matched = match(table, clips)
    >>> matched.embeddings.vectors.tolist(), matched.without_utterance, matched.without_embedding
    ([[3.0], [1.0]], ['b'], ['d'])
    """
    row_of = {id_: row for row, id_ in enumerate(embeddings.ids)}
    kept = [utterance for utterance in utterances if utterance.id in row_of]
    wanted = {utterance.id for utterance in utterances}
    if row_of and wanted and not kept:
        raise EmbeddingError(
            f"embeddings: none of their ids is in the manifest, for example "
            f"'{embeddings.ids[0]}'; expected ids such as '{utterances[0].id}'. "
            "Take the manifest that they were made from."
        )
    return Matched(
        embeddings.take([row_of[utterance.id] for utterance in kept]),
        kept,
        [id_ for id_ in embeddings.ids if id_ not in wanted],
        [utterance.id for utterance in utterances if utterance.id not in row_of],
    )


def column(name: str, values: Values) -> NDArray[Any]:
    """A column of texts, of integers, or of numbers, where None becomes NaN.

    Raises:
        EmbeddingError: if the values are anything else, or of both kinds

    >>> column("speaker", ["a", "b"]), column("take", [1, 2]), column("valence", [0.5, None])
    (array(['a', 'b'], dtype=object), array([1, 2]), array([0.5, nan]))
    """
    kinds = set(map(type, values))
    if all(issubclass(kind, str) for kind in kinds):
        return np.array(values, dtype=object)
    found = ", ".join(sorted(kind.__name__ for kind in kinds))
    if bool not in kinds and all(issubclass(kind, Real | NoneType) for kind in kinds):
        whole = all(issubclass(kind, Integral) for kind in kinds)
        try:
            return np.array(values, dtype=np.int64 if whole else np.float64)
        except OverflowError:
            found = "integers beyond 64 bits"
    raise EmbeddingError(
        f"column '{name}': {found} found; expected texts, or numbers and None. Convert it."
    )


def check_embeddings(embeddings: Embeddings, where: str) -> None:
    """Raise where a table breaks a promise of ``Embeddings``.

    Raises:
        EmbeddingError: which promise, and which row or column
    """
    fault = (
        _shape_fault(embeddings)
        or _text_fault("id", embeddings.ids)
        or _row_fault(embeddings)
        or _column_fault(embeddings)
    )
    if fault:
        raise EmbeddingError(f"{where}: {fault}")


def _shape_fault(embeddings: Embeddings) -> str:
    vectors, extraction = embeddings.vectors, embeddings.extraction
    if vectors.dtype != np.float32 or vectors.ndim != 2 or not vectors.shape[1]:
        return (
            f"vectors are {vectors.dtype} {vectors.shape}; expected float32 (N, E). Convert them."
        )
    if extraction and vectors.shape[1] != extraction.embedding_size:
        return (
            f"vectors have {vectors.shape[1]} values; expected {extraction.embedding_size}, as "
            f"{extraction.encoder} gives them. Are they of another encoder?"
        )
    if len(embeddings.ids) != len(vectors):
        return f"{len(embeddings.ids)} ids and {len(vectors)} vectors; expected as many."
    return ""


def _text_fault(name: str, texts: Iterable[str]) -> str:
    for text in texts:
        if not isinstance(text, str) or _UNSOUND.search(text):
            return f"{name} is {text!r:.100}; expected Unicode text without NUL. Rename it."
    return ""


def _row_fault(embeddings: Embeddings) -> str:
    ids = embeddings.ids
    if "" in ids:
        return "an id is empty; expected a name. Give it one."
    twice = [id_ for id_, times in Counter(ids).items() if times > 1]
    if twice:
        return f"{listed(twice, 'ids occur twice')}; expected each once. Rename them."
    finite = np.isfinite(embeddings.vectors).all(axis=1)
    if not finite.all():
        broken = [ids[row] for row in np.flatnonzero(~finite).tolist()]
        return (
            f"{listed(broken, 'vectors have NaN or infinite values')}; expected finite ones. "
            "Is the model trained, and the clip audio?"
        )
    return ""


def _column_fault(embeddings: Embeddings) -> str:
    for name, values in embeddings.columns.items():
        if not name or name in RESERVED:
            return f"a column is named '{name}'; expected another name than {RESERVED}. Rename it."
        if values.dtype not in (object, np.int64, np.float64):
            return f"column '{name}' is {values.dtype}; expected texts, int64 or float64."
        if values.shape != (len(embeddings.ids),):
            return f"column '{name}' is {values.shape}; expected ({len(embeddings.ids)},)."
        fault = _text_fault(f"a text of column '{name}'", values if values.dtype == object else ())
        if fault:
            return fault
    return _text_fault("the name of a column", embeddings.columns)
