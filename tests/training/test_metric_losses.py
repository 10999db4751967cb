"""Losses between clips, against loops over every anchor, positive and negative."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from emovec.encoders import store
from emovec.errors import HparamError, TrainingError
from emovec.training import metric_losses
from emovec.training.metric_losses import (
    GeneralisedEndToEndLoss,
    TripletLoss,
    generalised_end_to_end_loss,
)
from emovec.training.triplets import MINING, triplet_loss

E = 4
SPEAKERS = st.lists(st.integers(0, 4), min_size=3, max_size=14).filter(
    lambda numbers: 1 < len(set(numbers)) < len(numbers)
)
# Directions whose cosines are multiples of 1/4, without rounding: ties are frequent, and exact
HALVES = [list(signs) for signs in itertools.product([-0.5, 0.5], repeat=4)]
AXES = [
    [sign * float(axis == place) for place in range(4)] for axis in range(4) for sign in (1, -1)
]
COARSE = st.sampled_from([*HALVES, *AXES, [0.0] * 4])


def draw_embeddings(data: st.DataObject, count: int) -> Tensor:
    rows = data.draw(st.lists(COARSE, min_size=count, max_size=count))
    return torch.tensor(rows, dtype=torch.float64)


def random_batch(speakers: list[int], seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(len(speakers), E, generator=generator, dtype=torch.float64)
    return embeddings, torch.tensor(speakers)


# --- Oracles


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / lengths) if lengths else 0.0


def cosines_of(embeddings: Tensor) -> np.ndarray:
    """As the loss has them: equal ones must not differ by rounding."""
    unit = nn.functional.normalize(embeddings, eps=1e-6)
    found = (unit @ unit.T).numpy()
    rows = embeddings.numpy()
    expected = [[cosine(a, b) for b in rows] for a in rows]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    return found


def pairs(speakers: list[int]) -> list[tuple[int, int]]:
    return [
        (a, p)
        for a, p in itertools.permutations(range(len(speakers)), 2)
        if speakers[a] == speakers[p]
    ]


def negatives(speakers: list[int], anchor: int) -> list[int]:
    return [n for n, speaker in enumerate(speakers) if speaker != speakers[anchor]]


def semi_hard(embeddings: Tensor, speakers: list[int], margin: float) -> float:
    cosines = cosines_of(embeddings)
    losses = []
    for a, p in pairs(speakers):
        near = [cosines[a, n] for n in negatives(speakers, a)]
        farther = [value for value in near if value < cosines[a, p]]
        inside = [value for value in farther if value > cosines[a, p] - margin]
        if inside:
            losses.append(margin + max(inside) - cosines[a, p])
        elif farther:  # all outside the margin
            losses.append(0.0)
        else:
            losses.append(margin + min(near) - cosines[a, p])
    return float(np.mean(losses))


def batch_hard(embeddings: Tensor, speakers: list[int], margin: float) -> float:
    cosines = cosines_of(embeddings)
    losses = []
    for a in range(len(speakers)):
        own = [cosines[a, p] for b, p in pairs(speakers) if b == a]
        if own:
            near = max(cosines[a, n] for n in negatives(speakers, a))
            losses.append(max(0.0, margin + near - min(own)))
    return float(np.mean(losses))


ORACLES = {"semi_hard": semi_hard, "batch_hard": batch_hard}


def end_to_end(embeddings: Tensor, speakers: list[int], scale: float, bias: float) -> float:
    """Each clip's centroids one by one."""
    rows = [row / max(np.linalg.norm(row), 1e-6) for row in embeddings.numpy()]
    losses = []
    for i, speaker in enumerate(speakers):
        if speakers.count(speaker) < 2:
            continue
        similarity = {}
        for name in set(speakers):
            of = [row for k, row in enumerate(rows) if speakers[k] == name and k != i]
            similarity[name] = scale * cosine(rows[i], np.mean(of, axis=0)) + bias
        total = sum(math.exp(value) for value in similarity.values())
        losses.append(-math.log(math.exp(similarity[speaker]) / total))
    return float(np.mean(losses))


# --- Triplets


@pytest.mark.parametrize("mining", ORACLES)
@settings(max_examples=150, deadline=None)
@given(data=st.data(), speakers=SPEAKERS, margin=st.sampled_from([0.1, 0.2, 1.0]))
def test_mined_with_ties_as_one_by_one(
    mining: str, data: st.DataObject, speakers: list[int], margin: float
) -> None:
    embeddings = draw_embeddings(data, len(speakers))
    expected = ORACLES[mining](embeddings, speakers, margin)
    found = triplet_loss(embeddings, torch.tensor(speakers), margin, mining)
    assert found.item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("mining", ORACLES)
