"""The table of a paper with a recipe that only pretends, and once with the real one."""

import subprocess
import sys
from pathlib import Path

import pytest
from recipe_modules import load_recipe
from ruamel.yaml import YAML

from emovec.encoders.resnet import ResNet
from emovec.encoders.store import save_model
from emovec.errors import HparamError, ModelError, TrainingError
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


MAIN = load_recipe("paper_tables.py").main


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
    make("--rows=a")
    lines = make("--rows=a,c", "--workers=4")  # which moves no numbers
    assert row(lines, "a")[0] == row(lines, "b")[0] == "1"
    assert calls() == {"a/1": 1, "b/1": 1}
    make("--seeds=1,2")
    assert calls() == {"a/1": 1, "a/2": 1, "b/1": 1, "b/2": 1}
    Path("runs/paper_tables/paper/base/a/2/result.json").write_text("{")  # no result
    make("--seeds=1,2")
    assert calls() == {"a/1": 1, "a/2": 2, "b/1": 1, "b/2": 1}


def test_a_result_of_other_hparams_is_not_taken(make):
    make("--rate=2")
    lines = make("--rate=2", "--others=[x]", "--rows=a")
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
        make("--rate=14", "--rows=a")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rows=a,d"], r"no variants \['d'\]"),
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


ONE_FOLD = """
import csv, sys
from pathlib import Path
from ruamel.yaml import YAML
from emovec.tables.manifest import read_manifest
from emovec.tables.results import Metric, Result, RunFacts, write_result

yaml = YAML(typ="safe", pure=True)
hparams = yaml.load(Path(sys.argv[1]).read_text())
hparams |= {k: yaml.load(v) for k, _, v in (a[2:].partition("=") for a in sys.argv[2:])}
folder = Path(hparams["run_folder"])
with (folder / "calls").open("a") as calls:
    calls.write("x")
if hparams.get("fold") == 1 and hparams["epochs"] == 13:
    sys.exit("epochs: found 13; expected luck.")
facts = RunFacts("", "feed", hparams["seed"], "", 1.0, "", {}, "", hparams, "small", "rated",
                 hparams["protocol"], "", False)
metrics = [Metric("emotion/weighted_f1_mean_of_folds", 0.25, 80, 10, (0.2, 0.3))]
if "fold" in hparams:
    metrics = []
    clips = read_manifest(Path(hparams["prepared_folder"]) / "manifest.csv")[:4 + hparams["fold"]]
    with (folder / "predictions.csv").open("w", newline="") as file:
        rows = [(clip.id, clip.emotion, clip.emotion) for clip in clips]
        csv.writer(file).writerows([("id", "emotion", "predicted"), *rows])
write_result(folder / "result.json", Result(facts, tuple(metrics)))
"""
CLIPS = {
    **{key: value for key, value in HPARAMS.items() if key not in ("rate", "others")},
    "protocol": "default",
    "split_seed": 0,
    "emotions": None,
    "drop_emotions": [],
    "allow_leak": False,
    "copies": 0,
    "noise": None,
}
OF_ONE = {**CLIPS, "fold": 0, "epochs": 5, "encoder_options": {}, "pretrained": None}
OF_ALL = {**CLIPS, "folds": None, "embeddings": ["functionals"], "name": "probe"}
GRID = "runs/paper_tables/grid/base"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "resnet"
    save_model(folder, ResNet(channels=(4, 6), blocks=(1, 1), embedding_size=5), "card")
    return folder


