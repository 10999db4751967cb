from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from emovec.errors import HparamError
from emovec.report.paper_table import read_paper_table
from emovec.tables.results import Metric, Result, RunFacts

TABLE = {
    "title": "A table",
    "published_corpus": "ravdess",
    "recipe": "train.py",
    "hparams": "base.yaml",
    "remarks": ["Mind the gap."],
    "variants": [
        {"name": "a", "note": "", "overrides": {}, "published": {"ccc/mean": 0.5}},
        {
            "name": "b",
            "note": "less",
            "overrides": {"drop": ["x", "no"], "kind": "none", "on": False, "rate": 1e-5},
            "published": {"ccc/mean": 0.25},
        },
        {"name": "c", "note": "as a", "same_as": "a", "published": {"eer/pooled": 0.125}},
    ],
}

RESULT = Result(
    RunFacts(
        command="",
        commit="feed",
        seed=1,
        started="",
        seconds=1.0,
        machine="",
        versions={},
        manifest_hash="",
        hparams={},
        corpus="ravdess",
        affect_source="rated",
        protocol="by-speaker",
        split_hash="",
        shares_speakers=False,
    ),
    (Metric("ccc/mean", 0.5, 9, 3, (0.4, 0.6)),),
)


def written(path: Path, **changes: object) -> Path:
    with path.open("w") as file:
        YAML().dump({**TABLE, **changes}, file)
    return path


def test_overrides_come_back_as_yaml(tmp_path: Path) -> None:
    table = read_paper_table(written(tmp_path / "t.yaml"))
    line = [text.removeprefix("--").partition("=") for text in table.trained([])[1].command_line()]
    read = {key: YAML(typ="safe").load(value) for key, _, value in line}
    assert read == TABLE["variants"][1]["overrides"]
    assert table.trained([])[0].command_line() == []


@pytest.mark.parametrize(
    ("names", "trained"), [([], "ab"), (["b"], "b"), (["c"], "a"), (["c", "a"], "a")]
)
def test_what_is_the_same_is_trained_once(tmp_path: Path, names: list[str], trained: str) -> None:
    table = read_paper_table(written(tmp_path / "t.yaml"))
    assert [variant.name for variant in table.trained(names)] == list(trained)


def test_an_unknown_variant_is_named(tmp_path: Path) -> None:
    table = read_paper_table(written(tmp_path / "t.yaml"))
    with pytest.raises(HparamError, match=r"no variants \['d'\]; expected among \['a', 'b', 'c'\]"):
        table.trained(["a", "d"])


def test_markdown_has_the_same_results_in_both_rows(tmp_path: Path) -> None:
    table = read_paper_table(written(tmp_path / "t.yaml"))
    text = table.markdown({"a": [RESULT]}, "python it.py")
    assert text.startswith("# A table\n\nMade by `python it.py`.\n\n- Mind the gap.\n")
    assert "| a |  | 1 | 0.500 [0.40, 0.60] | 0.5000 |  |  | 9 | 3 | feed |" in text
    assert "| b | less | not run |  | 0.2500 |  |  |  |  |  |" in text
    assert "| c | as a | 1 | 0.500 [0.40, 0.60] |  |  | 0.1250 | 9 | 3 | feed |" in text


def variant(**changes: object) -> dict[str, object]:
    return {"name": "d", "note": "", "overrides": {}, "published": {}, **changes}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"titel": "x"}, r"missing \[\], unknown \['titel'\]"),
        ({"variants": [variant(), variant()]}, "occurs twice"),
        ({"variants": [variant(same_as="e")]}, r"missing \[\], unknown \['overrides'\]"),
        ({"variants": ["a"]}, r"missing \['name', 'note', 'overrides', 'published'\]"),
        ({"variants": [variant(published={"ccc/mean": 36.27})]}, "36.27; expected a share"),
        ({"variants": [variant(published={"ccc/mean": "x"})]}, "'x'; expected a share"),
        (
            {"variants": [{"name": "d", "note": "", "same_as": "d", "published": {}}]},
            r"d is the same as 'd'; expected one of \[\]",
        ),
    ],
)
def test_a_wrong_table_is_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(HparamError, match=message):
        read_paper_table(written(tmp_path / "t.yaml", **changes))


