"""What emotion does to speaker verification: the EER of every pair of emotions.

    python recipes/verification/eer_matrix.py hparams/verification.yaml
    python recipes/verification/eer_matrix.py hparams/verification.yaml --corpus=ravdess \
        --data_folder=/data/RAVDESS --embeddings=[runs/speaker/xvector/1/model]
    torchrun --nproc_per_node=4 recipes/verification/eer_matrix.py hparams/verification.yaml ...

Reads   a corpus as published (layouts: emovec/corpora/*.py); with corpus=demo it makes one
Writes  <run_folder>/hparams.yaml, eer_matrix.csv, det.csv, scores.csv, vectors.npz, summary.txt,
        figures/, result.json, report.html; on request also trials.csv
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from speechbrain.utils.distributed import if_main_process, run_on_main

from emovec import experiment
from emovec.backends.pair_embeddings import EMBEDDINGS, open_encoders
from emovec.backends.pair_rules import PairRules
from emovec.backends.scoring import Scoring
from emovec.backends.trial_lists import read_lists, score_lists
from emovec.backends.verification import Scored, check_training, score_clips
from emovec.corpora.pair_selection import PairSelection, select_all, with_training
from emovec.metrics.pair_cells import PairMatrix
from emovec.report.facts import selection_facts
from emovec.report.kept_vectors import keep_some
from emovec.report.pair_run import PairRun, write_pair_run
from emovec.tables.trials import Trial, write_pairs

READING = ("max_seconds", "batch_seconds", "workers")  # keys, of how clips are read


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
    merge_emotions: dict[str, str]
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
    training_embeddings: list[str]
    compare_training: list[str]
    method: str
    centre: bool
    standardise: bool
    dimensions: int | None
    whiten: bool
    top_cohort: int | None
    scoring: Scoring
    draws: int
    intervals: str
    rules: PairRules


def main(argv: list[str]) -> Path | None:
    """Embed all clips, score all pairs, measure each pair of emotions."""
    started = datetime.now(timezone.utc)
    run = experiment.start(Hparams, argv)
    hparams, rules = run.hparams, run.hparams.rules
    if not hparams.training_corpora:
        check_training(hparams.scoring, [])  # before anything is read
    encoders = open_encoders(
        {key: getattr(hparams, key) for key in EMBEDDINGS},
        hparams.training_corpora,
        allow_partial=hparams.allow_partial,
    )
    run_on_main(read_clips, [hparams])  # one process prepares, the others find it done
    clips = read_clips(hparams)
    lists, doubts = read_lists(hparams.trials, clips.prepared)
    check_training(hparams.scoring, clips.training)
    rules.check(clips.utterances)
    run.begin()
    options = {key: getattr(hparams, key) for key in READING}
    scored = score_clips(
        encoders, clips, lists, hparams.scoring, run.processes, device=run.device, **options
    )
    rules.check(scored.tried)
    matrices = [rules.matrix(of, scored.tried, run.processes) for of in scored.tried_scores]
    writes = if_main_process()
    experiment.leave_together()  # others do not wait for the one that writes
    if not writes:
        return None
    facts = selection_facts(
        clips,
        command=["recipes/verification/eer_matrix.py", *argv],
        hparams=run.plain,
        started=started,
        device=run.device,
        with_affect=False,
    )
    clips = replace(clips, warnings=(*clips.warnings, *doubts))
    write_pair_run(pair_run(hparams, clips, lists, scored, matrices), facts, run.folder)
    if hparams.write_trials:
        write_pairs(run.folder / "trials.csv", rules.pairs(scored.tried_scores[0], scored.tried))
    return run.folder


def pair_run(
    hparams: Hparams,
    clips: PairSelection,
    lists: Mapping[str, Sequence[Trial]],
    scored: Scored,
    matrices: Sequence[PairMatrix],
) -> PairRun:
    """What was found of the matrix of each encoder, and of the lists."""
    listed, unscored = score_lists(
        lists, scored.scores, scored.utterances, hparams.draws, hparams.seed
    )
    return PairRun(
        matrices[0],
        hparams.scoring.describe,
        scored.seconds,
        (*clips.skipped, *scored.skipped),
        (*clips.warnings, *scored.warnings, *unscored),
        *matrices[1:],
        other_name="+".join(hparams.compare_with),
        lists=tuple(listed),
        kept=keep_some(scored.tried, scored.tried_scores[0].vectors, hparams.seed, clips.info.name),
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
        merge_emotions=hparams.merge_emotions,
        allow_partial=hparams.allow_partial,
    )
    return with_training(
        clips,
        hparams.training_corpora,
        folder / "training",
        allow_partial=hparams.allow_partial,
        allow_leak=hparams.allow_leak,
    )


if __name__ == "__main__":
    experiment.run(main)
