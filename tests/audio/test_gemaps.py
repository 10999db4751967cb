"""Frames of the GeMAPS against openSMILE asked directly, clip by clip."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch

from emovec.audio import gemaps
from emovec.audio.gemaps import Gemaps
from emovec.encoders.resnet import ResNet
from emovec.errors import HparamError

RATE = 16000
needs_opensmile = pytest.mark.skipif(find_spec("opensmile") is None, reason="openSMILE is an extra")


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> gemaps._Kept:
    """Nothing is kept from other tests."""
    empty = gemaps._Kept()
    monkeypatch.setattr(gemaps, "_KEPT", empty)
    return empty


def voice(seconds: float, pitch: float = 150.0, rate: int = RATE) -> torch.Tensor:
    """A voice that gets louder and higher."""
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * (pitch * time + 20 * time**2)
    tone = sum(np.sin(n * phase) / n for n in range(1, 20))
    noise = np.random.default_rng(0).normal(size=len(time))
    return torch.from_numpy((0.1 * (0.2 + time) * tone + 0.001 * noise).astype(np.float32))


def batch(*clips: torch.Tensor, behind: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    lengths = torch.tensor([len(clip) for clip in clips])
    waves = torch.full((len(clips), int(lengths.max())), behind)
    for row, clip in zip(waves, clips, strict=True):
        row[: len(clip)] = clip
    return waves, lengths


@needs_opensmile
def test_frames_are_opensmile_s_standardised_the_last_repeated() -> None:
    import opensmile

    smile = opensmile.Smile(
        opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.LowLevelDescriptors
    )
    clip = voice(0.5)
    table = smile.process_signal(clip.numpy(), RATE)
    found, counts = Gemaps()(*batch(clip))
    assert (counts.tolist(), found.shape) == ([48], (1, 48, 25))  # (8000 - 400) // 160 + 1
    assert len(table) == 46 and list(found[0, 46]) == list(found[0, 45]) == list(found[0, 47])
    for column, name in enumerate(table.columns):
        values = [*table[name].astype(float), *[float(table[name].iloc[-1])] * 2]
        mean = sum(values) / 48
        deviation = (sum((value - mean) ** 2 for value in values) / 48) ** 0.5
        expected = [(value - mean) / (deviation + 1e-5) for value in values]
        np.testing.assert_allclose(found[0, :, column], expected, rtol=1e-3, atol=1e-3)


@needs_opensmile
def test_pitch_and_loudness_rise_with_the_voice() -> None:
    found, _ = Gemaps()(*batch(voice(1.0)))
    names = gemaps._smile().feature_names
    for name in ("Loudness_sma3", "F0semitoneFrom27.5Hz_sma3nz"):
        track = found[0, 10:80, names.index(name)]
        assert torch.corrcoef(torch.stack([track, torch.arange(70.0)]))[0, 1] > 0.9


@needs_opensmile
@pytest.mark.parametrize("rate", [8000, 16000])
def test_neighbours_and_padding_never_change_a_clip(kept: gemaps._Kept, rate: int) -> None:
    front_end = Gemaps(sample_rate=rate)
    clips = [voice(0.7, rate=rate), voice(0.3, 220, rate), voice(0.03, rate=rate)]
    together, counts = front_end(*batch(*clips, behind=9.0))
    assert counts.tolist() == [68, 28, 1]
    kept.__init__()
    for row, count, clip in zip(together, counts.tolist(), clips, strict=True):
        (alone,), _ = front_end(*batch(clip))
        assert torch.equal(row[:count], alone)
        assert not row[count:].any()
    assert torch.isfinite(together).all() and together[0].std() > 0.5


@needs_opensmile
@pytest.mark.parametrize("length", [0, 1, 399, 400, 560, 959, 960, 1000])
def test_the_shortest_clips(kept: gemaps._Kept, length: int) -> None:
    """One window of 25 ms is a frame; silence is added up to 60 ms, and warned of by nobody."""
    found, counts = Gemaps()(voice(0.1)[None, : max(length, 1)], torch.tensor([length]))
    count = max(0, (length - 400) // 160 + 1)
    assert counts.tolist() == [count] and found.shape == (1, max(1, count), 25)
    assert torch.isfinite(found).all() and (count or not found.any())


@needs_opensmile
def test_silence_is_finite(kept: gemaps._Kept) -> None:
    found, _ = Gemaps()(torch.zeros(1, RATE), torch.tensor([RATE]))
    assert torch.isfinite(found).all() and found.abs().max() < 10  # the filters' onset


@needs_opensmile
def test_a_clip_is_computed_once(kept: gemaps._Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    computed = []
    really = gemaps._descriptors

    def counting(wave: np.ndarray, rate: int) -> np.ndarray:
        computed.append(len(wave))
        return really(wave, rate)

    monkeypatch.setattr(gemaps, "_descriptors", counting)
    short, long = voice(0.2), voice(0.3)
    first, _ = Gemaps()(*batch(short, long))
    again, _ = Gemaps()(*batch(long, short))
    assert computed == [3200, 4800] and torch.equal(first, again.flip(0))
    first.zero_()  # what is kept is nobody else's to change
    assert torch.equal(Gemaps()(*batch(short, long))[0], again.flip(0))
    Gemaps(8000)(*batch(short))  # the same samples at another rate are another clip
    Gemaps()(*batch(short + 1e-4))
    assert computed == [3200, 4800, 3200, 3200]


@needs_opensmile
def test_what_was_not_asked_for_the_longest_goes(
    kept: gemaps._Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gemaps, "KEPT_BYTES", 24)
    arrays = {key: np.zeros(3, np.float32) for key in (b"a", b"b", b"c")}  # 12 bytes each
    kept.put(b"a", arrays[b"a"])
    kept.put(b"b", arrays[b"b"])
    assert kept.get(b"a") is arrays[b"a"]
    kept.put(b"c", arrays[b"c"])
    assert kept.get(b"b") is None
    assert kept.get(b"a") is not None and kept.get(b"c") is not None
    kept.put(b"d", np.zeros(9, np.float32))  # more than all there may be
    assert [kept.get(key) for key in (b"a", b"c", b"d")] == [None] * 3


@needs_opensmile
def test_the_network_learns_from_them() -> None:
    torch.manual_seed(0)
    encoder = ResNet(features="gemaps", channels=(4, 6), blocks=(1, 1), embedding_size=5)
    assert encoder.features.bands == 25 and encoder.arguments()["bands"] is None
    waves, lengths = batch(voice(0.7), voice(0.3, 220))
    encoder.train()(waves, lengths).sum().backward()
    assert all(weight.grad is not None for weight in encoder.network.parameters())
    encoder.eval()
    together = encoder(waves, lengths)
    alone = encoder(waves[1:, : lengths[1]], lengths[1:])
    torch.testing.assert_close(together[1:], alone, rtol=1e-4, atol=1e-5)


@needs_opensmile
def test_another_number_of_bands_is_refused() -> None:
    with pytest.raises(HparamError, match="bands is 88; expected 25"):
        ResNet(features="gemaps", bands=88)


def test_without_opensmile_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gemaps, "find_spec", lambda _name: None)
    with pytest.raises(HparamError, match=r"pip install .emovec\[opensmile\]"):
        ResNet(features="gemaps")


def test_another_sample_rate_is_refused() -> None:
    with pytest.raises(HparamError, match="Gemaps: sample_rate is 44100"):
        Gemaps(44100)
