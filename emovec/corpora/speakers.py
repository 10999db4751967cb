"""Clips of several corpora for speaker training: whom to train on, to choose by and to test.

Speakers and clips of different corpora are kept apart by the corpus' name before theirs.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from emovec import corpora
from emovec.corpora.preparing import Prepared
from emovec.corpora.selection import by_split
from emovec.errors import CorpusError, HparamError, SplitError
from emovec.tables.corpus import CorpusInfo, Skip
from emovec.tables.manifest import Utterance
from emovec.tables.protocols import by_speaker
from emovec.tables.splits import (
    SPLITS,
    Assignment,
    check_splits,
    manifest_hash,
    split_line,
    write_splits,
)

PROTOCOL = "held-out-speakers"
KNOWN_SHARE = 0.05  # of the clips of training speakers, to validate the loss on [ours]


@dataclass(frozen=True)
class SpeakerSelection:
    """The clips of a run; paths are absolute.

    Attributes:
        info: facts of all corpora together
        train: clips to train on
        known: other clips of the same speakers, for the validation loss
        valid: clips of other speakers, for the validation EER
        test: clips of yet other speakers
        manifest_hash: of all ids and labels
        split_line: names the split
        leaks: what was found and allowed
        skipped: clips that are left out
        warnings: what a reader of the results must know
    """

    info: CorpusInfo
    train: list[Utterance]
    known: list[Utterance]
    valid: list[Utterance]
    test: list[Utterance]
    manifest_hash: str
    split_line: str
    leaks: tuple[str, ...]
    skipped: tuple[Skip, ...]
    warnings: tuple[str, ...]
    protocol: str = PROTOCOL
    shares_speakers: bool = False


def select_speakers(
    sources: Sequence[str],
    prepared_folder: Path,
    *,
    held_out: float,
    validation: float | None = None,
    seed: int,
    allow_partial: bool,
    allow_leak: bool,
) -> SpeakerSelection:
    """Prepare corpora and hold out speakers of each.

    Speakers with one clip are trained on: they have no target trial.

    Args:
        sources: as :func:`read_corpora` takes them
        prepared_folder: for a folder of tables of each corpus, and splits/
        held_out: share of each corpus' speakers to test on
        validation: share of them to validate on; None: as many
        seed: of the draws
        allow_partial: go on with incomplete copies
        allow_leak: go on if the same audio is in two splits

    Raises:
        CorpusError: if a corpus cannot be read, or two have one name
        HparamError: if a share is not above 0, or both together are not below 1
        SplitError: if nobody is left to train, to validate or to test on, or audio leaks
    """
    validation = held_out if validation is None else validation
    _check_shares(held_out, validation)
    prepared = read_corpora(sources, prepared_folder, allow_partial)
    info, every = together(prepared), [u for corpus in prepared for u in corpus.utterances]
    utterances = [u for u in every if u.speaker]
    assignments = [
        row
        for corpus in prepared
        for row in hold_out(of_corpus(corpus.info.name, utterances), held_out, validation, seed)
    ]
    known = _known(utterances, assignments, seed)
    check = check_splits(utterances, assignments, allow_leak=allow_leak, needed=SPLITS)
    write_splits(prepared_folder / "splits" / f"{PROTOCOL}.csv", assignments)
    parts = by_split([u for u in utterances if u.id not in known], assignments)
    without = sorted(u.id for u in every if not u.speaker)
    return SpeakerSelection(
        info,
        train=parts["train"],
        valid=parts["valid"],
        test=parts["test"],
        known=[u for u in utterances if u.id in known],
        manifest_hash=manifest_hash(utterances),
        split_line=split_line(info.name, PROTOCOL, utterances, assignments),
        leaks=check.leaks,
        skipped=(*info.skipped, *(Skip(id_, "speaker is not known") for id_ in without)),
        warnings=(*info.warnings, *_of_one_clip(utterances), *check.warnings),
    )


def _check_shares(test: float, validation: float) -> None:
    if min(test, validation) <= 0 or test + validation >= 1:
        raise HparamError(
            f"held_out is {test} to test on, and {validation} to validate on; expected shares "
            "above 0 that are below 1 together. Change them."
        )


def _of_one_clip(utterances: Iterable[Utterance]) -> list[str]:
    """What there is to say of speakers who have one clip."""
    single = list(Counter(u.speaker for u in utterances).values()).count(1)
    return [f"{single} speakers have one clip; they are trained on only"] if single else []


def read_corpora(
    sources: Sequence[str], prepared_folder: Path, allow_partial: bool
) -> list[Prepared]:
    """Prepared corpora, whose ids and speakers begin with the corpus' name; paths are absolute.

    Args:
        sources: ``FOLDER`` of a corpus in our own form, ``NAME=FOLDER`` of one as published, or
            ``demo``
        prepared_folder: for a folder of tables of each
        allow_partial: go on with incomplete copies

    Raises:
        CorpusError: if there is none, one cannot be read, or two have one name
    """
    if not sources:
        raise CorpusError("corpora is empty; expected FOLDER, NAME=FOLDER or demo. Name some.")
    found: dict[str, Prepared] = {}
    named = [name_and_folder(source) for source in sources]
    for source, (name, folder) in zip(sources, named, strict=True):
        tables = prepared_folder / _tables(name, folder, [other for _, other in named])
        prepared = corpora.prepare(corpora.get(name), folder, tables, allow_partial=allow_partial)
        if "/" in prepared.info.name:
            raise CorpusError(
                f"{source}: its name is {prepared.info.name}; expected none with a slash, which "
                "ends the name in an id. Rename it in its corpus.json."
            )
        if prepared.info.name in found:
            raise CorpusError(
                f"{source}: a second corpus of the name {prepared.info.name}; expected one of "
                "each. Rename it in its corpus.json."
            )
        found[prepared.info.name] = replace(
            prepared,
            utterances=with_name(prepared.info.name, prepared.root, prepared.utterances),
        )
    return list(found.values())


def corpus_and_gender(utterance: Utterance) -> str:
    """Group within which a trial compares voices, not recordings or genders; "" if not known."""
    return f"{corpus_of(utterance)} {utterance.gender}" if utterance.gender else ""


def corpus_of(clip: Utterance | Assignment) -> str:
    """Name of the corpus that a clip of :func:`read_corpora` is of."""
    return clip.id.partition("/")[0]


def of_corpus(corpus: str, utterances: Iterable[Utterance]) -> list[Utterance]:
    """Those utterances of :func:`read_corpora` that are of one corpus."""
    return [u for u in utterances if corpus_of(u) == corpus]


def name_and_folder(source: str) -> tuple[str, Path | None]:
    """Name of the corpus' reader, and its folder, if it is not made.

    >>> name_and_folder("voxceleb1=/data/VoxCeleb1"), name_and_folder("demo")
    (('voxceleb1', PosixPath('/data/VoxCeleb1')), ('demo', None))
    """
    name, equals, folder = source.partition("=")
    if not equals:
        return ("demo", None) if source == "demo" else ("manifest", Path(source))
    return name, Path(folder) if folder else None


def _tables(name: str, folder: Path | None, folders: Sequence[Path | None]) -> str:
    """Folder for the tables of a corpus; none is shared by folders that are named alike."""
    if folder is None:
        return name
    whole = os.path.abspath(folder)  # ".." is no name
    others = {os.path.abspath(other) for other in folders if other} - {whole}
    last = os.path.basename(whole) or name
    if last not in map(os.path.basename, others):
        return last
    return f"{last}-{hashlib.blake2b(whole.encode(), digest_size=4).hexdigest()}"


def with_name(corpus: str, root: Path, utterances: Iterable[Utterance]) -> list[Utterance]:
    """Clips whose ids, speakers and sessions begin with the corpus' name; paths are absolute.

    Args:
        corpus: its name
        root: folder that the paths are relative to
        utterances: rows of its manifest
    """
    folder = root.resolve()
    return [
        replace(
            u,
            id=f"{corpus}/{u.id}",
            path=os.path.join(folder, u.path),
            speaker=u.speaker and f"{corpus}/{u.speaker}",
            session=u.session and f"{corpus}/{u.session}",
        )
        for u in utterances
    ]


def hold_out(
    utterances: Sequence[Utterance], test: float, validation: float, seed: int
) -> list[Assignment]:
    """Splits of one corpus by shares; one of too few speakers is trained on as a whole."""
    clips = Counter(u.speaker for u in utterances)
    several = [u for u in utterances if clips[u.speaker] > 1]
    if len({u.speaker for u in several}) < 3:
        return [Assignment(u.id, 0, "train") for u in utterances]
    single = [Assignment(u.id, 0, "train") for u in utterances if clips[u.speaker] == 1]
    return single + by_speaker(several, seed, 1 - test - validation, validation, test)


def _known(
    utterances: Sequence[Utterance], assignments: Iterable[Assignment], seed: int
) -> set[str]:
    """Ids of training clips that are kept back; no speaker loses the last one."""
    training = {row.id for row in assignments if row.split == "train"}
    left = Counter(u.speaker for u in utterances if u.id in training)
    speaker_of = {u.id: u.speaker for u in utterances}
    kept_back: set[str] = set()
    for id_ in np.random.default_rng(seed).permutation(sorted(training)).tolist():
        if len(kept_back) >= KNOWN_SHARE * len(training):
            break
        if left[speaker_of[id_]] > 1:
            left[speaker_of[id_]] -= 1
            kept_back.add(id_)
    if not kept_back:
        raise SplitError(
            f"{len(left)} training speakers have {len(training)} clips; expected one with several, "
            "to validate the loss on. Add a corpus."
        )
    return kept_back


def together(prepared: Sequence[Prepared]) -> CorpusInfo:
    """Facts of all corpora as those of one."""
    infos = [corpus.info for corpus in prepared]

    def joined(field: str) -> str:
        return "; ".join(dict.fromkeys(filter(None, (getattr(info, field) for info in infos))))

    return CorpusInfo(
        name="+".join(info.name for info in infos),
        utterances=sum(info.utterances for info in infos),
        speakers=sum(info.speakers for info in infos),
        language=joined("language"),
        licence=joined("licence"),
        citation=joined("citation"),
        skipped=tuple(Skip(f"{i.name}/{s.id}", s.reason) for i in infos for s in i.skipped),
        warnings=tuple(f"{info.name}: {text}" for info in infos for text in info.warnings),
    )
