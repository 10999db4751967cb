"""What a finished verification of pairs of emotions leaves, from matrices made by hand."""

import csv
import logging
import math
import xml.etree.ElementTree
from dataclasses import replace
from datetime import datetime, timezone

import numpy as np
import pytest
from scipy.stats import norm, t

from emovec.metrics.pair_cells import Cell, PairMatrix
from emovec.report.html_runs import read_run
from emovec.report.pair_comparison import differences
from emovec.report.pair_run import PairRun, measure_pairs, write_pair_run
from emovec.tables.corpus import Skip
from emovec.tables.embeddings import Embeddings
from emovec.tables.results import Metric, ResultError, read_result, run_facts

EDGES = np.linspace(-1, 1, 21)
NAMES = ("anger-anger", "anger-neutral", "neutral-neutral")
POOLS = ("same", "cross", "pooled")
FIGURES = {"eer_matrix", "det", "scores", "durations"}


def cell(name, **known):
    """A cell whose numbers all differ, and differ from those of other names."""
    number = (*NAMES, *POOLS).index(name) + 1
    counts = np.zeros(20, dtype=np.int64)
    counts[10 + number] = 100
    known = {
        "targets": 100,
        "impostors": 100 * number,
        "clips": 20 + number,
        "speakers": 10 + number,
        "eer": 0.1 + number / 100,
        "threshold": 0.2 + number / 100,
        "interval": (0.05 + number / 100, 0.2 + number / 100),
        "min_dcf_01": 0.7 + number / 100,
        "min_dcf_05": 0.6 + number / 100,
        "frr": 0.3 + number / 100,
        "far": 0.4 + number / 100,
        "frr_interval": (0.3, 0.4 + number / 100),
        "far_interval": (0.2, 0.5 + number / 100),
    } | known
    emotions = tuple(name.split("-")) if "-" in name else ()
    impostor_counts = np.roll(counts, -8) * number
    return Cell(
        name=name,
        emotions=emotions,
        target_counts=counts,
        impostor_counts=impostor_counts,
        **known,
    )


RATES = ("eer", "threshold", "interval", "min_dcf_01", "min_dcf_05")
FIXED_RATES = ("frr", "far", "frr_interval", "far_interval")
WITHOUT_RATES = dict.fromkeys((*RATES, *FIXED_RATES))


def matrix_of(seed=0, worse=0.0, **changed):
    random = np.random.default_rng(seed)
    cells = [cell(name) for name in NAMES]
    pools = {name: cell(name) for name in POOLS}
    moved = [replace(of, eer=of.eer + worse) for of in (*cells, *pools.values())]
    resamples = {of.name: of.eer + random.normal(0, 0.02, 1000) for of in moved}
    known = {
        "cells": tuple(moved[:3]),
        "pools": {of.name: of for of in moved[3:]},
        "difference": 0.01,
        "difference_interval": (-0.02, 0.04),
        "reference": "neutral-neutral",
        "reference_threshold": 0.23,
        "bin_edges": EDGES,
        "excluded": {},
        "method": "bootstrap",
        "resamples": resamples,
    } | changed
    return PairMatrix(**known)


def facts(corpus="cremad", **hparams):
    return run_facts(
        ["recipes/verification/eer_matrix.py"],
        {"seed": 0, **hparams},
        seed=0,
        started=datetime.now(timezone.utc),
        device="cpu",
        manifest_hash="0" * 8,
        corpus=corpus,
        affect_source=None,
        protocol="all",
        split_hash="1" * 8,
        shares_speakers=False,
        leaks=(),
    )


def run_of(matrix, **known):
    known = {"seconds": {"cremad": [1.0, 2.0, 4.0]}} | known
    return PairRun(matrix, "cosine similarity", **known)


@pytest.fixture
def no_pictures(monkeypatch):
    """Tables and texts alone: pictures take most of the time."""
    monkeypatch.setattr("emovec.report.pair_run._figures", lambda run: {})


