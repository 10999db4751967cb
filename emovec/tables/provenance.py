"""What a number depends on beside its inputs: code, processor, libraries."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

from emovec import __version__

LIBRARIES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "soundfile",
    "torch",
    "torchaudio",
    "speechbrain",
    "opensmile",
)


def commit(file: Path) -> str:
    """Commit that a file of the code belongs to; "unknown" where it is not under git."""
    command = ["git", "-C", str(file.parent)]
    try:
        subprocess.run(
            [*command, "ls-files", "--error-unmatch", file.name], check=True, capture_output=True
        )
        described = subprocess.run(
            [*command, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            check=True,
            capture_output=True,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return described.stdout.strip()


def processor() -> str:
    """Name of the processor, as well as the system knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Versions of Python, of this package, and of the installed libraries that move numbers."""
    found = {"emovec": __version__, "python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return found
