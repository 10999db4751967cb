"""Clips of several corpora to learn from without labels, and speakers held out to validate on."""

from collections.abc import Collection, Sequence
from pathlib import Path

from emovec.corpora.speakers import (
    PROTOCOL,
    SpeakerSelection,
    hold_out,
    read_corpora,
    together,
)
from emovec.errors import HparamError, SplitError
from emovec.tables.leaks import shared_audio
from emovec.tables.manifest import Utterance
from emovec.tables.splits import (
    Assignment,
    check_splits,
    manifest_hash,
    split_line,
    write_splits,
)


def select_unlabelled(
    sources: Sequence[str],
    prepared_folder: Path,
    *,
    held_out: float,
    seed: int,
    allow_partial: bool,
    allow_leak: bool,
) -> SpeakerSelection:
    """Prepare corpora and hold out speakers of each, to validate on; there is no test.

    Clips of unknown speakers, of speakers with one clip, and of corpora with fewer than three
    speakers are trained on.

    Args:
        sources: as :func:`emovec.corpora.speakers.read_corpora` takes them
        prepared_folder: for a folder of tables of each corpus, and splits/
        held_out: share of each corpus' speakers
        seed: of the draw
        allow_partial: go on with incomplete copies
        allow_leak: go on if the same audio is in two splits

    Raises:
        CorpusError: if a corpus cannot be read, or two have one name
        HparamError: if the share is not in (0, 1/2)
        SplitError: if nobody is left to train or to validate on, or audio leaks
    """
    if not 0 < held_out < 0.5:
        raise HparamError(f"held_out is {held_out}; expected above 0 and below 0.5. Change it.")
    prepared = read_corpora(sources, prepared_folder, allow_partial)
    utterances = [u for corpus in prepared for u in corpus.utterances]
    assignments = [
        Assignment(row.id, 0, "valid" if row.split == "valid" else "train")
        for corpus in prepared
        for row in hold_out([u for u in corpus.utterances if u.speaker], held_out, held_out, seed)
    ]
    named = [u for u in utterances if u.speaker]
    check = check_splits(named, assignments, allow_leak=allow_leak, needed=("train", "valid"))
    write_splits(prepared_folder / "splits" / f"{PROTOCOL}.csv", assignments)
    valid = {row.id for row in assignments if row.split == "valid"}
    unnamed = _unnamed_leaks(utterances, valid, allow_leak)
    info = together(prepared)
    return SpeakerSelection(
        info,
        train=[u for u in utterances if u.id not in valid],
        known=[],
        valid=[u for u in utterances if u.id in valid],
        test=[],
        manifest_hash=manifest_hash(utterances),
        split_line=split_line(info.name, PROTOCOL, named, assignments),
        leaks=(*check.leaks, *unnamed),
        skipped=info.skipped,
        warnings=(*info.warnings, *check.warnings),
    )


def _unnamed_leaks(
    utterances: Sequence[Utterance], valid: Collection[str], allow_leak: bool
) -> list[str]:
    """Audio of clips to validate on that clips of unknown speakers have, too.

    Raises:
        SplitError: if there is some, and it is not allowed
    """
    places = [
        (u, "valid" if u.id in valid else "train")
        for u in utterances
        if not u.speaker or u.id in valid
    ]
    leaks = shared_audio(places)
    if leaks and not allow_leak:
        raise SplitError(
            f"clips of unknown speakers: {'; '.join(leaks)}; expected none of this. Remove one of "
            "each, or pass --allow_leak, which marks every result."
        )
    return leaks
