"""What lets a model know its test clips: a speaker or audio in more than one split.

Places are pairs of an utterance and a name: of the split that it is in, or of who speaks.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence

from emovec.tables.manifest import Utterance

Place = tuple[Utterance, str]
_LISTED = 10  # examples in a message
_ROUNDING = 0.01  # seconds that stretches of one file may share, since published ends are rounded


def listed(items: Sequence[str], what: str) -> str:
    """Their number, and the first few of them.

    >>> listed(["a", "b"], "clips")
    '2 clips (a, b)'
    """
    more = f" and {len(items) - _LISTED} more" if len(items) > _LISTED else ""
    return f"{len(items)} {what} ({', '.join(items[:_LISTED])}{more})"


def shared_speakers(
    members: Iterable[Place], may_share: Collection[str]
) -> tuple[list[str], list[str]]:
    """Leaks and warnings of one fold: speakers in several splits, and speakers nobody knows.

    Args:
        members: utterances and their splits
        may_share: splits that may share speakers with each other, and with no other one; if there
            are any, utterances of unknown speakers are a warning in every split
    """
    members = list(members)
    where = _names_in_several((u.speaker, split) for u, split in members)
    allowed = sorted(speaker for speaker, splits in where.items() if splits <= set(may_share))
    leaking = sorted(set(where) - set(allowed))
    unknown = [u.id for u, _ in members if not u.speaker]
    leaks = [listed(leaking, "speakers in more than one split")] if leaking else []
    warnings = [listed(allowed, "speakers in more than one split")] if allowed else []
    (warnings if may_share else leaks).extend(
        [listed(unknown, "utterances of unknown speakers")] if unknown else []
    )
    return leaks, warnings


def shared_sessions(members: Iterable[Place]) -> list[str]:
    """Sessions in several splits, which no protocol promises to keep apart."""
    shared = sorted(_names_in_several((u.session, split) for u, split in members))
    return [listed(shared, "sessions in more than one split")] if shared else []


def shared_audio(members: Sequence[Place]) -> list[str]:
    """The same samples (column ``audio_hash``), or overlapping parts of a file, in two splits."""
    found: dict[str, list[Place]] = defaultdict(list)
    for u, split in members:
        if u.extra.get("audio_hash"):
            found[u.extra["audio_hash"]].append((u, split))
    same = [
        " = ".join(sorted(map(_told, places)))
        for places in found.values()
        if len({split for _, split in places}) > 1
    ]
    overlapping = [f"{_told(one)} with {_told(other)}" for one, other in overlaps(members)]
    told = (
        (same, "same audio in more than one split"),
        (overlapping, "overlapping parts of a file in more than one split"),
    )
    return [listed(leaks, what) for leaks, what in told if leaks]


def overlaps(places: Iterable[Place]) -> Iterator[tuple[Place, Place]]:
    """Clips that are parts of one file, overlap, and have different names.

    Of clips that overlap several others of a name, one is told; clips with the same samples are
    not: that is said of them elsewhere.

    >>> clips = [Utterance("a", "x.wav", 0.0, 2.0, 2.0), Utterance("b", "x.wav", 1.0, 3.0, 2.0),
    ...          Utterance("c", "x.wav", 2.0, 3.0, 1.0)]
    >>> [(one.id, other.id) for (one, _), (other, _) in overlaps(zip(clips, "ABA"))]
    [('a', 'b'), ('b', 'c')]
    """
    files: dict[str, list[Place]] = defaultdict(list)
    for u, name in places:
        files[u.path].append((u, name))
    for clips in files.values():
        last: dict[str, Place] = {}  # of each name, the clip so far that ends last
        for u, name in sorted(clips, key=lambda place: _ends(place[0])) if len(clips) > 1 else ():
            start, stop = _ends(u)
            for other in last.values():
                overlapping = _ends(other[0])[1] - start > _ROUNDING and stop - start > _ROUNDING
                if other[1] != name and overlapping and not _same_samples(other[0], u):
                    yield other, (u, name)
            if name not in last or stop > _ends(last[name][0])[1]:
                last[name] = (u, name)


def _ends(utterance: Utterance) -> tuple[float, float]:
    start = utterance.start or 0.0
    stop = start + utterance.duration if utterance.stop is None else utterance.stop
    return start, stop


def _same_samples(one: Utterance, other: Utterance) -> bool:
    hash_ = one.extra.get("audio_hash")
    return bool(hash_) and hash_ == other.extra.get("audio_hash")


def _told(place: Place) -> str:
    return f"{place[0].id} ({place[1]})"


def _names_in_several(places: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """Splits of each known name that is in more than one."""
    splits: dict[str, set[str]] = defaultdict(set)
    for name, split in places:
        splits[name].add(split)
    return {name: where for name, where in splits.items() if name and len(where) > 1}
