"""Exported encoders against torch: one a kind, with random weights and ragged batches."""

import importlib.util
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from emovec.audio.batches import UtteranceBatches
from emovec.encoders import foreign, onnx_engine, wavlm
from emovec.encoders.base import Encoder
from emovec.encoders.deeptalk import DeepTalk
from emovec.encoders.extract import extract
from emovec.encoders.extraction import embed_clips
from emovec.encoders.foreign import SpeechBrainEncoder
from emovec.encoders.onnx_engine import OnnxEncoder
from emovec.encoders.onnx_export import INPUT, OUTPUT, export_onnx, weights_checksum
from emovec.encoders.pooled import PooledEncoder
from emovec.encoders.pooling import AttentiveStatisticsPooling, MeanPooling, StylePooling
from emovec.encoders.resnet import POOLINGS, ResNet
from emovec.encoders.wavlm import WavLM
from emovec.errors import AudioError, HparamError, ModelError, StorageError
from emovec.tables.manifest import Utterance

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

SMALL = {"channels": (4, 6, 8), "blocks": (1, 2, 1), "embedding_size": 10}
LENGTHS = [9000, 4000, 9000, 5321, 9120]  # two alike; 9120 has one frame more than 9000


def make_batch(lengths=LENGTHS, seed=0):
    """Noise of speech-like level with digital silence inside, and NaN for padding."""
    generator = torch.Generator().manual_seed(seed)
    waves = torch.full((len(lengths), max(lengths)), torch.nan)
    for row, length in enumerate(lengths):
        loudness = torch.sin(torch.arange(length) / (400 + 100 * row)).square()
        waves[row, :length] = 0.1 * loudness * torch.randn(length, generator=generator)
        waves[row, 1600:2800] = 0.0
    return waves, torch.tensor(lengths)


def random_norms(encoder):
    """Moments and weights of batch norm that are not those of an untrained network."""
    generator = torch.Generator().manual_seed(3)
    for layer in encoder.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            for values in (layer.running_var, layer.weight.data):
                values.uniform_(0.5, 1.5, generator=generator)
            for values in (layer.running_mean, layer.bias.data):
                values.normal_(0.0, 0.2, generator=generator)
    return encoder.eval()


def build_resnet(**arguments):
    torch.manual_seed(0)
    return random_norms(ResNet(**{**SMALL, **arguments}))


def distance(found, expected):
    return ((found - expected).norm(dim=1) / expected.norm(dim=1)).max().item()


@torch.inference_mode()
def check_equal_to_torch(encoder, path):
    """Ragged clips, in another order, of other lengths than the traced one, and one alone."""
    export_onnx(encoder, path)
    exported = OnnxEncoder(path, threads=1)
    names = ("sample_rate", "embedding_size", "shortest", "frame_size", "padding_safe")
    for name in (*names, "needs_speech"):
        assert getattr(exported, name) == getattr(encoder, name)
    waves, lengths = make_batch()
    expected = encoder(waves, lengths)
    assert distance(exported(waves, lengths), expected) < 1e-4
    order = torch.tensor([3, 0, 4, 1, 2])
    assert distance(exported(waves[order], lengths[order]), expected[order]) < 1e-4
    assert torch.pdist(expected).min() > 1e-3 * expected.norm(dim=1).max()  # clips do differ
    short = torch.full((1,), max(encoder.shortest, 1600))
    expected = encoder(waves[:1, : int(short)], short)
    assert distance(exported(waves[:1, : int(short)], short), expected) < 1e-4
    return exported


@pytest.mark.parametrize("pooling", POOLINGS)
def test_resnet_with_each_pooling(pooling, tmp_path):
    check_equal_to_torch(build_resnet(pooling=pooling), tmp_path / "a.onnx")


@pytest.mark.parametrize("features", ["log_mel", "spectrogram"])
def test_resnet_of_other_features_that_keeps_silence(features, tmp_path):
    encoder = build_resnet(
        features=features, sample_rate=8000, activity=False, mean_normalise=False
    )
    check_equal_to_torch(encoder, tmp_path / "a.onnx")


@pytest.fixture
def narrow(monkeypatch):
    """SpeechBrain's networks with few channels, so that they are exported at once."""
    ecapa = {"channels": [16, 16, 16, 16, 24], "attention_channels": 8}
    few = {
        "ecapa": {**ecapa, "res2net_scale": 4, "se_channels": 8},
        "resnet": {"channels": [8, 8, 12, 12], "block_sizes": [1, 2, 1, 1]},
        "xvector": {"tdnn_channels": [16, 16, 16, 16, 24]},
    }
    for name, options in few.items():
        published = foreign.MODELS[name]
        merged = {**published.options, **options, "lin_neurons": 12}
        monkeypatch.setitem(foreign.MODELS, name, replace(published, options=merged))


