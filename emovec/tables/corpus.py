"""corpus.json: what holds for a whole corpus, and between which ends its affect lies."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emovec.errors import CorpusError
from emovec.tables.files import write_atomically

AFFECT_SOURCES = ("rated", "prototype")


@dataclass(frozen=True)
class Skip:
    """A clip that is left out, and why."""

    id: str
    reason: str


@dataclass(frozen=True)
class CorpusInfo:
    """Facts of a corpus; the fields are the keys of corpus.json.

    Attributes:
        name: as in ``emovec.corpora``
        utterances: rows of the manifest
        speakers: speakers of the manifest
        release: version of a corpus whose versions differ
        language: language code, "" where there is none
        licence: what the audio may be used for
        citation: publication to name
        affect_scale: lowest and highest value of affect; None where there is none
        affect_source: "rated" by people, or "prototype": derived from emotion and intensity
        skipped: clips that are left out
        warnings: what a reader of results should know
    """

    name: str
    utterances: int
    speakers: int
    release: str = ""
    language: str = ""
    licence: str = ""
    citation: str = ""
    affect_scale: tuple[float, float] | None = None
    affect_source: str | None = None
    skipped: tuple[Skip, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_unit(self, values: ArrayLike) -> NDArray[np.float64]:
        """Affect (...) on [0, 1] from affect on the corpus' scale.

        >>> CorpusInfo("rated", 9, 2, affect_scale=(1, 7)).to_unit([1, 4, 7]).tolist()
        [0.0, 0.5, 1.0]
        """
        low, high = self._ends()
        return (np.asarray(values, dtype=np.float64) - low) / (high - low)

    def from_unit(self, values: ArrayLike) -> NDArray[np.float64]:
        """Affect (...) on the corpus' scale from affect on [0, 1], not clipped.

        >>> CorpusInfo("rated", 9, 2, affect_scale=(1, 7)).from_unit([0, 0.5, 1]).tolist()
        [1.0, 4.0, 7.0]
        """
        low, high = self._ends()
        return low + np.asarray(values, dtype=np.float64) * (high - low)

    def to_signed(self, values: ArrayLike) -> NDArray[np.float64]:
        """Affect (...) on [-1, 1], where the sphere lies, from affect on the corpus' scale.

        >>> CorpusInfo("rated", 9, 2, affect_scale=(1, 7)).to_signed([1, 4, 7]).tolist()
        [-1.0, 0.0, 1.0]
        """
        return 2 * self.to_unit(values) - 1

    def _ends(self) -> tuple[float, float]:
        if self.affect_scale is None:
            raise CorpusError(
                f"{self.name}: has no affect_scale; expected [low, high] in corpus.json. "
                "Choose a corpus with affect, or predict emotions instead."
            )
        return self.affect_scale


def read_corpus_info(path: Path) -> CorpusInfo:
    """Facts of a corpus from its corpus.json.

    Raises:
        CorpusError: if the file is missing, is no JSON object, has unknown keys, lacks one, or
            holds a value that cannot be
    """
    if not path.is_file():
        raise CorpusError(f"{path}: not found; expected a corpus.json. Run recipes/prepare.py.")
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CorpusError(f"{path}: is no JSON ({error}); expected a corpus.json.") from error
    if not isinstance(facts, dict):
        raise CorpusError(f"{path}: is a {type(facts).__name__}; expected a JSON object.")
    _check_keys(path, facts)
    for key in ("utterances", "speakers"):
        if type(facts[key]) is not int or facts[key] < 0:
            raise CorpusError(f"{path}: {key} is {facts[key]!r}; expected a count.")
    facts["affect_scale"] = _scale(path, facts.get("affect_scale"))
    source = facts.get("affect_source")
    if source is not None and source not in AFFECT_SOURCES:
        raise CorpusError(
            f"{path}: affect_source is {source!r}; expected {AFFECT_SOURCES} or null."
        )
    try:
        facts["skipped"] = tuple(Skip(**skip) for skip in facts.get("skipped", ()))
    except TypeError as error:
        raise CorpusError(f"{path}: skipped is no list of id and reason ({error}).") from error
    facts["warnings"] = tuple(facts.get("warnings", ()))
    return CorpusInfo(**facts)


def write_corpus_info(path: Path, info: CorpusInfo) -> None:
    """Write a corpus.json; what fails on the way leaves the old file as it was.

    Raises:
        StorageError: if the file cannot be written
    """
    with write_atomically(path) as file:
        json.dump(asdict(info), file, indent=2, ensure_ascii=False, allow_nan=False)
        file.write("\n")


def _check_keys(path: Path, facts: Mapping[str, Any]) -> None:
    keys = [field.name for field in fields(CorpusInfo)]
    unknown = sorted(set(facts) - set(keys))
    missing = [key for key in ("name", "utterances", "speakers") if key not in facts]
    if unknown or missing:
        raise CorpusError(f"{path}: missing {missing}, unknown {unknown}; expected keys of {keys}.")


def _scale(path: Path, scale: Any) -> tuple[float, float] | None:
    if scale is None:
        return None
    try:
        low, high = map(float, scale)
    except (TypeError, ValueError):
        low = high = np.nan
    if not -np.inf < low < high < np.inf:
        raise CorpusError(f"{path}: affect_scale is {scale!r}; expected [low, high] or null.")
    return (low, high)
