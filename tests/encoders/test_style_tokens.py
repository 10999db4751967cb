"""Style tokens: against a computation by hand, ragged, and their sizes."""

import pytest
import torch
from torch import nn

from emovec.encoders.residual import ValidBatchNorm
from emovec.encoders.style_tokens import ReferenceEncoder, StyleTokens

COUNTS = [99, 1, 40, 65, 64, 2]


def build(**arguments):
    """Style tokens in evaluation whose batch norms are not those of an untrained network."""
    torch.manual_seed(0)
    tokens = StyleTokens(**arguments).train()
    norms = [layer for layer in tokens.modules() if isinstance(layer, ValidBatchNorm)]
    for layer in norms:
        layer.momentum = 1.0
        nn.init.uniform_(layer.weight, 0.5, 1.5)
        nn.init.normal_(layer.bias, std=0.2)
    with torch.no_grad():
        tokens(noise(8, 99, arguments.get("feature_size", 40)))
    return tokens.eval()


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def by_hand(tokens, features):
    """One sequence (F, D) by torch's own layers, head by head."""
    values = features[None, None]
    for layer in tokens.reference.convolutions:
        norm = layer.norm
        values = layer.convolution(values)
        values = nn.functional.batch_norm(
            values, norm.running_mean, norm.running_var, norm.weight, norm.bias
        ).relu()
    _, channels, frames, width = values.shape
    state = torch.zeros(1, 1, 128)
    for frame in range(frames):
        step = torch.stack([values[0, c, frame, w] for c in range(channels) for w in range(width)])
        _, state = tokens.reference.recurrence(step[None, None], state)
    query = tokens.query.weight @ state[0, 0]
    keys = [tokens.key.weight @ token.tanh() for token in tokens.tokens]
    values = [tokens.value.weight @ token.tanh() for token in tokens.tokens]
    parts = []
    for head in range(8):
        part = slice(32 * head, 32 * (head + 1))
        scores = torch.stack([query[part] @ key[part] for key in keys]) / 32**0.5
        weights = scores.exp() / scores.exp().sum()
        parts.append(sum(w * v[part] for w, v in zip(weights, values, strict=True)))
    vector = torch.cat(parts)
    return vector / vector.square().sum().sqrt()


@torch.inference_mode()
@pytest.mark.parametrize("feature_size", [40, 70])
def test_by_hand_and_ragged(feature_size):
    tokens = build(feature_size=feature_size)
    features = noise(len(COUNTS), 99, feature_size)
    expected = torch.stack(
        [by_hand(tokens, row[:n]) for row, n in zip(features, COUNTS, strict=True)]
    )
    for row, count in enumerate(COUNTS):
        features[row, count:] = 0.0
    found = tokens(features, torch.tensor(COUNTS))
    assert found.shape == (6, 256)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(tokens(features[:1]), expected[:1], rtol=1e-4, atol=1e-5)
    assert torch.pdist(expected).min() > 0.02
    assert torch.allclose(found.norm(dim=1), torch.ones(6), atol=1e-5)


def test_batch_norm_sees_valid_frames_alone():
    features, counts = noise(3, 50, 40), torch.tensor([50, 13, 30])
    moments = []
    for padding in (0, 30):
        torch.manual_seed(0)
        reference = ReferenceEncoder(40, 128).train()
        padded = nn.functional.pad(features, (0, 0, 0, padding))
        for row, count in enumerate(counts.tolist()):
            padded[row, count:] = 0.0
        reference(padded, counts)
        moments.append([layer.norm.running_mean for layer in reference.convolutions])
    for found, expected in zip(*moments, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_parameters():
    assert sum(value.numel() for value in build().parameters()) == 435_872
    assert build().reference.recurrence.input_size == 128  # one of 40 features is left


def test_every_weight_learns():
    tokens = build().train()
    tokens(noise(4, 50, 40), torch.tensor([50, 20, 50, 7]))[:, 0].sum().backward()
    assert [name for name, value in tokens.named_parameters() if value.grad is None] == []
