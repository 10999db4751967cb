"""MSP-Podcast: English podcasts, affect rated by people (Lotfian & Busso, 2019).

Layout, below the folder of a release; the table may be the .json instead, keyed by file name::

    Audios/MSP-PODCAST_0001_0008.wav
    Labels/labels_consensus.csv    FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set

Releases differ in clips, speakers and splits: results of two are never comparable. The release
is read off the end of the folder's name (MSP-PODCAST-Publish-1.12) unless it is given.

Clips of unknown speakers keep an empty speaker. Splits that claim to share no speaker leave them
out, since nobody can tell, and the check of the splits counts them.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from emovec.corpora.base import Corpus, Labels, Protocol, pick, read_rows
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
TABLE = "Labels/labels_consensus"


def rows(root: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Path and row of each clip."""
    table = root / f"{TABLE}.json"
    if (root / f"{TABLE}.csv").is_file() or not table.is_file():
        for row in read_rows(root / f"{TABLE}.csv", COLUMNS):
            yield f"Audios/{row['FileName']}", row
        return
    for name, facts in json.loads(table.read_text(encoding="utf-8")).items():
        cells = {key: "" if value is None else str(value) for key, value in facts.items()}
        yield f"Audios/{name}", cells


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
    """The corpus with its release, "unknown" if neither given nor in the folder's name."""
    number = re.search(r"\d+\.\d+$", root.resolve().name)
    return replace(corpus, release=corpus.release or (number[0] if number else "unknown"))


def official(utterances: Sequence[Utterance], _seed: int) -> list[Assignment]:
    """Train, Development and Test1 as published, without clips of unknown speakers."""
    return from_column([u for u in utterances if u.speaker], "split_set", SPLITS)


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


CORPUS = Corpus(
    name="msp_podcast",
    audio="Audios/*.wav",
    utterances=None,
    speakers=None,
    label=label,
    rows=rows,
    tables=(f"{TABLE}.csv", f"{TABLE}.json"),
    protocols={
        "official": Protocol(official),
        "emosphere_inhouse": Protocol(emosphere_inhouse, shares_speakers=True),
    },
    prototypes=False,
    affect_scale=(1.0, 7.0),
    affect_source="rated",
    language="en",
    licence="by agreement with the University of Texas at Dallas",
    citation="Lotfian & Busso (2019), IEEE Trans. Affective Computing 10(4), 471-483",
    open=with_release,
)
