"""Further corpora to test a speaker encoder on; checks that a part of a run can be scored."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from emovec.corpora.speakers import SpeakerSelection, corpus_of, read_corpora
from emovec.errors import CorpusError, SplitError
from emovec.tables.corpus import Skip
from emovec.tables.leaks import shared_audio
from emovec.tables.manifest import Utterance


def read_tests(
    sources: Sequence[str],
    prepared_folder: Path,
    clips: SpeakerSelection,
    allow_partial: bool,
    allow_leak: bool,
) -> tuple[SpeakerSelection, dict[str, list[Utterance]]]:
    """Clips of known speakers of each corpus that is for tests only, by its name.

    Args:
        sources: as :func:`emovec.corpora.speakers.read_corpora` takes them; may be empty
        prepared_folder: for a folder of tables of each corpus
        clips: of the corpora that a run trains on, chooses by and tests on
        allow_partial: go on with incomplete copies
        allow_leak: go on if audio is trained on as well

    Returns:
        ``clips`` with what there is to say of the others: skipped, leaks and warnings; the others

    Raises:
        CorpusError: if a corpus cannot be read, or has the name of another
        SplitError: if audio is trained on, or chosen by, as well
    """
    prepared = read_corpora(sources, prepared_folder, allow_partial) if sources else []
    heard = [*clips.train, *clips.known, *clips.valid]
    names = {corpus_of(u) for u in [*heard, *clips.test]}
    both = [corpus.info.name for corpus in prepared if corpus.info.name in names]
    if both:
        raise CorpusError(
            f"test_corpora has {both}, of which names there are corpora to train on; expected "
            "others. Leave them out, or rename them in their corpus.json."
        )
    skipped, warnings, tests = [*clips.skipped], [*clips.warnings], {}
    for corpus in prepared:
        name = corpus.info.name
        tests[name] = [u for u in corpus.utterances if u.speaker]
        skipped += [Skip(f"{name}/{skip.id}", skip.reason) for skip in corpus.info.skipped]
        skipped += [Skip(u.id, "speaker is not known") for u in corpus.utterances if not u.speaker]
        warnings += [f"{name}: {text}" for text in corpus.info.warnings]
    members = [(u, "train or valid") for u in heard]
    members += [(u, "test") for utterances in tests.values() for u in utterances]
    leaks = shared_audio(members) if tests else []
    if leaks and not allow_leak:
        raise SplitError(
            f"test_corpora: {'; '.join(leaks)}; expected none of this. Choose another corpus, or "
            "pass --allow_leak, which marks every result."
        )
    said = replace(
        clips,
        skipped=tuple(skipped),
        warnings=tuple(warnings),
        leaks=(*clips.leaks, *(f"test_corpora: {leak}" for leak in leaks)),
    )
    return said, tests


def check_part(name: str, utterances: Sequence[Utterance], skipped: Sequence[Skip]) -> None:
    """Stop before a training whose clips to validate or test on are none, or one alone.

    Args:
        name: of the part
        utterances: its clips
        skipped: those that were left out

    Raises:
        SplitError: which says why the first were left out
    """
    if len(utterances) < 2:
        why = "; ".join(f"{skip.id} {skip.reason}" for skip in skipped[:5]) or "there are no others"
        raise SplitError(
            f"{name}: {len(utterances)} clips are left, {len(skipped)} left out ({why}); expected "
            "at least 2. Add a corpus, change held_out, or mend what left clips out."
        )


def check_trials(name: str, utterances: Sequence[Utterance]) -> None:
    """Stop before a training whose clips to validate on give no equal error rate.

    Args:
        name: of the part
        utterances: its clips

    Raises:
        SplitError: unless some corpus has two clips of a speaker, and some has two speakers
    """
    clips_of: dict[str, Counter[str]] = defaultdict(Counter)
    for utterance in utterances:
        clips_of[corpus_of(utterance)][utterance.speaker] += 1
    targets = any(max(clips.values()) > 1 for clips in clips_of.values())
    impostors = any(len(clips) > 1 for clips in clips_of.values())
    if not (targets and impostors):
        counts = {corpus: len(clips) for corpus, clips in clips_of.items()}
        raise SplitError(
            f"{name}: speakers of each corpus are {counts} with {len(utterances)} clips; expected "
            "two speakers of one corpus, and two clips of a speaker, for an equal error rate. "
            "Raise held_out, or add a corpus."
        )
