"""Scores of the clips of a corpus against each other, by one encoder or by several to compare.

Shapes: N clips, E numbers an embedding.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emovec.backends.pair_embeddings import Encoders, embed_clips, notes_on_tables
from emovec.backends.scoring import FittedScoring, Scoring
from emovec.corpora.pair_selection import PairSelection
from emovec.corpora.speakers import corpus_of
from emovec.encoders.extract import Extracted
from emovec.errors import HparamError, TrainingError
from emovec.metrics.pair_blocks import Processes
from emovec.metrics.pair_scores import PairScores
from emovec.tables.corpus import Skip
from emovec.tables.embeddings import EmbeddingError
from emovec.tables.leaks import listed
from emovec.tables.manifest import Utterance
from emovec.tables.trials import Trial

CENTRED_ZERO = "embedding is zero when centred"


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores of N clips, the same by each encoder.

    Attributes:
        utterances: the clips: those of the matrix, and others that only a list of trials names
        places: of the clips of the matrix among them
        scores: of each encoder
        seconds: by corpus, durations of the clips of the matrix, and of the training
        skipped: clips without an embedding that all encoders can score, and why
        warnings: what a reader of the results must know
    """

    utterances: list[Utterance]
    places: NDArray[np.intp]
    scores: list[PairScores]
    seconds: dict[str, list[float]]
    skipped: tuple[Skip, ...]
    warnings: tuple[str, ...]

    @property
    def tried(self) -> list[Utterance]:
        """The clips of the matrix."""
        return [self.utterances[place] for place in self.places]

    @property
    def tried_scores(self) -> list[PairScores]:
        """Scores of the clips of the matrix, by each encoder."""
        return [scores.take(self.places) for scores in self.scores]


def check_training(scoring: Scoring, training: Sequence[Utterance]) -> None:
    """Raise where there are too few training speakers for a scoring, before any clip is embedded.

    Args:
        scoring: how clips are to be scored
        training: clips to learn from

    Raises:
        HparamError: which option asks for more
    """
    speakers = len({u.speaker for u in training if u.speaker})
    if scoring.needs_training and not speakers:
        raise HparamError(
            f"{' and '.join(scoring.needs_training)} found, and no training speakers; expected "
            "some. Give training_corpora, or choose method cosine with whiten False and "
            "top_cohort null."
        )
    for name, value, most in (
        ("top_cohort", scoring.top_cohort, speakers),
        ("dimensions", scoring.dimensions, speakers - 1),
    ):
        if value is not None and value > most:
            raise HparamError(
                f"{name} is {value}, with {speakers} training speakers; expected at most {most}. "
                "Lower it, or add to training_corpora."
            )


def score_clips(
    encoders: Sequence[Encoders],
    clips: PairSelection,
    lists: Mapping[str, Sequence[Trial]],
    scoring: Scoring,
    processes: Processes,
    **options: Any,
) -> Scored:
    """Embed clips, and score those that all encoders can, pair by pair.

    Args:
        encoders: the first one, and any to compare with it
        clips: of the matrix, and of the training
        lists: of trials; their clips are scored as well
        scoring: how
        processes: that share the work; each gets all of it
        options: of ``emovec.encoders.sources.embed``

    Raises:
        EmbeddingError: if a table is of other clips, or nothing is left to score or learn from
        HparamError: if the scoring asks for more than the training has
        TrainingError: if the training has too little spread
    """
    matrix = {u.id for u in clips.utterances}
    named = {id_ for trials in lists.values() for t in trials for id_ in (t.enrolment, t.test)}
    wanted = [u for u in clips.prepared if u.id in matrix | named]
    embedded = [embed_clips(e, wanted, clips, processes, options) for e in encoders]
    skips = {skip.id: skip for of in embedded for skip in of.tested.skipped}
    fitted, utterances, lost = _fit(
        [_learnt(scoring, of.training, clips.training) or scoring for of in embedded],
        [of.tested for of in embedded],
        [u for u in wanted if u.id not in skips],
        matrix,
    )
    learnt = [of.training for of in embedded if of.training]
    return Scored(
        utterances,
        np.array([place for place, u in enumerate(utterances) if u.id in matrix], dtype=np.intp),
        [
            fit.scores(_vectors(of.tested, utterances))
            for fit, of in zip(fitted, embedded, strict=True)
        ],
        _seconds(clips, [u for u in utterances if u.id in matrix], learnt[:1]),
        (*skips.values(), *lost, *{skip.id: skip for of in learnt for skip in of.skipped}.values()),
        tuple(notes_on_tables(encoders, clips)),
    )


def _fit(
    scorings: Sequence[Scoring | FittedScoring],
    tested: Sequence[Extracted],
    utterances: list[Utterance],
    matrix: Collection[str],
) -> tuple[list[FittedScoring], list[Utterance], list[Skip]]:
    """Scoring of each encoder, the clips that all of them can score, and the others.

    Without training it learns from the clips of the matrix, and anew where it loses some.
    """
    lost: list[Skip] = []
    while True:
        tried = [u for u in utterances if u.id in matrix]
        if not tried:
            ids = listed([skip.id for skip in lost], "are equal to the mean of all")
            raise EmbeddingError(
                f"embeddings: no clip has one that can be scored{f' ({ids})' if lost else ''}; "
                "expected vectors that differ and are not zero. See what made them."
            )
        fitted = [
            of if isinstance(of, FittedScoring) else of.fit_moments(_vectors(made, tried))
            for of, made in zip(scorings, tested, strict=True)
        ]
        without = np.zeros(len(utterances), dtype=bool)
        for fit, made in zip(fitted, tested, strict=True):
            without |= fit.directionless(_vectors(made, utterances))
        if not without.any():
            return fitted, utterances, lost
        lost += [Skip(utterances[row].id, CENTRED_ZERO) for row in np.flatnonzero(without)]
        utterances = [u for u, out in zip(utterances, without, strict=True) if not out]


def _learnt(
    scoring: Scoring, training: Extracted | None, utterances: Sequence[Utterance]
) -> FittedScoring | None:
    """Scoring that has learnt from the training; None without one."""
    if training is None:
        return None
    speaker_of = {u.id: u.speaker for u in utterances}
    try:
        return scoring.fit((training.embeddings, [speaker_of[id_] for id_ in training.ids]))
    except ValueError as error:
        raise TrainingError(f"training_embeddings: {error}") from error


def _vectors(extracted: Extracted, utterances: Sequence[Utterance]) -> NDArray[np.float32]:
    """(N, E) embeddings of clips."""
    row_of = {id_: row for row, id_ in enumerate(extracted.ids)}
    return extracted.embeddings[[row_of[u.id] for u in utterances]]


def _seconds(
    clips: PairSelection, tried: Sequence[Utterance], training: Sequence[Extracted]
) -> dict[str, list[float]]:
    """Durations of the clips that have an embedding, by corpus."""
    seconds = {clips.info.name: [u.duration for u in tried]}
    known = {id_ for of in training for id_ in of.ids}
    for u in clips.training:
        if u.id in known:
            seconds.setdefault(f"{corpus_of(u)} (training)", []).append(u.duration)
    return seconds