@pytest.mark.parametrize("model", foreign.MODELS)
@pytest.mark.usefixtures("narrow")
def test_speechbrain(model, tmp_path):
    torch.manual_seed(1)
    encoder = random_norms(SpeechBrainEncoder(model))
    check_equal_to_torch(encoder, tmp_path / "a.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("model", foreign.MODELS)
def test_speechbrain_as_published(model, tmp_path):
    torch.manual_seed(1)
    encoder = random_norms(SpeechBrainEncoder(model))
    check_equal_to_torch(encoder, tmp_path / "a.onnx")


@pytest.mark.parametrize(("size", "layers"), [("tiny", "weighted"), ("base", "last")])
def test_wavlm(size, layers, tmp_path, monkeypatch):
    check_wavlm(size, layers, tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("size", ["base_plus", "large"])
def test_wavlm_of_two_layers(size, tmp_path, monkeypatch):
    check_wavlm(size, "weighted", tmp_path, monkeypatch, width=None)


def check_wavlm(size, layers, folder, monkeypatch, width=64):
    """Two layers, of a given width or the published one."""
    few = replace(wavlm.SIZES[size], layers=2)
    if width is not None:
        few = replace(few, width=width, heads=4, feed_forward=2 * width)
    monkeypatch.setitem(wavlm.SIZES, size, few)
    torch.manual_seed(2)
    check_equal_to_torch(WavLM(size, layers=layers).eval(), folder / "a.onnx")


@pytest.mark.parametrize("pooling", [AttentiveStatisticsPooling, MeanPooling, StylePooling])
def test_pooled(pooling, tmp_path):
    torch.manual_seed(5)
    inner = random_norms(ResNet(features="log_mel", activity=False, **SMALL))
    encoder = PooledEncoder(inner, pooling(8), embedding_size=6).eval()
    exported = check_equal_to_torch(encoder, tmp_path / "a.onnx")
    assert exported.facts.arguments["pooling"]["arguments"] == encoder.pooling.arguments()


def build_deeptalk(**arguments):
    """Moments of batch norm are those of some noise: by other ones all embeddings are alike."""
    torch.manual_seed(4)
    encoder = DeepTalk(**arguments).train()
    for layer in encoder.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.momentum = 1.0
    with torch.no_grad():
        encoder(*make_batch())
    return encoder.eval()


def test_deeptalk_of_all_frames(tmp_path):
    check_equal_to_torch(build_deeptalk(windows=False), tmp_path / "a.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("sample_rate", [8000, 16000])
@torch.inference_mode()
def test_deeptalk_in_windows(sample_rate, tmp_path):
    """Ragged, in several pieces, with digital silence inside and with a clip of one window."""
    encoder = build_deeptalk(sample_rate=sample_rate)
    export_onnx(encoder, tmp_path / "a.onnx")
    exported = OnnxEncoder(tmp_path / "a.onnx", threads=1)
    scale = sample_rate // 8000
    waves, lengths = make_batch([26000 * scale, 17000 * scale, 26000 * scale, 8010 * scale])
    expected = encoder(waves, lengths)
    assert distance(exported(waves, lengths), expected) < 1e-4
    assert torch.pdist(expected).min() > 1e-3
    waves[1] = 0.0
    assert exported.hears(waves, lengths).tolist() == [True, False, True, True]
    with pytest.raises(AudioError, match="less than 1 s of speech is heard at position 1"):
        exported(waves, lengths)
    assert exported.unheard == encoder.unheard


# --- the graph


@pytest.fixture(scope="module")
def encoder():
    return build_resnet()


@pytest.fixture(scope="module")
def path(encoder, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "x vector ä.onnx"
    export_onnx(encoder, path)
    return path


def test_convolutions_are_plain(path):
    graph = onnx.load(path).graph
    onnx.checker.check_model(onnx.load(path))
    constants = {weight.name for weight in graph.initializer}
    operators = [node.op_type for node in graph.node]
    assert "BatchNormalization" not in operators
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 1 + 2 * 4 + 2  # stem, two a block, two shortcuts
    assert all(set(node.input[1:]) <= constants for node in convolutions)


def test_graph_takes_any_batch_and_length(path, encoder):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    generator = np.random.default_rng(0)
    for clips, frames in [(1, 1), (3, 9), (2, 250)]:
        features = generator.normal(size=(clips, frames, 23)).astype(np.float32)
        (found,) = session.run([OUTPUT], {INPUT: features})
        with torch.no_grad():
            counts = torch.full((clips,), frames)
            pooled = encoder.pooling(*encoder.network(torch.from_numpy(features), counts))
        assert distance(torch.from_numpy(found), encoder.project(pooled)) < 1e-4


def test_what_a_file_says_of_itself(path, encoder):
    facts = OnnxEncoder(path).facts
    assert (facts.encoder, facts.sample_rate, facts.embedding_size) == ("resnet", 16000, 10)
    assert facts.arguments == encoder.arguments() == OnnxEncoder(path).arguments()
    assert facts.weights_sha256 == weights_checksum(encoder)


def test_export_leaves_the_encoder_as_it_was(tmp_path):
    encoder = build_resnet().train()
    encoder.project.eval()
    before = weights_checksum(encoder)
    export_onnx(encoder, tmp_path / "a.onnx")
    assert weights_checksum(encoder) == before
    assert encoder.training
    assert encoder.network.training
    assert not encoder.project.training


# --- in the place of an encoder


def test_silence_is_heard_and_refused_as_by_torch(path, encoder):
    exported = OnnxEncoder(path)
    waves, lengths = make_batch([5000, 5000, 5000])
    waves[1] = 0.0
    assert exported.hears(waves, lengths).tolist() == [True, False, True]
    with pytest.raises(AudioError) as expected:
        encoder(waves, lengths)
    for mode in (True, False):  # in training torch keeps a silent clip; a graph is not trained
        with pytest.raises(AudioError, match="no speech at position 1") as found:
            exported.train(mode)(waves, lengths)
        assert str(found.value) == str(expected.value)


def test_bad_batches_are_refused_as_by_torch(path):
    exported = OnnxEncoder(path)
    with pytest.raises(AudioError, match="399 samples at position 0"):
        exported(torch.zeros(1, 800), torch.tensor([399]))
    with pytest.raises(ValueError, match="expected 1 to 800"):
        exported(torch.zeros(1, 800), torch.tensor([801]))


def test_extraction(path, encoder, tmp_path):
    lengths = [5000, 399, 9000, 5000, 4321]  # one too short
    waves, _ = make_batch(lengths)
    waves[3] = 0.0  # one silent
    rows = []
    for row, length in enumerate(lengths):
        soundfile.write(tmp_path / f"{row}.wav", waves[row, :length].numpy(), 16000)
        seconds = length / 16000
        rows.append(Utterance(str(row), f"{row}.wav", None, None, duration=seconds, speaker="s"))
    batches = UtteranceBatches(rows, tmp_path, {}, 16000, 30)
    found, expected = extract(OnnxEncoder(path), batches), extract(encoder, batches)
    assert found.ids == expected.ids == ["0", "2", "4"]
    assert found.skipped == expected.skipped
    np.testing.assert_allclose(found.embeddings, expected.embeddings, rtol=1e-3, atol=1e-4)


def test_what_classifiers_take_is_not_in_the_graph(path):
    with pytest.raises(ModelError, match="use the encoder in torch"):
        OnnxEncoder(path).class_features(torch.zeros(2, 10))


def test_threads(path):
    waves, lengths = make_batch()
    alone = OnnxEncoder(path, threads=1)
    expected = alone(waves, lengths)
    torch.testing.assert_close(OnnxEncoder(path, threads=2)(waves, lengths), expected)
    with ThreadPoolExecutor(4) as pool:  # one session, called from several threads at once
        for found in pool.map(lambda _: alone(waves, lengths), range(16)):
            assert torch.equal(found, expected)
    with pytest.raises(HparamError, match="threads is 0; expected at least 1"):
        OnnxEncoder(path, threads=0)


def test_the_weights_of_the_front_end_take_no_memory(path):
    exported = OnnxEncoder(path)
    assert sum(value.numel() for value in exported.parameters()) == 0


# --- files


def test_other_weights_are_refused(path, encoder):
    OnnxEncoder(path, weights_sha256=weights_checksum(encoder))
    other = build_resnet()
    with torch.no_grad():
        other.project.bias[3] += 1e-6
    with pytest.raises(ModelError, match="exported from weights with checksum") as raised:
        OnnxEncoder(path, weights_sha256=weights_checksum(other))
    assert weights_checksum(encoder) in str(raised.value)
    assert weights_checksum(other) in str(raised.value)


def test_checksum_knows_names_and_shapes():
    layers = [nn.Linear(2, 3), nn.Linear(3, 2), nn.Sequential(nn.Linear(2, 3))]
    for parameter in (parameter for layer in layers for parameter in layer.parameters()):
        parameter.data.zero_()
    assert len({weights_checksum(layer) for layer in layers}) == 3
    assert weights_checksum(layers[0]) == weights_checksum(layers[0].double().float())
    assert weights_checksum(layers[0]) != weights_checksum(layers[0].double())


def test_no_such_file(tmp_path):
    with pytest.raises(ModelError, match="no such file"):
        OnnxEncoder(tmp_path / "a.onnx")


@pytest.mark.parametrize("content", [b"", b"RIFF", b"\x08\x07"])
def test_no_onnx_file(tmp_path, content):
    (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"a\.onnx: "):
        OnnxEncoder(tmp_path / "a.onnx")


def rewrite(path, target, **changes):
    """A copy of an export whose facts say something else; {} says nothing."""
    model = onnx.load(path)
    facts = json.loads(model.metadata_props[0].value)
    facts = {key: value for key, value in {**facts, **changes}.items() if value is not ...}
    onnx.helper.set_model_props(model, {"emovec": json.dumps(facts)} if changes else {})
    onnx.save(model, target)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "says nothing of an encoder"),
        ({"sample_rate": ...}, "says nothing of an encoder"),
        ({"colour": "red"}, "says nothing of an encoder"),
        ({"encoder": "os.system"}, "'os.system' is unknown"),
        ({"encoder": "wavlm", "arguments": {"weights": "published"}}, "weights is 'published'"),
        ({"arguments": {"features": "../mfcc"}}, "leaves"),
        ({"arguments": {"embedding_size": 10**9}}, "bytes of"),
        ({"encoder": "mean_pooling", "arguments": {"width": 3}}, "expected an encoder"),
        ({"arguments": {"depth": 3}}, "depth"),
        ({"arguments": ["depth"]}, "says nothing of an encoder"),
    ],
)
def test_files_of_others(path, tmp_path, changes, message):
    rewrite(path, tmp_path / "a.onnx", **changes)
    with pytest.raises(ModelError, match=message):
        OnnxEncoder(tmp_path / "a.onnx")


class Unregistered(Encoder):
    """An encoder of a user's own."""


@pytest.mark.parametrize("module", [Unregistered(), MeanPooling(3)])
def test_what_cannot_be_exported(module, tmp_path):
    with pytest.raises(ModelError, match="cannot be exported"):
        export_onnx(module, tmp_path / "a.onnx")


def test_an_export_that_fails_leaves_the_old_file(path, encoder, tmp_path):
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(StorageError, match=r"folder\.onnx"):
        export_onnx(encoder, tmp_path / "folder.onnx")
    assert [child.name for child in tmp_path.iterdir()] == ["folder.onnx"]


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_without_the_extra(package, path, encoder, tmp_path, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "emovec.encoders.onnx_export.find_spec",
        lambda name: None if name == package else real(name),
    )
    action = {
        "onnx": lambda: export_onnx(encoder, tmp_path / "a.onnx"),
        "onnxruntime": lambda: OnnxEncoder(path),
    }[package]
    with pytest.raises(HparamError, match=rf'{package} is not installed; .*"emovec\[onnx\]"'):
        action()


def test_clips_side_by_side_take_a_core_each_and_one_alone_all(tmp_path, monkeypatch):
    monkeypatch.setattr("emovec.encoders.precision.cores", lambda: 2)
    opened, sessions = [], onnx_engine._open

    def noted(path, content, threads):
        opened.append(threads)
        return sessions(path, content, threads)

    monkeypatch.setattr(onnx_engine, "_open", noted)
    encoder = build_resnet()
    export_onnx(encoder, tmp_path / "encoder.onnx")
    before = torch.get_num_threads()
    exported = OnnxEncoder(tmp_path / "encoder.onnx")
    (tmp_path / "encoder.onnx").unlink()
    waves, _ = make_batch([64000, 64000, 64000])
    clips = list(waves.numpy())
    opened.clear()
    exported._sessions._open.clear()
    several = embed_clips(exported, clips)
    assert opened == [1]
    one = embed_clips(exported, clips[:1])
    assert opened == [1, 2] and torch.get_num_threads() == before
    embed_clips(exported, clips)
    assert opened == [1, 2]  # both are kept
    np.testing.assert_allclose(one[0], several[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(several, embed_clips(encoder, clips), rtol=1e-3, atol=1e-4)
