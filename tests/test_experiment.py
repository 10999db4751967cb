"""Command line to hyper-parameters; what is missing or unknown is named before all is built."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from emovec import experiment
from emovec.errors import HparamError


@dataclass(frozen=True)
class Hparams:
    seed: int
    run_folder: str
    rate: float
    names: list[str]
    made: Any


BASE = """
seed: 1
run_folder: !ref {folder}/<seed>
rate: 1e-3
names: [a, b]
made: !new:collections.Counter
    x: !ref <rate>
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "base.yaml"
    path.write_text(BASE.format(folder=tmp_path / "runs"))
    return path


def start(file: Path, *overrides: str) -> experiment.Experiment[Hparams]:
    return experiment.start(Hparams, [str(file), *overrides])


def test_objects_are_built_and_kept_plain(file: Path, tmp_path: Path) -> None:
    run = start(file)
    assert run.hparams.made == {"x": 0.001}
    assert run.plain["made"] == {"class": "new:collections.Counter", "x": 0.001}
    assert run.plain["rate"] == 0.001
    assert run.folder == tmp_path / "runs" / "1" and run.folder.is_dir()


def test_overrides_reach_references(file: Path, tmp_path: Path) -> None:
    run = start(file, "--seed=7", "--rate=1e-5", "--names=[c]", "--device=cpu")
    assert run.folder == tmp_path / "runs" / "7"
    assert run.hparams.made == {"x": 1e-5}
    assert run.hparams.names == ["c"]
    assert run.run_options.device == "cpu"


def test_a_key_that_others_refer_to_need_not_be_listed(file: Path) -> None:
    """Such as one that only the constructor of an object takes."""
    more = "    y: [!ref <more>, !ref <rate>]\nmore: !ref <most>\nmost: 2\n"
    file.write_text(file.read_text() + more)
    run = start(file, "--most=5")
    assert run.hparams.made == {"x": 0.001, "y": [5, 0.001]}
    assert (run.plain["more"], run.plain["most"]) == (5, 5)
    with pytest.raises(HparamError, match=r"unknown \['mos'\]; expected among .*'most'"):
        start(file, "--mos=5")
    file.write_text(file.read_text() + "left: 3\n")
    with pytest.raises(HparamError, match=r"missing \[\], unknown \['left'\]"):
        start(file)


def test_a_file_may_extend_another(file: Path, tmp_path: Path) -> None:
    child = tmp_path / "child.yaml"
    child.write_text("extends: base.yaml\nrate: 5\nseed: 2\n")
    run = start(child, "--seed=3")
    assert (run.hparams.seed, run.hparams.rate, run.hparams.names) == (3, 5, ["a", "b"])


def test_same_seed_same_random_numbers(file: Path) -> None:
    import torch

    drawn = []
    for seed in (1, 1, 2):
        start(file, f"--seed={seed}")
        drawn.append(torch.rand(()).item())
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["--rat=1"], r"unknown \['rat'\]; expected among"),
        (["rate=1"], "found 'rate=1'; expected --key=value"),
        (["--names=[a"], "no YAML"),
    ],
)
def test_a_wrong_override_is_named(file: Path, overrides: list[str], message: str) -> None:
    with pytest.raises(HparamError, match=message):
        start(file, *overrides)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("rate: 1e-3", "rates: 1e-3"), r"missing \['rate'\], unknown \['rates'\]"),
        (("names: [a, b]\n", ""), r"missing \['names'\], unknown \[\]; .*Hparams lists the keys"),
        (("<rate>", "<nothing>"), "Check its references"),
        (("collections.Counter", "collections.Nothing"), "Check the values and the tags"),
        (("seed: 1", "- 1"), "no YAML|expected keys"),
    ],
)
def test_a_wrong_file_is_refused(file: Path, change: tuple[str, str], message: str) -> None:
    file.write_text(file.read_text().replace(*change))
    with pytest.raises(HparamError, match=message):
        start(file)


def test_a_misspelt_key_ends_the_run_before_anything_is_built(file: Path) -> None:
    text = file.read_text().replace("rate: 1e-3", "rates: 1e-3\nrate: 1")
    file.write_text(text.replace("!new:collections.Counter", "!new:builtins.exit"))
    with pytest.raises(HparamError, match="unknown"):
        start(file)


@pytest.mark.parametrize("arguments", [[], ["--seed=1"], ["nowhere.yaml"]])
def test_a_missing_file_is_said(arguments: list[str]) -> None:
    with pytest.raises(HparamError, match="expected"):
        experiment.start(Hparams, arguments)


def test_a_recipe_says_what_a_user_can_mend(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    def main(argv: list[str]) -> None:
        start(Path(argv[0]), "--rat=1")

    monkeypatch.setattr("sys.argv", ["recipe", str(file)])
    with pytest.raises(SystemExit, match=r"HparamError: .*unknown"):
        experiment.run(main)


@dataclass(frozen=True)
class Reading(Hparams):
    workers: int | None
    max_seconds: float | None
    batch_seconds: float


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("--workers=-1", "workers is -1; expected 0 or more"),
        ("--seed=-1", "seed is -1; expected 0 or more"),
        ("--max_seconds=-0.5", "max_seconds is -0.5; expected more than 0"),
        ("--batch_seconds=0", "batch_seconds is 0; expected more than 0"),
    ],
)
def test_numbers_that_mean_the_same_everywhere_are_in_their_range(
    file: Path, override: str, message: str
) -> None:
    file.write_text(file.read_text() + "workers: 0\nmax_seconds: 1.5\nbatch_seconds: 40\n")
    arguments = [str(file), "--workers=null", "--max_seconds=null"]
    assert experiment.start(Reading, arguments).hparams.workers is None
    with pytest.raises(HparamError, match=message):
        experiment.start(Reading, [str(file), override])
