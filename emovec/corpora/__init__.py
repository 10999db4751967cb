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
from emovec.corpora.preparing import Prepared, locate, prepare
from emovec.corpora.splitting import SplitCorpus, follow
from emovec.errors import CorpusError, SplitError
from emovec.tables.manifest import Utterance
from emovec.tables.protocols import (
    by_speaker,
    folds_by_speaker,
    leave_one_session_out,
    leave_one_speaker_out,
)
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

_OPTIONS = {"folder": folder.OPTIONS, "emobox": emobox.OPTIONS, "audformat": audformat.OPTIONS}

_PROTOCOLS = {
    "by-speaker": Protocol(by_speaker),
    "group-kfold": Protocol(lambda utterances, seed: folds_by_speaker(utterances, 5, seed)),
    "leave-one-session-out": Protocol(lambda utterances, _seed: leave_one_session_out(utterances)),
    "loso": Protocol(lambda utterances, _seed: leave_one_speaker_out(utterances)),
}


def names() -> list[str]:
    """Names of all corpora."""
    return list(_CORPORA)


def get(name: str, **options: Any) -> Corpus:
    """A corpus by its name.

    Args:
        name: one of ``names()``
        options: ``release``, or those of ``folder.corpus``, ``emobox.corpus``, ``audformat.corpus``

    Raises:
        CorpusError: if there is no such corpus, or it does not take an option
    """
    if name not in _CORPORA:
        raise CorpusError(f"corpus is '{name}'; expected one of {', '.join(names())}.")
    taken = _OPTIONS.get(name, ("release",))
    wrong = sorted(set(options) - set(taken))
    if wrong:
        raise CorpusError(f"{name}: options are {wrong}; expected of {list(taken)}.")
    release = options.get("release", "")
    if not isinstance(release, str):
        raise CorpusError(
            f"{name}: release is {release}; expected it in quotes, as 1.10 is not 1.1."
        )
    return _CORPORA[name](**options)


def protocols(corpus: Corpus) -> dict[str, Protocol]:
    """All ways to split a corpus: its own, then those for every corpus.

    >>> list(protocols(get("nemo")))
    ['by-speaker', 'group-kfold', 'leave-one-session-out', 'loso']
    """
    return {**corpus.protocols, **_PROTOCOLS}


def default_protocol(corpus: Corpus) -> str:
    """Name of the first protocol that takes clips of every emotion.

    >>> default_protocol(get("msp_podcast"))
    'msp-podcast-official'
    """
    return next(name for name, way in protocols(corpus).items() if not way.emotions)


def protocol(corpus: Corpus, name: str) -> Protocol:
    """A way to split a corpus by its name.

    Raises:
        SplitError: if the corpus has no such protocol
    """
    known = protocols(corpus)
    if name not in known:
        raise SplitError(
            f"{corpus.name}: protocol is '{name}'; expected one of {', '.join(known)}."
        )
    return known[name]


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
    shares_speakers = protocol(corpus, name).shares_speakers
    found = split(corpus, name, prepared.utterances, seed)
    said = check_splits(
        found.utterances, found.assignments, shares_speakers, allow_leak, needed=["train"]
    )
    write_splits(output_folder / "splits" / f"{name}.csv", found.assignments)
    return found, said
