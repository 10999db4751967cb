"""Readers of corpora: from a folder, as published, to a manifest and splits."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from emovec.corpora import (
    cremad,
    demo,
    emodb,
    folder,
    manifest,
    msp_podcast,
    nemo,
    ravdess,
)
from emovec.corpora.base import Corpus, Labels, Protocol
from emovec.corpora.preparing import Prepared, prepare
from emovec.errors import CorpusError, SplitError
from emovec.tables.manifest import Utterance
from emovec.tables.protocols import by_speaker, folds_by_speaker, leave_one_session_out
from emovec.tables.splits import Assignment

__all__ = [
    "Corpus",
    "Labels",
    "Prepared",
    "Protocol",
    "assign",
    "get",
    "names",
    "prepare",
    "protocol",
    "protocols",
]

_CORPORA: dict[str, Callable[..., Corpus]] = {
    "demo": partial(
        replace, manifest.CORPUS, name="demo", release=demo.VERSION, make=demo.synthesise
    ),
    "ravdess": partial(replace, ravdess.CORPUS),
    "emodb": partial(replace, emodb.CORPUS),
    "cremad": partial(replace, cremad.CORPUS),
    "nemo": partial(replace, nemo.CORPUS),
    "msp_podcast": partial(replace, msp_podcast.CORPUS),
    "manifest": partial(replace, manifest.CORPUS),
    "folder": folder.corpus,
}

_PROTOCOLS = {
    "by_speaker": Protocol(by_speaker),
    "speaker_5fold": Protocol(lambda utterances, seed: folds_by_speaker(utterances, 5, seed)),
    "leave_one_session_out": Protocol(lambda utterances, _seed: leave_one_session_out(utterances)),
}


def names() -> list[str]:
    """Names of all corpora."""
    return list(_CORPORA)


def get(name: str, **options: Any) -> Corpus:
    """A corpus by its name.

    Args:
        name: one of ``names()``
        options: ``release``, or for ``folder`` the arguments of ``folder.corpus``

    Raises:
        CorpusError: if there is no such corpus, or it does not take an option
    """
    if name not in _CORPORA:
        raise CorpusError(f"corpus is '{name}'; expected one of {', '.join(names())}.")
    taken = folder.OPTIONS if name == "folder" else ("release",)
    wrong = sorted(set(options) - set(taken))
    if wrong:
        raise CorpusError(f"{name}: options are {wrong}; expected of {list(taken)}.")
    return _CORPORA[name](**options)


def protocols(corpus: Corpus) -> dict[str, Protocol]:
    """All ways to split a corpus: its own, then those for every corpus; the first is the default.

    >>> list(protocols(get("msp_podcast")))[:2]
    ['official', 'emosphere_inhouse']
    """
    return {**corpus.protocols, **_PROTOCOLS}


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


def assign(corpus: Corpus, name: str, utterances: list[Utterance], seed: int) -> list[Assignment]:
    """Splits of a corpus by a protocol's name; check them with ``tables.splits.check_splits``.

    Raises:
        SplitError: if the corpus has no such protocol, or it cannot be followed
    """
    return protocol(corpus, name).assign(utterances, seed)
