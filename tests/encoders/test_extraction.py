"""Extraction to a folder: clips as if alone, the same bytes however it is stopped and shared."""

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from emovec.audio.inputs import collect
from emovec.audio.loading import load
from emovec.encoders import pieces
from emovec.encoders.base import Encoder
from emovec.encoders.extraction import embed_clips, extract_table
from emovec.encoders.precision import Compute
from emovec.encoders.resnet import ResNet
from emovec.errors import AudioError, HparamError, StorageError
from emovec.metrics.pair_blocks import Processes
from emovec.tables import embedding_shards
from emovec.tables.embedding_shards import done_shards, read_embeddings
from emovec.tables.embeddings import EmbeddingError, Embeddings, Extraction
from emovec.tables.manifest import Utterance

RATE = 16000
SAMPLES = [5000, 9000, 700, 12345, 5000, 399, 16000, 400, 20000, 9000, 3000]


class Moments(Encoder):
    """Mean, power and length of a clip; notes which lengths came together, and fails if asked."""

    embedding_size, frame_size, sample_rate, shortest = 3, 1, RATE, 400
    needs_speech = True

    def __init__(self, padding_safe: bool = True, calls: int = 10**6) -> None:
        super().__init__()
        self.padding_safe = padding_safe
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.seen: list[list[int]] = []
        self.calls = calls  # before it is interrupted

    def hears(self, waves: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        self.check(waves, lengths)
        return waves.abs().amax(dim=1) > 0

    def forward(self, waves: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        self.check(waves, lengths)
        if self.training or not torch.is_inference_mode_enabled():
            raise RuntimeError("no evaluation")
        self.seen.append(lengths.tolist())
        if len(self.seen) > self.calls:
            raise KeyboardInterrupt
        valid = torch.arange(waves.shape[1]) < lengths[:, None]
        sums = [(waves.double() * valid).pow(k).sum(1) for k in (1, 2)]
        return self.weight * torch.stack([*(s / lengths for s in sums), lengths], dim=1).float()


@pytest.fixture(autouse=True)
def no_power_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here asks whether a file has reached the disk, and waiting for it takes long."""
    monkeypatch.setattr("os.fsync", lambda _file: None)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of the lengths above; one is silent."""
    folder = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    for number, samples in enumerate(SAMPLES):
        wave = random.normal(0, 0.1, samples) * (number != 4)
        soundfile.write(folder / f"{number:02d}.wav", wave, RATE)
    return folder


def extract(folder: Path, data: Path, encoder: Encoder | None = None, **options: Any) -> Extraction:
    clips = collect([data])
    utterances = options.pop("utterances", clips.utterances)
    options = {"name": "moments", "shard_clips": 4, "workers": 2, **options}
    return extract_table(encoder or Moments(), utterances, clips.root, folder, **options)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def alone(encoder: Encoder, wave: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return encoder.eval()(torch.from_numpy(wave)[None], torch.tensor([len(wave)]))[0].numpy()


def check_alone(table: Embeddings, data: Path, encoder: Encoder, tolerance: float = 1e-5) -> None:
    """Each row is that of its clip alone."""
    for id_, vector in zip(table.ids, table.vectors, strict=True):
        expected = alone(encoder, load(data / id_, sample_rate=encoder.sample_rate))
        assert np.linalg.norm(vector - expected) <= tolerance * np.linalg.norm(expected), id_


# --- The table


def test_a_table_of_clips(data: Path, tmp_path: Path) -> None:
    found = extract(tmp_path, data, licence="CC0", manifest_hash="beef")
    table = read_embeddings(tmp_path)
    heard = [f"{n:02d}.wav" for n in range(len(SAMPLES)) if n not in (4, 5)]
    assert list(table.ids) == heard and table.columns == {}
    assert table.vectors[:, 2].tolist() == [s for n, s in enumerate(SAMPLES) if n not in (4, 5)]
    check_alone(table, data, Moments())
    assert table.extraction == found and found.finished
    assert (found.expected, found.written, found.failed, found.skipped) == (11, 9, 0, 2)
    assert [(skip.id, skip.reason) for skip in found.skips] == [
        ("04.wav", "no speech is heard in it"),
        ("05.wav", "399 samples, too short for the encoder, which needs 400"),
    ]
    assert (found.encoder, found.licence, found.manifest_hash) == ("moments", "CC0", "beef")
    assert (found.sample_rate, found.embedding_size, found.shards) == (RATE, 3, 3)
    assert len(found.encoder_checksum) == 64 and "torch" in found.versions


def test_stretches_of_a_manifest(data: Path, tmp_path: Path) -> None:
    clips = [
        Utterance("late", "03.wav", 0.5, None, 12345 / RATE - 0.5),
        Utterance("early", "03.wav", None, 0.5, 0.5),
    ]
    extract(tmp_path, data, utterances=clips)
    table = read_embeddings(tmp_path)
    assert list(table.ids) == ["late", "early"]
    assert table.vectors[:, 2].tolist() == [12345 - 8000, 8000]


def test_labels_of_a_manifest_go_with_its_embeddings(data: Path, tmp_path: Path) -> None:
    clips = [
        Utterance("one", "03.wav", None, None, 12345 / RATE, speaker="a", emotion="anger"),
        Utterance("two", "03.wav", None, None, 12345 / RATE, speaker="b"),
    ]
    extract(tmp_path, data, utterances=clips)
    columns = read_embeddings(tmp_path).columns
    assert {name: list(values) for name, values in columns.items()} == {
        "speaker": ["a", "b"],
        "emotion": ["anger", ""],
    }


def test_modes_and_threads_are_left_as_they_were(data: Path, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        encoder = Moments().train()
        extract(tmp_path, data, encoder)
        assert encoder.training and torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_progress_adds_up(data: Path, tmp_path: Path) -> None:
    for window in (None, 0.1):
        told: list[int] = []
        extract(tmp_path / str(window), data, progress=told.append, window=window)
        assert sum(told) == len(SAMPLES)
        again: list[int] = []
        extract(tmp_path / str(window), data, progress=again.append, window=window)
        assert again[0] == len(SAMPLES) and sum(again) == len(SAMPLES)


# --- Batches


def test_neither_batch_nor_order_changes_an_embedding(
    any_encoder: Encoder, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = collect([data]).utterances
    tables = []
    for batch_seconds, order in ((0.01, 1), (2.0, -1), (100.0, 1)):
        monkeypatch.setattr(Compute, "batch_seconds", batch_seconds)
        folder = tmp_path / str(batch_seconds)
        extract(folder, data, any_encoder, utterances=clips[::order], shard_clips=8)
        tables.append(read_embeddings(folder))
        check_alone(tables[-1], data, any_encoder, 1e-4)
    assert set(tables[0].ids) == set(tables[1].ids) == set(tables[2].ids)
    assert len(tables[0].ids)


@pytest.mark.parametrize("padding_safe", [True, False])
def test_which_clips_share_a_batch(
    padding_safe: bool, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Compute, "batch_seconds", 100.0)
    encoder = Moments(padding_safe)
    extract(tmp_path, data, encoder, shard_clips=100)
    assert sorted(chain(*encoder.seen)) == sorted(
        s for n, s in enumerate(SAMPLES) if n not in (4, 5)
    )
    if padding_safe:
        assert len(encoder.seen) == 1
    else:
        assert all(len(set(lengths)) == 1 for lengths in encoder.seen)
        assert [9000, 9000] in encoder.seen


def test_on_a_cpu_clips_go_alone_unless_they_are_short(data: Path, tmp_path: Path) -> None:
    encoder = Moments()
    extract(tmp_path, data, encoder, shard_clips=100)
    assert all(len(b) * max(b) <= 2 * RATE for b in encoder.seen if len(b) > 1)
    assert [20000] in encoder.seen and max(map(len, encoder.seen)) > 1


# --- Stopped and shared


@pytest.mark.parametrize("shards", [0, 1, 2])
@pytest.mark.parametrize("file", ["npy", "parquet", "done", "extract.json"])
def test_a_run_killed_at_a_file_ends_with_the_same_bytes(
    shards: int, file: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract(tmp_path / "whole", data)
    name = file if file == "extract.json" else f"{shards:05d}.{file}"
    move, seen = Path.replace, 0

    def killed(self: Path, target: Path) -> Path:
        nonlocal seen
        seen += Path(target).name == name
        if Path(target).name == name and seen > (shards > 0 and file == "extract.json"):
            raise KeyboardInterrupt
        return move(self, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", killed)
        extract(tmp_path / "halves", data)
    extract(tmp_path / "halves", data)
    assert contents(tmp_path / "halves") == contents(tmp_path / "whole")


@pytest.mark.parametrize("calls", [0, 2, 5])
def test_an_interrupt_leaves_what_was_done(calls: int, data: Path, tmp_path: Path) -> None:
    extract(tmp_path / "whole", data)
    with pytest.raises(KeyboardInterrupt):
        extract(tmp_path / "halves", data, Moments(calls=calls), workers=1)
    done = len(done_shards(tmp_path / "halves"))
    assert done < 3
    encoder = Moments()
    extract(tmp_path / "halves", data, encoder)
    assert sum(map(len, encoder.seen)) == [9, 7, 3][done]  # what is done is not done again
    assert contents(tmp_path / "halves") == contents(tmp_path / "whole")


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_threads_change_no_byte(workers: int, data: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    encoder = ResNet(channels=(4, 6), blocks=(1, 1), embedding_size=10)
    extract(tmp_path / "one", data, encoder, workers=3)
    extract(tmp_path / "other", data, encoder, workers=workers)
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


def in_processes(count: int, work: Callable[[Processes], Any]) -> list[Any]:
    """What each of some processes, here threads that wait for each other, makes of some work."""
    barrier, shared, results = Barrier(count), [None] * count, [None] * count

    def gather(rank: int) -> Callable[[Any], list[Any]]:
        def all_values(value: Any) -> list[Any]:
            shared[rank] = value
            barrier.wait(20)
            values = list(shared)
            barrier.wait(20)
            return values

        return all_values

    def run(rank: int) -> None:
        try:
            results[rank] = work(Processes(rank, count, gather(rank)))
        except Exception as error:
            results[rank] = error

    threads = [Thread(target=run, args=(rank,)) for rank in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.parametrize("count", [2, 5])
def test_processes_share_the_shards(count: int, data: Path, tmp_path: Path) -> None:
    found = extract(tmp_path / "one", data)
    told: list[int] = []
    shared = in_processes(
        count, lambda p: extract(tmp_path / "more", data, processes=p, progress=told.append)
    )
    assert shared == [found] * count and sum(told) == len(SAMPLES)
    assert contents(tmp_path / "more") == contents(tmp_path / "one")


def test_all_processes_hear_of_another_run(data: Path, tmp_path: Path) -> None:
    extract(tmp_path, data)
    errors = in_processes(2, lambda p: extract(tmp_path, data, name="other", processes=p))
    assert [type(error) for error in errors] == [EmbeddingError] * 2


@pytest.mark.parametrize(
    "other",
    [
        {"name": "another"},
        {"checksum": "another"},
        {"window": 0.1},
        {"shard_clips": 3},
        {"precision": "bf16"},
    ],
)
def test_the_folder_of_another_run_is_refused(
    other: dict, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emovec.encoders.precision._HAS_BF16", {"cpu": lambda: True})
    extract(tmp_path, data)
    before = contents(tmp_path)
    with pytest.raises(EmbeddingError, match="holds another run"):
        extract(tmp_path, data, **other)
    assert contents(tmp_path) == before


def test_other_weights_or_clips_are_another_run(data: Path, tmp_path: Path) -> None:
    extract(tmp_path, data)
    encoder = Moments()
    encoder.weight.data.fill_(2.0)
    with pytest.raises(EmbeddingError, match=r"holds another run: encoder_checksum: [^;]*$"):
        extract(tmp_path, data, encoder)
    clips = collect([data]).utterances
    with pytest.raises(EmbeddingError, match=r"holds another run: settings clips: [^;]*$"):
        extract(tmp_path, data, utterances=[*clips[:-1], replace(clips[-1], start=0.01)])


def test_a_full_disk_stops_and_the_folder_goes_on_later(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract(tmp_path / "whole", data)
    save, saved = np.save, []

    def full(file: Any, vectors: np.ndarray, **options: Any) -> None:
        saved.append(len(vectors))
        if len(saved) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(file, vectors, **options)

    with monkeypatch.context() as patch:
        patch.setattr(embedding_shards.np, "save", full)
        with pytest.raises(StorageError, match=r"00001\.npy: could not be written.*Free some sp"):
            extract(tmp_path / "halves", data)
    assert list(done_shards(tmp_path / "halves")) == [0]
    extract(tmp_path / "halves", data)
    assert contents(tmp_path / "halves") == contents(tmp_path / "whole")


def test_an_output_that_cannot_be_written(data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    encoder = Moments()
    with pytest.raises(StorageError, match="could not be written"):
        extract(tmp_path / "file" / "table", data, encoder)
    assert encoder.seen == []  # said before anything is computed


# --- Audio that is wrong


def write_bad(folder: Path) -> dict[str, str]:
    """Files that cannot be read, with what is said of them."""
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("version https://git-lfs.github.com/spec/v1\n")
    (folder / "folder.wav").symlink_to("nowhere")
    (folder / "noise.flac").write_bytes(b"fLaC" + bytes(range(200)))
    soundfile.write(folder / "nan.wav", np.full(800, np.nan), RATE, subtype="FLOAT")
    soundfile.write(folder / "none.wav", np.zeros(0), RATE)
    return {
        "empty.wav": "cannot be read",
        "text.wav": "text pointer of Git LFS",
        "folder.wav": "not found",
        "noise.flac": "cannot be read",
        "nan.wav": "holds NaN",
        "none.wav": "no samples",
    }


@pytest.mark.parametrize("window", [None, 0.1])
def test_what_cannot_be_read_is_listed(window: float | None, data: Path, tmp_path: Path) -> None:
    for path in data.iterdir():
        (tmp_path / path.name).symlink_to(path)
    expected = write_bad(tmp_path)
    found = extract(tmp_path / "out", tmp_path, on_error="skip", window=window)
    assert [failure.id for failure in found.failures] == sorted(expected)
    for failure in found.failures:
        assert expected[failure.id] in failure.reason and failure.id in failure.reason
    assert found.finished and found.failed == len(expected) and found.written
    assert read_embeddings(tmp_path / "out").extraction == found
    assert extract(tmp_path / "out", tmp_path, on_error="skip", window=window) == found


@pytest.mark.parametrize("workers", [1, 2])
def test_what_cannot_be_read_stops(workers: int, data: Path, tmp_path: Path) -> None:
    for path in data.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "07b.wav").write_text("no audio")
    with pytest.raises(AudioError, match=r"07b\.wav: cannot be read"):
        extract(tmp_path / "out", tmp_path, workers=workers)
    extract(tmp_path / "out", tmp_path, on_error="skip")
    with pytest.raises(AudioError, match=r"07b\.wav: cannot be read"):  # is tried again
        extract(tmp_path / "out", tmp_path)
    soundfile.write(tmp_path / "07b.wav", np.ones(800), RATE)
    clips = collect([data]).utterances
    with pytest.raises(EmbeddingError, match="another run"):  # its duration is known now
        extract(tmp_path / "out", tmp_path)
    assert len(clips) == len(SAMPLES)


def test_a_fault_of_the_disk_is_one_of_the_file(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(pieces, "load", broken)
    with pytest.raises(AudioError, match=r"wav: cannot be read \(Input/output error\)"):
        extract(tmp_path, data)


def test_nothing_heard_at_all(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), RATE)
    soundfile.write(tmp_path / "one.wav", np.zeros(1), RATE)
    found = extract(tmp_path / "out", tmp_path)
    assert (found.written, found.skipped) == (0, 2)
    assert read_embeddings(tmp_path / "out").vectors.shape == (0, 3)


@pytest.mark.parametrize("rate", [4000, 8000, 11025, 22050, 44100, 48000, 96000, 192000])
def test_any_rate_and_eight_channels(rate: int, tmp_path: Path) -> None:
    wave = np.random.default_rng(0).normal(0, 0.1, (rate // 2, 8))
    soundfile.write(tmp_path / "a.wav", wave, rate)
    extract(tmp_path / "out", tmp_path)
    table = read_embeddings(tmp_path / "out")
    assert table.vectors[:, 2].tolist() == [8000]
    check_alone(table, tmp_path, Moments())


def test_names_of_any_kind(tmp_path: Path) -> None:
    names = ["a b.wav", "b/x.wav", "c/x.wav", "line\nbreak.wav", "Łódź ✓.wav"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, np.full(800, 0.1), RATE)
    extract(tmp_path / "out", tmp_path)
    assert sorted(read_embeddings(tmp_path / "out").ids) == sorted(names)


def test_nan_names_the_clip(data: Path, tmp_path: Path) -> None:
    encoder = Moments()
    encoder.weight.data.fill_(torch.nan)
    with pytest.raises(EmbeddingError, match=r"shard 0: 4 vectors have NaN .*00\.wav"):
        extract(tmp_path, data, encoder)


# --- Long clips and windows


def write_long(path: Path, seconds: int, rate: int = 100) -> None:
    """So long a file takes little room at a low rate."""
    with soundfile.SoundFile(path, "w", rate, 1, "PCM_U8") as file:
        for _ in range(seconds // 1000):
            file.write(np.full(1000 * rate, 0.5))


def test_a_file_of_100000_seconds_is_refused_with_its_length(tmp_path: Path) -> None:
    write_long(tmp_path / "long.wav", 100_000)
    soundfile.write(tmp_path / "short.wav", np.ones(800), RATE)
    encoder = Moments()
    with pytest.raises(AudioError, match=r"long\.wav: lasts 100000 s; expected at most 600 s"):
        extract(tmp_path / "out", tmp_path, encoder)
    assert encoder.seen == []
    found = extract(tmp_path / "out", tmp_path, on_error="skip")
    assert (found.written, found.failed) == (1, 1)
    assert "lasts 100000 s" in found.failures[0].reason
    lying = [Utterance("a", "long.wav", None, None, 3.0)]
    with pytest.raises(AudioError, match=r"lasts 601 s"):
        extract(tmp_path / "lying", tmp_path, utterances=lying)


def test_a_file_of_100000_seconds_is_streamed_by_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_long(tmp_path / "long.wav", 100_000)
    most = 0

    def watched(*arguments: Any, **options: Any) -> np.ndarray:
        nonlocal most
        wave = load(*arguments, **options)
        most = max(most, len(wave))
        return wave

    monkeypatch.setattr("emovec.audio.windows.load", watched)
    found = extract(tmp_path / "out", tmp_path, window=1.0, hop=1000.0)
    table = read_embeddings(tmp_path / "out")
    assert found.written == 1 and len(table.ids) == 100
    assert table.columns["start"].tolist() == [1000.0 * n for n in range(100)]
    assert most < 4 * RATE  # each window with whole seconds around it


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize(("window", "hop"), [(0.1, 0.01), (0.25, None), (0.3, 0.7), (1.0, 0.3)])
def test_windows_are_those_of_the_clip_resampled_at_once(
    rate: int, window: float, hop: float | None, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    for name, seconds in {"a": 2.73, "b": 0.31, "c": 0.26}.items():
        soundfile.write(tmp_path / f"{name}.wav", random.normal(0, 0.1, int(seconds * rate)), rate)
    clips = [
        *collect([tmp_path]).utterances,
        Utterance("d", "a.wav", 0.1234, 2.2, 2.2 - 0.1234),
    ]
    encoder = Moments()
    extract(tmp_path / "out", tmp_path, encoder, utterances=clips, window=window, hop=hop)
    table = read_embeddings(tmp_path / "out")
    size, step = round(window * RATE), round((hop or window) * RATE)
    rows = [
        (u.id, first / RATE, alone(encoder, wave[first : first + size]))
        for u in clips
        for wave in [load(tmp_path / u.path, u.start, u.stop)]
        for first in range(0, len(wave) - size + 1, step)
    ]
    assert list(table.ids) == [f"{id_}@{start}" for id_, start, _ in rows]
    assert table.columns["clip"].tolist() == [id_ for id_, _, _ in rows]
    assert table.columns["start"].tolist() == [start for _, start, _ in rows]
    np.testing.assert_allclose(table.columns["stop"] - table.columns["start"], size / RATE)
    expected = np.array([vector for _, _, vector in rows])
    np.testing.assert_allclose(table.vectors, expected, rtol=1e-3, atol=1e-6)


def test_windows_without_speech_are_left_out(tmp_path: Path) -> None:
    wave = np.concatenate([np.ones(1600), np.zeros(3200), np.ones(1700)])
    soundfile.write(tmp_path / "a.wav", wave, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "b.wav", np.zeros(4000), RATE)
    soundfile.write(tmp_path / "c.wav", np.ones(1599), RATE)
    found = extract(tmp_path / "out", tmp_path, window=0.1)
    assert list(read_embeddings(tmp_path / "out").ids) == ["a.wav@0.0", "a.wav@0.3"]
    assert [(skip.id, skip.reason) for skip in found.skips] == [
        ("b.wav", "no speech is heard in any of its windows"),
        ("c.wav", "shorter than a window, which has 1600 samples"),
    ]
    assert (found.expected, found.written, found.skipped) == (3, 1, 2)


def test_windows_share_batches_and_shards_have_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        soundfile.write(tmp_path / f"{name}.wav", np.ones(8000), RATE)
    encoder = Moments()
    extract(tmp_path / "one", tmp_path, encoder, window=0.1)
    assert sorted(map(len, encoder.seen)) == [15]
    monkeypatch.setattr(pieces, "ROWS_OF_SHARD", 6)
    assert extract(tmp_path / "two", tmp_path, window=0.1).shards == 2
    monkeypatch.setattr(pieces, "MOST_WINDOWS", 4)
    with pytest.raises(HparamError, match=r"hop: 5 windows in a\.wav, which lasts 0 s; expected"):
        extract(tmp_path / "three", tmp_path, window=0.1)


# --- Options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"device": "tpu"}, "device is 'tpu'; expected one of"),
        ({"device": "xpu"}, "device is 'xpu'; expected one of"),
        ({"device": "cuda:99"}, "device is 'cuda:99'; this machine has"),
        ({"device": "mps:9"}, "device is 'mps:9'; this machine has"),
        ({"precision": "fp16"}, "precision is 'fp16'; expected"),
        ({"workers": 0}, "workers is 0; expected at least 1"),
        ({"on_error": "go"}, "on_error is 'go'; expected 'stop' or 'skip'"),
        ({"shard_clips": 0}, "shard_clips is 0"),
        ({"hop": 0.1}, "hop is 0.1 without a window"),
        ({"window": 0.01}, r"window is 0.01 .* expected 0.025 to 600"),
        ({"window": float("nan")}, "window is nan"),
        ({"window": 0.1, "hop": 0.0}, "hop 0.0 seconds"),
        ({"window": 0.1, "hop": -1.0}, "hop -1.0 seconds"),
        ({"window": 0.1, "hop": float("inf")}, "hop inf seconds"),
        ({"utterances": []}, "no clips found"),
    ],
)
def test_impossible_options(options: dict, said: str, data: Path, tmp_path: Path) -> None:
    with pytest.raises(HparamError, match=said):
        extract(tmp_path, data, **options)
    assert not any(tmp_path.iterdir())


def test_ids_occur_once(data: Path, tmp_path: Path) -> None:
    clips = collect([data]).utterances
    with pytest.raises(HparamError, match=r"1 ids occur twice \(00\.wav\)"):
        extract(tmp_path, data, utterances=[*clips, clips[0]])


def test_bf16_is_close_where_the_machine_has_it(data: Path, tmp_path: Path) -> None:
    try:
        Compute.of("cpu", "bf16")
    except HparamError:
        pytest.skip("this processor does not compute in bf16")
    torch.manual_seed(0)
    encoder = ResNet(features="log_mel", channels=(8, 16), blocks=(1, 1), pooling="statistics")
    tables = []
    for precision in ("fp32", "bf16"):
        extract(tmp_path / precision, data, encoder, precision=precision)
        tables.append(read_embeddings(tmp_path / precision).vectors)
    assert tables[1].dtype == np.float32 and (tables[0] != tables[1]).any()
    error = np.linalg.norm(tables[1] - tables[0], axis=1) / np.linalg.norm(tables[0], axis=1)
    assert error.max() < 0.05


def test_bf16_elsewhere_is_refused(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emovec.encoders.precision._HAS_BF16", {"cpu": lambda: False})
    with pytest.raises(HparamError, match="cpu of this machine does not compute in it"):
        extract(tmp_path, data, precision="bf16")


def test_threads_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emovec.encoders.precision.cores", lambda: 8)
    assert Compute.of("cpu").workers == 8
    assert Compute.of("cpu", processes=3).workers == 2
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")  # of four processes two are on another machine
    assert Compute.of("cpu", processes=4).workers == 4
    few = Compute.of("cpu", workers=8).for_batches(3)
    assert (few.workers, few.cores_each) == (3, 2)


# --- In memory


def test_clips_in_memory(data: Path) -> None:
    waves = [load(data / f"{n:02d}.wav") for n in (0, 3, 1, 9)]
    encoder = Moments()
    found = embed_clips(encoder, waves)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [alone(encoder, wave) for wave in waves], rtol=1e-6)
    assert embed_clips(encoder, []).shape == (0, 3)


def test_a_clip_in_memory_that_has_no_embedding() -> None:
    with pytest.raises(AudioError, match="clip 1: no speech is heard in it"):
        embed_clips(Moments(), [np.ones(800, np.float32), np.zeros(800, np.float32)])
    with pytest.raises(AudioError, match="clip 0: 399 samples, too short"):
        embed_clips(Moments(), [np.ones(399, np.float32)])
