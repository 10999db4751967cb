"""Folders of EmoBox: labels and folds of 32 corpora in one form (Ma et al., 2024).

Layout of a corpus, below a checkout of https://github.com/emo-box/EmoBox::

    data/iemocap/fold_1/iemocap_train_fold_1.jsonl     valid where there is one; test
    data/iemocap/label_map.json                        {"exc": "Happy", ...}: label to class
    data/iemocap/data.seg.wrd.stm                      <id=...,lang=en,spk=...,emotion=neu>

One JSON object a line: ``key``, ``dataset``, ``wav`` and ``emo``, or ``audio`` and ``label``; or
such objects by key. Paths begin with ``downloads``, and that folder lies in the data folder::

    emovec prepare emobox --data_folder=EmoBox \
        --corpus_options="{metadata: EmoBox/data/iemocap}"

Folds are taken as published, leaks included: where there are fewer than 4 speakers, or some have
more clips of an emotion than others, EmoBox draws clips, not speakers, so that CREMA-D and TESS
test on speakers they train on. ``check_splits`` refuses these.

The .stm is wrong on some speakers, so keys go first where they name them: IEMOCAP's have the
speaker wearing markers for whoever speaks, some clips of TESS have "OA" for "OAF", and MER2023,
where speakers are not known, has each clip by a speaker of its own.
"""

import glob
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from emovec.corpora.base import Corpus, Labels, Protocol
from emovec.errors import CorpusError
from emovec.labels import emotion_named
from emovec.tables.manifest import Utterance
from emovec.tables.protocols import from_column
from emovec.tables.splits import SPLITS, Assignment

CITATION = "Ma et al. (2024), EmoBox: multilingual multi-corpus SER, Interspeech"
OPTIONS = ("metadata",)
_FOLD_FILE = re.compile(rf"(?P<dataset>.+)_(?P<split>{'|'.join(SPLITS)})_fold_(?P<fold>\d+)\.jsonl")
_STM_TAGS = re.compile(r"<id=(?P<key>.+?),lang=.*?,spk=(?P<speaker>.*?),emotion=")
_SPEAKER_IN_KEY = {  # what the key looks like, and the speaker's name in it
    "cremad": (re.compile(r"(?:cremad-)?(\d{4})[-_].*"), r"\1"),
    "iemocap": (re.compile(r"(?:iemocap-)?(Ses\d\d)[FM]_.*_([FM])[^_]*"), r"\1\2"),
    "ravdess": (re.compile(r"(?:ravdess-)?(?:\d\d-){6}(\d\d)"), r"\1"),
    "tess": (re.compile(r"(?:tess-)?([OY]A)F?[-_].*"), r"\1F"),
}
_COLUMN = re.compile(r"emobox_fold_\d+")


@dataclass
class _Clip:
    """A clip of any fold: what its lines say, and its split in each fold."""

    path: str
    emotion: str
    start: float | None
    stop: float | None
    splits: dict[int, str] = field(default_factory=dict)


def corpus(metadata: Path | str | None = None) -> Corpus:
    """A corpus with EmoBox's labels and folds.

    Args:
        metadata: the corpus' folder below ``data`` of EmoBox; None: the data folder itself
    """
    folder = None if metadata is None else Path(metadata).resolve()
    return Corpus(
        name="emobox",
        audio="**/*",
        utterances=None,
        speakers=None,
        label=lambda labels: labels,
        protocols={"emobox": Protocol(_folds, source=CITATION)},
        open=partial(_open, metadata=folder),
        citation=CITATION,
        homepage="https://github.com/emo-box/EmoBox",
        options=str(folder or ""),
    )


def fold_files(metadata: Path) -> dict[Path, tuple[str, int, str]]:
    """Corpus, fold and split of each of EmoBox's files of folds.

    Raises:
        CorpusError: if there are none, or they are of several corpora
    """
    files = {}
    for path in sorted(metadata.glob("fold_*/*.jsonl")):
        match = _FOLD_FILE.fullmatch(path.name)
        if match:
            files[path] = (match["dataset"], int(match["fold"]), match["split"])
    datasets = sorted({dataset for dataset, _, _ in files.values()})
    if len(datasets) != 1:
        raise CorpusError(
            f"{metadata}: folds of {datasets or 'no corpus'} found; expected one corpus, as "
            "fold_1/NAME_train_fold_1.jsonl. Pass metadata, EmoBox/data/NAME, in --corpus_options."
        )
    return files


def read_speakers(path: Path) -> dict[str, str]:
    """Speaker of each key, "" where the .stm says that it is not known.

    Raises:
        CorpusError: if a line has no tags
    """
    speakers = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        match = _STM_TAGS.search(line)
        if line.strip() and not match:
            raise CorpusError(
                f"{path}:{number}: '{line}' has no tags; expected <id=...,lang=...,spk=...,"
                "emotion=...>. Get the file again."
            )
        if match:
            key, speaker = match["key"], match["speaker"]
            nobody = speaker.lower() in ("unknown", "none", "nan") or key.endswith(f"-{speaker}")
            speakers[key] = "" if nobody else speaker
    return speakers


