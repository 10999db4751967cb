"""Any tree of audio files with a table of labels, whose columns are mapped to ours.

For example, for ``labels.csv`` with ``file,label,who`` and files below one folder::

    emovec prepare folder --data_folder=tree --corpus_options="{labels: tree/labels.csv,
        columns: {id: file, emotion: label, speaker: who}, emotions: {ang: anger}}"

The column mapped to ``id`` is the path below the folder, with or without suffix, unless ``path``
is mapped as well. Written into the folder itself, the manifest makes it readable as ``manifest``.
Affect is derived from emotion and intensity unless a column of it is mapped, or none of emotion.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePath

from emovec.corpora.base import Corpus, Labels, pick, read_rows
from emovec.corpora.options import FILE, NAMES, SCALE
from emovec.corpora.texts import number_in
from emovec.errors import CorpusError
from emovec.labels import AFFECT_AXES
from emovec.tables.files import AUDIO_SUFFIXES
from emovec.tables.manifest import COLUMNS

OPTIONS = {"labels": FILE, "columns": NAMES, "emotions": NAMES, "affect_scale": SCALE}


def corpus(
    labels: Path | str | None = None,
    columns: Mapping[str, str] | None = None,
    emotions: Mapping[str, str] | None = None,
    affect_scale: Sequence[float] | None = None,
) -> Corpus:
    """A corpus of any form.

    Args:
        labels: table with a header, separated by commas, or by tabs if it is a .tsv
        columns: column of the manifest to column of the table
        emotions: name in the table to name of ours; None: names are kept
        affect_scale: lowest and highest value of affect, if there is some

    Raises:
        CorpusError: if a column cannot be mapped, or affect has no scale
    """
    columns = dict(columns or {})
    possible = [column for column in COLUMNS if column != "duration"]
    if labels is None or "id" not in columns or set(columns) - set(possible):
        raise CorpusError(
            f"folder: labels is {labels} and columns {columns}; expected a table and columns of "
            f"{possible}, id among them. Pass them in --corpus_options."
        )
    rated = bool(set(AFFECT_AXES) & set(columns))
    if rated != (affect_scale is not None):
        raise CorpusError(
            f"folder: affect_scale is {affect_scale}; expected lowest and highest value if, and "
            "only if, columns of affect are mapped. Pass them in --corpus_options."
        )
    table = Path(labels).resolve()
    return Corpus(
        name="folder",
        audio="**/*",
        utterances=None,
        speakers=None,
        label=partial(_label, emotions=emotions),
        rows=partial(_rows, labels=table, columns=columns),
        tables=(str(table),),
        prototypes=not rated and "emotion" in columns,
        affect_scale=(affect_scale[0], affect_scale[1]) if affect_scale else None,
        affect_source="rated" if rated else None,
        options=f"{columns} {emotions}",
    )


def _rows(
    root: Path, labels: Path, columns: Mapping[str, str]
) -> Iterator[tuple[str, dict[str, str]]]:
    delimiter = "\t" if labels.suffix.lower() == ".tsv" else ","
    for row in read_rows(labels, columns.values(), delimiter):
        cells = {ours: row[theirs] for ours, theirs in columns.items()}
        cells["path"] = _find(root, cells.get("path") or cells["id"])
        if "path" not in columns:
            cells["id"] = PurePath(cells["path"]).with_suffix("").as_posix()
        yield cells["path"], cells


def _find(root: Path, name: str) -> str:
    """Path of an audio file below the folder, which the table may name without its suffix."""
    path = PurePath(name)
    if path.is_absolute() and path.is_relative_to(root.resolve()):
        path = path.relative_to(root.resolve())
    if path.suffix.lower() in AUDIO_SUFFIXES or (root / path).is_file():
        return path.as_posix()
    whole = [path.as_posix() + suffix for suffix in sorted(AUDIO_SUFFIXES)]
    found = [candidate for candidate in whole if (root / candidate).is_file()]
    if len(found) > 1:
        raise CorpusError(
            f"folder: '{name}' may be any of {found}; expected one. Write its suffix."
        )
    return found[0] if found else path.as_posix()


def _label(cells: Mapping[str, str], emotions: Mapping[str, str] | None) -> Labels:
    def number(column: str) -> float | None:
        return number_in(cells.get(column, ""), column)

    emotion = cells.get("emotion", "")
    return Labels(
        speaker=cells.get("speaker", ""),
        emotion=pick(emotions, emotion, "emotion") if emotions and emotion else emotion,
        intensity=number("intensity"),
        gender=cells.get("gender", ""),
        session=cells.get("session", ""),
        text=cells.get("text", ""),
        affect=(number("valence"), number("arousal"), number("dominance")),
        id=cells["id"],
        start=number("start"),
        stop=number("stop"),
    )
