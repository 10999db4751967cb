"""Any corpus in our own form: a folder with manifest.csv and corpus.json, and audio below it.

Affect, its scale and its source are taken as they are. Where nobody rated affect, it can be derived
from emotion and intensity, as other readers do::

    emovec prepare manifest --data_folder=tree --corpus_options="{prototypes: true}"
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from emovec.corpora.base import Corpus, Labels
from emovec.corpora.options import FLAG, TEXT
from emovec.errors import CorpusError
from emovec.tables.corpus import read_corpus_info
from emovec.tables.manifest import Utterance, read_manifest

OPTIONS = {"release": TEXT, "prototypes": FLAG}


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
    """The corpus with the facts of its corpus.json.

    Raises:
        CorpusError: if they are not there, or affect is to be derived that the manifest has
    """
    facts = root / "corpus.json"
    info = read_corpus_info(facts)
    if corpus.prototypes and (info.affect_source or info.affect_scale):
        raise CorpusError(
            f"{facts}: affect_source is {info.affect_source}, affect_scale {info.affect_scale}; "
            "expected null for both where affect is derived. Leave out the option prototypes."
        )
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
