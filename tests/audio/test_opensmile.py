"""openSMILE's feature sets, where it is installed; a clear error where it is not."""

import sys

import numpy as np
import pytest

from emovec.audio import opensmile
from emovec.errors import HparamError

RATE = 16000


@pytest.fixture(scope="module")
def wave() -> np.ndarray:
    """A voice of 150 Hz that comes and goes."""
    time = np.arange(RATE) / RATE
    tone = sum(np.sin(2 * np.pi * 150 * n * time) / n for n in range(1, 20))
    return (0.1 * tone * (np.sin(2 * np.pi * 3 * time) > 0)).astype(np.float32)


@pytest.mark.parametrize(("name", "size"), [("egemaps", 88), ("emobase2010", 1582)])
def test_values_are_finite_and_named(name: str, size: int, wave: np.ndarray) -> None:
    pytest.importorskip("opensmile", reason="openSMILE is an extra")
    chosen = opensmile.extractor(name)
    assert chosen.name == name and len(set(chosen.names)) == size
    for clip in (wave, wave[:500], np.zeros(RATE, np.float32)):  # 31 ms and silence among them
        values = chosen.function(clip, RATE)
        assert values.shape == (size,) and np.isfinite(values).all()


def test_egemaps_hears_the_pitch(wave: np.ndarray) -> None:
    pytest.importorskip("opensmile", reason="openSMILE is an extra")
    chosen = opensmile.extractor("egemaps")
    values = dict(zip(chosen.names, chosen.function(wave, RATE).tolist(), strict=True))
    semitones = 12 * np.log2(150 / 27.5)
    assert values["F0semitoneFrom27.5Hz_sma3nz_amean"] == pytest.approx(semitones, abs=0.5)


def test_unknown_sets_are_refused() -> None:
    with pytest.raises(HparamError, match="'emobase' is no feature set; expected one of "):
        opensmile.extractor("emobase")


def test_without_opensmile_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "opensmile", raising=False)
    monkeypatch.setattr(opensmile, "find_spec", lambda _name: None)
    with pytest.raises(HparamError, match=r"pip install .emovec\[opensmile\]"):
        opensmile.extractor("egemaps")
