import subprocess
import sys
import time

import pytest

HEAVY = (
    "torch",
    "torchaudio",
    "sklearn",
    "matplotlib",
    "speechbrain",
    "scipy",
    "pandas",
    "pyarrow",
)
LIGHT = """
import importlib, pkgutil, sys
import emovec
for name in ("emovec.tables", "emovec.metrics", "emovec.corpora"):
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        importlib.import_module(module.name)
import emovec.sphere, emovec.labels, emovec.errors, emovec.cli
print(*sorted(name for name in sys.modules if "." not in name))
"""


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout


def test_what_needs_no_torch_does_not_import_it():
    assert set(run(LIGHT).split()).isdisjoint(HEAVY)


def seconds(code):
    start = time.perf_counter()
    run(code)
    return time.perf_counter() - start


def test_import_costs_next_to_nothing():
    # 0.15 s is promised; the best of a few is what the import itself takes on a busy machine
    cost = min(seconds("import emovec") for _ in range(5)) - min(seconds("pass") for _ in range(5))
    assert cost < 0.15


@pytest.mark.parametrize("name", ["sphere", "labels", "errors"])
def test_modules_are_found_without_importing_them(name):
    assert run(f"import emovec; print(emovec.{name}.__name__)").strip() == f"emovec.{name}"


def test_unknown_name():
    code = "import emovec\ntry:\n    emovec.nonsense\nexcept AttributeError as e:\n    print(e)"
    assert "no attribute 'nonsense'" in run(code)
