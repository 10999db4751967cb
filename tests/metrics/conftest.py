"""Processes for tests: threads that wait for each other."""

from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

import pytest

from emovec.metrics.pair_blocks import Processes


def in_processes(count: int, work: Callable[[Processes], Any]) -> list[Any]:
    """What each of some processes makes of the same work, in order of rank."""
    barrier, shared = Barrier(count), [None] * count
    results: list[Any] = [None] * count

    def gather(rank: int) -> Callable[[Any], list[Any]]:
        def all_values(value: Any) -> list[Any]:
            shared[rank] = value
            barrier.wait()
            values = list(shared)
            barrier.wait()
            return values

        return all_values

    def run(rank: int) -> None:
        try:
            results[rank] = work(Processes(rank, count, gather(rank)))
        except BaseException:
            barrier.abort()
            raise

    threads = [Thread(target=run, args=(rank,)) for rank in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.fixture(scope="session", name="in_processes")
def _in_processes() -> Callable:
    return in_processes
