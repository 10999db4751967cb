"""How a result came about, of the clips that a run was given."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from emovec.corpora.selection import Chosen
from emovec.corpora.speakers import SpeakerSelection
from emovec.tables.results import RunFacts, run_facts


def selection_facts(
    data: Chosen | SpeakerSelection,
    *,
    command: Sequence[str],
    hparams: Mapping[str, Any],
    started: datetime,
    device: str,
    with_affect: bool,
) -> RunFacts:
    """Facts of the run that ends now.

    Args:
        data: its clips
        command: line that started it
        hparams: all of them, plain
        started: with its time zone
        device: what the model ran on
        with_affect: whether affect was learnt or measured, so that its source matters
    """
    return run_facts(
        command,
        hparams,
        seed=hparams["seed"],
        started=started,
        device=device,
        manifest_hash=data.manifest_hash,
        corpus=data.info.name,
        affect_source=data.info.affect_source if with_affect else None,
        protocol=data.protocol,
        split_hash=data.split_line,
        shares_speakers=data.shares_speakers,
        leaks=data.leaks,
    )


def speaker_or_own(speaker: str, id_: str) -> str:
    """Whom a clip counts for when speakers are resampled: unknown ones are each of their own.

    >>> speaker_or_own("", "clip 7")
    'unknown, clip 7'
    """
    return speaker or f"unknown, {id_}"
