"""Mixing: levels, lengths and places as published, drawn for each clip by itself."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from emovec.audio.mixing import NOISE_LEVELS, SPEECH_LEVELS, Mixing, lay_over
from emovec.errors import HparamError

RATE = 16000


def clips(count: int = 6) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    sizes = random.integers(200, 900, count)
    return [random.normal(0, 0.1, size).astype(np.float32) for size in sizes]


def names(waves: list[np.ndarray]) -> list[str]:
    return [f"clip{n}" for n in range(len(waves))]


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    folder = tmp_path / "noise"
    folder.mkdir()
    soundfile.write(folder / "a.wav", np.random.default_rng(1).uniform(-0.5, 0.5, RATE), RATE)
    soundfile.write(folder / "silent.wav", np.zeros(RATE), RATE)
    return folder


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 400), st.integers(1, 400), st.floats(-5, 20), st.integers(0, 99))
def test_what_is_added_is_a_stretch_of_the_other_at_the_level(
    size: int, other_size: int, level: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    wave, other = random.normal(size=size), random.normal(size=other_size)
    added = lay_over(wave, other, level, np.random.default_rng(seed)) - wave
    places = np.flatnonzero(np.abs(added) > 1e-5)
    first, last = places.min(), places.max() + 1
    assert 1 <= last - first <= min(size // 2, other_size)
    wanted = (wave**2).sum() / size / 10 ** (level / 10)  # of the other clip as a whole
    scaled = other * np.sqrt(wanted / ((other**2).sum() / other_size))
    stretches = [
        scaled[start : start + last - first] for start in range(other_size - (last - first) + 1)
    ]
    nearest = min(np.abs(added[first:last] - stretch).max() for stretch in stretches)
    assert nearest < 1e-4


@pytest.mark.parametrize(("wave", "other"), [(4, 0), (1, 4), (4, None)])
def test_nothing_to_mix_leaves_the_clip(wave: int, other: int | None) -> None:
    silent = np.zeros(4) if other is None else np.ones(other)
    clip = np.ones(wave, dtype=np.float32)
    assert lay_over(clip, silent, 0.0, np.random.default_rng(0)) is clip


def test_the_share_of_mixed_clips() -> None:
    waves = clips()
    mixing = Mixing(0.2, seed=3)
    changed = [
        mixed is not wave
        for epoch in range(200)
        for mixed, wave in zip(mixing(waves, names(waves), RATE, epoch), waves, strict=True)
    ]
    assert np.mean(changed) == pytest.approx(0.2, abs=0.04)
    unmixed = Mixing(0.0)(waves, names(waves), RATE, 0)
    assert all(a is b for a, b in zip(unmixed, waves, strict=True))


def test_draws_belong_to_the_clip_the_epoch_and_the_seed() -> None:
    waves = clips()

    def mixed(seed: int, epoch: int) -> list[np.ndarray]:
        return Mixing(1.0, seed=seed)(waves, names(waves), RATE, epoch)

    def same(a: list[np.ndarray], b: list[np.ndarray]) -> list[bool]:
        return [np.array_equal(x, y) for x, y in zip(a, b, strict=True)]

    assert all(same(mixed(1, 2), mixed(1, 2)))
    assert not any(same(mixed(1, 2), mixed(1, 3))) and not any(same(mixed(1, 2), mixed(2, 2)))


def test_a_clip_is_never_mixed_with_itself_nor_with_a_mixed_one() -> None:
    """Two clips, of which one is constant: what is added to either is of the other, as it came."""
    flat, tone = np.ones(400, dtype=np.float32), np.sin(np.arange(500)).astype(np.float32)
    for epoch in range(50):
        first, second = Mixing(1.0, seed=0)([flat, tone], ["flat", "tone"], RATE, epoch)
        added = (second - tone)[np.abs(second - tone) > 1e-6]
        assert np.ptp(added) < 1e-5  # constant
        places = np.flatnonzero(np.abs(first - flat) > 1e-6)
        stretch = (first - flat)[places.min() : places.max() + 1]
        assert distance_from(stretch, tone) < 1e-5


def distance_from(stretch: np.ndarray, wave: np.ndarray) -> float:
    """How far a stretch is from the scaled one of a wave that is nearest."""
    own = np.lib.stride_tricks.sliding_window_view(wave, len(stretch))
    scales = own @ stretch / np.maximum((own**2).sum(axis=1), 1e-12)  # least squares
    return np.abs(scales[:, None] * own - stretch).max(axis=1)[scales > 0].min()


def test_a_lone_clip_stays_without_noise_and_gets_it_with_a_folder(noise: Path) -> None:
    (wave, *_) = clips()
    assert Mixing(1.0)([wave], ["a"], RATE, 0)[0] is wave
    with_noise = Mixing(1.0, noise, noise_probability=1.0)
    assert [text.endswith("silent.wav: is silent") for text in with_noise.skipped] == [True]
    assert not np.array_equal(with_noise([wave], ["a"], RATE, 0)[0], wave)


def test_levels_are_the_published_ones(noise: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (SPEECH_LEVELS, NOISE_LEVELS) == ((-5, 5), (-5, 20))
    drawn: list[float] = []
    monkeypatch.setattr(
        "emovec.audio.mixing.lay_over", lambda wave, other, level, random: drawn.append(level)
    )
    waves = clips()
    for folder, share, (low, high) in ((None, 0.1, (-5, 5)), (noise, 1.0, (-5, 20))):
        drawn.clear()
        for epoch in range(100):
            Mixing(1.0, folder, share)(waves, names(waves), RATE, epoch)
        assert min(drawn) == pytest.approx(low, abs=0.3) and min(drawn) >= low
        assert max(drawn) == pytest.approx(high, abs=0.3) and max(drawn) <= high


def test_bad_arguments(noise: Path, tmp_path: Path) -> None:
    with pytest.raises(HparamError, match=r"probability is 1.5; expected 0 to 1"):
        Mixing(1.5)
    with pytest.raises(HparamError, match="noise_probability is -1"):
        Mixing(0.2, noise, -1)
    (noise / "a.wav").unlink()
    with pytest.raises(HparamError, match="1 files, none usable"):
        Mixing(0.2, noise)
    with pytest.raises(HparamError, match="no such folder"):
        Mixing(0.2, tmp_path / "nowhere")
