"""Labels of each clip of a corpus, with what the base adds to them and what is wrong with them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any, NoReturn

from emovec.corpora.base import Corpus, Labels
from emovec.errors import CorpusError, ManifestError
from emovec.labels import GENDERS, affect_prototype

Stamps = dict[str, tuple[int, int]]  # size and time of change of files


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip, its labels, and what is wrong with them, "" if nothing."""

    path: str
    labels: Labels
    fault: str = ""


def label_all(corpus: Corpus, root: Path, files: Stamps) -> list[Clip]:
    """Labelled clips, sorted by path; ids are unique, and paths below the data folder.

    Raises:
        CorpusError: if a table names a file outside of the data folder
        ManifestError: if two clips have the same id
    """
    sources: list[tuple[str, Any]] = [(path, PurePath(path)) for path in files]
    if corpus.rows:
        sources = sorted(corpus.rows(root), key=lambda row: row[0])
    genders = corpus.genders(root) if corpus.genders else {}
    for path, _ in sources:
        if PurePath(path).is_absolute() or ".." in PurePath(path).parts:
            raise CorpusError(
                f"{corpus.name}: '{path}' is outside of {root}; expected a path below it. "
                "Mend the table."
            )
    clips = [_labelled(corpus, path, source, genders) for path, source in sources]
    path_of: dict[str, str] = {}
    for place, clip in enumerate(clips):
        id_ = clip.labels.id
        if id_ in path_of and not clip.fault:
            _raise_twice(corpus, clip, path_of[id_])
        if id_ in path_of:  # parts of a file that have faults, so that their own ids are not known
            id_ = f"{id_} ({place})"
            clips[place] = replace(clip, labels=replace(clip.labels, id=id_))
        path_of[id_] = clip.path
    return clips


def _raise_twice(corpus: Corpus, clip: Clip, other: str) -> NoReturn:
    if clip.path == other:
        table = corpus.tables[0] if len(corpus.tables) == 1 else "its tables"
        raise ManifestError(
            f"{corpus.name}: '{clip.labels.id}' has two rows in {table}; expected one for each "
            "clip. Remove one."
        )
    raise ManifestError(
        f"{corpus.name}: {other} and {clip.path} both have the id '{clip.labels.id}'; expected "
        "one clip for each. Remove or rename one."
    )


def _labelled(corpus: Corpus, path: str, source: Any, genders: Mapping[str, str]) -> Clip:
    """A clip with its labels and what the base adds to them, or with what is wrong with them."""
    labels = Labels()
    try:
        labels = corpus.label(source)
        _check_numbers(corpus, labels)
        _check_texts(labels)
    except (KeyError, ValueError) as error:
        said = f"{error} is no known code" if isinstance(error, KeyError) else error
        whole = PurePath(path).with_suffix("").as_posix()  # base names may occur again
        return Clip(path, Labels(id=labels.id or whole), f"{said}; expected labels as published")
    affect = labels.affect
    if corpus.prototypes:
        affect = affect_prototype(labels.emotion, labels.intensity) or (None, None, None)
    labels = replace(
        labels,
        id=labels.id or PurePath(path).stem,
        gender=labels.gender or genders.get(labels.speaker, ""),
        affect=affect,
    )
    return Clip(path, labels)


def _check_numbers(corpus: Corpus, labels: Labels) -> None:
    if labels.intensity is not None and not 0 < labels.intensity <= 1:
        raise ValueError(f"intensity is {labels.intensity}; expected above 0, at most 1")
    if labels.affect == (None, None, None):
        return
    if corpus.affect_scale is None:
        raise ValueError("affect is given, but no affect_scale; expected lowest and highest value")
    low, high = corpus.affect_scale
    if not all(value is None or low <= value <= high for value in labels.affect):
        raise ValueError(f"affect is {labels.affect}; expected values in [{low}, {high}]")


def _check_texts(labels: Labels) -> None:
    if labels.gender and labels.gender not in GENDERS:
        raise ValueError(f"gender is '{labels.gender}'; expected {' or '.join(GENDERS)}")
    for name in (labels.id, labels.speaker):
        if name != name.strip():
            raise ValueError(f"'{name}' has blanks around it; expected an id or speaker without")
    texts = (labels.id, labels.speaker, labels.session, labels.text, labels.emotion)
    for text in (*texts, *labels.extra.values()):
        if "\0" in text or "\r" in text:
            raise ValueError(f"{text[:80]!r} has a NUL or a carriage return; expected text without")
