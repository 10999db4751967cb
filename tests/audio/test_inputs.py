"""What may be named as input: ids that never collide, links that go round, what is refused."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emovec.audio.inputs import collect
from emovec.errors import AudioError, HparamError, ManifestError
from emovec.tables.manifest import Utterance, write_manifest
from emovec.tables.splits import manifest_hash

NAMES = ["a/x.wav", "a/y.flac", "b/c/x.wav", "b/x.wav", "x.wav"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Audio of one base name in several folders, and what is none."""
    for name in NAMES:
        write(tmp_path / "data" / name)
    for name in ("notes.txt", ".hidden.wav", ".git/a.wav", "a/._x.wav"):
        write(tmp_path / "data" / name)
    return tmp_path / "data"


def write(path: Path, samples: int = 800, rate: int = 8000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    format_ = "FLAC" if path.suffix == ".flac" else "WAV"
    soundfile.write(path, np.zeros(samples), rate, format=format_)
    return path


def ids(*inputs: str | Path) -> list[str]:
    found = collect(inputs)
    assert found.manifest_hash == manifest_hash(found.utterances)
    for utterance in found.utterances:
        assert utterance.path == utterance.id and (found.root / utterance.path).is_file()
    return [utterance.id for utterance in found.utterances]


def test_a_folder_with_all_below(folder: Path) -> None:
    assert ids(folder) == NAMES
    assert collect([folder]).root == folder
    assert collect([folder]).skipped == ()


def test_durations_are_those_of_the_headers(folder: Path) -> None:
    write(folder / "a" / "z.wav", samples=22050, rate=44100)
    durations = {u.id: u.duration for u in collect([folder / "a"]).utterances}
    assert durations == {"x.wav": 0.1, "y.flac": 0.1, "z.wav": 0.5}


def test_files_below_their_common_folder(folder: Path) -> None:
    assert ids(folder / "x.wav") == ["x.wav"]
    assert ids(folder / "b" / "x.wav", folder / "a" / "x.wav") == ["a/x.wav", "b/x.wav"]
    assert ids(folder / "b" / "c", folder / "a" / "x.wav") == ["a/x.wav", "b/c/x.wav"]
    assert ids(folder / "b" / ".." / "a", folder / "a" / "x.wav") == ["x.wav", "y.flac"]


def test_relative_inputs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "a")
    assert ids(".") == ids("*") == ["x.wav", "y.flac"]
    assert ids("../b/x.wav", "x.wav") == ["a/x.wav", "b/x.wav"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.wav", ["x.wav"]),
        ("*/x.wav", ["a/x.wav", "b/x.wav"]),
        ("**/*.flac", ["a/y.flac"]),
        ("[ab]", ["a/x.wav", "a/y.flac", "b/c/x.wav", "b/x.wav"]),
        ("b/*", ["c/x.wav", "x.wav"]),
        ("*", NAMES),
    ],
)
def test_globs_below_their_fixed_part(folder: Path, pattern: str, expected: list[str]) -> None:
    assert ids(f"{folder}/{pattern}") == expected


def test_a_name_that_looks_like_a_glob_is_the_file(folder: Path) -> None:
    write(folder / "take[1].wav")
    write(folder / "take1.wav")
    assert ids(folder / "take[1].wav") == ["take[1].wav"]


def test_an_explicit_file_is_taken_whatever_its_suffix(folder: Path) -> None:
    assert ids(folder / "notes.txt") == ["notes.txt"]


@pytest.mark.parametrize("name", ["a b.wav", " a.wav", "line\nbreak.wav", "Łódź ✓.wav", "a@0.wav"])
def test_names_of_any_kind(tmp_path: Path, name: str) -> None:
    write(tmp_path / "data" / name)
    assert ids(tmp_path / "data") == [name]


def test_a_name_that_is_no_text_is_listed(folder: Path) -> None:
    try:
        soundfile.write(os.fsencode(folder) + b"/\xff.wav", np.zeros(9), 8000)
    except OSError:
        pytest.skip("this file system has no such names")
    found = collect([folder])
    assert [u.id for u in found.utterances] == NAMES
    (skip,) = found.skipped
    assert skip.id == "\\udcff.wav" and "not UTF-8" in skip.reason


def test_audio_that_is_not_read_is_listed(folder: Path) -> None:
    (folder / "b" / "x.m4a").touch()
    found = collect([folder])
    assert [u.id for u in found.utterances] == NAMES
    assert [skip.id for skip in found.skipped] == ["b/x.m4a"]
    assert "ffmpeg -i a.m4a" in found.skipped[0].reason
    with pytest.raises(AudioError, match=r"no audio files found \(x\.m4a is \.m4a, which is not"):
        collect([folder / "b" / "x.m4a"])


