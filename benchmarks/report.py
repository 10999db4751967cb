"""Seconds to write the page of a matrix run with 5,000 utterances; at most 10 are promised.

    python benchmarks/report.py

The run is written here: 8 emotions, a manifest of 5,000 clips, curves, boxes, and the embeddings
that a matrix run keeps for a map, which take most of the time. Seconds of the clock, and those that
the processor spent on this process, so that others on the machine count little; the first
repetition also pays for imports.
"""

import csv
import tempfile
import time
from pathlib import Path

import numpy as np

from emovec.metrics.pairs import pair_matrix
from emovec.report.kept_vectors import keep_some
from emovec.report.pair_curves import write_boxes, write_curves
from emovec.tables import embedding_files
from emovec.tables.manifest import Utterance, write_manifest
from emovec.tables.results import Metric, Result, RunFacts, write_result
from emovec.tables.splits import manifest_hash

CLIPS, SPEAKERS, SIZE, REPETITIONS = 5000, 100, 192, 5
EMOTIONS = ("anger", "calm", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
PROMISED = 10.0


def main() -> None:
    """Write a run, then its page a few times."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_run(folder)
        for number in range(REPETITIONS):
            clock, processor = time.perf_counter(), time.process_time()
            from emovec.report.html import write_report

            write_report([folder], folder / "report.html")
            seconds = time.perf_counter() - clock, time.process_time() - processor
            size = (folder / "report.html").stat().st_size / 1e6
            print(f"{number + 1}: {seconds[0]:.2f} s, processor {seconds[1]:.2f} s, {size:.1f} MB")
    print(f"promised: {PROMISED:.0f} s")


def make_run(folder: Path) -> None:
    """A folder as recipes/verification/eer_matrix.py leaves it."""
    random = np.random.default_rng(0)
    clips = [
        Utterance(
            f"speaker{n % SPEAKERS:03}/clip{n:05}",
            f"{n}.wav",
            None,
            None,
            float(random.uniform(1, 10)),
            speaker=f"{n % SPEAKERS}",
            emotion=EMOTIONS[n // SPEAKERS % len(EMOTIONS)],
        )
        for n in range(CLIPS)
    ]
    write_manifest(folder / "data/manifest.csv", clips)
    voices = random.normal(size=(SPEAKERS, SIZE))
    vectors = voices[np.arange(CLIPS) % SPEAKERS] + 3 * random.normal(size=(CLIPS, SIZE))
    speakers, emotions = ([getattr(u, name) for u in clips] for name in ("speaker", "emotion"))
    matrix = pair_matrix(vectors, speakers, emotions, draws=0)
    write_curves(folder / "det.csv", matrix)
    write_boxes(folder / "scores.csv", matrix, "cosine similarity")
    embedding_files.write(keep_some(clips, vectors, 0, "none"), folder / "vectors.npz")
    pairs = [f"{a}-{b}" for i, a in enumerate(EMOTIONS) for b in EMOTIONS[i:]]
    rows, metrics = [], []
    for pair in (*pairs, "same", "cross", "pooled"):
        rate = float(random.uniform(0.1, 0.4))
        metrics.append(Metric(f"eer/{pair}", rate, CLIPS, SPEAKERS, (rate - 0.02, rate + 0.02)))
        row = {"pair": pair, "targets": 1000, "impostors": 9000, "clips": 1250, "speakers": 100}
        row["threshold"] = 0.5
        for name in ("eer", "frr", "far"):
            row |= {name: rate, f"{name}_low": rate - 0.02, f"{name}_high": rate + 0.02}
        rows.append({**row, "published_eer": "", "doubt": ""})
    with (folder / "eer_matrix.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    facts = RunFacts(
        command="python recipes/verification/eer_matrix.py hparams/verification.yaml",
        commit="unknown",
        seed=1,
        started="2026-01-01T00:00:00+00:00",
        seconds=60.0,
        machine="none",
        versions={},
        manifest_hash=manifest_hash(clips),
        hparams={"name": "benchmark", "reference": "neutral"},
        corpus="none",
        affect_source=None,
        protocol="all-pairs",
        split_hash="none",
        shares_speakers=False,
    )
    write_result(folder / "result.json", Result(facts, tuple(metrics)))


if __name__ == "__main__":
    main()
