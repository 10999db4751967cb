"""Separation of emotion and identity from end to end on the small corpus."""

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from recipe_modules import load_recipe

import emovec
from emovec.errors import HparamError, SplitError
from emovec.metrics.classification import weighted_f1
from emovec.report.published_privacy import ROWS
from emovec.separator import Separator
from emovec.tables import embedding_files
from emovec.tables.corpus import read_corpus_info, write_corpus_info
from emovec.tables.embeddings import Embeddings
from emovec.tables.manifest import read_manifest
from emovec.tables.results import read_result

ROOT = Path(__file__).parents[1]
SMALL = (
    "--workers=0",
    "--device=cpu",
    "--held_out=0.3",
    "--seeds=[1,2]",
    "--epochs=2",
    "--latent_size=32",
    "--hidden_size=16",
    "--branch_size=8",
    "--draws=20",
    "--curve_groups=[0,16,32]",
)
SYSTEMS = "--systems=[dnn, avae_emotion, avae_identity, lrvae]"
Train = Callable[..., Path]


@pytest.fixture(scope="module")
def main() -> Callable[[list[str]], None]:
    return load_recipe("privacy/train.py").main


def run(main: Callable, corpus: Path, folder: Path, *options: str, file: str = "lrvae") -> Path:
    """Runs the recipe, and gives its run folder; later options replace earlier ones."""
    line = [f"--corpora=[{corpus}]", f"--run_folder={folder}", *SMALL, *options]
    last = {option.partition("=")[0]: option for option in line}
    main([str(ROOT / f"hparams/{file}.yaml"), *last.values()])
    return folder


