"""Augmentation: levels and rooms against oracles, draws that belong to the clip, all bad input."""

import multiprocessing
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emovec.audio import augment, sounds
from emovec.audio.augment import (
    LEVELS,
    Augmentation,
    add_noises,
    change_speed,
    clip_generator,
    reverberate,
)
from emovec.errors import AudioError, HparamError

RATE = 16000


def white(samples: int, seed: int = 0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(samples, dtype=np.float32)


def sine(frequency: float, samples: int, rate: int = RATE) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * frequency * np.arange(samples) / rate)


def decibels(wave: np.ndarray, noise: np.ndarray) -> float:
    """Level of a wave over a noise, from norms."""
    return float(20 * np.log10(np.linalg.norm(wave) / np.linalg.norm(noise)))


def write(path: Path, wave: np.ndarray, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, rate, subtype="FLOAT" if path.suffix == ".wav" else None)
    return path


def decay(samples: int, peak: int, seed: int = 0) -> np.ndarray:
    """Some quiet noise, then a direct path that all later taps are weaker than."""
    tail = np.random.default_rng(seed).uniform(-0.5, 0.5, samples) * np.exp(
        -np.arange(samples) / (samples / 6)
    )
    tail[:peak] *= 0.05
    tail[peak] = 0.8
    return tail.astype(np.float32)


@pytest.fixture
def folders(tmp_path) -> dict[str, Path]:
    """One folder a kind; noise lies deeper, is stereo and of other rates."""
    for number, rate in enumerate((8000, 16000, 44100)):
        stereo = white(2 * rate, number).reshape(-1, 2)
        write(tmp_path / "noise" / "deep" / "er" / f"{number}.wav", stereo, rate)
    write(tmp_path / "noise" / "long.flac", white(20 * RATE, 9))
    for number in range(3):
        write(tmp_path / "music" / f"{number}.ogg", sine(200 + number, RATE))
        write(tmp_path / "speech" / f"{number}.wav", white(3 * RATE, 20 + number))
        write(tmp_path / "rooms" / f"{number}.wav", decay(4000, 300, number))
    return {
        "noise": tmp_path / "noise",
        "music": tmp_path / "music",
        "speech": tmp_path / "speech",
        "impulse_responses": tmp_path / "rooms",
    }


def hear(augmentation: Augmentation, key: tuple[str, int]) -> np.ndarray:
    clip, epoch = key
    wave = white(4000 + 1000 * int(clip), int(clip))
    return augmentation(wave, RATE, clip, epoch)


# --- the draws


def test_draws_belong_to_seed_epoch_and_clip(folders):
    keys = [(str(clip), epoch) for clip in range(12) for epoch in range(3)]
    one = [hear(Augmentation(**folders, seed=1), key) for key in keys]
    augmentation = Augmentation(**folders, seed=1)
    backwards = [hear(augmentation, key) for key in reversed(keys)][::-1]
    for a, b in zip(one, backwards, strict=True):
        np.testing.assert_array_equal(a, b)
    by_clip = [one[start : start + 3] for start in range(0, len(one), 3)]
    assert any(not np.array_equal(first, second) for first, second, _ in by_clip)
    other_seed = [hear(Augmentation(**folders, seed=2), key) for key in keys]
    same = sum(np.array_equal(a, b) for a, b in zip(one, other_seed, strict=True))
    assert same <= len(keys) / 4  # clean both times: 4 % of them


def test_other_processes_hear_the_same(folders):
    augmentation = Augmentation(**folders, seed=1)
    keys = [(str(clip), 0) for clip in range(8)]
    here = [hear(augmentation, key) for key in keys]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        there = pool.map(partial(hear, augmentation), keys[::-1])[::-1]
    for a, b in zip(here, there, strict=True):
        np.testing.assert_array_equal(a, b)


