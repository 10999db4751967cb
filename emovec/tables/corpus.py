"""corpus.json: what holds for a whole corpus, and between which ends its affect lies."""

import json
from collections.abc import Callable, Mapping
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
        published: usable clips that were expected when the corpus was prepared; None where nobody
            published their number
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
    published: int | None = None

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
    for key, value in facts.items():
        holds, expected = _KINDS[key]
        if not holds(value):
            raise CorpusError(f"{path}: {key} is {value!r}; expected {expected}. Mend it.")
    if facts.get("affect_scale"):
        low, high = facts["affect_scale"]
        facts["affect_scale"] = (float(low), float(high))
    facts["skipped"] = tuple(Skip(**skip) for skip in facts.get("skipped", ()))
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


def is_scale(value: Any) -> bool:
    """Whether a value is a scale: its lowest and its highest number.

    >>> is_scale([1, 7]), is_scale([7, 1]), is_scale("17")
    (True, False, False)
    """
    if not isinstance(value, list | tuple) or len(value) != 2:
        return False
    if not all(isinstance(end, int | float) and not isinstance(end, bool) for end in value):
        return False
    return bool(-np.inf < value[0] < value[1] < np.inf)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_skip(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"id", "reason"}
        and all(map(_is_text, value.values()))
    )


_Kind = tuple[Callable[[Any], bool], str]
_TEXT: _Kind = (_is_text, "a text")
_COUNT: _Kind = (_is_count, "a count")
_KINDS: dict[str, _Kind] = {  # what the value of each key is
    "name": (lambda value: _is_text(value) and bool(value.strip()), "a name"),
    "utterances": _COUNT,
    "speakers": _COUNT,
    "release": (_is_text, "a text, in quotes"),
    "language": _TEXT,
    "licence": _TEXT,
    "citation": _TEXT,
    "affect_scale": (lambda value: value is None or is_scale(value), "[low, high] or null"),
    "affect_source": (
        lambda value: value is None or value in AFFECT_SOURCES,
        f"one of {AFFECT_SOURCES} or null",
    ),
    "skipped": (
        lambda value: isinstance(value, list) and all(map(_is_skip, value)),
        "a list of objects with an id and a reason",
    ),
    "warnings": (
        lambda value: isinstance(value, list) and all(map(_is_text, value)),
        "a list of texts",
    ),
    "published": (lambda value: value is None or _is_count(value), "a count or null"),
}
