"""Tables of representations: which rows and columns there are, and what stands in them."""

import csv
from pathlib import Path

import pytest

from emovec.report.privacy_tables import over_seeds, privacy_table, rows_of, write_privacy_csv
from emovec.tables.results import Metric, Result, RunFacts

FACTS = RunFacts("", "", 1, "", 0.0, "", {}, "", {}, "small", None, "p", "", False)


def result(values: dict[str, float], seconds: float | None = None) -> Result:
    metrics = [Metric("majority/weighted_f1", 0.25, 40, 4, (0.2, 0.3))]
    metrics += [
        Metric(name, value, 40, 4, (value - 0.1, value + 0.1)) for name, value in values.items()
    ]
    if seconds is not None:
        metrics.append(Metric("training/seconds", seconds, 90, 9, None))
        metrics.append(Metric("training/parameters", 1000.0, 90, 9, None))
    return Result(FACTS, tuple(metrics))


def both(representation: str, f1: float, rate: float) -> dict[str, float]:
    return {
        f"{representation}/weighted_f1": f1,
        f"{representation}/weighted_f1_svm": f1 + 0.02,
        f"{representation}/weighted_f1_worst": f1 + 0.02,
        f"{representation}/eer": rate,
        f"{representation}/eer_plda": rate - 0.05,
        f"{representation}/eer_worst": rate - 0.05,
    }


RESULTS = {
    "input": [result(both("origin", 0.6, 0.1))],
    "random": [result(both("origin", 0.2, 0.5))],
    "avae_identity": [result(both("emotion_free", 0.3, 0.15), 20.0)],
    "avae_emotion": [
        result(both("identity_free", 0.5, 0.4), 10.0),
        result(both("identity_free", 0.52, 0.42), 12.0),
    ],
    "chosen": [result(both("origin", 0.55, 0.12) | both("identity_free", 0.5, 0.45), 30.0)],
}


def cells(text: str, label: str) -> list[list[str]]:
    """The cells behind a label, in each table that has it."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row[1:]] for row in lines if row[0].strip() == label]


def test_rows_follow_the_paper_then_further_systems_then_bounds() -> None:
    labels = [row.label for row in rows_of(RESULTS)]
    assert labels == [
        "A-VAE, PP-SER",
        "A-VAE, PP-SV",
        "chosen, origin",
        "chosen, identity-free",
        "bound: the input, standardised",
        "bound: random vectors",
    ]


def test_seeds_are_averaged_and_their_range_told() -> None:
    main, every = cells(privacy_table(RESULTS, "xvector"), "A-VAE, PP-SER")
    f1, rate = "0.510 [0.41, 0.61] (0.500 to 0.520)", "0.410 [0.31, 0.51] (0.400 to 0.420)"
    assert main == ["2", f1, "0.4895", rate, "0.4593"]
    assert every[0] == f1 and every[3] == rate
    assert every[4] == every[5] == "0.360 [0.26, 0.46] (0.350 to 0.370)"


def test_no_published_columns_where_nothing_was_published() -> None:
    text = privacy_table(RESULTS, "egemaps")
    assert "| published |" not in text
    assert cells(text, "chosen, origin")[0] == ["1", "0.550 [0.45, 0.65]", "0.120 [0.02, 0.22]"]
    assert cells(text, "bound: the most frequent class")[0][1] == "0.250 [0.20, 0.30]"


def test_two_trainings_of_avae_cost_the_sum() -> None:
    text = privacy_table(RESULTS, "")
    assert cells(text, "avae_emotion") == [["11 (10 to 12)", "1,000"]]
    assert cells(text, "both of A-VAE") == [["31", "2,000"]]
    assert not cells(text, "input")


def test_the_table_as_numbers(tmp_path: Path) -> None:
    write_privacy_csv(tmp_path / "table.csv", RESULTS, "xvector")
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = {(r["system"], r["representation"], r["measure"]): r for r in csv.DictReader(file)}
    one = rows["avae_emotion", "identity_free", "eer"]
    assert (one["seeds"], one["published"]) == ("2", "0.4593")
    names = ("mean", "interval_low", "interval_high", "lowest_seed", "highest_seed")
    assert [float(one[name]) for name in names] == pytest.approx([0.41, 0.31, 0.51, 0.4, 0.42])
    assert rows["avae_emotion", "identity_free", "eer_plda"]["published"] == ""
    assert len(rows) == 6 * len(rows_of(RESULTS))


def test_without_intervals_of_all_seeds_there_is_none() -> None:
    seeds = [Metric("eer", 0.1, 9, 3, None), Metric("eer", 0.3, 9, 3, (0.2, 0.4))]
    assert over_seeds(seeds, "x/eer") == Metric("x/eer", pytest.approx(0.2), 9, 3, None)
