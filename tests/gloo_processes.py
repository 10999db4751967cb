"""Several processes that work as one, as ``torchrun`` would start them."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import distributed, multiprocessing


def in_processes(work: Callable[..., None], processes: int, *arguments: Any) -> None:
    """Call work(rank, processes, ...) in each process of a group.

    They meet at a file, since a port may be another's; none leaves before all are done, since one
    that ends while others still talk to it may end with SIGABRT.
    """
    with tempfile.TemporaryDirectory() as folder:
        meeting = Path(folder, "meeting")
        multiprocessing.spawn(_join, (work, processes, meeting, *arguments), nprocs=processes)


def _join(
    rank: int, work: Callable[..., None], processes: int, meeting: Path, *arguments: Any
) -> None:
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank))
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", f"file://{meeting}", rank=rank, world_size=processes)
    work(rank, processes, *arguments)
    distributed.barrier()
    distributed.destroy_process_group()
