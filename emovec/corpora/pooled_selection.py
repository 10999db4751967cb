"""Clips with a speaker and an emotion, of one or several corpora, in splits of their speakers.

Speakers and clips of different corpora are kept apart by the corpus' name before theirs.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from emovec.corpora.pair_selection import merged, of_wanted_emotions
from emovec.corpora.preparing import Prepared
from emovec.corpora.selection import Selection, by_split, select
from emovec.corpora.speakers import (
    PROTOCOL,
    corpus_of,
    hold_out,
    name_and_folder,
    of_corpus,
    read_corpora,
    together,
    with_name,
)
from emovec.errors import HparamError, SplitError
from emovec.tables.corpus import Skip
from emovec.tables.manifest import Utterance
from emovec.tables.splits import SPLITS, check_splits, manifest_hash, split_line, write_splits


def select_pooled(
    sources: Sequence[str],
    prepared_folder: Path,
    *,
    protocol: str,
    held_out: float,
    seed: int,
    emotions: Collection[str] | None,
    merge_emotions: Mapping[str, str],
    drop_emotions: Collection[str],
    allow_partial: bool,
    allow_leak: bool,
) -> Selection:
    """Prepare corpora, and share out the speakers of each to train, validate and test on.

    Clips without a speaker or an emotion are left out.

    Args:
        sources: as ``emovec.corpora.speakers.read_corpora`` takes them
        prepared_folder: for the tables of each, and splits/
        protocol: "held-out-speakers", which draws them; or of a single corpus one of its own, or
            "default", of which the first fold is taken
        held_out: share of each corpus' speakers to test on, and again so many to validate on;
            those with one clip are trained on
        seed: of what is drawn
        emotions: to keep, after merging; None: all
        merge_emotions: by emotion, the one that its clips are counted with; before all else
        drop_emotions: clips of these are left out
        allow_partial: go on with incomplete copies
        allow_leak: go on with splits that leak

    Returns:
        clips whose ids and speakers begin with the corpus' name; their paths are absolute

    Raises:
        CorpusError: if a corpus cannot be read, or two have one name
        HparamError: if the share is not in (0, 1/2), an emotion to merge is of no clip, or several
            corpora are to follow a protocol of one
        SplitError: if an emotion to keep has no clip, a split leaks, or nobody is left for one
    """
    wanted = {"emotions": emotions, "merge": merge_emotions, "drop": drop_emotions}
    allowed = {"allow_partial": allow_partial, "allow_leak": allow_leak}
    if protocol == PROTOCOL:
        return _drawn(sources, prepared_folder, held_out, seed, wanted, **allowed)
    if len(sources) != 1:
        raise HparamError(
            f"protocol is '{protocol}' with {len(sources)} corpora; expected '{PROTOCOL}'. "
            "Or name one corpus."
        )
    return _as_published(sources[0], prepared_folder, protocol, seed, wanted, **allowed)


def select_pooled_of(hparams: Any) -> Selection:
    """Clips that the hparams of a recipe name; takes and raises what :func:`select_pooled` does.

    Args:
        hparams: whose corpora are the sources, and split_seed the seed
    """
    return select_pooled(
        hparams.corpora,
        Path(hparams.prepared_folder),
        protocol=hparams.protocol,
        held_out=hparams.held_out,
        seed=hparams.split_seed,
        emotions=hparams.emotions,
        merge_emotions=hparams.merge_emotions,
        drop_emotions=hparams.drop_emotions,
        allow_partial=hparams.allow_partial,
        allow_leak=hparams.allow_leak,
    )


def _drawn(
    sources: Sequence[str],
    prepared_folder: Path,
    held_out: float,
    seed: int,
    wanted: Mapping[str, Any],
    *,
    allow_partial: bool,
    allow_leak: bool,
) -> Selection:
    """Speakers that are drawn, of each corpus its share."""
    if not 0 < held_out < 0.5:
        raise HparamError(
            f"held_out is {held_out}; expected above 0 and below 0.5, as it is held out twice. "
            "Change it."
        )
    prepared = read_corpora(sources, prepared_folder, allow_partial)
    info = together(prepared)
    found = [u for corpus in prepared for u in corpus.utterances]
    utterances, skipped = _chosen(found, info.name, **wanted)
    assignments = [
        row
        for corpus in prepared
        for row in hold_out(of_corpus(corpus.info.name, utterances), held_out, held_out, seed)
    ]
    check = check_splits(utterances, assignments, allow_leak=allow_leak, needed=SPLITS)
    write_splits(prepared_folder / "splits" / f"{PROTOCOL}.csv", assignments)
    return Selection(
        info=info,
        root=Path("/"),
        protocol=PROTOCOL,
        shares_speakers=False,
        manifest_hash=manifest_hash(found),
        split_line=split_line(info.name, PROTOCOL, utterances, assignments),
        leaks=check.leaks,
        skipped=(*info.skipped, *skipped),
        warnings=(*info.warnings, *_untested(prepared, utterances, assignments), *check.warnings),
        splits=by_split(utterances, assignments),
    )


def _as_published(
    source: str,
    prepared_folder: Path,
    protocol: str,
    seed: int,
    wanted: Mapping[str, Any],
    *,
    allow_partial: bool,
    allow_leak: bool,
) -> Selection:
    """The first fold of a protocol."""
    name, folder = name_and_folder(source)
    found = select(
        name,
        {},
        str(folder) if folder else None,
        prepared_folder,
        protocol=protocol,
        fold=0,
        seed=seed,
        drop_emotions=(),
        with_affect=False,
        allow_partial=allow_partial,
        allow_leak=allow_leak,
    )
    corpus = found.info.name
    of_all = with_name(corpus, found.root, [u for part in found.splits.values() for u in part])
    utterances, skipped = _chosen(of_all, corpus, **wanted)
    split_of = {
        f"{corpus}/{u.id}": split for split, members in found.splits.items() for u in members
    }
    splits = {split: [u for u in utterances if split_of[u.id] == split] for split in SPLITS}
    empty = [split for split, members in splits.items() if not members]
    if empty:
        raise SplitError(
            f"{corpus}: {found.protocol} has no clips with a speaker and an emotion in {empty}; "
            "expected some in each split. Choose another protocol, or mend emotions."
        )
    renamed = tuple(Skip(f"{corpus}/{skip.id}", skip.reason) for skip in found.skipped)
    return replace(found, root=Path("/"), splits=splits, skipped=(*renamed, *skipped))


def _chosen(
    utterances: Sequence[Utterance],
    where: str,
    *,
    emotions: Collection[str] | None,
    merge: Mapping[str, str],
    drop: Collection[str],
) -> tuple[list[Utterance], list[Skip]]:
    """Clips that are wanted, and why others are not."""
    return of_wanted_emotions(merged(utterances, merge), emotions, drop, where, with_speaker=True)


def _untested(
    prepared: Iterable[Prepared], utterances: Sequence[Utterance], assignments: Iterable[Any]
) -> list[str]:
    """Corpora that have too few speakers to be tested on."""
    tested = {corpus_of(row) for row in assignments if row.split == "test"}
    found = {corpus_of(u) for u in utterances}
    names = [corpus.info.name for corpus in prepared]
    return [
        f"{name}: trained on only; too few speakers have several clips"
        if name in found
        else f"{name}: no clip is left"
        for name in names
        if name not in tested
    ]
