"""Files of EmoBox: folds in lines of JSON, labels' classes, and speakers."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from emovec.corpora.options import are_names
from emovec.corpora.texts import by_key, known_speaker, read_lines
from emovec.errors import CorpusError
from emovec.tables.splits import SPLITS

_FOLD_FILE = re.compile(rf"(?P<dataset>.+)_(?P<split>{'|'.join(SPLITS)})_fold_(?P<fold>\d+)\.jsonl")
_STM_TAGS = re.compile(r"<id=(?P<key>.+?),lang=.*?,spk=(?P<speaker>.*?),emotion=")


@dataclass
class Clip:
    """A clip of any fold: what its lines say, and its split in each fold."""

    path: str
    emotion: str
    start: float | None
    stop: float | None
    splits: dict[int, str] = field(default_factory=dict)


def fold_files(metadata: Path) -> dict[Path, tuple[str, int, str]]:
    """Corpus, fold and split of each of EmoBox's files of folds.

    Raises:
        CorpusError: if there are none, or they are of several corpora
    """
    files = {}
    for path in sorted(metadata.glob("fold_*/*.jsonl")):
        match = _FOLD_FILE.fullmatch(path.name)
        if match and not path.name.startswith("."):  # such as ._NAME of a Mac
            files[path] = (match["dataset"], int(match["fold"]), match["split"])
    datasets = sorted({dataset for dataset, _, _ in files.values()})
    if len(datasets) != 1:
        raise CorpusError(
            f"{metadata}: folds of {datasets or 'no corpus'} found; expected one corpus, as "
            "fold_1/NAME_train_fold_1.jsonl. Pass metadata, EmoBox/data/NAME, in --corpus_options."
        )
    return files


def read_clips(files: Mapping[Path, tuple[str, int, str]]) -> dict[str, Clip]:
    """Clips by key, each with its split in every fold.

    Raises:
        CorpusError: if a line is broken, or lines of a clip contradict each other
    """
    clips: dict[str, Clip] = {}
    for path, (_, fold, split) in files.items():
        for where, key, row in _objects(path):
            clip = _clip(row, where)
            known = clips.setdefault(key, clip)
            same = replace(clip, splits=known.splits) == known
            if not same or fold in known.splits:
                found = (clip.path, clip.emotion, split)
                before = (known.path, known.emotion, known.splits.get(fold, "another fold"))
                raise CorpusError(
                    f"{where}: {key} is {found}, but {before} before; expected the same in all "
                    "folds, and one line in each. Get the folder again."
                )
            known.splits[fold] = split
    if not clips:
        raise CorpusError(f"{next(iter(files))}: no clips found; expected one a line.")
    return clips


def _objects(path: Path) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Place, key and object of each clip in a file."""
    for number, line in enumerate(read_lines(path), start=1):
        where = f"{path}:{number}"
        if not line:
            continue
        try:
            found = json.loads(line)
            rows = {found["key"]: found} if "key" in found else found
            pairs = [(key, {**row}) for key, row in rows.items()]
        except (ValueError, TypeError, AttributeError) as error:
            raise CorpusError(
                f"{where}: {error}; expected a JSON object with key, wav and emo. "
                "Get the file again."
            ) from error
        for key, row in pairs:
            yield where, str(key), row


def _clip(row: Mapping[str, Any], where: str) -> Clip:
    path, emotion = row.get("wav", row.get("audio")), row.get("emo", row.get("label"))
    texts = isinstance(path, str) and isinstance(emotion, str)
    if not texts or not path or os.path.isabs(path):
        raise CorpusError(
            f"{where}: path is {path!r} and emotion {emotion!r}; expected a path below the data "
            "folder at wav or audio, and a word at emo or label. Get the file again."
        )
    ends = (row.get("start_time"), row.get("end_time"))
    if not all(end is None or type(end) in (int, float) for end in ends):
        raise CorpusError(
            f"{where}: start_time and end_time are {ends}; expected seconds. Get the file again."
        )
    return Clip(path, emotion, *ends)


def read_speakers(path: Path) -> dict[str, str]:
    """Speaker of each key, "" where the .stm says that it is not known.

    Raises:
        CorpusError: if a line has no tags or is not UTF-8, or a key has two speakers
    """
    speakers = []
    for number, line in enumerate(read_lines(path), start=1):
        match = _STM_TAGS.search(line)
        if line and not match:
            raise CorpusError(
                f"{path}:{number}: '{line}' has no tags; expected <id=...,lang=...,spk=...,"
                "emotion=...>. Get the file again."
            )
        if match:
            key, speaker = match["key"], match["speaker"]
            own = key.endswith(f"-{speaker}")  # a speaker of each clip's own
            speakers.append((key, "" if own else known_speaker(speaker)))
    return by_key(path, speakers)


def read_label_map(path: Path) -> dict[str, str]:
    """Class of each label, empty where the file is missing: labels are classes then.

    Raises:
        CorpusError: if it holds anything else
    """
    if not path.is_file():
        return {}
    try:
        found = json.loads("\n".join(read_lines(path)))
    except ValueError as error:
        raise CorpusError(f"{path}: {error}; expected a JSON object of labels.") from error
    if not are_names(found):
        raise CorpusError(f"{path}: found {found!r:.100}; expected classes by label, as texts.")
    return dict(found)
