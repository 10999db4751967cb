import errno
import os
import shutil

import pytest

from emovec.errors import StorageError
from emovec.tables.files import folder_atomically, write_atomically


def full(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_writes_text_and_bytes_and_makes_folders(tmp_path):
    with write_atomically(tmp_path / "a" / "b" / "text.csv") as file:
        file.write("é\n")
    with write_atomically(tmp_path / "a" / "bytes.bin", "wb") as file:
        file.write(b"\x00")
    assert (tmp_path / "a" / "b" / "text.csv").read_bytes() == "é\n".encode()
    assert (tmp_path / "a" / "bytes.bin").read_bytes() == b"\x00"
    assert names(tmp_path / "a") == ["b", "bytes.bin"]


def test_replaces_only_at_the_end(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with write_atomically(path) as file:
        file.write("new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    path = tmp_path / "table.csv"
    path.write_text("old")
    monkeypatch.setattr(os, step, full)
    monkeypatch.setattr("pathlib.Path.replace", full)
    with (
        pytest.raises(StorageError, match=r"table\.csv.*No space left") as raised,
        write_atomically(path) as file,
    ):
        file.write("new")
    assert isinstance(raised.value.__cause__, OSError)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["table.csv"]


def test_a_disk_that_fills_up_while_writing(tmp_path):
    class Full:
        def __str__(self):
            full()

    with (
        pytest.raises(StorageError, match="No space left"),
        write_atomically(tmp_path / "new.csv") as file,
    ):
        file.write("first line\n")
        file.write(str(Full()))
    assert names(tmp_path) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux' /dev/full")
def test_a_truly_full_device(tmp_path, monkeypatch):
    device = open("/dev/full", "w")  # noqa: SIM115
    stand_in = tmp_path / ".table.csv.temporary"

    def full_file(*_args, **_kwargs):
        stand_in.touch()
        return _Named(device, stand_in)

    monkeypatch.setattr("tempfile.NamedTemporaryFile", full_file)
    with (
        pytest.raises(StorageError, match="No space left"),
        write_atomically(tmp_path / "table.csv") as file,
    ):
        file.write("x" * 100_000)
    assert names(tmp_path) == []


class _Named:
    """A file that claims another name, as a context manager."""

    def __init__(self, file, name):
        self.file, self.name = file, name

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        try:
            self.file.close()
        except OSError:
            return False

    def write(self, text):
        return self.file.write(text)

    def flush(self):
        self.file.flush()

    def fileno(self):
        return self.file.fileno()


def test_other_errors_pass_and_leave_nothing(tmp_path):
    with (
        pytest.raises(KeyError),
        write_atomically(tmp_path / "table.csv") as file,
    ):
        file.write("half")
        raise KeyError("row 7")
    with (
        pytest.raises(KeyboardInterrupt),
        write_atomically(tmp_path / "table.csv"),
    ):
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_a_folder_that_is_a_file_is_a_storage_error(tmp_path):
    (tmp_path / "file").touch()
    for writer in (write_atomically, folder_atomically):
        with (
            pytest.raises(StorageError, match=r"Not a directory|File exists"),
            writer(tmp_path / "file" / "table.csv"),
        ):
            pass


def test_a_folder_appears_whole_and_replaces_the_old_one(tmp_path):
    path = tmp_path / "model"
    for content in ("first", "second"):
        with folder_atomically(path) as folder:
            (folder / f"{content}.json").write_text(content)
        assert names(path) == [f"{content}.json"]
    assert names(tmp_path) == ["model"]


def test_a_folder_on_a_full_disk_leaves_the_old_one(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "weights").write_text("old")
    with (
        pytest.raises(StorageError, match="No space left"),
        folder_atomically(path) as folder,
    ):
        (folder / "weights").write_text("half")
        full()
    assert (path / "weights").read_text() == "old"
    assert names(tmp_path) == ["model"]


def test_a_folder_that_cannot_be_moved_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "model"
    path.mkdir()
    (path / "weights").write_text("old")
    monkeypatch.setattr("pathlib.Path.replace", full)
    with (
        pytest.raises(StorageError, match="No space left"),
        folder_atomically(path) as folder,
    ):
        (folder / "weights").write_text("new")
    assert (path / "weights").read_text() == "old"
    assert names(tmp_path) == ["model"]


def test_a_folder_whose_block_fails_is_removed(tmp_path):
    with (
        pytest.raises(ValueError, match="bad row"),
        folder_atomically(tmp_path / "model") as folder,
    ):
        shutil.copy(__file__, folder / "copy.py")
        raise ValueError("bad row")
    assert names(tmp_path) == []


@pytest.mark.parametrize("space", [False, True])
def test_only_a_full_disk_needs_space(tmp_path, monkeypatch, space):
    error = OSError(errno.ENOSPC if space else errno.EACCES, "no")

    def fail(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError) as caught, write_atomically(tmp_path / "table.csv"):
        pass
    assert ("Free some space" in str(caught.value)) == space
    assert "hoose another folder." in str(caught.value)
