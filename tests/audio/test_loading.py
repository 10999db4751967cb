"""Reading of audio: sines of known frequency in every form, and all that can be wrong."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from emovec.audio.loading import load
from emovec.errors import AudioError


def sine(frequency: float, sample_rate: int, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    return 0.5 * np.sin(2 * np.pi * frequency * time)


def loudest_frequency(wave: np.ndarray, sample_rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
    return float(spectrum.argmax() * sample_rate / len(wave))


def refused(path: Path, **options) -> str:
    with pytest.raises(AudioError) as caught:
        load(path, **options)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("suffix", "subtype"), [("wav", "PCM_16"), ("wav", "PCM_24"), ("wav", "FLOAT")]
)
def test_samples_are_kept(tmp_path, suffix, subtype):
    wave = sine(440, 16000)
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, wave, 16000, subtype=subtype)
    read = load(path)
    assert read.dtype == np.float32 and read.shape == wave.shape
    np.testing.assert_allclose(read, wave, atol=1 / 32767)


@pytest.mark.parametrize("suffix", ["flac", "ogg", "wav"])
@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_frequency_survives_formats_and_rates(tmp_path, suffix, rate):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, sine(1000, rate), rate)
    wave = load(path)
    assert abs(len(wave) - 16000) <= 1
    assert loudest_frequency(wave, 16000) == pytest.approx(1000, abs=2)
    middle = wave[4000:12000]  # a sine's power is half its squared amplitude
    assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(0.5, rel=0.02)


def test_other_sample_rate(tmp_path):
    soundfile.write(tmp_path / "a.wav", sine(1000, 16000), 16000)
    assert loudest_frequency(load(tmp_path / "a.wav", sample_rate=8000), 8000) == pytest.approx(
        1000, abs=2
    )


def test_channels_are_averaged(tmp_path):
    left, right = np.full(100, 0.5), np.full(100, -0.25)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), 16000, subtype="FLOAT")
    np.testing.assert_allclose(load(tmp_path / "a.wav"), 0.125)


def test_start_stop_and_longest(tmp_path):
    ramp = np.arange(16000) / 16000
    path = tmp_path / "a.wav"
    soundfile.write(path, ramp, 16000, subtype="FLOAT")
    np.testing.assert_allclose(load(path, 0.25, 0.5), ramp[4000:8000], rtol=1e-6)
    np.testing.assert_allclose(load(path, 0.75), ramp[12000:], rtol=1e-6)
    np.testing.assert_allclose(load(path, None, 0.1), ramp[:1600], rtol=1e-6)
    np.testing.assert_allclose(load(path, 0.25, 0.5, max_seconds=0.1), ramp[4000:5600], rtol=1e-6)
    assert len(load(path, 0.9, 5.0)) == 1600


def test_stretch_at_another_rate(tmp_path):
    low_then_high = np.concatenate([sine(300, 44100), sine(2000, 44100)])
    soundfile.write(tmp_path / "a.wav", low_then_high, 44100)
    wave = load(tmp_path / "a.wav", 1.0, 1.5)
    assert abs(len(wave) - 8000) <= 1
    assert loudest_frequency(wave, 16000) == pytest.approx(2000, abs=4)


def test_reads_no_more_than_the_stretch(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.wav", np.zeros(160000), 16000)
    asked = []
    read = soundfile.SoundFile.read

    def spy(file, frames=-1, *arguments, **options):
        asked.append((file.tell(), frames))
        return read(file, frames, *arguments, **options)

    monkeypatch.setattr(soundfile.SoundFile, "read", spy)
    load(tmp_path / "a.wav", 2.0, 9.0, max_seconds=0.5)
    assert asked == [(32000, 8000)]


def test_missing(tmp_path):
    assert "not found" in refused(tmp_path / "no.wav")


def test_folder_instead_of_file(tmp_path):
    assert "not found" in refused(tmp_path)


def test_text_pointer(tmp_path):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    (tmp_path / "a.wav").write_text(pointer)
    assert "git lfs pull" in refused(tmp_path / "a.wav")


@pytest.mark.parametrize("content", [b"", b"RIFF", b"not audio at all", bytes(5000)])
def test_unreadable(tmp_path, content):
    (tmp_path / "a.wav").write_bytes(content)
    assert "cannot be read" in refused(tmp_path / "a.wav")


def test_no_samples(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 16000)
    assert "no samples" in refused(tmp_path / "a.wav")


@pytest.mark.parametrize("start, stop", [(1.0, None), (0.5, 0.5), (0.5, 0.2)])
def test_empty_stretch(tmp_path, start, stop):
    soundfile.write(tmp_path / "a.wav", np.zeros(16000), 16000)
    assert "no samples" in refused(tmp_path / "a.wav", start=start, stop=stop)


@pytest.mark.parametrize("start", [1.5, -0.1])
def test_start_outside(tmp_path, start):
    soundfile.write(tmp_path / "a.wav", np.zeros(16000), 16000)
    message = refused(tmp_path / "a.wav", start=start)
    assert f"start is {start} s" in message and "1.000 s" in message


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_finite(tmp_path, bad):
    wave = np.zeros(16000)
    wave[8000] = bad
    soundfile.write(tmp_path / "a.wav", wave, 16000, subtype="FLOAT")
    assert "NaN or infinite" in refused(tmp_path / "a.wav")
    assert load(tmp_path / "a.wav", 0.0, 0.4).max() == 0
