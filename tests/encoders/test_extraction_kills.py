"""Extractions that are killed at random moments, by the system and for good."""

import multiprocessing
import random
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import torch.distributed

from emovec.audio.inputs import collect
from emovec.encoders.extraction import extract_table
from emovec.encoders.resnet import ResNet
from emovec.metrics.pair_blocks import ALONE, Processes
from emovec.tables.embedding_shards import read_embeddings

pytestmark = pytest.mark.slow

KILLS = 20
CLIPS = 240
# one process imports everything once, and each extraction is a fork of it
FORKS = multiprocessing.get_context("forkserver")


def join(server: Path, rank: int, count: int) -> Processes:
    """Processes as ``torchrun`` would make them."""
    method = f"file://{server}"
    torch.distributed.init_process_group("gloo", method, rank=rank, world_size=count)

    def gather(value: Any) -> list[Any]:
        values = [None] * count
        torch.distributed.all_gather_object(values, value)
        return values

    return Processes(rank, count, gather)


def extract(folder: Path, data: Path, begun: Any, server: Path, rank: int, count: int) -> None:
    """What is killed."""
    torch.manual_seed(0)
    encoder = ResNet(channels=(4, 6), blocks=(1, 1), embedding_size=10)
    clips = collect([data])
    begun.set()
    extract_table(
        encoder,
        clips.utterances,
        clips.root,
        folder,
        name="small",
        on_error="skip",
        shard_clips=7,
        workers=2,
        processes=join(server, rank, count) if count > 1 else ALONE,
    )
    if count > 1:
        torch.distributed.destroy_process_group()


def start(folder: Path, data: Path, count: int = 1) -> list[Any]:
    """Processes that share an extraction, once they have begun."""
    server = folder.parent / f"{time.monotonic_ns()}"
    begun = [FORKS.Event() for _ in range(count)]
    processes = [
        FORKS.Process(target=extract, args=(folder, data, begun[rank], server, rank, count))
        for rank in range(count)
    ]
    for process in processes:
        process.start()
    assert all(event.wait(60) for event in begun)
    return processes


def end(processes: list[Any], kill: bool) -> list[int]:
    """How processes ended."""
    for process in processes:
        if kill:
            process.kill()
    for process in processes:
        process.join(120)
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.close()
    return codes


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise of ragged lengths; a clip is silent, another no audio."""
    folder = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    for number in range(CLIPS):
        wave = generator.normal(0, 0.1, generator.integers(8000, 80000)) * (number != 33)
        soundfile.write(folder / f"{number:03d}.wav", wave, 16000)
    (folder / "050.wav").write_text("no audio")
    return folder


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], float]:
    """Files of an unbroken run, and the seconds that it takes."""
    FORKS.set_forkserver_preload(["emovec.encoders.extraction", "emovec.encoders.resnet"])
    folder = tmp_path_factory.mktemp("whole")
    for name in ("first", "table"):  # the first one waits for the imports
        started = time.monotonic()
        assert end(start(folder / name, data), kill=False) == [0]
    table = read_embeddings(folder / "table")
    assert table.extraction and table.extraction.written == CLIPS - 2
    return contents(folder / "table"), time.monotonic() - started


def test_twenty_kills_change_no_byte(data: Path, tmp_path: Path, whole: tuple) -> None:
    expected, seconds = whole
    moments = random.Random(0)
    folder, killed, broken = tmp_path / "table", 0, 0
    while killed < KILLS:
        processes = start(folder, data)
        time.sleep(moments.uniform(0, seconds / 2))  # few runs come through at once
        killed += end(processes, kill=True) == [-signal.SIGKILL]
        if (folder / "extract.json").is_file() and contents(folder) != expected:
            broken += 1
        elif folder.is_dir() and contents(folder) == expected:
            folder = tmp_path / f"table after {killed} kills"
    assert broken > KILLS / 4
    assert end(start(folder, data), kill=False) == [0]
    assert contents(folder) == expected


def test_processes_that_are_killed_and_go_on(data: Path, tmp_path: Path, whole: tuple) -> None:
    expected, seconds = whole
    processes = start(tmp_path / "table", data, count=2)
    time.sleep(seconds / 3)
    end(processes, kill=True)
    assert end(start(tmp_path / "table", data, count=2), kill=False) == [0, 0]
    assert contents(tmp_path / "table") == expected
