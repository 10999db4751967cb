"""Small fake copies of corpora, in exactly their published form."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from emovec.corpora.measurements import Stretch

POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)


@pytest.fixture
def write_audio():
    """Writes short noise, another for each path, and makes folders."""

    def write(path: Path, seconds: float = 0.1, sample_rate: int = 16000) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(list(path.as_posix().encode()))
        wave = random.uniform(-0.5, 0.5, round(seconds * sample_rate))
        soundfile.write(path, wave, sample_rate)

    return write


@pytest.fixture
def write_pointer():
    """Writes what a checkout without Git LFS holds instead of audio."""

    def write(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(POINTER)

    return write


@pytest.fixture
def clips(tmp_path, write_audio):
    """Twenty clips in a folder, each longer than the one before."""
    folder = tmp_path / "clips"
    for number in range(20):
        write_audio(folder / f"{number}.wav", seconds=0.05 + 0.01 * number)
    return folder, [Stretch(f"{number}.wav") for number in range(20)]
