"""Small run folders, written by hand from dataclasses, for tests of pages."""

import csv
import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from emovec.audio.inputs import collect
from emovec.metrics.regression import concordance
from emovec.report.figures import save_figure
from emovec.tables import embedding_files
from emovec.tables.corpus import Skip
from emovec.tables.embeddings import Embeddings
from emovec.tables.manifest import Utterance, write_manifest
from emovec.tables.results import Metric, Result, RunFacts, write_result
from emovec.tables.splits import manifest_hash

NASTY = "<img src=x onerror=document.title='caught'></script><!-- \"' & %{x}"
AXES = ("valence", "arousal", "dominance")
EMOTIONS = ("anger", "neutral", "sadness")


def facts(**changes):
    known = {
        "command": "python recipes/ser/train.py hparams/emosphere.yaml",
        "commit": "0123456789abcdef",
        "seed": 1,
        "started": "2026-01-01T00:00:00+00:00",
        "seconds": 75.0,
        "machine": "a processor, 2 cores, cpu",
        "versions": {"python": "3.11"},
        "manifest_hash": "0",
        "hparams": {"name": "a_run", "regions": 8, "reference": "neutral"},
        "corpus": "ravdess",
        "affect_source": None,
        "protocol": "by-speaker",
        "split_hash": "ravdess by-speaker feed",
        "shares_speakers": False,
    }
    return RunFacts(**{**known, **changes})


