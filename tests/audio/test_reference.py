"""Reference clips: the same wherever they are made."""

import numpy as np
import pytest

from emovec.audio.reference import SECONDS, reference_waves


@pytest.mark.parametrize("rate", [8000, 16000])
def test_waves(rate):
    waves = reference_waves(rate)
    assert [len(wave) for wave in waves] == [round(rate * seconds) for seconds in SECONDS]
    for wave in waves:
        assert wave.dtype == np.float32 and np.isfinite(wave).all()
        assert np.abs(wave).max() == pytest.approx(0.5)
        frames = wave[: len(wave) // 400 * 400].reshape(-1, 400)
        power = 10 * np.log10((frames**2).mean(axis=1))
        assert power.max() - power.min() > 20  # there are pauses
    assert all(np.array_equal(a, b) for a, b in zip(waves, reference_waves(rate), strict=True))


def test_some_samples():
    """A change of the formula would make all stored values void."""
    wave = reference_waves(16000)[1]
    assert wave[[0, 1000, 20000]] == pytest.approx(SAMPLES, abs=1e-6)


SAMPLES = [0.05561571, 0.29503655, -0.07657190]
