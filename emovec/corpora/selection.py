"""From a corpus' name to the clips of each split: what every recipe begins with."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emovec import corpora
from emovec.errors import SplitError
from emovec.tables.adjusting import hold_out_valid
from emovec.tables.corpus import CorpusInfo, Skip
from emovec.tables.manifest import Utterance
from emovec.tables.splits import (
    SPLITS,
    Assignment,
    check_splits,
    manifest_hash,
    split_line,
    write_splits,
)


@dataclass(frozen=True)
class Selection:
    """The clips of a run, checked for leaks.

    Attributes:
        info: facts of the corpus
        root: folder that the paths are relative to
        splits: utterances of "train", "valid" and "test"
        protocol: name of the splits
        shares_speakers: whether the protocol's own splits share speakers
        manifest_hash: of all ids and labels of the corpus
        split_line: names the protocol's splits in all folds
        leaks: what lets a model know its test clips, where that was allowed
        skipped: clips that are left out
        warnings: what a reader of the results must know
    """

    info: CorpusInfo
    root: Path
    splits: dict[str, list[Utterance]]
    protocol: str
    shares_speakers: bool
    manifest_hash: str
    split_line: str
    leaks: tuple[str, ...]
    skipped: tuple[Skip, ...]
    warnings: tuple[str, ...]


def select(
    corpus: str,
    options: Mapping[str, Any],
    data_folder: str | None,
    prepared_folder: Path,
    *,
    protocol: str,
    fold: int,
    seed: int,
    drop_emotions: Collection[str],
    with_affect: bool,
    allow_partial: bool,
    allow_leak: bool,
) -> Selection:
    """Prepare a corpus, split it, and refuse splits that leak.

    Args:
        corpus: a name of ``corpora.names()``
        options: of ``corpora.get``
        data_folder: where the corpus lies; None for one that is made
        prepared_folder: for manifest.csv, corpus.json and splits/
        protocol: name of the splits; "default" for ``corpora.default_protocol``
        fold: which of the protocol's folds, from 0
        seed: of the splits
        drop_emotions: clips of these are left out before splitting
        with_affect: leave out clips without valence, arousal and dominance
        allow_partial: go on with an incomplete copy
        allow_leak: go on with splits that leak

    Raises:
        CorpusError: if the corpus is not as published
        SplitError: if no clip is left, a split leaks or is empty, or there is no such fold
    """
    folder = Path(data_folder) if data_folder else None
    kind, root = corpora.locate(corpora.get(corpus, **options), folder, prepared_folder)
    name = corpora.default_protocol(kind) if protocol == "default" else protocol
    shares_speakers = corpora.protocol(kind, name).shares_speakers
    prepared = corpora.prepare(kind, root, prepared_folder, allow_partial=allow_partial)
    dropped = _unwanted(prepared.utterances, drop_emotions, with_affect)
    utterances = [u for u in prepared.utterances if u.id not in dropped]
    if not utterances:
        raise SplitError(
            f"{corpus}: all of its {len(dropped)} clips are left out, by reason "
            f"{dict(Counter(dropped.values()))}; expected some to learn from. "
            "Choose another corpus, or mend drop_emotions."
        )
    split_corpus = corpora.split(kind, name, utterances, seed)
    utterances, assignments = split_corpus.utterances, split_corpus.assignments
    write_splits(prepared_folder / "splits" / f"{name}.csv", assignments)
    in_fold, notes = _one_fold(utterances, assignments, fold, seed, f"{corpus}: {name}")
    check = check_splits(utterances, in_fold, shares_speakers, allow_leak)
    left_out = {**dropped, **split_corpus.left_out}
    return Selection(
        prepared.info,
        prepared.root,
        _by_split(utterances, in_fold),
        name,
        shares_speakers,
        manifest_hash(prepared.utterances),
        split_line(prepared.info.name, name, utterances, assignments),
        check.leaks,
        (*prepared.info.skipped, *(Skip(id_, reason) for id_, reason in left_out.items())),
        (*prepared.info.warnings, *split_corpus.warnings, *notes, *check.warnings),
    )


def _one_fold(
    utterances: list[Utterance], assignments: list[Assignment], fold: int, seed: int, where: str
) -> tuple[list[Assignment], list[str]]:
    """One fold, with a validation split if the protocol has none, and what is to be said of it."""
    in_fold = [row for row in assignments if row.fold == fold]
    if not in_fold:
        folds = sorted({row.fold for row in assignments})
        raise SplitError(f"{where} has no fold {fold}; expected one of {folds}.")
    if any(row.split == "valid" for row in in_fold):
        return in_fold, []
    in_fold = hold_out_valid(utterances, in_fold, seed)
    number = sum(row.split == "valid" for row in in_fold)
    return in_fold, [f"{where} does not validate; {number} clips of training speakers are held out"]


def _unwanted(
    utterances: list[Utterance], emotions: Collection[str], with_affect: bool
) -> dict[str, str]:
    """Ids to leave out, and why."""
    dropped = {u.id: f"emotion is {u.emotion}" for u in utterances if u.emotion in emotions}
    if with_affect:
        for utterance in utterances:
            if utterance.affect is None:
                dropped.setdefault(utterance.id, "valence, arousal or dominance is not known")
    return dropped


def _by_split(
    utterances: list[Utterance], assignments: list[Assignment]
) -> dict[str, list[Utterance]]:
    split_of = {row.id: row.split for row in assignments}
    return {
        split: [utterance for utterance in utterances if split_of.get(utterance.id) == split]
        for split in SPLITS
    }