def rows_of(path):
    with path.open(newline="") as file:
        return {row["pair"]: row for row in csv.DictReader(file)}


def test_all_numbers_become_metrics_of_the_agreed_names():
    metrics = measure_pairs(matrix_of())
    found = {metric.metric: metric for metric in metrics}
    assert len(found) == len(metrics) == 7 * 6 + 1
    for name in (*NAMES, *POOLS):
        of = cell(name)
        expected = {
            "eer": (of.eer, of.interval),
            "min_dcf": (of.min_dcf_01, None),
            "min_dcf_0.05": (of.min_dcf_05, None),
            "frr_at_neutral": (of.frr, of.frr_interval),
            "far_at_neutral": (of.far, of.far_interval),
            "targets": (of.targets, None),
            "impostors": (of.impostors, None),
        }
        for family, value in expected.items():
            metric = found[f"{family}/{name}"]
            assert (metric.value, metric.interval) == value
            assert (metric.n, metric.speakers) == (of.clips, of.speakers)
    apart = found["eer/cross_minus_same"]
    assert (apart.value, apart.interval, apart.n) == (0.01, (-0.02, 0.04), cell("pooled").clips)


def test_what_a_cell_lacks_is_no_metric():
    empty = cell("anger-anger", impostors=0, **WITHOUT_RATES)
    plain = cell("anger-neutral", **dict.fromkeys(FIXED_RATES))
    matrix = matrix_of(
        cells=(empty, plain), difference=None, reference=None, reference_threshold=None, pools={}
    )
    assert {metric.metric for metric in measure_pairs(matrix)} == {
        *(f"{family}/anger-anger" for family in ("targets", "impostors")),
        *(
            f"{family}/anger-neutral"
            for family in ("eer", "min_dcf", "min_dcf_0.05", "targets", "impostors")
        ),
    }


def test_the_reference_names_its_rates():
    names = {metric.metric for metric in measure_pairs(matrix_of(reference="anger-anger"))}
    assert {"frr_at_anger/pooled", "far_at_anger/anger-neutral"} <= names
    assert not any("at_neutral" in name for name in names)


def test_a_run_leaves_tables_figures_and_a_result(tmp_path, caplog):
    skipped = (Skip("x", "no speech is heard in it"),)
    with caplog.at_level(logging.INFO):
        write_pair_run(run_of(matrix_of(), skipped=skipped), facts(), tmp_path)
    result = read_result(tmp_path / "result.json")
    assert result.skipped == skipped and result.warnings == ()
    assert result.get("eer/anger-neutral").interval == pytest.approx((0.07, 0.22))
    figures = {path.name for path in (tmp_path / "figures").iterdir()}
    assert figures == {f"{name}.{kind}" for name in FIGURES for kind in ("png", "svg")}
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {
        "eer_matrix.csv",
        "scores.csv",
        "summary.txt",
        "result.json",
    }
    # no det.csv: where scores are all in one bin there is no curve
    for name in FIGURES:
        png = (tmp_path / "figures" / f"{name}.png").read_bytes()
        assert png[:8] == b"\x89PNG\r\n\x1a\n"
        svg = xml.etree.ElementTree.parse(tmp_path / "figures" / f"{name}.svg")
        assert svg.getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert (tmp_path / "summary.txt").read_text().strip() in caplog.text


def test_embeddings_are_kept_where_there_are_any(tmp_path, no_pictures):
    kept = Embeddings(["x", "y"], np.eye(2, dtype=np.float32))
    write_pair_run(run_of(matrix_of(), kept=kept), facts(), tmp_path)
    assert read_run(tmp_path).vectors.vectors.tolist() == [[1, 0], [0, 1]]


def test_the_same_run_leaves_the_same_pictures(tmp_path):
    for name in ("one", "other"):
        write_pair_run(run_of(matrix_of()), facts(), tmp_path / name)
    for path in (tmp_path / "one" / "figures").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / "figures" / path.name).read_bytes()


