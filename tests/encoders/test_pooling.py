"""Pooling layers against sums written out clip by clip, whatever lies in the padding."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emovec.audio.padding import valid_mask
from emovec.encoders.pooling import AttentiveStatisticsPooling, MeanPooling, StylePooling
from emovec.errors import HparamError

LAYERS = {
    "mean": lambda: MeanPooling(6),
    "attentive": lambda: AttentiveStatisticsPooling(6, 5),
    "style": lambda: StylePooling(6),
    "style_without_norm": lambda: StylePooling(6, layer_norm=False, heads=3, kernel=3),
}


def build(name):
    torch.manual_seed(0)
    return LAYERS[name]().eval()


def weights(module):
    return {name: value.detach().double().numpy() for name, value in module.named_parameters()}


def softmax(values, axis):
    exponentials = np.exp(values - values.max(axis=axis, keepdims=True))
    return exponentials / exponentials.sum(axis=axis, keepdims=True)


def mish(values):
    return values * np.tanh(np.log1p(np.exp(values)))


def convolve(frames, kernel, bias):
    """Sums over taps of (F, D) frames with zeros around; kernel (D_out, D, taps)."""
    taps = kernel.shape[2]
    padded = np.pad(frames, ((taps // 2, taps // 2), (0, 0)))
    return bias + np.stack(
        [
            sum(kernel[:, :, tap] @ padded[place + tap] for tap in range(taps))
            for place in range(len(frames))
        ]
    )


def style_by_hand(frames, w, heads, layer_norm):
    for place in (0, 3):
        frames = mish(frames @ w[f"spectral.{place}.weight"].T + w[f"spectral.{place}.bias"])
    for block in (0, 1):
        name = f"temporal.{block}.convolution."
        a, b = np.split(convolve(frames, w[name + "weight"], w[name + "bias"]), 2, axis=1)
        frames = frames + a / (1 + np.exp(-b))
    width = frames.shape[1] // heads
    projected = frames @ w["attention.in_proj_weight"].T + w["attention.in_proj_bias"]
    queries, keys, values = np.split(projected, 3, axis=1)
    parts = []
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        scores = softmax(queries[:, part] @ keys[:, part].T / np.sqrt(width), axis=1)
        parts.append(scores @ values[:, part])
    attended = np.concatenate(parts, axis=1) @ w["attention.out_proj.weight"].T
    frames = frames + attended + w["attention.out_proj.bias"]
    if layer_norm:
        centred = frames - frames.mean(axis=1, keepdims=True)
        frames = centred / np.sqrt(centred.var(axis=1, keepdims=True) + 1e-5)
        frames = frames * w["norm.weight"] + w["norm.bias"]
    return (frames @ w["project.weight"].T + w["project.bias"]).mean(axis=0)


@pytest.mark.parametrize(
    ("name", "heads", "layer_norm"), [("style", 2, True), ("style_without_norm", 3, False)]
)
@pytest.mark.parametrize("length", [1, 2, 7])
def test_style_pooling_by_hand(name, heads, layer_norm, length):
    pooling = build(name)
    with torch.no_grad():  # biases and norms start at 0 and 1, which would hide them
        for parameter in pooling.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    frames = torch.randn(1, 9, 6)
    expected = style_by_hand(
        frames[0, :length].double().numpy(), weights(pooling), heads, layer_norm
    )
    found = pooling(frames, torch.tensor([length]))[0].detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_attentive_statistics_by_hand():
    pooling = build("attentive")
    frames, lengths = torch.randn(2, 5, 6), torch.tensor([5, 3])
    found = pooling(frames, lengths).detach().numpy()
    w = weights(pooling)
    for row, length in enumerate(lengths.tolist()):
        values = frames[row, :length].double().numpy()
        scores = np.tanh(values @ w["project.weight"].T + w["project.bias"]) @ w["score.weight"][0]
        shares = softmax(scores, axis=0)
        mean = np.average(values, axis=0, weights=shares)
        deviation = np.sqrt(np.average(values**2, axis=0, weights=shares) - mean**2)
        np.testing.assert_allclose(
            found[row], np.concatenate([mean, deviation]), rtol=1e-4, atol=1e-5
        )


def test_attentive_statistics_of_equal_scores_are_mean_and_deviation():
    pooling = AttentiveStatisticsPooling(1)
    torch.nn.init.zeros_(pooling.score.weight)
    found = pooling(torch.tensor([[[1.0], [5.0], [77.0]]]), torch.tensor([2]))
    torch.testing.assert_close(found, torch.tensor([[3.0, 2.0]]))


@pytest.mark.parametrize("length", [1, 4])
def test_attentive_statistics_of_constants_have_finite_gradients(length):
    pooling = build("attentive")
    frames = torch.ones(2, 4, 6, requires_grad=True)
    pooling(frames, torch.tensor([length, 4])).sum().backward()
    assert frames.grad.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in pooling.parameters())


@pytest.mark.parametrize("name", LAYERS)
@given(
    lengths=st.lists(st.integers(1, 8), min_size=1, max_size=4),
    extra=st.integers(0, 5),
    filling=st.sampled_from([0.0, 1e4, float("nan"), float("inf")]),
)
@settings(deadline=None, max_examples=25)
def test_padding_is_ignored(name, lengths, extra, filling):
    pooling = build(name)
    lengths = torch.tensor(lengths)
    size = int(lengths.max()) + extra
    frames = torch.randn(len(lengths), size, 6, generator=torch.Generator().manual_seed(3))
    padded = frames.masked_fill(~valid_mask(lengths, size)[..., None], filling)
    with torch.no_grad():
        found = pooling(padded, lengths)
        assert found.shape == (len(lengths), pooling.output_size)
        for row, length in enumerate(lengths.tolist()):
            alone = pooling(frames[row : row + 1, :length], lengths[row : row + 1])
            torch.testing.assert_close(found[row], alone[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_padding_gets_no_gradient(name):
    pooling = build(name).train()
    frames = torch.randn(2, 5, 6, requires_grad=True)
    pooling(frames, torch.tensor([3, 5])).square().sum().backward()
    assert (frames.grad[0, 3:] == 0).all()
    assert frames.grad[0, :3].abs().sum() > 0
    for name, parameter in pooling.named_parameters():
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("name", LAYERS)
def test_arguments_build_the_same_again(name):
    pooling = build(name)
    again = type(pooling)(**pooling.arguments())
    again.load_state_dict(pooling.state_dict())
    frames, lengths = torch.randn(2, 5, 6), torch.tensor([3, 5])
    assert torch.equal(again.eval()(frames, lengths), pooling(frames, lengths))


def test_size_as_published():
    with torch.device("meta"):
        pooling = StylePooling(1024)
    assert 28e6 < sum(parameter.numel() for parameter in pooling.parameters()) < 28.5e6


@pytest.mark.parametrize("arguments", [{"heads": 4}, {"kernel": 4}])
def test_impossible_arguments(arguments):
    with pytest.raises(HparamError, match="heads that divide the width and an odd kernel"):
        StylePooling(6, **arguments)
