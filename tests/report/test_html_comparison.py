"""Several runs on a page: what is said where they compare, and where they do not."""

import numpy as np
import pytest
from report_runs import affect_run, classes_run, pair_run

from emovec.metrics.regression import concordance
from emovec.report.html_blocks import Notice, Table
from emovec.report.html_comparison import comparison
from emovec.report.html_differences import differences
from emovec.report.html_runs import read_run


def compared(*folders):
    return comparison([read_run(folder) for folder in folders]).blocks


def tables(blocks):
    return [block for block in blocks if isinstance(block, Table)]


def test_values_and_differences_to_the_first(tmp_path):
    first = affect_run(tmp_path / "a")
    second = affect_run(tmp_path / "b", seed=1, hparams={"name": "other"})
    blocks = compared(first, second)
    assert not [block for block in blocks if isinstance(block, Notice)]
    main, further = tables(blocks)
    assert main.header == ["run", "ccc/valence", "ccc/arousal", "ccc/dominance", "ccc/mean"]
    assert [row[0] for row in main.rows] == ["a_run, seed 1", "other, seed 1"]
    values = [read_run(folder).result.get("ccc/mean").value for folder in (first, second)]
    value, difference = main.rows[1][4].split("\n")
    assert value.startswith(f"{values[1]:.3f} [")
    assert difference.startswith(f"{values[1] - values[0]:+.3f} [")
    assert "\n" not in main.rows[0][4]
    assert further.rows == [["baseline_mean/ccc/mean", "0.012", "0.012\n+0.000"]]


def test_differences_are_of_the_same_resamples(tmp_path):
    first, second = (
        read_run(affect_run(tmp_path / name, seed=seed)) for name, seed in (("a", 0), ("b", 1))
    )
    low, high = differences(second, first)["ccc/valence"]
    # by hand: all 4 ** 4 draws of the four speakers are equally likely
    true = np.array([float(row["valence"]) for row in first.predictions])
    said = [
        np.array([float(row["predicted_valence"]) for row in run.predictions])
        for run in (second, first)
    ]
    clips = [[n for n in range(12) if n % 4 == speaker] for speaker in range(4)]
    values = []
    for draw in np.ndindex(4, 4, 4, 4):
        rows = np.concatenate([clips[speaker] for speaker in draw])
        own, other = (concordance(of[rows], true[rows]) for of in said)
        values.append(own - other)
    assert (low, high) == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=0.08)


@pytest.mark.parametrize("change", [{"split_hash": "another"}, {"protocol": "x"}])
def test_other_splits_are_not_comparable(tmp_path, change):
    blocks = compared(affect_run(tmp_path / "a"), affect_run(tmp_path / "b", seed=1, **change))
    notices = [block for block in blocks if isinstance(block, Notice)]
    told = [notice for notice in notices if "NOT comparable" in notice.text]
    assert len(told) == ("split_hash" in change)
    assert all(notice.severity == "leak" and "another" in notice.text for notice in told)
    cell = tables(blocks)[0].rows[1][4]
    assert ("\n" in cell) == (not told)


def test_runs_without_a_common_metric(tmp_path):
    blocks = compared(classes_run(tmp_path / "a"), affect_run(tmp_path / "b"))
    assert any(isinstance(b, Notice) and "no metric in common" in b.text for b in blocks)


def test_a_metric_that_one_run_lacks(tmp_path):
    folders = (pair_run(tmp_path / "a"), pair_run(tmp_path / "b"), classes_run(tmp_path / "c"))
    main = tables(compared(*folders))[0]
    assert main.header == ["run", "eer/pooled", "eer/cross_minus_same"]
    assert main.rows[1][2] == "5.0 points [2.0, 8.0]\n+0.0 points"
    assert main.rows[2][1:] == ["–", "–"]  # noqa: RUF001


def test_no_intervals_without_speakers(tmp_path):
    first, second = affect_run(tmp_path / "a"), affect_run(tmp_path / "b", seed=1)
    for folder in (first, second):
        (folder / "data/manifest.csv").unlink()
    assert differences(read_run(second), read_run(first)) == {}
