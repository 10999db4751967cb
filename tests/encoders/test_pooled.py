"""An encoder with pooling and embedding behind it: what goes in, what is left out, and folders."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from emovec.encoders.deeptalk import DeepTalk
from emovec.encoders.pooled import PooledEncoder
from emovec.encoders.pooling import AttentiveStatisticsPooling, MeanPooling, StylePooling
from emovec.encoders.resnet import ResNet
from emovec.encoders.speaker_pooling import StatisticsPooling
from emovec.encoders.store import load_model, save_model
from emovec.encoders.wavlm import WavLM
from emovec.errors import AudioError, HparamError, ModelError

RATE = 16000
LENGTHS = torch.tensor([16000, 9000, 20000, 4321])


def make(activity: bool = True) -> PooledEncoder:
    torch.manual_seed(0)
    encoder = WavLM("tiny", layers="weighted")
    pooling = AttentiveStatisticsPooling(encoder.frame_size)
    return PooledEncoder(encoder, pooling, embedding_size=12, activity=activity).eval()


@pytest.fixture(scope="module")
def encoder() -> PooledEncoder:
    return make()


@pytest.fixture(scope="module")
def waves() -> Tensor:
    """Noise with 0.5 s of digital silence within the longer clips, and NaN behind their ends."""
    waves = 0.1 * torch.randn(4, 20000, generator=torch.Generator().manual_seed(1))
    waves[[0, 2], 6000:14000] = 0.0
    return waves.where(torch.arange(20000) < LENGTHS[:, None], torch.nan)


def alone(encoder: PooledEncoder, wave: Tensor) -> Tensor:
    with torch.no_grad():
        return encoder(wave[None], torch.tensor([len(wave)]))[0]


def noise(samples: int, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(samples, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("activity", [True, False])
def test_neighbours_do_not_matter(activity: bool, waves: Tensor) -> None:
    encoder = make(activity)
    with torch.no_grad():
        found = encoder(waves, LENGTHS)
    assert found.shape == (4, encoder.embedding_size) and torch.pdist(found).min() > 0.01
    for row, length in enumerate(LENGTHS.tolist()):
        torch.testing.assert_close(
            found[row], alone(encoder, waves[row, :length]), rtol=1e-4, atol=1e-4
        )


def test_the_encoder_gets_speech_of_mean_0_and_variance_1(
    encoder: PooledEncoder, waves: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 0.5 s of silence 0.3 s go, but for frames near its ends, which count as speech."""
    seen = {}

    def record(waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        seen.update(waves=waves, lengths=lengths)
        return torch.ones(len(waves), 1, encoder.frame_size), torch.ones_like(lengths)

    monkeypatch.setattr(encoder.encoder, "frames", record)
    encoder(waves, LENGTHS)
    kept = seen["lengths"]
    assert kept[[1, 3]].tolist() == [9000, 4321]
    cut = LENGTHS - kept
    assert cut[0] == cut[2] and 0.2 * RATE <= cut[0] <= 0.3 * RATE
    for wave, length in zip(seen["waves"].double().numpy(), kept.tolist(), strict=True):
        assert np.mean(wave[:length]) == pytest.approx(0, abs=1e-4)
        assert np.var(wave[:length]) == pytest.approx(1, abs=1e-3)
        assert not wave[length:].any()


def test_level_and_offset_do_not_matter(encoder: PooledEncoder) -> None:
    expected = alone(encoder, noise(16000))
    for changed in (1e-3 * noise(16000), 5 * noise(16000), noise(16000) + 0.3):
        torch.testing.assert_close(alone(encoder, changed), expected, rtol=1e-3, atol=1e-3)


def test_how_long_silence_is_does_not_matter(encoder: PooledEncoder) -> None:
    def with_pauses(samples: int) -> Tensor:
        pause = torch.zeros(samples)
        return torch.cat([pause, noise(8000), pause, noise(8000, 1), pause])

    expected = alone(encoder, with_pauses(8000))
    torch.testing.assert_close(alone(encoder, with_pauses(24000)), expected, rtol=1e-4, atol=1e-4)
    whole = make(activity=False)
    difference = alone(whole, with_pauses(24000)) - alone(whole, with_pauses(8000))
    assert difference.norm() > 0.05  # the oracle can tell


def test_silence_is_refused_but_in_training(encoder: PooledEncoder) -> None:
    waves = torch.stack([noise(8000), torch.zeros(8000), torch.full((8000,), 0.5)])
    lengths = torch.full((3,), 8000)
    assert encoder.needs_speech
    assert encoder.hears(waves, lengths).tolist() == [True, False, False]
    with pytest.raises(AudioError, match="no speech at position 1, 2 of the batch"):
        encoder(waves, lengths)
    training = make().train()
    assert torch.isfinite(training(waves, lengths)).all()
    keeping = make(activity=False)
    assert not keeping.needs_speech and keeping.hears(waves, lengths).all()
    assert torch.isfinite(keeping(waves, lengths)).all()


def test_what_is_left_may_be_too_short_for_the_encoder() -> None:
    """A click: 100 ms on either side of the frames that hold it, less than a window of 0.5 s."""
    encoder = make()
    encoder.encoder.shortest = encoder.shortest = RATE // 2
    waves = torch.stack([noise(RATE), torch.zeros(RATE)])
    waves[1, 8000] = 1.0
    lengths = torch.full((2,), RATE)
    assert encoder.hears(waves, lengths).tolist() == [True, False]


def test_an_encoder_within_may_look_for_speech_itself() -> None:
    inner = ResNet(channels=(2, 2), blocks=(1, 1), embedding_size=4)
    encoder = PooledEncoder(inner, MeanPooling(2), 3, activity=False).eval()
    waves, lengths = torch.stack([noise(8000), torch.zeros(8000)]), torch.full((2,), 8000)
    assert encoder.needs_speech
    assert encoder.hears(waves, lengths).tolist() == [True, False]


def test_short_clips_are_refused(encoder: PooledEncoder) -> None:
    assert encoder.shortest == encoder.encoder.shortest
    with pytest.raises(AudioError, match=f"PooledEncoder: {encoder.shortest - 1} samples"):
        encoder(torch.zeros(1, encoder.shortest), torch.tensor([encoder.shortest - 1]))


def test_gradients_reach_all_parts(waves: Tensor) -> None:
    encoder = make().train()
    encoder.encoder.layer_drop = 0.0
    encoder(waves, LENGTHS).square().sum().backward()
    without = [name for name, p in encoder.named_parameters() if p.grad is None]
    assert without == []


@pytest.mark.parametrize("pooling", [AttentiveStatisticsPooling, MeanPooling, StylePooling])
def test_a_folder_has_it_all(pooling: type, tmp_path: Path, waves: Tensor) -> None:
    inner = ResNet(channels=(4, 6), blocks=(1, 1), embedding_size=5)
    encoder = PooledEncoder(inner, pooling(6), embedding_size=7, activity=False).eval()
    save_model(tmp_path / "model", encoder, "card")
    found = load_model(tmp_path / "model")
    assert type(found) is PooledEncoder and type(found.pooling) is pooling
    assert (found.embedding_size, found.activity, found.sample_rate) == (7, False, RATE)
    with torch.no_grad():
        assert torch.equal(found(waves, LENGTHS), encoder(waves, LENGTHS))


def test_an_embedding_has_a_size() -> None:
    with pytest.raises(HparamError, match="embedding_size is 0; expected at least 1"):
        PooledEncoder(WavLM("tiny"), MeanPooling(128), embedding_size=0)


def test_what_is_pooled_is_the_embedding(tmp_path: Path, waves: Tensor) -> None:
    encoder = PooledEncoder(WavLM("tiny", layers="all"), StatisticsPooling(256), None).eval()
    assert encoder.embedding_size == 512
    with torch.no_grad():
        pooled = encoder.pooling(*encoder.frames(waves, LENGTHS))
        expected = (pooled - pooled.mean(1, True)) / pooled.std(1, correction=0, keepdim=True)
        torch.testing.assert_close(encoder(waves, LENGTHS), expected, rtol=1e-3, atol=1e-3)
        save_model(tmp_path / "model", encoder, "card")
        assert torch.equal(load_model(tmp_path / "model")(waves, LENGTHS), encoder(waves, LENGTHS))


def test_frames_that_no_graph_has() -> None:
    encoder = PooledEncoder(DeepTalk(embedding_size=32), MeanPooling(40)).eval()
    with pytest.raises(ModelError, match="DeepTalk: its frames cannot be exported"):
        encoder.embed_features(torch.zeros(1, 9, 160))
