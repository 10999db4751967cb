"""Batches: every clip once, bounded, padded with zeros, the same for any number of processes."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emovec.audio.augment import Augmentation
from emovec.audio.batches import (
    EffectiveBatches,
    UtteranceBatches,
    make_loader,
    pad,
    wave_statistics,
)
from emovec.errors import HparamError, TrainingError
from emovec.tables.manifest import read_manifest

SECONDS = st.lists(st.floats(0.1, 10), min_size=2, max_size=60)


def flat(order: EffectiveBatches) -> list[int]:
    return [row for group in order for batch in group for row in batch]


@settings(max_examples=50, deadline=None)
@given(SECONDS, st.integers(1, 4), st.booleans(), st.integers(0, 3))
def test_every_clip_once_and_no_batch_too_long(
    seconds: list[float], micro_batches: int, shuffle: bool, epoch: int
) -> None:
    order = EffectiveBatches(seconds, 12.0, micro_batches, seed=1, shuffle=shuffle)
    order.set_epoch(epoch)
    assert sorted(flat(order)) == list(range(len(seconds)))
    for group in order:
        assert sum(map(len, group)) >= 2
        longer = [b for b in group if len(b) * max(seconds[row] for row in b) > 12.0 + 1e-6]
        for batch in longer:  # only by the lone clips that have joined it, which come last
            kept = [batch[:-lone] for lone in range(1, len(batch))]
            assert any(len(b) * max(seconds[row] for row in b) <= 12.0 + 1e-6 for b in kept)


@settings(max_examples=50, deadline=None)
@given(SECONDS, st.integers(0, 3))
def test_no_clip_is_alone_where_one_micro_batch_is_asked_for(
    seconds: list[float], epoch: int
) -> None:
    """Batch norm has no moments of one."""
    order = EffectiveBatches(seconds, 12.0, 1, seed=1, shuffle=True)
    order.set_epoch(epoch)
    assert min(len(batch) for group in order for batch in group) >= 2


@settings(max_examples=50, deadline=None)
@given(SECONDS, st.integers(1, 3), st.integers(0, 2))
def test_processes_share_the_effective_batches_of_one(
    seconds: list[float], processes: int, spare: int
) -> None:
    """Interleaved again, the shares of all processes are what one process would see."""

    def groups(rank: int, of: int) -> list[list[list[int]]]:
        return list(EffectiveBatches(seconds, 15.0, processes + spare, 3, True, rank, of))

    shares = [groups(rank, processes) for rank in range(processes)]
    assert {len(share) for share in shares} == {len(groups(0, 1))}
    for step, whole in enumerate(groups(0, 1)):
        merged: list = [None] * len(whole)
        for rank, share in enumerate(shares):
            merged[rank::processes] = share[step]
        assert merged == whole


def test_order_depends_on_seed_and_epoch_alone() -> None:
    seconds = np.random.default_rng(0).uniform(1, 10, 100).tolist()
    first, again, other = (
        EffectiveBatches(seconds, 30.0, 1, seed, shuffle=True) for seed in (1, 1, 2)
    )
    first.set_epoch(1)
    drawn = list(first)
    assert list(first) == drawn  # iterating changes nothing
    first.set_epoch(2)
    assert list(first) != drawn
    again.set_epoch(2)
    again.set_epoch(1)
    assert list(again) == drawn
    other.set_epoch(1)
    assert list(other) != drawn


def test_buckets_compute_less_padding_than_chance() -> None:
    seconds = np.random.default_rng(0).uniform(2.75, 11, 1000)

    def padded(batches: list[list[int]]) -> float:
        return sum(len(batch) * seconds[batch].max() for batch in batches)

    order = EffectiveBatches(seconds.tolist(), 120.0, 1, 0, shuffle=True)
    chance = np.array_split(np.random.default_rng(1).permutation(1000), 100)
    assert padded([batch for group in order for batch in group]) < 1.1 * seconds.sum()
    assert padded([batch.tolist() for batch in chance]) > 1.4 * seconds.sum()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_seconds": 2.0}, "at least the longest clip's 3.00 s"),
        ({"processes": 2}, "micro_batches is 1 for 2 processes"),
    ],
)
def test_what_cannot_be_batched_says_why(changes: dict, message: str) -> None:
    settings = {"batch_seconds": 9.0, "micro_batches": 1, "seed": 0, "shuffle": True}
    with pytest.raises(TrainingError, match=message):
        EffectiveBatches([3.0, 2.0], **{**settings, **changes})


def test_pad_puts_zeros_behind() -> None:
    waves, lengths = pad([np.ones(2, np.float32), np.full(4, 2, np.float32)])
    assert waves.tolist() == [[1, 1, 0, 0], [2, 2, 2, 2]]
    assert lengths.tolist() == [2, 4] and lengths.dtype == torch.int64


@pytest.fixture
def dataset(small_corpus: Path) -> UtteranceBatches:
    utterances = read_manifest(small_corpus / "manifest.csv")
    targets = {"row": torch.arange(len(utterances))}
    return UtteranceBatches(utterances, small_corpus, targets, 16000, max_seconds=0.5)


@pytest.mark.parametrize("workers", [0, 1])
def test_loader_yields_what_the_order_names(dataset: UtteranceBatches, workers: int) -> None:
    order = EffectiveBatches(dataset.seconds(), 4.0, 2, seed=0, shuffle=True)
    loaded = list(make_loader(dataset, order, workers))
    for group, batches in zip(order, loaded, strict=True):
        for rows, batch in zip(group, batches, strict=True):
            assert batch.targets["row"].tolist() == rows
            assert batch.ids == [dataset.utterances[row].id for row in rows]
            assert batch.waves.shape == (len(rows), int(batch.lengths.max()))
            assert batch.lengths.max() <= 8000  # cut at half a second


def test_wave_statistics_are_those_of_all_samples_joined(dataset: UtteranceBatches) -> None:
    waves = [
        soundfile.read(dataset.root / utterance.path, frames=8000)[0]
        for utterance in dataset.utterances
    ]
    joined = np.concatenate(waves)
    mean, deviation = wave_statistics(dataset, workers=2)
    assert mean == pytest.approx(joined.mean(), abs=1e-7)
    assert deviation == pytest.approx(joined.std(), rel=1e-6)


def test_silence_has_no_statistics(tmp_path: Path, dataset: UtteranceBatches) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(16000), 16000)
    first = dataset.utterances[0]
    silent = type(first)("a", "a.wav", None, None, 1.0)
    with pytest.raises(TrainingError, match="hold one constant value 0"):
        wave_statistics(UtteranceBatches([silent], tmp_path, {}, 16000, 12.0), workers=1)


# --- Augmented copies


@pytest.fixture
def copied(dataset: UtteranceBatches, tmp_path: Path) -> UtteranceBatches:
    """Two noisy copies of every clip."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 16000)
    soundfile.write(tmp_path / "noise.wav", noise, 16000)
    augmentation = Augmentation(noise=tmp_path, clean_share=0.0, seed=1)
    return UtteranceBatches(
        dataset.utterances,
        dataset.root,
        dataset.targets,
        16000,
        0.5,
        augmentation=augmentation,
        copies=2,
    )


