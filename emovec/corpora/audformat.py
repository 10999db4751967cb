"""Databases in audformat, on disk or from audb (https://audeering.github.io/audformat).

Layout of a database; every table is a .csv or a .parquet::

    db.yaml                     header: licence, languages, schemes, tables and their columns
    db.emotion.csv              file,emotion               or file,start,end,emotion
    db.files.parquet            file,speaker,transcription
    wav/03a01Fa.wav

A database that is not here yet is downloaded, where there is a network::

    emovec prepare audformat --corpus_options='{database: emodb, release: "1.4.1"}'

Rows come from the tables with emotions, or else with affect; speakers, words and affect from all
tables. What is said of a file holds for its segments. Splits are those of tables (``split_id``,
or a name such as ``emotion.categories.train.gold_standard``) or of a column ``split``.

audformat and audb are imported when a database is read: ``pip install 'emovec[audb]'``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatch
from functools import partial
from pathlib import Path, PurePath
from typing import Any

from emovec.corpora.audformat_tables import (
    FAULT,
    Place,
    affect_scale,
    clips,
    column_named,
    library,
    quiet,
    split_of,
)
from emovec.corpora.base import Corpus, Labels, Protocol
from emovec.corpora.options import TEXT
from emovec.errors import CorpusError
from emovec.labels import AFFECT_AXES, emotion_named
from emovec.tables.manifest import Utterance
from emovec.tables.protocols import from_column
from emovec.tables.splits import SPLITS, Assignment

OPTIONS = dict.fromkeys(("database", "release", "table", "emotion_column", "speaker_column"), TEXT)
_GENDERS = {"f": "female", "female": "female", "m": "male", "male": "male"}
_SPLIT = "audformat_split"  # further column of the manifest


def corpus(
    database: str = "",
    release: str = "",
    table: str = "*",
    emotion_column: str = "emotion",
    speaker_column: str = "speaker",
) -> Corpus:
    """A database in audformat.

    Args:
        database: name in audb, of a database to download; "": it lies in the data folder
        release: its version
        table: pattern of the tables with emotions, affect and splits, such as "*.gold_standard"
        emotion_column: column, or scheme of the one column, with the emotion
        speaker_column: column, or scheme of the one column, with the speaker

    Raises:
        CorpusError: if only one of ``database`` and ``release`` is given
    """
    if bool(database) != bool(release):
        raise CorpusError(
            f"audformat: database is '{database}' and release '{release}'; expected both, for a "
            "version that can be downloaded again, or none. Pass them in --corpus_options."
        )
    columns = {"emotion": emotion_column, "speaker": speaker_column}
    return Corpus(
        name=f"audformat_{database}" if database else "audformat",
        audio="**/*",
        utterances=None,
        speakers=None,
        label=_label,
        tables=("db.yaml",),
        protocols={"audformat": Protocol(_published_splits)},
        release=release,
        open=partial(_open, database=database, table=table, columns=columns),
        make=partial(_download, database=database, release=release) if database else None,
        options=f"{table} {columns}",
    )


def _download(folder: Path, database: str, release: str) -> None:
    """Write the database into a folder, its version in its header, as audb does in its cache."""
    audb = library("audb")
    try:
        with quiet():
            loaded = audb.load_to(
                str(folder), database, version=release, pickle_tables=False, verbose=False
            )
            loaded.meta["audb"] = {"version": release}
            loaded.save(str(folder), header_only=True)
    except Exception as error:  # of any back end: no network, no such name, no access
        raise CorpusError(
            f"audformat: {database} {release} cannot be downloaded ({error}); expected a network "
            f"and a database of audb. See audb.versions('{database}'), or copy it and pass "
            "--data_folder=PATH without --database."
        ) from error


def _open(
    corpus: Corpus, root: Path, database: str, table: str, columns: Mapping[str, str]
) -> Corpus:
    """The corpus with what the header says."""
    header = _read_header(root)
    release = header.meta.get("audb", {}).get("version", "")
    if database and (header.name, release) != (database, corpus.release):
        raise CorpusError(
            f"{root}: holds {header.name} {release or 'of unknown version'}; expected {database} "
            f"{corpus.release}. Choose another folder, or leave --database out."
        )
    judging = {name: each for name, each in header.tables.items() if fnmatch(name, table)}
    _check_columns(header, judging, table, columns)
    scale = affect_scale(header, judging)
    split = any(split_of(header, name) or "split" in each.columns for name, each in judging.items())
    return replace(
        corpus,
        name=f"audformat_{header.name}",
        rows=lambda _root: clips(header, judging, columns),
        tables=tuple(sorted(path.name for path in root.glob("db.*") if path.suffix != ".pkl")),
        protocols=corpus.protocols if split else {},
        prototypes=scale is None,
        affect_scale=scale,
        affect_source=None if scale is None else "rated",
        release=release,
        language=",".join(header.languages),
        licence=str(header.license or ""),
        citation=header.author or "",
        homepage=header.source or "",
    )


def _read_header(root: Path) -> Any:
    """The database, its tables not read yet."""
    audformat = library("audformat")
    try:
        with quiet():
            return audformat.Database.load(str(root))
    except FileNotFoundError as error:
        raise CorpusError(
            f"{root / 'db.yaml'}: not found; expected the header of a database in audformat. "
            "Mend --data_folder."
        ) from error
    except Exception as error:  # of the YAML reader, or of audformat about what it holds
        raise CorpusError(
            f"{root / 'db.yaml'}: {error}; expected a header of audformat."
        ) from error


def _check_columns(
    header: Any, judging: Mapping[str, Any], table: str, columns: Mapping[str, str]
) -> None:
    """Raise where nothing is judged, or a column is missing that was asked for by another name."""
    emotion, speaker = columns["emotion"], columns["speaker"]
    judged = {name for name in (emotion, *AFFECT_AXES) if _has(judging, name)}
    missing = [] if judged else [f"{emotion}' or of affect"]
    missing += [f"{emotion}'"] if judged and emotion != "emotion" and emotion not in judged else []
    missing += [f"{speaker}'"] if speaker != "speaker" and not _has(header.tables, speaker) else []
    if missing:
        found = {name: list(each.columns) for name, each in header.tables.items()}
        raise CorpusError(
            f"{header.name}: no table '{table}' with a column '{missing[0]}; found {found}. "
            "Pass table, emotion_column or speaker_column in --corpus_options."
        )


def _has(tables: Mapping[str, Any], name: str) -> bool:
    return any(column_named(table, name) for table in tables.values())


def _label(clip: tuple[Place, Mapping[str, Any]]) -> Labels:
    (file, start, end), facts = clip
    if FAULT in facts:
        raise ValueError(facts[FAULT])
    valence, arousal, dominance = (facts.get(axis) for axis in AFFECT_AXES)
    extra = {"age": str(facts.get("age", "")), _SPLIT: facts.get("split", "")}
    whole = PurePath(file).with_suffix("").as_posix()
    return Labels(
        speaker=str(facts.get("speaker", "")),
        emotion=emotion_named(str(facts.get("emotion", ""))),
        gender=_GENDERS.get(str(facts.get("gender", "")).lower(), ""),
        text=str(facts.get("transcription", facts.get("text", ""))),
        affect=(valence, arousal, dominance),
        id=whole if start is None else f"{whole}_{start}_{'end' if end is None else end}",
        start=start,
        stop=end,
        extra={column: cell for column, cell in extra.items() if cell},
    )


def _published_splits(utterances: Sequence[Utterance], _seed: int) -> list[Assignment]:
    return from_column(utterances, _SPLIT, {split: split for split in SPLITS})
