"""EMO-DB: 10 actors say 10 German sentences in 7 emotions (Burkhardt et al., 2005).

Layout, below the folder that the archive is unpacked into::

    wav/03a01Fa.wav      speaker, sentence, emotion, version

Nobody rated affect; it is derived from the emotion.
"""

from pathlib import PurePath

from emovec.corpora.base import Corpus, Labels, pick

EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}
GENDERS = {
    "03": "male",
    "08": "female",
    "09": "female",
    "10": "male",
    "11": "male",
    "12": "male",
    "13": "female",
    "14": "female",
    "15": "male",
    "16": "female",
}


def label(path: PurePath) -> Labels:
    """Labels in a file name.

    >>> label(PurePath("wav/03a01Fa.wav"))
    Labels(speaker='03', emotion='happiness', gender='male', text='a01')
    """
    speaker, text, emotion = path.stem[:2], path.stem[2:5], path.stem[5:6]
    return Labels(
        speaker=speaker,
        emotion=pick(EMOTIONS, emotion, "emotion"),
        gender=pick(GENDERS, speaker, "speaker"),
        text=text,
    )


CORPUS = Corpus(
    name="emodb",
    audio="wav/*.wav",
    utterances=535,
    speakers=10,
    label=label,
    language="de",
    citation="Burkhardt et al. (2005), A database of German emotional speech, Interspeech",
)
