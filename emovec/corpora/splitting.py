"""A corpus split by a protocol, and how its numbers differ from the published ones."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from emovec.corpora.base import Corpus, Protocol
from emovec.errors import SplitError
from emovec.tables.manifest import Utterance
from emovec.tables.protocols import (
    by_speaker,
    folds_by_speaker,
    leave_one_session_out,
    leave_one_speaker_out,
)
from emovec.tables.splits import Assignment


def _folds(number: int) -> Protocol:
    return Protocol(lambda utterances, seed: folds_by_speaker(utterances, number, seed))


_PROTOCOLS = {
    "by-speaker": Protocol(by_speaker),
    "group-kfold": _folds(5),
    "leave-one-session-out": Protocol(lambda utterances, _seed: leave_one_session_out(utterances)),
    "loso": Protocol(lambda utterances, _seed: leave_one_speaker_out(utterances)),
}
_GROUP_FOLDS = re.compile(r"group-([1-9]\d{0,3})fold", re.ASCII)


@dataclass(frozen=True)
class SplitCorpus:
    """What a protocol makes of a corpus.

    Attributes:
        utterances: those that the protocol is for, with its classes as their emotions
        assignments: their splits
        left_out: why, by id
        warnings: where numbers are not the published ones
    """

    utterances: list[Utterance]
    assignments: list[Assignment]
    left_out: Mapping[str, str]
    warnings: tuple[str, ...]


def protocols(corpus: Corpus) -> dict[str, Protocol]:
    """All ways to split a corpus that have names: its own, then those for every corpus.

    >>> from emovec import corpora
    >>> list(protocols(corpora.get("nemo")))
    ['by-speaker', 'group-kfold', 'leave-one-session-out', 'loso']
    """
    return {**corpus.protocols, **_PROTOCOLS}


def default_protocol(corpus: Corpus) -> str:
    """Name of the first protocol that takes clips of every emotion.

    >>> from emovec import corpora
    >>> default_protocol(corpora.get("msp_podcast"))
    'msp-podcast-official'
    """
    return next(name for name, way in protocols(corpus).items() if not way.emotions)


def protocol(corpus: Corpus, name: str) -> Protocol:
    """A way to split a corpus by its name; ``group-8fold`` has 8 folds over speakers.

    Raises:
        SplitError: if the corpus has no such protocol
    """
    known = protocols(corpus)
    folds = _GROUP_FOLDS.fullmatch(name)
    if name not in known and folds and int(folds[1]) >= 3:
        return _folds(int(folds[1]))
    if name not in known:
        raise SplitError(
            f"{corpus.name}: protocol is '{name}'; expected one of {', '.join(known)}, or "
            "group-3fold, group-4fold and so on."
        )
    return known[name]


def is_protocol(corpus: Corpus, name: str) -> bool:
    """Whether a corpus can be split by a protocol of this name."""
    try:
        protocol(corpus, name)
    except SplitError:
        return False
    return True


def follow(
    name: str, protocol: Protocol, utterances: Sequence[Utterance], seed: int
) -> SplitCorpus:
    """Split a corpus by a protocol.

    Args:
        name: of the protocol, for messages
        protocol: what to do
        utterances: rows of the manifest
        seed: of what it draws

    Raises:
        SplitError: if no clip is left, or the protocol cannot be followed
    """
    left_out: dict[str, str] = {}
    kept = []
    for utterance in utterances:
        reason = _unwanted(protocol, utterance)
        if reason:
            left_out[utterance.id] = f"{reason}: not in {name}"
        else:
            emotion = protocol.emotions.get(utterance.emotion, utterance.emotion)
            kept.append(
                utterance if emotion == utterance.emotion else replace(utterance, emotion=emotion)
            )
    if not kept:
        raise SplitError(
            f"{name}: none of {len(utterances)} clips is one of its; expected emotions "
            f"{sorted(protocol.emotions) or 'of any name'}. Choose another protocol."
        )
    assignments = protocol.assign(kept, seed)
    warnings = [f"{name}: {said}" for said in _differences(protocol.published, kept, assignments)]
    return SplitCorpus(kept, assignments, left_out, tuple(warnings))


def _unwanted(protocol: Protocol, utterance: Utterance) -> str:
    """Why a clip is none of the protocol's, "" if it is one."""
    if protocol.emotions and utterance.emotion not in protocol.emotions:
        return f"emotion is {utterance.emotion or 'not known'}"
    if protocol.with_affect and utterance.affect is None:
        return "valence, arousal or dominance is not known"
    if utterance.duration < protocol.shortest:
        return f"lasts {utterance.duration} s"
    return ""


def _differences(
    published: Mapping[str, int],
    utterances: Sequence[Utterance],
    assignments: Sequence[Assignment],
) -> Iterator[str]:
    """Where numbers are not the published ones."""
    if not published:
        return
    members: dict[str, set[str]] = {}
    speaker_of = {u.id: u.speaker for u in utterances}
    emotion_of = {u.id: u.emotion for u in utterances}
    for row in assignments:
        emotion, speaker = emotion_of[row.id], speaker_of[row.id]
        for place in ("", f"{row.split}/", f"fold {row.fold}/{row.split}/"):
            members.setdefault(f"{place}clips", set()).add(row.id)
            members.setdefault(f"{place}{emotion}", set()).add(row.id)
            if speaker:
                members.setdefault(f"{place}speakers", set()).add(speaker)
    for key, expected in published.items():
        found = len(members.get(key, ()))
        if found != expected:
            yield f"{found} {key} found, {expected} published"
