"""``emovec report``."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))
from report_runs import affect_run, pair_run


def test_a_page_is_written_and_named(emovec, tmp_path):
    run, output = affect_run(tmp_path / "run"), tmp_path / "page.html"
    done = emovec("report", run, "--output", output)
    assert done.exit_code == 0
    assert done.stdout.startswith(f"{output}: ")
    assert "a_run, seed 1" in output.read_text()


def test_several_runs(emovec, tmp_path):
    output = tmp_path / "page.html"
    done = emovec(
        "report", pair_run(tmp_path / "a"), pair_run(tmp_path / "b"), f"--output={output}"
    )
    assert done.exit_code == 0
    assert "2 runs compared" in output.read_text()


def test_a_folder_without_a_run(emovec, tmp_path):
    done = emovec("report", tmp_path, "--output", tmp_path / "page.html")
    assert done.exit_code == 1
    assert "no result.json in it" in done.stderr
    assert not (tmp_path / "page.html").exists()


def test_no_folder_is_a_wrong_command_line(emovec):
    assert emovec("report").exit_code == 2


@pytest.mark.parametrize("installed", [True, False])
def test_it_says_how_to_get_interactive_figures(emovec, tmp_path, monkeypatch, installed):
    monkeypatch.setattr("emovec.report.interactive.library", lambda: "x" * installed)
    done = emovec("report", pair_run(tmp_path / "a"), "--output", tmp_path / "page.html")
    assert ("pip install 'emovec[report]'" in done.stderr) == (not installed)
