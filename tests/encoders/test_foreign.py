import subprocess
import sys
from copy import deepcopy

import huggingface_hub
import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import save_file
from speechbrain.inference.classifiers import EncoderClassifier
from speechbrain.lobes.features import Fbank
from speechbrain.nnet.pooling import StatisticsPooling
from speechbrain.processing.features import InputNormalization
from torch import nn

from emovec.encoders import store
from emovec.encoders.foreign import (
    CHECKPOINT,
    MODELS,
    MeanAndDeviation,
    SpeechBrainEncoder,
    repeat_clips,
)
from emovec.errors import AudioError, HparamError, ModelError

NAMES = list(MODELS)
LENGTHS = [6000, 4000, 6000, 4937]  # two alike, one of no whole number of frames

# megabytes of embedding_model.ckpt as the hub lists them, width of an embedding
FILES = {"ecapa": (83.3, 192), "resnet": (62.0, 256), "xvector": (16.9, 512)}


def make_batch(lengths, seed=0):
    """Noise of speech-like level that comes and goes, with NaN for padding."""
    generator = torch.Generator().manual_seed(seed)
    waves = torch.full((len(lengths), max(lengths)), torch.nan)
    for row, length in enumerate(lengths):
        loudness = torch.sin(torch.arange(length) / (400 + 100 * row)).square()
        waves[row, :length] = 0.1 * loudness * torch.randn(length, generator=generator)
    return waves, torch.tensor(lengths)


@pytest.fixture(scope="module", params=NAMES)
def encoder(request):
    """Random weights, and moments of batch norm that fit the input."""
    torch.manual_seed(1)
    encoder = SpeechBrainEncoder(request.param)
    with torch.no_grad():
        for seed in range(12):
            encoder(*make_batch(LENGTHS[:3], seed))
    return encoder.eval()


def name_of(encoder):
    return encoder.arguments()["model"]


def encode(encoder, waves, lengths):
    with torch.no_grad():
        return encoder(waves, lengths)


def encode_alone(encoder, waves, lengths):
    pairs = zip(waves, lengths, strict=True)
    return torch.cat([encode(encoder, wave[None, :n], n[None]) for wave, n in pairs])


def published_pipeline(encoder):
    """SpeechBrain's own inference around our weights, its noise in the pooling included."""
    bands = {"ecapa": 80, "resnet": 80, "xvector": 24}[name_of(encoder)]
    network = deepcopy(encoder.network)  # SpeechBrain freezes what it is given
    if name_of(encoder) == "xvector":
        network.blocks[-2] = StatisticsPooling()
    modules = {
        "compute_features": Fbank(n_mels=bands),
        "mean_var_norm": InputNormalization(norm_type="sentence", std_norm=False),
        "embedding_model": network,
        "classifier": nn.Identity(),
    }
    return EncoderClassifier(modules=modules, hparams={"sample_rate": 16000})


def test_files_have_the_size_of_the_published_ones(encoder, tmp_path):
    megabytes, width = FILES[name_of(encoder)]
    path = tmp_path / CHECKPOINT
    torch.save(encoder.network.state_dict(), path)
    assert path.stat().st_size / 1e6 == pytest.approx(megabytes, abs=0.06)
    assert encoder.embedding_size == width
    assert all(name.startswith("network.") for name in encoder.state_dict())


def test_embeddings_are_those_of_speechbrain(encoder):
    waves, lengths = make_batch([8000, 8000])
    with torch.no_grad():
        expected = published_pipeline(encoder).encode_batch(waves).reshape(2, -1)
    torch.testing.assert_close(encode(encoder, waves, lengths), expected, rtol=0, atol=2e-3)


def test_neighbours_order_and_padding_change_nothing(encoder):
    waves, lengths = make_batch(LENGTHS)
    alone = encode_alone(encoder, waves, lengths)
    together = encode(encoder, waves, lengths)
    assert together.shape == (4, encoder.embedding_size)
    scale = alone.norm(dim=1)
    assert ((together - alone).norm(dim=1) < 1e-4 * scale).all()
    order = torch.tensor([3, 1, 0, 2])
    shuffled = encode(encoder, waves[order], lengths[order])
    assert ((shuffled - alone[order]).norm(dim=1) < 1e-4 * scale[order]).all()
    longer = nn.functional.pad(waves[:1], (0, 3000), value=torch.nan)
    torch.testing.assert_close(encode(encoder, longer, lengths[:1]), alone[:1])
    assert (torch.cdist(alone, alone).fill_diagonal_(1) > 1e-2).all()  # clips do differ


