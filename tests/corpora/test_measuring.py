import hashlib
import math
import os
import struct

import numpy as np
import pytest
import soundfile

from emovec.corpora import measuring
from emovec.corpora.measurements import SILENCE, Measurement, Stretch
from emovec.corpora.measuring import measure, measure_all


def write(path, samples, sample_rate=16000, **how):
    soundfile.write(path, samples, sample_rate, **how)


def cut(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def test_facts_of_the_samples(tmp_path):
    samples = (np.arange(1600) % 100 * 300).astype(np.int16)
    write(tmp_path / "a.wav", samples)
    write(tmp_path / "a.flac", samples)
    values = [sample / 32768 for sample in samples.tolist()]
    power = sum(value * value for value in values) / len(values)
    expected = Measurement(
        duration=0.1,
        audio_hash=hashlib.blake2b(struct.pack("<1600f", *values), digest_size=8).hexdigest(),
        sample_rate=16000,
        peak=round(99 * 300 / 32768, 6),
        level=round(10 * math.log10(power), 2),
    )
    assert measure(tmp_path, Stretch("a.wav")) == expected
    assert measure(tmp_path, Stretch("a.flac")) == expected


def test_hash_of_known_samples(tmp_path):
    # manifests that were written before hold it
    write(tmp_path / "a.wav", np.zeros(400))
    expected = hashlib.blake2b(bytes(1600), digest_size=8).hexdigest()
    assert measure(tmp_path, Stretch("a.wav")).audio_hash == expected


def test_level_of_a_full_sine_is_3_db_below_full_scale(tmp_path):
    write(tmp_path / "a.wav", np.sin(np.arange(16000) / 16000 * 2 * np.pi * 100), subtype="FLOAT")
    facts = measure(tmp_path, Stretch("a.wav"))
    assert (facts.level, facts.peak) == (-3.01, 1.0)


def test_silence_has_the_lowest_level(tmp_path):
    write(tmp_path / "zeros.wav", np.zeros(1600))
    write(tmp_path / "faint.wav", np.full(1600, 1e-15), subtype="FLOAT")
    for name in ("zeros.wav", "faint.wav"):
        facts = measure(tmp_path, Stretch(name))
        assert (facts.level, facts.peak, facts.fault) == (SILENCE, 0.0, "")


def test_clipped_samples_of_all_channels(tmp_path):
    samples = np.zeros((1000, 2), dtype=np.int16)
    samples[:3, 0] = [32767, 32766, 32765]
    samples[:2, 1] = [-32768, -32766]
    write(tmp_path / "a.wav", samples)
    facts = measure(tmp_path, Stretch("a.wav"))
    assert facts.clipped == 4 / 2000
    assert facts.peak == 1.0


def test_samples_beyond_full_scale(tmp_path):
    samples = np.zeros(1000, dtype=np.float32)
    samples[0] = -1.5
    write(tmp_path / "a.wav", samples, subtype="FLOAT")
    facts = measure(tmp_path, Stretch("a.wav"))
    assert (facts.peak, facts.clipped) == (1.5, 0.001)
    write(tmp_path / "a.wav", np.full(1000, 1e30, dtype=np.float32), subtype="FLOAT")
    assert measure(tmp_path, Stretch("a.wav")).level == math.inf


def test_part_of_a_file_is_that_part_alone(tmp_path):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (32000, 2)).astype(np.float32)
    write(tmp_path / "long.wav", samples, subtype="FLOAT")
    write(tmp_path / "cut.wav", samples[8000:20000], subtype="FLOAT")
    part = measure(tmp_path, Stretch("cut.wav"))
    assert part.duration == 0.75
    assert measure(tmp_path, Stretch("long.wav", 0.5, 1.25)) == part
    to_end = measure(tmp_path, Stretch("long.wav", 0.5))
    assert to_end.duration == 1.5
    # published ends are rounded
    assert measure(tmp_path, Stretch("long.wav", 0.5, 2.004)) == to_end


@pytest.mark.parametrize(
    ("start", "stop"), [(0.5, 2.1), (3.0, None), (-0.5, 1.0), (1.0, 0.5), (None, -1.0)]
)
def test_ends_outside_the_file(tmp_path, start, stop):
    write(tmp_path / "a.wav", np.zeros(32000))
    fault = measure(tmp_path, Stretch("a.wav", start, stop)).fault
    assert "expected to be within 2.000 s" in fault


@pytest.mark.parametrize("seconds", [0, 0.0249])
def test_too_short(tmp_path, seconds):
    write(tmp_path / "a.wav", np.zeros(int(seconds * 16000)))
    assert "expected at least 0.025 s" in measure(tmp_path, Stretch("a.wav")).fault


def test_one_frame_is_long_enough(tmp_path):
    write(tmp_path / "a.wav", np.zeros(400))
    assert measure(tmp_path, Stretch("a.wav")).fault == ""


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers(tmp_path, value):
    samples = np.zeros(1600, dtype=np.float32)
    samples[700] = value
    write(tmp_path / "a.wav", samples, subtype="FLOAT")
    assert "NaN or infinite" in measure(tmp_path, Stretch("a.wav")).fault