@pytest.mark.parametrize("seed", range(5))
def test_mined_without_ties_as_one_by_one(mining: str, seed: int) -> None:
    speakers = np.random.default_rng(seed).integers(0, 9, 60).tolist()
    embeddings, numbers = random_batch(speakers, seed)
    expected = ORACLES[mining](embeddings, speakers, 0.2)
    found = triplet_loss(embeddings, numbers, 0.2, mining)
    assert found.item() == pytest.approx(expected, abs=1e-9)


def at(degrees: list[float]) -> Tensor:
    angles = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack([angles.cos(), angles.sin()], dim=1)


@pytest.mark.parametrize(
    ("negatives", "cost"),
    [
        ([100.0], 0.0),  # outside the margin
        ([70.0], 0.2 + math.cos(math.radians(70)) - 0.5),  # semi-hard
        ([70.0, 65.0, 100.0], 0.2 + math.cos(math.radians(65)) - 0.5),  # the nearest such
        ([70.0, 30.0], 0.2 + math.cos(math.radians(70)) - 0.5),  # not the one before the positive
        ([30.0, 40.0], 0.2 + math.cos(math.radians(40)) - 0.5),  # the farthest, if all are before
        ([-60.0], 0.2),  # as far as the positive is not farther
    ],
)
def test_semi_hard_by_hand(negatives: list[float], cost: float) -> None:
    """One anchor at 0 degrees, its positive at 60; the positive's own pair is taken off."""
    embeddings = at([0.0, 60.0, *negatives])
    speakers = [0, 0, *range(1, 1 + len(negatives))]
    both = 2 * triplet_loss(embeddings, torch.tensor(speakers)).item()
    turned = 2 * semi_hard(embeddings, speakers, 0.2)
    assert both == pytest.approx(turned, abs=1e-9)
    other = semi_hard_of_pair(embeddings, speakers, 1, 0)
    assert both - other == pytest.approx(cost, abs=1e-9)


def semi_hard_of_pair(embeddings: Tensor, speakers: list[int], a: int, p: int) -> float:
    cosines = cosines_of(embeddings)
    near = [cosines[a, n] for n in negatives(speakers, a)]
    farther = [value for value in near if value < cosines[a, p]]
    return max(0.0, 0.2 + (max(farther) if farther else min(near)) - cosines[a, p])


def test_random_negatives_are_of_other_speakers_and_all_alike() -> None:
    """The mean over many seeds is that over all negatives, without a hinge."""
    speakers = [0, 0, 0, 1, 1, 2, 3]
    embeddings, numbers = random_batch(speakers)
    cosines, margin = cosines_of(embeddings), 5.0
    every = [
        np.mean([margin + cosines[a, n] - cosines[a, p] for n in negatives(speakers, a)])
        for a, p in pairs(speakers)
    ]
    found = [
        triplet_loss(embeddings, numbers, margin, "random", seed).item() for seed in range(2000)
    ]
    assert np.mean(found) == pytest.approx(np.mean(every), abs=0.02)
    assert len(set(found)) > 1000
    again = triplet_loss(embeddings, numbers, margin, "random", 3).item()
    assert again == found[3]


def test_random_negatives_of_a_pair_are_drawn_apart_from_others() -> None:
    """Of one seed, the negatives of an anchor's pairs differ."""
    speakers = [0] * 12 + list(range(1, 20))
    embeddings, numbers = random_batch(speakers)
    embeddings[:12] = torch.tensor([1.0, 0, 0, 0], dtype=torch.float64)  # one anchor, twelve times
    embeddings[:12, 1] += 1e-9 * torch.arange(12)
    embeddings.requires_grad_()
    triplet_loss(embeddings, numbers, 5.0, "random", 1).backward()
    used = (embeddings.grad[12:].abs().sum(dim=1) > 0).sum()
    assert used > 15


@pytest.mark.parametrize("mining", MINING)
def test_the_order_and_the_length_of_embeddings_do_not_matter(mining: str) -> None:
    embeddings, speakers = random_batch([0, 0, 0, 1, 1, 2, 3, 3, 4, 1])
    expected = triplet_loss(embeddings, speakers, 0.5, mining, seed=3)
    order = torch.randperm(len(speakers), generator=torch.Generator().manual_seed(1))
    shuffled = triplet_loss(embeddings[order], speakers[order], 0.5, mining, seed=3)
    assert shuffled.item() == pytest.approx(expected.item(), abs=1e-12)
    lengths = torch.arange(1.0, 11.0, dtype=torch.float64)[:, None]
    if mining != "random":  # whose draws go by the place among all
        longer = triplet_loss(lengths * embeddings, speakers, 0.5, mining)
        assert longer.item() == pytest.approx(expected.item(), abs=1e-12)


