"""Features against torchaudio's port of Kaldi, clip by clip, and against NumPy."""

import numpy as np
import pytest
import torch
from torchaudio.compliance import kaldi

from emovec.audio.features import HIGHEST, LogMel, Mfcc, Spectrogram, cut_frames
from emovec.audio.padding import valid_mask
from emovec.errors import HparamError

FRONT_ENDS = [
    lambda rate: Mfcc(23, rate),
    lambda rate: LogMel(80, rate),
    lambda rate: Spectrogram(rate),
]
RATES = sorted(HIGHEST)


def speech_like(sample_rate, seconds, seed=0):
    """(1, T): gliding harmonics in noise, beside an offset, with a pause of digital silence."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(int(sample_rate * seconds)) / sample_rate
    phase = 2 * torch.pi * (120 * time + 40 * time.square())
    wave = sum(torch.sin(number * phase) / number for number in range(1, 9)) * 0.05
    wave = wave + 0.003 * torch.randn(len(time), generator=generator) + 0.01
    wave[len(wave) // 2 : len(wave) // 2 + sample_rate // 5] = 0.0
    return wave[None]


def ragged(window, seed=0):
    """Waves whose padding is NaN; one has no whole frame, one has just one."""
    lengths = torch.tensor([9000, window - 1, window, 5321, 10000])
    waves = 0.1 * torch.randn(5, 10000, generator=torch.Generator().manual_seed(seed))
    return waves.masked_fill(~valid_mask(lengths, 10000), torch.nan), lengths


def relative_error(found, expected):
    return ((found - expected).abs().max() / expected.abs().max()).item()


def check_as_kaldi(front_end, function, **options):
    rate = front_end.sample_rate
    waves = speech_like(rate, seconds=1.313)
    expected = function(
        waves * 32768,
        dither=0.0,
        sample_frequency=rate,
        low_freq=20.0,
        high_freq=HIGHEST[rate],
        num_mel_bins=front_end.bands,
        use_energy=False,
        **options,
    )
    frames, counts = front_end(waves, torch.tensor([waves.shape[1]]))
    assert frames.shape == (1, *expected.shape) and counts.tolist() == [len(expected)]
    assert (frames[0] - expected).abs().max() < 2e-3  # of natural logarithms from -16 to 25
    assert relative_error(frames[0], expected) < 2e-5


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("bands", [23, 40])
def test_mfcc_is_kaldis(rate, bands):
    check_as_kaldi(Mfcc(bands, rate), kaldi.mfcc, num_ceps=bands)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("bands", [23, 80])
def test_log_mel_is_kaldis(rate, bands):
    check_as_kaldi(LogMel(bands, rate), kaldi.fbank)


def test_mfcc_of_white_noise_at_full_scale_is_kaldis():
    waves = torch.rand(1, 16000, generator=torch.Generator().manual_seed(3)) * 2 - 1
    expected = kaldi.mfcc(waves * 32768, num_ceps=23, high_freq=7600.0)
    frames, _ = Mfcc()(waves, torch.tensor([16000]))
    assert (frames[0] - expected).abs().max() < 1e-3


@pytest.mark.parametrize("rate", RATES)
def test_spectrogram_by_hand(rate):
    wave = speech_like(rate, seconds=0.7)
    size, hop, fft = rate * 25 // 1000, rate // 100, {8000: 256, 16000: 512}[rate]
    samples = wave[0].numpy().astype(np.float64)
    expected = []
    for start in range(0, len(samples) - size + 1, hop):
        magnitudes = np.abs(np.fft.rfft(samples[start : start + size] * np.hamming(size), fft))
        expected.append((magnitudes - magnitudes.mean()) / (magnitudes.std() + 1e-5))
    frames, counts = Spectrogram(rate)(wave, torch.tensor([len(samples)]))
    assert frames.shape == (1, len(expected), fft // 2 + 1)
    assert counts.tolist() == [len(expected)]
    np.testing.assert_allclose(frames[0].numpy(), np.array(expected), rtol=0, atol=2e-4)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("make", FRONT_ENDS)
def test_padding_and_neighbours_change_nothing(make, rate):
    front_end = make(rate)
    waves, lengths = ragged(front_end.window)
    frames, counts = front_end(waves, lengths)
    assert frames.shape == (5, 1 + (10000 - front_end.window) // front_end.hop, front_end.bands)
    assert frames.dtype == torch.float32 and counts.dtype == torch.int64
    assert counts.tolist()[1:3] == [0, 1]
    for row, length in enumerate(lengths.tolist()):
        alone, count = front_end(waves[row : row + 1, :length], lengths[row : row + 1])
        assert count == counts[row]
        if count:
            assert alone.shape[1] == count
            assert relative_error(frames[row, :count], alone[0]) < 1e-5
        assert (frames[row, count:] == 0).all()


@pytest.mark.parametrize("make", FRONT_ENDS)
def test_batch_of_clips_without_a_frame(make):
    frames, counts = make(16000)(torch.ones(2, 399), torch.tensor([399, 1]))
    assert frames.shape[:2] == (2, 1) and not frames.any() and counts.tolist() == [0, 0]


@pytest.mark.parametrize("make", FRONT_ENDS)
def test_float32_under_autocast(make):
    front_end = make(16000)
    waves, lengths = ragged(400)
    expected, _ = front_end(waves, lengths)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        frames, _ = front_end(waves, lengths)
    assert frames.dtype == torch.float32 and torch.equal(frames, expected)


@pytest.mark.parametrize("make", FRONT_ENDS)
@pytest.mark.parametrize("level", [0.0, 0.25, 1.0])
def test_constant_waves_are_finite(make, level):
    frames, _ = make(16000)(torch.full((1, 4000), level), torch.tensor([4000]))
    assert frames.isfinite().all()


def test_silence_is_the_floor():
    frames, _ = LogMel()(torch.zeros(1, 4000), torch.tensor([4000]))
    assert frames.unique().tolist() == [pytest.approx(np.log(2.0**-23))]
    frames, _ = Spectrogram()(torch.zeros(1, 4000), torch.tensor([4000]))
    assert not frames.any()


@pytest.mark.parametrize("make", FRONT_ENDS)
def test_nothing_is_learned_or_saved(make):
    front_end = make(16000)
    assert not list(front_end.parameters()) and not front_end.state_dict()


@pytest.mark.parametrize("rate, window, hop", [(8000, 200, 80), (16000, 400, 160)])
def test_attributes(rate, window, hop):
    for make, bands in zip(FRONT_ENDS, (23, 80, 257 if rate == 16000 else 129), strict=True):
        front_end = make(rate)
        found = (front_end.sample_rate, front_end.window, front_end.hop, front_end.bands)
        assert found == (rate, window, hop, bands)


@pytest.mark.parametrize("make", FRONT_ENDS)
def test_other_sample_rate(make):
    with pytest.raises(HparamError, match=r"sample_rate is 44100; expected one of \[8000, 16000\]"):
        make(44100)


@pytest.mark.parametrize("bands", [-1, 0, 3, 200])
def test_impossible_bands(bands):
    with pytest.raises(HparamError, match=f"Mfcc: bands is {bands}; expected at least 4"):
        Mfcc(bands)


def test_frames_are_views():
    waves = torch.arange(10.0).reshape(2, 5)
    frames, counts = cut_frames(waves, torch.tensor([5, 4]), window=3, hop=2)
    assert frames.tolist() == [[[0, 1, 2], [2, 3, 4]], [[5, 6, 7], [7, 8, 0]]]
    assert counts.tolist() == [2, 1]
