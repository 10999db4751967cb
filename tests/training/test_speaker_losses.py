"""Speaker losses against direct evaluation in float64, finite differences and SpeechBrain's own."""

import math

import numpy as np
import pytest
import torch
from speechbrain.lobes.models.ECAPA_TDNN import Classifier
from speechbrain.nnet.losses import AdditiveAngularMargin, LogSoftmaxWrapper
from torch.utils._python_dispatch import TorchDispatchMode

from emovec.errors import HparamError
from emovec.training.speaker_losses import (
    AdditiveAngularMarginSoftmax,
    AngularSoftmax,
    SpeakerSoftmax,
    margin_cosine,
    plain_share,
)

WIDTH, SPEAKERS = 5, 7
LOSSES = {
    "softmax": lambda: SpeakerSoftmax(WIDTH, SPEAKERS),
    "angular": lambda: AngularSoftmax(WIDTH, SPEAKERS, margin=3),
    "additive": lambda: AdditiveAngularMarginSoftmax(WIDTH, SPEAKERS),
    "sub_centres": lambda: AdditiveAngularMarginSoftmax(WIDTH, SPEAKERS, centres=3),
}


def build(name):
    torch.manual_seed(0)
    return LOSSES[name]()


def batch(size=6, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    embeddings = 2 * torch.randn(size, WIDTH, generator=generator, dtype=dtype)
    return embeddings, torch.randint(SPEAKERS, (size,), generator=generator)


def cross_entropy(logits, target):
    return np.log(np.sum(np.exp(logits - logits.max()))) + logits.max() - logits[target]


def psi(angle, margin):
    piece = min(math.floor(margin * angle / math.pi), margin - 1)
    return (-1) ** piece * math.cos(margin * angle) - 2 * piece


def angular_by_hand(embeddings, speakers, weight, margin, share):
    losses = []
    for x, speaker in zip(embeddings.numpy(), speakers.tolist(), strict=True):
        length = math.sqrt(sum(x**2))
        cosines = np.array([x @ row / length / math.sqrt(sum(row**2)) for row in weight])
        logits = length * cosines
        angle = math.acos(cosines[speaker])
        logits[speaker] = length * (share * cosines[speaker] + psi(angle, margin)) / (1 + share)
        losses.append(cross_entropy(logits, speaker))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("margin", [1, 2, 3, 4])
@pytest.mark.parametrize("step", [0, 1000, 10**7])
def test_angular_softmax_by_hand(margin, step):
    torch.manual_seed(margin)
    loss = AngularSoftmax(WIDTH, SPEAKERS, margin).double()
    embeddings, speakers = batch(40, torch.float64)
    share = max(5, 1500 / (1 + 0.01 * step))
    weight = loss.weight.detach().numpy()
    expected = angular_by_hand(embeddings, speakers, weight, margin, share)
    assert loss(embeddings, speakers, step).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("margin", [2, 3, 4])
def test_margin_cosine_by_hand_on_every_piece(margin):
    angles = np.linspace(0, math.pi, 1001)
    found = margin_cosine(torch.from_numpy(np.cos(angles)), margin).numpy()
    expected = [psi(angle, margin) for angle in angles]
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("margin", [1, 2, 3, 4, 5])
def test_margin_cosine_falls_without_jumps(margin):
    """Over the angle from 0 to pi it falls from 1 to 1 - 2 m, and never above the plain cosine."""
    angles = torch.linspace(0, math.pi, 20001, dtype=torch.float64)
    cosines = torch.cos(angles)
    found = margin_cosine(cosines, margin)
    steps = found.diff()
    assert found[0] == 1
    assert found[-1].item() == pytest.approx(1 - 2 * margin, abs=1e-9)
    assert (steps <= 1e-12).all()
    assert steps.abs().max() < 1.01 * margin * math.pi / 20000
    assert (found <= cosines + 1e-12).all()


@pytest.mark.parametrize("margin", [2, 3, 4])
def test_angular_gradient_by_finite_differences(margin):
    loss = AngularSoftmax(WIDTH, SPEAKERS, margin).double()
    embeddings, speakers = batch(12, torch.float64)

    def value(embeddings, weight):
        parameters = {"weight": weight}
        return torch.func.functional_call(loss, parameters, (embeddings, speakers, 10**6))

    weight = loss.weight.detach().requires_grad_()
    assert torch.autograd.gradcheck(value, (embeddings.requires_grad_(), weight))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_embeddings_on_a_class_weight_have_a_finite_gradient(sign):
    """The derivative of arccos is infinite there."""
    loss = build("angular")
    embeddings = (sign * loss.weight.detach()[:3] * 4).requires_grad_()
    loss(embeddings, torch.arange(3), 10**6).backward()
    assert embeddings.grad.isfinite().all()
    assert loss.weight.grad.isfinite().all()


def test_annealing_as_published():
    assert [plain_share(step) for step in (0, 100, 29_800, 29_900, 10**7)] == pytest.approx(
        [1500, 750, 1500 / 299, 5, 5]
    )


def test_margin_grows_with_the_steps():
    loss = build("angular")
    embeddings, speakers = batch(50)
    values = [loss(embeddings, speakers, step).item() for step in (0, 1000, 10_000, 10**6)]
    assert values == sorted(values)
    assert values[0] < values[-1]


@pytest.mark.parametrize(("margin", "scale"), [(0.0, 1.0), (0.2, 30.0), (0.5, 64.0)])
def test_additive_margin_is_speechbrains(margin, scale):
    loss = AdditiveAngularMarginSoftmax(WIDTH, SPEAKERS, margin, scale)
    classifier = Classifier(WIDTH, out_neurons=SPEAKERS)
    classifier.load_state_dict({"weight": loss.weight.detach()})
    wrapped = LogSoftmaxWrapper(AdditiveAngularMargin(margin, scale))
    embeddings, speakers = batch(50)
    ours = embeddings.clone().requires_grad_()
    theirs = embeddings.clone().requires_grad_()
    found = loss(ours, speakers, 0)
    expected = wrapped(classifier(theirs[:, None]), speakers[:, None])
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    found.backward()
    expected.backward()
    assert torch.allclose(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6)
    assert torch.allclose(loss.weight.grad, classifier.weight.grad, rtol=1e-4, atol=1e-6)


def test_nearest_of_several_centres_counts():
    loss = build("sub_centres")
    embeddings, speakers = batch(4)
    centres = loss.weight.detach().double().numpy().reshape(SPEAKERS, 3, WIDTH)
    for x, found in zip(embeddings.double().numpy(), loss.logits(embeddings), strict=True):
        x = x / np.linalg.norm(x)
        expected = [
            30 * max(x @ centre / np.linalg.norm(centre) for centre in those) for those in centres
        ]
        assert found.detach().numpy() == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert loss(embeddings, speakers, 0).isfinite()


def test_softmax_by_hand():
    loss = build("softmax").double()
    embeddings, speakers = batch(9, torch.float64)
    weight, bias = (value.detach().numpy() for value in loss.parameters())
    losses = [
        cross_entropy(weight @ x + bias, speaker)
        for x, speaker in zip(embeddings.numpy(), speakers.tolist(), strict=True)
    ]
    assert loss(embeddings, speakers, 0).item() == pytest.approx(np.mean(losses), rel=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_loss_teaches(name):
    """Four steps along the gradient lower the loss and raise the target's logit."""
    loss = build(name)
    embeddings, speakers = batch(20)
    optimizer = torch.optim.SGD(loss.parameters(), lr=0.05)
    values = []
    for _ in range(5):
        optimizer.zero_grad()
        value = loss(embeddings, speakers, 10**6)
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < values[0]


@pytest.mark.parametrize("name", LOSSES)
def test_logits_have_no_margin_and_survive_a_loss(name):
    loss = build(name)
    embeddings, speakers = batch()
    before = loss.logits(embeddings)
    loss(embeddings, speakers, 10**6)
    assert before.shape == (len(speakers), SPEAKERS)
    assert torch.equal(before, loss.logits(embeddings))


@pytest.mark.parametrize("name", LOSSES)
def test_autocast_computes_in_single_precision(name):
    loss = build(name)
    embeddings, speakers = batch()
    embeddings = embeddings.bfloat16()
    expected = loss(embeddings.float(), speakers, 500)
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(embeddings, speakers, 500)
        logits = loss.logits(embeddings)
    assert found.dtype == logits.dtype == torch.float32
    assert found.item() == expected.item()


@pytest.mark.parametrize("name", LOSSES)
def test_embedding_of_zeros_is_finite(name):
    loss = build(name)
    embeddings = torch.zeros(2, WIDTH, requires_grad=True)
    value = loss(embeddings, torch.tensor([0, 1]), 10**6)
    value.backward()
    assert value.isfinite()
    assert embeddings.grad.isfinite().all()


class MatricesMade(TorchDispatchMode):
    """Counts results of operations that are new matrices of one size."""

    def __init__(self, size):
        super().__init__()
        self.size = size
        self.storages = []  # kept, so that no address is used twice

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for value in result if isinstance(result, tuple) else (result,):
            if isinstance(value, torch.Tensor) and tuple(value.shape) == self.size:
                self.storages.append(value.untyped_storage())
        return result

    @property
    def count(self):
        return len({storage.data_ptr() for storage in self.storages})


@pytest.mark.parametrize(
    ("make", "most"),
    [(SpeakerSoftmax, 2), (AngularSoftmax, 2), (AdditiveAngularMarginSoftmax, 2)],
)
def test_margin_needs_no_matrix_of_its_own(make, most):
    """12,872 speakers: the logits, and their log-softmax that autograd keeps; no third."""
    loss = make(4, 12872)
    embeddings = torch.randn(3, 4, requires_grad=True)
    with MatricesMade((3, 12872)) as made:
        loss(embeddings, torch.tensor([0, 5, 12871]), 0)
    assert made.count == most


@pytest.mark.parametrize("name", LOSSES)
def test_arguments_build_the_same(name):
    loss = build(name)
    other = type(loss)(**loss.arguments())
    other.load_state_dict(loss.state_dict())
    embeddings, speakers = batch()
    assert torch.equal(loss(embeddings, speakers, 9), other(embeddings, speakers, 9))


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: SpeakerSoftmax(4, 1), "1 speakers"),
        (lambda: AngularSoftmax(4, 1), "1 speakers"),
        (lambda: AdditiveAngularMarginSoftmax(4, 0), "0 speakers"),
        (lambda: AngularSoftmax(4, 9, margin=0), "margin is 0"),
        (lambda: AngularSoftmax(4, 9, margin=2.5), "margin is 2.5"),
        (lambda: AdditiveAngularMarginSoftmax(4, 9, margin=-0.1), "margin -0.1"),
        (lambda: AdditiveAngularMarginSoftmax(4, 9, margin=2.0), "margin 2.0"),
        (lambda: AdditiveAngularMarginSoftmax(4, 9, scale=0.0), "scale 0.0"),
        (lambda: AdditiveAngularMarginSoftmax(4, 9, scale=math.nan), "scale nan"),
        (lambda: AdditiveAngularMarginSoftmax(4, 9, centres=0), "centres 0"),
    ],
)
def test_impossible_arguments(make, part):
    with pytest.raises(HparamError, match=part):
        make()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(
    ("embeddings", "speakers", "part"),
    [
        (torch.zeros(2, WIDTH + 1), torch.zeros(2).long(), r"\(B, 5\)"),
        (torch.zeros(2, WIDTH), torch.zeros(3).long(), r"speakers \(3,\)"),
        (torch.zeros(0, WIDTH), torch.zeros(0).long(), "B > 0"),
        (torch.zeros(2, WIDTH), torch.zeros(2), "int64"),
    ],
)
def test_other_shapes(name, embeddings, speakers, part):
    with pytest.raises(ValueError, match=part):
        build(name)(embeddings, speakers, 0)
