"""Forward passes of encoders: which clips share a batch, on what device, and reading beside it.

On a CPU clips go one by one through threads that compute with one core each: batches of 32 take
nearly twice the time, as they leave the caches, and one network on all cores waits for the slowest
at each layer. Threads are as fast as processes there, as libraries let others run while they
compute, share the weights, and leave nothing behind when they are killed. On other devices threads
read, and batches go through one after the other.

Shapes: B batch, T samples, N clips, E embedding.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from emovec.audio.batches import pad
from emovec.encoders.base import Encoder
from emovec.encoders.precision import Compute

Vector = NDArray[np.float32]
Request = TypeVar("Request")
Key = TypeVar("Key")
Result = TypeVar("Result")
AHEAD = 3  # batches of each thread that are read or computed before they are asked for


@dataclass(frozen=True)
class Read(Generic[Key]):
    """Waves of one batch.

    Attributes:
        keys: B names of the rows
        waves: B of (T_i,)
        unread: why others could not be read
    """

    keys: list[Key]
    waves: list[Vector]
    unread: dict[Key, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Embedded(Generic[Key]):
    """What was made of one batch.

    Attributes:
        vectors: embeddings (E,) of what was heard
        reasons: why the other rows have none
        unread: why others could not be read
    """

    vectors: dict[Key, Vector]
    reasons: dict[Key, str]
    unread: dict[Key, str]


def by_length(seconds: Sequence[float], batch_seconds: float) -> list[list[int]]:
    """Rows in order of length, the longest first, as many in a batch as fit when padded.

    The longest first: if memory does not suffice, that is known at once.

    >>> by_length([1.0, 9.0, 2.0, 2.0], 4.0)
    [[1], [2, 3], [0]]
    """
    batches: list[list[int]] = []
    for row in sorted(range(len(seconds)), key=lambda row: -seconds[row]):
        last = batches[-1] if batches else []
        if last and seconds[last[0]] * (len(last) + 1) <= batch_seconds:
            last.append(row)
        else:
            batches.append([row])
    return batches


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode; afterwards each module, frozen ones among them, is in its own again."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def embed_batch(
    encoder: Encoder, waves: Tensor, lengths: Tensor
) -> tuple[dict[int, Vector], dict[int, str]]:
    """Embeddings (E,) of what is heard by place in the batch, and why the others have none.

    Args:
        encoder: in evaluation mode
        waves: (B, T) on its device
        lengths: (B,) int64 valid samples, any number from 1
    """
    reasons = {
        place: f"{length} samples, too short for the encoder, which needs {encoder.shortest}"
        for place, length in enumerate(lengths.tolist())
        if length < encoder.shortest
    }
    places = torch.nonzero(lengths >= encoder.shortest).flatten()
    if len(places):
        heard = encoder.hears(*_cut(waves, lengths, places))
        reasons |= dict.fromkeys(places[~heard].tolist(), f"{encoder.unheard} in it")
        places = places[heard]
    found: dict[int, Vector] = {}
    for group in _groups(encoder, lengths, places):
        vectors = encoder(*_cut(waves, lengths, group)).float().cpu().numpy()
        found |= dict(zip(group.tolist(), vectors, strict=True))
    return found, reasons


def _groups(encoder: Encoder, lengths: Tensor, places: Tensor) -> list[Tensor]:
    """Places that may share a batch: all, or those of equal length."""
    if encoder.padding_safe:
        return [places] if len(places) else []
    return [places[lengths[places] == length] for length in lengths[places].unique()]


def _cut(waves: Tensor, lengths: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Waves and lengths of some places, without padding that none of them needs."""
    chosen = lengths[places]
    return waves[places, : int(chosen.max())], chosen


def embed_ahead(
    encoder: Encoder,
    requests: Iterable[Request],
    read: Callable[[Request], Read[Key]],
    compute: Compute,
) -> Generator[tuple[Request, Embedded[Key]], None, None]:
    """Embeddings of batches in their order, while others are read and, on a CPU, computed.

    Results depend on the batches alone, not on the number of threads.

    Args:
        encoder: is moved to the device; its modes are given back as they were
        requests: what batches are to be read
        read: of the waves of one; called in threads
        compute: where and how
    """
    in_threads = compute.device.type == "cpu"

    def prepare(request: Request) -> Embedded[Key] | tuple[Read[Key], Tensor, Tensor]:
        batch = read(request)
        if not batch.keys:
            return Embedded({}, {}, batch.unread)
        waves, lengths = pad(batch.waves)
        if in_threads:
            return embed(batch, waves, lengths)
        pinned = compute.device.type == "cuda"
        return batch, waves.pin_memory() if pinned else waves, lengths

    def embed(batch: Read[Key], waves: Tensor, lengths: Tensor) -> Embedded[Key]:
        with torch.inference_mode(), compute.autocast():
            moved = waves.to(compute.device, non_blocking=True), lengths.to(compute.device)
            found, reasons = embed_batch(encoder, *moved)
        return Embedded(
            {batch.keys[place]: vector for place, vector in found.items()},
            {batch.keys[place]: reason for place, reason in reasons.items()},
            batch.unread,
        )

    encoder.to(compute.device)
    with ExitStack() as stack:
        stack.enter_context(evaluating(encoder))
        stack.enter_context(compute.numerics())
        stack.enter_context(_cores(compute.cores_each))
        results = stack.enter_context(closing(_ahead(prepare, requests, compute)))
        for request, ready in results:
            yield request, ready if isinstance(ready, Embedded) else embed(*ready)


def _ahead(
    work: Callable[[Request], Result], requests: Iterable[Request], compute: Compute
) -> Generator[tuple[Request, Result], None, None]:
    """Results in order of the requests, of which few are under way at a time."""
    workers = compute.workers
    # each thread asks for its own number of cores
    pool = ThreadPoolExecutor(workers, "embed", torch.set_num_threads, (compute.cores_each,))
    waiting: deque[tuple[Request, Future[Result]]] = deque()
    try:
        for request in requests:
            waiting.append((request, pool.submit(work, request)))
            if len(waiting) > AHEAD * workers:
                done, future = waiting.popleft()
                yield done, future.result()
        for done, future in waiting:
            yield done, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _cores(count: int) -> Iterator[None]:
    """Cores for what torch computes; also in threads that begin meanwhile."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