def test_a_table_that_is_none(tmp_path: Path) -> None:
    written(tmp_path / "t.yaml")
    with pytest.raises(HparamError, match=r"u\.yaml: not found; expected one of \['t'\]"):
        read_paper_table(tmp_path / "u.yaml")
    (tmp_path / "t.yaml").write_text("a: [")
    with pytest.raises(HparamError, match="no YAML"):
        read_paper_table(tmp_path / "t.yaml")


CONDITIONS = {
    "title": "A grid",
    "recipe": "train.py",
    "hparams": "base.yaml",
    "metric": "emotion/weighted_f1_mean_of_folds",
    "remarks": ["Mind the gap."],
    "parameters": {"model": None, "noise": None, "options": {}, "copies": 6},
    "defaults": {"protocol": "group-kfold"},
    "conditions": {"clean": {"copies": 0}, "noisy": {"copies": "<copies>", "noise": "<noise>"}},
    "variants": [
        {
            "name": "random",
            "note": "",
            "overrides": {"options": {"extends": "<options>", "size": 2}, "text": "a <model> b"},
            "published": {"iemocap": [0.5, 0.25], "cremad": [0.75, 0.125]},
        },
        {
            "name": "frozen",
            "note": "stays",
            "recipe": "frozen.py",
            "hparams": "frozen.yaml",
            "overrides": {"embeddings": ["<model>"]},
            "published": {"iemocap": [0.5, 0.25]},
        },
    ],
}


def grid(path: Path, **changes: object) -> Path:
    with path.open("w") as file:
        YAML().dump({**CONDITIONS, **changes}, file)
    return path


def test_every_variant_in_every_condition(tmp_path: Path) -> None:
    table = read_paper_table(grid(tmp_path / "t.yaml"))
    given = {"model": "runs/m", "noise": "/noise", "options": {"size": 1, "depth": 3}, "copies": 2}
    found = {training.name: training for training in table.with_parameters(given).trained([])}
    assert list(found) == ["random/clean", "random/noisy", "frozen/clean", "frozen/noisy"]
    assert found["random/noisy"].overrides == {
        "options": {"size": 2, "depth": 3},
        "text": "a <model> b",  # a parameter is a whole value
        "copies": 2,
        "noise": "/noise",
    }
    frozen = found["frozen/clean"]
    assert (frozen.recipe, frozen.hparams) == ("frozen.py", "frozen.yaml")
    assert (found["random/clean"].recipe, found["random/clean"].hparams) == (
        "train.py",
        "base.yaml",
    )
    assert frozen.command_line() == ['--embeddings=["runs/m"]', "--copies=0"]
    names = [t.name for t in table.with_parameters(given).trained(["frozen"])]
    assert names == ["frozen/clean", "frozen/noisy"]


def test_what_lacks_a_parameter_is_left_out_and_the_table_says_so(tmp_path: Path) -> None:
    table = read_paper_table(grid(tmp_path / "t.yaml"))
    assert [training.name for training in table.trained([])] == ["random/clean"]
    text = table.markdown({}, "python it.py")
    assert "- Mind the gap.\n- Left out, as --model is not given: frozen.\n" in text
    assert "- Left out, as --noise is not given: all of noisy.\n" in text
    with pytest.raises(HparamError, match="frozen needs --model"):
        table.trained(["frozen"])
    whole = table.with_parameters({"model": "m", "noise": "n"})
    assert "Left out" not in whole.markdown({}, "python it.py")


def test_published_numbers_are_by_corpus_and_condition(tmp_path: Path) -> None:
    table = read_paper_table(grid(tmp_path / "t.yaml"))
    assert table.variants[0].published == {
        "iemocap/clean": 0.5,
        "iemocap/noisy": 0.25,
        "cremad/clean": 0.75,
        "cremad/noisy": 0.125,
    }


