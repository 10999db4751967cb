import pytest

from emovec.report.cells import count_cell, table, value_cell
from emovec.tables.results import Metric


def metric(value, interval=None):
    return Metric("ccc/mean", value, 10, 2, interval)


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ([], ""),
        ([metric(0.1234)], "0.123"),
        ([metric(-0.5, (-0.6, -0.4))], "-0.500 [-0.60, -0.40]"),
        ([metric(0.5, (0.4, 0.6)), metric(0.5, (0.2, 0.8))], "0.500 [0.30, 0.70]"),
        ([metric(0.5, (0.4, 0.6)), metric(0.7)], "0.600 (0.500 to 0.700)"),
    ],
)
def test_value_cell(metrics, expected):
    assert value_cell(metrics) == expected


def test_count_cell():
    assert count_cell([7, 3, 5, 3]) == "3 to 7"
    assert count_cell([0]) == "0"


def test_cells_cannot_break_a_table():
    text = table(["a"], [["x|y\nz"]])
    assert text == "| a |\n|---|\n| x\\|y z |\n"
