"""Every file in hparams/ loads with its recipe's keys, and every variant changes known ones."""

import itertools
import re
from pathlib import Path
from types import ModuleType

import pytest
from recipe_modules import load_recipe

from emovec import experiment
from emovec.corpora import protocol
from emovec.corpora.msp_podcast import CORPUS
from emovec.encoders import store
from emovec.report.paper_table import PlannedVariant, Training, read_paper_table
from emovec.tables.corpus import read_corpus_info
from emovec.tables.manifest import read_manifest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "hparams").glob("*.yaml"))
TABLES = {file.stem: read_paper_table(file) for file in (ROOT / "hparams/tables").glob("*.yaml")}
MODELS = {"clean_model": "clean", "aug_model": "aug", "encoder_options": {}}
GIVEN = {
    "xvector": {**MODELS, "noise": "noise"},
    "deeptalk": {"model": "model", "xvector_model": "xvector"},
}
TRAININGS = {
    f"{name}/{training.name}": training
    for name, table in TABLES.items()
    for training in table.with_parameters(GIVEN.get(name, {})).trained([])
}
SMALL = {"encoder_size": "tiny", "weights": "null"}  # nothing is fetched


def recipe_of(file: Path) -> ModuleType:
    """The recipe that a file's usage line names."""
    return load_recipe(re.findall(r"recipes/(\S+\.py) hparams/", file.read_text())[0])


def start(file: Path, folder: Path, *overrides: str) -> experiment.Experiment:
    found = experiment.plain_hparams([str(file)])
    small = [f"--{key}={value}" for key, value in SMALL.items() if key in found]
    line = [str(file), *small, f"--run_folder={folder}", *overrides]
    recipe = recipe_of(file)
    return experiment.start(getattr(recipe, "TARGETS", recipe.Hparams), line)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_loads_with_the_keys_of_its_recipe(file: Path, tmp_path: Path) -> None:
    run = start(file, tmp_path, "--seed=5")
    assert run.hparams.seed == run.plain["seed"] == 5
    assert run.folder == tmp_path


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_plain_hparams_need_nothing_built(file: Path, tmp_path: Path) -> None:
    found = experiment.plain_hparams([str(file)])
    line = [f"--{key}={value}" for key, value in SMALL.items() if key in found]
    plain = experiment.plain_hparams([str(file), *line, f"--run_folder={tmp_path}"])
    assert plain == start(file, tmp_path, *line).plain


def test_the_large_setting_is_the_published_one() -> None:
    small = experiment.plain_hparams([str(ROOT / "hparams/emosphere.yaml")])
    large = experiment.plain_hparams([str(ROOT / "hparams/emosphere_large.yaml")])
    published = {
        "encoder_size": "large",
        "weights": "published",
        "freeze_front_end": True,
        "layers": "last",
        "max_seconds": 12,
        "pooling": "style_pooling",
        "head_dropout": 0.5,
        "auxiliary": "region",
        "auxiliary_weight": "decaying",
        "weighted_cross_entropy": True,
        "regions": 8,
        "drop_emotions": ["no_agreement", "other"],
        "learning_rate": 1e-5,
        "schedule": "constant",
        "epochs": 20,
        "corpus": "msp_podcast",
        "protocol": "emosphere-inhouse",
    }
    assert {key: large[key] for key in published} == published
    assert large["encoder"] == small["encoder"] | {
        "size": "large",
        "weights": "published",
        "freeze_front_end": True,
        "dropout": 0.1,
        "layer_drop": 0.1,
        "mask_time_probability": 0.05,
    }
    assert large["pooling_options"] == {"dropout": 0.1}
    assert large["optimizer"] == small["optimizer"] | {"lr": 1e-5}
    assert large["patience"] >= large["epochs"]
    assert protocol(CORPUS, large["protocol"]).shares_speakers
    clips = large["batch_seconds"] * large["micro_batches"] / 5.7  # seconds, MSP-Podcast's mean
    assert clips == pytest.approx(32, abs=2)


@pytest.mark.parametrize("training", TRAININGS.values(), ids=TRAININGS)
def test_a_training_s_overrides_are_known(training: Training) -> None:
    line = [str(ROOT / training.hparams), *training.command_line()]
    plain = experiment.plain_hparams(line)
    assert {key: plain[key] for key in training.overrides} == training.overrides


