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
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from emovec.corpora.base import Corpus, Labels, Protocol
from emovec.corpora.emobox_files import Clip, fold_files, read_clips, read_label_map, read_speakers
from emovec.corpora.options import FILE
from emovec.labels import emotion_named
from emovec.tables.manifest import Utterance
from emovec.tables.protocols import from_column
from emovec.tables.splits import SPLITS, Assignment

CITATION = "Ma et al. (2024), EmoBox: multilingual multi-corpus SER, Interspeech"
OPTIONS = {"metadata": FILE}
_SPEAKER_IN_KEY = {  # what the key looks like, and the speaker's name in it
    "cremad": (re.compile(r"(?:cremad-)?(\d{4})[-_].*"), r"\1"),
    "iemocap": (re.compile(r"(?:iemocap-)?(Ses\d\d)[FM]_.*_([FM])[^_]*"), r"\1\2"),
    "ravdess": (re.compile(r"(?:ravdess-)?(?:\d\d-){6}(\d\d)"), r"\1"),
    "tess": (re.compile(r"(?:tess-)?([OY]A)F?[-_].*"), r"\1F"),
}
_COLUMN = re.compile(r"emobox_fold_\d+")


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
    clips = read_clips(files)
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


def _rows(
    clips: Mapping[str, Clip], dataset: str, metadata: Path, folds: Sequence[int]
) -> Iterator[tuple[str, Labels]]:
    stm = metadata / "data.seg.wrd.stm"
    speakers = read_speakers(stm) if stm.is_file() else {}
    classes = read_label_map(metadata / "label_map.json")
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


def _folds(utterances: Sequence[Utterance], _seed: int) -> list[Assignment]:
    """EmoBox's folds, counted from 0."""
    columns = {column for u in utterances for column in u.extra if _COLUMN.fullmatch(column)}
    same = {split: split for split in SPLITS}
    return [
        replace(row, fold=number)
        for number, column in enumerate(sorted(columns, key=lambda name: (len(name), name)))
        for row in from_column(utterances, column, same)
    ]