@pytest.fixture(scope="module")
def finished(main: Callable, small_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four systems."""
    return run(main, small_corpus, tmp_path_factory.mktemp("runs") / "run", SYSTEMS)


@pytest.fixture
def train(main: Callable, small_corpus: Path, tmp_path: Path) -> Train:
    def train(*options: str, name: str = "run", **others: str) -> Path:
        return run(main, small_corpus, tmp_path / name, *options, **others)

    return train


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_what_a_run_leaves(finished: Path) -> None:
    names = {path.relative_to(finished).as_posix() for path in finished.iterdir()}
    files = {"hparams.yaml", "vectors.npz", "table.md", "table.csv", "masking.csv", "result.json"}
    assert names == files | {"data", "systems", "curves", "figures", "model"}
    drawn = {path.name for path in (finished / "figures").iterdir()}
    assert drawn == {"masking.png", "masking.svg"}
    parts = {
        path.parent.relative_to(finished / "systems").as_posix()
        for path in (finished / "systems").glob("*/*/result.json")
    }
    systems = ("input", "random", "dnn", "avae_emotion", "avae_identity", "lrvae")
    assert parts == {f"{system}/{seed}" for system in systems for seed in (1, 2)}


def test_metrics_are_means_over_seeds(finished: Path) -> None:
    result = read_result(finished / "result.json")
    assert (result.run.corpus, result.run.protocol) == ("small", "held-out-speakers")
    seeds = [read_result(finished / f"systems/lrvae/{seed}/result.json") for seed in (1, 2)]
    for representation in ("origin", "identity_free", "emotion_free"):
        for measure in ("weighted_f1", "eer", "eer_plda", "eer_cosine", "weighted_f1_svm"):
            name = f"{representation}/{measure}"
            mean = np.mean([seed.get(name).value for seed in seeds])
            assert result.get(name).value == pytest.approx(mean)
            assert result.get(f"variant_lrvae/{name}").value == pytest.approx(mean)
        worst = [
            min(seed.get(f"{representation}/eer{of}").value for of in ("", "_plda", "_cosine"))
            for seed in seeds
        ]
        assert result.get(f"{representation}/eer_worst").value == pytest.approx(np.mean(worst))
    assert [seed.run.seed for seed in seeds] == [1, 2]
    assert result.get("baseline_random/origin/eer").value == pytest.approx(0.5, abs=0.15)
    assert result.get("variant_dnn/identity_free/eer") is None
    clips = result.get("origin/weighted_f1")
    assert (clips.n, clips.speakers) == (24, 3)


def test_the_majority_is_that_of_training(finished: Path) -> None:
    result = read_result(finished / "result.json")
    with (finished / "data/splits/held-out-speakers.csv").open() as file:
        split_of = {row["id"]: row["split"] for row in csv.DictReader(file)}
    emotions = {"train": [], "test": []}
    for id_, split in split_of.items():
        if split in emotions:
            emotions[split].append(id_.split("/")[1].split("_")[1])
    counts = {name: emotions["train"].count(name) for name in sorted(set(emotions["train"]))}
    said = [max(counts, key=counts.get)] * len(emotions["test"])
    expected = weighted_f1(said, emotions["test"])
    assert result.get("baseline_majority/weighted_f1").value == pytest.approx(expected)


def test_the_table_has_the_papers_rows_bounds_and_costs(finished: Path) -> None:
    text = (finished / "table.md").read_text()
    shown = [row.label for row in ROWS if row.system in ("dnn", "lrvae") or "avae" in row.system]
    for label in (*shown, "bound: the input, standardised", "bound: random vectors"):
        assert f"| {label} |" in text
    assert "LR-VAE without adversary" not in text
    assert "published: none of functionals" in text and "| published |" not in text
    assert "| both of A-VAE |" in text
    rows = rows_of(finished / "table.csv")
    one = next(r for r in rows if r["system"] == "lrvae" and r["measure"] == "eer")
    assert float(one["lowest_seed"]) <= float(one["mean"]) <= float(one["highest_seed"])
    assert (one["seeds"], one["published"]) == ("2", "")


def test_curves_begin_and_end_where_they_must(finished: Path) -> None:
    points = rows_of(finished / "masking.csv")
    systems = ("lrvae", "avae_emotion", "avae_identity")
    keys = [(p["system"], p["keep"], int(p["masked_groups"])) for p in points]
    assert keys == [
        (s, k, n) for s in systems for k in ("emotion", "identity") for n in (0, 16, 32)
    ]
    guessed = read_result(finished / "result.json").get("baseline_majority/weighted_f1").value
    for point in points:
        if point["masked_groups"] == "32":
            assert float(point["eer"]) == 0.5
            assert float(point["weighted_f1"]) == pytest.approx(guessed, abs=1e-6)


def test_what_is_complete_is_not_made_again(
    main: Callable, finished: Path, small_corpus: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "again"
    shutil.copytree(finished, folder)
    before = read_result(folder / "result.json").metrics
    shutil.rmtree(folder / "systems/avae_identity/2")
    (folder / "curves/avae_emotion.json").unlink()
    (folder / "result.json").unlink()
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("systems/*/*/result.json")}
    table = (folder / "vectors.npz").stat().st_mtime_ns
    hparams = (folder / "hparams.yaml").read_text().replace(str(finished), str(folder))
    (folder / "hparams.yaml").write_text(hparams)
    run(main, small_corpus, folder, SYSTEMS)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert (folder / "vectors.npz").stat().st_mtime_ns == table
    after = read_result(folder / "result.json").metrics
    timed = "training/seconds"
    assert [m for m in after if timed not in m.metric] == [
        m for m in before if timed not in m.metric
    ]
    with pytest.raises(HparamError, match="holds a run with"):
        run(main, small_corpus, folder, SYSTEMS, "--learning_rate=0.1")


def test_the_model_is_loaded_with_its_card(finished: Path) -> None:
    model = emovec.load(finished / "model")
    assert isinstance(model, Separator)
    table = embedding_files.read(finished / "vectors.npz")
    whole = model.transform(table.vectors)
    kept = model.transform(table.vectors, keep="emotion")
    assert whole.shape == (80, model.embedding_size) == (80, 32)
    assert np.array_equal(kept[:, :16], whole[:, :16]) and not kept[:, 16:].any()
    assert not model.transform(table.vectors, keep="identity")[:, :16].any()
    one = model.transform(table.vectors[0], keep="emotion", masked_groups=8)
    assert one.shape == (32,) and not one[24:].any() and one[:24].any()
    part = read_result(finished / "systems/lrvae/1/result.json")
    for attacker, measure in (
        ("plda", "identity_free/eer_plda"),
        ("svm", "origin/weighted_f1_svm"),
    ):
        lines = [line for line in model.card.splitlines() if f"| {attacker} |" in line]
        assert any(f"{part.get(measure).value:.3f}" in line for line in lines)
    assert "Anonymity. It is not guaranteed" in model.card
    assert "- Licence: CC0-1.0" in model.card


def test_a_table_of_embeddings_and_published_numbers(
    train: Train, small_corpus: Path, tmp_path: Path
) -> None:
    ids = [u.id for u in read_manifest(small_corpus / "manifest.csv")]
    vectors = np.random.default_rng(0).standard_normal((79, 5)).astype(np.float32)
    embedding_files.write(Embeddings(ids[1:], vectors), tmp_path / "table.npz")
    folder = train(
        f"--embeddings={tmp_path / 'table.npz'}",
        "--input_name=xvector",
        "--systems=[lrvae]",
        "--seeds=[1]",
        "--curves=False",
    )
    text = (folder / "table.md").read_text()
    assert "arXiv 2106.02810" in text and "measured on small, not on msp_podcast" in text
    (line,) = [line for line in text.splitlines() if line.startswith("| LR-VAE, PP-SER | 1 |")]
    assert "| 0.5109 |" in line and "| 0.4948 |" in line
    result = read_result(folder / "result.json")
    assert f"small/{ids[0]}" in [skip.id for skip in result.skipped]
    assert not (folder / "vectors.npz").exists()


def test_a_search_and_what_it_chose(train: Train) -> None:
    folder = train(
        "--seeds=[1]",
        "--search={profile: [linear, step], masked_groups: [8, 16]}",
        file="lrvae_search",
    )
    rows = rows_of(folder / "search.csv")
    tried = [(row["profile"], row["masked_groups"]) for row in rows]
    assert tried == [("linear", "8"), ("linear", "16"), ("step", "8"), ("step", "16")]
    (best,) = [row for row in rows if row["chosen"] == "1"]
    assert float(best["shortfall"]) == min(float(row["shortfall"]) for row in rows)
    assert {path.name for path in (folder / "figures").iterdir()} == {
        "trade_off.png",
        "trade_off.svg",
    }
    text = (folder / "table.md").read_text()
    assert "| chosen, identity-free |" in text and "search.csv has all settings" in text
    config = json.loads((folder / "model/config.json").read_text())
    assert config["arguments"]["profile"] == best["profile"]
    result = read_result(folder / "result.json")
    assert (
        result.get("identity_free/eer").value
        == result.get("variant_chosen/identity_free/eer").value
    )


def test_several_corpora_are_compared_within_each(
    train: Train, small_corpus: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(small_corpus, other)
    info = read_corpus_info(other / "corpus.json")
    write_corpus_info(other / "corpus.json", replace(info, name="other"))
    sources = f"--corpora=[{small_corpus}, {other}]"
    folder = train(sources, "--systems=[dnn]", "--seeds=[1]", "--curves=False", name="two")
    result = read_result(folder / "result.json")
    assert result.run.corpus == "small+other"
    assert result.get("origin/eer").speakers == 6


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (["--systems=[gan]"], HparamError, "system is 'gan'"),
        (["--seeds=[1,1]"], HparamError, "seeds are"),
        (["--seeds=[]"], HparamError, "seeds are"),
        (["--search={colour: [red]}"], HparamError, "search has"),
        (["--embeddings=nowhere"], HparamError, "nowhere"),
        (["--held_out=0.6"], HparamError, "held_out is 0.6"),
        (["--emotions=[joy]"], SplitError, "joy"),
        (["--latent_size=30", "--systems=[dnn]"], HparamError, "latent_size is 30"),
        (["--profile=[0.5, 1.0]", "--systems=[lrvae]"], HparamError, "profile is"),
        (["--attackers=[plda]"], HparamError, "attackers are"),
    ],
)
def test_what_cannot_be(train: Train, options: list[str], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        train(*options)