def write_rows(path: Path, rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def write_picture(folder: Path, name: str) -> None:
    save_figure(Figure(figsize=(1, 1)), folder / f"figures/{name}.png")


def write_clips(folder: Path, ids) -> str:
    """A manifest as the run had it, and its hash."""
    clips = [
        Utterance(
            id_,
            f"{number}.wav",
            None,
            None,
            1.0 + number / 10,
            speaker=f"s{number % 4}",
            gender=("female", "male")[number % 2],
            emotion=EMOTIONS[number % 3],
        )
        for number, id_ in enumerate(ids)
    ]
    write_manifest(folder / "data/manifest.csv", clips)
    return manifest_hash(collect([folder / "data"]).utterances)


def affect_run(folder: Path, *, first="clip 0", count=12, seed=0, **changes) -> Path:
    """An affect run whose numbers are those of its predictions."""
    random = np.random.default_rng(seed)
    ids = [first, *(f"clip {number}" for number in range(1, count))]
    true = np.random.default_rng(9).uniform(1, 7, (count, 3)).round(4)
    said = np.clip(true + random.normal(size=true.shape), 1, 7).round(4)
    rows = [
        {"id": id_, **dict(zip(AXES, t, strict=True))}
        | {f"predicted_{axis}": value for axis, value in zip(AXES, s, strict=True)}
        for id_, t, s in zip(ids, true, said, strict=True)
    ]
    write_rows(folder / "predictions.csv", rows)
    hash_ = write_clips(folder, ids)
    (folder / "model").mkdir()
    config = {"class": "affect_model", "arguments": {"affect_scale": [1.0, 7.0]}}
    (folder / "model/config.json").write_text(json.dumps(config))
    history = [
        {"epoch": n, "train/loss": 3.0 / n, "valid/loss": 4.0 / n, "valid/ccc/mean": 0.1 * n}
        for n in (1, 2, 3)
    ]
    (folder / "history.json").write_text(json.dumps(history))
    for name in ("affect_sphere", "predicted_against_true", "learning_curves", "other_figure"):
        write_picture(folder, name)
    ccc = {axis: concordance(said[:, k], true[:, k]) for k, axis in enumerate(AXES)}
    ccc["mean"] = float(np.mean(list(ccc.values())))
    metrics = [Metric(f"ccc/{name}", v, count, 4, (v - 0.1, v + 0.1)) for name, v in ccc.items()]
    metrics.append(Metric("baseline_mean/ccc/mean", 0.012, count, 4, None))
    result = Result(
        facts(manifest_hash=hash_, affect_source="rated", **changes),
        tuple(metrics),
        (Skip("a clip of silence", "no speech is heard in it"),),
        ("the corpus is small",),
    )
    write_result(folder / "result.json", result)
    return folder


def write_scores(folder: Path, emotions) -> None:
    """Two curves, a pool's and an emotion's, and a box of the reference and one of a pair."""
    one, other = sorted(emotions)[:2]
    write_rows(
        folder / "det.csv",
        [
            {"pair": pair, "threshold": 0.1 * n, "far": 0.5 - 0.1 * n, "frr": 0.1 + 0.1 * n}
            for pair in ("same", f"{other}-{other}")
            for n in range(4)
        ],
    )
    five = ("whisker_low", "lower_quartile", "median", "upper_quartile", "whisker_high")
    boxes = [("impostor", f"{other}-{other}", "impostors"), (f"{one}-{other}",) * 2 + ("targets",)]
    write_rows(
        folder / "scores.csv",
        [
            {"box": box, "pair": pair, "trials": trials, "number": 1000 + place}
            | {name: (n - place) / 8 for n, name in enumerate(five)}
            | {"score": "cosine similarity (centred)"}
            for place, (box, pair, trials) in enumerate(boxes)
        ],
    )


def pair_run(folder: Path, emotions=EMOTIONS, **changes) -> Path:
    """A run of eer_matrix.py; the cell of the first emotion with itself is doubted."""
    rows = []
    pairs = [(a, b) for i, a in enumerate(emotions) for b in emotions[i:]]
    names = ["-".join(sorted(pair)) for pair in pairs]
    for number, name in enumerate([*names, "same", "cross", "pooled"]):
        eer = 0.1 + number / 100
        rates = {"eer": eer, "frr": eer + 0.1, "far": eer / 2}
        row = {"pair": name, "targets": 1000 + number, "impostors": 2000, "clips": 50}
        row |= {"speakers": 20 + number, "threshold": 0.5}
        for rate, value in rates.items():
            row |= {rate: value, f"{rate}_low": value - 0.02, f"{rate}_high": value + 0.03}
        row["published_eer"] = eer - 0.05 if number == 1 else ""
        row["doubt"] = "3 speakers, fewer than 5" if number == 0 else ""
        rows.append(row)
    write_rows(folder / "eer_matrix.csv", rows)
    write_scores(folder, emotions)
    write_picture(folder, "det")
    write_picture(folder, "eer_matrix")
    metrics = (
        Metric("eer/pooled", 0.2, 50, 20, (0.15, 0.25)),
        Metric("eer/cross_minus_same", 0.05, 50, 20, (0.02, 0.08)),
        Metric("targets/pooled", 1008.0, 50, 20, None),
    )
    write_result(folder / "result.json", Result(facts(protocol="all-pairs", **changes), metrics))
    return folder


def vectors_run(folder: Path, count=30, **changes) -> Path:
    """A run that has kept embeddings, and masking curves."""
    ids = [f"clip {number}" for number in range(count)]
    vectors = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    embedding_files.write(Embeddings(ids, vectors), folder / "vectors.npz")
    hash_ = write_clips(folder, ids)
    rows = [
        {"system": system, "keep": keep, "masked_groups": n, "weighted_f1": 0.5, "eer": n / 10}
        for system in ("lrvae", "avae_emotion")
        for keep in ("emotion", "identity")
        for n in (0, 2, 4)
    ]
    write_rows(folder / "masking.csv", rows)
    metrics = (
        Metric("identity_free/eer", 0.4, count, 4, (0.3, 0.5)),
        Metric("baseline_majority/weighted_f1", 0.2, count, 4, None),
    )
    write_result(folder / "result.json", Result(facts(manifest_hash=hash_, **changes), metrics))
    return folder


def classes_run(folder: Path, **changes) -> Path:
    """A run of emotion classes."""
    rows = [
        {"id": f"clip {n}", "fold": 0, "true": EMOTIONS[n % 3], "predicted": EMOTIONS[n % 2]}
        for n in range(12)
    ]
    write_rows(folder / "predictions.csv", rows)
    result = Result(facts(**changes), (Metric("emotion/weighted_f1", 0.4, 12, 4, (0.3, 0.5)),))
    write_result(folder / "result.json", result)
    return folder