def test_same_whatever_is_kept(folders, monkeypatch):
    keys = [(str(clip), 0) for clip in range(12)]
    kept = [hear(Augmentation(**folders), key) for key in keys]
    monkeypatch.setattr(sounds, "_kept", sounds._kept.__wrapped__)
    for wave, key in zip(kept, keys, strict=True):
        np.testing.assert_array_equal(wave, hear(Augmentation(**folders), key))


def test_generators_of_similar_keys_differ():
    keys = [(0, 0, "1"), (0, 1, "1"), (1, 0, "1"), (0, 0, "2"), (0, 0, ""), (0, 0, "1 ")]
    assert len({clip_generator(*key).random() for key in keys}) == len(keys)


def test_kinds_and_shares(folders, monkeypatch):
    """With four kinds and a clean share of 0.4 each kind gets 0.15; 3.5 standard deviations."""
    heard = []
    monkeypatch.setattr(augment, "reverberate", lambda wave, response: heard.append("room") or wave)
    monkeypatch.setattr(
        augment,
        "add_noises",
        lambda wave, noises, levels: heard.append((len(noises), *levels)) or wave,
    )
    augmentation = Augmentation(**folders, clean_share=0.4)
    assert augmentation.kinds == ("noise", "music", "babble", "reverberation")
    clips = 2000
    for clip in range(clips):
        augmentation(white(100), RATE, str(clip), 0)
    assert len(heard) / clips == pytest.approx(0.6, abs=3.5 * np.sqrt(0.24 / clips))
    for kind in (
        [each for each in heard if each == "room"],
        [each for each in heard if each != "room" and each[0] >= 3],
    ):
        assert len(kind) / clips == pytest.approx(0.15, abs=3.5 * np.sqrt(0.1275 / clips))
    assert {each[0] for each in heard if each != "room"} == {1, 3, 4, 5, 6, 7}
    single = {each[1] for each in heard if each[0] == 1}
    assert single == {0, 5, 8, 10, 15}
    talkers = {level for each in heard if each != "room" and each[0] >= 3 for level in each[1:]}
    assert talkers == {13, 15, 17, 20}


def test_only_kinds_with_a_folder(folders):
    assert Augmentation(music=folders["music"]).kinds == ("music",)
    assert Augmentation(speech=folders["speech"]).kinds == ("babble",)


@pytest.mark.parametrize("given", [{}, {"clean_share": 1.0}])
def test_clean(folders, given):
    clean = Augmentation(**(folders if given else {}), **given)
    wave = white(5000)
    for clip in range(5):
        assert clean(wave, RATE, str(clip), 0) is wave


# --- noise, music, babble


@pytest.mark.parametrize("kind", ["noise", "music"])
@pytest.mark.parametrize("samples", [1, 3, 777, 16000, 100000])
def test_level_of_one_noise(folders, kind, samples):
    augmentation = Augmentation(**{kind: folders[kind]}, clean_share=0)
    levels = set()
    for clip in range(40):
        wave = white(samples, clip)
        heard = augmentation(wave, RATE, str(clip), 0)
        assert heard.shape == wave.shape and heard.dtype == np.float32
        levels.add(round(decibels(wave, heard.astype(np.float64) - wave), 2))
    assert levels == set(LEVELS[kind])


def test_level_of_each_talker(tmp_path):
    """Talkers are tones, so that each can be told apart by its frequency."""
    tones = [500, 1000, 1500, 2000, 2500, 3000, 3500, 4000, 4500, 5000]
    for tone in tones:
        write(tmp_path / f"{tone}.wav", sine(tone, 2 * RATE))
    augmentation = Augmentation(speech=tmp_path, clean_share=0)
    wave = white(RATE)
    counts = set()
    for clip in range(60):
        added = augmentation(wave, RATE, str(clip), 0).astype(np.float64) - wave
        amplitudes = 2 * np.abs(np.fft.rfft(added))[tones] / RATE
        present = amplitudes[amplitudes > 1e-3]
        counts.add(len(present))
        if len(present) == 7:  # none drawn twice
            levels = 10 * np.log10(np.mean(wave.astype(float) ** 2) / (present**2 / 2))
            assert set(levels.round(2)) <= {20, 17, 15, 13}
    assert 7 in counts and max(counts) == 7


