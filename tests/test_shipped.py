"""The models that come with the package: whole, small enough, and what their cards say.

``recipes/ship.py`` makes them and what is stored here in shipped/, by the rounded weights.
"""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from recipe_modules import load_recipe

import emovec
from emovec import experiment
from emovec.audio.reference import reference_waves
from emovec.cli import main as command
from emovec.encoders import cards
from emovec.encoders.folders import read_config
from emovec.encoders.locating import (
    USUAL_ENCODER,
    USUAL_PREDICTOR,
    ModelListing,
    find_model,
    place_of,
    shipped,
)
from emovec.encoders.shipping import LARGEST, LARGEST_OF_ALL
from emovec.encoders.store import check_folder, read_weights
from emovec.report.card import is_non_commercial
from emovec.report.shipping_plan import chain, read_plan

ROOT = Path(__file__).parents[1]
PLANS = sorted((ROOT / "hparams" / "ship").glob("*.yaml"))
REFERENCES = sorted(file.stem for file in (ROOT / "tests" / "shipped").glob("*.npy"))
LISTED = shipped()
NONE = [pytest.param(None, marks=pytest.mark.skip("no model is made yet"), id="none")]
PARTS = {"LICENSE", "card.md", "config.json", "model.safetensors", "results.json"}


@pytest.fixture(params=LISTED or NONE, ids=lambda listing: listing.name)
def listing(request: pytest.FixtureRequest) -> ModelListing:
    """A model that comes with the package."""
    return request.param


@pytest.fixture
def facts(listing: ModelListing) -> dict:
    """Its results.json."""
    return json.loads((place_of(listing.name) / "results.json").read_text())


def test_what_was_made_comes_along():
    """References lie here, models in the package: a package that has lost its models is told."""
    assert [listing.name for listing in LISTED] == REFERENCES
    assert set(REFERENCES) <= {plan.stem for plan in PLANS}


def test_what_is_used_by_default_comes_along():
    if not REFERENCES:
        pytest.skip("no model is made yet")
    assert {USUAL_ENCODER, USUAL_PREDICTOR} <= {listing.name for listing in LISTED}


def test_sizes():
    assert sum(listing.size for listing in LISTED) <= LARGEST_OF_ALL == 28_000_000
    for listing in LISTED:
        weights = place_of(listing.name) / "model.safetensors"
        assert weights.stat().st_size <= LARGEST == 10_000_000


def test_a_folder_is_whole(listing):
    folder = place_of(listing.name)
    assert {path.name for path in folder.iterdir()} == PARTS
    assert check_folder(folder) == []  # the checksum is one of what is checked
    weights = read_weights(folder / "model.safetensors")
    assert {value.dtype for value in weights.values()} >= {torch.float16}
    assert CliRunner().invoke(command, ["check", str(folder)]).exit_code == 0


def test_a_wrong_byte_is_found(listing, tmp_path):
    for file in find_model(listing.name).iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    content = bytearray((tmp_path / "model.safetensors").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "model.safetensors").write_bytes(content)
    assert "its SHA-256 is" in "\n".join(check_folder(tmp_path))


def test_reference_clips(listing):
    model = emovec.load(listing.name, device="cpu")
    stored = np.load(ROOT / "tests" / "shipped" / f"{listing.name}.npy")
    found = load_recipe("ship.py").reference_values(model)
    assert found.shape == stored.shape and len(found) == len(reference_waves(model.sample_rate))
    assert np.abs(found - stored).max() < 1e-3
    # which would not be noticed if all clips had the same embedding
    assert np.linalg.norm(stored[0] - stored[1]) > 0.01 * np.linalg.norm(stored[0])


def test_the_card_has_the_numbers_of_the_results(listing, facts):
    """Every row of the card's table, read back, against results.json."""
    card = (place_of(listing.name) / "card.md").read_text()
    section = card.split("\n## Results\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:2] == "| "][1:]
    wanted = [(one["what"], metric) for one in facts["measured"] for metric in one["metrics"]]
    assert len(rows) == len(wanted) > 0
    for (what, name, value, clips, speakers), (of, metric) in zip(rows, wanted, strict=True):
        assert (what, name) == (of, metric["metric"])
        assert (int(clips), int(speakers)) == (metric["n"], metric["speakers"])
        number, *bounds = map(float, re.findall(r"-?\d+\.\d+", value))
        assert number == pytest.approx(metric["value"], abs=5.1e-4)
        assert bounds == pytest.approx(metric["interval"] or [], abs=5.1e-3)


def test_results_are_those_of_the_runs(facts):
    """Runs whose result.json is kept in results/ say the same."""
    kept = {}
    for path in (ROOT / "results").rglob("result.json"):
        result = json.loads(path.read_text())
        kept[result["run"]["command"], result["run"]["started"]] = result["metrics"]
    for one in facts["measured"]:
        run = one["making"]
        known = kept[run["command"], run["started"]]  # each number of a card has its run
        assert all(metric in known for metric in one["metrics"])


def test_the_card_says_what_one_must_know(listing, facts):
    card = (place_of(listing.name) / "card.md").read_text()
    binding = [data["name"] for data in facts["data"] if is_non_commercial(data["licence"])]
    notice = card.splitlines()[2]
    assert all(f"{name} (" in notice for name in binding)
    assert bool(binding) == notice.startswith("**Non-commercial use only")
    assert is_non_commercial(listing.licence) or not binding
    assert cards.licence(card) == listing.licence == facts["licence"]
    assert facts["licence"] in (place_of(listing.name) / "LICENSE").read_text()
    assert listing.summary and "ravdess" not in {data["name"] for data in facts["data"]}
    for training in facts["trainings"]:
        assert "-dirty" not in training["commit"] and training["commit"] in card
        assert training["command"] in card and training["machine"] in card
    assert f"python recipes/ship.py {listing.name}\n" in card
    for heading in ("Data", "How it was made", "Meant for", "Not to be used for"):
        assert f"\n## {heading}\n" in card
    assert "/work/" not in card and "/tmp/" not in card and "/home/" not in card


def test_the_list_has_it(listing):
    rows = json.loads(CliRunner().invoke(command, ["models", "--json"]).stdout)
    row = {row["name"]: row for row in rows}[listing.name]
    assert (row["bytes"], row["licence"]) == (listing.size, listing.licence)
    assert row["summary"] == listing.summary


# --- the plans, which are here whether or not their models are


@pytest.mark.parametrize("file", PLANS, ids=lambda file: file.stem)
def test_a_plan_can_be_followed(file, monkeypatch):
    monkeypatch.chdir(ROOT)
    plans = chain(file)
    assert plans[-1] == read_plan(file)
    for step in plans[-1].steps():
        run = step.run(experiment.plain_hparams)  # whose overrides are known
        assert (ROOT / run.command[0]).is_file()
        assert not any(part.startswith("/") for part in re.split(r"[=\[, ]", step.command))
    made_before = {plan.name for plan in plans[:-1]}
    assert set(plans[-1].stands_on.values()) <= made_before


def test_what_stands_on_another_names_it():
    for listing in LISTED:
        config = read_config(place_of(listing.name) / "config.json")
        stands_on = read_plan(ROOT / "hparams" / "ship" / f"{listing.name}.yaml").stands_on
        for part, name in stands_on.items():
            assert config["arguments"][part]["shipped"] == name
