"""From the files of a corpus to its utterances: label, count, measure, say what is wrong."""

from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path, PurePath

from emovec.corpora.base import Corpus
from emovec.corpora.labelling import Clip, Stamps, label_all
from emovec.corpora.measurements import Measurement, Stretch
from emovec.corpora.measuring import measure_all
from emovec.errors import CorpusError
from emovec.tables.corpus import CorpusInfo, Skip
from emovec.tables.manifest import Utterance

PROTOTYPE_SCALE = (-1.0, 1.0)
_LISTED = 10  # clips in a message


def read(
    corpus: Corpus,
    root: Path,
    files: Stamps,
    cache: Path,
    allow_partial: bool,
    progress: bool,
    workers: int | None,
) -> tuple[list[Utterance], CorpusInfo]:
    """Utterances and facts of a corpus, from its files.

    Args:
        corpus: how it looks
        root: its folder
        files: audio files, by path below it
        cache: table of what was measured before
        allow_partial: leave out clips that are missing or cannot be used, and list them
        progress: show a bar, if there is a terminal to show it on
        workers: threads; None: one for each core

    Raises:
        CorpusError: if clips are missing, or their labels or audio cannot be used
        ManifestError: if two clips have the same id
    """
    clips = label_all(corpus, root, files)
    faults = {clip.labels.id: f"{clip.path}: {clip.fault}" for clip in clips if clip.fault}
    _check_faults(corpus, faults, len(clips), allow_partial)
    missing = {
        clip.labels.id: f"{clip.path}: not found"
        for clip in clips
        if clip.path not in files and not (root / clip.path).is_file()
    }
    warnings = _count(corpus, root, clips, missing, allow_partial)
    warnings += _unlisted(corpus, files, clips)
    skips = missing | {
        clip.labels.id: corpus.known_bad[clip.labels.id]
        for clip in clips
        if clip.labels.id in corpus.known_bad
    }
    clips = [clip for clip in clips if clip.labels.id not in skips]
    labelled = [clip for clip in clips if not clip.fault]
    stretches = [Stretch(c.path, c.labels.start, c.labels.stop) for c in labelled]
    measured = measure_all(root, stretches, corpus.name, progress, workers, cache)
    pairs = list(zip(labelled, measured, strict=True))
    faults |= {c.labels.id: f"{c.path}: {m.fault}" for c, m in pairs if m.fault}
    _check_faults(corpus, faults, len(clips), allow_partial)
    utterances = [_utterance(clip, found) for clip, found in pairs if not found.fault]
    return utterances, _facts(corpus, utterances, skips | faults, warnings)


def _count(
    corpus: Corpus,
    root: Path,
    clips: list[Clip],
    missing: Mapping[str, str],
    allow_partial: bool,
) -> list[str]:
    """Warnings where numbers are not the published ones; too few are an error.

    Raises:
        CorpusError: if there is nothing, or too little and ``allow_partial`` is not set
    """
    found = [clip.labels for clip in clips if clip.labels.id not in missing]
    good = sum(labels.id not in corpus.known_bad for labels in found)
    speakers = len({labels.speaker for labels in found if labels.speaker})
    published = len(clips) if corpus.utterances is None else corpus.utterances
    fixed = takewhile(lambda part: not set("*?[") & set(part), PurePath(corpus.audio).parts[:-1])
    folder = root.joinpath(*fixed)
    few = ""
    if not found or good < published - len(corpus.known_bad):
        few = f"{len(found)} of {published} clips found under {folder}"
    elif speakers < (corpus.speakers or 0):
        few = f"{speakers} of {corpus.speakers} speakers found under {folder}"
    if not found:
        advice = _conversion(corpus, root) or "Mend --data_folder."
        raise CorpusError(f"{corpus.name}: {few}; expected {corpus.audio}. {advice}")
    if few and not allow_partial:
        raise CorpusError(
            f"{corpus.name}: {few}; is the copy complete? Pass --allow_partial to go on."
        )
    warnings = [few] if few else []
    if len(found) > published:
        warnings.append(f"{len(found)} clips found, {published} are published")
    if corpus.speakers is not None and speakers > corpus.speakers:
        warnings.append(f"{speakers} speakers found, {corpus.speakers} are published")
    return warnings


def _conversion(corpus: Corpus, root: Path) -> str:
    """How to convert audio that is there but cannot be read."""
    for suffix, advice in corpus.conversions.items():
        if any(root.rglob(f"*{suffix}")):
            return f"There are {suffix} files: {advice}"
    return ""


def _unlisted(corpus: Corpus, files: Stamps, clips: list[Clip]) -> list[str]:
    listed = {clip.path for clip in clips}
    others = [path for path in files if path not in listed]
    return [f"{len(others)} audio files have no labels, first {others[0]}"] if others else []


def _check_faults(
    corpus: Corpus, faults: Mapping[str, str], clips: int, allow_partial: bool
) -> None:
    if not faults or (allow_partial and len(faults) < clips):
        return
    listed = "\n  ".join(list(faults.values())[:_LISTED])
    more = f"\n  and {len(faults) - _LISTED} more" if len(faults) > _LISTED else ""
    raise CorpusError(
        f"{corpus.name}: {len(faults)} of {clips} clips cannot be used; expected none.\n"
        f"  {listed}{more}\nMend them, or pass --allow_partial to leave them out."
    )


def _utterance(clip: Clip, measured: Measurement) -> Utterance:
    labels = clip.labels
    valence, arousal, dominance = labels.affect
    return Utterance(
        id=labels.id,
        path=clip.path,
        start=labels.start,
        stop=labels.stop,
        duration=measured.duration,
        speaker=labels.speaker,
        gender=labels.gender,
        session=labels.session,
        text=labels.text,
        emotion=labels.emotion,
        intensity=labels.intensity,
        valence=valence,
        arousal=arousal,
        dominance=dominance,
        extra={**labels.extra, "audio_hash": measured.audio_hash},
    )


def _usable(corpus: Corpus) -> int | None:
    """Clips that were published and can be used, where their number is known."""
    return None if corpus.utterances is None else corpus.utterances - len(corpus.known_bad)


def _facts(
    corpus: Corpus, utterances: list[Utterance], skips: Mapping[str, str], warnings: list[str]
) -> CorpusInfo:
    left_out = tuple(Skip(id_, reason) for id_, reason in sorted(skips.items()))
    return CorpusInfo(
        name=corpus.name,
        utterances=len(utterances),
        speakers=len({u.speaker for u in utterances if u.speaker}),
        release=corpus.release,
        language=corpus.language,
        licence=corpus.licence,
        citation=corpus.citation,
        affect_scale=PROTOTYPE_SCALE if corpus.prototypes else corpus.affect_scale,
        affect_source="prototype" if corpus.prototypes else corpus.affect_source,
        skipped=(*corpus.skipped, *left_out),
        warnings=(*corpus.warnings, *warnings),
        published=_usable(corpus),
    )
