"""From a corpus' name to the clips of each split: what every recipe begins with."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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
    SplitCheck,
    check_splits,
    manifest_hash,
    split_line,
    write_splits,
)


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What is known of chosen clips besides which they are.

    Attributes:
        info: facts of the corpus
        root: folder that the paths are relative to
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
    protocol: str
    shares_speakers: bool
    manifest_hash: str
    split_line: str
    leaks: tuple[str, ...]
    skipped: tuple[Skip, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Selection(Chosen):
    """The clips of a run, checked for leaks.

    Attributes:
        splits: utterances of "train", "valid" and "test"
    """

    splits: dict[str, list[Utterance]]


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
    emotions: Collection[str] | None = None,
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
        emotions: classes of the protocol to keep; None: all, and clips without one

    Raises:
        CorpusError: if the corpus is not as published
        SplitError: if no clip is left, a split leaks or is empty, or there is no such fold
    """
    found = split_chosen(
        corpus,
        options,
        data_folder,
        prepared_folder,
        protocol,
        seed,
        allow_partial,
        lambda utterance, emotion: (
            why_another_class(utterance, emotion, emotions)
            or why_unwanted(utterance, drop_emotions, with_affect)
        ),
    )
    in_fold, notes = _one_fold(
        found.utterances, found.assignments, fold, seed, f"{corpus}: {found.protocol}"
    )
    check = check_splits(found.utterances, in_fold, found.may_share, allow_leak)
    return Selection(splits=by_split(found.utterances, in_fold), **found.facts(check, notes))


@dataclass(frozen=True)
class ChosenSplit:
    """A prepared corpus in the splits of a protocol, not yet checked.

    Attributes:
        prepared: all of it
        protocol: name of the splits
        may_share: splits of the protocol that may share speakers with each other
        utterances: those in the splits, with the classes of the protocol as their emotions
        assignments: their splits in all folds
        left_out: why, by id
        warnings: of the protocol
    """

    prepared: corpora.Prepared
    protocol: str
    may_share: tuple[str, ...]
    utterances: list[Utterance]
    assignments: list[Assignment]
    left_out: Mapping[str, str]
    warnings: tuple[str, ...]

    def facts(self, check: SplitCheck, notes: Sequence[str]) -> dict[str, Any]:
        """The fields of :class:`Chosen`."""
        info = self.prepared.info
        return {
            "info": info,
            "root": self.prepared.root,
            "protocol": self.protocol,
            "shares_speakers": bool(self.may_share),
            "manifest_hash": manifest_hash(self.prepared.utterances),
            "split_line": split_line(info.name, self.protocol, self.utterances, self.assignments),
            "leaks": check.leaks,
            "skipped": (
                *info.skipped,
                *(Skip(id_, reason) for id_, reason in self.left_out.items()),
            ),
            "warnings": (*info.warnings, *self.warnings, *notes, *check.warnings),
        }


def split_chosen(
    corpus: str,
    options: Mapping[str, Any],
    data_folder: str | None,
    prepared_folder: Path,
    protocol: str,
    seed: int,
    allow_partial: bool,
    unwanted: Callable[[Utterance, str], str],
) -> ChosenSplit:
    """Prepare a corpus and split what is wanted of it.

    Args:
        corpus: a name of ``corpora.names()``
        options: of ``corpora.get``
        data_folder: where the corpus lies; None for one that is made
        prepared_folder: for manifest.csv, corpus.json and splits/
        protocol: name of the splits; "default" for ``corpora.default_protocol``
        seed: of the splits
        allow_partial: go on with an incomplete copy
        unwanted: of a clip and its class in the protocol: why it is left out, or ""

    Raises:
        CorpusError: if the corpus is not as published
        SplitError: if no clip is left, or the protocol cannot be followed
    """
    folder = Path(data_folder) if data_folder else None
    kind, root = corpora.locate(corpora.get(corpus, **options), folder, prepared_folder)
    name = corpora.default_protocol(kind) if protocol == "default" else protocol
    way = corpora.protocol(kind, name)
    prepared = corpora.prepare(kind, root, prepared_folder, allow_partial=allow_partial)
    reasons = {
        u.id: unwanted(u, way.emotions.get(u.emotion, u.emotion)) for u in prepared.utterances
    }
    dropped = {id_: reason for id_, reason in reasons.items() if reason}
    utterances = [u for u in prepared.utterances if u.id not in dropped]
    if not utterances:
        raise SplitError(
            f"{corpus}: all of its {len(dropped)} clips are left out, by reason "
            f"{dict(Counter(dropped.values()))}; expected some to learn from. "
            "Choose another corpus, or mend drop_emotions."
        )
    found = corpora.split(kind, name, utterances, seed)
    write_splits(prepared_folder / "splits" / f"{name}.csv", found.assignments)
    return ChosenSplit(
        prepared,
        name,
        way.shares_speakers,
        found.utterances,
        found.assignments,
        {**dropped, **found.left_out},
        found.warnings,
    )


def check_folds(
    assignments: Iterable[Assignment], chosen: Mapping[int, Sequence[Assignment]], where: str
) -> None:
    """Raise where a chosen fold has no rows, or none is chosen."""
    empty = [number for number, members in chosen.items() if not members]
    if empty or not chosen:
        folds = sorted({row.fold for row in assignments})
        which = f"fold {empty[0]}" if empty else "folds, as none is chosen"
        raise SplitError(f"{where} has no {which}; expected one of {folds}.")


def why_another_class(utterance: Utterance, emotion: str, emotions: Collection[str] | None) -> str:
    """Why a clip is of no class to keep, or ""."""
    if emotions is None or emotion in emotions:
        return ""
    return f"emotion is {utterance.emotion or 'not known'}"


def why_unwanted(utterance: Utterance, emotions: Collection[str], with_affect: bool) -> str:
    """Why a clip is left out, or ""."""
    if utterance.emotion in emotions:
        return f"emotion is {utterance.emotion or 'not known'}"
    if with_affect and utterance.affect is None:
        return "valence, arousal or dominance is not known"
    return ""


def by_split(
    utterances: Iterable[Utterance], assignments: Iterable[Assignment]
) -> dict[str, list[Utterance]]:
    """Clips of "train", "valid" and "test" in one fold."""
    split_of = {row.id: row.split for row in assignments}
    return {
        split: [utterance for utterance in utterances if split_of.get(utterance.id) == split]
        for split in SPLITS
    }


def _one_fold(
    utterances: list[Utterance], assignments: list[Assignment], fold: int, seed: int, where: str
) -> tuple[list[Assignment], list[str]]:
    """One fold, with a validation split if the protocol has none, and what is to be said of it."""
    in_fold = [row for row in assignments if row.fold == fold]
    check_folds(assignments, {fold: in_fold}, where)
    if any(row.split == "valid" for row in in_fold):
        return in_fold, []
    in_fold = hold_out_valid(utterances, in_fold, seed)
    number = sum(row.split == "valid" for row in in_fold)
    return in_fold, [f"{where} does not validate; {number} clips of training speakers are held out"]
