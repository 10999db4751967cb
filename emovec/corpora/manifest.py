"""Any corpus in our own form: a folder with manifest.csv and corpus.json, and audio below it.

Affect, its scale and its source are taken as they are; nothing is derived.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from emovec.corpora.base import Corpus, Labels
from emovec.tables.corpus import read_corpus_info
from emovec.tables.manifest import Utterance, read_manifest


def rows(root: Path) -> Iterator[tuple[str, Utterance]]:
    """Path and row of each clip."""
    for utterance in read_manifest(root / "manifest.csv"):
        yield utterance.path, utterance


def label(row: Utterance) -> Labels:
    """Labels in a row of the manifest."""
    return Labels(
        speaker=row.speaker,
        emotion=row.emotion,
        intensity=row.intensity,
        gender=row.gender,
        session=row.session,
        text=row.text,
        affect=(row.valence, row.arousal, row.dominance),
        id=row.id,
        start=row.start,
        stop=row.stop,
        extra=row.extra,
    )


def with_facts(corpus: Corpus, root: Path) -> Corpus:
    """The corpus with the facts of its corpus.json."""
    info = read_corpus_info(root / "corpus.json")
    return replace(
        corpus,
        name=info.name,
        utterances=info.utterances,
        speakers=info.speakers,
        affect_scale=info.affect_scale,
        affect_source=info.affect_source,
        release=corpus.release or info.release,
        language=info.language,
        licence=info.licence,
        citation=info.citation,
        skipped=info.skipped,
        warnings=info.warnings,
    )


CORPUS = Corpus(
    name="manifest",
    audio="**/*",
    utterances=None,
    speakers=None,
    label=label,
    rows=rows,
    tables=("manifest.csv", "corpus.json"),
    prototypes=False,
    open=with_facts,
)
