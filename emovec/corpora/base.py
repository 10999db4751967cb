"""What a corpus is, and what its reader needs to tell: how it looks on disk, and its labels."""

import csv
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from emovec.errors import CorpusError
from emovec.tables.corpus import Skip
from emovec.tables.manifest import Utterance
from emovec.tables.splits import Assignment

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, repr=False)
class Labels:
    """What a corpus says of a clip; "" and None where it says nothing.

    Attributes:
        speaker: unique in the corpus
        emotion: a name of ``emovec.labels.EMOTIONS``, or the corpus' own
        intensity: share of the corpus' strongest level, in (0, 1]
        gender: "female" or "male"
        session: recording session
        text: words said, or the code of the sentence
        affect: valence, arousal, dominance on the corpus' scale
        id: where it is not the file's name without its suffix
        start: seconds from the file's beginning
        stop: seconds from the file's beginning
        extra: further columns of the manifest
    """

    speaker: str = ""
    emotion: str = ""
    intensity: float | None = None
    gender: str = ""
    session: str = ""
    text: str = ""
    affect: tuple[float | None, float | None, float | None] = (None, None, None)
    id: str = ""
    start: float | None = None
    stop: float | None = None
    extra: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        nothing: tuple[Any, ...] = ("", None, {}, (None, None, None))
        known = [(f.name, getattr(self, f.name)) for f in fields(self)]
        told = (f"{name}={value!r}" for name, value in known if value not in nothing)
        return f"Labels({', '.join(told)})"


@dataclass(frozen=True)
class Protocol:
    """A way to split a corpus, and the numbers that were published for it.

    Attributes:
        assign: splits from the utterances that are left by what follows, and a seed
        emotions: emotion of the corpus to class of the protocol; clips of others are left out;
            empty: all, as they are
        with_affect: only clips with valence, arousal and dominance
        shortest: seconds; shorter clips are left out
        published: numbers by "clips", "speakers" or an emotion, alone or behind a split
            ("train/speakers") or a fold and a split ("fold 0/test/anger"); without a fold,
            distinct clips over all folds
        source: publication of the protocol
        shares_speakers: its splits that may share speakers with each other, as published
    """

    assign: Callable[[Sequence[Utterance], int], list[Assignment]]
    emotions: Mapping[str, str] = field(default_factory=dict)
    with_affect: bool = False
    shortest: float = 0.0
    published: Mapping[str, int] = field(default_factory=dict)
    source: str = ""
    shares_speakers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Corpus:
    """How a corpus looks on disk.

    Attributes:
        name: as in the registry
        audio: pattern of the audio files below the data folder
        utterances: published number; None: as many as its table has rows
        speakers: published number, None where releases differ
        label: labels of a clip from its path below the data folder, or from its row of ``rows``;
            raises KeyError or ValueError where they make no sense
        rows: path and row of each clip, for a corpus that comes with a table
        tables: other files that are read, below the data folder
        genders: gender of each speaker, read from the data folder
        known_bad: ids of published clips that cannot be used, and why
        protocols: the corpus' own splits, the default first
        prototypes: affect is derived from emotion and intensity, because nobody rated it
        affect_scale: lowest and highest value of affect, where it is not derived
        affect_source: "rated" or "prototype", where it is not derived
        release: version, where versions differ
        language: language code
        licence: what the audio may be used for
        citation: publication to name
        homepage: where to ask for it
        conversions: suffix of audio that is shipped but cannot be read, and how to convert it
        options: whatever else decides the labels
        skipped: clips that were left out before, of a corpus in our own form
        warnings: what was said of it then
        open: the corpus with what can only be known from its data folder; done again, the same
        trials: official lists of trials that are in the data folder, by name, and their published
            numbers
        make: writes the corpus in our own form into a new folder, if it is not found but made
    """

    name: str
    audio: str
    utterances: int | None
    speakers: int | None
    label: Callable[[Any], Labels]
    rows: Callable[[Path], Iterable[tuple[str, Any]]] | None = None
    tables: tuple[str, ...] = ()
    genders: Callable[[Path], Mapping[str, str]] | None = None
    known_bad: Mapping[str, str] = field(default_factory=dict)
    protocols: Mapping[str, Protocol] = field(default_factory=dict)
    prototypes: bool = True
    affect_scale: tuple[float, float] | None = None
    affect_source: str | None = None
    release: str = ""
    language: str = ""
    licence: str = ""
    citation: str = ""
    homepage: str = ""
    conversions: Mapping[str, str] = field(default_factory=dict)
    options: str = ""
    skipped: tuple[Skip, ...] = ()
    warnings: tuple[str, ...] = ()
    open: Callable[["Corpus", Path], "Corpus"] | None = None
    trials: Callable[[Path], Mapping[str, tuple[Path, int]]] | None = None
    make: Callable[[Path], None] | None = None


def pick(table: Mapping[str, _Value], code: str, kind: str) -> _Value:
    """The meaning of a code in a name or a table.

    Raises:
        ValueError: which lists the codes there are

    >>> pick({"W": "anger"}, "W", "emotion")
    'anger'
    """
    if code not in table:
        raise ValueError(f"{kind} is '{code}'; expected one of {', '.join(map(repr, table))}")
    return table[code]


def read_rows(
    path: Path, columns: Collection[str], delimiter: str = ",", encoding: str = "utf-8-sig"
) -> list[dict[str, str]]:
    """Rows of a corpus' table, without blanks around cells.

    Raises:
        CorpusError: if the table is missing, is in another encoding, lacks a column or has one
            twice, has no rows, or a row is broken
    """
    if not path.is_file():
        raise CorpusError(f"{path}: not found; expected a table with {list(columns)}.")
    try:
        with path.open(newline="", encoding=encoding) as file:
            table = csv.DictReader(file, delimiter=delimiter)
            missing = [column for column in columns if column not in (table.fieldnames or ())]
            if missing:
                found = table.fieldnames
                raise CorpusError(f"{path}: columns {missing} are missing; found {found}.")
            twice = [name for name, times in Counter(table.fieldnames or ()).items() if times > 1]
            if twice:
                raise CorpusError(
                    f"{path}: columns {twice} occur twice; expected once. Rename one."
                )
            rows = []
            for row in table:
                if None in row or None in row.values():
                    raise CorpusError(f"{path}:{table.line_num}: cells do not match the header.")
                rows.append({column: cell.strip() for column, cell in row.items()})
    except (UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(
            f"{path}: {error}; expected a table in {encoding}. Get it again, or convert it."
        ) from error
    if not rows:
        raise CorpusError(f"{path}: the table has no rows; expected some. Get it again.")
    return rows