def test_speechbrain_itself_takes_padding_for_speech(encoder):
    # Why clips of different lengths must not go through together; if this fails, they may.
    waves, lengths = make_batch([8000, 5000])
    with torch.no_grad():
        padded = published_pipeline(encoder).encode_batch(waves.nan_to_num(), lengths / 8000)
    alone = encode_alone(encoder, waves, lengths)
    error = (padded.reshape(2, -1) - alone).norm(dim=1) / alone.norm(dim=1)
    assert error[0] < 2e-3
    assert error[1] > 5e-3


def test_evaluation_has_no_noise(encoder):
    batch = make_batch(LENGTHS)
    assert torch.equal(encode(encoder, *batch), encode(encoder, *batch))


def test_shortest_clip(encoder):
    waves, lengths = make_batch([encoder.shortest])
    assert encode(encoder, waves, lengths).isfinite().all()
    with pytest.raises(AudioError, match=f"expected at least {encoder.shortest}"):
        encoder(waves, lengths - 1)


def test_silence_is_finite(encoder):
    assert encode(encoder, torch.zeros(1, 8000), torch.tensor([8000])).isfinite().all()


def test_frames(encoder):
    waves, lengths = make_batch(LENGTHS)
    with torch.no_grad():
        frames, counts = encoder.frames(waves, lengths)
    steps = {"ecapa": 1, "resnet": 8, "xvector": 1}[name_of(encoder)]
    assert counts.tolist() == [-(-(length // 160 + 1) // steps) for length in LENGTHS]
    assert frames.shape == (4, max(counts), encoder.frame_size)
    for row, length in enumerate(LENGTHS):
        with torch.no_grad():
            alone, count = encoder.frames(waves[row : row + 1, :length], lengths[row : row + 1])
        assert count.tolist() == [alone.shape[1]] == [counts[row]]
        torch.testing.assert_close(frames[row, : counts[row]], alone[0], rtol=1e-4, atol=1e-4)
        assert not frames[row, counts[row] :].any()


def embed_frames(encoder, frames):
    """What follows the frames (B, F, D), written out."""
    network, name = encoder.network, name_of(encoder)
    if name == "ecapa":
        return network.fc(network.asp_bn(network.asp(frames.transpose(1, 2))))[..., 0]
    if name == "xvector":
        statistics = torch.cat([frames.mean(dim=1), frames.std(dim=1)], dim=1)
        return network.blocks[-1](statistics[:, None])[:, 0]
    weights = network.attention(frames.transpose(1, 2)).transpose(1, 2)
    mean = (weights * frames).sum(dim=1)
    variance = (weights * (frames - mean[:, None]).square()).sum(dim=1)
    statistics = torch.cat([mean, variance.clamp_min(1e-5).sqrt()], dim=1)
    return network.norm_embed(network.fc_embed(network.norm_stats(statistics)))


def test_frames_are_what_is_pooled(encoder):
    waves, lengths = make_batch([5000])
    with torch.no_grad():
        embeddings = embed_frames(encoder, encoder.frames(waves, lengths)[0])
    expected = encode(encoder, waves, lengths)
    torch.testing.assert_close(embeddings, expected, rtol=1e-3, atol=1e-3)


def test_training_repeats_short_clips_and_reaches_every_weight(encoder):
    waves, lengths = make_batch([4800, 3000])
    by_hand = torch.stack([waves[0], torch.cat([waves[1, :3000], waves[1, :1800]])])
    state = {name: value.clone() for name, value in encoder.state_dict().items()}
    encoder.train()
    try:
        embeddings = encoder(waves, lengths)
        torch.testing.assert_close(embeddings, encoder(by_hand, torch.tensor([4800, 4800])))
        (embeddings * torch.randn_like(embeddings)).sum().backward()
        assert all(value.grad.isfinite().all() for value in encoder.parameters())
        frames, counts = encoder.frames(waves, lengths)
        assert not frames[1, counts[1] :].any()
        assert frames.shape[1] == counts[0]
    finally:
        encoder.load_state_dict(state)
        encoder.zero_grad()
        encoder.eval()


def test_repeated_clips():
    waves = torch.tensor([[1, 9, 9, 9, 9], [1, 2, 3, 9, 9], [1, 2, 3, 4, 9]])
    expected = [[1, 1, 1, 1], [1, 2, 3, 1], [1, 2, 3, 4]]
    assert repeat_clips(waves, torch.tensor([1, 3, 4])).tolist() == expected


def test_statistics_against_speechbrain():
    frames = torch.randn(3, 7, 5)
    expected = StatisticsPooling()(frames)  # means carry 1e-5 to 9e-5 of noise
    torch.testing.assert_close(MeanAndDeviation()(frames), expected, rtol=0, atol=1e-4)


def test_statistics_of_a_constant_have_a_gradient():
    frames = torch.ones(1, 4, 2, requires_grad=True)
    statistics = MeanAndDeviation()(frames)
    statistics.sum().backward()
    torch.testing.assert_close(statistics, torch.tensor([[[1.0, 1.0, 1.1e-5, 1.1e-5]]]))
    assert frames.grad.isfinite().all()


# --- weights


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """By model, a folder such as SpeechBrain publishes, with random weights."""
    folder = tmp_path_factory.mktemp("published")
    for name in NAMES:
        (folder / name).mkdir()
        torch.save(SpeechBrainEncoder(name).network.state_dict(), folder / name / CHECKPOINT)
    return folder


def holds(encoder, path):
    found, state = encoder.network.state_dict(), torch.load(path, weights_only=True)
    return all(torch.equal(found[name], value) for name, value in state.items())


@pytest.mark.parametrize("name", NAMES)
def test_checkpoint_in_a_folder(checkpoints, name):
    path = checkpoints / name / CHECKPOINT
    assert holds(SpeechBrainEncoder(name, weights=str(checkpoints / name)), path)


def test_checkpoint_as_a_file(checkpoints, tmp_path):
    path = checkpoints / "xvector" / CHECKPOINT
    assert holds(SpeechBrainEncoder("xvector", weights=str(path)), path)
    save_file(torch.load(path, weights_only=True), tmp_path / "model.safetensors")
    converted = SpeechBrainEncoder("xvector", weights=str(tmp_path / "model.safetensors"))
    assert holds(converted, path)


def test_published_weights_come_from_the_hub(checkpoints, monkeypatch):
    asked = []

    def download(repository, name, revision):
        asked.append((repository, name, revision))
        return str(checkpoints / "xvector" / name)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    encoder = SpeechBrainEncoder("xvector", weights="published")
    assert holds(encoder, checkpoints / "xvector" / CHECKPOINT)
    ((repository, name, revision),) = asked
    assert repository == "speechbrain/spkrec-xvect-voxceleb"
    assert name == "embedding_model.ckpt"
    assert len(revision) == 40  # a commit, which cannot move
    assert int(revision, 16)


@pytest.mark.parametrize(
    "error", [LocalEntryNotFoundError("no connection"), OSError("disk full"), RuntimeError("reset")]
)
def test_offline(monkeypatch, error):
    def download(*arguments, **options):
        raise error

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    with pytest.raises(ModelError, match=str(error)) as raised:
        SpeechBrainEncoder("xvector", weights="published")
    assert "speechbrain/spkrec-xvect-voxceleb/resolve/" in str(raised.value)
    assert "set the hparam `weights`" in str(raised.value)


def test_weights_of_another_architecture(checkpoints):
    with pytest.raises(ModelError, match="not those of this Xvector"):
        SpeechBrainEncoder("xvector", weights=str(checkpoints / "ecapa"))


def test_weights_of_another_size(checkpoints, tmp_path):
    state = torch.load(checkpoints / "xvector" / CHECKPOINT, weights_only=True)
    state["blocks.0.conv.weight"] = torch.zeros(512, 40, 5)  # 40 bands
    torch.save(state, tmp_path / "forty.ckpt")
    with pytest.raises(ModelError, match=r"blocks\.0\.conv\.weight.*40, 5"):
        SpeechBrainEncoder("xvector", weights=str(tmp_path / "forty.ckpt"))


def test_folder_without_a_checkpoint(tmp_path):
    with pytest.raises(ModelError, match=r"embedding_model\.ckpt: no such file"):
        SpeechBrainEncoder("xvector", weights=str(tmp_path))


def test_objects_in_a_checkpoint_are_not_built(tmp_path):
    torch.save(nn.Linear(1, 1), tmp_path / CHECKPOINT)
    with pytest.raises(ModelError, match="not a weights file"):
        SpeechBrainEncoder("xvector", weights=str(tmp_path))


def test_unknown_model():
    with pytest.raises(HparamError, match=r"'xvect'; expected one of .*'xvector'"):
        SpeechBrainEncoder("xvect")


def test_model_folder_keeps_the_weights(checkpoints, tmp_path, monkeypatch):
    target = "emovec.encoders.foreign:SpeechBrainEncoder"
    if target not in store.REGISTRY.values():
        monkeypatch.setitem(store.REGISTRY, "speechbrain", target)
    encoder = SpeechBrainEncoder("xvector", weights=str(checkpoints / "xvector")).eval()
    assert encoder.arguments() == {"model": "xvector", "weights": None}
    store.save_model(tmp_path / "model", encoder, "card")
    again = store.load_model(tmp_path / "model")
    batch = make_batch(LENGTHS)
    assert torch.equal(encode(again, *batch), encode(encoder, *batch))


def test_speechbrain_is_imported_when_needed():
    code = "import sys, emovec.encoders.foreign; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "emovec.encoders.foreign" in run.stdout
    assert not {"speechbrain", "huggingface_hub"} & set(run.stdout.split())
