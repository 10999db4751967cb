"""Shipping: from finished runs to the folder of a model, and what must not ship."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from recipe_modules import load_recipe

import emovec
from emovec import experiment
from emovec.encoders import cards, locating
from emovec.encoders.locating import shipped
from emovec.encoders.pooling import MeanPooling
from emovec.encoders.resnet import ResNet
from emovec.encoders.store import check_folder, load_model, save_model
from emovec.encoders.wavlm import WavLM
from emovec.errors import HparamError, ModelError, SplitError, TrainingError
from emovec.report import shipping_plan
from emovec.tables.results import Metric, Result, RunFacts, write_result
from emovec.training.models import AffectModel

ROOT = Path(__file__).parents[1]
PLAN = """\
name: {name}
summary: A small network.
about: It is for tests.
use: Tests.
misuse: [All else.]
licence: {licence}
made_from: {made_from}
stands_on: {stands_on}
further_data: ["noise of esc10, CC BY 3.0"]
trainings:
    - folder: {folder}
      command: {command}
evaluations:
    - what: held-out speakers
      metrics: [eer/pooled]
    - what: RAVDESS, all pairs
      metrics: [eer/pooled, eer/same]
      folder: {folder}_eer
      command: {evaluation}
"""
EVALUATION = "recipes/verification/eer_matrix.py hparams/verification.yaml"


@pytest.fixture
def ship(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The recipe, in a repository of its own with the hparams of this one."""
    recipe = load_recipe("ship.py")
    (tmp_path / "hparams" / "ship").mkdir(parents=True)
    for name in ("xvector.yaml", "xvector_small.yaml", "verification.yaml", "emosphere.yaml"):
        (tmp_path / "hparams" / name).write_bytes((ROOT / "hparams" / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recipe, "PLANS", tmp_path / "hparams" / "ship")
    monkeypatch.setattr(recipe, "REFERENCES", tmp_path / "references")
    monkeypatch.setattr(locating, "_shipped_folder", lambda: tmp_path / "models")
    return recipe


def add_corpus(name: str, licence: str) -> None:
    folder = Path("data", name)
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"name": name, "utterances": 20, "speakers": 4, "licence": licence, "citation": "They"}
    (folder / "corpus.json").write_text(json.dumps(facts))


def add_run(folder: str, command: str, corpus: str, *metrics: Metric, **changes: object) -> None:
    """A finished run, without its model."""
    hparams = experiment.plain_hparams([*command.split()[1:], f"--run_folder={folder}"])
    run = RunFacts(
        command=f"python {command} --run_folder={folder}",
        commit="0123456789abcdef",
        seed=1,
        started="2026-01-01T00:00:00+00:00",
        seconds=7500.0,
        machine="a processor, 2 cores, cpu",
        versions={"torch": "2"},
        manifest_hash="0",
        hparams=hparams,
        corpus=corpus,
        affect_source=None,
        protocol="held-out-speakers",
        split_hash=f"{corpus} 20 clips",
        shares_speakers=False,
    )
    result = Result(replace(run, **changes), metrics, warnings=("4 speakers",))
    write_result(Path(folder, "result.json"), result)


def speaker_command(*corpora: str) -> str:
    sources = ",".join(f"data/{name}" for name in corpora)
    return f"recipes/speaker/train.py hparams/xvector_small.yaml --corpora=[{sources}]"


POOLED = Metric("eer/pooled", 0.2512, 20, 4, (0.21, 0.3))
SAME = Metric("eer/same", 0.2, 20, 4, None)


@pytest.fixture
def add(ship: ModuleType) -> Callable[..., None]:
    """Adds a plan with its runs; training facts and the model may be changed."""

    def add_plan(
        name: str = "small",
        *,
        licence: str = "CC BY-NC-SA 4.0",
        corpora: tuple[str, ...] = ("nemo", "wuw2"),
        model: torch.nn.Module | None = None,
        command: str = "",
        tested: str = "ravdess",
        made_from: str = "null",
        stands_on: str = "{}",
        **changes: object,
    ) -> None:
        command, folder = command or speaker_command(*corpora), f"runs/{name}"
        texts = {"name": name, "licence": licence, "made_from": made_from, "stands_on": stands_on}
        text = PLAN.format(**texts, folder=folder, command=command, evaluation=EVALUATION)
        (ship.PLANS / f"{name}.yaml").write_text(text)
        add_run(folder, command, "+".join(corpora), POOLED, **changes)
        add_run(f"{folder}_eer", EVALUATION, tested, POOLED, SAME)
        torch.manual_seed(0)
        made = ResNet(channels=(4,), blocks=(1,), embedding_size=6) if model is None else model
        save_model(Path(folder, "model"), made, "")

    add_corpus("nemo", "CC-BY-NC-SA-4.0")
    add_corpus("wuw2", "CC-BY-SA-4.0")
    add_corpus("ravdess", "CC BY-NC-SA 4.0")
    return add_plan


