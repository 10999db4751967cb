"""Tables of an audformat database: which columns tell what, joined to the facts of each clip."""

import re
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from emovec.errors import CorpusError
from emovec.labels import AFFECT_AXES

_SPLITS = {
    "train": "train",
    "dev": "valid",
    "devel": "valid",
    "valid": "valid",
    "validation": "valid",
    "test": "test",
}
Place = tuple[str, float | None, float | None]  # file, start and end; None: the file's own
_JUDGED = ("emotion", *AFFECT_AXES, "split")  # facts of the tables that were asked for
FAULT = "fault"  # what is wrong with a clip, beside its facts
_KNOWN = ("speaker", "gender", "age", "transcription", "text")  # facts of any table


def library(name: str) -> Any:
    """A module of the extra ``audb``.

    Raises:
        CorpusError: if it is not installed
    """
    try:
        with quiet():
            return import_module(name)
    except ImportError as error:
        raise CorpusError(
            f"audformat: {error}; expected audformat and audb. Run pip install 'emovec[audb]'."
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps back what audformat and pandas warn each other of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def column_named(table: Any, name: str) -> str:
    """Column of a name, or else the only one of a scheme of that name, "" if there is none."""
    if name in table.columns:
        return name
    of_scheme = [key for key, column in table.columns.items() if column.scheme_id == name]
    if len(of_scheme) > 1:
        raise CorpusError(
            f"audformat: columns {of_scheme} are all of the scheme '{name}'; expected one. "
            "Pass table, emotion_column or speaker_column in --corpus_options."
        )
    return of_scheme[0] if of_scheme else ""


def affect_scale(header: Any, judging: Mapping[str, Any]) -> tuple[float, float] | None:
    """Lowest and highest value of affect, None where there is no affect."""
    scales = set()
    for table in judging.values():
        for column in filter(None, (column_named(table, axis) for axis in AFFECT_AXES)):
            scheme = header.schemes.get(table.columns[column].scheme_id)
            scales.add((getattr(scheme, "minimum", None), getattr(scheme, "maximum", None)))
    if not scales:
        return None
    low, high = next(iter(scales))
    if len(scales) > 1 or low is None or high is None:
        raise CorpusError(
            f"{header.name}: affect is on the scales {scales}; expected one minimum and maximum. "
            "Mend the schemes in db.yaml, or pass table in --corpus_options."
        )
    return float(low), float(high)


def split_of(header: Any, name: str) -> str:
    """Split that a table is for, "" if it is for none."""
    named = header.tables[name].split_id
    words = [header.splits[named].type] if named else re.split(r"[._-]", name.lower())
    return next((_SPLITS[word] for word in words if word in _SPLITS), "")


def clips(
    header: Any, judging: Mapping[str, Any], columns: Mapping[str, str]
) -> Iterator[tuple[str, tuple[Place, dict[str, Any]]]]:
    """File, place and facts of each clip; what is said of a file holds for its segments."""
    with_emotion = {name for name, t in judging.items() if column_named(t, columns["emotion"])}
    known: dict[Place, dict[str, Any]] = defaultdict(dict)
    chosen: dict[Place, None] = {}  # in order
    for name in header.tables:
        facts = (*_JUDGED, *_KNOWN) if name in judging else _KNOWN
        for place, found in _read_table(header, name, {f: columns.get(f, f) for f in facts}):
            for fact, value in found.items():
                if known[place].setdefault(fact, value) != value and fact != FAULT:
                    raise CorpusError(
                        f"{header.name}: table '{name}' says {fact} of {place} is '{value}', "
                        f"another '{known[place][fact]}'; expected the same. "
                        "Pass table in --corpus_options."
                    )
            if name in with_emotion or (not with_emotion and set(AFFECT_AXES) & set(found)):
                chosen[place] = None
    for place in chosen:
        yield place[0], (place, known.get((place[0], None, None), {}) | known[place])


def _read_table(
    header: Any, name: str, columns: Mapping[str, str]
) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Place of each row, and what it says: fact to value, without facts that are not known."""
    table = header.tables[name]
    column_of = {fact: column_named(table, column) for fact, column in columns.items()}
    column_of = {fact: column for fact, column in column_of.items() if column}
    meanings = {fact: _meanings(header, table, column) for fact, column in column_of.items()}
    # the label that a cell equals: numbers of Parquet are 3.0 where the label is 3
    labels = {fact: dict(zip(known, known, strict=True)) for fact, known in meanings.items()}
    whole = {"split": split_of(header, name)} if "split" in columns else {}
    for index, row in _cells(header, table, name):
        found = dict(whole)
        for fact, column in column_of.items():
            value = row[column]
            if labels[fact] and value is not None and value not in labels[fact]:
                found.setdefault(FAULT, f"{fact} '{value}' is none of the labels of its scheme")
                continue
            value = labels[fact].get(value, value)
            meaning = meanings[fact].get(value, value)
            if isinstance(meaning, Mapping):  # what the scheme knows of the speaker
                found |= {key: meaning[key] for key in ("gender", "age") if key in meaning}
                meaning = value
            if fact == "split":
                meaning = _SPLITS.get(str(value).lower())
            if value is not None:
                found[fact] = meaning
        yield _place(index), {f: value for f, value in found.items() if value not in (None, "")}


def _cells(header: Any, table: Any, name: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Index and cells of each row of a table, None where nothing is known."""
    try:
        with quiet(), _any_label(header):
            frame = table.df.astype(object)
    except Exception as error:  # of the reader of CSV or Parquet, or of audformat
        raise CorpusError(
            f"{header.name}: table '{name}' cannot be read ({error}); expected db.{name}.csv or "
            ".parquet. Get the database again."
        ) from error
    records = frame.where(frame.notna(), None).to_dict("records")
    yield from zip(frame.index, records, strict=True)


@contextmanager
def _any_label(header: Any) -> Iterator[None]:
    """Schemes that take any label: audformat empties cells with labels that a scheme lacks."""
    labels = {name: scheme.labels for name, scheme in header.schemes.items()}
    try:
        for scheme in header.schemes.values():
            scheme.labels = None
        yield
    finally:
        for name, scheme in header.schemes.items():
            scheme.labels = labels[name]


def _meanings(header: Any, table: Any, column: str) -> Mapping[Any, Any]:
    """What the labels of a column's scheme mean: a word, or facts of a speaker by their names.

    Empty if the scheme takes any label.
    """
    scheme = header.schemes.get(table.columns[column].scheme_id)
    labels = getattr(scheme, "labels", None)
    if isinstance(labels, str):
        return dict(_cells(header, header.misc_tables[labels], labels))
    return labels if isinstance(labels, Mapping) else {label: label for label in labels or ()}


def _place(index: Any) -> Place:
    """File, start and end of a row's index; a segment may last to the end of its file."""
    if isinstance(index, str):
        return index, None, None
    file, start, end = index
    seconds = None if end != end else end.total_seconds()  # NaT differs from itself
    return file, start.total_seconds() or (None if seconds is None else 0.0), seconds