def test_files_that_are_no_audio(tmp_path, write_pointer):
    write_pointer(tmp_path / "pointer.wav")
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("nothing to hear")
    faults = [
        measure(tmp_path, Stretch(name)).fault
        for name in ("pointer.wav", "empty.wav", "text.wav", "absent.wav")
    ]
    for fault, said in zip(
        faults, ["git lfs pull", "empty file", "cannot be read", "not found"], strict=True
    ):
        assert said in fault


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "ULAW"])
def test_wav_that_ends_early(tmp_path, subtype):
    path = tmp_path / "a.wav"
    write(path, np.random.default_rng(0).uniform(-0.5, 0.5, (16000, 2)), subtype=subtype)
    assert measure(tmp_path, Stretch("a.wav")).missing == 0
    frame = os.path.getsize(path) // 16000
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 4000 * frame)
    facts = measure(tmp_path, Stretch("a.wav"))
    assert facts.missing == pytest.approx(0.25, abs=1e-4)
    assert facts.duration == pytest.approx(0.75, abs=0.01)
    assert facts.fault == ""
    # a fact of the file, whichever part is read
    assert measure(tmp_path, Stretch("a.wav", 0.1, 0.2)).missing == facts.missing


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFF000])
def test_wav_written_to_a_pipe_misses_nothing(tmp_path, size):
    path = tmp_path / "a.wav"
    write(path, np.full(16000, 0.1))
    content = path.read_bytes()
    assert content[36:40] == b"data"
    path.write_bytes(content[:40] + struct.pack("<I", size) + content[44:])
    facts = measure(tmp_path, Stretch("a.wav"))
    assert (facts.duration, facts.missing, facts.fault) == (1.0, 0.0, "")


def test_wav_whose_header_was_never_finished(tmp_path):
    path = tmp_path / "a.wav"
    write(path, np.full(16000, 0.1))
    content = path.read_bytes()
    path.write_bytes(content[:40] + bytes(4) + content[44:])
    facts = measure(tmp_path, Stretch("a.wav"))  # libsndfile finds no samples there
    assert facts.missing == 0 and "lasts 0.0000 s" in facts.fault


def test_chunks_before_and_after_the_samples(tmp_path):
    path = tmp_path / "a.wav"
    write(path, np.full(16001, 0.1), subtype="PCM_U8")
    content = path.read_bytes()
    odd = b"LIST" + struct.pack("<I", 5) + b"hello\0"
    size = struct.pack("<I", 16001)
    samples = content[44:][:16001]
    path.write_bytes(content[:36] + odd + b"data" + size + samples + b"\0" + odd)
    assert measure(tmp_path, Stretch("a.wav")).missing == 0
    path.write_bytes(content[:36] + odd + b"data" + size + samples[:8001])
    assert measure(tmp_path, Stretch("a.wav")).missing == 0.5


def test_flac_that_ends_early(tmp_path):
    write(tmp_path / "a.flac", np.random.default_rng(0).uniform(-0.5, 0.5, 32000))
    assert measure(tmp_path, Stretch("a.flac")).missing == 0
    cut(tmp_path / "a.flac", 0.6)
    facts = measure(tmp_path, Stretch("a.flac"))
    assert 0.8 <= facts.missing < 1.2
    assert "breaks off after" in facts.fault and "expected 2.00 s" in facts.fault
    # what lies before the end can be used
    assert measure(tmp_path, Stretch("a.flac", 0.0, 0.5)).fault == ""


@pytest.mark.parametrize("name", ["a.ogg", "a.aiff", "a.au", "a.mp3", "a.w64", "a.caf"])
def test_whole_files_miss_nothing(tmp_path, name):
    if name[2:].upper() not in soundfile.available_formats():
        pytest.skip(f"this libsndfile writes no {name[2:]}")
    write(tmp_path / name, np.random.default_rng(0).uniform(-0.5, 0.5, 32000))
    facts = measure(tmp_path, Stretch(name))
    assert (facts.missing, facts.fault) == (0.0, "")


@pytest.mark.parametrize("at_once", [1, 7, 20, 32])
def test_many_in_order_whatever_the_workers(clips, monkeypatch, at_once):
    monkeypatch.setattr(measuring, "_AT_ONCE", at_once)
    folder, stretches = clips
    alone = measure_all(folder, stretches, "x", progress=False, workers=1)
    assert [round(m.duration, 3) for m in alone] == [round(0.05 + 0.01 * n, 3) for n in range(20)]
    assert measure_all(folder, stretches, "x", progress=True, workers=4) == alone
    assert measure_all(folder, [], "x", progress=False, workers=None) == []


def test_the_same_sound_has_the_same_hash(tmp_path):
    mono = np.random.default_rng(0).uniform(-0.5, 0.5, 1600).astype(np.float32)
    mono[5] = 0.0
    negative = mono.copy()
    negative[5] = -0.0
    other = np.stack([mono, mono[::-1]], axis=1)
    waves = {"mono": mono, "stereo": np.stack([mono] * 2, axis=1), "zero": negative, "other": other}
    for name, wave in waves.items():
        write(tmp_path / f"{name}.wav", wave, subtype="FLOAT")
    facts = {name: measure(tmp_path, Stretch(f"{name}.wav")) for name in waves}
    assert facts["stereo"] == facts["zero"] == facts["mono"]
    assert facts["other"].audio_hash != facts["mono"].audio_hash