def test_the_table_has_every_number_of_every_cell_and_pool(tmp_path, no_pictures):
    doubted = cell("anger-anger", impostors=0, speakers=3, **WITHOUT_RATES)
    matrix = matrix_of()
    matrix = replace(matrix, cells=(doubted, *matrix.cells[1:]))
    write_pair_run(run_of(matrix), facts(), tmp_path)
    rows = rows_of(tmp_path / "eer_matrix.csv")
    assert list(rows) == [*NAMES, *POOLS]
    for name in (*NAMES[1:], *POOLS):
        of = cell(name)
        numbers = {
            "targets": of.targets,
            "impostors": of.impostors,
            "clips": of.clips,
            "speakers": of.speakers,
            "threshold": of.threshold,
            "min_dcf_0.01": of.min_dcf_01,
            "min_dcf_0.05": of.min_dcf_05,
        }
        for rate in ("eer", "frr", "far"):
            ends = of.interval if rate == "eer" else getattr(of, f"{rate}_interval")
            numbers |= {rate: getattr(of, rate), f"{rate}_low": ends[0], f"{rate}_high": ends[1]}
        for column, value in numbers.items():
            assert float(rows[name].pop(column)) == pytest.approx(value, rel=1e-5)
        assert rows[name].pop("doubt") == ""
        assert set(rows[name]) == {"pair", "published_eer"}  # no other numbers
    empty = {column: text for column, text in rows["anger-anger"].items() if text}
    assert empty == {
        "pair": "anger-anger",
        "targets": "100",
        "impostors": "0",
        "clips": "21",
        "speakers": "3",
        "published_eer": "0.236",
        "doubt": "3 speakers, fewer than 5; no impostors",
    }


@pytest.mark.parametrize(
    ("corpus", "published"), [("cremad", 23.6), ("iemocap", 42.19), ("msp_podcast", 13.14)]
)
def test_published_rates_stand_beside_ours(tmp_path, no_pictures, corpus, published):
    write_pair_run(run_of(matrix_of()), facts(corpus), tmp_path)
    header, *lines = (tmp_path / "summary.txt").read_text().splitlines()[1:]
    assert header.split()[:3] == ["pair", "EER", "published"]
    (line,) = (line for line in lines if line.startswith("anger-anger"))
    assert line.split()[1:5] == ["11.00", "[6.00,", "21.00]", f"{published:.2f}"]
    assert any("Pappagari" in line and "same gender" in line for line in lines)
    rows = rows_of(tmp_path / "eer_matrix.csv")
    assert float(rows["anger-anger"]["published_eer"]) == pytest.approx(published / 100)
    assert rows["pooled"]["published_eer"] == ""


def test_published_rates_are_of_the_same_classes(tmp_path, no_pictures):
    happy = replace(cell("anger-neutral"), name="anger-happiness", emotions=("anger", "happiness"))
    matrix = matrix_of()
    matrix = replace(matrix, cells=(matrix.cells[0], happy), resamples={})
    for name, merged, rate in (("apart", {}, ""), ("one", {"excitement": "happiness"}, "0.4411")):
        write_pair_run(run_of(matrix), facts("iemocap", merge_emotions=merged), tmp_path / name)
        rows = rows_of(tmp_path / name / "eer_matrix.csv")
        assert rows["anger-happiness"]["published_eer"] == rate
        assert rows["anger-anger"]["published_eer"] == "0.4219"
        text = (tmp_path / name / "summary.txt").read_text()
        assert "there excitement counts as happiness (merge_emotions)" in text
        assert ("not shown of happiness, merged otherwise" in text) == (name == "apart")


def test_a_corpus_without_published_rates_has_no_such_column(tmp_path, no_pictures):
    write_pair_run(run_of(matrix_of()), facts("ravdess"), tmp_path)
    assert "published" not in (tmp_path / "summary.txt").read_text()
    assert all(not row["published_eer"] for row in rows_of(tmp_path / "eer_matrix.csv").values())


