"""Files to augment with: their order, what makes them unusable, and which part of them is read."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from emovec.audio.sounds import Sound, audible_stretch, audio_files, inspect_sound, mean_square

RATE = 16000


def noise(samples: int) -> np.ndarray:
    return 0.1 * np.random.default_rng(0).standard_normal(samples, dtype=np.float32)


def put(path: Path, wave: np.ndarray, rate: int = RATE) -> Sound:
    soundfile.write(path, wave, rate, subtype="FLOAT")
    return Sound(path, len(wave) / rate)


def test_order_of_files_is_that_of_their_names(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    names = ["B.WAV", "a.flac", "a/c.ogg", "b.wav"]
    for name in [*names, "notes.txt", "._b.wav"]:
        (tmp_path / name).touch()
    (tmp_path / "folder.wav").mkdir()
    assert audio_files("noise", tmp_path) == [
        tmp_path / name for name in ("B.WAV", "a.flac", "a/c.ogg", "b.wav")
    ]
    walk = Path.rglob
    monkeypatch.setattr(Path, "rglob", lambda folder, name: reversed(list(walk(folder, name))))
    assert audio_files("noise", tmp_path) == [tmp_path / name for name in names]


def test_usable_from_the_first_audible_sample(tmp_path):
    late = put(tmp_path / "late.wav", np.concatenate([np.zeros(50000), noise(100)]))
    assert inspect_sound(late.path) == late


def test_reasons_why_files_cannot_be_used(tmp_path):
    put(tmp_path / "silent.wav", np.zeros(50000))
    put(tmp_path / "empty.wav", np.zeros(0))
    put(tmp_path / "cancelling.wav", np.outer(noise(1000), [1, -1]))
    put(tmp_path / "nan.wav", np.full(100, np.nan))
    (tmp_path / "text.wav").write_text("not audio")
    (tmp_path / "pointer.wav").write_text("version https://git-lfs.github.com/spec/v1\noid 0\n")
    reasons = {
        "cancelling": "is silent",
        "empty": "is silent",
        "nan": "holds NaN",
        "pointer": "is a text pointer of Git LFS",
        "silent": "is silent",
        "text": "cannot be read",
    }
    for name, reason in reasons.items():
        found = inspect_sound(tmp_path / f"{name}.wav")
        assert isinstance(found, str) and found.startswith(reason)


def test_short_noise_goes_round_from_any_place(tmp_path):
    period = np.random.default_rng(0).permutation(50).astype(np.float32) / 50
    sound = put(tmp_path / "a.wav", period)
    random = np.random.default_rng(0)
    starts = set()
    for _ in range(30):
        stretch = audible_stretch([sound], 180, RATE, random)
        start = int(np.flatnonzero(period == stretch[0])[0])
        np.testing.assert_array_equal(stretch, period[(start + np.arange(180)) % 50])
        starts.add(start)
    assert len(starts) > 10


@pytest.mark.parametrize("seconds", [2.0, 60.0])
def test_long_noise_is_cut_anywhere_and_no_more_is_read(tmp_path, monkeypatch, seconds):
    """A ramp tells the place by its values; what is kept is read once."""
    sound = put(tmp_path / "a.wav", np.linspace(0.1, 0.9, round(seconds * RATE)))
    frames = []
    read = soundfile.SoundFile.read

    def spy(file, count=-1, *arguments, **options):
        frames.append(count)
        return read(file, count, *arguments, **options)

    monkeypatch.setattr(soundfile.SoundFile, "read", spy)
    random = np.random.default_rng(0)
    stretches = [audible_stretch([sound], 1600, RATE, random) for _ in range(40)]
    for stretch in stretches:
        assert stretch.shape == (1600,)
        assert np.ptp(stretch) == pytest.approx(0.8 * 0.1 / seconds, rel=0.01)
    places = [(stretch.mean() - 0.1) / 0.8 for stretch in stretches]
    assert min(places) < 0.2 and max(places) > 0.8
    assert frames == ([32000] if seconds == 2 else [1600] * 40)


@pytest.mark.parametrize("rate", [8000, RATE])
def test_noise_of_another_rate_keeps_its_frequency(tmp_path, rate):
    tone = 0.3 * np.sin(2 * np.pi * 1000 * np.arange(44100) / 44100)
    sound = put(tmp_path / "a.wav", np.stack([tone, tone], axis=1), 44100)
    stretch = audible_stretch([sound], rate // 2, rate, np.random.default_rng(0))
    assert np.abs(np.fft.rfft(stretch)).argmax() * 2 == pytest.approx(1000, abs=4)


def test_silent_stretches_are_avoided(tmp_path):
    wave = np.zeros(30 * RATE)
    wave[: 6 * RATE] = noise(6 * RATE)  # one fifth is audible: 10 tries fail in 11 % of calls
    sound = put(tmp_path / "a.wav", wave)
    random = np.random.default_rng(0)
    silent = sum(not audible_stretch([sound], 800, RATE, random).any() for _ in range(200))
    assert 0.02 < silent / 200 < 0.2


def test_mean_square():
    assert mean_square(np.array([3.0, -4.0], np.float32)) == 12.5
    assert mean_square(np.zeros(0, np.float32)) == 0.0
