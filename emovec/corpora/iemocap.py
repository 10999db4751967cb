"""IEMOCAP: 10 actors in 5 sessions of dialogue, scripted and improvised (Busso et al., 2008).

Layout, below the folder that the full release is unpacked into::

    Session1/dialog/EmoEvaluation/Ses01F_impro01.txt     labels of a dialogue's clips
    Session1/dialog/transcriptions/Ses01F_impro01.txt    words said; may be missing
    Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav

People rated affect, written in the order valence, arousal, dominance. A clip's speaker is the
letter before its last number; the one in Ses01F only tells who wears the markers.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from emovec.corpora.base import Corpus, Labels, Protocol, pick
from emovec.corpora.texts import by_key, number_in, read_lines
from emovec.errors import CorpusError
from emovec.labels import AFFECT_AXES
from emovec.tables.manifest import Utterance
from emovec.tables.protocols import leave_one_session_out
from emovec.tables.splits import Assignment

EMOTIONS = {
    "ang": "anger",
    "hap": "happiness",
    "exc": "excitement",
    "sad": "sadness",
    "neu": "neutral",
    "fru": "frustration",
    "fea": "fear",
    "sur": "surprise",
    "dis": "disgust",
    "oth": "other",
    "xxx": "no_agreement",
}
GENDERS = {"F": "female", "M": "male"}
TABLES = ("Session*/dialog/EmoEvaluation/*.txt", "Session*/dialog/transcriptions/*.txt")
AFFECT_SCALE = (1.0, 5.0)

# [6.2901 - 8.2357] <tab> Ses01F_impro01_F000 <tab> neu <tab> [2.5000, 2.5000, 2.5000]
_CLIP = re.compile(
    r"\[[\d.]+ - [\d.]+\]\t(?P<id>(?P<dialog>Ses0(?P<session>\d)\w+)_(?P<letter>[FM])\d+)"
    r"\t(?P<emotion>\w+)\t"
    r"\[(?P<valence>\d[\d.]*), (?P<arousal>\d[\d.]*), (?P<dominance>\d[\d.]*)\]"
)
# Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.
_WORDS = re.compile(r"(\w+) \[[\d.]+-[\d.]+\]:(.*)")


def rows(root: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Path and row of each clip; clips begin with a bracket, single ratings and remarks do not."""
    for table in _visible(root, TABLES[0]):
        session, dialog = table.parents[2], table.stem
        words = _words(session / "dialog" / "transcriptions" / table.name)
        for number, line in enumerate(read_lines(table), start=1):
            if not line.startswith("["):
                continue
            clip = _CLIP.fullmatch(line)
            if clip is None or clip["dialog"] != dialog:
                raise CorpusError(
                    f"{table}:{number}: found '{line}'; expected [START - END], {dialog}_F000 or "
                    "the like, an emotion and [valence, arousal, dominance], separated by tabs. "
                    "Get the file again."
                )
            path = f"{session.name}/sentences/wav/{dialog}/{clip['id']}.wav"
            yield path, {**clip.groupdict(), "text": words.get(clip["id"], "")}


def label(row: Mapping[str, str]) -> Labels:
    """Labels in a row of a dialogue's table."""
    valence, arousal, dominance = (_on_scale(row[axis], axis) for axis in AFFECT_AXES)
    return Labels(
        speaker=row["session"] + row["letter"],
        emotion=pick(EMOTIONS, row["emotion"], "emotion"),
        gender=GENDERS[row["letter"]],
        session=row["session"],
        text=row["text"],
        affect=(valence, arousal, dominance),
        extra={"dialog": row["dialog"]},
    )


def with_tables(corpus: Corpus, root: Path) -> Corpus:
    """The corpus with the names of its tables, so that a change in one of them is noticed."""
    found = [table for pattern in TABLES for table in _visible(root, pattern)]
    return replace(corpus, tables=tuple(table.relative_to(root).as_posix() for table in found))


def _visible(root: Path, pattern: str) -> list[Path]:
    """Files without those of a Mac, such as ._Ses01F_impro01.txt."""
    return [path for path in sorted(root.glob(pattern)) if not path.name.startswith(".")]


def _words(path: Path) -> dict[str, str]:
    """What is said in each clip; lines of other forms are remarks."""
    said = map(_WORDS.fullmatch, read_lines(path) if path.is_file() else [])
    return by_key(path, ((line[1], line[2].strip()) for line in said if line))


def _on_scale(cell: str, axis: str) -> float | None:
    """Mean rating; up to half a step beyond the scale (0.5, 5.5) it is put on its end [ours]."""
    mean, (low, high) = number_in(cell, axis), AFFECT_SCALE
    if mean is None or not low - 0.5 <= mean <= high + 0.5:
        return mean
    return min(max(mean, low), high)


_CLASSES = ("neutral", "anger", "sadness", "happiness", "excitement")
_CLIPS = (  # of each session and class
    (384, 229, 194, 135, 143),
    (362, 137, 197, 117, 210),
    (320, 240, 305, 135, 151),
    (258, 327, 143, 65, 238),
    (384, 170, 245, 143, 299),
)
_APART = {emotion: emotion for emotion in _CLASSES}
_MERGED = {**_APART, "excitement": "happiness"}


def _published(classes: Mapping[str, str]) -> dict[str, int]:
    """Numbers of clips, in all and in each fold's test session."""
    numbers = Counter(speakers=10)
    for fold, session in enumerate(_CLIPS):
        for emotion, clips in zip(_CLASSES, session, strict=True):
            keys = ("clips", classes[emotion], f"fold {fold}/test/{classes[emotion]}")
            numbers.update(dict.fromkeys(keys, clips))
    return dict(numbers)


def _by_session(utterances: Sequence[Utterance], _seed: int) -> list[Assignment]:
    return leave_one_session_out(utterances, validate=False)


def _with_valid(utterances: Sequence[Utterance], _seed: int) -> list[Assignment]:
    return leave_one_session_out(utterances)


def deeptalk(utterances: Sequence[Utterance], seed: int) -> list[Assignment]:
    """Session 3 against the others.

    Equally many clips of each emotion (455 and 133) are drawn of those with an embedding, later.
    """
    return [Assignment(u.id, 0, "test" if u.session == "3" else "train") for u in utterances]


_PAPPAGARI = "Pappagari et al. (2020), x-vectors meet emotions, ICASSP"
_FOUR = {emotion: emotion for emotion in ("anger", "happiness", "sadness", "neutral")}

CORPUS = Corpus(
    name="iemocap",
    audio="Session*/sentences/wav/*/*.wav",
    utterances=10039,
    speakers=10,
    label=label,
    rows=rows,
    tables=TABLES,
    protocols={
        "iemocap-4class-5fold": Protocol(
            _by_session, emotions=_MERGED, published=_published(_MERGED), source=_PAPPAGARI
        ),
        "iemocap-happy-excited": Protocol(
            _by_session, emotions=_APART, published=_published(_APART), source=_PAPPAGARI
        ),
        "deeptalk-iemocap": Protocol(
            deeptalk,
            emotions=_FOUR,
            shortest=1.0,
            source="Sandler & Ross (2022), arXiv 2211.08213, and its code",
        ),
        # for clips of every emotion: two who talk to each other are never in different splits
        "leave-one-session-out": Protocol(_with_valid),
    },
    prototypes=False,
    affect_scale=AFFECT_SCALE,
    affect_source="rated",
    language="en",
    licence="by agreement with the University of Southern California",
    citation="Busso et al. (2008), Language Resources and Evaluation 42(4), 335-359",
    homepage="https://sail.usc.edu/iemocap/",
    open=with_tables,
)