def test_links_go_round_without_end(folder: Path) -> None:
    (folder / "a" / "self").symlink_to(folder / "a")
    (folder / "b" / "up").symlink_to(folder)
    (folder / "b" / "up2").symlink_to("..")
    (folder / "loop").symlink_to("loop")
    (folder / "loop.wav").symlink_to("loop.wav")
    expected = sorted([*NAMES, "loop.wav"])
    assert [u.id for u in collect([folder]).utterances] == expected
    assert [u.id for u in collect([f"{folder}/**/*"]).utterances] == expected
    assert ids(folder / "b") == ["c/x.wav", "x.wav"]  # no way out


def test_links_that_lead_to_each_other(folder: Path) -> None:
    (folder / "a" / "to_b").symlink_to(folder / "b")
    (folder / "b" / "to_a").symlink_to(folder / "a")
    assert ids(folder) == NAMES
    assert ids(folder / "a") == ["to_b/c/x.wav", "to_b/x.wav", "x.wav", "y.flac"]


def test_a_linked_folder_outside_is_followed_under_the_name_of_the_link(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "a.wav")
    write(tmp_path / "data" / "z.wav")
    (tmp_path / "data" / "linked").symlink_to(tmp_path / "elsewhere")
    assert ids(tmp_path / "data") == ["linked/a.wav", "z.wav"]


def test_what_has_no_header_is_left_for_reading_to_tell(folder: Path) -> None:
    (folder / "a" / "empty.wav").touch()
    (folder / "a" / "gone.wav").symlink_to("nowhere.wav")
    os.mkfifo(folder / "a" / "pipe.wav")  # opening it would never end
    durations = {u.id: u.duration for u in collect([folder / "a"]).utterances}
    assert durations == {"x.wav": 0.1, "y.flac": 0.1, "empty.wav": 0, "gone.wav": 0, "pipe.wav": 0}


def test_a_folder_that_looks_like_a_file(tmp_path: Path) -> None:
    write(tmp_path / "data" / "take.wav" / "a.wav")
    assert ids(tmp_path / "data") == ["take.wav/a.wav"]


@pytest.mark.parametrize("name", ["nowhere", "nowhere.wav", "nowhere/*.wav", "a/*.mp3"])
def test_nothing_there(folder: Path, name: str) -> None:
    with pytest.raises(AudioError, match=r"not found; expected|no audio files found"):
        collect([f"{folder}/{name}"])


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="no audio files found; expected"):
        collect([tmp_path])


def test_a_folder_that_cannot_be_listed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> list[str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(AudioError, match=r"cannot be listed \(Permission denied\)"):
        collect([folder])


def test_no_inputs() -> None:
    with pytest.raises(HparamError, match="expected files, folders and globs, or one manifest"):
        collect([])


# --- Manifests


@pytest.fixture
def manifest(folder: Path) -> Path:
    rows = [
        Utterance("2", "b/x.wav", 0.02, 0.08, 0.06, speaker="s"),
        Utterance("1", "a/y.flac", None, None, 0.1),
    ]
    write_manifest(folder / "manifest.csv", rows)
    return folder / "manifest.csv"


def test_a_prepared_folder_is_its_manifest(manifest: Path) -> None:
    assert collect([manifest.parent]) == collect([manifest])


def test_a_manifest_keeps_ids_and_order(manifest: Path) -> None:
    found = collect([manifest])
    assert [u.id for u in found.utterances] == ["2", "1"]
    assert found.utterances[0].start == 0.02 and found.utterances[0].speaker == "s"
    assert found.root == manifest.parent
    assert found.manifest_hash == manifest_hash(found.utterances)


def test_the_data_folder_of_a_prepared_manifest(manifest: Path, tmp_path: Path) -> None:
    prepared = tmp_path / "prepared"
    prepared.mkdir()
    manifest.rename(prepared / "manifest.csv")
    facts = {"fingerprint": "", "data_folder": str(manifest.parent), "tables": {}}
    (prepared / "prepared.json").write_text(json.dumps(facts))
    assert collect([prepared / "manifest.csv"]).root == manifest.parent
    (prepared / "prepared.json").write_text("no JSON")
    assert collect([prepared / "manifest.csv"]).root == prepared
    (prepared / "prepared.json").write_text(json.dumps({**facts, "data_folder": "/nowhere"}))
    with pytest.raises(ManifestError, match=r"prepared from /nowhere, which is not there"):
        collect([prepared / "manifest.csv"])


def test_a_manifest_stands_alone(manifest: Path, folder: Path) -> None:
    with pytest.raises(HparamError, match="or one manifest"):
        collect([manifest, folder])
    with pytest.raises(ManifestError, match="not found"):
        collect([folder / "none.csv"])