def speaker_in_key(dataset: str, key: str) -> str:
    """Speaker in a key of a corpus whose names are known, "" in others.

    >>> speaker_in_key("iemocap", "iemocap-Ses02F_impro07_M001")
    'Ses02M'
    """
    if dataset not in _SPEAKER_IN_KEY:
        return ""
    pattern, speaker = _SPEAKER_IN_KEY[dataset]
    match = pattern.fullmatch(key)
    return match.expand(speaker) if match else ""


def _open(corpus: Corpus, root: Path, metadata: Path | None) -> Corpus:
    """The corpus with its files, its folds, and the folder that its audio lies in."""
    metadata = (metadata or root).resolve()
    files = fold_files(metadata)
    clips = _read_clips(files)
    dataset = next(iter(files.values()))[0]
    common = os.path.commonpath([os.path.dirname(clip.path) for clip in clips.values()])
    tables = [*files, metadata / "label_map.json", metadata / "data.seg.wrd.stm"]
    folds = sorted({fold for _, fold, _ in files.values()})
    return replace(
        corpus,
        name=f"emobox_{dataset}",
        audio=os.path.join(glob.escape(common), "**/*"),
        rows=lambda _root: _rows(clips, dataset, metadata, folds),
        tables=tuple(str(path) for path in tables),
    )


def _read_clips(files: Mapping[Path, tuple[str, int, str]]) -> dict[str, _Clip]:
    """Clips by key, each with its split in every fold.

    Raises:
        CorpusError: if a line is broken, or lines of a clip contradict each other
    """
    clips: dict[str, _Clip] = {}
    for path, (_, fold, split) in files.items():
        for where, key, row in _objects(path):
            clip = _clip(row, where)
            known = clips.setdefault(key, clip)
            same = replace(clip, splits=known.splits) == known
            if not same or known.splits.setdefault(fold, split) != split:
                found = (clip.path, clip.emotion, split)
                before = (known.path, known.emotion, known.splits.get(fold, "another fold"))
                raise CorpusError(
                    f"{where}: {key} is {found}, but {before} before; expected the same in all "
                    "folds, and one split in each. Get the folder again."
                )
    if not clips:
        raise CorpusError(f"{next(iter(files))}: no clips found; expected one a line.")
    return clips


def _objects(path: Path) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Place, key and object of each clip in a file."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            where = f"{path}:{number}"
            if not line.strip():
                continue
            try:
                found = json.loads(line)
                by_key = {found["key"]: found} if "key" in found else found
                pairs = [(key, {**row}) for key, row in by_key.items()]
            except (ValueError, TypeError, AttributeError) as error:
                raise CorpusError(
                    f"{where}: {error}; expected a JSON object with key, wav and emo. "
                    "Get the file again."
                ) from error
            for key, row in pairs:
                yield where, key, row


def _clip(row: Mapping[str, Any], where: str) -> _Clip:
    path, emotion = row.get("wav", row.get("audio")), row.get("emo", row.get("label"))
    texts = isinstance(path, str) and isinstance(emotion, str)
    if not texts or not path or os.path.isabs(path):
        raise CorpusError(
            f"{where}: path is {path!r} and emotion {emotion!r}; expected a path below the data "
            "folder at wav or audio, and a word at emo or label. Get the file again."
        )
    return _Clip(path, emotion, row.get("start_time"), row.get("end_time"))


def _rows(
    clips: Mapping[str, _Clip], dataset: str, metadata: Path, folds: Sequence[int]
) -> Iterator[tuple[str, Labels]]:
    stm = metadata / "data.seg.wrd.stm"
    speakers = read_speakers(stm) if stm.is_file() else {}
    classes = _read_label_map(metadata / "label_map.json")
    for key, clip in clips.items():
        columns = {f"emobox_fold_{fold}": clip.splits.get(fold, "") for fold in folds}
        labels = Labels(
            speaker=speaker_in_key(dataset, key) or speakers.get(key, ""),
            emotion=emotion_named(classes.get(clip.emotion, clip.emotion)),
            id=key,
            start=clip.start,
            stop=clip.stop,
            extra={"emobox_label": clip.emotion, **columns},
        )
        yield clip.path, labels


def _read_label_map(path: Path) -> dict[str, str]:
    """Class of each label, empty where the file is missing: labels are classes then."""
    if not path.is_file():
        return {}
    try:
        return {**json.loads(path.read_text(encoding="utf-8"))}
    except (ValueError, TypeError) as error:
        raise CorpusError(f"{path}: {error}; expected a JSON object of labels.") from error


def _folds(utterances: Sequence[Utterance], _seed: int) -> list[Assignment]:
    """EmoBox's folds, counted from 0."""
    columns = {column for u in utterances for column in u.extra if _COLUMN.fullmatch(column)}
    same = {split: split for split in SPLITS}
    return [
        replace(row, fold=number)
        for number, column in enumerate(sorted(columns, key=lambda name: (len(name), name)))
        for row in from_column(utterances, column, same)
    ]