def test_a_folder(ship, add, tmp_path):
    add()
    ship.main(["small"])
    folder = tmp_path / "models" / "small"
    names = {"LICENSE", "card.md", "config.json", "model.safetensors", "results.json"}
    assert {path.name for path in folder.iterdir()} == names
    assert check_folder(folder) == []
    card = (folder / "card.md").read_text()
    assert card.splitlines()[2].startswith(
        "**Non-commercial use only: trained on nemo (CC-BY-NC-SA-4.0), among"
    )
    for text in (
        "| held-out speakers | eer/pooled | 0.251 [0.21, 0.30] | 20 | 4 |",
        "| RAVDESS, all pairs | eer/same | 0.200 | 20 | 4 |",
        "| wuw2 | CC-BY-SA-4.0 | 20 | 4 |  | They |",
        "- noise of esc10, CC BY 3.0",
        "Never heard in training: ravdess.",
        f"`python {speaker_command('nemo', 'wuw2')} --run_folder=runs/small`",
        "commit 0123456789abcdef, seed 1",
        "2 h 5 min on a processor, 2 cores, cpu",
        "python recipes/ship.py small\n",
        "- All else.\n- Decisions about people",
        'emovec.load("small").embed("a.wav")',
        "    - Warning: 4 speakers",
    ):
        assert text in card, card
    assert card.count("    - Warning: 4 speakers") == 2  # once for each run
    assert cards.licence(card) == "CC BY-NC-SA 4.0"
    assert cards.summary(card) == "A small network."
    licence = (folder / "LICENSE").read_text()
    assert "by-nc-sa/4.0/legalcode" in licence and "- nemo: They; CC-BY-NC-SA-4.0" in licence
    assert "- noise of esc10, CC BY 3.0" in licence  # whose licence wants it named, too
    (listing,) = shipped()
    assert (listing.name, listing.kind) == ("small", "resnet")


def test_numbers_are_those_of_the_runs(ship, add, tmp_path):
    add()
    ship.main(["small"])
    facts = json.loads((tmp_path / "models" / "small" / "results.json").read_text())
    training, measured = (
        json.loads(Path(f"runs/small{end}", "result.json").read_text()) for end in ("", "_eer")
    )
    assert facts["measured"][0]["metrics"] == training["metrics"]
    assert facts["measured"][1]["metrics"] == measured["metrics"]
    assert facts["trainings"][0]["command"] == training["run"]["command"]
    before, after = load_model(Path("runs/small/model")), emovec.load("small")
    distance = ship.difference(emovec.load("runs/small/model"), after)
    assert 0 < distance < 0.01 and facts["difference"] == pytest.approx(distance, rel=0.1)
    stored = np.load(tmp_path / "references" / "small.npy")
    assert stored.shape == (3, 6) and stored.dtype == np.float32
    assert np.allclose(stored, ship.reference_values(after), atol=1e-5)
    assert before.embedding_size == 6


def test_the_same_runs_give_the_same_bytes(ship, add, tmp_path):
    add()
    found = []
    for _ in range(2):
        ship.main(["small"])
        files = [*(tmp_path / "models").rglob("*"), *(tmp_path / "references").iterdir()]
        found.append({path: path.read_bytes() for path in files if path.is_file()})
    assert found[0] == found[1] and len(found[0]) == 6