@pytest.fixture
def make_grid(tmp_path, small_corpus, monkeypatch):
    """Make a table over folds in the working folder, and give its lines."""
    monkeypatch.chdir(tmp_path)
    Path("recipe.py").write_text(ONE_FOLD)
    write(Path("one.yaml"), OF_ONE)
    write(Path("all.yaml"), OF_ALL)
    frozen = {"recipe": str(tmp_path / "recipe.py"), "hparams": str(tmp_path / "all.yaml")}
    options = {"extends": "<encoder_options>", "features": "gemaps"}
    published = {"iemocap": [0.5, 0.25], "cremad": [0.75, 0.125]}
    row = {"note": "", "published": published}
    table = {
        "title": "A grid",
        "metric": "emotion/weighted_f1_mean_of_folds",
        "recipe": str(tmp_path / "recipe.py"),
        "hparams": str(tmp_path / "one.yaml"),
        "remarks": [],
        "parameters": {
            "clean_model": None,
            "aug_model": None,
            "encoder_options": None,
            "noise": None,
        },
        "defaults": {"protocol": "group-4fold"},
        "conditions": {"clean": {"copies": 0}, "aug": {"copies": 2, "noise": "<noise>"}},
        "variants": [
            {**row, "name": "random", "overrides": {"encoder_options": options}},
            {**row, "name": "frozen", "overrides": {"embeddings": ["<clean_model>"]}, **frozen},
            {**row, "name": "tuned", "overrides": {"pretrained": "<aug_model>"}},
        ],
    }
    write(Path("grid.yaml"), table)

    def run(*arguments):
        MAIN(["grid.yaml", "--corpus=manifest", f"--data_folder={small_corpus}", *arguments])
        return (tmp_path / GRID / "table.md").read_text().splitlines()

    return run


def begun():
    """Folders of the runs below that of the table, and how often each was begun."""
    return {
        path.parent.relative_to(GRID).as_posix(): len(path.read_text())
        for path in sorted(Path(GRID).glob("**/calls"))
    }


def hparams_of(run):
    return read_result(Path(GRID, run, "result.json")).run.hparams


def test_variants_conditions_and_folds(make_grid, model):
    lines = make_grid(f"--clean_model={model}", "--noise=hiss", "--folds=2", "--epochs=7")
    conditions = ("clean", "aug")
    ones = {f"random/{c}/1/fold_{k}" for c in conditions for k in range(2)}
    assert begun() == dict.fromkeys([*ones, *(f"frozen/{c}/1/folds" for c in conditions)], 1)
    random = hparams_of("random/aug/1/fold_1")
    assert (random["fold"], random["epochs"], random["copies"], random["noise"]) == (
        1,
        7,
        2,
        "hiss",
    )
    assert (random["protocol"], random["name"]) == ("group-4fold", "base_random_aug_fold_1")
    assert random["encoder_options"]["channels"] == [4, 6]  # the pretrained network's
    assert random["encoder_options"]["features"] == "gemaps"
    frozen = hparams_of("frozen/clean/1/folds")
    assert frozen["folds"] == [0, 1] and frozen["embeddings"] == [str(model)]
    assert "epochs" not in frozen and frozen["noise"] is None
    assert frozen["protocol"] == "group-4fold"
    # 4 clips of the first fold and 5 of the second, all right
    assert row(lines, "random") == [
        *("1", "2", "1.000", "0.5000", "0.7500", "1.000", "0.2500", "0.1250", "9", "1", "feed")
    ]
    assert row(lines, "frozen")[:3] == ["1", "2", "0.250 [0.20, 0.30]"]
    assert row(lines, "tuned")[0] == "not run"
    assert "- Left out, as --aug_model is not given: tuned." in lines
    assert any("Measured on small, not on iemocap or cremad" in line for line in lines)


def test_further_folds_are_trained_and_complete_ones_are_not(make_grid):
    make_grid("--folds=1", "--rows=random")
    assert begun() == {"random/clean/1/fold_0": 1}
    lines = make_grid("--rows=random", "--protocol=group-3fold")
    assert begun() == {"random/clean/1/fold_0": 2} | {f"random/clean/1/fold_{k}": 1 for k in (1, 2)}
    assert row(lines, "random")[:2] == ["1", "3"]
    make_grid("--folds=2", "--protocol=group-3fold")
    assert sum(begun().values()) == 4


def test_a_fold_that_failed_is_missing_from_the_mean(make_grid):
    with pytest.raises(TrainingError, match="1 of 3 runs failed"):
        make_grid("--epochs=13", "--protocol=group-3fold")
    lines = Path(GRID, "table.md").read_text().splitlines()
    assert row(lines, "random")[:2] == ["1", "2"]


def test_random_networks_take_what_they_are_given(make_grid, model):
    make_grid(f"--clean_model={model}", "--encoder_options={blocks: [2]}", "--folds=1")
    found = hparams_of("random/clean/1/fold_0")["encoder_options"]
    assert found == {"blocks": [2], "features": "gemaps"}


