"""Poolings of speaker networks against sums written out frame by frame in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emovec.audio.padding import valid_mask
from emovec.encoders.speaker_pooling import (
    DictionaryPooling,
    GhostVladPooling,
    StatisticsPooling,
)
from emovec.errors import HparamError

WIDTH = 6
LAYERS = {
    "statistics": lambda: StatisticsPooling(WIDTH),
    "dictionary": lambda: DictionaryPooling(WIDTH, heads=4),
    "ghost_vlad": lambda: GhostVladPooling(WIDTH, clusters=3, ghosts=2),
}


def build(name):
    torch.manual_seed(0)
    layer = LAYERS[name]().eval()
    with torch.no_grad():
        for value in layer.parameters():
            value.add_(0.3 * torch.randn_like(value))
    return layer


def weights(layer):
    return {name: value.detach().double().numpy() for name, value in layer.named_parameters()}


def softmax(values):
    exponentials = np.exp(values - np.max(values))
    return exponentials / exponentials.sum()


def statistics_by_hand(frames, w):
    mean = [sum(column) / len(frames) for column in frames.T]
    variance = [
        sum((x - m) ** 2 for x in column) / len(frames)
        for column, m in zip(frames.T, mean, strict=True)
    ]
    return np.concatenate([mean, np.sqrt(np.maximum(variance, 1e-5))])


def dictionary_by_hand(frames, w):
    heads = []
    for centre, raw in zip(w["centres"], w["raw_scales"], strict=True):
        scale = np.log(1 + np.exp(raw))
        scores = np.array([-scale * np.sqrt(np.sum((x - centre) ** 2)) for x in frames])
        heads.append(sum(share * x for share, x in zip(softmax(scores), frames, strict=True)))
    return np.concatenate(heads)


def ghost_vlad_by_hand(frames, w):
    centres = w["centres"]
    residuals = np.zeros_like(centres)
    for x in frames:
        shares = softmax(w["assign.weight"] @ x + w["assign.bias"])
        for cluster, centre in enumerate(centres):  # ghosts come last and have no centre
            residuals[cluster] += shares[cluster] * (x - centre)
    unit = np.concatenate([row / np.sqrt(np.sum(row**2)) for row in residuals])
    return unit / np.sqrt(np.sum(unit**2))


ORACLES = {
    "statistics": statistics_by_hand,
    "dictionary": dictionary_by_hand,
    "ghost_vlad": ghost_vlad_by_hand,
}


@pytest.mark.parametrize("name", LAYERS)
@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    spare=st.integers(0, 3),
    seed=st.integers(0, 1000),
)
def test_ragged_batch_by_hand(name, lengths, spare, seed):
    layer = build(name)
    lengths = torch.tensor(lengths)
    size = int(lengths.max()) + spare
    frames = torch.randn(len(lengths), size, WIDTH, generator=torch.Generator().manual_seed(seed))
    garbage = torch.where(valid_mask(lengths, size)[..., None], frames, torch.nan)
    found = layer(garbage, lengths)
    assert found.shape == (len(lengths), layer.output_size)
    for row, length in enumerate(lengths):
        expected = ORACLES[name](frames[row, :length].double().numpy(), weights(layer))
        assert found[row].detach().numpy() == pytest.approx(expected, rel=1e-4, abs=2e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_double_precision_by_hand(name):
    layer = build(name).double()
    frames = torch.randn(1, 7, WIDTH, dtype=torch.float64) + 3
    found = layer(frames, torch.tensor([7]))[0].detach().numpy()
    expected = ORACLES[name](frames[0].numpy(), weights(layer))
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", LAYERS)
def test_gradient_by_finite_differences(name):
    layer = build(name).double()
    frames = torch.randn(2, 4, WIDTH, dtype=torch.float64, requires_grad=True)
    lengths = torch.tensor([2, 4])
    assert torch.autograd.gradcheck(lambda values: layer(values, lengths), frames)


@pytest.mark.parametrize("name", LAYERS)
def test_nothing_reaches_the_padding(name):
    layer = build(name)
    frames = torch.randn(2, 5, WIDTH, requires_grad=True)
    lengths = torch.tensor([2, 5])
    layer(frames, lengths)[:, 0].sum().backward()
    assert (frames.grad[~valid_mask(lengths, 5)] == 0).all()
    assert frames.grad[0, :2].abs().sum() > 0


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("value", [0.0, 2.0])
def test_constant_frames_have_a_finite_gradient(name, value):
    layer = build(name)
    frames = torch.full((1, 4, WIDTH), value, requires_grad=True)
    layer(frames, torch.tensor([4])).sum().backward()
    gradients = [frames.grad, *(parameter.grad for parameter in layer.parameters())]
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_frames_on_a_centre_have_a_finite_gradient():
    layer = build("dictionary")
    frames = layer.centres.detach()[None, [0, 0, 1]].clone().requires_grad_()
    layer(frames, torch.tensor([3])).square().sum().backward()
    for gradient in (frames.grad, layer.centres.grad, layer.raw_scales.grad):
        assert gradient.isfinite().all()
        assert gradient.abs().max() < 1e3


def test_frames_far_from_the_origin_keep_their_digits():
    """|x|^2 - 2 x m + |m|^2 without moving the origin is off by 1 in float32 here."""
    layer = build("dictionary")
    with torch.no_grad():
        layer.centres.add_(1000.0)
    frames = torch.randn(1, 8, WIDTH) + 1000
    found = layer(frames, torch.tensor([8]))[0].detach().numpy() - 1000
    expected = dictionary_by_hand(frames[0].double().numpy(), weights(layer)) - 1000
    assert found == pytest.approx(expected, abs=2e-3)


def test_scales_stay_positive():
    layer = build("dictionary")
    with torch.no_grad():
        layer.centres[0] = torch.zeros(WIDTH)
        layer.raw_scales.fill_(-3.0)
    frames = torch.stack([torch.zeros(WIDTH), torch.full((WIDTH,), 9.0)])[None]
    assert (layer(frames, torch.tensor([2]))[0, :WIDTH] < 4.5).all()  # nearer the near frame


def test_statistics_are_the_same_in_training():
    layer = build("statistics")
    frames, lengths = torch.randn(2, 5, WIDTH), torch.tensor([3, 5])
    assert torch.equal(layer.eval()(frames, lengths), layer.train()(frames, lengths))


def test_ghost_vlad_has_length_one():
    pooled = build("ghost_vlad")(torch.randn(3, 5, WIDTH), torch.tensor([1, 3, 5]))
    assert pooled.norm(dim=1).detach().numpy() == pytest.approx(1, abs=1e-6)


def test_ghosts_take_what_is_noise():
    layer = build("ghost_vlad")
    noise = torch.full((WIDTH,), 5.0)
    with torch.no_grad():
        layer.assign.weight.zero_()
        layer.assign.bias.zero_()
        layer.assign.weight[3] = 10.0  # a ghost: large where frames are large
    frames = torch.randn(1, 4, WIDTH) - 2
    with_noise = torch.cat([frames, noise.expand(1, 2, WIDTH)], dim=1)
    found = layer(with_noise, torch.tensor([6]))
    assert torch.allclose(found, layer(frames, torch.tensor([4])), atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_arguments_build_the_same(name):
    layer = build(name)
    other = type(layer)(**layer.arguments())
    other.load_state_dict(layer.state_dict())
    frames, lengths = torch.randn(2, 5, WIDTH), torch.tensor([3, 5])
    assert torch.equal(layer(frames, lengths), other(frames, lengths))


@pytest.mark.parametrize("name", LAYERS)
def test_autocast_stays_near(name):
    layer = build(name)
    frames, lengths = torch.randn(2, 5, WIDTH), torch.tensor([3, 5])
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(frames, lengths)
    assert torch.allclose(found.float(), layer(frames, lengths), atol=0.05)


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: DictionaryPooling(4, heads=0), "heads is 0"),
        (lambda: GhostVladPooling(4, clusters=0), "clusters is 0"),
        (lambda: GhostVladPooling(4, ghosts=-1), "ghosts is -1"),
    ],
)
def test_impossible_arguments(make, part):
    with pytest.raises(HparamError, match=part):
        make()
