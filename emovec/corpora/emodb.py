"""EMO-DB: 10 actors say 10 German sentences in 7 emotions (Burkhardt et al., 2005).

Layout, below the folder that the archive is unpacked into::

    wav/03a01Fa.wav      speaker, sentence, emotion, version
    erkennung.txt        listeners who heard the emotion that was meant, in %; may be missing

The table is in Latin-1, with tabs and decimal commas, and lists clips that were not published.
Nobody rated affect; it is derived from the emotion.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePath

from emovec.corpora.base import Corpus, Labels, pick
from emovec.corpora.texts import by_key
from emovec.errors import CorpusError

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
TABLE = "erkennung.txt"
_NAME, _RECOGNISED = "Satz", "erkannt"


def label(path: PurePath, recognitions: Mapping[str, str] | None = None) -> Labels:
    """Labels in a file name, and how many listeners agreed, in %.

    >>> label(PurePath("wav/03a01Fa.wav"), {"03a01Fa": "90.00"})  # doctest: +NORMALIZE_WHITESPACE
    Labels(speaker='03', emotion='happiness', gender='male', text='a01',
           extra={'recognition': '90.00'})
    """
    speaker, text, emotion = path.stem[:2], path.stem[2:5], path.stem[5:6]
    return Labels(
        speaker=speaker,
        emotion=pick(EMOTIONS, emotion, "emotion"),
        gender=pick(GENDERS, speaker, "speaker"),
        text=text,
        extra={"recognition": (recognitions or {}).get(path.stem, "")},
    )


def with_recognition(corpus: Corpus, root: Path) -> Corpus:
    """The corpus with what listeners heard, where the table is there."""
    return replace(corpus, label=partial(label, recognitions=_recognitions(root / TABLE)))


def _recognitions(table: Path) -> dict[str, str]:
    """Percentages by clip, with a decimal point; columns behind those two may be missing.

    Raises:
        CorpusError: if a column is missing, a cell is no percentage, or a clip has two
    """
    if not table.is_file():
        return {}
    lines = [line.split("\t") for line in table.read_text(encoding="latin-1").split("\n")]
    header = [cell.strip() for cell in lines[0]]
    if not {_NAME, _RECOGNISED} <= set(header):
        raise CorpusError(
            f"{table}: columns are {header}; expected {_NAME} and {_RECOGNISED}, separated by "
            "tabs. Get it again, or remove it."
        )
    name, recognised = header.index(_NAME), header.index(_RECOGNISED)
    found = []
    for number, cells in enumerate(lines[1:], start=2):
        if not "".join(cells).strip():
            continue
        try:
            share = cells[recognised].strip().replace(",", ".")
            known = not share or 0 <= float(share) <= 100
        except (IndexError, ValueError):
            known = False
        if not known:
            raise CorpusError(
                f"{table}:{number}: found {cells}; expected a clip and a percentage such as "
                "90,00. Get it again, or remove it."
            )
        found.append((cells[name].strip().removesuffix(".wav"), share))
    return by_key(table, found)


CORPUS = Corpus(
    name="emodb",
    audio="wav/*.wav",
    utterances=535,
    speakers=10,
    label=label,
    tables=(TABLE,),
    language="de",
    citation="Burkhardt et al. (2005), A database of German emotional speech, Interspeech",
    homepage="http://emodb.bilderbar.info",
    open=with_recognition,
)
