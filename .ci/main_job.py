"""Run the main job as a shell command, measure it, and judge its result.json.

    python .ci/main_job.py "COMMAND"

Run in the repository's root, without earlier runs. Fails where the command does, or where the
result is too poor; time and memory beyond their targets are a warning, since machines differ.
"""

import json
import subprocess
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

MOST_SECONDS, MOST_GIGABYTES = 180, 3.0
LEAST_CONCORDANCE = 0.60
MEAN = "ccc/mean"


def main(command: str) -> None:
    """Run, print the numbers, and exit with an error where they are too poor."""
    seconds, gigabytes = measure(command)
    print(f"wall time {seconds:.0f} s, peak memory {gigabytes:.2f} GB, all processes together")
    if seconds > MOST_SECONDS:
        print(f"WARNING: more than {MOST_SECONDS} s")
    if gigabytes > MOST_GIGABYTES:
        print(f"WARNING: more than {MOST_GIGABYTES} GB")
    (path,) = Path("runs").glob("**/result.json")
    metrics = {row["metric"]: row for row in json.loads(path.read_text())["metrics"]}
    found = {name: row for name, row in metrics.items() if name.endswith(MEAN)}
    for name, row in found.items():
        low, high = row["interval"]
        print(
            f"{name:40} {row['value']:.3f} [{low:.3f}, {high:.3f}] "
            f"{row['n']} clips, {row['speakers']} speakers"
        )
    value = found.pop(MEAN)["value"]
    least = max(LEAST_CONCORDANCE, *(row["value"] for row in found.values()))
    if len(found) < 2 or value <= least:
        sys.exit(f"{path}: {MEAN} is {value:.3f}; expected above {least:.3f} and two baselines.")


def measure(command: str) -> tuple[float, float]:
    """Seconds, and the peak of the memory of a command and all below it, in GB.

    Shared pages are counted once (proportional set size); sampled, so that short peaks are missed.

    Raises:
        SystemExit: if the command fails
    """
    started = time.perf_counter()
    process = subprocess.Popen(["bash", "-euo", "pipefail", "-c", command])
    peak, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.5):
            peak[0] = max(peak[0], sum(map(kilobytes, family(process.pid))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    status = process.wait()
    done.set()
    watcher.join()
    if status:
        sys.exit(f"exit status {status}: {command}")
    return time.perf_counter() - started, peak[0] / 1e6


def family(ancestor: int) -> list[int]:
    """A process and all below it."""
    children = defaultdict(list)
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:  # pid (name) state parent ..., where the name may hold anything
            parent = int(status.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
        children[parent].append(int(status.parent.name))
    found = [ancestor]
    for process in found:  # grows as it goes
        found += children[process]
    return found


def kilobytes(process: int) -> int:
    """Memory of a process, its part of shared pages only; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


if __name__ == "__main__":
    main(sys.argv[1])
