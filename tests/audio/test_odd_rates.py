"""Resampling: sums written out, torchaudio where it can, memory, and rates that are refused."""

import math
import time
import tracemalloc

import numpy as np
import pytest
import soundfile
import torch
from torchaudio.functional import resample

from emovec.audio import resampling
from emovec.audio.loading import load
from emovec.audio.resampling import resampled
from emovec.audio.windows import Windows, load_windows
from emovec.errors import AudioError

USUAL = [4000, 8000, 11025, 12000, 22050, 24000, 32000, 44100, 48000, 88200, 96000, 176400, 192000]
ODD = [4001, 7999, 15999, 16001, 44056, 44101, 191999]


def noise(samples: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)


def written_out(wave: np.ndarray, rate: int, wanted: int, output: int) -> float:
    """One sample of the result, by the sum of the definition over all of the input."""
    cutoff = 0.99 * min(1.0, wanted / rate)
    phase = cutoff * (np.arange(len(wave)) - output * rate / wanted)
    filter_ = cutoff * np.sinc(phase) * np.cos(np.pi * phase / 12) ** 2 * (np.abs(phase) < 6)
    return float(wave.astype(np.float64) @ filter_)


@pytest.mark.parametrize("rate", [*ODD, 8000, 44100, 48000])
def test_samples_are_the_sum_of_the_definition(rate: int) -> None:
    wave = noise(rate // 4 + 1)
    found = resampled(wave, rate, 16000)
    assert found.dtype == np.float32
    assert len(found) == math.ceil(len(wave) * 16000 / rate)
    for output in (0, 1, 5, 1234, len(found) // 2, len(found) - 2, len(found) - 1):
        expected = written_out(wave, rate, 16000, output)
        assert found[output] == pytest.approx(expected, abs=3e-5)


@pytest.mark.parametrize("wanted", [8000, 16000])
@pytest.mark.parametrize("rate", USUAL)
def test_ours_are_torchaudio_s(rate: int, wanted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    wave = noise(rate // 4 + 3)
    theirs = resample(torch.from_numpy(wave), rate, wanted).numpy()
    assert np.array_equal(resampled(wave, rate, wanted), theirs)  # the usual rates take its way
    monkeypatch.setattr(resampling, "MOST_CONVOLVED", 0)
    ours = resampled(wave, rate, wanted)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=2e-5)  # torchaudio's filters are off by float32


def test_blocks_make_one_wave(monkeypatch: pytest.MonkeyPatch) -> None:
    wave = noise(20000)
    whole = resampled(wave, 44101, 16000)
    monkeypatch.setattr(resampling, "_AT_ONCE", 3000)
    assert np.array_equal(resampled(wave, 44101, 16000), whole)


@pytest.mark.parametrize("samples", [1, 2, 5])
def test_few_samples(samples: int) -> None:
    wave = noise(samples)
    found = resampled(wave, 44101, 16000)
    assert len(found) == math.ceil(samples * 16000 / 44101)
    assert found[0] == pytest.approx(written_out(wave, 44101, 16000, 0), abs=1e-6)


@pytest.mark.parametrize("rate", [44101, 191999])
def test_odd_rates_take_little_time_and_memory(rate: int) -> None:
    wave = noise(10 * rate)
    resampling._filters.cache_clear()
    tracemalloc.start()
    try:
        started = time.process_time()
        resampled(wave, rate, 16000)
        seconds, (_, peak) = time.process_time() - started, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 250e6  # by torchaudio's filters 5.6 GB at 44101 Hz
    assert seconds < 10


def test_windows_of_an_odd_rate_are_those_of_the_clip(tmp_path) -> None:
    soundfile.write(tmp_path / "a.wav", noise(3 * 44101), 44101)
    whole = load(tmp_path / "a.wav")
    found = load_windows(tmp_path / "a.wav", None, None, Windows(4000, 9000, 16000), 2, 3)
    expected = np.stack([whole[first : first + 4000] for first in (18000, 27000, 36000)])
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_rate_that_takes_too_much_is_refused(tmp_path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(100), 10_000_019)
    message = (
        r"a\.wav: 10000019 Hz to 16000 Hz takes 16000 filters of \d+ numbers; expected at most"
    )
    with pytest.raises(AudioError, match=message):
        load(tmp_path / "a.wav")
    soundfile.write(tmp_path / "b.wav", np.ones(10000), 10_000_000)  # has much in common
    assert len(load(tmp_path / "b.wav")) == 16
