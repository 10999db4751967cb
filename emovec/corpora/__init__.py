"""Readers of corpora: from a folder, as published, to a manifest and splits."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from emovec.corpora import (
    audformat,
    cremad,
    demo,
    emobox,
    emodb,
    folder,
    iemocap,
    librispeech,
    manifest,
    msp_podcast,
    musan,
    nemo,
    ravdess,
    rirs_noises,
    voxceleb,
)
from emovec.corpora.base import Corpus, Labels, Protocol
from emovec.corpora.official_trials import write_official_trials
from emovec.corpora.options import TEXT, check_options
from emovec.corpora.preparing import Prepared, locate, prepare
from emovec.corpora.splitting import SplitCorpus, default_protocol, follow, protocol, protocols
from emovec.errors import CorpusError
from emovec.tables.manifest import Utterance
from emovec.tables.splits import SplitCheck, check_splits, write_splits

__all__ = [
    "Corpus",
    "Labels",
    "Prepared",
    "Protocol",
    "SplitCorpus",
    "default_protocol",
    "get",
    "locate",
    "names",
    "prepare",
    "protocol",
    "protocols",
    "split",
    "write_official_trials",
    "write_split",
]

_CORPORA: dict[str, Callable[..., Corpus]] = {
    "demo": partial(
        replace, manifest.CORPUS, name="demo", release=demo.VERSION, make=demo.synthesise
    ),
    "ravdess": partial(replace, ravdess.CORPUS),
    "emodb": partial(replace, emodb.CORPUS),
    "cremad": partial(replace, cremad.CORPUS),
    "nemo": partial(replace, nemo.CORPUS),
    "iemocap": partial(replace, iemocap.CORPUS),
    "msp_podcast": partial(replace, msp_podcast.CORPUS),
    "voxceleb1": partial(replace, voxceleb.VOXCELEB1),
    "voxceleb2": partial(replace, voxceleb.VOXCELEB2),
    "librispeech": partial(replace, librispeech.CORPUS),
    "musan": partial(replace, musan.CORPUS),
    "rirs_noises": partial(replace, rirs_noises.CORPUS),
    "manifest": partial(replace, manifest.CORPUS),
    "folder": folder.corpus,
    "emobox": emobox.corpus,
    "audformat": audformat.corpus,
}

_OPTIONS = {
    "manifest": manifest.OPTIONS,
    "folder": folder.OPTIONS,
    "emobox": emobox.OPTIONS,
    "audformat": audformat.OPTIONS,
}


def names() -> list[str]:
    """Names of all corpora."""
    return list(_CORPORA)


def get(name: str, /, **options: Any) -> Corpus:
    """A corpus by its name.

    Args:
        name: one of ``names()``
        options: ``release``, for ``manifest`` also ``prototypes``, or those of ``folder.corpus``,
            ``emobox.corpus``, ``audformat.corpus``

    Raises:
        CorpusError: if there is no such corpus, or it does not take an option or its value
    """
    if name not in _CORPORA:
        raise CorpusError(f"corpus is '{name}'; expected one of {', '.join(names())}.")
    check_options(name, options, _OPTIONS.get(name, {"release": TEXT}))
    return _CORPORA[name](**options)


def split(corpus: Corpus, name: str, utterances: list[Utterance], seed: int) -> SplitCorpus:
    """A corpus split by a protocol's name; check it with ``tables.splits.check_splits``.

    Raises:
        SplitError: if the corpus has no such protocol, or it cannot be followed
    """
    return follow(name, protocol(corpus, name), utterances, seed)


def write_split(
    corpus: Corpus,
    name: str,
    prepared: Prepared,
    output_folder: Path,
    seed: int,
    allow_leak: bool = False,
) -> tuple[SplitCorpus, SplitCheck]:
    """Split a prepared corpus by a protocol's name, check it, and write ``splits/NAME.csv``.

    A split other than train may be empty, as in a partial copy.

    Raises:
        SplitError: if the protocol is not there, cannot be followed, or leaks
    """
    may_share = protocol(corpus, name).shares_speakers
    found = split(corpus, name, prepared.utterances, seed)
    said = check_splits(
        found.utterances, found.assignments, may_share, allow_leak, needed=["train"]
    )
    write_splits(output_folder / "splits" / f"{name}.csv", found.assignments)
    return found, said
