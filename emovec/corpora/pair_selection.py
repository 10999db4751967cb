"""Clips of a corpus to try against each other, and those of others to learn a scoring from."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from emovec import corpora
from emovec.corpora.selection import Chosen, why_another_class, why_unwanted
from emovec.corpora.speakers import read_corpora
from emovec.errors import HparamError, SplitError
from emovec.tables.corpus import Skip
from emovec.tables.leaks import shared_audio
from emovec.tables.manifest import Utterance
from emovec.tables.splits import Assignment, manifest_hash, split_line

PROTOCOL = "all-pairs"
UNKNOWN = "unknown"  # emotion of all clips where the corpus has none


@dataclass(frozen=True, kw_only=True)
class PairSelection(Chosen):
    """The clips of a run, all of them to test on.

    Attributes:
        utterances: each is tried against every other one
        prepared: all clips of the corpus, also those of other emotions or of none
        training: clips of other corpora, with absolute paths
    """

    utterances: list[Utterance]
    prepared: list[Utterance]
    training: list[Utterance]


def select_all(
    corpus: str,
    options: Mapping[str, Any],
    data_folder: str | None,
    prepared_folder: Path,
    *,
    emotions: Collection[str] | None,
    drop_emotions: Collection[str],
    merge_emotions: Mapping[str, str] | None = None,
    allow_partial: bool,
) -> PairSelection:
    """Prepare a corpus, and take all clips whose emotion is wanted.

    Of a corpus without any emotions, such as VoxCeleb, all clips are of the emotion "unknown".

    Args:
        corpus: a name of ``corpora.names()``
        options: of ``corpora.get``
        data_folder: where the corpus lies; None for one that is made
        prepared_folder: for manifest.csv and corpus.json
        emotions: to keep; None: all
        drop_emotions: clips of these are left out
        merge_emotions: by emotion, the one that its clips are counted with; before all else
        allow_partial: go on with an incomplete copy

    Raises:
        CorpusError: if the corpus is not as published
        HparamError: if an emotion to merge is of no clip
        SplitError: if no clip is left, or an emotion to keep has none
    """
    folder = Path(data_folder) if data_folder else None
    kind, root = corpora.locate(corpora.get(corpus, **options), folder, prepared_folder)
    prepared = corpora.prepare(kind, root, prepared_folder, allow_partial=allow_partial)
    found, notes = with_an_emotion(merged(prepared.utterances, merge_emotions or {}))
    utterances, skipped = of_wanted_emotions(found, emotions, drop_emotions, corpus)
    return PairSelection(
        info=prepared.info,
        root=prepared.root,
        protocol=PROTOCOL,
        shares_speakers=False,
        manifest_hash=manifest_hash(prepared.utterances),
        split_line=all_pairs_line(prepared.info.name, utterances),
        leaks=(),
        skipped=(*prepared.info.skipped, *skipped),
        warnings=(*prepared.info.warnings, *notes),
        utterances=utterances,
        prepared=found,
        training=[],
    )


def of_wanted_emotions(
    utterances: Sequence[Utterance],
    emotions: Collection[str] | None,
    drop: Collection[str],
    where: str,
    *,
    with_speaker: bool = False,
) -> tuple[list[Utterance], list[Skip]]:
    """Clips that are wanted, and why others are not.

    Args:
        utterances: of any emotions; those without one are not wanted
        emotions: to keep; None: all
        drop: clips of these are left out
        where: the corpora, for the message
        with_speaker: clips of unknown speakers are not wanted either

    Raises:
        SplitError: if no clip is left, or an emotion to keep has none
    """
    reasons = {
        u.id: why_another_class(u, u.emotion, emotions)
        or why_unwanted(u, [*drop, ""], with_affect=False)
        or ("speaker is not known" if with_speaker and not u.speaker else "")
        for u in utterances
    }
    kept = [u for u in utterances if not reasons[u.id]]
    missing = sorted(set(emotions or ()) - {u.emotion for u in kept})
    if missing or not kept:
        raise SplitError(
            f"{where}: no clip is of the emotions {missing or 'to keep'}; expected some of "
            f"{sorted({u.emotion for u in utterances} - {''})}. Mend emotions, drop_emotions."
        )
    return kept, [Skip(id_, reason) for id_, reason in reasons.items() if reason]


def with_an_emotion(utterances: list[Utterance]) -> tuple[list[Utterance], list[str]]:
    """Clips, all of the emotion "unknown" if not one has an emotion, and a note that says so."""
    if any(u.emotion for u in utterances):
        return utterances, []
    note = f"no clip has an emotion: all are of the emotion {UNKNOWN}"
    return [replace(u, emotion=UNKNOWN) for u in utterances], [note]


def all_pairs_line(corpus: str, utterances: Sequence[Utterance]) -> str:
    """The line that names clips which are all tried against each other."""
    rows = [Assignment(u.id, 0, "test") for u in utterances]
    return split_line(corpus, PROTOCOL, utterances, rows)


def with_training(
    clips: PairSelection,
    sources: Sequence[str],
    prepared_folder: Path,
    *,
    allow_partial: bool,
    allow_leak: bool,
) -> PairSelection:
    """Add clips of other corpora that a scoring learns from.

    Args:
        clips: to try
        sources: as ``emovec.corpora.speakers.read_corpora`` takes them; none: nothing is added
        prepared_folder: for a folder of tables of each
        allow_partial: go on with incomplete copies
        allow_leak: go on if they have clips or the name of the corpus that is tried

    Raises:
        CorpusError: if a corpus cannot be read
        SplitError: if one has the name of the corpus that is tried, or audio of it
    """
    if not sources:
        return clips
    prepared = read_corpora(sources, prepared_folder, allow_partial)
    training = [u for corpus in prepared for u in corpus.utterances]
    same = [corpus.info.name for corpus in prepared if corpus.info.name == clips.info.name]
    leaks = [f"{name} is both trained on and tried, with its speakers" for name in same]
    leaks += shared_audio(
        [*((u, "training") for u in training), *((u, "tried") for u in clips.utterances)]
    )
    if leaks and not allow_leak:
        raise SplitError(
            f"training_corpora: {'; '.join(leaks)}; expected other speakers. Choose another "
            "corpus, or pass --allow_leak, which marks every result."
        )
    left_out = [
        replace(skip, id=f"{corpus.info.name}/{skip.id}")
        for corpus in prepared
        for skip in corpus.info.skipped
    ]
    told = [f"{corpus.info.name}: {w}" for corpus in prepared for w in corpus.info.warnings]
    return replace(
        clips,
        training=training,
        skipped=(*clips.skipped, *left_out),
        leaks=(*clips.leaks, *(f"training_corpora: {leak}" for leak in leaks)),
        warnings=(*clips.warnings, *told),
    )


def merged(utterances: Sequence[Utterance], merge: Mapping[str, str]) -> list[Utterance]:
    """Clips with the emotions that theirs are counted with.

    Args:
        utterances: of any emotions
        merge: by emotion, the one that its clips are counted with

    Raises:
        HparamError: if an emotion to merge is of no clip
    """
    known = sorted({u.emotion for u in utterances} - {""})
    if not isinstance(merge, Mapping) or not all(map(_is_name, merge.values())):
        raise HparamError(
            f"merge_emotions is {merge!r}; expected emotions by emotion, such as "
            "{excitement: happiness}. Correct it."
        )
    strange = sorted(set(map(str, merge)) - set(known))
    if strange:
        raise HparamError(
            f"merge_emotions: no clip is of {strange}; expected some of {known}. Correct it."
        )
    return [replace(u, emotion=merge.get(u.emotion, u.emotion)) for u in utterances]


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value)
