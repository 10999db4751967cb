"""From the files of a corpus to its utterances: label, count, measure, say what is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from emovec.corpora.base import Corpus, Labels
from emovec.corpora.measurements import Measurement, Stretch
from emovec.corpora.measuring import measure_all
from emovec.errors import CorpusError, ManifestError
from emovec.labels import affect_prototype
from emovec.tables.corpus import CorpusInfo, Skip
from emovec.tables.manifest import Utterance

PROTOTYPE_SCALE = (-1.0, 1.0)
Stamps = dict[str, tuple[int, int]]  # size and time of change of files
_LISTED = 10  # clips in a message


@dataclass(frozen=True, slots=True)
class _Clip:
    path: str
    labels: Labels
    fault: str = ""  # of its labels


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
    clips = _label_all(corpus, root, files)
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


def _label_all(corpus: Corpus, root: Path, files: Stamps) -> list[_Clip]:
    """Labelled clips, sorted by path; ids are unique."""
    sources: list[tuple[str, Any]] = [(path, PurePath(path)) for path in files]
    if corpus.rows:
        sources = sorted(corpus.rows(root), key=lambda row: row[0])
    genders = corpus.genders(root) if corpus.genders else {}
    clips = [_labelled(corpus, path, source, genders) for path, source in sources]
    path_of: dict[str, str] = {}
    for clip in clips:
        if clip.labels.id in path_of:
            raise ManifestError(
                f"{corpus.name}: {path_of[clip.labels.id]} and {clip.path} both have the id "
                f"'{clip.labels.id}'; expected one clip for each. Remove or rename one."
            )
        path_of[clip.labels.id] = clip.path
    return clips


def _labelled(corpus: Corpus, path: str, source: Any, genders: Mapping[str, str]) -> _Clip:
    """A clip with its labels and what the base adds to them, or with what is wrong with them."""
    try:
        labels = corpus.label(source)
        _check_numbers(corpus, labels)
    except (KeyError, ValueError) as error:
        said = f"{error} is no known code" if isinstance(error, KeyError) else error
        id_ = PurePath(path).with_suffix("").as_posix()  # base names may occur again
        return _Clip(path, Labels(id=id_), f"{said}; expected labels as published")
    affect = labels.affect
    if corpus.prototypes:
        affect = affect_prototype(labels.emotion, labels.intensity) or (None, None, None)
    labels = replace(
        labels,
        id=labels.id or PurePath(path).stem,
        gender=labels.gender or genders.get(labels.speaker, ""),
        affect=affect,
    )
    return _Clip(path, labels)


def _check_numbers(corpus: Corpus, labels: Labels) -> None:
    if labels.intensity is not None and not 0 < labels.intensity <= 1:
        raise ValueError(f"intensity is {labels.intensity}; expected above 0, at most 1")
    if labels.affect == (None, None, None):
        return
    if corpus.affect_scale is None:
        raise ValueError("affect is given, but no affect_scale; expected lowest and highest value")
    low, high = corpus.affect_scale
    if not all(value is None or low <= value <= high for value in labels.affect):
        raise ValueError(f"affect is {labels.affect}; expected values in [{low}, {high}]")


def _count(
    corpus: Corpus,
    root: Path,
    clips: list[_Clip],
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
    fixed = PurePath(corpus.audio).parts[:-1]
    folder = root.joinpath(*[part for part in fixed if not set("*?[") & set(part)])
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


def _unlisted(corpus: Corpus, files: Stamps, clips: list[_Clip]) -> list[str]:
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


def _utterance(clip: _Clip, measured: Measurement) -> Utterance:
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
    )