def test_a_chain(ship, add, tmp_path):
    torch.manual_seed(0)
    base = WavLM("tiny")
    add("base", model=base, corpora=("wuw2",), licence="CC BY-SA 4.0")
    axes, heads = ("arousal", "valence", "dominance"), {"affect": ["v", "a", "d"]}
    model = AffectModel(base, MeanPooling(128), heads, 16, 0.2, 0.0, 0.1, (-1, 1), 8, axes, 9.0)
    add(
        "top",
        model=model,
        corpora=("nemo",),
        made_from="base",
        stands_on="{encoder: base}",
        affect_source="prototype",
    )
    ship.main(["top"])
    assert [listing.name for listing in shipped()] == ["base", "top"]
    below = (tmp_path / "models" / "base" / "card.md").read_text()
    assert "Trained on wuw2." in below and "Trainings before it" not in below
    top = tmp_path / "models" / "top"
    assert (top / "model.safetensors").stat().st_size < 30_000
    card = (top / "card.md").read_text()
    for text in (
        "> **Labels are affect prototypes, not ratings.**",
        "| nemo | CC-BY-NC-SA-4.0 |",
        "| wuw2 | CC-BY-SA-4.0 |",  # of what it is made from
        "--run_folder=runs/base`",
        "4 h 10 min on",
        "    - Trainings before it may have heard these speakers without labels, never with",
        "encoder: base, frozen",
        'emovec.load("top").predict("a.wav")',
    ):
        assert text in card, card
    assert np.load(tmp_path / "references" / "top.npy").shape == (3, 128 + 3)
    assert -1 <= emovec.load("top").predict(ship.reference_waves(16000)[0], 16000).valence <= 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"corpora": ("nemo", "ravdess")}, r"trained on \['ravdess'\], to be measured on"),
        ({"tested": "nemo"}, r"measured on \['nemo'\], which it was trained on"),
        ({"leaks": ("a speaker in two splits",)}, "leaks; expected none"),
        ({"licence": "CC BY 4.0"}, r"licence CC BY 4.0, and \['nemo'\] forbid commercial use"),
        ({"licence": "CC BY-NC 4.0"}, "licence 'CC BY-NC 4.0'; expected one of"),
    ],
)
def test_what_must_not_ship(ship, add, tmp_path, changes, said):
    add(**changes)
    with pytest.raises(ModelError, match=said):
        ship.main(["small"])
    assert not (tmp_path / "models" / "small").exists()
    assert not (tmp_path / "references").exists()


def test_trainings_on_one_corpus_need_splits_to_compare(ship, add, tmp_path):
    torch.manual_seed(0)
    base = WavLM("tiny")
    add("base", model=base, corpora=("nemo",))
    add("top", model=base, corpora=("nemo",), made_from="base")
    with pytest.raises(SplitError, match=r"splits/held-out-speakers\.csv: not found"):
        ship.main(["top"])
    assert [listing.name for listing in shipped()] == ["base"]


def test_unknown_licences_and_corpora(ship, add):
    add_corpus("wuw2", "")
    add()
    with pytest.raises(ModelError, match=r"licence of \['wuw2'\] is not known"):
        ship.main(["small"])
    Path("data/wuw2/corpus.json").unlink()
    with pytest.raises(ModelError, match=r"wuw2: no corpus\.json below"):
        ship.main(["small"])


def test_a_metric_that_is_not_there(ship, add):
    add()
    plan = ship.PLANS / "small.yaml"
    plan.write_text(plan.read_text().replace("eer/same", "eer/none"))
    with pytest.raises(ModelError, match=r"no metric eer/none; expected one of \['eer/pooled'"):
        ship.main(["small"])


def test_rounding_that_is_more_than_that(ship, add, monkeypatch):
    add()
    monkeypatch.setattr(ship, "LARGEST_DIFFERENCE", 1e-9)
    with pytest.raises(ModelError, match=r"differ by .* of their length"):
        ship.main(["small"])


def test_runs_that_are_missing_are_made(ship, add, monkeypatch):
    add()
    asked = []
    kept = Path("runs/small_eer/result.json").read_bytes()

    def train(run, neighbours):
        asked.append(run.command)
        Path("runs/small_eer/result.json").write_bytes(kept)
        return True

    monkeypatch.setattr(shipping_plan.Run, "train", train)
    ship.main(["small"])
    assert asked == []
    Path("runs/small_eer/result.json").unlink()
    ship.main(["small"])
    assert asked == [[*EVALUATION.split(), "--run_folder=runs/small_eer"]]


def test_a_run_of_other_hparams_is_not_taken(ship, add):
    add()
    add_run("runs/small", speaker_command("nemo") + " --epochs=1", "nemo", POOLED)
    with pytest.raises(TrainingError, match=r"runs/small/log\.txt ends with"):
        ship.main(["small"])  # the recipe is not in this folder, so that it fails


@pytest.mark.parametrize("line", [[], ["a", "b"], ["--help"], ["absent"]])
def test_wrong_names(ship, add, line):
    add()
    with pytest.raises(HparamError, match="expected one of"):
        ship.main(line)


def test_plans_that_go_round(ship, add):
    add("one", made_from="two")
    add("two", made_from="one")
    with pytest.raises(HparamError, match="made_from leads back to one"):
        ship.main(["one"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: small", "name: large"),
        ("use: Tests.\n", ""),
        ("use: Tests.", "use: Tests.\nepochs: 3"),
        ("    - what: held-out speakers\n", "    - that: held-out speakers\n"),
        ("      command: recipes/speaker", "      line: recipes/speaker"),
    ],
)
def test_plans_that_are_none(ship, add, old, new):
    add()
    plan = ship.PLANS / "small.yaml"
    assert old in plan.read_text()
    plan.write_text(plan.read_text().replace(old, new))
    with pytest.raises(HparamError, match=r"small\.yaml.*Mend it"):
        ship.main(["small"])
