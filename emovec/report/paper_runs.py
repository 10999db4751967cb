"""Runs of a paper's table: each a process of its own, with a log in its folder."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emovec.tables.provenance import cores
from emovec.tables.results import Result, ResultError, differing_hparams, read_result


@dataclass(frozen=True)
class Run:
    """A variant with a seed, and in a table over folds with one of them or all.

    Attributes:
        variant: its name
        seed: of everything random
        folder: that it writes to
        command: line that trains it, without Python
        hparams: that the line comes to
    """

    variant: str
    seed: int
    folder: Path
    command: Sequence[str]
    hparams: Mapping[str, Any]

    @property
    def log(self) -> Path:
        """What it says."""
        return self.folder / "log.txt"

    def result(self) -> Result | None:
        """Its result, if there is one that can be read and has the same hparams."""
        try:
            result = read_result(self.folder / "result.json")
        except ResultError:
            return None
        return None if differing_hparams(result.run.hparams, self.hparams) else result

    def train(self, neighbours: int) -> bool:
        """Whether it ran through and left its result.

        Args:
            neighbours: runs at the same time, this one included, that share the cores
        """
        threads = {} if neighbours == 1 else {"OMP_NUM_THREADS": str(max(1, cores() // neighbours))}
        started = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("w", encoding="utf-8") as log:
            code = subprocess.run(
                [sys.executable, *self.command],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**threads, **os.environ},
            ).returncode
        success = code == 0 and self.result() is not None
        outcome = "done" if success else f"failed with code {code}"
        print(f"{self.folder}: {outcome}, {time.monotonic() - started:.0f} s", flush=True)
        return success

    def log_end(self, lines: int) -> str:
        """Last lines of its log."""
        return "\n".join(self.log.read_text("utf-8", errors="replace").splitlines()[-lines:])
