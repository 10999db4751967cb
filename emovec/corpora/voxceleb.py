"""VoxCeleb 1 and 2: celebrities in videos (Nagrani et al., 2017; Chung et al., 2018).

Layout, below the folder that the archives are unpacked into; dev/wav and test/wav side by side
are read as well, and so are the folders aac of VoxCeleb2, once their files are converted::

    wav/id10001/1zcIwhmdeo4/00001.wav     speaker / video / clip
    vox1_meta.csv, vox2_meta.csv          gender of each speaker, and whether of dev or test
    veri_test2.txt and others             official trials of VoxCeleb1

File names occur again in every video: an id has all three parts. Without the table of speakers,
genders are not known, and which part of VoxCeleb2 a clip is of only from a folder dev or test.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePath

from emovec.corpora.base import Corpus, Labels, Protocol, pick, read_rows
from emovec.corpora.texts import by_key
from emovec.errors import CorpusError
from emovec.tables.manifest import Utterance
from emovec.tables.protocols import speakers_drawn
from emovec.tables.splits import Assignment

PUBLISHED = {  # clips and speakers of each part
    1: {"dev": (148_642, 1211), "test": (4_874, 40)},
    2: {"dev": (1_092_009, 5994), "test": (36_237, 118)},
}
TRIALS = {  # name of an official list to its file and its number of trials
    "voxceleb1-o": ("veri_test.txt", 37_720),
    "voxceleb1-o-cleaned": ("veri_test2.txt", 37_611),
    "voxceleb1-e": ("list_test_all.txt", 581_480),
    "voxceleb1-e-cleaned": ("list_test_all2.txt", 579_818),
    "voxceleb1-h": ("list_test_hard.txt", 552_536),
    "voxceleb1-h-cleaned": ("list_test_hard2.txt", 550_894),
}
GENDERS = {"m": "male", "f": "female"}
PARTS = {"dev": "dev", "test": "test"}
# id10001 to id11251, of which id10270 to id10309 are in the trials of VoxCeleb1-O
VOXCELEB1_PARTS = {
    f"id{number}": "test" if 10270 <= number < 10310 else "dev" for number in range(10001, 11252)
}
VALID_SHARE = 0.05  # of the dev speakers [ours]


def label(path: PurePath, parts: Mapping[str, str]) -> Labels:
    """Labels in a path.

    Args:
        path: of a clip
        parts: speaker to dev or test; of others, the outermost folder tells

    >>> label(PurePath("wav/id10270/x6uYqmx31kE/00001.wav"), parts={"id10270": "test"})
    ... # doctest: +NORMALIZE_WHITESPACE
    Labels(speaker='id10270', session='x6uYqmx31kE', id='id10270/x6uYqmx31kE/00001',
           extra={'part': 'test'})
    """
    *_folders, speaker, video, _clip = path.parts
    return Labels(
        speaker=speaker,
        session=video,
        id=f"{speaker}/{video}/{path.stem}",
        extra={"part": parts.get(speaker) or PARTS.get(path.parts[0], "")},
    )


def genders(root: Path, version: int) -> dict[str, str]:
    """Gender of each speaker, where the table is there."""
    return _column(root, version, "Gender", GENDERS)


def with_parts(corpus: Corpus, root: Path, version: int) -> Corpus:
    """The corpus as its folder has it: dev and test together, side by side, or one of them."""
    published = PUBLISHED[version]
    parts = [part for part in published if any((root / part).glob("*/id*"))]
    if parts:
        pattern = f"{parts[0] if len(parts) == 1 else '[dt]e[vs]*'}/*/id*/*/*"
    else:
        aac = (root / "aac").is_dir() and not (root / "wav").is_dir()
        pattern = f"{'aac' if aac else 'wav'}/id*/*/*"
    expected = [published[part] for part in parts or published]
    unknown = f"{_table(version)} not found: genders are not known"
    known = VOXCELEB1_PARTS if version == 1 else _column(root, version, "Set", PARTS)
    return replace(
        corpus,
        audio=pattern,
        utterances=sum(clips for clips, _ in expected),
        speakers=sum(speakers for _, speakers in expected),
        label=partial(label, parts=known),
        warnings=() if (root / _table(version)).is_file() else (unknown,),
    )


def official(utterances: Sequence[Utterance], seed: int) -> list[Assignment]:
    """Test as published; of the other speakers, one in twenty is drawn for valid [ours]."""
    test = [Assignment(u.id, 0, "test") for u in utterances if u.extra["part"] == "test"]
    others = [u for u in utterances if u.extra["part"] != "test"]
    speakers = len({u.speaker for u in others})
    valid = max(1, round(VALID_SHARE * speakers))
    return speakers_drawn(others, seed, {"train": speakers - valid, "valid": valid}) + test


def trials(root: Path) -> dict[str, tuple[Path, int]]:
    """Official lists of trials that are in the data folder, and their published numbers."""
    files = {name: (root / file, number) for name, (file, number) in TRIALS.items()}
    return {name: (file, number) for name, (file, number) in files.items() if file.is_file()}


def _table(version: int) -> str:
    return f"vox{version}_meta.csv"


def _column(root: Path, version: int, column: str, codes: Mapping[str, str]) -> dict[str, str]:
    """Meaning of a column for each speaker; empty if there is no table.

    One table has tabs, the other commas and blanks, also around the names of its columns.

    Raises:
        CorpusError: if a column is missing, a code makes no sense, or a speaker has two
    """
    path = root / _table(version)
    if not path.is_file():
        return {}
    with path.open("rb") as file:
        delimiter = "\t" if b"\t" in file.readline() else ","
    key, meanings = f"VoxCeleb{version} ID", []
    for row in read_rows(path, (), delimiter):
        cells = {name.strip(): cell for name, cell in row.items()}
        try:
            meanings.append((cells[key], pick(codes, cells[column], column)))
        except (KeyError, ValueError) as error:
            said = error if isinstance(error, ValueError) else f"found columns {list(cells)}"
            raise CorpusError(
                f"{path}: {cells.get(key, 'header')}: {said}; expected '{key}' and '{column}' as "
                "published. Get the table again."
            ) from error
    return by_key(path, meanings)


def _protocol(version: int) -> Protocol:
    clips, speakers = PUBLISHED[version]["test"]
    return Protocol(official, published={"test/clips": clips, "test/speakers": speakers})


VOXCELEB1 = Corpus(
    name="voxceleb1",
    audio="wav/id*/*/*",
    utterances=153_516,
    speakers=1251,
    label=partial(label, parts=VOXCELEB1_PARTS),
    tables=(_table(1),),
    genders=partial(genders, version=1),
    protocols={"voxceleb1-official": _protocol(1)},
    prototypes=False,
    licence="CC-BY-4.0, for research; the owners of the videos keep their rights",
    citation="Nagrani, Chung & Zisserman (2017), VoxCeleb, Interspeech, 2616-2620",
    homepage="https://mm.kaist.ac.kr/datasets/voxceleb/",
    open=partial(with_parts, version=1),
    trials=trials,
)
VOXCELEB2 = replace(
    VOXCELEB1,
    name="voxceleb2",
    utterances=1_128_246,
    speakers=6112,
    label=partial(label, parts={}),
    tables=(_table(2),),
    genders=partial(genders, version=2),
    protocols={"voxceleb2-official": _protocol(2)},
    citation="Chung, Nagrani & Zisserman (2018), VoxCeleb2, Interspeech, 1086-1090",
    conversions={".m4a": "convert each, ffmpeg -i 00001.m4a -ac 1 -ar 16000 00001.wav"},
    open=partial(with_parts, version=2),
    trials=None,
)
