"""The x-vector encoder: single clips against ragged batches, its front end, its arguments."""

import pytest
import torch

from emovec.audio.activity import energy_activity, keep_active, sliding_mean_normalise
from emovec.audio.features import Mfcc
from emovec.encoders.residual import ValidBatchNorm
from emovec.encoders.resnet import POOLINGS, ResNet
from emovec.errors import AudioError, HparamError

SMALL = {"channels": (4, 6), "blocks": (1, 1), "embedding_size": 10}
KINDS = {
    "xvector": {},
    "level": {"features": "log_mel", "mean_normalise": False, "level_normalise": True, **SMALL},
    "modern": {
        "features": "log_mel",
        "channels": (32, 64, 128, 256),
        "keep_bands": True,
        "pooling": "statistics",
        "embedding_size": 256,
    },
    "net_vlad": {
        "features": "spectrogram",
        "activity": False,
        "mean_normalise": False,
        "pooling": "ghost_vlad",
        "embedding_size": 512,
    },
}
LENGTHS = torch.tensor([5000, 400, 9000, 3333])


def build(**arguments):
    """An encoder in evaluation whose running moments are those of some clips."""
    torch.manual_seed(0)
    encoder = ResNet(**arguments).train()
    norms = [layer for layer in encoder.modules() if isinstance(layer, ValidBatchNorm)]
    for layer in norms:
        layer.momentum = 1.0
    with torch.no_grad():
        encoder(speech(), LENGTHS)
    for layer in norms:
        layer.momentum = 0.1
    return encoder.eval()


def speech(size=9000, clips=4):
    """Noise whose loudness comes and goes, with digital silence in between."""
    generator = torch.Generator().manual_seed(2)
    waves = 0.1 * torch.randn(clips, size, generator=generator)
    waves[:, 1600:3000] = 0.0
    return waves


def distance(found, expected):
    return ((found - expected).norm(dim=-1) / expected.norm(dim=-1)).max().item()


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_padding_never_changes_an_embedding(kind):
    encoder = build(**KINDS[kind])
    waves = speech()
    alone = torch.cat(
        [
            encoder(waves[row : row + 1, :length], LENGTHS[row : row + 1])
            for row, length in enumerate(LENGTHS.tolist())
        ]
    )
    garbage = torch.cat([waves, waves], dim=1)
    for row, length in enumerate(LENGTHS.tolist()):
        garbage[row, length:] = 1e3
        garbage[row, length + 1 :: 2] = torch.nan
    assert distance(encoder(garbage, LENGTHS), alone) < 1e-4
    order = torch.tensor([2, 0, 3, 1])
    assert distance(encoder(garbage[order], LENGTHS[order]), alone[order]) < 1e-4
    apart = (alone[0] - alone[2:]).norm(dim=-1) / alone[0].norm()
    assert apart.min() > 1e-3


@pytest.mark.parametrize("pooling", POOLINGS)
@torch.inference_mode()
def test_every_pooling_is_padding_safe(pooling):
    encoder = build(pooling=pooling, **SMALL)
    waves = speech()
    alone = torch.cat(
        [
            encoder(waves[row : row + 1, :length], LENGTHS[row : row + 1])
            for row, length in enumerate(LENGTHS.tolist())
        ]
    )
    assert distance(encoder(waves, LENGTHS), alone) < 1e-4


@pytest.mark.parametrize(
    ("kind", "pooled", "size"),
    [("xvector", 32 * 128, 400), ("modern", 2 * 256 * 10, 256), ("net_vlad", 8 * 128, 512)],
)
@torch.inference_mode()
def test_sizes_of_the_three_systems(kind, pooled, size):
    encoder = build(**KINDS[kind])
    frames, counts = encoder.frames(speech(), LENGTHS)
    assert frames.shape[2] == encoder.frame_size
    assert encoder.pooling(frames, counts).shape == (4, pooled)
    assert encoder(speech(), LENGTHS).shape == (4, size)
    assert encoder.embedding_size == size


@torch.inference_mode()
def test_frames_are_an_eighth_and_zero_behind():
    encoder = build(activity=False)
    lengths = torch.tensor([9000, 4400])
    frames, counts = encoder.frames(speech(clips=2), lengths)
    assert counts.tolist() == [7, 4]  # of 54 and 26 features
    assert (frames[1, 4:] == 0).all()


def test_speech_is_decided_before_and_dropped_after_the_mean_is_taken_off():
    encoder = build(**SMALL)
    waves = speech()
    features, counts = encoder.describe(waves, LENGTHS)
    mfcc, all_frames = Mfcc(bands=23, sample_rate=16000)(waves, LENGTHS)
    active = energy_activity(waves, LENGTHS, 400, 160)
    expected = keep_active(sliding_mean_normalise(mfcc, all_frames), all_frames, active)
    assert torch.equal(features, expected[0])
    assert torch.equal(counts, expected[1])
    assert (counts < all_frames).any()


def test_switches_of_the_front_end():
    waves = speech()
    raw, counts = build(activity=False, mean_normalise=False, **SMALL).describe(waves, LENGTHS)
    expected, all_frames = Mfcc(bands=23, sample_rate=16000)(waves, LENGTHS)
    assert torch.equal(raw, expected)
    assert torch.equal(counts, all_frames)
    normal, _ = build(activity=False, **SMALL).describe(waves, LENGTHS)
    assert torch.equal(normal, sliding_mean_normalise(expected, all_frames))