def test_sum_of_noises_against_an_oracle():
    wave, noises = white(1000), [white(1000, 1), 30 * white(1000, 2) + 0.5]
    oracle = wave.astype(np.float64)
    for noise, level in zip(noises, (13, 0), strict=True):
        unit = noise.astype(np.float64) / np.linalg.norm(noise.astype(np.float64))
        oracle = oracle + unit * np.linalg.norm(wave.astype(np.float64)) / 10 ** (level / 20)
    before = wave.copy()
    np.testing.assert_allclose(add_noises(wave, noises, [13, 0]), oracle, atol=1e-6)
    np.testing.assert_array_equal(wave, before)


def test_silent_noise_adds_nothing():
    wave = white(100)
    np.testing.assert_array_equal(add_noises(wave, [np.zeros(100)], [0]), wave)
    np.testing.assert_array_equal(add_noises(wave, [np.full(100, 1e-44, np.float32)], [0]), wave)


def test_with_talkers(tmp_path, folders):
    files = [write(tmp_path / "clips" / f"{n}.wav", white(500, n)) for n in range(3)]
    silent = write(tmp_path / "clips" / "silent.wav", np.zeros(500))
    before = Augmentation(music=folders["music"])
    after = before.with_talkers([*files, silent])
    assert before.kinds == ("music",) and before.skipped == ()
    assert after.kinds == ("music", "babble")
    assert after.skipped == (f"{silent}: is silent",)
    with pytest.raises(HparamError, match=r"babble of 1 files.*is silent"):
        before.with_talkers([silent])


# --- reverberation


@pytest.mark.parametrize("samples", [1, 2, 100, 999, 5000])
@pytest.mark.parametrize("taps, peak", [(1, 0), (50, 0), (50, 49), (3000, 300), (3000, 2999)])
def test_reverberation_against_direct_convolution(samples, taps, peak):
    wave, response = white(samples), decay(taps, peak)
    full = np.convolve(wave.astype(np.float64), response.astype(np.float64))
    oracle = full[peak : peak + samples]
    oracle *= np.linalg.norm(wave) / np.linalg.norm(oracle)
    heard = reverberate(wave, response)
    assert heard.dtype == np.float32 and heard.shape == wave.shape
    np.testing.assert_allclose(heard, oracle, atol=1e-5)
    assert decibels(wave, heard) == pytest.approx(0, abs=1e-3)


def test_direct_path_stays_where_it_was():
    wave = np.zeros(1000, np.float32)
    wave[[100, 700]] = 1, -0.5
    heard = reverberate(wave, decay(400, 90))
    assert np.abs(heard).argmax() == 100
    assert np.abs(heard[600:]).argmax() == 100


def test_tiny_response_and_scale():
    wave, response = white(500), decay(100, 5)
    np.testing.assert_allclose(
        reverberate(wave, np.float32(1e-6) * response), reverberate(wave, response), atol=1e-6
    )


def test_silent_response_leaves_the_clip():
    wave = white(100)
    assert reverberate(wave, np.zeros(10, np.float32)) is wave


def test_rooms_of_a_folder(folders):
    augmentation = Augmentation(impulse_responses=folders["impulse_responses"], clean_share=0)
    wave = white(3000)
    oracles = [reverberate(wave, decay(4000, 300, number)) for number in range(3)]
    heard = [augmentation(wave, RATE, str(clip), 0) for clip in range(20)]
    rooms = {np.argmin([np.abs(each - oracle).max() for oracle in oracles]) for each in heard}
    assert rooms == {0, 1, 2}
    assert all(min(np.abs(each - oracle).max() for oracle in oracles) < 1e-6 for each in heard)


def test_response_longer_than_the_clip(tmp_path):
    write(tmp_path / "a.wav", decay(12 * RATE, 5))
    augmentation = Augmentation(impulse_responses=tmp_path, clean_share=0)
    heard = augmentation(white(800), RATE, "a", 0)
    assert heard.shape == (800,) and np.isfinite(heard).all()