def test_a_row_that_is_the_same_in_conditions(tmp_path: Path) -> None:
    same = {"name": "again", "note": "", "same_as": "random", "published": {}}
    variants = [CONDITIONS["variants"][0], same]
    table = read_paper_table(grid(tmp_path / "t.yaml", variants=variants))
    metrics = (Metric(CONDITIONS["metric"], 0.5, 9, 3, None),)
    measured = Result(replace(RESULT.run, hparams={"folds": [0]}), metrics)
    text = table.markdown({"random/clean": [measured]}, "python it.py")
    assert text.count("| 0.500 |") == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"published_corpus": "iemocap"}, r"unknown \['published_corpus'\]"),
        ({"parameters": {"model": None, "noise": None, "options": {}}}, r"parameters \['copies'\]"),
        ({"variants": [variant(published={"iemocap": [0.5]})]}, "expected a number for each of"),
        ({"variants": [variant(published={"iemocap": 0.5})]}, "expected a number for each of"),
        (
            {"variants": [variant(published={"iemocap": [0.5, 50]})]},
            "noisy is 50; expected a share",
        ),
        ({"variants": [variant(rezipe="x")]}, r"unknown \['rezipe'\]"),
    ],
)
def test_a_wrong_grid_is_refused(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(HparamError, match=message):
        read_paper_table(grid(tmp_path / "t.yaml", **changes))


# Pappagari et al. (2020), in per cent: clean and +aug of IEMOCAP, MSP-Podcast, CREMA-D
XVECTOR = """
45.14 49.42 51.36 51.42 74.44 74.39
39.58 48.23 50.47 48.87 72.93 75.20
59.05 54.56 56.75 57.10 79.03 78.86
56.11 56.44 52.58 54.59 75.65 77.49
65.95 59.15 57.42 57.07 76.00 80.00
60.25 70.30 58.46 56.70 80.55 81.54
"""


def test_the_numbers_of_the_xvector_table() -> None:
    path = Path(__file__).parents[2] / "hparams" / "tables" / "xvector.yaml"
    table = read_paper_table(path)
    found = [list(row.published.values()) for row in table.variants]
    expected = [[float(n) / 100 for n in line.split()] for line in XVECTOR.split("\n")[1:-1]]
    np.testing.assert_allclose(found, expected)
    corpora = [key.split("/")[0] for key in table.variants[0].published]
    assert corpora == ["iemocap", "iemocap", "msp_podcast", "msp_podcast", "cremad", "cremad"]


PARTS = {
    "title": "Classifiers",
    "recipe": "frozen.py",
    "hparams": "svm.yaml",
    "remarks": [],
    "parameters": {"model": None},
    "defaults": {"protocol": "group-kfold"},
    "clips": {"cremad": {"train": 720}},
    "tables": [
        {
            "title": "Accuracy",
            "metrics": ["emotion/accuracy", "detection/accuracy"],
            "variants": ["svm", "sad_first"],
        },
        {"title": "Stages", "metrics": ["stage1/accuracy"], "variants": ["sad_first"]},
    ],
    "variants": [
        {
            "name": "svm",
            "note": "",
            "overrides": {},
            "published": {"cremad": {"emotion/accuracy": 0.5}, "iemocap": {}},
        },
        {
            "name": "sad_first",
            "note": "",
            "overrides": {"first": "sadness"},
            "published": {
                "cremad": {"emotion/accuracy": 0.25, "detection/accuracy": 0.75},
                "iemocap": {"detection/accuracy": 0.125},
            },
        },
    ],
}


def parts(path: Path, **changes: object) -> Path:
    with path.open("w") as file:
        YAML().dump({**PARTS, **changes}, file)
    return path


def test_several_tables_of_the_same_runs(tmp_path: Path) -> None:
    table = read_paper_table(parts(tmp_path / "t.yaml"))
    assert table.over_folds and table.clips == {"cremad": {"train": 720}}
    assert [training.name for training in table.trained([])] == ["svm", "sad_first"]
    values = {"emotion/accuracy": 0.5, "detection/accuracy": 0.625, "stage1/accuracy": 0.75}
    metrics = tuple(Metric(name, value, 9, 3, None) for name, value in values.items())
    facts = replace(RESULT.run, hparams={"folds": [0, 1]}, corpus="cremad")
    text = table.markdown({"sad_first": [Result(facts, metrics)]}, "python it.py")
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| ")
    ]
    published = "published, cremad"  # of the corpus that was measured
    columns = ["emotion/accuracy", published, "detection/accuracy", published]
    assert cells[0][2:-3] == ["seeds", "folds", *columns]
    assert cells[1][2:-3] == ["not run", "", "", "0.5000", "", ""]
    assert cells[2][2:] == ["1", "2", "0.500", "0.2500", "0.625", "0.7500", "9", "3", "feed"]
    assert cells[3][4:-3] == ["stage1/accuracy"]  # nobody published it
    assert cells[4][:1] + cells[4][4:] == ["sad_first", "0.750", "9", "3", "feed"]
    assert len(cells) == 5 and text.count("## ") == 2 and "Measured on" not in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metric": "x"}, r"unknown \['metric'\]"),
        ({"tables": [{"title": "x", "metrics": []}]}, r"t.yaml: tables: missing \['variants'\]"),
        (
            {"tables": [{"title": "x", "metrics": ["m"], "variants": ["dnn"]}], "variants": []},
            r"tables have no variants \['dnn'\]; expected among \[\]",
        ),
        (
            {"variants": [variant(published={"cremad": {"emotion/recall": 0.5}})]},
            r"expected numbers by metric, some of \['emotion/accuracy'",
        ),
        ({"variants": [variant(published={"cremad": [0.5]})]}, "expected numbers by metric"),
        (
            {"variants": [variant(published={"cremad": {"emotion/accuracy": 66.5}})]},
            "cremad/emotion/accuracy is 66.5; expected a share",
        ),
    ],
)
def test_wrong_tables_are_refused(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(HparamError, match=message):
        read_paper_table(parts(tmp_path / "t.yaml", **changes))


def test_the_numbers_of_the_deeptalk_table() -> None:
    """Sandler & Ross (2022): per cent of CREMA-D, MSP-Podcast, IEMOCAP; F1 of CREMA-D."""
    path = Path(__file__).parents[2] / "hparams" / "tables" / "deeptalk.yaml"
    table = read_paper_table(path)
    rows = {row.name: row.published for row in table.variants}
    lines = {"svm": "66.5 78.9 43.3 66.9 57.5 81.2", "sad_first": "68.7 80.8 36.8 66.2 58.3 76.3"}
    for name, line in lines.items():
        keys = [
            f"{corpus}/{task}/accuracy"
            for corpus in ("cremad", "msp_podcast", "iemocap")
            for task in ("emotion", "detection")
        ]
        expected = [float(number) / 100 for number in line.split()]
        assert [rows[name][key] for key in keys] == pytest.approx(expected)
    for name, line in (("sad_first", "84.7 68.4 63.7 57.8"), ("xvectors", "75.8 22.4 54.5 88.1")):
        keys = [f"cremad/emotion/f1_{e}" for e in ("anger", "sadness", "happiness", "neutral")]
        expected = [float(number) / 100 for number in line.split()]
        assert [rows[name][key] for key in keys] == pytest.approx(expected)
    assert table.clips["cremad"] == {"given": 4900, "embedded": 4516, "train": 720, "test": 320}
    assert table.clips["iemocap"] == {"train": 455, "test": 133}
    assert table.clips["msp_podcast"] == {"train": 1600, "test": 450}
    given = table.with_parameters({"model": "m", "xvector_model": "x"})
    assert len(given.trained([])) == 5 and len(table.trained([])) == 2
