"""The processes that ``torchrun`` started, as those who share work see them."""

from typing import Any

from torch import distributed

from emovec.metrics.pair_blocks import ALONE, Processes


def process_place() -> tuple[int, int]:
    """Rank of this process, and how many there are."""
    if not distributed.is_initialized():
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def running_processes() -> Processes:
    """Those of torch's process group; this one alone where there is none."""
    if not distributed.is_initialized():
        return ALONE
    return Processes(*process_place(), _everywhere)


def _everywhere(value: Any) -> list[Any]:
    """The values of all processes, in each of them."""
    values = [None] * distributed.get_world_size()
    distributed.all_gather_object(values, value)
    return values
