"""nEMO: 9 actors say 90 Polish sentences in 6 emotions (Christop, 2024).

Layout, below the folder that https://github.com/amu-cai/nEMO checks out::

    data.tsv                     file_id emotion raw_text normalized_text speaker_id gender age
    samples/EB0_anger_1.wav

Speaker ids come with blanks before them. Nobody rated affect; it is derived from the emotion.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from emovec.corpora.base import Corpus, Labels, pick, read_rows
from emovec.labels import GENDERS

EMOTIONS = {
    "anger": "anger",
    "fear": "fear",
    "happiness": "happiness",
    "neutral": "neutral",
    "sadness": "sadness",
    "surprise": "surprise",
    "surprised": "surprise",
}
COLUMNS = ("file_id", "emotion", "raw_text", "speaker_id", "gender", "age")


def rows(root: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Path and row of each clip."""
    for row in read_rows(root / "data.tsv", COLUMNS, delimiter="\t"):
        yield f"samples/{row['file_id'].removesuffix('.wav')}.wav", row


def label(row: Mapping[str, str]) -> Labels:
    """Labels in a row of the table."""
    return Labels(
        speaker=row["speaker_id"],
        emotion=pick(EMOTIONS, row["emotion"], "emotion"),
        gender=pick({gender: gender for gender in GENDERS}, row["gender"], "gender"),
        text=row["raw_text"],
        extra={"age": row["age"]},
    )


CORPUS = Corpus(
    name="nemo",
    audio="samples/*.wav",
    utterances=4481,
    speakers=9,
    label=label,
    rows=rows,
    tables=("data.tsv",),
    language="pl",
    licence="CC-BY-NC-SA-4.0",
    citation="Christop (2024), nEMO: dataset of emotional speech in Polish, LREC-COLING",
    homepage="https://huggingface.co/datasets/amu-cai/nEMO",
)
