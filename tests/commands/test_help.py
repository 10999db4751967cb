"""Help is instant, errors are one message, and only what is needed is imported."""

import subprocess
import sys
import time

import pytest

from emovec.cli import main

COMMANDS = sorted(main.commands)
HEAVY = {"torch", "speechbrain", "sklearn", "matplotlib", "scipy", "pandas", "numpy", "pyarrow"}


def imported(*lines: list[str]) -> tuple[set[str], str]:
    """Modules after some command lines in a new process, and what they print."""
    calls = "".join(f"main({line!r}, standalone_mode=False)\n" for line in lines)
    code = f"import sys\nfrom emovec.cli import main\n{calls}print()\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    printed, _, modules = done.stdout.rstrip("\n").rpartition("\n")
    return set(modules.split()), printed


def test_all_that_was_promised():
    promised = {"extract", "emotion", "verify", "eer-matrix", "prepare", "check", "models"}
    assert promised | {"export", "demo"} <= set(COMMANDS)


def test_help_imports_nothing_heavy():
    modules, printed = imported(["--help"], *([name, "--help"] for name in COMMANDS))
    assert modules.isdisjoint(HEAVY)
    assert all(f" {name} [OPTIONS]" in printed for name in COMMANDS)


def test_help_is_instant():
    def seconds(*arguments: str) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
        return time.perf_counter() - started

    bare = min(seconds("-c", "pass") for _ in range(5))
    # 0.3 s is promised; what the command itself adds to Python's own start, on a busy machine too
    assert min(seconds("-m", "emovec.cli", "--help") for _ in range(5)) - bare < 0.3


@pytest.mark.parametrize("name", COMMANDS)
def test_a_wrong_option_ends_with_two(emovec, name):
    done = emovec(name, "--nonsense")
    assert done.exit_code == 2
    assert "No such option" in done.stderr


def test_tables_are_worked_on_without_torch(table):
    out = table.parent
    modules, _ = imported(
        ["export", str(table), "--format=parquet"],
        ["check", str(table)],
        ["eer-matrix", str(table), f"--output={out / 'out'}", "--draws=0"],
    )
    assert modules.isdisjoint({"torch", "speechbrain"})


def test_what_the_system_refuses_is_one_message(emovec, table, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "secret.npz")

    monkeypatch.setattr("emovec.tables.embedding_files.read", refuse)
    done = emovec("check", table)
    assert (done.exit_code, done.stderr) == (1, "Error: secret.npz: Permission denied\n")


def test_it_can_be_run_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "emovec.cli", "--version"], capture_output=True, text=True
    )
    assert (done.returncode, "version" in done.stdout) == (0, True)
