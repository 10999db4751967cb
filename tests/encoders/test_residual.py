"""The residual network against torch's own layers on single clips, and sizes of every stage."""

import pytest
import torch
from torch.nn import functional

from emovec.audio.padding import valid_mask
from emovec.encoders.residual import BasicBlock, NormedConvolution, ResidualFrames, ValidBatchNorm

LENGTHS = torch.tensor([9, 4, 1, 12])
SIZE = 14


def shake(module):
    """Weights and running moments other than those that a fresh module has."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if name.endswith(("norm.weight", "norm.bias", "running_mean", "running_var")):
                value.add_(0.5 * torch.rand(value.shape, generator=generator))
    return module


def make(module):
    torch.manual_seed(0)
    return shake(module())


def mask(lengths, size):
    """(B, 1, F, 1) float32, 1 where frames are valid."""
    return valid_mask(lengths, size)[:, None, :, None].float()


def norm(layer, values):
    return functional.batch_norm(
        values,
        layer.running_mean,
        layer.running_var,
        layer.weight,
        layer.bias,
        training=False,
        eps=layer.eps,
    )


def convolve(layer, values):
    """Convolution, then batch norm, each torch's own."""
    return norm(layer.norm, layer.convolution(values))


def block_by_hand(block, values):
    branch = convolve(block.second, convolve(block.first, values).relu())
    shortcut = values if block.shortcut is None else convolve(block.shortcut, values)
    return (branch + shortcut).relu()


def frames_by_hand(network, features):
    """(F', C) frames of one clip (F, M)."""
    values = convolve(network.stem, features[None, None]).relu()
    for stage in network.stages:
        for block in stage:
            values = block_by_hand(block, values)
    return values[0].mean(dim=2).T


