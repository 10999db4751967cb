from pathlib import Path

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
    line = [text.removeprefix("--").partition("=") for text in table.variants[1].command_line()]
    read = {key: YAML(typ="safe").load(value) for key, _, value in line}
    assert read == TABLE["variants"][1]["overrides"]
    assert table.variants[0].command_line() == []


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
