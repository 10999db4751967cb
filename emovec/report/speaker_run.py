"""Everything that a finished speaker training writes: result, figures, model folder."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emovec.corpora.speakers import SpeakerSelection, corpus_and_gender, corpus_of
from emovec.encoders.base import Encoder
from emovec.encoders.deeptalk import DeepTalk
from emovec.encoders.store import save_model
from emovec.metrics.intervals import Interval
from emovec.metrics.pair_cells import Cell
from emovec.metrics.pairs import all_pairs
from emovec.report import figures, kept_vectors
from emovec.report.card import model_card
from emovec.report.facts import selection_facts
from emovec.report.filter_figures import write_filter_figure
from emovec.tables import embedding_files
from emovec.tables.embeddings import Embeddings
from emovec.tables.manifest import Utterance
from emovec.tables.results import Metric, Result, write_result

logger = logging.getLogger(__name__)

DESCRIPTION = (
    "Embeddings of speakers: clips of one voice have a high cosine, those of two a low one. "
    "Trained to tell apart the speakers of the corpora below."
)
USAGE = (
    'import emovec\n\nencoder = emovec.load("this/folder")\n'
    'encoder.embed("a.wav")  # (E,); a list of files: (N, E)\n'
    'emovec.similarity("a.wav", "b.wav", model=encoder)'
)
# Trials are within a corpus: two corpora are told apart by their recordings.
PAIRS: dict[str, Callable[[Utterance], str]] = {
    "pooled": corpus_of,
    "same_gender": corpus_and_gender,
}


@dataclass(frozen=True)
class Embedded:
    """Clips of speakers that training has not heard.

    Attributes:
        prefix: of the metrics' names
        utterances: N clips
        embeddings: (N, E)
    """

    prefix: str
    utterances: Sequence[Utterance]
    embeddings: NDArray[np.float32]


def by_corpus(embedded: Embedded) -> list[Embedded]:
    """Clips of each corpus, whose name the prefix ends in; none if there is just one."""
    names = np.array([corpus_of(u) for u in embedded.utterances])
    several = np.unique(names) if len(set(names)) > 1 else []
    return [
        Embedded(
            f"{embedded.prefix}{name}/",
            [u for u, of in zip(embedded.utterances, names, strict=True) if of == name],
            embedded.embeddings[names == name],
        )
        for name in several
    ]


def verification_metrics(embedded: Embedded, seed: int) -> tuple[list[Metric], list[str]]:
    """EER and minimum detection cost of all pairs, within a corpus and also within a gender.

    Clips of unknown gender are in no pair within a gender.

    Args:
        embedded: clips of several speakers
        seed: of the intervals

    Returns:
        metrics, and warnings where there are none
    """
    metrics, warnings = [], []
    for name, group in PAIRS.items():
        groups = np.array([group(u) for u in embedded.utterances])
        clips = np.flatnonzero(groups != "")
        if len(clips) < 2:
            warnings.append(f"{embedded.prefix}eer/{name}: {len(clips)} clips; no EER")
            continue
        speakers = np.array([embedded.utterances[clip].speaker for clip in clips.tolist()])
        if not _are_of_both_kinds(speakers, groups[clips]):
            warnings.append(f"{embedded.prefix}eer/{name}: pairs are all of one kind; no EER")
        else:
            pairs = all_pairs(embedded.embeddings[clips], speakers, groups[clips], seed=seed)
            if pairs.doubt:
                warnings.append(f"{embedded.prefix}eer/{name}: not to be trusted, {pairs.doubt}")
            metrics += [
                Metric(f"{embedded.prefix}{metric}", value, len(clips), pairs.speakers, interval)
                for metric, (value, interval) in _values(name, pairs).items()
            ]
    return metrics, warnings


def _are_of_both_kinds(speakers: NDArray[np.str_], groups: NDArray[np.str_]) -> bool:
    """Whether some group has two clips of a speaker, and some has two speakers."""
    voices, clips = np.unique(np.stack([groups, speakers]), axis=1, return_counts=True)
    return bool((clips > 1).any()) and len(np.unique(voices[0])) < voices.shape[1]


def _values(name: str, pairs: Cell) -> dict[str, tuple[float, Interval | None]]:
    """Values and intervals by name."""
    return {
        f"eer/{name}": (pairs.eer, pairs.interval),
        f"min_dcf/{name}": (pairs.min_dcf_01, None),
        f"targets/{name}": (float(pairs.targets), None),
        f"impostors/{name}": (float(pairs.impostors), None),
    }


def vectors_of_tests(tested: Sequence[Embedded], seed: int) -> Embeddings:
    """Embeddings of some clips of all tests, for a map."""
    utterances = [u for embedded in tested for u in embedded.utterances]
    vectors = np.concatenate([embedded.embeddings for embedded in tested])
    return kept_vectors.keep_some(utterances, vectors, seed)


def write_speaker_run(
    encoder: Encoder,
    tested: Sequence[Embedded],
    history: Sequence[Mapping[str, float]],
    data: SpeakerSelection,
    folder: Path,
    *,
    command: Sequence[str],
    hparams: Mapping[str, Any],
    started: datetime,
    device: str,
) -> Result:
    """Write all that a run leaves, the result last: it marks a run as complete.

    Args:
        encoder: the best epoch's
        tested: clips of held-out speakers
        history: one row an epoch
        data: the clips
        folder: of the run
        command: line that started it
        hparams: all of them, plain
        started: with its time zone
        device: what the model ran on
    """
    parts = [part for embedded in tested for part in (embedded, *by_corpus(embedded))]
    measured = [verification_metrics(part, hparams["seed"]) for part in parts]
    metrics = [metric for found, _ in measured for metric in found]
    warnings = [warning for _, found in measured for warning in found]
    facts = selection_facts(
        data, command=command, hparams=hparams, started=started, device=device, with_affect=False
    )
    result = Result(facts, tuple(metrics), data.skipped, (*data.warnings, *warnings))
    figures.save_figure(figures.learning_curves(history), folder / "figures/learning_curves.png")
    if isinstance(encoder, DeepTalk):
        write_filter_figure(encoder.filterbank, encoder.sample_rate, folder / "figures")
    embedding_files.write(vectors_of_tests(tested, hparams["seed"]), folder / kept_vectors.FILE)
    card = model_card(hparams["name"], DESCRIPTION, data.info, result, USAGE)
    save_model(folder / "model", encoder, card)
    write_result(folder / "result.json", result)
    for metric in metrics:
        if "eer/" in metric.metric:
            low, high = metric.interval or (metric.value, metric.value)
            said = f"{metric.value:.2%} [{low:.2%}, {high:.2%}], {metric.speakers} speakers"
            logger.info("%s: %s", metric.metric, said)
    logger.info("written to %s: result.json, figures/, model/", folder)
    return result
