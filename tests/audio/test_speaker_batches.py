"""Chunks of several clips of each speaker: who is in a batch, how often, and what of them."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emovec.audio.chunks import Chunk
from emovec.audio.speaker_batches import ChunksOfSpeakers
from emovec.errors import TrainingError

CLIPS = st.lists(st.tuples(st.floats(0.5, 9), st.integers(0, 9)), min_size=2, max_size=60).filter(
    lambda clips: len({speaker for _, speaker in clips}) > 1
)


def order(clips: list[tuple[float, int]], **changes: object) -> ChunksOfSpeakers:
    given: dict = {
        "chunk_seconds": (0.5, 3.0),
        "batch_size": 6,
        "micro_batches": 1,
        "utterances_per_speaker": 3,
        "seed": 1,
    }
    seconds, speakers = zip(*clips, strict=True)
    return ChunksOfSpeakers(seconds, [f"s{speaker}" for speaker in speakers], **given | changes)


def merged(group: list[list[Chunk]]) -> list[Chunk]:
    return [chunk for batch in group for chunk in batch]


def random_clips(count: int, speakers: int) -> list[tuple[float, int]]:
    random = np.random.default_rng(0)
    whose = [*range(speakers), *random.integers(speakers, size=count - speakers).tolist()]
    return list(zip(random.uniform(1, 9, count).tolist(), whose, strict=True))


@settings(max_examples=100, deadline=None)
@given(CLIPS, st.integers(2, 5), st.integers(2, 6), st.integers(1, 3), st.integers(0, 3))
def test_a_batch_has_so_many_chunks_of_so_many_speakers(
    clips: list[tuple[float, int]], each: int, size: int, micro_batches: int, epoch: int
) -> None:
    speakers = {speaker for _, speaker in clips}
    size = min(size, len(speakers))
    chosen = order(
        clips,
        batch_size=size * each,
        micro_batches=micro_batches,
        utterances_per_speaker=each * micro_batches,
    )
    chosen.set_epoch(epoch)
    groups = list(chosen)
    whole = size * each * micro_batches
    assert len(groups) == len(chosen) == max(1, round(len(clips) / whole))
    of_speaker = Counter(speaker for _, speaker in clips)
    for group in groups:
        assert [len(batch) for batch in group] == [size * each] * micro_batches
        heard = Counter(clips[chunk.row][1] for chunk in merged(group))
        assert len(heard) == size and set(heard.values()) == {each * micro_batches}
        rows = Counter(chunk.row for chunk in merged(group))
        for row, times in rows.items():
            share = each * micro_batches / of_speaker[clips[row][1]]
            assert int(share) <= times <= max(1, int(np.ceil(share)))
        (length,) = {chunk.seconds for chunk in merged(group)}
        assert 0.5 <= length <= 3.0
        for chunk in merged(group):
            seconds = clips[chunk.row][0]
            assert chunk.epoch == epoch and chunk.start >= 0
            assert chunk.start + length <= seconds + 1e-9 or chunk.start == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 12), st.integers(2, 12), st.integers(1, 9), st.integers(0, 5))
def test_every_speaker_is_heard_equally_often(
    speakers: int, size: int, rounds: int, seed: int
) -> None:
    size = min(size, speakers)
    clips = [(2.0, speaker) for speaker in range(speakers)] * (2 * rounds)
    chosen = order(clips, batch_size=2 * size, utterances_per_speaker=2, seed=seed)
    heard = Counter(clips[chunk.row][1] for group in chosen for chunk in merged(group))
    times = [heard[speaker] for speaker in range(speakers)]
    assert max(times) - min(times) <= 2  # a turn is two chunks


def test_a_speaker_of_one_clip_has_several_stretches_of_it() -> None:
    clips = [(9.0, 0), (9.0, 1), (9.0, 2)]
    (group,) = order(clips, batch_size=9, utterances_per_speaker=3)
    starts = [[c.start for c in merged(group) if c.row == row] for row in range(3)]
    assert all(len(set(places)) == 3 for places in starts)


def test_a_speaker_of_two_clips_has_both() -> None:
    clips = [(9.0, speaker) for speaker in (0, 0, 1, 1, 1, 1)]
    (group,) = order(clips, batch_size=6, utterances_per_speaker=3)
    rows = Counter(chunk.row for chunk in merged(group))
    assert sorted(rows[row] for row in (0, 1)) == [1, 2]
    assert sorted(rows[row] for row in (2, 3, 4, 5)) == [0, 1, 1, 1]


def test_micro_batches_share_the_chunks_of_each_speaker() -> None:
    clips = random_clips(100, 4)
    whole = order(clips, batch_size=12, utterances_per_speaker=6)
    halves = order(clips, batch_size=6, micro_batches=2, utterances_per_speaker=6)
    for one, two in zip(whole, halves, strict=True):
        assert one[0][0::2] == two[0] and one[0][1::2] == two[1]
        for batch in two:
            assert set(Counter(clips[chunk.row][1] for chunk in batch).values()) == {3}


def test_draws_depend_on_seed_and_epoch_alone() -> None:
    clips = random_clips(100, 6)
    first, again, other = (order(clips, seed=seed) for seed in (1, 1, 2))
    first.set_epoch(1)
    drawn = list(first)
    assert list(first) == drawn  # iterating changes nothing
    np.random.seed(3)
    torch.manual_seed(3)
    first.set_epoch(2)
    assert list(first) != drawn
    again.set_epoch(2)
    again.set_epoch(1)
    assert list(again) == drawn
    other.set_epoch(1)
    assert list(other) != drawn


def test_whom_a_speaker_meets_changes() -> None:
    clips = random_clips(600, 6)
    met = [frozenset(clips[chunk.row][1] for chunk in merged(group)) for group in order(clips)]
    assert len(set(met)) == 15  # all pairs of six


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("spare", [0, 3])
def test_processes_share_the_effective_batches_of_one(processes: int, spare: int) -> None:
    clips, micro_batches = random_clips(70, 20), processes + spare

    def groups(rank: int, of: int) -> list:
        chosen = order(clips, micro_batches=micro_batches, rank=rank, processes=of)
        chosen.set_epoch(4)
        return list(chosen)

    shares = [groups(rank, processes) for rank in range(processes)]
    for step, whole in enumerate(groups(0, 1)):
        together: list = [None] * len(whole)
        for rank, share in enumerate(shares):
            together[rank::processes] = share[step]
        assert together == whole


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"utterances_per_speaker": 1}, "utterances_per_speaker is 1 and .* 6 x 1 chunks; expect"),
        ({"utterances_per_speaker": 0}, "utterances_per_speaker is 0"),
        ({"utterances_per_speaker": 4}, "utterances_per_speaker is 4 .* without a rest"),
        ({"utterances_per_speaker": 6}, "of each of 2 or more speakers"),
        ({"batch_size": 12}, "3 speakers to train on, and batches of 4 speakers with 3 chunks"),
        ({"micro_batches": 2}, "3 speakers to train on, and batches of 4"),
        ({"chunk_seconds": (9, 9)}, "shortest chunk is 9 s"),
        ({"processes": 2}, "micro_batches is 1 for 2 processes"),
    ],
)
def test_what_cannot_be_drawn_says_why(changes: dict, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        order([(3.0, 0), (2.0, 1), (2.0, 2)], **changes)