def test_the_demonstration_is_stamped(tmp_path, no_pictures):
    write_pair_run(run_of(matrix_of()), facts("demo"), tmp_path)
    assert (tmp_path / "summary.txt").read_text().startswith("Synthetic demonstration: never")


def test_the_summary_is_aligned_and_says_where_rates_are_from(tmp_path, no_pictures):
    few = cell("anger-anger", targets=29)
    matrix = matrix_of()
    matrix = replace(matrix, cells=(few, *matrix.cells[1:]))
    write_pair_run(run_of(matrix), facts(), tmp_path)
    text = (tmp_path / "summary.txt").read_text()
    table = text.splitlines()[1:8]
    assert len({len(line) for line in table}) == 1
    assert table[1].startswith("anger-anger * ") and "* " not in table[2]
    assert "EER of cross minus that of same: 1.00 [-2.00, 4.00]" in text
    assert "at the score 0.2300, where neutral-neutral has its EER" in text
    assert "warning: not to be trusted: anger-anger (29 targets, fewer than 30)" in text


def test_lists_of_trials_are_in_the_result_and_the_summary(tmp_path, no_pictures):
    lists = (
        Metric("eer/list_official", 0.125, 40, 8, (0.1, 0.15)),
        Metric("min_dcf/list_official", 0.75, 40, 8, None),
    )
    result = write_pair_run(run_of(matrix_of(), lists=lists), facts(), tmp_path)
    assert [result.get(metric.metric) for metric in lists] == list(lists)
    text = (tmp_path / "summary.txt").read_text()
    assert "EER of the trials official: 12.50 [10.00, 15.00]" in text
    assert "75" not in text
    assert "scores: cosine similarity" in text.splitlines()
    beside = Metric("other/eer/list_official", 0.25, 40, 8, None)
    run = run_of(matrix_of(), lists=(*lists, beside), other=matrix_of(), other_name="ecapa")
    write_pair_run(run, facts(), tmp_path / "two")
    text = (tmp_path / "two" / "summary.txt").read_text()
    assert "EER of the trials official by ecapa: 25.00" in text


def test_warnings_tell_what_is_missing(tmp_path, no_pictures):
    matrix = matrix_of(
        excluded={"no gender": 4, "no emotion": 2}, reference=None, reference_threshold=None
    )
    run = run_of(matrix, warnings=("partial copy",))
    result = write_pair_run(run, facts(reference="calm"), tmp_path)
    assert result.warnings[:3] == (
        "partial copy",
        "4 clips are in no trial: no gender",
        "2 clips are in no trial: no emotion",
    )
    (no_threshold,) = result.warnings[3:]
    assert no_threshold.startswith("no rates at a fixed threshold: the reference emotion calm")
    assert read_result(tmp_path / "result.json").warnings == result.warnings


@pytest.mark.parametrize(
    ("hparams", "said"),
    [
        (
            {"centre": True, "standardise": True, "training_corpora": []},
            "has its mean and deviations from the clips",
        ),
        ({"centre": True, "standardise": False}, "has its mean from the clips"),
        ({"centre": True, "standardise": True, "training_corpora": ["demo"]}, ""),
        ({"centre": False, "standardise": False}, ""),
    ],
)
def test_what_is_learnt_of_the_tried_clips_is_a_warning(tmp_path, no_pictures, hparams, said):
    result = write_pair_run(run_of(matrix_of()), facts(**hparams), tmp_path)
    assert len(result.warnings) == bool(said)
    assert all(said in warning and "tried themselves" in warning for warning in result.warnings)


