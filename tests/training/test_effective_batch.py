"""Gradients over micro-batches and processes equal those of one graph over all clips."""

import contextlib
from pathlib import Path

import pytest
import torch
from gloo_processes import in_processes
from torch import Tensor, nn

from emovec.audio.batches import Batch
from emovec.training.effective_batch import (
    accumulate_gradients,
    micro_batch_seed,
    sum_gradients,
)
from emovec.training.losses import concordance_loss

SIZES = (5, 3, 4, 2)


class Dropping(nn.Module):
    """Dropout, and a layer that is dropped as a whole by chance."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 8)
        self.second = nn.Linear(8, 8)
        self.last = nn.Linear(8, 3)
        self.unused = nn.Linear(2, 2)
        self.dropout = nn.Dropout(0.3)

    def forward(self, waves: Tensor) -> Tensor:
        hidden = self.dropout(self.first(waves).tanh())
        if torch.rand(()) < 0.5:
            hidden = hidden + self.second(hidden)
        return self.last(hidden)


def make_model() -> Dropping:
    torch.manual_seed(0)
    return Dropping().double()


def make_batches() -> tuple[list[Batch], list[int]]:
    generator = torch.Generator().manual_seed(1)
    batches = [
        Batch(
            [f"{number}-{clip}" for clip in range(size)],
            torch.randn(size, 6, generator=generator, dtype=torch.float64),
            torch.full((size,), 6),
            {"affect": torch.randn(size, 3, generator=generator, dtype=torch.float64)},
        )
        for number, size in enumerate(SIZES)
    ]
    return batches, [micro_batch_seed(7, 3, place) for place in range(len(SIZES))]


def outputs(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    return {"affect": model(batch.waves)}


def loss(predicted: dict[str, Tensor], target: dict[str, Tensor]) -> Tensor:
    return concordance_loss(predicted["affect"].double(), target["affect"])


def one_graph() -> tuple[float, dict[str, Tensor | None]]:
    """The oracle: all outputs in one graph, one loss, one backward pass."""
    model = make_model()
    parts = []
    for batch, seed in zip(*make_batches(), strict=True):
        torch.manual_seed(seed)
        parts.append(outputs(model, batch)["affect"])
    target = torch.cat([batch.targets["affect"] for batch in make_batches()[0]])
    value = concordance_loss(torch.cat(parts), target)
    value.backward()
    return value.item(), {name: p.grad for name, p in model.named_parameters()}


def accumulated(rank: int = 0, processes: int = 1) -> tuple[float, dict[str, Tensor | None]]:
    model = make_model()
    batches, seeds = make_batches()
    value = accumulate_gradients(
        lambda batch: outputs(model, batch),
        loss,
        batches[rank::processes],
        seeds[rank::processes],
        contextlib.nullcontext,
        torch.GradScaler("cpu", enabled=False),
    )
    sum_gradients(model)
    return value.item(), {name: p.grad for name, p in model.named_parameters()}


def assert_same(found: tuple, expected: tuple) -> None:
    assert found[0] == pytest.approx(expected[0], abs=1e-6)
    for name, gradient in expected[1].items():
        if gradient is None:
            assert found[1][name] is None, name
        else:
            torch.testing.assert_close(found[1][name], gradient, atol=1e-5, rtol=1e-5)


def test_micro_batches_equal_one_graph_with_dropout_on() -> None:
    assert_same(accumulated(), one_graph())


def test_a_mean_of_micro_batch_losses_would_not() -> None:
    """The oracle can tell: the usual accumulation gives other gradients."""
    model = make_model()
    for batch, seed in zip(*make_batches(), strict=True):
        torch.manual_seed(seed)
        concordance_loss(outputs(model, batch)["affect"], batch.targets["affect"]).backward()
    expected = one_graph()[1]["last.weight"]
    assert (model.last.weight.grad / len(SIZES) - expected).abs().max() > 1e-3


def work(rank: int, processes: int, folder: Path) -> None:
    torch.save(accumulated(rank, processes), folder / f"{rank}.pt")


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_equal_one_graph_with_dropout_on(processes: int, tmp_path: Path) -> None:
    """Three processes have unequal shares of the four micro-batches."""
    in_processes(work, processes, tmp_path)
    for rank in range(processes):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert_same(found, one_graph())


def test_seeds_differ_by_run_step_and_place() -> None:
    seeds = {
        micro_batch_seed(run, step, place) for run in (1, 2) for step in (0, 9) for place in (0, 1)
    }
    assert len(seeds) == 8
