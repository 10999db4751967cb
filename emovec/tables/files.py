"""Files that are whole or not there: written beside, then moved into place.

And what tells audio from other files, and from the text that stands for it without Git LFS.
"""

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from emovec.errors import StorageError

AUDIO_SUFFIXES = frozenset(
    {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au", ".caf", ".sph", ".w64"}
)


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def write_atomically(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """A file to write that replaces ``path`` only when the block ends well.

    Raises:
        StorageError: if the disk is full or the folder cannot be written; ``path`` is then as
            it was, and no temporary file is left
    """
    encoding = None if "b" in mode else "utf-8"
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            mode, dir=path.parent, prefix=f".{path.name}.", delete=False, encoding=encoding
        ) as file:
            temporary = Path(file.name)
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise StorageError(
            f"{path}: could not be written ({error.strerror or error}); "
            f"the old file, if any, is untouched. {what_to_do(error)}"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextmanager
def folder_atomically(path: Path) -> Iterator[Path]:
    """A temporary folder that becomes ``path`` only when the block ends well.

    Raises:
        StorageError: if the folder cannot be written; an old ``path`` is then as it was
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    except OSError as error:
        raise StorageError(
            f"{path}: could not be made ({error.strerror or error}). {what_to_do(error)}"
        ) from error
    try:
        yield temporary
        temporary.chmod(0o755)
        old = temporary.with_name(f"{temporary.name}.old")
        if path.exists():
            path.rename(old)
        try:
            temporary.replace(path)
        except OSError:
            if old.exists():
                old.rename(path)
            raise
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise StorageError(
            f"{path}: could not be written ({error.strerror or error}). {what_to_do(error)}"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def what_to_do(error: OSError) -> str:
    """Advice on a file that could not be written.

    >>> what_to_do(OSError(errno.ENOSPC, "")), what_to_do(OSError(errno.EACCES, ""))
    ('Free some space or choose another folder.', 'Choose another folder.')
    """
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return f"{'Free some space or choose' if full else 'Choose'} another folder."


def is_git_lfs_pointer(path: Path) -> bool:
    """Whether a file is the text that a checkout without Git LFS leaves instead of it."""
    mark = b"version https://git-lfs"
    with path.open("rb") as file:
        return file.read(len(mark)) == mark
