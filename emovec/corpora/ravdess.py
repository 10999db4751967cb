"""RAVDESS: 24 actors speak 2 sentences in 8 emotions at 2 intensities (Livingstone & Russo, 2018).

Speech only. Layout, below the folder that the archive of speech audio is unpacked into (.flac
copies are read as well)::

    Actor_01/03-01-06-02-01-02-01.wav
             modality - channel - emotion - intensity - sentence - repetition - actor

Odd actors are male. Neutral has only the lower intensity, of which half the strength is assumed.
Nobody rated affect; it is derived from emotion and intensity, and calm has none.
"""

from pathlib import PurePath

from emovec.corpora.base import Corpus, Labels, pick
from emovec.corpora.texts import name_parts

EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
INTENSITIES = {"01": 0.5, "02": 1.0}
SENTENCES = {"01": "kids are talking by the door", "02": "dogs are sitting by the door"}


def label(path: PurePath) -> Labels:
    """Labels in a file name.

    >>> label(PurePath("Actor_02/03-01-06-02-01-02-02.wav"))  # doctest: +NORMALIZE_WHITESPACE
    Labels(speaker='02', emotion='fear', intensity=1.0, gender='female',
           text='kids are talking by the door')
    """
    _modality, _channel, emotion, intensity, sentence, _repetition, actor = name_parts(path, "-", 7)
    return Labels(
        speaker=actor,
        emotion=pick(EMOTIONS, emotion, "emotion"),
        intensity=pick(INTENSITIES, intensity, "intensity"),
        gender="male" if int(actor) % 2 else "female",
        text=pick(SENTENCES, sentence, "sentence"),
    )


CORPUS = Corpus(
    name="ravdess",
    audio="Actor_*/03-01-*",
    utterances=1440,
    speakers=24,
    label=label,
    language="en",
    licence="CC-BY-NC-SA-4.0",
    citation="Livingstone & Russo (2018), PLOS ONE 13(5), e0196391",
    homepage="https://zenodo.org/records/1188976",
)
