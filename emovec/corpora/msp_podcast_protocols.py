"""Protocols of MSP-Podcast: its own splits, and those of publications made from them."""

from collections.abc import Sequence

import numpy as np

from emovec.corpora.base import Protocol
from emovec.tables.manifest import Utterance
from emovec.tables.protocols import from_column
from emovec.tables.splits import Assignment

SPLITS = {"Train": "train", "Development": "valid", "Validation": "valid", "Test1": "test"}
_CLASSES = {
    "A": "anger",
    "S": "sadness",
    "H": "happiness",
    "U": "surprise",
    "F": "fear",
    "D": "disgust",
    "C": "contempt",
    "N": "neutral",
}


def official(utterances: Sequence[Utterance], _seed: int) -> list[Assignment]:
    """Train, Development and Test1 as published, without clips of unknown speakers."""
    return from_column([u for u in utterances if u.speaker], "split_set", SPLITS)


def deeptalk(utterances: Sequence[Utterance], seed: int) -> list[Assignment]:
    """Train against Test1.

    Equally many clips of each emotion (1600 and 450) are drawn of those with an embedding, later.
    """
    return [row for row in official(utterances, seed) if row.split != "valid"]


def emosphere_inhouse(utterances: Sequence[Utterance], seed: int) -> list[Assignment]:
    """Official training set; the development set drawn apart into valid and test, by clip.

    Valid is 300 clips of each emotion category, test the rest (Cho et al., 2025). Of a category
    with no more than 300 clips, half [ours]. Valid and test may share speakers, train none with
    them. Clips without agreement, and other, are left out by ``drop_emotions`` of the hparams, not
    here: an ablation keeps them.
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
        return {_CLASSES[letter]: _CLASSES[letter] for letter in letters}

    speakers = {"train/speakers": 610, "valid/speakers": 30, "test/speakers": 50}
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
            shares_speakers=("valid", "test"),
        ),
        "deeptalk-msp": Protocol(
            deeptalk,
            emotions=classes("ASHN"),
            shortest=1.0,
            source="Sandler & Ross (2022), arXiv 2211.08213, and its code",
        ),
    }
