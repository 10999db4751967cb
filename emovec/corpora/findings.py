"""What may be wrong with clips, one thing at a time: their audio, their labels, their number."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from emovec.corpora.measurements import Measurement
from emovec.labels import AFFECT_AXES, EMOTIONS
from emovec.tables.corpus import CorpusInfo
from emovec.tables.leaks import listed, overlaps
from emovec.tables.manifest import Utterance

NEAR_SILENT = -60.0  # dB of full scale, root mean square of a clip
CLIPPED = 0.001  # share of a clip's samples at full scale
MISSING = 0.01  # seconds that a header may promise too much


@dataclass(frozen=True)
class Finding:
    """Something that was found.

    Attributes:
        severity: "leak" lets a model know its test clips, "fault" makes clips or numbers wrong,
            "warning" is to be looked at
        what: in words
        ids: the clips, where it is of clips
    """

    severity: str
    what: str
    ids: tuple[str, ...] = ()


_Pairs = Sequence[tuple[Utterance, Measurement]]


def of_audio(pairs: _Pairs) -> Iterator[Finding]:
    """Audio that cannot be used, is not what the manifest says, or sounds wrong."""
    for fault, ids in _grouped((m.fault, u.id) for u, m in pairs if m.fault).items():
        yield Finding("fault", f"audio {fault}", tuple(ids))
    heard = [(u, m) for u, m in pairs if not m.fault]
    yield from _found(
        "fault",
        f"truncated clips: more than {MISSING:g} s promised by the file's header are not there",
        (u.id for u, m in heard if m.missing > MISSING),
    )
    yield from _found(
        "fault",
        "clips whose length is not the manifest's",
        (u.id for u, m in heard if abs(m.duration - u.duration) > MISSING),
    )
    yield from _found(
        "fault",
        "clips whose samples are not those of the manifest",
        (u.id for u, m in heard if u.extra.get("audio_hash") not in (None, "", m.audio_hash)),
    )
    yield from _of_recording(heard)


def _of_recording(heard: _Pairs) -> Iterator[Finding]:
    """Level, clipping and sample rates of clips that can be read."""
    yield from _found(
        "warning",
        f"near-silent clips (below {NEAR_SILENT:g} dB of full scale)",
        (u.id for u, m in heard if m.level < NEAR_SILENT),
    )
    yield from _found(
        "warning",
        f"clipped clips ({CLIPPED:.1%} or more of the samples at full scale)",
        (u.id for u, m in heard if m.clipped >= CLIPPED),
    )
    usual = Counter(m.sample_rate for _, m in heard).most_common(1)
    for rate, ids in _grouped((m.sample_rate, u.id) for u, m in heard).items():
        if rate != usual[0][0]:
            yield Finding("warning", f"clips at {rate} Hz, others {usual[0][0]} Hz", tuple(ids))


def of_twins(pairs: _Pairs) -> Iterator[Finding]:
    """Clips with the same samples, or with parts of them."""
    for twins in _grouped((m.audio_hash, u) for u, m in pairs if m.audio_hash).values():
        if len(twins) == 1:
            continue
        ids = tuple(sorted(u.id for u in twins))
        speakers, emotions = ({getattr(u, of) for u in twins} for of in ("speaker", "emotion"))
        differing = [
            f"{what} {', '.join(name or '(not known)' for name in sorted(names))}"
            for what, names in (("speakers", speakers), ("emotions", emotions))
            if len(names) > 1
        ]
        if differing:
            yield Finding("fault", f"same audio of {' and '.join(differing)}", ids)
        else:
            yield Finding("warning", "same audio under several ids", ids)
    overlapping = (u.id for both in overlaps((u, u.speaker) for u, _ in pairs) for u, _ in both)
    yield from _found(
        "warning", "parts of a file that overlap one of another speaker", dict.fromkeys(overlapping)
    )


def of_labels(info: CorpusInfo, utterances: Sequence[Utterance]) -> Iterator[Finding]:
    """Speakers and emotions that are not known, or spelt in two ways; affect beyond its scale."""
    yield from _found(
        "warning", "clips without a speaker", (u.id for u in utterances if not u.speaker)
    )
    others = [u for u in utterances if u.emotion not in {*EMOTIONS, ""}]
    names = listed(sorted({u.emotion for u in others}), "emotions")
    yield from _found(
        "warning", f"{names} that are none of emovec.labels.EMOTIONS", (u.id for u in others)
    )
    spellings = _grouped((_spelling(name), name) for name in {u.speaker for u in utterances})
    for alike in spellings.values():
        if len(alike) > 1:
            yield Finding("warning", f"speakers that may be one: {', '.join(sorted(alike))}")
    low, high = info.affect_scale or (float("-inf"), float("inf"))
    for axis in AFFECT_AXES:
        values = [(u.id, getattr(u, axis)) for u in utterances]
        known = [(id_, value) for id_, value in values if value is not None]
        if known and info.affect_scale is None:
            yield Finding("fault", f"{axis} is given, but corpus.json has no affect_scale")
        outside = (id_ for id_, value in known if not low <= value <= high)
        yield from _found("fault", f"{axis} outside of [{low:g}, {high:g}]", outside)


def of_corpus(info: CorpusInfo, utterances: Sequence[Utterance]) -> Iterator[Finding]:
    """Numbers that are not the published ones, and what was noted when the corpus was prepared."""
    if len(utterances) != info.utterances:
        yield Finding("fault", f"{len(utterances)} clips, but corpus.json says {info.utterances}")
    if info.published not in (None, len(utterances)):
        yield Finding(
            "warning", f"{len(utterances)} clips, {info.published} usable ones are published"
        )
    for reason, ids in _grouped((skip.reason, skip.id) for skip in info.skipped).items():
        yield Finding("warning", f"skipped when it was prepared: {reason}", tuple(ids))
    yield from (Finding("warning", f"when it was prepared: {text}") for text in info.warnings)


def _found(severity: str, what: str, ids: Iterable[str]) -> Iterator[Finding]:
    ids = tuple(ids)
    if ids:
        yield Finding(severity, what, ids)


def _spelling(speaker: str) -> str:
    """A name without what hands write in different ways: case, and zeros before a number."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", speaker.casefold())


def _grouped(pairs: Iterable[tuple]) -> dict:
    """Second members by their first, in the order in which they come."""
    groups = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return groups
