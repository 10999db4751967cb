"""A corpus split by a protocol, and how its numbers differ from the published ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from emovec.corpora.base import Protocol
from emovec.errors import SplitError
from emovec.tables.manifest import Utterance
from emovec.tables.splits import Assignment


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
