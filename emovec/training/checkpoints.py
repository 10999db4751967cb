"""Checkpoints that are whole or not there."""

import shutil
from pathlib import Path
from typing import Any

from speechbrain.utils.checkpoints import Checkpoint, Checkpointer
from speechbrain.utils.distributed import ddp_barrier, if_main_process

from emovec.errors import StorageError


class WholeCheckpointer(Checkpointer):
    """SpeechBrain's checkpointer, which moves a checkpoint into place only when all is written.

    Its own takes a folder for a checkpoint as soon as the first of its files is there, so that
    a run that was killed, or ran out of disk, while saving could not be resumed.
    """

    def save_checkpoint(self, *args: Any, **kwargs: Any) -> Checkpoint | None:
        """Save as SpeechBrain does.

        Raises:
            StorageError: if it cannot be written; older checkpoints are as they were
        """
        try:
            saved = super().save_checkpoint(*args, **kwargs)
            if saved is not None:  # None in all processes but the first
                whole = saved.path.with_name(saved.path.name.removeprefix("."))
                saved.path.rename(whole)
                files = {name: whole / path.name for name, path in saved.paramfiles.items()}
                saved = saved._replace(path=whole, paramfiles=files)
        except (OSError, RuntimeError) as error:  # torch raises the latter on a full disk
            raise StorageError(
                f"{self.checkpoints_dir}: a checkpoint could not be written ({error}); older ones "
                "are untouched. Free some space and start again to go on from them."
            ) from error
        finally:
            self._remove_halves()
        ddp_barrier()
        return saved

    def _new_checkpoint_dirpath(self) -> Path:
        path = super()._new_checkpoint_dirpath()
        return path.with_name(f".{path.name}")  # no checkpoint to SpeechBrain

    def _remove_halves(self) -> None:
        if if_main_process():
            for half in self.checkpoints_dir.glob(".CKPT+*"):
                shutil.rmtree(half, ignore_errors=True)
