"""CREMA-D: 91 actors say 12 sentences in 6 emotions (Cao et al., 2014).

Layout, below the folder that https://github.com/CheyneyComputerScience/CREMA-D checks out::

    AudioWAV/1001_DFA_ANG_XX.wav      actor _ sentence _ emotion _ intensity
    VideoDemographics.csv             sex of each actor; without it genders are not known

The audio is kept in Git LFS. One file has X for XX, as published. Nobody rated affect; it is
derived from emotion and intensity, which only one sentence has.
"""

from pathlib import Path, PurePath

from emovec.corpora.base import Corpus, Labels, pick, read_rows

EMOTIONS = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
}
INTENSITIES = {"LO": 1 / 3, "MD": 2 / 3, "HI": 1.0, "XX": None, "X": None}


def label(path: PurePath) -> Labels:
    """Labels in a file name.

    >>> label(PurePath("AudioWAV/1001_IEO_ANG_HI.wav"))
    Labels(speaker='1001', emotion='anger', intensity=1.0, text='IEO')
    """
    actor, sentence, emotion, intensity = path.stem.split("_")
    return Labels(
        speaker=actor,
        emotion=pick(EMOTIONS, emotion, "emotion"),
        intensity=pick(INTENSITIES, intensity, "intensity"),
        text=sentence,
    )


def genders(root: Path) -> dict[str, str]:
    """Gender of each actor, where the table is there."""
    table = root / "VideoDemographics.csv"
    rows = read_rows(table, ["ActorID", "Sex"]) if table.is_file() else []
    return {row["ActorID"]: row["Sex"].lower() for row in rows}


CORPUS = Corpus(
    name="cremad",
    audio="AudioWAV/*.wav",
    utterances=7442,
    speakers=91,
    label=label,
    tables=("VideoDemographics.csv",),
    genders=genders,
    known_bad={"1076_MTI_SAD_XX": "silent as published"},
    language="en",
    licence="ODbL-1.0",
    citation="Cao et al. (2014), CREMA-D, IEEE Trans. Affective Computing 5(4), 377-390",
)
