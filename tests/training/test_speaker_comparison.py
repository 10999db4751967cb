"""Losses between clips in a training: of whole effective batches, however they are shared."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
import torch
from gloo_processes import in_processes
from torch import Tensor, nn

from emovec.audio.batches import Batch
from emovec.encoders.base import Encoder
from emovec.errors import HparamError, TrainingError
from emovec.metrics.pairs import all_pairs
from emovec.tables.manifest import Utterance
from emovec.training.effective_batch import accumulate_gradients, sum_gradients
from emovec.training.speaker_task import SpeakerComparison, SpeakerTask, task_and_model

E = 5
CRITERIA = [
    ("triplet", {"mining": "semi_hard", "margin": 0.5}),
    ("triplet", {"mining": "batch_hard"}),
    ("triplet", {"mining": "random"}),
    ("generalised_end_to_end", {}),
]


class Linear(Encoder):
    """Six samples to an embedding; nothing in it depends on other clips."""

    embedding_size, sample_rate, padding_safe, shortest = E, 8000, True, 6

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, E)

    def forward(self, waves: Tensor, lengths: Tensor) -> Tensor:
        return self.layer(waves).tanh()


def clips(*speakers: str) -> list[Utterance]:
    return [
        Utterance(f"{name.split('/')[0]}/{place}", "a.wav", None, None, 1.0, name)
        for place, name in enumerate(speakers)
    ]


TRAINING = clips(*(f"a/t{number}" for number in range(4) for _ in range(6)))
HELD_OUT = clips(*(f"a/v{number}" for number in range(3) for _ in range(4)))


def make(criterion: str, options: dict) -> tuple[SpeakerTask, nn.Module]:
    torch.manual_seed(0)
    return task_and_model(TRAINING, HELD_OUT, Linear(), criterion, options)


def make_batches(task: SpeakerTask, parts: int) -> list[Batch]:
    waves = torch.randn(len(TRAINING), 6, generator=torch.Generator().manual_seed(1))
    speakers = task.targets(TRAINING)["speaker"]
    return [
        Batch(
            [""] * len(waves[part::parts]),
            waves[part::parts],
            torch.full((len(waves[part::parts]),), 6),
            {"speaker": speakers[part::parts]},
        )
        for part in range(parts)
    ]


Found = tuple[float, dict[str, Tensor]]


def accumulated(
    criterion: str, options: dict, parts: int, rank: int = 0, processes: int = 1
) -> Found:
    task, model = make(criterion, options)
    task.step = 7
    batches = make_batches(task, parts)
    value = accumulate_gradients(
        lambda batch: task.outputs(model, batch),
        lambda outputs, targets: task.loss(outputs, targets, 0),
        batches[rank::processes],
        list(range(parts))[rank::processes],
        contextlib.nullcontext,
        torch.GradScaler("cpu", enabled=False),
    )
    sum_gradients(model)
    return value.item(), {name: p.grad for name, p in model.named_parameters()}


def one_graph(criterion: str, options: dict) -> Found:
    """The oracle: all embeddings in one graph, the module called on them."""
    task, model = make(criterion, options)
    (batch,) = make_batches(task, 1)
    embeddings = model.encoder(batch.waves, batch.lengths)
    value = model.criterion(embeddings, batch.targets["speaker"], 7)
    value.backward()
    return value.item(), {name: p.grad for name, p in model.named_parameters()}


def assert_same(found: Found, expected: Found) -> None:
    assert found[0] == pytest.approx(expected[0], abs=1e-6)
    assert found[1].keys() == expected[1].keys()
    for name, gradient in expected[1].items():
        torch.testing.assert_close(found[1][name], gradient, atol=1e-6, rtol=1e-5)
    assert max(gradient.abs().max() for gradient in expected[1].values()) > 1e-3


@pytest.mark.parametrize(("criterion", "options"), CRITERIA)
@pytest.mark.parametrize("parts", [1, 2, 4])
def test_micro_batches_equal_one_batch(criterion: str, options: dict, parts: int) -> None:
    """Embeddings, and scale and bias, which no single micro-batch has the gradient of."""
    assert_same(accumulated(criterion, options, parts), one_graph(criterion, options))


def test_a_mean_of_micro_batch_losses_would_not() -> None:
    """The oracle can tell: half a batch has other negatives."""
    task, model = make("triplet", {})
    parts = [
        model.criterion(model.encoder(part.waves, part.lengths), part.targets["speaker"], 7)
        for part in make_batches(task, 2)
    ]
    expected = one_graph("triplet", {})[0]
    assert abs(torch.stack(parts).mean().item() - expected) > 1e-3


def work(rank: int, processes: int, folder: Path) -> None:
    found = [accumulated(*criterion, 4, rank, processes) for criterion in CRITERIA]
    torch.save(found, folder / f"{rank}.pt")


@pytest.mark.slow
def test_processes_equal_one_batch(tmp_path: Path) -> None:
    """Their clips come in another order, on which random negatives do not depend."""
    in_processes(work, 2, tmp_path)
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        for (criterion, options), of_criterion in zip(CRITERIA, found, strict=True):
            assert_same(of_criterion, one_graph(criterion, options))


# --- The task


def test_a_criterion_decides_the_task() -> None:
    assert type(make("triplet", {})[0]) is SpeakerComparison
    assert type(make("softmax", {})[0]) is SpeakerTask
    task, model = make("additive_margin_softmax", {"margin": 0.1})
    assert model.criterion.arguments()["speakers"] == len(task.heads["speaker"]) == 4
    with pytest.raises(HparamError, match="'hinge' is no module"):
        make("hinge", {})
    with pytest.raises(HparamError, match=r"triplet: .*margins"):
        make("triplet", {"margins": 1})


@pytest.mark.parametrize("criterion", ["triplet", "generalised_end_to_end"])
def test_validation_compares_speakers_that_training_has_not_heard(criterion: str) -> None:
    """The loss of all, the rate of the held-out, and nothing that needs classes."""
    task, model = make(criterion, {})
    model.eval()
    every = [*TRAINING[:3], *HELD_OUT]
    waves = torch.randn(len(every), 6, generator=torch.Generator().manual_seed(2))
    targets = task.targets(every)
    with torch.no_grad():
        outputs = task.outputs(model, Batch([], waves, torch.full((len(every),), 6), targets))
    loss = task.loss(outputs, targets, 0)
    expected = model.criterion(outputs["embedding"], targets["speaker"], 0)
    assert loss.item() == pytest.approx(expected.item()) and loss > 0
    arrays = {name: rows.numpy() for name, rows in outputs.items()}
    numbers = {name: rows.numpy() for name, rows in targets.items()}
    found = task.metrics(arrays, numbers)
    rate = all_pairs(
        arrays["embedding"][3:], numbers["speaker"][3:], np.zeros(12, int), draws=0
    ).eer
    assert found == {"eer/pooled": rate} and task.error(found) == rate


def test_one_speaker_cannot_be_compared() -> None:
    with pytest.raises(TrainingError, match="1 speakers to train on; expected at least 2"):
        task_and_model(TRAINING[:6], HELD_OUT, Linear(), "triplet", {})


@pytest.mark.parametrize(("criterion", "options"), CRITERIA)
def test_speakers_can_be_told_apart(criterion: str, options: dict) -> None:
    """Voices that are a direction each, and noise."""
    task, model = make(criterion, options)
    generator = torch.Generator().manual_seed(3)
    voices = torch.randn(4, 6, generator=generator)
    (batch,) = make_batches(task, 1)
    speakers = batch.targets["speaker"]
    waves = voices[speakers] + 0.5 * batch.waves
    optimizer = torch.optim.Adam(model.parameters(), 0.03)
    losses = []
    for step in range(40):
        task.step = step
        told = Batch(batch.ids, waves, batch.lengths, batch.targets)
        loss = task.loss(task.outputs(model, told), batch.targets, 0)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