def test_copies_follow_the_clips(dataset: UtteranceBatches, copied: UtteranceBatches) -> None:
    clips = len(dataset)
    assert len(copied) == 3 * clips and copied.seconds() == 3 * dataset.seconds()
    rows = [5, clips + 5, 2 * clips + 5, 3 * clips - 1]
    batch, clean = copied[rows], dataset[[5, 5, 5, clips - 1]]
    assert batch.ids == clean.ids and batch.targets["row"].tolist() == [5, 5, 5, clips - 1]
    assert torch.equal(batch.lengths, clean.lengths)
    assert torch.equal(batch.waves[0], clean.waves[0])  # the clip itself stays clean
    added = batch.waves[1:] - clean.waves[1:]
    assert (added.abs().amax(dim=1) > 0).all() and not torch.equal(added[0], added[1])


def test_a_copy_is_drawn_once(copied: UtteranceBatches) -> None:
    """Whatever the batch, the order or the time: it is a clip of its own."""
    rows = [len(copied) - 1, 85, 160]
    first, again = copied[rows], copied[rows[::-1]]
    for row in range(3):
        length = first.lengths[row]
        assert torch.equal(first.waves[row, :length], again.waves[2 - row, :length])
    utterance = copied.utterances[5]
    clean = copied[[5]].waves[0].numpy()
    expected = copied.augmentation(clean, 16000, f"{utterance.id}#1", 0)
    assert (copied[[85]].waves[0].numpy() == expected).all()


def test_copies_need_something_to_differ_by(dataset: UtteranceBatches) -> None:
    for augmentation in (None, Augmentation(), Augmentation(speeds=(0.9, 1.0))):
        with pytest.raises(HparamError, match=r"copies is 2, augmented by \[\]; expected a kind"):
            UtteranceBatches(
                dataset.utterances,
                dataset.root,
                {},
                16000,
                0.5,
                augmentation=augmentation,
                copies=2,
            )


def test_copies_are_batched_like_clips(copied: UtteranceBatches) -> None:
    order = EffectiveBatches(copied.seconds(), 4.0, 1, seed=0, shuffle=True)
    assert sorted(flat(order)) == list(range(240))
    read = [id_ for group in make_loader(copied, order, 0) for batch in group for id_ in batch.ids]
    assert sorted(read) == sorted(3 * [utterance.id for utterance in copied.utterances])
