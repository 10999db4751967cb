"""A bound on what a constructor may allocate, held before it is allocated."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

# What takes a size, and what tells the bytes of it on the meta device, where nothing is allocated.
# (There torch.randn would import torch's compiler, which takes seconds.)
MAKERS: dict[Any, Callable[..., Tensor]] = {
    torch.empty: torch.empty,
    torch.zeros: torch.zeros,
    torch.ones: torch.ones,
    torch.full: torch.full,
    torch.rand: torch.rand,
    torch.randn: torch.rand,
    torch.arange: torch.arange,
    torch.linspace: torch.linspace,
}

# A module of ours makes 1.001 times the bytes of its weights, and 1.2 times as many tensors; half
# precision halves the bytes. Beside them are windows and filter banks.
FACTOR, SPARE_BYTES, SPARE_TENSORS = 4, 2**20, 100


class MemoryBudget(TorchFunctionMode):
    """Context in which torch makes little more than some weights.

    Beyond four times their bytes and number, and a bit to spare, it raises, before it allocates
    them. Other arithmetic is stopped by the size of its result.

    Args:
        weights: all that is to be made
        spare_bytes: that may be made beside them
        spare_tensors: that may be made beside them

    Raises:
        MemoryError: inside the context, if more is made

    >>> with MemoryBudget([torch.zeros(8)], spare_bytes=0):
    ...     torch.zeros(10**15)
    Traceback (most recent call last):
    ...
    MemoryError: 4000000000000000 bytes of 128 that its weights allow
    """

    def __init__(
        self,
        weights: Collection[Tensor],
        spare_bytes: int = SPARE_BYTES,
        spare_tensors: int = SPARE_TENSORS,
    ) -> None:
        super().__init__()
        self.most_bytes = FACTOR * sum(tensor.nbytes for tensor in weights) + spare_bytes
        self.most_tensors = FACTOR * len(weights) + spare_tensors
        self.bytes = self.tensors = 0

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch if it may be."""
        kwargs = dict(kwargs or {})
        if func in MAKERS:
            self.bytes += MAKERS[func](*args, **{**kwargs, "device": "meta"}).nbytes
            self.tensors += 1
            self._check(self.bytes)
        result = func(*args, **kwargs)
        if isinstance(result, Tensor):
            self._check(result.nbytes)
        return result

    def _check(self, size: int) -> None:
        if size > self.most_bytes:
            raise MemoryError(f"{size} bytes of {self.most_bytes} that its weights allow")
        if self.tensors > self.most_tensors:
            raise MemoryError(f"more than {self.most_tensors} tensors, which its weights allow")
