"""Separate emotion and identity: LR-VAE and its baselines, attacked as the paper does and harder.

    python recipes/privacy/train.py hparams/lrvae.yaml
    python recipes/privacy/train.py hparams/lrvae.yaml --embeddings=emobase2010 \
        --corpora="[ravdess=/data/RAVDESS]" --merge_emotions="{calm: neutral}"
    python recipes/privacy/train.py hparams/lrvae_search.yaml

Reads   corpora as published or in our own form; with corpora=[demo] it makes one
Writes  <run_folder>/hparams.yaml, vectors.npz, systems/<system>/<seed>/ (model/, result.json),
        masking.csv, figures/, table.md, table.csv, model/, result.json, report.html; of a search,
        search.csv

A run that was stopped goes on: what is complete is not made again.
"""

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from emovec import experiment
from emovec.corpora.pooled_selection import select_pooled_of
from emovec.encoders.sources import open_sources
from emovec.privacy.clip_vectors import clip_vectors
from emovec.privacy.search import grid_of
from emovec.privacy.training import TrainingOptions
from emovec.privacy.vectors import check_splits
from emovec.report.facts import selection_facts
from emovec.report.privacy_run import Extras, run_study
from emovec.report.privacy_study import Plan, Study
from emovec.tables.results import RunFacts


@dataclass(frozen=True)
class Hparams:
    """The keys of an hparams file for this recipe; hparams/lrvae.yaml explains them."""

    seed: int
    name: str
    run_folder: str
    corpora: list[str]
    prepared_folder: str
    protocol: str
    held_out: float
    split_seed: int
    merge_emotions: dict[str, str]
    emotions: list[str] | None
    drop_emotions: list[str]
    allow_partial: bool
    allow_leak: bool
    same_gender: bool
    embeddings: str
    input_name: str
    max_seconds: float | None
    batch_seconds: float
    workers: int
    options: TrainingOptions
    plan: Plan
    curves: bool
    curve_groups: list[int] | None
    search: dict[str, list[Any]]


def main(argv: list[str]) -> Path:
    """Make vectors, train and attack each system of each seed, write what was found."""
    started = datetime.now(timezone.utc)
    run = experiment.start(Hparams, argv)
    hparams = run.hparams
    grid_of(hparams.search)  # before anything is read
    (source,) = open_sources([hparams.embeddings], allow_partial=hparams.allow_partial)
    clips = select_pooled_of(hparams)
    run.begin()
    splits, skipped, notes = clip_vectors(
        hparams.embeddings,
        source,
        clips,
        run.folder / "vectors.npz",
        same_gender=hparams.same_gender,
        max_seconds=hparams.max_seconds,
        batch_seconds=hparams.batch_seconds,
        workers=hparams.workers,
        device=run.device,
    )

    def facts(seed: int | None) -> RunFacts:
        return selection_facts(
            clips,
            command=["recipes/privacy/train.py", *argv],
            hparams=run.plain if seed is None else {**run.plain, "seed": seed},
            started=started,
            device=run.device,
            with_affect=False,
        )

    notes += check_splits(splits["train"], splits["valid"], splits["test"])
    run_study(
        Study(clips, splits, hparams.plan, run.folder, facts, tuple(notes)),
        Extras(hparams.input_name, hparams.curves, hparams.curve_groups, hparams.search),
        skipped,
    )
    return run.folder


if __name__ == "__main__":
    experiment.run(main)