def test_models_of_different_sizes_are_refused(make_grid, model, tmp_path):
    save_model(tmp_path / "other", ResNet(channels=(2,), blocks=(1,)), "card")
    with pytest.raises(HparamError, match=r"differ: .* expected the same"):
        make_grid(f"--clean_model={model}", f"--aug_model={tmp_path / 'other'}")
    assert begun() == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fold=1"], "found --fold=1; expected --folds="),
        (["--folds=5"], "expected all, or a number from 1 to 4, of group-4fold"),
        (["--rows=frozen"], "frozen needs --clean_model"),
        (["--rat=1"], r"unknown \['rat'\]"),
        (["--encoder_options={"], "no YAML"),
    ],
)
def test_a_wrong_line_for_a_grid_starts_nothing(make_grid, arguments, message):
    with pytest.raises(HparamError, match=message):
        make_grid(*arguments)
    assert begun() == {}


def test_a_model_folder_that_is_none(make_grid):
    with pytest.raises(ModelError, match=r"nowhere: no config\.json"):
        make_grid("--clean_model=nowhere")


def test_a_table_of_one_fold_takes_no_folds(make):
    with pytest.raises(HparamError, match="found --folds; expected none"):
        make("--folds=2")


def test_the_real_recipe(tmp_path, small_corpus):
    command = [
        sys.executable,
        ROOT / "recipes" / "paper_tables.py",
        "emosphere",
        "--corpus=manifest",
        f"--data_folder={small_corpus}",
        "--rows=no_auxiliary",
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


def test_the_real_recipes_over_folds(tmp_path, small_corpus, model):
    command = [
        sys.executable,
        ROOT / "recipes" / "paper_tables.py",
        "xvector",
        "--corpus=manifest",
        f"--data_folder={small_corpus}",
        "--protocol=group-3fold",
        "--rows=random_mfcc,clean_frozen",
        f"--clean_model={model}",
        "--folds=2",
        "--epochs=1",
        "--workers=0",
        "--device=cpu",
        "--output_folder=out",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    lines = (tmp_path / "out" / "table.md").read_text().splitlines()
    for name in ("random_mfcc", "clean_frozen"):
        seeds, folds, value, *_ = row(lines, name)
        assert (seeds, folds) == ("1", "2") and 0 <= float(value.split()[0]) <= 1
    # both test the clips of the same two folds
    assert row(lines, "random_mfcc")[-3:-1] == row(lines, "clean_frozen")[-3:-1]
    assert row(lines, "clean_finetuned")[0] == "not run"
    hparams = read_result(tmp_path / "out/random_mfcc/clean/1/fold_1/result.json").run.hparams
    assert hparams["encoder_options"]["embedding_size"] == 5
    assert (hparams["protocol"], hparams["copies"]) == ("group-3fold", 0)
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (again.returncode, again.stdout.rstrip()) == (0, "\n".join(lines).rstrip())


def test_the_real_classifiers(tmp_path, small_corpus, model):
    command = [
        sys.executable,
        ROOT / "recipes" / "paper_tables.py",
        "deeptalk",
        "--corpus=manifest",
        f"--data_folder={small_corpus}",
        "--protocol=group-3fold",
        f"--model={model}",
        "--rows=sad_first,functionals_svm",
        "--folds=1",
        "--workers=0",
        "--device=cpu",
        "--output_folder=out",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    lines = (tmp_path / "out" / "table.md").read_text().splitlines()
    found = [line for line in lines if line.startswith("| sad_first | DeepTalk")]
    assert len(found) == 3  # accuracies, F1 of each class, stages
    accuracy = found[0].split("|")[5].split()[0]
    hparams = read_result(tmp_path / "out/sad_first/1/folds/result.json").run.hparams
    assert (hparams["first"], hparams["folds"], hparams["c_values"]) == ("sadness", [0], [1000.0])
    place = lines.index("### sad_first")
    counts = [[int(n) for n in line.split("|")[2:6]] for line in lines[place + 4 : place + 8]]
    total, right = sum(map(sum, counts)), sum(counts[k][k] for k in range(4))
    assert (total, f"{right / total:.3f}") == (32, accuracy)
    assert "| sad_first | of each class to test on | 8 |  | none published |" in lines
    for variant in ("sad_first", "functionals_svm"):
        for kind in ("emotion", "detection"):
            picture = tmp_path / "out" / "figures" / f"{variant}_{kind}_confusion.png"
            assert picture.read_bytes()[:4] == b"\x89PNG"