@pytest.mark.parametrize("mining", MINING)
def test_speakers_that_are_far_apart_cost_nothing(mining: str) -> None:
    embeddings = torch.eye(4).repeat_interleave(3, dim=0)
    speakers = torch.arange(4).repeat_interleave(3)
    assert triplet_loss(embeddings, speakers, 0.2, mining).item() == 0
    assert triplet_loss(embeddings, speakers, 1.5, mining).item() == pytest.approx(0.5)


# --- Generalised end to end


@settings(max_examples=150, deadline=None)
@given(
    data=st.data(),
    speakers=SPEAKERS,
    scale=st.sampled_from([0.5, 10.0]),
    bias=st.sampled_from([-5.0, 1.0]),
)
def test_end_to_end_as_centroid_by_centroid(
    data: st.DataObject, speakers: list[int], scale: float, bias: float
) -> None:
    """With unequal numbers of clips, single ones and embeddings of zeros among them."""
    embeddings = draw_embeddings(data, len(speakers))
    found = generalised_end_to_end_loss(
        embeddings, torch.tensor(speakers), torch.tensor(scale), torch.tensor(bias)
    )
    assert found.item() == pytest.approx(end_to_end(embeddings, speakers, scale, bias), abs=1e-6)


def test_the_own_centroid_is_without_the_clip() -> None:
    """Two opposite clips of a speaker: with itself the centroid would be nothing, without it -1."""
    embeddings = torch.tensor([[1.0, 0], [-1.0, 0], [0, 1.0], [0, 1.0]])
    one, none = torch.tensor(1.0), torch.tensor(0.0)
    found = generalised_end_to_end_loss(embeddings, torch.tensor([0, 0, 1, 1]), one, none)
    first, second = math.log(1 + math.exp(1)), math.log(1 + math.exp(-1))
    assert found.item() == pytest.approx((first + second) / 2)


def test_a_scale_of_each_clip_is_its_own() -> None:
    embeddings, speakers = random_batch([0, 0, 1, 1, 2, 2, 2])
    scales = torch.linspace(1, 9, 7, dtype=torch.float64)
    found = generalised_end_to_end_loss(embeddings, speakers, scales, torch.zeros(7))
    each = [
        generalised_end_to_end_loss(embeddings, speakers, scale, torch.zeros(())).item()
        for scale in scales
    ]
    assert min(each) < found.item() < max(each)


# --- Both


MODULES = {
    "triplet": TripletLoss,
    "generalised_end_to_end": GeneralisedEndToEndLoss,
}


@pytest.mark.parametrize("name", MODULES)
def test_modules_are_the_functions(name: str) -> None:
    embeddings, speakers = random_batch([0, 0, 1, 1, 2])
    criterion = store.create(name, width=E, speakers=9)
    assert type(criterion) is MODULES[name]
    expected = {
        "triplet": lambda: triplet_loss(embeddings, speakers, 0.2, "semi_hard"),
        "generalised_end_to_end": lambda: generalised_end_to_end_loss(
            embeddings, speakers, torch.tensor(10.0), torch.tensor(-5.0)
        ),
    }[name]()
    assert criterion(embeddings, speakers, 0).item() == pytest.approx(expected.item(), rel=1e-6)
    again = store.create(name, **criterion.arguments())
    assert again.arguments() == criterion.arguments()
    assert {key: tuple(value.shape) for key, value in criterion.named_parameters()} == (
        {} if name == "triplet" else {"log_scale": (), "bias": ()}
    )


def test_random_negatives_change_with_the_step() -> None:
    embeddings, speakers = random_batch([0, 0, 0, 1, 1, 1, 2, 2, 2])
    criterion = TripletLoss(E, 9, margin=1.0, mining="random")
    found = {criterion(embeddings, speakers, step).item() for step in range(8)}
    assert len(found) > 4
    assert criterion(embeddings, speakers, 5) == criterion(embeddings, speakers, 5)


def test_scale_is_learnt_and_stays_positive() -> None:
    """Speakers that are mixed up ask for a scale of zero."""
    embeddings, speakers = random_batch([0, 1] * 8)
    criterion = GeneralisedEndToEndLoss(E, 2)
    optimizer = torch.optim.SGD(criterion.parameters(), 1.0)
    for step in range(200):
        optimizer.zero_grad()
        criterion(embeddings, speakers, step).backward()
        optimizer.step()
    scale = criterion.outputs(embeddings, speakers, 0)["scale"]
    assert scale.shape == (16,) and 0 < scale[0] < 5
    assert criterion.bias.item() == pytest.approx(-5.0, abs=1e-3)  # softmax does not see it