@torch.inference_mode()
def test_level_goes_and_the_shape_of_the_spectrum_stays():
    options = {"features": "log_mel", "mean_normalise": False, "level_normalise": True, **SMALL}
    encoder = build(**options)
    waves = speech()
    found, counts = encoder.describe(waves, LENGTHS)
    raw, same = build(**{**options, "level_normalise": False}).describe(waves, LENGTHS)
    assert torch.equal(counts, same)
    for row, features, count in zip(found, raw, counts.tolist(), strict=True):
        expected = features[:count] - features[:count].mean()
        torch.testing.assert_close(row[:count], expected)
        assert (row[count:] == 0).all()


@torch.inference_mode()
def test_gain_leaves_the_embedding_where_it_does_not_change_what_is_speech():
    encoder = build(
        features="log_mel", activity=False, mean_normalise=False, level_normalise=True, **SMALL
    )
    waves = torch.randn(4, 9000, generator=torch.Generator().manual_seed(3))  # none of it silent
    gains = torch.tensor([[0.5], [2.0], [1.5], [4.0]])
    expected = encoder(waves, LENGTHS)
    torch.testing.assert_close(encoder(gains * waves, LENGTHS), expected, rtol=1e-3, atol=1e-4)
    quieter_bass = waves - 0.9 * torch.nn.functional.pad(waves, (1, 0))[:, :-1]
    assert distance(encoder(quieter_bass, LENGTHS), expected) > 0.01


def test_eight_kilohertz():
    encoder = build(sample_rate=8000, **SMALL)
    assert (encoder.sample_rate, encoder.shortest) == (8000, 200)
    assert encoder(speech(4000), torch.full((4,), 4000)).shape == (4, 10)


def test_silent_clips_are_named():
    encoder = build(**SMALL)
    waves = speech()
    waves[1] = waves[3] = 0.0
    with pytest.raises(AudioError, match="no speech at position 1, 3 of the batch"):
        encoder(waves, LENGTHS)


def test_clip_shorter_than_a_frame_is_named():
    with pytest.raises(AudioError, match="399 samples at position 2"):
        build(**SMALL)(speech(), torch.tensor([400, 500, 399, 9000]))


@pytest.mark.parametrize(
    ("waves", "lengths"),
    [
        (torch.zeros(2, 800), torch.tensor([800])),
        (torch.zeros(2, 800), torch.tensor([800, 801])),
        (torch.zeros(2, 800).double(), torch.tensor([800, 800])),
        (torch.zeros(0, 800), torch.zeros(0).long()),
    ],
)
def test_other_batches(waves, lengths):
    with pytest.raises(ValueError, match="ResNet"):
        build(**SMALL)(waves, lengths)


def test_classifier_takes_normalised_embeddings():
    encoder = build(**SMALL).train()
    embeddings = encoder(speech(), LENGTHS)
    features = encoder.class_features(embeddings)
    assert torch.allclose(features.mean(dim=0), torch.zeros(10), atol=1e-5)
    assert not torch.allclose(embeddings.mean(dim=0), torch.zeros(10), atol=1e-3)


def test_every_weight_learns():
    encoder = build(**SMALL).train()
    encoder.class_features(encoder(speech(), LENGTHS)).square().sum(dim=1)[0].backward()
    without = [name for name, value in encoder.named_parameters() if value.grad is None]
    assert without == []


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"features": "log_mel", "bands": 40, "pooling": "dictionary", "sample_rate": 8000},
        {"pooling": "dictionary", "pooling_options": {"heads": 3}},
        {"keep_bands": True, "pooling": "statistics"},
        {"features": "log_mel", "mean_normalise": False, "level_normalise": True},
        {"pooling": "ghost_vlad", "pooling_options": {"clusters": 3, "ghosts": 1}},
        {"features": "spectrogram", "bands": 257, "activity": False},
    ],
)
def test_arguments_build_the_same(arguments):
    encoder = build(**{**SMALL, **arguments})
    other = ResNet(**encoder.arguments()).eval()
    other.load_state_dict(encoder.state_dict())
    waves = speech()
    assert torch.equal(encoder(waves, LENGTHS), other(waves, LENGTHS))


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"features": "plp"}, "features is 'plp'.*'mfcc', 'log_mel', 'spectrogram'"),
        ({"pooling": "max"}, "pooling is 'max'.*'dictionary'"),
        ({"pooling_options": {"clusters": 3}}, "pooling_options is .*clusters"),
        ({"pooling_options": {"heads": 0}}, "heads is 0"),
        ({"features": "spectrogram", "bands": 80}, "bands is 80; expected 257"),
        ({"bands": 2}, "bands is 2"),
        ({"level_normalise": True}, "level_normalise with features 'mfcc'"),
        ({"sample_rate": 44100}, "sample_rate is 44100"),
        ({"channels": (4, 6, 8)}, "as many channels as blocks"),
        ({"channels": (), "blocks": ()}, "as many channels as blocks"),
        ({"blocks": (1, 0)}, "at least 1"),
        ({"embedding_size": 0}, "embedding_size 0"),
    ],
)
def test_impossible_arguments(arguments, part):
    with pytest.raises(HparamError, match=part):
        ResNet(**{**SMALL, **arguments})
