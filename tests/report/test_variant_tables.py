"""Papers' tables: rows, columns, the published numbers beside, and what is said above them."""

import pytest

from emovec.report.variant_tables import Variant, condition_table, variant_table
from emovec.tables.results import Metric, Result, RunFacts

FACTS = {
    "command": "",
    "commit": "0123456789abcdef-dirty",
    "seed": 1,
    "started": "",
    "seconds": 60.0,
    "machine": "",
    "versions": {},
    "manifest_hash": "",
    "hparams": {},
    "corpus": "ravdess",
    "affect_source": "rated",
    "protocol": "by-speaker",
    "split_hash": "feed",
    "shares_speakers": False,
}


def result(values, **changes):
    metrics = [
        Metric(name, value, 360, 6, (value - 0.1, value + 0.1)) for name, value in values.items()
    ]
    return Result(RunFacts(**{**FACTS, **changes}), tuple(metrics))


def rows(text):
    """First cell of each table row to its other cells."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {first: others for first, *others in cells}


VARIANTS = [
    Variant("proposed", "", {"ccc/mean": 0.6884, "ccc/valence": 0.6952}),
    Variant("regions_18", "18 | 6 x 3", {"ccc/mean": 0.6863, "region/macro_f1": 0.1796}),
]


def test_a_paper_s_table():
    values = dict.fromkeys(("ccc/valence", "ccc/mean", "region/macro_f1", "rmse/valence"), 0.5)
    seeds = [result(values), result({**values, "ccc/mean": 0.7})]
    text = variant_table(VARIANTS, {"proposed": seeds}, "msp_podcast")
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert table[0] == (
        "| variant | differs by | seeds | ccc/valence | published | ccc/mean | published "
        "| region/macro_f1 | published | clips | speakers | commit |"
    )
    assert table[2] == (
        "| proposed |  | 2 | 0.500 [0.40, 0.60] | 0.6952 | 0.600 [0.50, 0.70] (0.500 to 0.700) "
        "| 0.6884 | 0.500 [0.40, 0.60] |  | 360 | 6 | 0123456789-dirty |"
    )
    assert table[3] == (
        r"| regions_18 | 18 \| 6 x 3 | not run |  |  |  | 0.6863 |  | 0.1796 |  |  |  |"
    )


def test_columns_are_what_was_published_main_metrics_first():
    published = {
        "region_head/accuracy": 0.3,
        "stage1/accuracy": 0.1,
        "ccc/mean": 0.6,
        "ccc/valence": 1,
    }
    text = variant_table([Variant("a", "", published)], {}, "ravdess")
    columns = rows(text)["variant"][2:-3:2]
    assert columns == ["ccc/valence", "ccc/mean", "region_head/accuracy", "stage1/accuracy"]


def test_two_rows_may_have_the_same_results():
    seeds = [result({"ccc/mean": 0.5})]
    text = variant_table(VARIANTS, dict.fromkeys(("proposed", "regions_18"), seeds), "msp_podcast")
    found = rows(text)
    assert found["proposed"][4] == found[r"regions_18"][5] == "0.500 [0.40, 0.60]"
    assert text.count("Measured on") == 1


def test_another_corpus_than_the_published_is_warned_of():
    seeds = {"proposed": [result({"ccc/mean": 0.5})]}
    assert "Measured on ravdess, not on msp_podcast" in variant_table(
        VARIANTS, seeds, "msp_podcast"
    )
    assert "Measured on" not in variant_table(VARIANTS, seeds, "ravdess")
    assert "Measured on" not in variant_table(VARIANTS, {}, "msp_podcast")


F1 = "emotion/weighted_f1_mean_of_folds"
PAPER = [
    Variant("random", "", {"iemocap/clean": 0.4, "iemocap/+aug": 0.5, "cremad/clean": 0.7}),
    Variant("frozen", "weights stay", {"iemocap/clean": 0.6, "cremad/+aug": 0.8}),
]


def of_folds(value, folds=(0, 1, 2), **changes):
    return result({F1: value, "emotion/accuracy": 0.9}, hparams={"folds": list(folds)}, **changes)


def test_conditions_beside_the_published_numbers_of_the_same_corpus():
    results = {
        "random/clean": [of_folds(0.3, corpus="iemocap"), of_folds(0.5, corpus="iemocap")],
        "random/+aug": [of_folds(0.6, (0, 1), corpus="iemocap")],
    }
    text = condition_table(PAPER, ["clean", "+aug"], F1, results)
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert table[0] == (
        "| variant | differs by | seeds | folds | clean | published, iemocap | +aug "
        "| published, iemocap | clips | speakers | commit |"
    )
    assert table[2] == (
        "| random |  | 1 to 2 | 2 to 3 | 0.400 [0.30, 0.50] (0.300 to 0.500) | 0.4000 "
        "| 0.600 [0.50, 0.70] | 0.5000 | 360 | 6 | 0123456789-dirty |"
    )
    assert table[3] == "| frozen | weights stay | not run |  |  | 0.6000 |  |  |  |  |  |"
    assert "Measured on" not in text
    assert f"Ours: {F1}, mean over folds, then over seeds," in text


@pytest.mark.parametrize("corpora", [["ravdess"], [], ["iemocap", "cremad"]])
def test_another_corpus_has_all_published_numbers_beside(corpora):
    seeds = {"random/clean": [of_folds(0.3, corpus=corpus) for corpus in corpora]}
    text = condition_table(PAPER, ["clean", "+aug"], F1, seeds)
    assert rows(text)["variant"][3:9] == [
        *("clean", "published, iemocap", "published, cremad"),
        *("+aug", "published, iemocap", "published, cremad"),
    ]
    assert rows(text)["frozen"][3:9] == ["", "0.6000", "", "", "", "0.8000"]
    warned = "Measured on ravdess, not on iemocap or cremad as the published numbers" in text
    assert warned == (corpora == ["ravdess"])


def test_what_a_reader_must_know_stands_above():
    seeds = {"random/clean": [of_folds(0.3, shares_speakers=True)]}
    assert "shares speakers" in condition_table(PAPER, ["clean"], F1, seeds)
