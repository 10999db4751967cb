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
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from emovec.corpora.base import Corpus, Labels, Protocol, pick, read_rows
from emovec.errors import CorpusError
from emovec.tables.adjusting import balanced
from emovec.tables.manifest import Utterance
from emovec.tables.protocols import from_column
from emovec.tables.splits import Assignment

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
GENDERS = {"Female": "female", "Male": "male", "Unknown": "", "": ""}
SPLITS = {"Train": "train", "Development": "valid", "Validation": "valid", "Test1": "test"}
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
    valence, arousal, dominance = (float(row[axis]) if row[axis] else None for axis in AFFECT)
    return Labels(
        speaker="" if row["SpkrID"] == "Unknown" else row["SpkrID"],
        emotion=pick(EMOTIONS, row["EmoClass"], "EmoClass"),
        gender=pick(GENDERS, row["Gender"], "Gender"),
        affect=(valence, arousal, dominance),
        extra={"split_set": row["Split_Set"]},
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


def official(utterances: Sequence[Utterance], _seed: int) -> list[Assignment]:
    """Train, Development and Test1 as published, without clips of unknown speakers."""
    return from_column([u for u in utterances if u.speaker], "split_set", SPLITS)


def deeptalk(utterances: Sequence[Utterance], seed: int) -> list[Assignment]:
    """Train against Test1, with equally many clips of each emotion."""
    assignments = [row for row in official(utterances, seed) if row.split != "valid"]
    return balanced(utterances, assignments, seed, {"train": 1600, "test": 450})


def emosphere_inhouse(utterances: Sequence[Utterance], seed: int) -> list[Assignment]:
    """Official training set; the development set drawn apart into valid and test, by clip.

    Valid is 300 clips of each emotion category, test the rest (Cho et al., 2025). Of a category
    with no more than 300 clips, half [ours].
    """
    splits = {**SPLITS, "Test1": ""}
    assignments = {row.id: row for row in from_column(utterances, "split_set", splits)}
    development = [u for u in utterances if u.id in assignments]
    development = [u for u in development if assignments[u.id].split == "valid"]
    for emotion in sorted({u.emotion for u in development}):
        ids = sorted(u.id for u in development if u.emotion == emotion)
        drawn = 300 if len(ids) > 300 else (len(ids) + 1) // 2
        generator = np.random.default_rng([seed, *emotion.encode()])
        for id_ in generator.permutation(ids)[drawn:].tolist():
            assignments[id_] = Assignment(id_, 0, "test")
    return list(assignments.values())


def protocols(release: str = "") -> dict[str, Protocol]:
    """Protocols, with published numbers where the release is the one that they were counted on."""

    def classes(letters: str) -> dict[str, str]:
        return {EMOTIONS[letter]: EMOTIONS[letter] for letter in letters}

    speakers = {"train/speakers": 610, "valid/speakers": 30, "test/speakers": 50}
    clips = {f"train/{emotion}": 1600 for emotion in classes("ASHN")}
    clips |= {f"test/{emotion}": 450 for emotion in classes("ASHN")}
    lotfian = "Lotfian & Busso (2019), IEEE Trans. Affective Computing 10(4), 471-483"
    return {
        "msp-podcast-official": Protocol(official, source=lotfian),
        "msp-podcast-official-5class": Protocol(
            official,
            emotions=classes("AHSND"),
            published=speakers if release == "1.4" else {},
            source="Pappagari et al. (2020), x-vectors meet emotions, ICASSP",
        ),
        "msp-podcast-official-8class": Protocol(
            official, emotions=classes("ASHUFDCN"), source=lotfian
        ),
        "msp-podcast-official-attributes": Protocol(
            official, emotions=classes("ASHUFDCN"), with_affect=True, source=lotfian
        ),
        "emosphere-inhouse": Protocol(
            emosphere_inhouse,
            source="Cho et al. (2025), doi 10.21437/Interspeech.2025-1391",
            shares_speakers=True,
        ),
        "deeptalk-msp": Protocol(
            deeptalk,
            emotions=classes("ASHN"),
            shortest=1.0,
            published=clips if release == "1.8" else {},
            source="Sandler & Ross (2022), arXiv 2211.08213, and its code",
        ),
    }


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
