"""Checkpoints are whole or not there, whatever happens while one is written."""

import errno
from pathlib import Path

import pytest
import torch
from torch import nn

from emovec.errors import StorageError
from emovec.training.checkpoints import WholeCheckpointer


def make(folder: Path) -> tuple[WholeCheckpointer, nn.Module, nn.Module]:
    first, second = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    return WholeCheckpointer(folder, recoverables={"a": first, "b": second}), first, second


def fill(module: nn.Module, value: float) -> None:
    nn.init.constant_(module.weight, value)


def names(folder: Path) -> list[str]:
    return sorted(path.name.split("+")[0] for path in folder.iterdir())


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    checkpointer, first, second = make(tmp_path)
    fill(first, 1.0)
    fill(second, 2.0)
    saved = checkpointer.save_checkpoint(meta={"error": 0.5})
    assert saved.path.is_dir() and saved.paramfiles["a"].is_file()
    again, one, two = make(tmp_path)
    found = again.recover_if_possible()
    assert (found.path, found.meta["error"]) == (saved.path, 0.5)
    assert (one.weight.item(), two.weight.item()) == (1.0, 2.0)


def test_the_newest_and_the_best_are_kept(tmp_path: Path) -> None:
    checkpointer, first, _ = make(tmp_path)
    for epoch, error in enumerate([2.0, 1.0, 3.0]):
        fill(first, epoch)
        checkpointer.save_and_keep_only(meta={"error": error}, min_keys=["error"])
    assert names(tmp_path) == ["CKPT", "CKPT"]
    assert checkpointer.find_checkpoint(min_key="error").meta["error"] == 1.0
    assert checkpointer.find_checkpoint().meta["error"] == 3.0


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("unexpected pos 64 vs 0")],
)
def test_a_full_disk_leaves_the_older_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The first of two files is written, half of the second."""
    checkpointer, first, _second = make(tmp_path)
    fill(first, 1.0)
    checkpointer.save_checkpoint()
    write = torch.save

    def save(values: object, path: Path) -> None:
        if Path(path).name == "b.ckpt":
            Path(path).write_bytes(b"half")
            raise error
        write(values, path)

    monkeypatch.setattr("torch.save", save)
    fill(first, 7.0)
    with pytest.raises(StorageError, match=r"a checkpoint could not be written .* Free some space"):
        checkpointer.save_checkpoint()
    assert names(tmp_path) == ["CKPT"]
    again, one, _ = make(tmp_path)
    assert again.recover_if_possible() is not None
    assert one.weight.item() == 1.0


def test_a_killed_run_leaves_nothing_that_is_taken_for_a_checkpoint(tmp_path: Path) -> None:
    """As it looks after a power cut: some files of the folder are there."""
    checkpointer, first, _ = make(tmp_path)
    half = checkpointer._new_checkpoint_dirpath()
    half.mkdir()
    checkpointer._save_checkpoint_metafile(half / "CKPT.yaml")
    torch.save(first.state_dict(), half / "a.ckpt")
    assert checkpointer.recover_if_possible() is None
    checkpointer.save_checkpoint()
    assert names(tmp_path) == ["CKPT"]  # and it is cleared away
