"""Functionals of waves whose pitch, level, slope and rhythm are known by construction."""

import importlib.machinery
import subprocess
import sys
import types

import numpy as np
import pytest

from emovec.audio import functionals as module
from emovec.audio.functionals import (
    NAMES,
    Extractor,
    extractor,
    functionals,
    functionals_table,
    pitch_track,
)

RATE = 16000


def pulses(pitch: np.ndarray | float, seconds: float = 1.0) -> np.ndarray:
    """A band-limited pulse train: all harmonics below 4 kHz, 6 dB an octave down."""
    count = round(seconds * RATE)
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(pitch, count)) / RATE
    highest = int(4000 / np.max(pitch))
    return 0.2 * sum(np.sin(number * phase) / number for number in range(1, highest + 1))


def values(wave: np.ndarray) -> dict[str, float]:
    return dict(zip(NAMES, functionals(wave, RATE).tolist(), strict=True))


def test_names_are_about_a_hundred_and_unique():
    assert len(NAMES) == len(set(NAMES)) == 100
    assert functionals(pulses(100), RATE).dtype == np.float32


@pytest.mark.parametrize("pitch", [70, 95, 120, 155, 200, 260, 330, 420, 480])
def test_pitch_of_pulses(pitch):
    track = pitch_track(pulses(pitch), RATE)
    voiced = track[track > 0]
    assert len(voiced) > 0.9 * len(track)
    np.testing.assert_allclose(voiced, pitch, rtol=0.02)


@pytest.mark.parametrize("pitch", [90, 180, 350])
def test_pitch_in_noise(pitch):
    wave = pulses(pitch)
    noise = np.random.default_rng(0).standard_normal(len(wave)) * wave.std() * 0.3
    track = pitch_track(wave + noise, RATE)
    good = np.abs(track / pitch - 1) < 0.02
    assert good.mean() > 0.9


def test_missing_fundamental_is_heard():
    time = np.arange(RATE) / RATE
    wave = sum(np.sin(2 * np.pi * 150 * number * time) for number in (3, 4, 5, 6))
    assert np.median(pitch_track(0.1 * wave, RATE)) == pytest.approx(150, rel=0.01)


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
def test_pitch_at_other_rates(rate):
    time = np.arange(rate) / rate
    wave = 0.2 * sum(np.sin(2 * np.pi * 130 * n * time) / n for n in range(1, 20))
    assert np.median(pitch_track(wave, rate)) == pytest.approx(130, rel=0.02)


def test_noise_and_silence_have_no_pitch():
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE)
    assert (pitch_track(noise, RATE) > 0).mean() < 0.05
    assert not pitch_track(np.zeros(RATE), RATE).any()


def test_pitch_statistics_of_a_glide():
    seconds = 2.0
    glide = 120 * 2 ** (np.linspace(0, 12, round(seconds * RATE)) / 12)  # 12 semitones in 2 s
    found = values(pulses(glide, seconds))
    start = 12 * np.log2(120 / 27.5)
    assert found["pitch/mean"] == pytest.approx(start + 6, abs=0.2)
    assert found["pitch/p50"] == pytest.approx(start + 6, abs=0.2)
    assert found["pitch/range"] == pytest.approx(0.6 * 12, abs=0.3)
    assert found["pitch/rise"] == pytest.approx(6, abs=1)
    assert found["pitch/deviation"] == pytest.approx(12 / np.sqrt(12), abs=0.2)


def test_an_octave_up_is_twelve_semitones():
    low, high = values(pulses(110)), values(pulses(220))
    assert high["pitch/mean"] - low["pitch/mean"] == pytest.approx(12, abs=0.1)


def test_twice_the_amplitude_is_six_decibels():
    wave = pulses(140) + 0.01 * np.random.default_rng(0).standard_normal(RATE)
    once, twice = values(wave), values(2 * wave)
    for statistic in ("mean", "p20", "p50", "p80"):
        change = twice[f"loudness/{statistic}"] - once[f"loudness/{statistic}"]
        assert change == pytest.approx(20 * np.log10(2), abs=1e-3)
    # and nothing else of its shape changes
    for name in ("pitch/mean", "tilt/mean", "centroid/mean", "flux/mean", "mfcc3/mean"):
        assert twice[name] == pytest.approx(once[name], abs=2e-3)


def test_loudness_of_a_full_scale_sine():
    sine = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)
    assert values(sine)["loudness/p50"] == pytest.approx(10 * np.log10(0.5), abs=0.05)


@pytest.mark.parametrize("slope", [0.0, -6.0, -12.0])
def test_tilt_of_shaped_noise(slope):
    noise = np.fft.rfft(np.random.default_rng(0).standard_normal(4 * RATE))
    frequencies = np.fft.rfftfreq(4 * RATE, 1 / RATE)
    noise *= 10 ** (slope * np.log2(np.maximum(frequencies, 20) / 1000) / 20)
    wave = np.fft.irfft(noise)
    wave *= 0.1 / wave.std()
    assert values(wave)["tilt/mean"] == pytest.approx(slope, abs=0.5)


def test_centroid_of_a_sine():
    sine = 0.3 * np.sin(2 * np.pi * 2000 * np.arange(RATE) / RATE)
    assert 2 ** values(sine)["centroid/mean"] == pytest.approx(2000, rel=0.01)


