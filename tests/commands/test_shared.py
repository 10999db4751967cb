"""What the commands share: progress, text for a terminal, names of models."""

import io

import pytest

from emovec.commands import shared
from emovec.commands.shared import model_name, printable, progress, table_lines
from emovec.metrics.pair_blocks import ALONE, Processes


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_on_a_terminal(monkeypatch):
    monkeypatch.setattr("sys.stderr", Terminal())
    with progress(4, "clips", ALONE) as advance:
        advance(3)
        advance(1)
    assert "clips: 100%" in shared.sys.stderr.getvalue()
    assert "4/4" in shared.sys.stderr.getvalue()


@pytest.mark.parametrize(
    ("processes", "told"),
    [
        (ALONE, "2 of 9 clips\n5 of 9 clips\n"),
        (Processes(0, 2), "2 clips by the first process\n5 clips by the first process\n"),
        (Processes(1, 2), ""),
    ],
)
def test_lines_now_and_then_elsewhere(monkeypatch, capsys, processes, told):
    now = 0.0
    monkeypatch.setattr(shared.time, "monotonic", lambda: now)
    with progress(9, "clips", processes) as advance:
        for now, number in ((31.0, 2), (40.0, 2), (62.0, 1), (70.0, 4)):  # noqa: B007
            advance(number)
    assert capsys.readouterr().err == told


def test_a_run_s_folder_stands_for_its_model(tmp_path):
    (tmp_path / "run" / "model").mkdir(parents=True)
    (tmp_path / "run" / "model" / "config.json").write_text("{}")
    assert model_name(str(tmp_path / "run")) == str(tmp_path / "run" / "model")
    assert model_name(str(tmp_path / "run" / "model")) == str(tmp_path / "run" / "model")
    assert model_name("org/name@1234") == "org/name@1234"


def test_text_for_a_terminal():
    assert printable("a\tb\x07\udc80") == "a\\tb\\x07\\udc80"
    rows = [{"name": "a", "n": "1", "of": "x"}, {"name": "bcd", "n": "20", "of": "-y"}]
    assert list(table_lines(rows)) == ["name   n  of", "a      1  x", "bcd   20  -y"]
