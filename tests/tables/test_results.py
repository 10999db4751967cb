import errno
import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emovec.errors import EmovecError, StorageError
from emovec.tables import provenance
from emovec.tables.corpus import Skip
from emovec.tables.results import (
    Metric,
    Result,
    ResultError,
    read_result,
    run_facts,
    write_result,
)

RUN = run_facts(
    ["recipes/ser/train.py", "hparams/emosphere.yaml", "--note=two words"],
    {"seed": 7, "epochs": 20, "folder": Path("runs") / "x", "betas": [0.9, 0.98]},
    seed=7,
    started=datetime.now(timezone.utc) - timedelta(seconds=30),
    device="cpu",
    manifest_hash="0123456789abcdef",
    corpus="ravdess",
    affect_source="prototype",
    protocol="by-speaker",
    split_hash="fedcba9876543210",
    shares_speakers=False,
    leaks=[],
)
METRIC = Metric("ccc/valence", 0.5, 120, 6, (0.25, 0.75))


def result(*metrics):
    return Result(RUN, metrics, (Skip("03-01", "shorter than 0.1 s"),), ("6 test speakers",))


def test_the_file_is_what_the_design_says(tmp_path):
    write_result(tmp_path / "result.json", result(METRIC))
    content = json.loads((tmp_path / "result.json").read_text())
    assert list(content) == ["run", "metrics", "skipped", "warnings"]
    design = [
        "command",
        "commit",
        "seed",
        "started",
        "seconds",
        "machine",
        "versions",
        "manifest_hash",
        "hparams",
    ]
    assert list(content["run"])[: len(design)] == design
    assert content["run"]["hparams"]["folder"] == "runs/x"
    assert content["metrics"] == [
        {"metric": "ccc/valence", "value": 0.5, "n": 120, "speakers": 6, "interval": [0.25, 0.75]}
    ]
    assert content["skipped"] == [{"id": "03-01", "reason": "shorter than 0.1 s"}]
    assert content["warnings"] == ["6 test speakers"]


@given(
    st.lists(
        st.builds(
            Metric,
            metric=st.text("abc/_é", min_size=1),
            value=st.floats(allow_nan=False, allow_infinity=False),
            n=st.integers(0, 10**9),
            speakers=st.integers(0, 10**6),
            interval=st.none() | st.floats(-1, 1).map(lambda low: (low, low + 0.5)),
        ),
        unique_by=lambda metric: metric.metric,
    )
)
def test_what_is_written_is_read(tmp_path_factory, metrics):
    path = tmp_path_factory.mktemp("run") / "result.json"
    expected = Result(replace(RUN, hparams={"seed": 7, "nested": {"a": [1, None]}}), tuple(metrics))
    write_result(path, expected)
    assert read_result(path) == expected


def test_numpy_numbers_are_numbers(tmp_path):
    low, high = np.float32([0.25, 0.75])
    metric = Metric("ccc/valence", np.float32(0.5), np.int64(120), np.int32(6), (low, high))
    write_result(tmp_path / "result.json", result(metric))
    assert read_result(tmp_path / "result.json").metrics == (METRIC,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": math.nan}, "'ccc/valence': value is nan; expected a finite number"),
        ({"value": math.inf}, "'ccc/valence': value is inf"),
        ({"value": "0.5"}, "'ccc/valence': value is 0.5; expected a finite number"),
        ({"value": True}, "value is True"),
        ({"n": -1}, "n is -1 and speakers 6; expected counts"),
        ({"speakers": 1.5}, "speakers 1.5"),
        ({"interval": (0.1, math.nan)}, "interval is"),
        ({"interval": (0.1,)}, "interval is"),
        ({"interval": (0.9, 0.1)}, "expected low, high"),
        ({"metric": ""}, "'' is empty"),
    ],
)
def test_a_bad_metric_is_refused_by_name_and_the_old_file_stays(tmp_path, change, message):
    path = tmp_path / "result.json"
    write_result(path, result(METRIC))
    before = path.read_bytes()
    with pytest.raises(ResultError, match=message):
        write_result(path, result(replace(METRIC, **change)))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["result.json"]


