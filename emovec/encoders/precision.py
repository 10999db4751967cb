"""Where and how an encoder computes: device, precision, threads."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import torch

from emovec.errors import HparamError
from emovec.tables.provenance import cores

PRECISIONS = ("fp32", "bf16")
# padded seconds of a batch: on a CPU clips go alone, unless they are shorter than its half
_BATCH_SECONDS = {"cpu": 2.0, "cuda": 320.0, "mps": 80.0}


@dataclass(frozen=True)
class Compute:
    """A device that is there, a precision that it has, and threads.

    Attributes:
        device: where the network is
        precision: one of ``PRECISIONS``
        workers: threads that read and, on a CPU, compute
        cores_each: cores that torch takes in each of them
    """

    device: torch.device
    precision: str
    workers: int
    cores_each: int = 1

    @classmethod
    def of(
        cls, device: str, precision: str = "fp32", workers: int | None = None, processes: int = 1
    ) -> "Compute":
        """What was asked for, checked.

        Args:
            device: "cpu", "cuda", "cuda:1", ..., or "mps"
            precision: one of ``PRECISIONS``
            workers: threads; None: one for each core that the processes on this machine leave
            processes: that share the job

        Raises:
            HparamError: if the machine has no such device or precision, or there is no thread
        """
        found = _device(device)
        if precision not in PRECISIONS:
            raise HparamError(f"precision is '{precision}'; expected one of {PRECISIONS}.")
        if precision == "bf16" and not _HAS_BF16[found.type]():
            raise HparamError(
                f"precision is 'bf16'; {device} of this machine does not compute in it. Take fp32."
            )
        if workers is None:
            here = int(os.environ.get("LOCAL_WORLD_SIZE", processes))  # torchrun's
            workers = max(1, cores() // here)
        if workers < 1:
            raise HparamError(f"workers is {workers}; expected at least 1. Correct it.")
        return cls(found, precision, workers)

    def for_batches(self, count: int) -> "Compute":
        """The same for a few batches: if there are more threads, they compute with more cores."""
        workers = max(1, min(count, self.workers))
        return replace(self, workers=workers, cores_each=self.workers // workers)

    @property
    def batch_seconds(self) -> float:
        """Most padded seconds in a batch; a longer clip is a batch of its own."""
        return _BATCH_SECONDS[self.device.type]

    def autocast(self) -> AbstractContextManager[object]:
        """Of forward passes; holds for the thread that enters it."""
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def numerics(self) -> AbstractContextManager[object]:
        """Of a whole run: float32 and the same algorithms each time, where a GPU would choose."""
        if self.device.type != "cuda":
            return nullcontext()
        return torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=False
        )


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in _COUNT:
        raise HparamError(f"device is '{name}'; expected one of {list(_COUNT)}. Correct it.")
    count = _COUNT[device.type]()
    if (device.index or 0) >= count:
        raise HparamError(
            f"device is '{name}'; this machine has {count} of {device.type}. "
            "Choose another, such as cpu."
        )
    return device


_COUNT: dict[str, Callable[[], int]] = {
    "cpu": lambda: 1,
    "cuda": torch.cuda.device_count,
    "mps": torch.mps.device_count,
}
_HAS_BF16: dict[str, Callable[[], bool]] = {
    # elsewhere torch emulates it, which is slower than float32
    "cpu": lambda: (
        torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    ),
    "cuda": lambda: torch.cuda.is_bf16_supported(including_emulation=False),
    "mps": lambda: torch.backends.mps.is_macos_or_newer(14, 0),
}
