"""The table of measurements: reused, mended, left behind by killed runs, and not to be written."""

import csv
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from emovec.corpora import measurements, measuring
from emovec.corpora.measurements import Stretch
from emovec.corpora.measuring import measure_all
from emovec.errors import StorageError


@pytest.fixture
def measured(monkeypatch):
    """Paths of clips that were decoded."""
    paths = []
    plain = measuring.measure

    def watched(root, stretch):
        paths.append(stretch.path)
        return plain(root, stretch)

    monkeypatch.setattr(measuring, "measure", watched)
    return paths


def run(clips, **options):
    folder, stretches = clips
    return measure_all(folder, stretches, "x", progress=False, workers=2, **options)


def test_the_cache_is_a_table_for_people(clips, tmp_path):
    folder, stretches = clips
    part = Stretch("19.wav", 0.1, 0.2)
    found = run((folder, [*stretches, part]), cache=tmp_path / "cache.csv")
    with (tmp_path / "cache.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 21
    facts = (folder / "3.wav").stat()
    assert rows[3] == {
        "measurer": "2",
        "path": "3.wav",
        "start": "",
        "stop": "",
        "size": str(facts.st_size),
        "modified": str(facts.st_mtime_ns),
        "duration": "0.08",
        "audio_hash": found[3].audio_hash,
        "sample_rate": "16000",
        "peak": str(found[3].peak),
        "level": str(found[3].level),
        "clipped": "0.0",
        "missing": "0.0",
        "fault": "",
    }
    assert (rows[20]["start"], rows[20]["stop"]) == ("0.1", "0.2")


def test_the_second_time_nothing_is_decoded_or_written(clips, tmp_path, measured):
    cache = tmp_path / "new" / "cache.csv"
    first = run(clips, cache=cache)
    assert sorted(measured) == sorted(stretch.path for stretch in clips[1])
    written = cache.stat().st_ino
    measured.clear()
    assert run(clips, cache=cache) == first
    assert measured == []
    assert cache.stat().st_ino == written  # an atomic rewrite would be another file


def test_changed_files_are_measured_again(clips, tmp_path, measured, write_audio):
    folder, _stretches = clips
    cache = tmp_path / "cache.csv"
    run(clips, cache=cache)
    measured.clear()
    write_audio(folder / "4.wav", seconds=0.5)
    same_size = (folder / "7.wav").stat()
    os.utime(folder / "7.wav", ns=(same_size.st_atime_ns, same_size.st_mtime_ns + 1))
    assert run(clips, cache=cache)[4].duration == 0.5
    assert sorted(measured) == ["4.wav", "7.wav"]
    measured.clear()
    assert run(clips, cache=cache)[4].duration == 0.5
    assert measured == []


def test_clips_of_other_calls_leave_the_cache(clips, tmp_path, measured):
    folder, stretches = clips
    cache = tmp_path / "cache.csv"
    run(clips, cache=cache)
    measured.clear()
    run((folder, stretches[5:]), cache=cache)
    assert measured == []
    assert len(cache.read_text().splitlines()) == 16


def test_faulty_clips_are_measured_again(clips, tmp_path, measured):
    folder, stretches = clips
    (folder / "0.wav").write_bytes(b"")
    cache = tmp_path / "cache.csv"
    wanted = (folder, [*stretches, Stretch("absent.wav")])
    for _ in range(2):
        measured.clear()
        found = run(wanted, cache=cache)
        assert "empty file" in found[0].fault and "not found" in found[-1].fault
    assert sorted(measured) == ["0.wav", "absent.wav"]


def test_the_same_clip_twice(clips, tmp_path):
    folder, stretches = clips
    for _ in range(2):
        twice = run((folder, [stretches[0], stretches[1], stretches[0]]), cache=tmp_path / "c.csv")
        assert twice[0] == twice[2] != twice[1]


def test_torn_caches_are_mended(clips, tmp_path, measured):
    cache = tmp_path / "cache.csv"
    whole = run(clips, cache=cache)
    content = cache.read_bytes()
    starts = [place + 1 for place in range(len(content)) if content[place : place + 1] == b"\n"]
    for end in (*range(starts[-3], starts[-2] + 1), 0, 5, starts[0] - 1):
        cache.write_bytes(content[:end])
        measured.clear()
        assert run(clips, cache=cache) == whole
        assert len(measured) == 20 - max(content[:end].count(b"\n") - 1, 0)
        assert cache.read_bytes() == content


@pytest.mark.parametrize("damage", [b"a line of text\n", b"\xff\xfe\x00\x01\n", b'"open\n', b"\n"])
def test_what_stands_above_a_damaged_line_is_used(clips, tmp_path, measured, damage):
    cache = tmp_path / "cache.csv"
    whole = run(clips, cache=cache)
    lines = cache.read_bytes().splitlines(keepends=True)
    cache.write_bytes(b"".join([*lines[:11], damage, *lines[11:]]))
    measured.clear()
    assert run(clips, cache=cache) == whole
    assert sorted(measured) == sorted(f"{number}.wav" for number in range(10, 20))
    assert cache.read_bytes() == b"".join(lines)


def test_a_table_with_other_columns_is_not_used(clips, tmp_path, measured):
    cache = tmp_path / "cache.csv"
    whole = run(clips, cache=cache)
    content = cache.read_text()
    cache.write_text(content.replace("level", "loudness", 1))
    measured.clear()
    assert run(clips, cache=cache) == whole
    assert len(measured) == 20
    assert cache.read_text() == content


KILLED = """
import os, signal, sys
from pathlib import Path
from emovec.corpora import measurements, measuring

measurements.SAVED_EVERY = 0.0
plain, left = measurements.append, int(sys.argv[3])

def append(cache, table):
    global left
    plain(cache, table)
    left -= 1
    if left == 0:
        with cache.open("ab") as file:
            file.write(b"19.wav,,,12")
        os.kill(os.getpid(), signal.SIGKILL)

measurements.append = append
stretches = [measurements.Stretch(f"{number}.wav") for number in range(20)]
measuring.measure_all(Path(sys.argv[1]), stretches, "x", False, 2, Path(sys.argv[2]))
"""


def test_a_killed_run_goes_on_where_it_stopped(clips, tmp_path, measured):
    cache = tmp_path / "cache.csv"
    for saved in (7, 5):  # killed twice
        command = [sys.executable, "-c", textwrap.dedent(KILLED), clips[0], cache, str(saved)]
        assert subprocess.run(command).returncode == -signal.SIGKILL
    found = run(clips, cache=cache)
    assert sorted(measured) == sorted(f"{number}.wav" for number in range(12, 20))
    assert found == run(clips)
    assert len(cache.read_text().splitlines()) == 21


def test_names_with_commas_quotes_newlines_and_no_utf8(tmp_path, measured, write_audio):
    names = ["a,b.wav", 'a"b.wav', "ä 音.wav", "a\nb.wav", "a\rb.wav"]
    for name in names:
        write_audio(tmp_path / name)
    bytes_name = os.fsdecode(b"caf\xe9.wav")
    try:
        with open(tmp_path / bytes_name, "wb") as file:
            file.write((tmp_path / "a,b.wav").read_bytes())
    except OSError:
        pass  # some file systems refuse such names; then it has a fault, and must not crash either
    stretches = [Stretch(name) for name in (*names, bytes_name)]
    first = run((tmp_path, stretches), cache=tmp_path / "cache.csv")
    assert not any(facts.fault for facts in first[:5])
    assert run((tmp_path, stretches), cache=tmp_path / "cache.csv") == first
    assert "ä 音.wav" in (tmp_path / "cache.csv").read_text(errors="surrogateescape")


def test_a_cache_that_cannot_be_written(clips, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cache\.csv: could not be written"):
        run(clips, cache=tmp_path / "file" / "cache.csv")
    # or no longer, while measuring
    monkeypatch.setattr(measurements, "SAVED_EVERY", 0.0)
    monkeypatch.setattr(measurements, "open_table", lambda cache: {})
    with pytest.raises(StorageError, match=r"cache\.csv: could not be written"):
        run(clips, cache=tmp_path / "no folder" / "cache.csv")


def test_what_another_version_has_measured_is_measured_again(clips, tmp_path):
    cache = tmp_path / "cache.csv"
    expected = run(clips, cache=cache)
    header, *lines = cache.read_text().splitlines()
    wrong = [
        line.replace(found.audio_hash, "0" * 16)
        for line, found in zip(lines, expected, strict=True)
    ]
    cache.write_text("\n".join([header, *wrong]) + "\n")
    assert {found.audio_hash for found in run(clips, cache=cache)} == {"0" * 16}  # taken as it is
    cache.write_text("\n".join([header, *(f"1{line[1:]}" for line in wrong)]) + "\n")
    assert run(clips, cache=cache) == expected
