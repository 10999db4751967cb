import hashlib

import numpy as np
import pytest
import soundfile

from emovec.corpora.measuring import Measurement, Stretch, measure, measure_all


def test_duration_and_hash_of_the_samples(tmp_path):
    samples = (np.arange(1600) % 100 * 300).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 16000)
    soundfile.write(tmp_path / "a.flac", samples, 16000)
    decoded = (samples / 32768).astype("<f4").tobytes()
    expected = Measurement(0.1, hashlib.blake2b(decoded, digest_size=8).hexdigest())
    assert measure(Stretch(tmp_path / "a.wav")) == expected
    assert measure(Stretch(tmp_path / "a.flac")) == expected


def test_part_of_a_file_is_that_part_alone(tmp_path):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (32000, 2)).astype(np.float32)
    soundfile.write(tmp_path / "long.wav", samples, 16000, subtype="FLOAT")
    soundfile.write(tmp_path / "cut.wav", samples[8000:20000], 16000, subtype="FLOAT")
    cut = measure(Stretch(tmp_path / "cut.wav"))
    assert cut.duration == 0.75
    assert measure(Stretch(tmp_path / "long.wav", 0.5, 1.25)) == cut
    to_end = measure(Stretch(tmp_path / "long.wav", 0.5))
    assert to_end.duration == 1.5
    # published ends are rounded
    assert measure(Stretch(tmp_path / "long.wav", 0.5, 2.004)) == to_end


@pytest.mark.parametrize(("start", "stop"), [(0.5, 2.1), (3.0, None), (-0.5, 1.0)])
def test_ends_outside_the_file(tmp_path, start, stop):
    soundfile.write(tmp_path / "a.wav", np.zeros(32000), 16000)
    assert (
        "expected to be within 2.000 s" in measure(Stretch(tmp_path / "a.wav", start, stop)).fault
    )


@pytest.mark.parametrize("seconds", [0, 0.0249])
def test_too_short(tmp_path, seconds):
    soundfile.write(tmp_path / "a.wav", np.zeros(int(seconds * 16000)), 16000)
    assert "expected at least 0.025 s" in measure(Stretch(tmp_path / "a.wav")).fault


def test_one_frame_is_long_enough(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(400), 16000)
    assert measure(Stretch(tmp_path / "a.wav")).fault == ""


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers(tmp_path, value):
    samples = np.zeros(1600, dtype=np.float32)
    samples[-1] = value
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="FLOAT")
    assert "NaN or infinite" in measure(Stretch(tmp_path / "a.wav")).fault


def test_files_that_are_no_audio(tmp_path, write_pointer):
    write_pointer(tmp_path / "pointer.wav")
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("nothing to hear")
    faults = [
        measure(Stretch(tmp_path / name)).fault
        for name in ("pointer.wav", "empty.wav", "text.wav", "absent.wav")
    ]
    for fault, said in zip(
        faults, ["git lfs pull", "empty file", "cannot be read", "not found"], strict=True
    ):
        assert said in fault


def test_many_in_order_whatever_the_workers(tmp_path, write_audio):
    stretches = []
    for number in range(20):
        write_audio(tmp_path / f"{number}.wav", seconds=0.05 + 0.01 * number)
        stretches.append(Stretch(tmp_path / f"{number}.wav"))
    alone = measure_all(stretches, "x", progress=False, workers=1)
    assert [round(m.duration, 3) for m in alone] == [round(0.05 + 0.01 * n, 3) for n in range(20)]
    assert measure_all(stretches, "x", progress=True, workers=4) == alone
    assert measure_all([], "x", progress=False, workers=None) == []
