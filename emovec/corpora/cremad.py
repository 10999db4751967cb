"""CREMA-D: 91 actors say 12 sentences in 6 emotions (Cao et al., 2014).

Layout, below the folder that https://github.com/CheyneyComputerScience/CREMA-D checks out::

    AudioWAV/1001_DFA_ANG_XX.wav         actor _ sentence _ emotion _ intensity
    VideoDemographics.csv                ActorID,Age,Sex,Race,Ethnicity; may be missing
    processedResults/summaryTable.csv    what a crowd heard: FileName,VoiceVote,VoiceLevel,...;
                                         may be missing

The audio is kept in Git LFS. One file has X for XX, as published. Nobody rated affect; it is
derived from emotion and intensity, which only one sentence has.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePath

from emovec.corpora.base import Corpus, Labels, Protocol, pick, read_rows
from emovec.corpora.texts import by_key, name_parts
from emovec.tables.manifest import Utterance
from emovec.tables.protocols import speakers_drawn
from emovec.tables.splits import Assignment

EMOTIONS = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
}
VOTES = {code[0]: emotion for code, emotion in EMOTIONS.items()}
INTENSITIES = {"LO": 1 / 3, "MD": 2 / 3, "HI": 1.0, "XX": None, "X": None}
SEXES = {"Male": "male", "Female": "female"}
ACTORS = "VideoDemographics.csv"
CROWD = "processedResults/summaryTable.csv"

_Rows = Mapping[str, Mapping[str, str]]


def label(path: PurePath, actors: _Rows | None = None, crowd: _Rows | None = None) -> Labels:
    """Labels in a file name, and in the rows of its actor and of itself.

    >>> label(PurePath("AudioWAV/1001_IEO_ANG_HI.wav"), {"1001": {"Sex": "Male", "Age": "51"}},
    ...       {"1001_IEO_ANG_HI": {"VoiceVote": "A:D", "VoiceLevel": "70:55"}}).extra
    {'age': '51', 'voice_vote': 'anger:disgust', 'voice_level': '70:55'}
    """
    actor, sentence, emotion, intensity = name_parts(path, "_", 4)
    facts, heard = (actors or {}).get(actor), (crowd or {}).get(path.stem)
    return Labels(
        speaker=actor,
        emotion=pick(EMOTIONS, emotion, "emotion"),
        intensity=pick(INTENSITIES, intensity, "intensity"),
        gender=pick(SEXES, facts["Sex"], f"{ACTORS}: Sex") if facts else "",
        text=sentence,
        extra={
            "age": facts["Age"] if facts else "",
            "voice_vote": _emotions(heard["VoiceVote"]) if heard else "",
            "voice_level": heard["VoiceLevel"] if heard else "",
        },
    )


def with_tables(corpus: Corpus, root: Path) -> Corpus:
    """The corpus with what is known of actors and of what a crowd heard, where tables are there."""
    actors = _by(root / ACTORS, "ActorID", "Sex", "Age")
    crowd = _by(root / CROWD, "FileName", "VoiceVote", "VoiceLevel")
    return replace(corpus, label=partial(label, actors=actors, crowd=crowd))


def _by(table: Path, key: str, *columns: str) -> _Rows:
    rows = read_rows(table, (key, *columns)) if table.is_file() else []
    return by_key(table, ((row[key], {name: row[name] for name in columns}) for row in rows))


def _emotions(votes: str) -> str:
    """Names for letters; "A:D" is a tie."""
    return ":".join(pick(VOTES, vote, f"{CROWD}: VoiceVote") for vote in votes.split(":") if vote)


def _51_8_32(utterances: Sequence[Utterance], seed: int) -> list[Assignment]:
    return speakers_drawn(utterances, seed, {"train": 51, "valid": 8, "test": 32})


def deeptalk(utterances: Sequence[Utterance], seed: int) -> list[Assignment]:
    """70 % of the speakers against 30 %.

    The published code indexes the wrong table, so that its speakers overlap; these do not [ours].
    Equally many clips of each emotion (720 and 320) are drawn of those with an embedding, later.
    """
    return speakers_drawn(utterances, seed, {"train": 64, "test": 27})


_FOUR = {emotion: emotion for emotion in ("anger", "happiness", "sadness", "neutral")}

CORPUS = Corpus(
    name="cremad",
    audio="AudioWAV/*.wav",
    utterances=7442,
    speakers=91,
    label=label,
    tables=(ACTORS, CROWD),
    known_bad={"1076_MTI_SAD_XX": "silent as published"},
    protocols={
        "cremad-51-8-32": Protocol(
            _51_8_32,
            emotions=_FOUR,
            published={
                "clips": 4900,
                **{emotion: 1087 if emotion == "neutral" else 1271 for emotion in _FOUR},
                "train/speakers": 51,
                "valid/speakers": 8,
                "test/speakers": 32,
            },
            source="Pappagari et al. (2020), x-vectors meet emotions, ICASSP",
        ),
        "deeptalk-cremad": Protocol(
            deeptalk,
            emotions=_FOUR,
            shortest=1.0,
            published={"clips": 4900},
            source="Sandler & Ross (2022), arXiv 2211.08213, and its code",
        ),
    },
    language="en",
    licence="ODbL-1.0",
    citation="Cao et al. (2014), CREMA-D, IEEE Trans. Affective Computing 5(4), 377-390",
    homepage="https://github.com/CheyneyComputerScience/CREMA-D",
    open=with_tables,
)
