"""Chunks: speakers alike, one length a batch, within their clips, drawn by seed and epoch alone."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emovec.audio.augment import Augmentation
from emovec.audio.batches import make_loader
from emovec.audio.chunks import Chunk, ChunkBatches, SpeakerChunks
from emovec.errors import AudioError, TrainingError
from emovec.tables.manifest import Utterance

CLIPS = st.lists(st.tuples(st.floats(0.5, 9), st.integers(0, 5)), min_size=2, max_size=60).filter(
    lambda clips: len({speaker for _, speaker in clips}) > 1
)
RATE = 1000


def order(clips: list[tuple[float, int]], **changes: object) -> SpeakerChunks:
    settings: dict = {"chunk_seconds": (0.5, 3.0), "batch_size": 4, "micro_batches": 2, "seed": 1}
    seconds, speakers = zip(*clips, strict=True)
    return SpeakerChunks(seconds, [f"s{speaker}" for speaker in speakers], **settings | changes)


def flat(chosen: SpeakerChunks) -> list[Chunk]:
    return [chunk for group in chosen for batch in group for chunk in batch]


def random_clips(count: int, speakers: int) -> list[tuple[float, int]]:
    random = np.random.default_rng(0)
    return list(zip(random.uniform(1, 9, count).tolist(), range(speakers), strict=False)) + [
        (float(random.uniform(1, 9)), int(random.integers(speakers)))
        for _ in range(count - speakers)
    ]


@settings(max_examples=60, deadline=None)
@given(CLIPS, st.integers(2, 5), st.integers(1, 3), st.integers(0, 3))
def test_batches_are_full_and_chunks_end_within_clips(
    clips: list[tuple[float, int]], size: int, micro_batches: int, epoch: int
) -> None:
    chosen = order(clips, batch_size=size, micro_batches=micro_batches)
    chosen.set_epoch(epoch)
    groups = list(chosen)
    assert len(groups) == len(chosen) == max(1, round(len(clips) / (size * micro_batches)))
    for group in groups:
        assert [len(batch) for batch in group] == [size] * micro_batches
        (length,) = {chunk.seconds for batch in group for chunk in batch}
        assert 0.5 <= length <= 3.0
        for chunk in (chunk for batch in group for chunk in batch):
            seconds = clips[chunk.row][0]
            assert chunk.epoch == epoch and chunk.start >= 0
            if seconds <= length:
                assert chunk.start == 0  # the whole clip
            else:
                assert chunk.start + length <= seconds + 1e-9


@settings(max_examples=60, deadline=None)
@given(CLIPS, st.integers(2, 6))
def test_every_speaker_is_heard_equally_often(clips: list[tuple[float, int]], size: int) -> None:
    """In an epoch that ends within a round some have one chunk more."""
    heard = Counter(clips[chunk.row][1] for chunk in flat(order(clips, batch_size=size)))
    times = [heard[speaker] for speaker in {speaker for _, speaker in clips}]
    assert max(times) - min(times) <= 1


def test_one_clip_counts_like_a_thousand() -> None:
    clips = [(2.0, 0)] + [(2.0, 1)] * 1000
    rows = Counter(chunk.row for chunk in flat(order(clips, batch_size=7, micro_batches=1)))
    assert abs(2 * rows[0] - rows.total()) <= 1
    # of the thousand, no clip is preferred: 500 draws give some 607 clips that are never heard
    assert 350 < len(rows) - 1 < 440 and max(rows[row] for row in rows if row) < 8


def test_a_round_has_every_speaker_once() -> None:
    clips = [(2.0, speaker) for speaker in range(8)] * 3
    heard = [clips[chunk.row][1] for chunk in flat(order(clips))]
    rounds = [heard[place : place + 8] for place in range(0, len(heard), 8)]
    assert all(sorted(turn) == list(range(8)) for turn in rounds)
    assert len({tuple(turn) for turn in rounds}) == len(rounds)  # each in an order of its own


def test_lengths_and_places_are_drawn_evenly() -> None:
    chosen = order([(9.0, 0), (9.0, 1)] * 2000, batch_size=2, micro_batches=1)
    chunks = flat(chosen)
    lengths = np.array([chunk.seconds for chunk in chunks[::2]])
    places = np.array([chunk.start / (9 - chunk.seconds) for chunk in chunks])
    tenths = np.arange(1, 10) / 10
    np.testing.assert_allclose(np.quantile((lengths - 0.5) / 2.5, tenths), tenths, atol=0.04)
    np.testing.assert_allclose(np.quantile(places, tenths), tenths, atol=0.04)


def test_draws_depend_on_seed_and_epoch_alone() -> None:
    clips = random_clips(100, 6)
    first, again, other = (order(clips, seed=seed) for seed in (1, 1, 2))
    first.set_epoch(1)
    drawn = list(first)
    assert list(first) == drawn  # iterating changes nothing
    np.random.seed(3)
    torch.manual_seed(3)
    first.set_epoch(2)
    assert [chunk.start for chunk in flat(first)] != [c.start for g in drawn for b in g for c in b]
    again.set_epoch(2)
    again.set_epoch(1)
    assert list(again) == drawn
    other.set_epoch(1)
    assert list(other) != drawn


def test_draws_stay_what_they_were() -> None:
    """Results were taken with them: otherwise a seed would name another training."""
    chosen = SpeakerChunks([2, 4, 6, 5, 1, 3], [*"011220"], (0.5, 3.0), 3, 1, seed=1)
    chosen.set_epoch(1)
    found = [(chunk.row, round(chunk.start, 4), round(chunk.seconds, 4)) for chunk in flat(chosen)]
    assert found[:3] == [(4, 0.0021, 0.8907), (5, 0.1618, 0.8907), (2, 4.8696, 0.8907)]
    assert found[3:] == [(1, 0.4171, 2.5361), (4, 0.0, 2.5361), (5, 0.1363, 2.5361)]


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("spare", [0, 2])
def test_processes_share_the_effective_batches_of_one(processes: int, spare: int) -> None:
    clips, micro_batches = random_clips(70, 5), processes + spare

    def groups(rank: int, of: int) -> list:
        chosen = order(clips, micro_batches=micro_batches, rank=rank, processes=of)
        chosen.set_epoch(4)
        return list(chosen)

    shares = [groups(rank, processes) for rank in range(processes)]
    for step, whole in enumerate(groups(0, 1)):
        merged: list = [None] * len(whole)
        for rank, share in enumerate(shares):
            merged[rank::processes] = share[step]
        assert merged == whole


@pytest.mark.parametrize(
    ("clips", "changes", "message"),
    [
        ([(3.0, 0), (2.0, 0)], {}, "1 speakers to train on; expected at least 2"),
        ([], {}, "0 speakers to train on"),
        ([(3.0, 0), (2.0, 1)], {"chunk_seconds": (3.5, 4)}, "chunk is 3.5 s and the longest clip"),
        ([(3.0, 0), (2.0, 1)], {"chunk_seconds": (2, 1)}, r"chunk_seconds is \[2, 1\]; expected"),
        ([(3.0, 0), (2.0, 1)], {"chunk_seconds": (0, 1)}, r"chunk_seconds is \[0, 1\]; expected"),
        ([(3.0, 0), (2.0, 1)], {"chunk_seconds": (1,)}, r"chunk_seconds is \[1\]; expected"),
        ([(3.0, 0), (2.0, 1)], {"batch_size": 1}, "batch_size is 1; expected at least 2"),
        ([(3.0, 0), (2.0, 1)], {"batch_size": 0}, "batch_size is 0; expected at least 2"),
        ([(3.0, 0), (2.0, 1)], {"micro_batches": 0}, "micro_batches is 0 for 1 processes"),
        ([(3.0, 0), (2.0, 1)], {"processes": 3}, "micro_batches is 2 for 3 processes"),
    ],
)
def test_what_cannot_be_drawn_says_why(clips: list, changes: dict, message: str) -> None:
    seconds, speakers = [clip[0] for clip in clips], [str(clip[1]) for clip in clips]
    settings: dict = {"chunk_seconds": (0.5, 3.0), "batch_size": 4, "micro_batches": 2, "seed": 1}
    with pytest.raises(TrainingError, match=message):
        SpeakerChunks(seconds, speakers, **settings | changes)


def test_chunks_may_be_longer_than_most_clips() -> None:
    chunks = flat(order([(1.0, 0), (4.0, 1)], chunk_seconds=(3.0, 3.0), batch_size=2))
    assert {chunk.row: chunk.start for chunk in chunks}[0] == 0


# --- Reading


@pytest.fixture
def counting(tmp_path: Path) -> list[Utterance]:
    """A file whose n-th sample is n, whole and as two parts."""
    soundfile.write(
        tmp_path / "a.wav", np.arange(4 * RATE, dtype=np.float32), RATE, subtype="FLOAT"
    )
    return [
        Utterance("whole", "a.wav", None, None, 4.0, speaker="s"),
        Utterance("part", "a.wav", 1.0, 2.5, 1.5, speaker="t"),
        Utterance("end", "a.wav", 3.5, None, 0.5, speaker="t"),
    ]


def batches(tmp_path: Path, clips: list[Utterance], **more: object) -> ChunkBatches:
    return ChunkBatches(clips, tmp_path, {"row": torch.arange(len(clips))}, RATE, **more)


def test_a_chunk_is_where_it_was_drawn(tmp_path: Path, counting: list[Utterance]) -> None:
    wanted = [Chunk(1, 0.25, 1.0, 0), Chunk(0, 2.0, 1.0, 0), Chunk(2, 0.0, 1.0, 0)]
    batch = batches(tmp_path, counting)[wanted]
    assert batch.ids == ["part", "whole", "end"] and batch.targets["row"].tolist() == [1, 0, 2]
    assert batch.lengths.tolist() == [1000, 1000, 500]  # the last is taken whole
    for wave, length, first in zip(batch.waves, batch.lengths, (1250, 2000, 3500), strict=True):
        assert wave[:length].tolist() == list(range(first, first + length))
        assert not wave[length:].any()


def test_a_chunk_never_leaves_its_utterance(tmp_path: Path, counting: list[Utterance]) -> None:
    """All of three hundred chunks of an utterance that is a part of its file."""
    chosen = SpeakerChunks([1.5, 1.5], ["a", "b"], (0.4, 2.0), 4, 75, seed=0)
    clips = [counting[1], counting[1]]
    (group,) = chosen
    for chunks in group:
        batch = batches(tmp_path, clips)[chunks]
        for wave, length in zip(batch.waves, batch.lengths, strict=True):
            assert wave[:length].min() >= 1000 and wave[:length].max() < 2500
            assert abs(length / RATE - min(chunks[0].seconds, 1.5)) <= 1 / RATE


def test_a_loader_reads_what_was_drawn(tmp_path: Path, counting: list[Utterance]) -> None:
    data = batches(tmp_path, counting)
    clips = [(u.duration, place % 2) for place, u in enumerate(counting)] * 4
    chosen = order([*clips], chunk_seconds=(0.1, 0.4))
    data.utterances, data.targets = counting * 4, {"row": torch.arange(12)}
    loader = make_loader(data, chosen, 0)
    chosen.set_epoch(3)
    for group, read in zip(chosen, loader, strict=True):
        for chunks, batch in zip(group, read, strict=True):
            assert batch.targets["row"].tolist() == [chunk.row for chunk in chunks]
            assert batch.lengths.max() - batch.lengths.min() <= 1  # rounding


def test_noise_changes_with_the_epoch_alone(tmp_path: Path, counting: list[Utterance]) -> None:
    (tmp_path / "noise").mkdir()
    noise = np.random.default_rng(0).uniform(-1, 1, 2 * RATE)
    soundfile.write(tmp_path / "noise" / "n.wav", noise, RATE)
    augmentation = Augmentation(noise=tmp_path / "noise", clean_share=0.0)
    noisy, clean = (
        batches(tmp_path, counting, augmentation=augmentation),
        batches(tmp_path, counting),
    )

    def added(epoch: int) -> torch.Tensor:
        chunks = [Chunk(0, 1.0, 0.5, epoch)]
        return noisy[chunks].waves - clean[chunks].waves

    assert added(0).abs().max() > 0
    assert torch.equal(added(0), added(0)) and not torch.equal(added(0), added(1))


def test_a_file_that_is_gone_is_named(tmp_path: Path, counting: list[Utterance]) -> None:
    (tmp_path / "a.wav").unlink()
    with pytest.raises(AudioError, match=r"a\.wav: not found"):
        batches(tmp_path, counting)[[Chunk(0, 0.0, 1.0, 0)]]
