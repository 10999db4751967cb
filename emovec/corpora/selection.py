"""From a corpus' name to the clips of each split: what every recipe begins with."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emovec import corpora
from emovec.errors import SplitError
from emovec.labels import AFFECT_AXES
from emovec.tables.corpus import CorpusInfo, Skip
from emovec.tables.manifest import Utterance
from emovec.tables.splits import SPLITS, Assignment, check_splits, split_hash, write_splits


@dataclass(frozen=True)
class Selection:
    """The clips of a run, checked for leaks.

    Attributes:
        info: facts of the corpus
        root: folder that the paths are relative to
        splits: utterances of "train", "valid" and "test"
        protocol: name of the splits
        shares_speakers: whether the protocol's own splits share speakers
        manifest_hash: of all ids, labels and folds of the protocol
        split_hash: of those of this fold
        skipped: clips that are left out
        warnings: what a reader of the results must know
    """

    info: CorpusInfo
    root: Path
    splits: dict[str, list[Utterance]]
    protocol: str
    shares_speakers: bool
    manifest_hash: str
    split_hash: str
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
) -> Selection:
    """Prepare a corpus, split it, and refuse splits that leak.

    Args:
        corpus: a name of ``corpora.names()``
        options: of ``corpora.get``
        data_folder: where the corpus lies; None for one that is made
        prepared_folder: for manifest.csv, corpus.json and splits/
        protocol: name of the splits; "default" for the corpus' first
        fold: which of the protocol's folds, from 0
        seed: of the splits
        drop_emotions: clips of these are left out before splitting
        with_affect: leave out clips without valence, arousal and dominance
        allow_partial: go on with an incomplete copy

    Raises:
        CorpusError: if the corpus is not as published
        SplitError: if no clip is left, a split leaks or is empty, or there is no such fold
    """
    kind = corpora.get(corpus, **options)
    name = next(iter(corpora.protocols(kind))) if protocol == "default" else protocol
    shares_speakers = corpora.protocol(kind, name).shares_speakers
    folder = Path(data_folder) if data_folder else None
    prepared = corpora.prepare(kind, folder, prepared_folder, allow_partial=allow_partial)
    dropped = _unwanted(prepared.utterances, drop_emotions, with_affect)
    utterances = [u for u in prepared.utterances if u.id not in dropped]
    if not utterances:
        raise SplitError(
            f"{corpus}: all of its {len(dropped)} clips are left out, by reason "
            f"{dict(Counter(dropped.values()))}; expected some to learn from. "
            "Choose another corpus, or mend drop_emotions."
        )
    assignments = corpora.assign(kind, name, utterances, seed)
    write_splits(prepared_folder / "splits" / f"{name}.csv", assignments)
    in_fold = [row for row in assignments if row.fold == fold]
    if not in_fold:
        folds = sorted({row.fold for row in assignments})
        raise SplitError(f"{corpus}: {name} has no fold {fold}; expected one of {folds}.")
    warnings = check_splits(utterances, in_fold, shares_speakers)
    return Selection(
        prepared.info,
        prepared.root,
        _by_split(utterances, in_fold),
        name,
        shares_speakers,
        split_hash(utterances, assignments, _label),
        split_hash(utterances, in_fold, _label),
        (*prepared.info.skipped, *(Skip(id_, reason) for id_, reason in dropped.items())),
        (*prepared.info.warnings, *warnings),
    )


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


def _label(utterance: Utterance) -> str:
    """All that may be learnt of an utterance."""
    affect = [getattr(utterance, axis) for axis in AFFECT_AXES]
    return f"{utterance.speaker} {utterance.emotion} {affect}"