@pytest.mark.parametrize(("bands", "sizes"), [(23, [23, 12, 6, 3]), (80, [80, 40, 20, 10])])
@pytest.mark.parametrize("length", [1, 8, 100, 101, 103])
def test_sizes_of_the_published_table(bands, sizes, length):
    """T x 23, T/2 x 12, T/4 x 6, T/8 x 3, then T/8 x 128, rounded up where T is not even."""
    network = ResidualFrames((16, 32, 64, 128), (3, 4, 6, 3)).eval()
    found = []
    for stage in network.stages:
        stage[-1].register_forward_hook(lambda _layer, _given, made: found.append(made.shape))
    frames, lengths = network(torch.randn(2, length, bands), torch.tensor([length, 1]))
    times = [length, -(-length // 2), -(-length // 4), -(-length // 8)]
    table = zip((16, 32, 64, 128), times, sizes, strict=True)
    assert [tuple(shape) for shape in found] == [(2, *row) for row in table]
    assert frames.shape == (2, times[-1], 128)
    assert lengths.tolist() == [times[-1], 1]


def test_number_of_layers():
    network = ResidualFrames((16, 32, 64, 128), (3, 4, 6, 3))
    kernels = [
        layer.convolution.kernel_size[0]
        for layer in network.modules()
        if isinstance(layer, NormedConvolution)
    ]
    assert kernels.count(7) == 1
    assert kernels.count(3) == 32  # with the stem and the linear layer behind: 34
    assert kernels.count(1) == 3


@pytest.mark.parametrize(("channels", "blocks"), [((4, 6), (2, 1)), ((3, 5, 7, 9), (1, 2, 1, 2))])
def test_network_by_hand(channels, blocks):
    network = make(lambda: ResidualFrames(channels, blocks)).eval()
    features = torch.randn(len(LENGTHS), SIZE, 11)
    garbage = torch.where(valid_mask(LENGTHS, SIZE)[..., None], features, torch.nan)
    found, counts = network(garbage, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        expected = frames_by_hand(network, features[row, :length])
        assert counts[row] == len(expected)
        assert torch.allclose(found[row, : len(expected)], expected, rtol=1e-4, atol=1e-5)
        assert (found[row, len(expected) :] == 0).all()


@pytest.mark.parametrize("bands", [1, 8, 11])
def test_bands_side_by_side(bands):
    """Their mean is what comes out otherwise, and each is its own."""
    network = make(lambda: ResidualFrames((4, 6), (1, 1), keep_bands=True)).eval()
    features = torch.randn(len(LENGTHS), SIZE, bands)
    kept, counts = network(features, LENGTHS)
    network.keep_bands = False
    mean, same = network(features, LENGTHS)
    assert torch.equal(counts, same)
    by_channel = kept.unflatten(2, (6, -1))  # (B, F, C, M)
    assert by_channel.shape[3] == -(-bands // 2)
    torch.testing.assert_close(by_channel.mean(dim=3), mean)
    assert network.frame_size(bands) == 6
    network.keep_bands = True
    assert network.frame_size(bands) == kept.shape[2]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [1, 3, 7])
@pytest.mark.parametrize("training", [True, False])
def test_padding_stays_zero(kernel, stride, training):
    layer = make(lambda: NormedConvolution(2, 3, kernel, stride)).train(training)
    values = torch.randn(len(LENGTHS), 2, SIZE, 5) * mask(LENGTHS, SIZE)
    lengths = -(-LENGTHS // stride)
    valid = mask(lengths, -(-SIZE // stride))
    found = layer(values, valid)
    assert (found.masked_select(valid == 0) == 0).all()
    assert (found.masked_select(valid == 1) != 0).all()


def test_batch_norm_is_torchs_on_the_valid_frames():
    """Output, gradients and running moments, against the frames put end to end."""
    ours, theirs = make(lambda: ValidBatchNorm(3)), make(lambda: torch.nn.BatchNorm1d(3))
    theirs.load_state_dict(ours.state_dict())
    values = torch.randn(len(LENGTHS), 3, SIZE, 5) * 2 + 1
    valid = valid_mask(LENGTHS, SIZE)
    packed = values.transpose(1, 2)[valid].requires_grad_()  # (N, C, M)
    values.requires_grad_()
    found = ours(values.clone(), mask(LENGTHS, SIZE))
    expected = theirs(packed)
    assert torch.allclose(found.transpose(1, 2)[valid], expected, atol=1e-5)
    target = torch.randn_like(expected)
    (found.transpose(1, 2)[valid] * target).sum().backward()
    (expected * target).sum().backward()
    assert torch.allclose(values.grad.transpose(1, 2)[valid], packed.grad, atol=1e-5)
    assert (values.grad.transpose(1, 2)[~valid] == 0).all()
    for name, value in theirs.named_parameters():
        assert torch.allclose(getattr(ours, name).grad, value.grad, rtol=1e-4, atol=1e-5)
    for name, value in theirs.named_buffers():
        assert torch.allclose(getattr(ours, name), value, rtol=1e-5)


def test_batch_norm_without_padding_is_the_same_as_with_none_marked():
    values = torch.randn(3, 4, 6, 5) + 1
    marked, plain = make(lambda: ValidBatchNorm(4)), make(lambda: ValidBatchNorm(4))
    found = marked(values.clone(), torch.ones(3, 1, 6, 1))
    assert torch.allclose(found, plain(values), atol=1e-5)
    for name, value in plain.named_buffers():
        assert torch.allclose(marked.get_buffer(name), value, rtol=1e-5)


def test_batch_norm_of_one_value_and_of_constants_is_finite():
    layer = ValidBatchNorm(2)
    values = torch.full((2, 2, 3, 1), 7.0)
    found = layer(values, mask(torch.tensor([1, 1]), 3))
    assert torch.allclose(found, torch.zeros(()), atol=1e-2)
    assert layer.running_var.isfinite().all()


def test_more_padding_changes_no_gradient_in_training():
    """Frames, running moments and gradients of a batch with and without needless padding."""
    results = []
    for spare in (0, 5):
        network = make(lambda: ResidualFrames((4, 6, 8), (1, 1, 1))).train()
        generator = torch.Generator().manual_seed(1)
        features = torch.randn(len(LENGTHS), 12, 9, generator=generator)
        features = functional.pad(features, (0, 0, 0, spare), value=9.0)
        frames, lengths = network(features, LENGTHS)
        assert (frames[~valid_mask(lengths, frames.shape[1])] == 0).all()
        frames = frames[:, : int(lengths.max())]
        (frames * torch.arange(1.0, 9.0)).square().mean().backward()
        results.append((frames, network))
    (short, first), (padded, second) = results
    assert torch.allclose(short, padded, atol=1e-5)
    for name, value in first.named_parameters():
        other = second.get_parameter(name).grad
        assert torch.allclose(value.grad, other, rtol=1e-3, atol=1e-5), name
    for name, value in first.named_buffers():
        assert torch.allclose(value, second.get_buffer(name), rtol=1e-4, atol=1e-6), name


def test_block_gradient_in_evaluation():
    """With frozen moments a batch can be trained on too, folded as it is."""
    block = make(lambda: BasicBlock(2, 4, 2)).eval().double()
    values = torch.randn(2, 2, 5, 3, dtype=torch.float64)
    valid = mask(torch.tensor([2, 3]), 3)
    values = (values * mask(torch.tensor([4, 5]), 5)).requires_grad_()
    assert torch.autograd.gradcheck(lambda given: block(given, valid), values)
    block(values, valid).sum().backward()
    assert all(value.grad is not None for value in block.parameters())


def test_autocast_stays_near():
    network = make(lambda: ResidualFrames((4, 6), (1, 1)))
    features = torch.randn(len(LENGTHS), SIZE, 9)
    for training in (False, True):
        network.train(training)
        with torch.autocast("cpu", torch.bfloat16):
            found, _ = network(features, LENGTHS)
        expected, _ = network(features, LENGTHS)
        error = (found.float() - expected).norm() / expected.norm()
        assert error < 0.05
