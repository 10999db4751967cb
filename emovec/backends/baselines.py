"""Baselines of affect that stand beside every model, in the same table, on the same clips."""

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emovec.audio.functionals import VERSION, Extractor, extractor, functionals_table
from emovec.audio.loading import load
from emovec.backends.ridge import fit_ridge
from emovec.corpora.selection import Selection
from emovec.tables.files import write_atomically
from emovec.tables.manifest import Utterance

SAMPLE_RATE = 16000


def affect_baselines(
    data: Selection, cache_folder: Path, max_seconds: float, seed: int
) -> dict[str, NDArray[np.float64]]:
    """Predictions of the baselines for the test split.

    ``mean`` says the training split's mean for every clip. ``ridge_functionals`` is a ridge
    regression on acoustic functionals; ``ridge_eGeMAPSv02`` where openSMILE is installed.

    Args:
        data: the clips
        cache_folder: keeps the functionals for the next run
        max_seconds: clips are cut to this length, as for the model
        seed: of the ridge's folds

    Returns:
        by name (N, 3) affect on the corpus' scale, in the order of the test split
    """
    training, test = data.splits["train"], data.splits["test"]
    targets = np.array([u.affect for u in training])  # (N, 3)
    features = _functionals([*training, *test], data.root, cache_folder, max_seconds)
    ridge = fit_ridge(features[: len(training)], targets, [u.speaker for u in training], seed)
    return {
        "mean": np.tile(targets.mean(axis=0), (len(test), 1)),
        f"ridge_{extractor().name}": ridge.predict(features[len(training) :]),
    }


def _functionals(
    utterances: Sequence[Utterance], root: Path, folder: Path, max_seconds: float
) -> NDArray[np.float32]:
    """Functionals (N, D), taken from the folder where the same clips were described before."""
    chosen = extractor()
    path = folder / f"{chosen.name}_{_fingerprint(utterances, chosen, max_seconds)}.npy"
    if path.is_file():
        return np.load(path)
    clips = [partial(_read, utterance, root, max_seconds) for utterance in utterances]
    table = functionals_table(clips, SAMPLE_RATE, chosen)
    with write_atomically(path, "wb") as file:
        np.save(file, table)
    return table


def _read(utterance: Utterance, root: Path, max_seconds: float) -> NDArray[np.float32]:
    return load(
        root / utterance.path,
        utterance.start,
        utterance.stop,
        sample_rate=SAMPLE_RATE,
        max_seconds=max_seconds,
    )


def _fingerprint(utterances: Sequence[Utterance], chosen: Extractor, max_seconds: float) -> str:
    clips = [(u.id, u.start, u.stop, u.extra.get("audio_hash", "")) for u in utterances]
    text = json.dumps([clips, chosen.names, VERSION, max_seconds])
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