def test_a_matrix_with_hardly_anything_is_written_all_the_same(tmp_path):
    lonely = cell("anger-anger", targets=0, impostors=1, **WITHOUT_RATES)
    pooled = cell("pooled", targets=0, impostors=1, **WITHOUT_RATES)
    matrix = matrix_of(
        cells=(lonely,),
        pools={"pooled": pooled},
        difference=None,
        difference_interval=None,
        reference=None,
        reference_threshold=None,
        method="",
        resamples={},
    )
    result = write_pair_run(run_of(matrix, seconds={}), facts(), tmp_path)
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        "eer_matrix.png",
        "eer_matrix.svg",
    }
    assert len(result.metrics) == 4
    assert "no rates at a fixed threshold" in (tmp_path / "summary.txt").read_text()


def test_two_encoders_are_compared_by_the_same_resamples(tmp_path, no_pictures):
    ours, other = matrix_of(), matrix_of(seed=1, worse=0.05)
    result = write_pair_run(run_of(ours, other=other, other_name="ecapa"), facts(), tmp_path)
    rows = rows_of(tmp_path / "comparison.csv")
    assert list(rows) == [*NAMES, *POOLS]
    for name, row in rows.items():
        of = cell(name)
        drawn = ours.resamples[name] - other.resamples[name]
        wider = t.ppf(0.975, of.speakers - 1) * math.sqrt(of.speakers / (of.speakers - 1))
        ends = np.quantile(drawn, norm.cdf([-wider, wider]))
        metric = result.get(f"difference/{name}")
        assert metric.value == pytest.approx(-0.05)
        assert metric.interval == pytest.approx(ends)
        assert (metric.n, metric.speakers) == (of.clips, of.speakers)
        expected = {"eer": of.eer, "other_eer": of.eer + 0.05, "difference": -0.05}
        expected |= {"difference_low": ends[0], "difference_high": ends[1]}
        for column, value in expected.items():
            assert float(row[column]) == pytest.approx(value, rel=1e-4)
    line = (tmp_path / "summary.txt").read_text().splitlines()[1]
    assert "minus ecapa" in line


def test_an_encoder_equals_itself():
    for found in differences(matrix_of(), matrix_of()):
        assert (found.value, found.interval) == (0.0, (0.0, 0.0))


def test_by_the_jackknife_the_difference_varies_as_its_leave_one_out_values_do():
    """Means of speakers: leaving one out tells the spread of the mean, here in closed form."""
    random = np.random.default_rng(0)
    own = random.normal(0.02, 0.01, (2, 300))  # of each encoder and speaker
    left = (own.sum(axis=1, keepdims=True) - own) / 299
    matrices = [
        matrix_of(
            cells=(cell("anger-anger", eer=mean, speakers=300),),
            pools={},
            method="jackknife",
            resamples={"anger-anger": values},
        )
        for mean, values in zip(own.mean(axis=1), left, strict=True)
    ]
    (found,) = differences(*matrices)
    error = np.std(own[0] - own[1], ddof=1) / math.sqrt(300)
    expected = found.value + 1.96 * error * np.array([-1, 1])
    assert found.interval == pytest.approx(expected, abs=0.1 * error)


def test_no_resamples_no_interval_and_no_rate_no_difference():
    empty = cell("anger-anger", impostors=0, **WITHOUT_RATES)
    plain = matrix_of(cells=(empty, cell("anger-neutral")), pools={}, resamples={}, method="")
    (found,) = differences(plain, plain)
    assert (found.cell.name, found.value, found.interval) == ("anger-neutral", 0.0, None)


@pytest.mark.parametrize(
    "cells", [(), (cell("anger-anger", targets=99),), (cell("anger-anger", impostors=7),)]
)
def test_other_trials_are_an_error(cells, tmp_path):
    other = matrix_of()
    other = replace(other, cells=(*cells, *other.cells[1:]))
    with pytest.raises(ResultError, match=r"anger-anger.*expected the same trials"):
        write_pair_run(run_of(matrix_of(), other=other), facts(), tmp_path)
    assert list(tmp_path.iterdir()) == []
