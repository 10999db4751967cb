"""What emotion does to speaker verification: the EER of every pair of emotions.

    python recipes/verification/eer_matrix.py hparams/verification.yaml
    python recipes/verification/eer_matrix.py hparams/verification.yaml --corpus=ravdess \
        --data_folder=/data/RAVDESS --embeddings=[runs/speaker/xvector/1/model]
    torchrun --nproc_per_node=4 recipes/verification/eer_matrix.py hparams/verification.yaml ...

Reads   a corpus as published (layouts: emovec/corpora/*.py); with corpus=demo it makes one
Writes  <run_folder>/hparams.yaml, eer_matrix.csv, summary.txt, figures/, result.json
"""

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from speechbrain.utils.distributed import if_main_process, run_on_main

from emovec import experiment
from emovec.backends.scoring import Scoring
from emovec.backends.trial_lists import read_lists, score_lists
from emovec.corpora.pair_selection import PairSelection, select_all, with_training
from emovec.encoders.extract import Extracted
from emovec.encoders.sources import Source, embed_in_processes, open_sources, unused_rows
from emovec.errors import HparamError
from emovec.metrics.pair_blocks import Processes
from emovec.metrics.pair_cells import PairMatrix
from emovec.metrics.pair_scores import PairScores
from emovec.metrics.pairing import pair_up
from emovec.metrics.pairs import pair_matrix
from emovec.report.facts import selection_facts
from emovec.report.pair_run import PairRun, write_pair_run
from emovec.tables.manifest import Utterance
from emovec.tables.trials import write_pairs

SAME_TEXT = {"any": None, "same": True, "different": False}


@dataclass(frozen=True)
class Hparams:
    """The keys of an hparams file for this recipe; hparams/verification.yaml explains them."""

    seed: int
    name: str
    run_folder: str
    corpus: str
    corpus_options: dict[str, Any]
    data_folder: str | None
    prepared_folder: str
    emotions: list[str] | None
    drop_emotions: list[str]
    allow_partial: bool
    allow_leak: bool
    embeddings: list[str]
    compare_with: list[str]
    max_seconds: float | None
    batch_seconds: float
    workers: int
    same_gender: bool
    texts: str
    reference: str
    trials: list[str]
    write_trials: bool
    training_corpora: list[str]
    method: str
    centre: bool
    standardise: bool
    dimensions: int | None
    whiten: bool
    top_cohort: int | None
    scoring: Scoring
    draws: int
    intervals: str


def main(argv: list[str]) -> None:
    """Embed all clips, score all pairs, measure each pair of emotions."""
    started = datetime.now(timezone.utc)
    run = experiment.start(Hparams, argv)
    hparams = run.hparams
    if hparams.texts not in SAME_TEXT:
        raise HparamError(f"texts is '{hparams.texts}'; expected one of {list(SAME_TEXT)}.")
    encoders = [
        open_sources(names) for names in (hparams.embeddings, hparams.compare_with) if names
    ]
    run_on_main(read_clips, [hparams])  # one process prepares, the others find it done
    clips = read_clips(hparams)
    lists, said = read_lists(hparams.trials, clips.utterances)
    run.begin()
    embedded = [embed_clips(hparams, e, clips, run.device, run.processes) for e in encoders]
    said += [note for e in encoders for note in unused_rows(e, clips.utterances)]
    missing = {skip.id: skip for tested, _ in embedded for skip in tested.skipped}
    tried = [u for u in clips.utterances if u.id not in missing]
    scores = [scores_of(hparams.scoring, tried, *of_one, clips.training) for of_one in embedded]
    matrices = [matrix_of(hparams, of_one, tried, run.processes) for of_one in scores]
    if not if_main_process():
        return
    if hparams.write_trials:
        pairing = pair_up(scores[0], *labels(hparams, tried), hparams.seed)
        write_pairs(run.folder / "trials.csv", ((tried[a], tried[b]) for a, b in pairing.trials()))
    facts = selection_facts(
        clips,
        command=["recipes/verification/eer_matrix.py", *argv],
        hparams=run.plain,
        started=started,
        device=run.device,
        with_affect=False,
    )
    listed, unscored = score_lists(lists, scores[0], tried, hparams.draws, hparams.seed)
    write_pair_run(
        PairRun(
            matrices[0],
            hparams.scoring.describe,
            {clips.info.name: [u.duration for u in clips.utterances]},
            (*clips.skipped, *missing.values()),
            (*clips.warnings, *said, *unscored),
            *matrices[1:],
            other_name="+".join(hparams.compare_with),
            lists=tuple(listed),
        ),
        facts,
        run.folder,
    )


def read_clips(hparams: Hparams) -> PairSelection:
    """Clips to try, and those of other corpora to learn the scoring from."""
    folder = Path(hparams.prepared_folder)
    clips = select_all(
        hparams.corpus,
        hparams.corpus_options,
        hparams.data_folder,
        folder,
        emotions=hparams.emotions,
        drop_emotions=hparams.drop_emotions,
        allow_partial=hparams.allow_partial,
    )
    return with_training(
        clips,
        hparams.training_corpora,
        folder / "training",
        allow_partial=hparams.allow_partial,
        allow_leak=hparams.allow_leak,
    )


def embed_clips(
    hparams: Hparams,
    encoder: list[Source],
    clips: PairSelection,
    device: str,
    processes: Processes,
) -> tuple[Extracted, Extracted | None]:
    """Embeddings of the clips to try, and of those to learn from, if there are any."""
    tested, training = (
        embed_in_processes(
            encoder,
            utterances,
            root,
            processes,
            max_seconds=hparams.max_seconds,
            batch_seconds=hparams.batch_seconds,
            workers=hparams.workers,
            device=device,
        )
        if utterances
        else None
        for utterances, root in ((clips.utterances, clips.root), (clips.training, Path("/")))
    )
    return tested, training


def scores_of(
    scoring: Scoring,
    tried: list[Utterance],
    tested: Extracted,
    learnt: Extracted | None,
    training: list[Utterance],
) -> PairScores:
    """Scores of all pairs of the clips that are tried."""
    row_of = {id_: row for row, id_ in enumerate(tested.ids)}
    embeddings = tested.embeddings[[row_of[u.id] for u in tried]]
    if learnt is None:
        return scoring.scores(embeddings)
    speaker_of = {u.id: u.speaker for u in training}
    return scoring.scores(embeddings, (learnt.embeddings, [speaker_of[id_] for id_ in learnt.ids]))


def labels(hparams: Hparams, tried: list[Utterance]) -> tuple[Any, ...]:
    """Speakers, emotions, genders, texts, and whether texts are the same, as pairing takes them."""
    texts = SAME_TEXT[hparams.texts]
    speakers, emotions, genders, said = (
        np.array([getattr(u, name) for u in tried], dtype=str)
        for name in ("speaker", "emotion", "gender", "text")
    )
    return speakers, emotions, genders if hparams.same_gender else None, said, texts


def matrix_of(
    hparams: Hparams, scores: PairScores, tried: list[Utterance], processes: Processes
) -> PairMatrix:
    """The matrix of one encoder."""
    *known, same_text = labels(hparams, tried)
    return pair_matrix(
        scores,
        *known,
        same_text=same_text,
        reference=hparams.reference,
        draws=hparams.draws,
        method=hparams.intervals,
        seed=hparams.seed,
        processes=processes,
    )


if __name__ == "__main__":
    experiment.run(main)
