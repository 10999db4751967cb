"""Masked prediction: the published loss, on hidden frames alone, over a whole effective batch."""

import contextlib
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from emovec.audio.batches import Batch
from emovec.encoders.wavlm import WavLM
from emovec.training.effective_batch import accumulate_gradients
from emovec.training.masked_prediction import MaskedPrediction, MaskedPredictionTask

CLUSTERS, FRAMES = 7, 24
LENGTHS = (16000, 9000, 1360)  # 23, 12 and 1 frames


def model() -> MaskedPrediction:
    torch.manual_seed(0)
    return MaskedPrediction(WavLM("tiny", dropout=0.0, layer_drop=0.0), CLUSTERS, 16)


def batch(seed: int = 0) -> Batch:
    random = torch.Generator().manual_seed(seed)
    lengths = torch.tensor(LENGTHS)
    waves = 0.1 * torch.randn(len(lengths), 16000, generator=random)
    clusters = torch.randint(CLUSTERS, (len(lengths), FRAMES), generator=random)
    masked = torch.rand(len(lengths), FRAMES, generator=random) < 0.5
    masked[:, 0] = True
    valid = torch.arange(FRAMES) < ((lengths - 1360) // 640 + 1)[:, None]
    targets = {"cluster": clusters.masked_fill(~valid, -1), "masked": masked & valid}
    waves = waves * (torch.arange(16000) < lengths[:, None])
    return Batch(["a", "b", "c"], waves, lengths, targets)


def outputs(made: MaskedPrediction, given: Batch) -> dict[str, Tensor]:
    return MaskedPredictionTask(np.ones(CLUSTERS)).outputs(made, given)


def loss(made: MaskedPrediction, given: Batch) -> Tensor:
    return MaskedPredictionTask(np.ones(CLUSTERS)).loss(outputs(made, given), given.targets, 0)


def one_by_one(made: MaskedPrediction, given: Batch) -> Iterator[tuple[int, int, Tensor, Tensor]]:
    """Clip, frame, log-probabilities (K,) and cluster of each hidden frame of each clip alone."""
    for row, length in enumerate(given.lengths.tolist()):
        values, counts = made.encoder.masked_outputs(
            given.waves[row : row + 1, :length],
            given.lengths[row : row + 1],
            given.targets["masked"][row : row + 1],
            made.mask_embedding,
        )
        for frame in range(int(counts)):
            if given.targets["masked"][row, frame]:
                projected = made.projection(values[0, frame])
                words = made.codewords
                similar = [functional.cosine_similarity(projected, e, dim=0) for e in words]
                logits = torch.stack(similar) / 0.1
                target = given.targets["cluster"][row, frame]
                yield row, frame, logits - logits.logsumexp(dim=0), target


def test_the_loss_frame_by_frame() -> None:
    made, given = model(), batch()
    losses = torch.stack([-log[target] for _, _, log, target in one_by_one(made, given)])
    torch.testing.assert_close(loss(made, given), losses.mean(), rtol=1e-4, atol=1e-5)


def test_only_hidden_frames_count() -> None:
    """Targets of frames that are heard, or behind the end, may be anything."""
    made, given = model(), batch()
    before = loss(made, given)
    heard = ~given.targets["masked"]
    other = torch.where(heard, (given.targets["cluster"] + 1) % CLUSTERS, given.targets["cluster"])
    given.targets["cluster"] = torch.where(given.targets["cluster"] < 0, -1, other)
    assert loss(made, given).item() == before.item()
    changed = (given.targets["cluster"][0, 0] + 1) % CLUSTERS
    given.targets["cluster"][0, 0] = changed  # a hidden one
    assert loss(made, given).item() != before.item()


def test_hidden_frames_are_not_heard() -> None:
    """No sample matters whose frames are all hidden, and the learned embedding does."""
    made, given = model().eval(), batch()
    given.targets["masked"] = given.targets["cluster"] >= 0
    noise = Batch(given.ids, torch.randn_like(given.waves), given.lengths, given.targets)
    torch.testing.assert_close(outputs(made, given)["loss"], outputs(made, noise)["loss"])
    with torch.no_grad():
        made.mask_embedding += torch.linspace(-1, 1, len(made.mask_embedding))
    assert not torch.allclose(loss(made, given), loss(model().eval(), given))


def test_everything_learns_from_it() -> None:
    made = model()
    loss(made, batch()).backward()
    without = [
        name for name, p in made.named_parameters() if p.grad is None or not p.grad.abs().sum()
    ]
    assert without == []


def test_gradients_of_an_effective_batch_are_those_of_one_loss() -> None:
    """Over two micro-batches with different numbers of hidden frames."""
    first, second = batch(1), batch(2)
    second.targets["masked"][:, 1:] = False
    made = model()
    task = MaskedPredictionTask(np.ones(CLUSTERS))
    value = accumulate_gradients(
        lambda part: task.outputs(made, part),
        lambda found, targets: task.loss(found, targets, 0),
        [first, second],
        [1, 2],
        contextlib.nullcontext,
        torch.GradScaler(enabled=False),
    )
    whole = model()
    frames = [*one_by_one(whole, first), *one_by_one(whole, second)]
    expected = torch.stack([-log[target] for _, _, log, target in frames]).mean()
    expected.backward()
    torch.testing.assert_close(value, expected.detach(), rtol=1e-4, atol=1e-5)
    for (name, p), q in zip(made.named_parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-3, atol=1e-5, msg=name)


def test_metrics_by_counting() -> None:
    made, given = model().eval(), batch()
    counts = np.array([3, 9, 1, 0, 2, 0, 0])
    with torch.no_grad():
        found = {name: value.numpy() for name, value in outputs(made, given).items()}
        frames = list(one_by_one(made, given))
    task = MaskedPredictionTask(counts)
    metrics = task.metrics(found, {name: t.numpy() for name, t in given.targets.items()})
    right = [int(log.argmax()) == int(target) for _, _, log, target in frames]
    assert metrics["masked/accuracy"] == pytest.approx(np.mean(right))
    losses = [-log[target].item() for _, _, log, target in frames]
    assert metrics["masked/cross_entropy"] == pytest.approx(np.mean(losses), rel=1e-4)
    assert task.error(metrics) == metrics["masked/cross_entropy"]
    most = [int(target) == 1 for *_, target in frames]
    assert metrics["baseline_majority/masked/accuracy"] == pytest.approx(np.mean(most))
    shares = (counts + 1) / 22  # 15 frames, and one of each of 7 clusters
    surprise = [-np.log(shares[int(target)]) for *_, target in frames]
    assert metrics["baseline_shares/masked/cross_entropy"] == pytest.approx(np.mean(surprise))
    assert metrics["targets/clusters_used"] == 4
    heard = (given.targets["cluster"] >= 0) & ~given.targets["masked"]
    assert 0 <= metrics["unmasked/accuracy"] <= 1 and heard.any()
    total = metrics["unmasked/accuracy"] * heard.sum().item()
    assert total == pytest.approx(found["unmasked_correct"].sum())


def test_a_clip_that_is_nothing_but_hidden_has_a_loss() -> None:
    made, given = model().eval(), batch()
    assert outputs(made, given)["loss"][2] > 0  # of one frame, hidden
    assert outputs(made, given)["correct"].shape == (3,)


def test_training_says_no_more_than_it_needs() -> None:
    assert set(outputs(model().train(), batch())) == {"loss"}