def test_flux_is_least_for_what_stays():
    chord = sum(pulses(pitch) for pitch in (110, 150))
    changing = pulses(100 + 80 * np.sign(np.sin(2 * np.pi * 8 * np.arange(RATE) / RATE)))
    steady = values(pulses(160))["flux/mean"]  # whole cycles a hop: frames are alike
    assert steady < 0.01
    assert steady < values(chord)["flux/mean"] < values(changing)["flux/mean"] < 1


def test_cepstra_against_a_direct_transform():
    wave = pulses(120, 0.04)
    windowed = wave * np.hanning(len(wave) + 2)[1:-1]
    power = np.abs(np.fft.rfft(windowed, 1024) / np.hanning(642).sum()) ** 2 + 1e-12
    mel = np.linspace(2595 * np.log10(1 + 20 / 700), 2595 * np.log10(1 + 8000 / 700), 28)
    edges = 700 * (10 ** (mel / 2595) - 1)
    frequencies = np.arange(513) * RATE / 1024
    bands = []
    for low, centre, high in zip(edges, edges[1:], edges[2:], strict=False):
        bands.append(power @ np.interp(frequencies, [low, centre, high], [0, 1, 0]))
    logs = np.log(np.array(bands) + 1e-12)
    found = values(wave)
    for order in (1, 5, 13):
        basis = np.cos(np.pi * order * (np.arange(26) + 0.5) / 26)
        expected = np.sqrt(2 / 26) * (logs @ basis)
        assert found[f"mfcc{order}/mean"] == pytest.approx(expected, abs=0.02)
        assert found[f"mfcc{order}/deviation"] == 0


def test_rhythm_of_bursts():
    burst, gap = pulses(150, 0.3), np.zeros(round(0.2 * RATE))
    found = values(np.concatenate([burst, gap, burst, gap, burst, gap, burst]))  # 1.8 s
    assert found["pause/per_second"] == pytest.approx(3 / 1.8, rel=0.05)
    assert found["pause/mean_seconds"] == pytest.approx(0.2, abs=0.04)
    assert found["pause/rate"] == pytest.approx(0.6 / 1.8, abs=0.07)
    assert found["voicing/stretches_per_second"] == pytest.approx(4 / 1.8, rel=0.05)
    assert found["voicing/mean_seconds"] == pytest.approx(0.3, abs=0.05)
    assert found["loudness/peaks_per_second"] == pytest.approx(4 / 1.8, rel=0.3)


@pytest.mark.parametrize("length", [1, 100, 400, 641, 16000])
@pytest.mark.parametrize("kind", ["silence", "noise", "constant", "click", "clipped"])
def test_always_finite(kind, length):
    generator = np.random.default_rng(0)
    wave = {
        "silence": np.zeros(length),
        "noise": generator.standard_normal(length),
        "constant": np.ones(length),
        "click": np.eye(1, length, length // 2)[0],
        "clipped": np.sign(generator.standard_normal(length)),
    }[kind]
    found = functionals(wave.astype(np.float32), RATE)
    assert found.shape == (100,) and np.isfinite(found).all()


def test_what_silence_lacks_is_zero():
    found = values(np.zeros(RATE))
    for name in ("pitch/mean", "pitch/rise", "voicing/rate", "pause/rate", "flux/mean"):
        assert found[name] == 0
    assert found["loudness/mean"] == pytest.approx(-100, abs=0.01)


@pytest.mark.parametrize("shape", [(0,), (100, 2)])
def test_wrong_shapes(shape):
    with pytest.raises(ValueError, match=r"expected \(T,\) with T >= 1"):
        functionals(np.zeros(shape), RATE)


def test_table_keeps_order_whatever_the_workers():
    waves = [pulses(pitch, 0.3) for pitch in (100, 150, 200, 250, 300)]
    clips = [lambda wave=wave: wave for wave in waves]
    chosen = Extractor("functionals", NAMES, functionals)
    one, two = (
        functionals_table(clips, RATE, chosen, workers=workers, progress=False)
        for workers in (1, 2)
    )
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one[3], functionals(waves[3], RATE))
    assert (np.diff(one[:, NAMES.index("pitch/mean")]) > 0).all()


def test_table_of_nothing():
    chosen = Extractor("functionals", NAMES, functionals)
    assert functionals_table([], RATE, chosen, progress=False).shape == (0, 100)


def test_extractor_without_opensmile(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert extractor() == Extractor("functionals", NAMES, functionals)


def test_extractor_with_opensmile(monkeypatch):
    class Smile:
        feature_names = ("one", "two")

        def __init__(self, feature_set, feature_level):
            assert (feature_set, feature_level) == ("v02", "functionals")

        def process_signal(self, wave, rate):
            row = np.array([[len(wave), np.nan]])
            return types.SimpleNamespace(to_numpy=lambda dtype: row.astype(dtype))

    fake = types.ModuleType("opensmile")
    fake.__spec__ = importlib.machinery.ModuleSpec("opensmile", None)
    fake.Smile = Smile
    fake.FeatureSet = types.SimpleNamespace(eGeMAPSv02="v02")
    fake.FeatureLevel = types.SimpleNamespace(Functionals="functionals")
    monkeypatch.setitem(sys.modules, "opensmile", fake)
    chosen = extractor()
    assert (chosen.name, chosen.names) == ("eGeMAPSv02", ("one", "two"))
    assert chosen.function(np.zeros(10, dtype=np.float32), RATE).tolist() == [1600, 0]
    assert chosen.function(np.zeros(5000, dtype=np.float32), RATE).tolist() == [5000, 0]


def test_needs_no_torch():
    code = "import sys, emovec.audio.functionals; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
