"""LibriSpeech: volunteers read English books (Panayotov et al., 2015).

Layout, below the folder that the archives are unpacked into, or its folder LibriSpeech; any of
the seven subsets may be there::

    SPEAKERS.TXT                                        id | sex | subset | minutes | name
    train-clean-100/103/1240/103-1240-0000.flac         subset / speaker / chapter
    train-clean-100/103/1240/103-1240.trans.txt         words of each clip of the chapter

Without SPEAKERS.TXT genders are not known. Lines after ";" are comments; a name may hold a "|".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePath

from emovec.corpora.base import Corpus, Labels, Protocol, pick
from emovec.corpora.texts import by_key, name_parts, read_lines
from emovec.errors import CorpusError
from emovec.tables.manifest import Utterance
from emovec.tables.protocols import from_column
from emovec.tables.splits import Assignment

SUBSETS = {  # clips and speakers; no speaker is in two
    "train-clean-100": (28_539, 251),
    "train-clean-360": (104_014, 921),
    "train-other-500": (148_688, 1166),
    "dev-clean": (2703, 40),
    "dev-other": (2864, 33),
    "test-clean": (2620, 40),
    "test-other": (2939, 33),
}
SPLITS = {"train": "train", "dev": "valid", "test": "test"}
GENDERS = {"F": "female", "M": "male"}
SPEAKERS = "SPEAKERS.TXT"


def label(path: PurePath, texts: Mapping[str, str]) -> Labels:
    """Labels in a path, and the words of the clip.

    Args:
        path: of a clip
        texts: id to words

    >>> path = PurePath("dev-clean/84/121123/84-121123-0000.flac")
    >>> label(path, {"84-121123-0000": "GO"})  # doctest: +NORMALIZE_WHITESPACE
    Labels(speaker='84', session='121123', text='GO', extra={'subset': 'dev-clean'})
    """
    speaker, chapter, _number = name_parts(path, "-", 3)
    if path.stem not in texts:
        raise ValueError(f"no line in {speaker}-{chapter}.trans.txt")
    return Labels(
        speaker=speaker,
        session=chapter,
        text=texts[path.stem],
        extra={"subset": path.parts[-4]},
    )


def genders(root: Path) -> dict[str, str]:
    """Gender of each speaker, where the table is there.

    Raises:
        CorpusError: if a line has no speaker and gender, or a speaker has two
    """
    table = _home(root) / SPEAKERS
    found = []
    for number, line in enumerate(read_lines(table) if table.is_file() else [], start=1):
        if line.startswith(";") or not line:
            continue
        speaker, _, rest = line.partition("|")
        try:
            gender = pick(GENDERS, rest.partition("|")[0].strip(), "sex")
        except ValueError as error:
            raise CorpusError(f"{table}:{number}: {error}. Get the table again.") from error
        found.append((speaker.strip(), gender))
    return by_key(table, found)


def with_subsets(corpus: Corpus, root: Path) -> Corpus:
    """The corpus with the subsets that are there, and their words."""
    home = _home(root)
    subsets = [subset for subset in SUBSETS if (home / subset).is_dir()]
    if not subsets:
        return corpus
    transcripts = [
        path for subset in subsets for path in sorted((home / subset).glob("*/*/[0-9]*.trans.txt"))
    ]
    unknown = f"{SPEAKERS} not found: genders are not known"
    return replace(
        corpus,
        audio=(home / corpus.audio).relative_to(root).as_posix(),
        utterances=sum(SUBSETS[subset][0] for subset in subsets),
        speakers=sum(SUBSETS[subset][1] for subset in subsets),
        label=partial(label, texts=_texts(transcripts)),
        tables=tuple(str(path.relative_to(root)) for path in (home / SPEAKERS, *transcripts)),
        warnings=() if (home / SPEAKERS).is_file() else (unknown,),
    )


def official(utterances: Sequence[Utterance], _seed: int) -> list[Assignment]:
    """Subsets train-*, dev-* and test-* as published."""
    splits = {subset: SPLITS[subset.partition("-")[0]] for subset in SUBSETS}
    return from_column(utterances, "subset", splits)


def _home(root: Path) -> Path:
    """The folder that the subsets are in."""
    below = root / "LibriSpeech"
    return below if below.is_dir() else root


def _texts(transcripts: Iterable[Path]) -> dict[str, str]:
    """Words of each clip."""
    texts: dict[str, str] = {}
    for path in transcripts:
        lines = (line.partition(" ") for line in read_lines(path) if line)
        texts |= by_key(path, ((id_, words.strip()) for id_, _, words in lines))
    return texts


CORPUS = Corpus(
    name="librispeech",
    audio="[dt][er]*-*/*/*/*",  # dev, test and train, not intro-disclaimers
    utterances=sum(clips for clips, _ in SUBSETS.values()),
    speakers=sum(speakers for _, speakers in SUBSETS.values()),
    label=partial(label, texts={}),
    tables=(SPEAKERS,),
    genders=genders,
    protocols={"librispeech-official": Protocol(official)},
    prototypes=False,
    language="en",
    licence="CC-BY-4.0",
    citation="Panayotov et al. (2015), LibriSpeech, ICASSP, 5206-5210",
    homepage="https://www.openslr.org/12",
    open=with_subsets,
)