# --- speed


def test_speed_is_off_by_default_and_drawn_when_given(folders):
    wave = sine(1000, 9 * 1100).astype(np.float32)
    assert change_speed(wave, 1.0) is wave
    augmentation = Augmentation(speeds=[0.9, 1.0, 1.1])
    lengths = {len(augmentation(wave, RATE, str(clip), 0)) for clip in range(30)}
    assert lengths == {11000, 9900, 9000}
    noisy = Augmentation(**folders, clean_share=0, speeds=[0.9])
    assert len(noisy(wave, RATE, "a", 0)) == 11000


@pytest.mark.parametrize("speed", [0.9, 1.1])
@pytest.mark.parametrize("samples", [8000, 12345])
def test_speed_moves_pitch_and_length(speed, samples):
    heard = change_speed(sine(1000, samples).astype(np.float32), speed)
    assert heard.dtype == np.float32 and len(heard) == int(np.ceil(samples / speed))
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert spectrum.argmax() * RATE / len(heard) == pytest.approx(1000 * speed, abs=2)
    assert np.abs(heard[500:-500]).max() == pytest.approx(0.3, rel=0.02)


# --- bad input


@pytest.mark.parametrize("wave", [np.zeros(500, np.float32), np.zeros(0, np.float32)])
def test_silent_clip_stays_as_it_is(folders, wave):
    augmentation = Augmentation(**folders, clean_share=0, speeds=[0.9])
    for clip in range(8):
        assert augmentation(wave, RATE, str(clip), 0) is wave


@pytest.mark.parametrize("scale", [1e-9, 1e-30, 1e-42, 1e4])
def test_never_nan(folders, scale):
    augmentation = Augmentation(**folders, clean_share=0)
    for clip in range(20):
        heard = augmentation((scale * white(2000)).astype(np.float32), RATE, str(clip), 0)
        assert np.isfinite(heard).all() and np.abs(heard).max() > 0


@pytest.mark.parametrize("key", ["noise", "music", "speech", "impulse_responses"])
def test_missing_and_empty_folder(tmp_path, key):
    with pytest.raises(HparamError, match=f"{key} is .*gone: no such folder; expected"):
        Augmentation(**{key: tmp_path / "gone"})
    (tmp_path / "notes.txt").write_text("no audio")
    (tmp_path / "._hidden.wav").write_bytes(b"resource fork")
    with pytest.raises(HparamError, match=f"{key} is .*no audio files found; expected"):
        Augmentation(**{key: str(tmp_path)})


def test_folder_without_a_usable_file(tmp_path):
    good = write(tmp_path / "b.wav", white(100))
    write(tmp_path / "a.wav", np.zeros(100))
    (tmp_path / "c.wav").write_text("not audio")
    skipped = Augmentation(impulse_responses=tmp_path).skipped
    assert len(skipped) == 2
    assert skipped[0] == f"{tmp_path / 'a.wav'}: is silent"
    assert skipped[1].startswith(f"{tmp_path / 'c.wav'}: cannot be read")
    good.unlink()
    with pytest.raises(HparamError, match=r"2 files, none usable: .*a\.wav: is silent"):
        Augmentation(impulse_responses=tmp_path)


def test_file_that_vanishes(tmp_path):
    path = write(tmp_path / "a.wav", white(100))
    augmentation = Augmentation(noise=tmp_path, clean_share=0)
    path.unlink()
    with pytest.raises(AudioError, match=r"a\.wav: not found"):
        augmentation(white(100), RATE, "a", 0)


@pytest.mark.parametrize(
    "wrong", [{"clean_share": 1.1}, {"clean_share": -0.1}, {"speeds": []}, {"speeds": [0.0]}]
)
def test_values_out_of_range(wrong):
    with pytest.raises(HparamError, match="expected"):
        Augmentation(**wrong)
