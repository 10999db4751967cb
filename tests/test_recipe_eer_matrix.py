"""Speaker verification by pair of emotions from end to end on the small corpus."""

import csv
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from emovec.errors import HparamError, ManifestError, SplitError
from emovec.metrics.pair_scores import cosine_scores
from emovec.metrics.verification import equal_error_rate
from emovec.tables import embedding_files
from emovec.tables.embeddings import Embeddings
from emovec.tables.manifest import read_manifest, write_manifest
from emovec.tables.results import Result, read_result

ROOT = Path(__file__).parents[1]
Verify = Callable[..., Path]


@pytest.fixture(scope="module")
def main() -> Callable[[list[str]], None]:
    path = ROOT / "recipes/verification/eer_matrix.py"
    spec = importlib.util.spec_from_file_location("eer_matrix", path)
    recipe = importlib.util.module_from_spec(spec)
    sys.modules["eer_matrix"] = recipe
    spec.loader.exec_module(recipe)
    return recipe.main


def arguments(corpus: Path, folder: Path, *options: str) -> list[str]:
    return [
        str(ROOT / "hparams" / "verification.yaml"),
        "--corpus=manifest",
        f"--data_folder={corpus}",
        f"--run_folder={folder}",
        "--workers=0",
        "--draws=50",
        "--device=cpu",
        *options,
    ]


@pytest.fixture
def verify(main: Callable, small_corpus: Path, tmp_path: Path) -> Verify:
    """Runs the recipe, and gives its run folder."""

    def run(*options: str, corpus: Path = small_corpus, name: str = "run") -> Path:
        main(arguments(corpus, tmp_path / name, *options))
        return tmp_path / name

    return run


