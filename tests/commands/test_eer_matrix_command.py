"""A table of embeddings in, the matrix of the recipe out."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from recipe_modules import load_recipe

from emovec.metrics.verification import equal_error_rate
from emovec.tables import embedding_files
from emovec.tables.corpus import Skip
from emovec.tables.embedding_shards import ShardWriter
from emovec.tables.embeddings import Embeddings, Extraction, column
from emovec.tables.manifest import read_manifest, write_manifest
from emovec.tables.results import read_result

ROOT = Path(__file__).parents[2]
PLAIN = ("--centre=False", "--standardise=False", "--draws=20")


def write(path: Path, table: Embeddings, **columns: list) -> Path:
    """The table with some columns changed, or left out where they are None."""
    changed = {**table.columns, **{name: v and column(name, v) for name, v in columns.items()}}
    kept = {name: values for name, values in changed.items() if values is not None}
    embedding_files.write(replace(table, columns=kept), path)
    return path


def every_pair(table: Embeddings, same_gender: bool) -> dict[str, tuple[float, int]]:
    """By cell and pool its rate, and how many targets, trial by trial."""
    unit = table.vectors / np.linalg.norm(table.vectors, axis=1, keepdims=True)
    speakers, emotions, genders = (table.columns[k] for k in ("speaker", "emotion", "gender"))
    trials: dict[str, list[tuple[float, bool]]] = {}
    for a, b in combinations(range(len(unit)), 2):
        if same_gender and genders[a] != genders[b]:
            continue
        trial = (float(unit[a] @ unit[b]), speakers[a] == speakers[b])
        kind = "same" if emotions[a] == emotions[b] else "cross"
        for name in ("-".join(sorted((emotions[a], emotions[b]))), kind, "pooled"):
            trials.setdefault(name, []).append(trial)
    return {
        name: (equal_error_rate(*zip(*found, strict=True))[0], sum(kind for _, kind in found))
        for name, found in trials.items()
    }


@pytest.mark.parametrize("flag", [[], ["--all_genders"]])
def test_rates_of_the_table_s_own_columns(emovec, table, voices, tmp_path, flag):
    done = emovec("eer-matrix", table, "--output", tmp_path / "out", *PLAIN, *flag)
    assert done.exit_code == 0
    result = read_result(tmp_path / "out" / "result.json")
    for name, (rate, targets) in every_pair(voices, same_gender=not flag).items():
        assert result.get(f"eer/{name}").value == pytest.approx(rate, abs=1e-6)
        assert result.get(f"targets/{name}").value == targets
        low, high = result.get(f"eer/{name}").interval
        assert 0 <= low <= high <= 1
    assert done.stdout == (tmp_path / "out" / "summary.txt").read_text()
    assert "anger-neutral" in done.stdout and "written to" in done.stderr
    written = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert {"eer_matrix.csv", "summary.txt", "result.json", "det.svg", "scores.png"} <= written


def test_the_recipe_finds_the_same(emovec, table, small_corpus, tmp_path):
    corpus = [str(ROOT / "hparams" / "verification.yaml"), "--corpus=manifest"]
    corpus += [f"--data_folder={small_corpus}", f"--run_folder={tmp_path / 'recipe'}"]
    load_recipe("verification/eer_matrix.py").main(
        [*corpus, f"--embeddings=[{table}]", "--draws=50", "--device=cpu"]
    )
    options = ("--manifest", small_corpus, "--draws=50", "--centre=True", "--standardise=True")
    assert emovec("eer-matrix", table, "--output", tmp_path / "out", *options).exit_code == 0
    one, two = (read_result(tmp_path / name / "result.json") for name in ("recipe", "out"))
    assert one.metrics == two.metrics
    assert (one.run.split_hash, one.run.manifest_hash) == (
        two.run.split_hash,
        two.run.manifest_hash,
    )
    for name in ("eer_matrix.csv", "summary.txt"):
        assert (tmp_path / "recipe" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
    written = ({p.name for p in (tmp_path / n / "figures").iterdir()} for n in ("recipe", "out"))
    assert len(set(map(frozenset, written))) == 1


def test_what_a_result_says_of_its_run(answer, table, tmp_path):
    found, status = answer("eer-matrix", table, "--output", tmp_path / "out", *PLAIN, "--seed=3")
    assert status == 0
    run = found["run"]
    assert (run["corpus"], run["protocol"], run["seed"]) == ("voices", "all-pairs", 3)
    assert run["split_hash"].startswith("voices all-pairs 80 clips 1 folds ")
    assert run["command"].startswith(f"python -m emovec.cli eer-matrix {table}")
    assert run["hparams"]["embeddings"] == [str(table)] and run["hparams"]["centre"] is False


def test_a_manifest_and_a_table_are_matched(answer, voices, small_corpus, tmp_path):
    """The table lacks a clip, which its extraction says why, and has one of another corpus."""
    made = Extraction("x", "0a", 16000, 8, "", "beef", 80, 1, written=79, failed=1)
    gone = voices.ids[0]
    writer = ShardWriter(tmp_path / "shards", made)
    ids = [*voices.ids[1:-1], "elsewhere"]
    writer.write(0, ids, voices.vectors[1:], failures=[Skip(gone, "a.wav: is empty")])
    writer.finish()
    out = tmp_path / "out"
    manifest = ("--manifest", small_corpus)
    found, status = answer("eer-matrix", tmp_path / "shards", "--output", out, *manifest, *PLAIN)
    assert status == 0
    assert found["run"]["corpus"] == "small"
    assert {"id": gone, "reason": "a.wav: is empty"} in found["skipped"]
    assert {"id": voices.ids[-1], "reason": f"not in {tmp_path / 'shards'}"} in found["skipped"]
    assert any("1 embeddings are of no clip" in text for text in found["warnings"])
    assert found["metrics"][0]["n"] == 19  # two clips of each speaker and emotion, less one
    assert (out / "figures" / "durations.png").is_file()


def test_a_manifest_s_labels_win(answer, table, voices, small_corpus, tmp_path):
    clips = read_manifest(small_corpus / "manifest.csv")
    calm = [replace(u, emotion="neutral") for u in clips]
    write_manifest(tmp_path / "calm" / "manifest.csv", calm)
    manifest = f"--manifest={tmp_path / 'calm' / 'manifest.csv'}"
    found, _ = answer("eer-matrix", table, "--output", tmp_path / "out", manifest, *PLAIN)
    names = {metric["metric"] for metric in found["metrics"]}
    assert "eer/neutral-neutral" in names and "eer/anger-neutral" not in names
    assert found["run"]["corpus"] == "calm"


def test_emotions_that_are_none_are_left_out(answer, voices, tmp_path):
    emotions = ["other", "", *voices.columns["emotion"][2:]]
    path = write(tmp_path / "t.npz", voices, emotion=emotions)
    found, _ = answer("eer-matrix", path, "--output", tmp_path / "out", *PLAIN)
    assert [skip["reason"] for skip in found["skipped"]] == [
        "emotion is other",
        "emotion is not known",
    ]
    keep = "--drop_emotion=sadness"
    found, _ = answer("eer-matrix", path, "--output", tmp_path / "two", *PLAIN, keep)
    names = {metric["metric"] for metric in found["metrics"]}
    assert "targets/anger-other" in names and "eer/sadness-sadness" not in names


def test_a_table_without_emotions_is_one_cell(answer, voices, tmp_path):
    path = write(tmp_path / "t.npz", voices, emotion=None)
    found, _ = answer("eer-matrix", path, "--output", tmp_path / "out", *PLAIN)
    rates = {metric["metric"]: metric["value"] for metric in found["metrics"]}
    assert rates["eer/unknown-unknown"] == rates["eer/pooled"]
    assert any("no clip has an emotion" in text for text in found["warnings"])


def test_integers_are_speakers_as_well(answer, voices, tmp_path):
    numbers = [int(name[1:]) for name in voices.columns["speaker"]]
    path = write(tmp_path / "t.npz", voices, speaker=numbers)
    found, status = answer("eer-matrix", path, "--output", tmp_path / "out", *PLAIN)
    assert status == 0 and found["metrics"][0]["speakers"] == 10


def test_embeddings_without_a_direction_are_named(emovec, voices, tmp_path):
    vectors = voices.vectors.copy()
    vectors[[4, 7]] = 0
    path = tmp_path / "zero.npz"
    embedding_files.write(replace(voices, vectors=vectors), path)
    done = emovec("eer-matrix", path, "--output", tmp_path / "out", *PLAIN)
    assert done.exit_code == 1
    said = f"Error: {path}: embeddings ['{voices.ids[4]}', '{voices.ids[7]}'] (2 in all) are zero"
    assert said in done.stderr


@pytest.mark.parametrize(
    ("columns", "options", "said", "status"),
    [
        ({"speaker": None}, [], "no column 'speaker', only ['emotion', 'gender']", 1),
        ({"gender": None}, [], "no gender is known; expected", 2),
        ({"speaker": [0.5] * 80}, [], "column 'speaker' has numbers with fractions", 1),
        ({"speaker": [f"s{n}" for n in range(80)]}, [], "no target trials; expected both", 1),
        (
            {"emotion": ["other"] * 80},
            ["--all_genders"],
            "none of 80 clips is left (emotion is other)",
            1,
        ),
        ({"clip": ["c"] * 80}, [], "rows are windows of clips; expected one embedding a clip", 1),
        ({}, ["--texts=same"], "{'no text': 80}", 1),
        ({}, ["--draws=-1"], "-1 is not in the range", 2),
        ({}, ["--intervals=magic"], "'magic' is not one of", 2),
        ({}, ["--manifest=absent.csv"], "absent.csv: not found", 1),
    ],
)
def test_what_cannot_be_measured(emovec, voices, tmp_path, columns, options, said, status):
    path = write(tmp_path / "t.npz", voices, **columns)
    done = emovec("eer-matrix", path, "--output", tmp_path / "out", *options)
    assert (said in done.stderr, done.exit_code) == (True, status), done.stderr
    assert not (tmp_path / "out").exists()


def test_a_run_of_other_settings_is_kept(emovec, table, tmp_path):
    out = ("--output", tmp_path / "out")
    assert emovec("eer-matrix", table, *out, *PLAIN).exit_code == 0
    before = (tmp_path / "out" / "result.json").read_bytes()
    done = emovec("eer-matrix", table, *out, "--draws=0", "--centre=True", "--standardise=True")
    assert done.exit_code == 1
    assert "holds a run with other ['centre', 'draws', 'standardise']" in done.stderr
    assert (tmp_path / "out" / "result.json").read_bytes() == before
    assert emovec("eer-matrix", table, *out, *PLAIN).exit_code == 0