@pytest.mark.parametrize(
    "training", TABLES["emosphere"].trained([]), ids=lambda training: training.name
)
def test_a_training_of_affect_builds(
    training: Training, tmp_path: Path, small_corpus: Path
) -> None:
    run = start(ROOT / training.hparams, tmp_path, *training.command_line())
    task = run.hparams.task(
        read_corpus_info(small_corpus / "corpus.json"), read_manifest(small_corpus / "manifest.csv")
    )
    expected = {"affect", run.hparams.auxiliary} - {"none"}
    assert set(task.heads) == expected
    store.create(run.hparams.pooling, width=8)


def test_emosphere_rows_are_cumulative_where_published_so() -> None:
    overrides = {row.name: dict(row.overrides) for row in TABLES["emosphere"].variants}
    assert len(overrides) == 10
    assert overrides["proposed"] == {}
    chain = ["no_preprocessing", "attentive_pooling", "no_auxiliary"]
    for before, after in itertools.pairwise(chain):
        assert overrides[before].items() <= overrides[after].items()
    assert [len(overrides[name]) for name in chain] == [1, 3, 4]  # a pooling brings its options
    single = set(overrides) - {"proposed", "regions_8", *chain}
    assert {len(overrides[name]) for name in single} == {1}
    assert {row.name: row.same_as for row in TABLES["emosphere"].variants if row.same_as} == {
        "regions_8": "proposed"
    }


@pytest.mark.parametrize("variant", TABLES["emosphere"].variants, ids=lambda row: row.name)
def test_published_means_are_means(variant: PlannedVariant) -> None:
    axes = [variant.published[f"ccc/{axis}"] for axis in ("valence", "arousal", "dominance")]
    # each number is rounded, or cut, to four digits
    assert variant.published["ccc/mean"] == pytest.approx(sum(axes) / 3, abs=1e-4)


def test_the_x_vector_is_the_published_one() -> None:
    """Pappagari et al. (2020), and the code that they name."""
    found = experiment.plain_hparams([str(ROOT / "hparams/xvector.yaml")])
    published = {
        "features": "mfcc",
        "activity": True,
        "channels": [16, 32, 64, 128],
        "blocks": [3, 4, 6, 3],
        "pooling": "dictionary",
        "embedding_size": 400,
        "criterion": "angular_softmax",
        "criterion_options": {"margin": 2},
        "chunk_seconds": [3.0, 8.0],
        "batch_size": 128,
        "learning_rate": 0.0014,
        "schedule": "warm_up_inverse_root",
        "augment": False,
    }
    assert {key: found[key] for key in published} == published
    assert found["optimizer"] == {
        "class": "name:torch.optim.Adam",
        "lr": 0.0014,
        "betas": [0.9, 0.98],
        "weight_decay": 0.0001,
    }


def test_the_encoder_is_built_of_its_keys(tmp_path: Path) -> None:
    run = start(ROOT / "hparams/xvector_small.yaml", tmp_path, "--pooling=statistics")
    built = run.hparams.encoder.arguments()
    keys = ("features", "sample_rate", "activity", "channels", "blocks", "embedding_size")
    assert {key: built[key] for key in keys} == {key: run.plain[key] for key in keys}
    assert (built["pooling"], built["channels"]) == ("statistics", [8, 16, 32, 64])
    assert isinstance(
        store.create(run.hparams.criterion, width=4, speakers=3, **run.hparams.criterion_options),
        store.kind("additive_margin_softmax"),
    )


def test_the_small_x_vector_hears_the_spectrum_s_shape_and_costs_less() -> None:
    large, small = (
        experiment.plain_hparams([str(ROOT / f"hparams/{name}.yaml")])
        for name in ("xvector", "xvector_small")
    )
    same = ("sample_rate", "activity", "blocks", "augment", "held_out")
    assert {key: small[key] for key in same} == {key: large[key] for key in same}
    heard = ("features", "mean_normalise", "level_normalise", "keep_bands")
    assert [small[key] for key in heard] == ["log_mel", False, True, True]
    assert [large[key] for key in heard] == ["mfcc", True, False, False]  # as published
    assert small["run_folder"] == "runs/speaker/xvector_small/1"
