"""Probe frozen embeddings for emotion: logistic regression, SVM or two stages, over folds.

    python recipes/ser/frozen.py hparams/frozen.yaml
    python recipes/ser/frozen.py hparams/frozen.yaml --corpus=ravdess --data_folder=/data/RAVDESS \
        --embeddings=[egemaps]
    python recipes/ser/frozen.py hparams/deeptalk_svm.yaml --first=sadness --corpus=cremad \
        --data_folder=/data/CREMA-D --protocol=deeptalk-cremad --embeddings=[deeptalk/model]

Reads   a corpus as published (layouts: emovec/corpora/*.py); with corpus=demo it makes one
Writes  <run_folder>/hparams.yaml, predictions.csv, folds.csv, clips.csv, summary.txt, figures/,
        vectors.npz, result.json, report.html
"""

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from emovec import experiment
from emovec.audio.augment import Augmentation
from emovec.backends.fold_clips import training_clips
from emovec.backends.folds import check_classes, evaluate_folds
from emovec.backends.probe import Probe
from emovec.backends.undersampling import Undersampling
from emovec.corpora.fold_selection import FoldSelection, select_folds
from emovec.encoders.extract import Extracted
from emovec.encoders.sources import Source, embed, one_below_the_other, open_sources
from emovec.errors import HparamError
from emovec.report.frozen_metrics import FrozenRun
from emovec.report.frozen_run import write_frozen_run


@dataclass(frozen=True)
class Hparams:
    """The keys of an hparams file for this recipe; hparams/frozen.yaml explains them."""

    seed: int
    name: str
    run_folder: str
    corpus: str
    corpus_options: dict[str, Any]
    data_folder: str | None
    prepared_folder: str
    protocol: str
    folds: list[int] | None
    split_seed: int
    emotions: list[str] | None
    drop_emotions: list[str]
    allow_partial: bool
    allow_leak: bool
    embeddings: list[str]
    max_seconds: float | None
    batch_seconds: float
    workers: int
    copies: int
    noise: str | None
    music: str | None
    speech: str | None
    impulse_responses: str | None
    augmentation: Augmentation
    classifier: str
    first: str | None
    c_values: list[float]
    gamma_values: list[Any]
    standardise: bool
    class_weight: str | None
    probe: Probe
    undersample: int | str | None
    undersample_test: int | str | None
    undersampling: Undersampling
    detection: bool


def main(argv: list[str]) -> Path:
    """Embed all clips, fit a probe to each fold, measure what all say of their test clips."""
    started = datetime.now(timezone.utc)
    run = experiment.start(Hparams, argv)
    hparams = run.hparams
    if hparams.copies and not hparams.augmentation.kinds:
        raise HparamError(
            f"copies is {hparams.copies}, with nothing to augment them by; expected a folder. "
            "Give one as noise, music, speech or impulse_responses, or set copies to 0."
        )
    sources = open_sources(hparams.embeddings, allow_partial=hparams.allow_partial)
    clips = select_folds(
        hparams.corpus,
        hparams.corpus_options,
        hparams.data_folder,
        Path(hparams.prepared_folder),
        protocol=hparams.protocol,
        folds=hparams.folds,
        seed=hparams.split_seed,
        emotions=hparams.emotions,
        drop_emotions=hparams.drop_emotions,
        allow_partial=hparams.allow_partial,
        allow_leak=hparams.allow_leak,
    )
    check_classes(hparams.probe, clips.classes, hparams.detection)
    run.begin()
    device = run.device
    embedded = embed_all(hparams, sources, clips, device)
    outcomes = evaluate_folds(
        hparams.probe,
        clips.folds,
        embedded,
        clips.classes,
        hparams.copies,
        undersampling=hparams.undersampling,
        detection=hparams.detection,
    )
    write_frozen_run(
        FrozenRun(clips, outcomes, embedded.skipped),
        run.folder,
        command=["recipes/ser/frozen.py", *argv],
        hparams=run.plain,
        started=started,
        device=device,
        embedded=embedded,
    )
    return run.folder


def embed_all(
    hparams: Hparams, sources: list[Source], clips: FoldSelection, device: str
) -> Extracted:
    """Embeddings of all clips, and of the copies of those that some fold trains on."""
    trained = {u.id for splits in clips.folds.values() for u in training_clips(splits)}
    parts = [(hparams.copies, [u for u in clips.utterances if u.id in trained])]
    parts += [(0, [u for u in clips.utterances if u.id not in trained])]
    return one_below_the_other(
        [
            embed(
                sources,
                utterances,
                clips.root,
                max_seconds=hparams.max_seconds,
                augmentation=hparams.augmentation,
                copies=copies,
                batch_seconds=hparams.batch_seconds,
                workers=hparams.workers,
                device=device,
            )
            for copies, utterances in parts
            if utterances
        ]
    )


if __name__ == "__main__":
    experiment.run(main)
