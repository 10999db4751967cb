"""Clips as people have them: files and waves, alone and several, good and bad."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from emovec.audio import clips as clips_module
from emovec.audio.clips import is_one, read_clips
from emovec.errors import AudioError

TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(8000) / 16000)).astype(np.float32)


def read(
    clips: object, sample_rate: object = None, **options: object
) -> list[tuple[str, np.ndarray]]:
    found = read_clips(clips, sample_rate, **{"wanted_rate": 16000, **options})
    return [(clip.name, clip.wave) for clip in found]


def test_waves_are_as_given(tmp_path: Path) -> None:
    ((name, wave),) = read(TONE, 16000)
    assert name == "wave" and wave.dtype == np.float32 and np.array_equal(wave, TONE)
    several = read((TONE.astype(np.float64), TONE[:100]), np.int64(16000))
    assert [name for name, _ in several] == ["wave 0", "wave 1"]
    assert np.array_equal(several[0][1], TONE) and len(several[1][1]) == 100


def test_integers_of_16_bits_are_what_a_file_of_them_gives(tmp_path: Path) -> None:
    integers = np.array([-32768, -1, 0, 16384, 32767], dtype=np.int16)
    soundfile.write(tmp_path / "a.wav", integers, 16000, subtype="PCM_16")
    ((_, wave),) = read(integers, 16000)
    ((name, read_wave),) = read(tmp_path / "a.wav")
    assert name == str(tmp_path / "a.wav")
    assert wave.tolist() == read_wave.tolist() == [-1, -1 / 32768, 0, 0.5, 32767 / 32768]


@pytest.mark.parametrize("rate", [4000, 8000, 44100, 192000])
def test_waves_are_resampled_as_files_are(tmp_path: Path, rate: int) -> None:
    wave = np.sin(2 * np.pi * 440 * np.arange(rate // 2) / rate).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", wave, rate, subtype="FLOAT")
    ((_, given),) = read(wave, rate)
    ((_, from_file),) = read(str(tmp_path / "a.wav"))
    assert len(given) == 8000 and np.array_equal(given, from_file)
    middle = slice(2000, 6000)  # behind the filter's ends
    assert np.abs(given[middle] - 2 * TONE[middle]).max() < 0.02


def test_cut_at_the_longest(tmp_path: Path) -> None:
    wave = np.concatenate([TONE, np.zeros(8000, np.float32)])
    soundfile.write(tmp_path / "a.wav", wave, 16000, subtype="FLOAT")
    for clips, rate in ((wave, 16000), (tmp_path / "a.wav", None)):
        ((_, cut),) = read(clips, rate, max_seconds=0.5)
        assert np.array_equal(cut, TONE)


def test_whole_clips_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips_module, "LONGEST", 3.0)
    soundfile.write(tmp_path / "a.wav", np.tile(TONE, 6), 16000)
    soundfile.write(tmp_path / "b.wav", np.tile(TONE, 100), 16000)
    assert len(read(tmp_path / "a.wav")[0][1]) == len(read(np.tile(TONE, 6), 16000)[0][1]) == 48000
    with pytest.raises(AudioError, match=r"b\.wav: lasts 50 s; expected at most 3 s .*--window"):
        read(tmp_path / "b.wav")
    with pytest.raises(AudioError, match="wave: lasts 4 s; expected at most 3 s"):
        read(np.tile(TONE, 7), 16000)
    assert len(read(tmp_path / "b.wav", max_seconds=5.0)[0][1]) == 80000


def test_tables_columns_and_generators_are_several(tmp_path: Path) -> None:
    path = str(tmp_path / "a.wav")
    soundfile.write(path, TONE, 16000)
    for several in (np.array([path, path]), np.array([path, path], dtype=object)):
        assert not is_one(several)
        assert [name for name, _ in read(several)] == [path, path]
    assert len(read(path for _ in range(3))) == 3
    assert read([]) == read(np.array([], dtype=str)) == []


def test_one_after_the_other(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", TONE, 16000)

    def files() -> Iterator[Path]:
        yield tmp_path / "a.wav"
        raise AssertionError("asked for more than was wanted")

    assert next(read_clips(files(), None, wanted_rate=16000)).wave.shape == (8000,)


BAD_WAVES = {
    "no samples": (TONE[:0], r"wave: no samples"),
    "channels": (np.stack([TONE, TONE]), r"wave: shape \(2, 8000\).*mean.*as a list"),
    "a number": (np.array(0.5), r"wave: shape \(\)"),
    "int32": ((TONE * 2**31).astype(np.int32), r"wave: int32 samples.*int16"),
    "uint8": (np.full(9, 128, np.uint8), r"wave: uint8 samples"),
    "bool": (TONE > 0, r"wave: bool samples"),
    "complex": (TONE.astype(np.complex64), r"wave: complex64 samples"),
    "NaN": (np.where(np.arange(8000) == 70, np.nan, TONE), r"wave: holds NaN"),
    "infinite": (np.where(np.arange(8000) == 70, -np.inf, TONE), r"wave: holds NaN or inf"),
    "float of 16-bit size": (-20000 * TONE, r"wave: samples up to 10000; .*Divide by 32768"),
}


@pytest.mark.parametrize("kind", BAD_WAVES)
def test_bad_waves(kind: str) -> None:
    wave, message = BAD_WAVES[kind]
    with pytest.raises(AudioError, match=message):
        read(wave, 16000)
    with pytest.raises(AudioError, match=message.replace("wave: ", "wave 1: ", 1)):
        read([TONE, wave], 16000)


@pytest.mark.parametrize(
    "clips", [3, None, [3], [None], [[0.1, 0.2]], torch.zeros(9), [torch.zeros(9)], b"a.wav"]
)
def test_what_is_no_clip(clips: object) -> None:
    with pytest.raises(AudioError, match="expected the name of a file, or a wave"):
        read(clips, 16000)


@pytest.mark.parametrize("rate", [None, 0, -16000, 16, 16000.0, "16000"])
def test_waves_without_a_rate(rate: object) -> None:
    with pytest.raises(AudioError, match=r"wave 0: sample_rate is .*integer from 1000 on"):
        read([TONE], rate)


def test_files_know_their_rate(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", TONE, 16000)
    with pytest.raises(AudioError, match=r"a\.wav: a file with sample_rate 16000; expected none"):
        read([tmp_path / "a.wav"], 16000)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no audio")
    soundfile.write(tmp_path / "empty.wav", TONE[:0], 16000)
    for name, message in (("absent", "not found"), ("text", "cannot be read"), ("empty", "no sam")):
        with pytest.raises(AudioError, match=rf"{name}\.wav: {message}"):
            read([tmp_path / f"{name}.wav"])
    with pytest.raises(AudioError, match="not found"):
        read(tmp_path)
