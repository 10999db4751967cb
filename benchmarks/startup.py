"""What `import emovec` costs: seconds over Python's own start, and whether torch comes with it.

python benchmarks/startup.py

Target: less than 0.15 s, and no torch. Starts of both kinds alternate, so that a busy machine
slows both.
"""

import subprocess
import sys
import time
from statistics import median

STARTS = 15
TARGET = 0.15  # seconds
HEAVY = ("torch", "speechbrain", "sklearn", "matplotlib", "scipy")


def main() -> None:
    """Time the starts and print the difference of the medians."""
    seconds: dict[str, list[float]] = {"pass": [], "import emovec": []}
    for statement in seconds:
        start(statement)  # fills the disk cache
    for _ in range(STARTS):
        for statement, measured in seconds.items():
            measured.append(start(statement))
    plain, imported = (median(measured) for measured in seconds.values())
    print(f"python {plain:.3f} s, with `import emovec` {imported:.3f} s (medians of {STARTS})")
    verdict = "met" if imported - plain < TARGET else "MISSED"
    print(f"difference {imported - plain:.3f} s; target below {TARGET} s: {verdict}")
    heavy = loaded()
    print(f"heavy modules imported: {heavy}; target none: {'MISSED' if heavy else 'met'}")


def start(statement: str) -> float:
    """Seconds that a new Python takes for a statement."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - started


def loaded() -> list[str]:
    """Heavy modules that `import emovec` brings."""
    command = "import sys, emovec; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", command], check=True, capture_output=True, text=True
    ).stdout.split()
    return [name for name in HEAVY if name in modules]


if __name__ == "__main__":
    main()