def test_a_metric_twice_is_refused(tmp_path):
    with pytest.raises(ResultError, match="'ccc/valence' is empty or occurs twice"):
        write_result(tmp_path / "result.json", result(METRIC, METRIC))


@pytest.mark.parametrize("value", [object(), {1, 2}, math.nan])
def test_hparams_that_json_cannot_hold_are_refused(tmp_path, value):
    run = replace(RUN, hparams={"x": value})
    with pytest.raises(ResultError, match="expected what JSON can hold"):
        write_result(tmp_path / "result.json", Result(run, ()))
    assert os.listdir(tmp_path) == []


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        write_result(tmp_path / "result.json", result(METRIC))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda content: content.pop("metrics"), r"missing \['metrics'\], unknown \[\]"),
        (lambda content: content.update(extra=1), r"missing \[\], unknown \['extra'\]"),
        (lambda content: content["run"].pop("commit"), r"run: missing \['commit'\]"),
        (lambda content: content.update(run=[]), r"run: found \[\]"),
        (lambda content: content["metrics"][0].pop("n"), r"metrics: missing \['n'\]"),
        (lambda content: content["metrics"][0].update(value=math.nan), "value is nan"),
        (lambda content: content["metrics"][0].update(value=None), "value is None"),
        (lambda content: content["metrics"][0].update(interval=[1]), "interval is"),
        (lambda content: content["metrics"][0].update(interval=0.3), "interval is 0.3"),
        (lambda content: content["skipped"].append("03-01"), "skipped: found '03-01'"),
        (lambda content: content.update(metrics=None), "metrics is None; expected a list"),
    ],
)
def test_a_file_that_was_edited_badly_is_an_error(tmp_path, edit, message):
    path = tmp_path / "result.json"
    write_result(path, result(METRIC))
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ResultError, match=message):
        read_result(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00"])
def test_a_file_that_is_no_result_is_an_error(tmp_path, text):
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(ResultError, match=r"result\.json"):
        read_result(tmp_path / "result.json")


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(EmovecError, match="not found; expected a result"):
        read_result(tmp_path / "result.json")


def test_a_metric_is_found_by_name():
    assert result(METRIC).get("ccc/valence") is METRIC
    assert result(METRIC).get("ccc/arousal") is None


def test_facts():
    assert RUN.command == ("python recipes/ser/train.py hparams/emosphere.yaml '--note=two words'")
    assert 30 <= RUN.seconds < 40
    assert datetime.fromisoformat(RUN.started).tzinfo is not None
    assert RUN.machine.endswith(" cores, cpu")
    assert RUN.versions["numpy"] == np.__version__
    assert RUN.versions["python"] == sys.version.split()[0]


def test_commit(tmp_path):
    def git(*words):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        command = ["git", "-C", str(tmp_path), *identity, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    code, other = tmp_path / "code.py", tmp_path / "other.py"
    code.write_text("")
    other.write_text("")
    assert provenance.commit(code) == "unknown"
    git("init")
    assert provenance.commit(code) == "unknown"
    git("add", "code.py")
    git("commit", "-m", "first")
    assert provenance.commit(code) == git("rev-parse", "HEAD")
    assert provenance.commit(other) == "unknown"  # installed inside somebody else's repository
    code.write_text("changed")
    assert provenance.commit(code) == git("rev-parse", "HEAD") + "-dirty"


def test_no_git_is_no_error(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.commit(Path(__file__)) == "unknown"


def test_libraries_that_are_not_installed_are_left_out(monkeypatch):
    monkeypatch.setattr(provenance, "LIBRARIES", ("numpy", "no-such-library"))
    assert list(provenance.versions()) == ["emovec", "python", "numpy"]


def test_a_result_from_before_leaks_were_noted_is_read(tmp_path):
    write_result(tmp_path / "result.json", result(METRIC))
    content = json.loads((tmp_path / "result.json").read_text())
    del content["run"]["leaks"]
    (tmp_path / "old.json").write_text(json.dumps(content))
    assert read_result(tmp_path / "old.json").run.leaks == ()