@pytest.fixture(scope="module")
def table(small_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Embeddings of all clips of the small corpus: voices with noise."""
    clips = read_manifest(small_corpus / "manifest.csv")
    random = np.random.default_rng(0)
    voice = {name: random.normal(size=8) for name in sorted({u.speaker for u in clips})}
    vectors = [voice[u.speaker] + random.normal(size=8) for u in clips]
    path = tmp_path_factory.mktemp("embeddings") / "voices.npz"
    embedding_files.write(Embeddings([u.id for u in clips], np.array(vectors, np.float32)), path)
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def value(result: Result, name: str) -> float:
    found = result.get(name)
    assert found is not None, name
    return found.value


def test_rates_are_those_of_the_table_s_pairs(verify, table, small_corpus):
    folder = verify(
        f"--embeddings=[{table}]", "--centre=False", "--standardise=False", "--write_trials"
    )
    clips = {u.id: u for u in read_manifest(small_corpus / "manifest.csv")}
    embeddings = embedding_files.read(table)
    row = {id_: number for number, id_ in enumerate(embeddings.ids)}
    scores = cosine_scores(embeddings.vectors)
    pairs = [
        (a, b)
        for a, b in combinations(clips.values(), 2)
        if a.gender == b.gender and a.gender and a.emotion and b.emotion
    ]
    found = scores.pairs(
        *(np.array([row[u.id] for u in side]) for side in zip(*pairs, strict=True))
    )
    result = read_result(folder / "result.json")
    for name, is_in in (
        ("pooled", lambda a, b: True),
        ("same", lambda a, b: a.emotion == b.emotion),
        ("cross", lambda a, b: a.emotion != b.emotion),
        ("anger-neutral", lambda a, b: {a.emotion, b.emotion} == {"anger", "neutral"}),
    ):
        chosen = np.array([is_in(a, b) for a, b in pairs])
        kinds = np.array([a.speaker == b.speaker for a, b in pairs])
        rate, _ = equal_error_rate(found[chosen], kinds[chosen])
        assert value(result, f"eer/{name}") == pytest.approx(rate, abs=1e-6)
        assert value(result, f"targets/{name}") == (kinds & chosen).sum()
        low, high = result.get(f"eer/{name}").interval
        assert 0 <= low <= high <= 1
    written = rows(folder / "trials.csv")
    listed = {frozenset((r["id_a"], r["id_b"])): r["target"] == "1" for r in written}
    assert listed == {frozenset((a.id, b.id)): a.speaker == b.speaker for a, b in pairs}
    assert len(written) == len(pairs)


def test_all_that_a_run_leaves(verify, table):
    folder = verify(f"--embeddings=[{table}]", "--compare_with=[functionals]")
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    figures = ("eer_matrix", "det", "scores", "durations")
    assert {f"figures/{name}.{kind}" for name in figures for kind in ("png", "svg")} <= names
    assert {"eer_matrix.csv", "comparison.csv", "result.json", "hparams.yaml"} <= names
    assert "trials.csv" not in names
    result = read_result(folder / "result.json")
    assert result.run.protocol == "all-pairs"
    assert result.get("difference/pooled").interval is not None


def test_trial_lists_are_scored_beside(verify, table, small_corpus, tmp_path):
    clips = [u for u in read_manifest(small_corpus / "manifest.csv") if u.emotion]
    chosen = [(a, b) for a, b in combinations(clips, 2)][::7]
    lines = [f"{int(a.speaker == b.speaker)} {a.id}.wav {b.id}.wav" for a, b in chosen]
    (tmp_path / "official.txt").write_text("\n".join(lines))
    folder = verify(
        f"--embeddings=[{table}]",
        "--centre=False",
        "--standardise=False",
        f"--trials=[{tmp_path / 'official.txt'}]",
    )
    embeddings = embedding_files.read(table)
    row = {id_: number for number, id_ in enumerate(embeddings.ids)}
    first, second = (np.array([row[u.id] for u in side]) for side in zip(*chosen, strict=True))
    scores = cosine_scores(embeddings.vectors).pairs(first, second)
    rate, _ = equal_error_rate(scores, [a.speaker == b.speaker for a, b in chosen])
    result = read_result(folder / "result.json")
    assert value(result, "eer/list_official") == pytest.approx(rate, abs=1e-6)
    (tmp_path / "official.txt").write_text("1 nobody.wav nowhere.wav\n")
    with pytest.raises(ManifestError, match="ids are not in the manifest"):
        verify(f"--embeddings=[{table}]", f"--trials=[{tmp_path / 'official.txt'}]", name="other")


def test_ids_that_do_not_match_are_counted(verify, table, small_corpus, tmp_path):
    whole = embedding_files.read(table)
    ids = ["not in the manifest", *whole.ids[3:]]
    path = tmp_path / "some.npz"
    embedding_files.write(Embeddings(ids, whole.vectors[2:]), path)
    result = read_result(verify(f"--embeddings=[{path}]") / "result.json")
    assert [skip.id for skip in result.skipped if "not in" in skip.reason] == list(whole.ids[:3])
    assert any("1 embeddings are of no clip here" in warning for warning in result.warnings)


def test_a_scoring_learns_from_other_corpora_only(verify, table, small_corpus, tmp_path):
    with pytest.raises(SplitError, match="small is both trained on and tried"):
        verify(f"--training_corpora=[{small_corpus}]", "--method=plda")
    with pytest.raises(HparamError, match="no training embeddings"):
        verify(f"--embeddings=[{table}]", "--method=plda", name="without")
    leaky = verify(
        f"--training_corpora=[{small_corpus}]", "--method=plda", "--allow_leak", name="leaky"
    )
    result = read_result(leaky / "result.json")
    assert "both trained on and tried" in " ".join(result.run.leaks)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--texts=other", "texts is 'other'; expected one of"),
        ("--emotions=[joy]", "no clip is of the emotions"),
        ("--embeddings=[nowhere]", "'nowhere' is no folder"),
        ("--method=magic", "magic"),
    ],
)
def test_what_cannot_be_asked_for(verify, option, message):
    with pytest.raises((HparamError, SplitError), match=message):
        verify(option)


def test_a_corpus_without_emotions_is_one_cell(verify, table, small_corpus, tmp_path):
    clips = [replace(u, emotion="") for u in read_manifest(small_corpus / "manifest.csv")]
    write_manifest(tmp_path / "plain" / "manifest.csv", clips)
    for part in small_corpus.iterdir():
        if part.name != "manifest.csv":
            (tmp_path / "plain" / part.name).symlink_to(part)
    folder = verify(f"--embeddings=[{table}]", corpus=tmp_path / "plain")
    result = read_result(folder / "result.json")
    assert value(result, "eer/unknown-unknown") == value(result, "eer/pooled")
    assert any("no clip has an emotion" in warning for warning in result.warnings)


@pytest.mark.slow
def test_two_processes_find_what_one_finds(table, small_corpus, tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    recipe = str(ROOT / "recipes/verification/eer_matrix.py")
    start = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", recipe]
    for name, command in (("one", [sys.executable, recipe]), ("two", start)):
        options = arguments(small_corpus, tmp_path / name, f"--prepared_folder={tmp_path / 'data'}")
        subprocess.run([*command, *options], check=True, env=environment, cwd=ROOT)
    one, two = (read_result(tmp_path / name / "result.json").metrics for name in ("one", "two"))
    assert one == two