CASES = [("triplet", {"mining": mining}) for mining in MINING] + [("generalised_end_to_end", {})]


@pytest.mark.parametrize(("name", "options"), CASES)
@pytest.mark.parametrize("filling", ["random", "equal", "zero", "opposite", "huge"])
def test_gradients_are_finite(name: str, options: dict, filling: str) -> None:
    speakers = torch.tensor([0, 0, 1, 1, 1, 2])
    embeddings = {
        "random": torch.randn(6, E),
        "equal": torch.ones(6, E),
        "zero": torch.zeros(6, E),
        "opposite": torch.tensor([1.0, -1, 1, -1, 1, -1])[:, None] * torch.ones(6, E),
        "huge": 1e15 * torch.randn(6, E),
    }[filling].requires_grad_()
    criterion = store.create(name, width=E, speakers=3, **options)
    loss = criterion(embeddings, speakers, 0)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(embeddings.grad).all()
    assert embeddings.grad.norm() < 1e4 or filling == "zero"
    assert all(torch.isfinite(weight.grad) for weight in criterion.parameters())


@pytest.mark.parametrize(("name", "options"), CASES)
def test_gradients_are_those_of_differences(name: str, options: dict) -> None:
    embeddings, speakers = random_batch([0, 0, 0, 1, 1, 2, 3, 3])
    criterion = store.create(name, width=E, speakers=4, **options).double()
    embeddings.requires_grad_()
    assert torch.autograd.gradcheck(lambda rows: criterion(rows, speakers, 0), embeddings)


@pytest.mark.parametrize(("name", "options"), CASES)
@pytest.mark.parametrize(
    ("speakers", "said"),
    [
        ([1, 1, 1], "1 speaker in a batch of 3 clips; expected at least 2"),
        ([0, 1, 2], "3 speakers in a batch, with one clip each; expected 2 clips of some"),
        ([4], "1 speaker in a batch of 1 clips"),
        ([], "0 speaker in a batch of 0 clips"),
    ],
)
@pytest.mark.parametrize("training", [True, False])
def test_a_batch_without_a_triplet_says_so(
    name: str, options: dict, speakers: list[int], said: str, training: bool
) -> None:
    criterion = store.create(name, width=E, speakers=5, **options).train(training)
    with pytest.raises(TrainingError, match=said):
        criterion(torch.ones(len(speakers), E), torch.tensor(speakers, dtype=torch.int64), 0)


@pytest.mark.parametrize("shapes", [((3, E), (2,)), ((3,), (3,)), ((3, E), (3, 1))])
def test_shapes_that_do_not_fit_are_said(shapes: tuple) -> None:
    with pytest.raises(ValueError, match=r"expected \(B, E\) and \(B,\)"):
        triplet_loss(torch.ones(shapes[0]), torch.ones(shapes[1], dtype=torch.int64))


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("triplet", {"mining": "hard"}, "mining 'hard'; expected .*batch_hard"),
        ("triplet", {"margin": 0}, "margin 0, .*expected a positive margin"),
        ("triplet", {"scale": 1}, "triplet: .*scale"),
        ("triplet", {"speakers": 1}, "TripletLoss: 1 speakers; expected at least 2"),
        ("generalised_end_to_end", {"scale": 0}, "scale is 0; expected more than 0"),
        ("generalised_end_to_end", {"speakers": 1}, "1 speakers; expected at least 2"),
    ],
)
def test_wrong_options_are_said(name: str, options: dict, said: str) -> None:
    with pytest.raises(HparamError, match=said):
        store.create(name, **{"width": E, "speakers": 3, **options})


def test_an_unknown_mining_of_the_function_is_said() -> None:
    with pytest.raises(HparamError, match="mining is 'easy'; expected one of"):
        triplet_loss(*random_batch([0, 0, 1]), mining="easy")


@pytest.mark.parametrize(("name", "options"), CASES)
def test_evaluation_is_in_blocks_of_speakers(
    name: str, options: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three blocks, the last of one speaker alone, who is left out."""
    monkeypatch.setattr(metric_losses, "BLOCK", 6)
    speakers = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 4, 4, 4]
    embeddings, numbers = random_batch(speakers)
    criterion = store.create(name, width=E, speakers=5, **options).double().eval()
    parts = [criterion(embeddings[rows], numbers[rows], 0) for rows in (slice(6), slice(6, 12))]
    expected = (parts[0] + parts[1]) / 2
    order = torch.randperm(18, generator=torch.Generator().manual_seed(0))
    found = criterion(embeddings[order], numbers[order], 0)
    assert found.item() == pytest.approx(expected.item(), abs=1e-9)
    assert criterion.train()(embeddings, numbers, 0).item() != pytest.approx(expected.item())
