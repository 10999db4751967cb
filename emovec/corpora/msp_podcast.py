"""MSP-Podcast: English podcasts, affect rated by people (Lotfian & Busso, 2019).

Layout, below the folder of a release; the table may be the .json instead, keyed by file name, and
is spelled labels_concensus in old releases::

    Audios/MSP-PODCAST_0001_0008.wav
    Labels/labels_consensus.csv    FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set

Releases differ in clips, speakers and splits: results of two are never comparable. The release
is read off the end of the folder's name (MSP-PODCAST-Publish-1.12) unless it is given.

Clips of unknown speakers keep an empty speaker. Splits that claim to share no speaker leave them
out, since nobody can tell, and the check of the splits counts them.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from emovec.corpora.base import Corpus, Labels, pick, read_rows
from emovec.corpora.msp_podcast_protocols import SPLITS, protocols
from emovec.corpora.texts import known_speaker, number_in
from emovec.errors import CorpusError

EMOTIONS = {
    "A": "anger",
    "S": "sadness",
    "H": "happiness",
    "U": "surprise",
    "F": "fear",
    "D": "disgust",
    "C": "contempt",
    "N": "neutral",
    "O": "other",
    "X": "no_agreement",
    "": "",  # labels of some test sets are withheld
}
SPLIT_SETS = {name: name for name in (*SPLITS, "Test2", "Test3", "")}
GENDERS = {"Female": "female", "Male": "male", "Unknown": "", "": ""}
AFFECT = ("EmoVal", "EmoAct", "EmoDom")
COLUMNS = ("FileName", "EmoClass", *AFFECT, "SpkrID", "Gender", "Split_Set")
TABLES = (
    "Labels/labels_consensus.csv",
    "Labels/labels_consensus.json",
    "Labels/labels_concensus.csv",
    "Labels/labels_concensus.json",
)
_Rows = dict[str, Mapping[str, str]]  # by file name


def rows(root: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Path and row of each clip.

    Raises:
        CorpusError: if there is no table, one is broken, two name different files, or table and
            audio are of different releases
    """
    tables = [root / name for name in TABLES if (root / name).is_file()] or [root / TABLES[0]]
    table, *others = tables
    found = _read(table)
    for other in others:
        differ = sorted(set(found) ^ set(_read(other)))
        if differ:
            raise CorpusError(
                f"{other}: {len(differ)} files are in this table or in {table.name} only, first "
                f"{differ[0]}; expected the same in both. Remove the one of another release."
            )
    _check_mixture(table, found, root / "Audios")
    for name, row in found.items():
        yield f"Audios/{name}", row


def _read(table: Path) -> _Rows:
    if table.suffix == ".json":
        return _read_json(table)
    found: _Rows = {}
    for line, row in enumerate(read_rows(table, COLUMNS), start=2):
        if row["FileName"] in found:
            raise _twice(f"{table}:{line}", row["FileName"])
        found[row["FileName"]] = row
    return found


def _read_json(table: Path) -> _Rows:
    """Rows of a table whose objects are read as pairs, since a dict would hide what is twice."""
    try:
        pairs = json.loads(table.read_text(encoding="utf-8"), object_pairs_hook=tuple)
    except ValueError as error:
        raise CorpusError(f"{table}: is no JSON ({error}); get it again.") from error
    if not isinstance(pairs, tuple):
        raise CorpusError(f"{table}: is no JSON object; expected one keyed by file name.")
    found: _Rows = {}
    for name, facts in pairs:
        row = dict(facts) if isinstance(facts, tuple) else {}
        missing = [column for column in COLUMNS[1:] if column not in row]
        if missing:
            raise CorpusError(f"{table}: {name}: {missing} are missing; found {list(row)}.")
        if name in found:
            raise _twice(f"{table}", name)
        found[name] = {key: "" if cell is None else str(cell) for key, cell in row.items()}
    return found


def _twice(where: str, name: str) -> CorpusError:
    return CorpusError(
        f"{where}: {name} has a row already; expected one for each file. Get the table again."
    )


def _check_mixture(table: Path, names: Collection[str], audio: Path) -> None:
    """Raise where rows without audio meet audio without rows; either alone is an incomplete copy.

    Audio of Test3 does not count, since its labels are withheld in some releases.
    """
    files = {path.name for path in audio.glob("*.wav") if not path.name.startswith(".")}
    without_rows = sorted(name for name in files - set(names) if "test3" not in name.lower())
    without_audio = sorted(set(names) - files)
    if without_rows and without_audio:
        raise CorpusError(
            f"{table}: {len(without_audio)} rows have no audio, first {without_audio[0]}, and "
            f"{len(without_rows)} audio files have no row, first {without_rows[0]}; expected "
            "table and audio of one release. Is this a mixture of two releases?"
        )


def label(row: Mapping[str, str]) -> Labels:
    """Labels in a row of the table."""
    valence, arousal, dominance = (number_in(row[axis], axis) for axis in AFFECT)
    return Labels(
        speaker=known_speaker(row["SpkrID"]),
        emotion=pick(EMOTIONS, row["EmoClass"], "EmoClass"),
        gender=pick(GENDERS, row["Gender"], "Gender"),
        affect=(valence, arousal, dominance),
        extra={"split_set": pick(SPLIT_SETS, row["Split_Set"], "Split_Set")},
    )


def with_release(corpus: Corpus, root: Path) -> Corpus:
    """The corpus with its release, and what was published of that one.

    Raises:
        CorpusError: if the release is not known, is none, or is not the folder's
    """
    folder = root.resolve().name
    number = re.search(r"\d+\.\d+$", folder)
    release = corpus.release or (number[0] if number else "")
    if not re.fullmatch(r"\d+\.\d+", release):
        raise CorpusError(
            f"msp_podcast: release is '{release}', and the folder '{folder}'; expected one such as "
            "1.11 at the end of the folder's name. Pass --corpus_options='{release: \"1.11\"}'."
        )
    if number and number[0] != release:
        raise CorpusError(
            f"msp_podcast: release is {release}, but the folder is '{folder}'; expected the same. "
            "Mend the one that is wrong."
        )
    return replace(corpus, release=release, protocols=protocols(release))


CORPUS = Corpus(
    name="msp_podcast",
    audio="Audios/*.wav",
    utterances=None,
    speakers=None,
    label=label,
    rows=rows,
    tables=TABLES,
    protocols=protocols(),
    prototypes=False,
    affect_scale=(1.0, 7.0),
    affect_source="rated",
    language="en",
    licence="by agreement with the University of Texas at Dallas",
    citation="Lotfian & Busso (2019), IEEE Trans. Affective Computing 10(4), 471-483",
    homepage="https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Podcast.html",
    open=with_release,
)
