"""The table of a paper with a recipe that only pretends, and once with the real one."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from emovec.errors import HparamError, TrainingError
from emovec.tables.results import read_result

ROOT = Path(__file__).parents[1]
PRETENDS = """
import sys
from pathlib import Path
from ruamel.yaml import YAML
from emovec.tables.results import Metric, Result, RunFacts, write_result

yaml = YAML(typ="safe", pure=True)
hparams = yaml.load(Path(sys.argv[1]).read_text())
hparams |= {k: yaml.load(v) for k, _, v in (a[2:].partition("=") for a in sys.argv[2:])}
folder = Path(hparams["run_folder"])
with (folder / "calls").open("a") as calls:
    calls.write("x")
if hparams["rate"] == 13:
    sys.exit("rate: found 13; expected luck.")
if hparams["rate"] != 14:
    value = hparams["rate"] / 10 + hparams["seed"] / 100
    facts = RunFacts("", "feed", hparams["seed"], "", 1.0, "", {}, "", hparams, "small", "rated",
                     "by-speaker", "", False)
    write_result(folder / "result.json", Result(facts, (Metric("ccc/mean", value, 9, 3, None),)))
"""
HPARAMS = {
    "seed": 0,
    "name": "base",
    "run_folder": "x",
    "prepared_folder": "x",
    "data_folder": None,
    "corpus": "manifest",
    "corpus_options": {},
    "allow_partial": False,
    "workers": 1,
    "rate": 1,
    "others": [],
}
VARIANTS = [
    {"name": "a", "note": "", "overrides": {}, "published": {"ccc/mean": 0.5}},
    {"name": "b", "note": "fast", "overrides": {"rate": 5}, "published": {"ccc/mean": 0.25}},
    {"name": "c", "note": "as b", "same_as": "b", "published": {"ccc/mean": 0.25}},
]


def load():
    path = ROOT / "recipes" / "paper_tables.py"
    spec = importlib.util.spec_from_file_location("paper_tables", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAIN = load().main


@pytest.fixture
def make(tmp_path, small_corpus, monkeypatch):
    """Make the table of a paper in the working folder, and give its lines."""
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(PRETENDS)
    write(Path("base.yaml"), HPARAMS)
    table = {
        "title": "A paper",
        "published_corpus": "another",
        "recipe": str(tmp_path / "train.py"),
        "hparams": str(tmp_path / "base.yaml"),
        "remarks": [],
        "variants": VARIANTS,
    }
    write(Path("paper.yaml"), table)

    def run(*arguments):
        MAIN(["paper.yaml", f"--data_folder={small_corpus}", *arguments])
        return (tmp_path / "runs/paper_tables/paper/base/table.md").read_text().splitlines()

    return run


def write(path, content):
    with path.open("w") as file:
        YAML().dump(content, file)


def calls(folder="runs/paper_tables/paper/base"):
    """How often each run was begun."""
    return {
        "/".join(path.parts[-3:-1]): len(path.read_text())
        for path in sorted(Path(folder).glob("*/*/calls"))
    }


def row(lines, name):
    (found,) = [line for line in lines if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in found.strip("|").split("|")][2:]


def test_every_variant_with_every_seed(make, capsys):
    lines = make("--seeds=1,2", "--others=[x]", "--jobs=2")
    assert calls() == {"a/1": 1, "a/2": 1, "b/1": 1, "b/2": 1}
    assert row(lines, "a") == ["2", "0.115 (0.110 to 0.120)", "0.5000", "9", "3", "feed"]
    assert row(lines, "b")[:2] == row(lines, "c")[:2] == ["2", "0.515 (0.510 to 0.520)"]
    assert any("Measured on small, not on another" in line for line in lines)
    assert "--seeds=1,2 '--others=[x]' --jobs=2`." in lines[2]
    assert "\n".join(lines) in capsys.readouterr().out
    run = read_result(Path("runs/paper_tables/paper/base/b/2/result.json")).run
    assert run.hparams["others"] == ["x"]
    assert run.hparams["name"] == "base_b"
    assert Path(run.hparams["prepared_folder"], "manifest.csv").is_file()


def test_what_is_complete_is_not_run_again(make):
    make("--only=a")
    lines = make("--only=a,c", "--workers=4")  # which moves no numbers
    assert row(lines, "a")[0] == row(lines, "b")[0] == "1"
    assert calls() == {"a/1": 1, "b/1": 1}
    make("--seeds=1,2")
    assert calls() == {"a/1": 1, "a/2": 1, "b/1": 1, "b/2": 1}
    Path("runs/paper_tables/paper/base/a/2/result.json").write_text("{")  # no result
    make("--seeds=1,2")
    assert calls() == {"a/1": 1, "a/2": 2, "b/1": 1, "b/2": 1}


def test_a_result_of_other_hparams_is_not_taken(make):
    make("--rate=2")
    lines = make("--rate=2", "--others=[x]", "--only=a")
    assert calls() == {"a/1": 2, "b/1": 1}
    assert row(lines, "a")[:2] == ["1", "0.210"]
    assert row(lines, "b")[0] == row(lines, "c")[0] == "not run"


def test_it_goes_on_after_a_failure_and_ends_with_it(make):
    with pytest.raises(TrainingError) as error:
        make("--rate=13")
    message = str(error.value)
    assert message.startswith("1 of 2 runs failed.\n\nruns/paper_tables/paper/base/a/1/log.txt")
    assert message.endswith("ends with\nrate: found 13; expected luck.")
    lines = Path("runs/paper_tables/paper/base/table.md").read_text().splitlines()
    assert row(lines, "a")[0] == "not run"
    assert row(lines, "b")[:2] == ["1", "0.510"]
    make()
    assert calls() == {"a/1": 2, "b/1": 1}


def test_a_run_that_leaves_no_result_has_failed(make):
    with pytest.raises(TrainingError, match="1 of 1 runs failed"):
        make("--rate=14", "--only=a")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only=a,d"], r"no variants \['d'\]"),
        (["--seed=3"], "found --seed=3; expected --seeds="),
        (["--run_folder=x"], "expected --output_folder="),
        (["--rat=1"], r"unknown \['rat'\]"),
        (["--hparams=absent.yaml"], r"absent\.yaml: not found"),
    ],
)
def test_a_wrong_command_line_starts_nothing(make, arguments, message):
    with pytest.raises(HparamError, match=message):
        make(*arguments)
    assert calls() == {}


def test_an_unknown_paper_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HparamError, match=r"expected one of \[.*'emosphere'"):
        MAIN(["nonsense"])


def test_the_real_recipe(tmp_path, small_corpus):
    command = [
        sys.executable,
        ROOT / "recipes" / "paper_tables.py",
        "emosphere",
        "--corpus=manifest",
        f"--data_folder={small_corpus}",
        "--only=no_auxiliary",
        "--output_folder=out",
        "--epochs=1",
        "--workers=0",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("out/no_auxiliary/1: done, ")
    text = (tmp_path / "out" / "table.md").read_text()
    assert text in done.stdout
    assert row(text.splitlines(), "no_auxiliary")[0] == "1"
    assert row(text.splitlines(), "proposed")[0] == "not run"
    hparams = read_result(tmp_path / "out/no_auxiliary/1/result.json").run.hparams
    assert hparams["drop_emotions"] == ["other"]
    assert (hparams["auxiliary"], hparams["epochs"]) == ("none", 1)
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (again.returncode, again.stdout.rstrip()) == (0, text.rstrip())
