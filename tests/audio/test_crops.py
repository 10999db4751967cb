"""Crops: at frames, with the targets of exactly what is read, drawn by seed and epoch alone."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from emovec.audio.chunks import Chunk
from emovec.audio.crops import CropBatches, Crops, Frames
from emovec.audio.mixing import Mixing
from emovec.errors import HparamError, TrainingError
from emovec.tables.manifest import Utterance

RATE, HOP, WINDOW = 16000, 640, 1360
FRAMES = Frames(RATE, WINDOW, HOP, mask_probability=0.5, span=3)


def order(seconds: list[float], **changes: object) -> Crops:
    options: dict = {"batch_seconds": 4.0, "micro_batches": 1, "seed": 1, "shuffle": True}
    return Crops(seconds, FRAMES, crop_seconds=1.0, **options | changes)


def flat(crops: Crops) -> list[Chunk]:
    return [crop for group in crops for batch in group for crop in batch]


@pytest.fixture
def corpus(tmp_path: Path) -> tuple[list[Utterance], list[np.ndarray]]:
    """Clips whose sample n has the value n / 2^16, and labels that count frames."""
    utterances, labels = [], []
    for number, samples in enumerate((40000, 33333, 8000, WINDOW)):
        wave = np.arange(samples) / 2**16
        soundfile.write(tmp_path / f"{number}.wav", wave, RATE, subtype="FLOAT")
        utterances.append(Utterance(f"c{number}", f"{number}.wav", None, None, samples / RATE))
        labels.append(np.arange(FRAMES.count(samples), dtype=np.uint16))
    return utterances, labels


def read(corpus: tuple[list, list], folder: Path, mixing: Mixing | None = None) -> CropBatches:
    return CropBatches(corpus[0], folder, corpus[1], FRAMES, 1.0, mixing, seed=5)


@pytest.mark.parametrize(
    ("probability", "span"), [(5.0, 3), (-1.0, 3), (0.0, 3), (float("nan"), 3), (0.5, 0)]
)
def test_impossible_masks(probability: float, span: int) -> None:
    with pytest.raises(
        HparamError, match=f"mask_probability is {probability} and mask_span {span}"
    ):
        Frames(RATE, WINDOW, HOP, probability, span)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.1, 5), min_size=2, max_size=40), st.integers(0, 3))
def test_an_epoch_is_as_long_as_the_speech(seconds: list[float], epoch: int) -> None:
    crops = order(seconds)
    crops.set_epoch(epoch)
    drawn = flat(crops)
    expected = {row: max(1, round(length)) for row, length in enumerate(seconds)}
    assert Counter(crop.row for crop in drawn) == expected
    for crop in drawn:
        samples = crop.start * RATE
        assert samples % HOP == pytest.approx(0, abs=1e-6)  # begins with a frame
        assert 0 <= crop.start <= max(0, seconds[crop.row] - 1.0) + 1e-9
        assert crop.epoch == epoch


def test_epochs_and_seeds_draw_others_and_the_same_again() -> None:
    seconds = np.random.default_rng(0).uniform(0.5, 6, 50).tolist()

    def drawn(seed: int, epoch: int, **changes: object) -> list[Chunk]:
        crops = order(seconds, seed=seed, **changes)
        crops.set_epoch(epoch)
        return flat(crops)

    assert drawn(1, 2) == drawn(1, 2)
    assert drawn(1, 2) != drawn(1, 3) and drawn(1, 2) != drawn(2, 2)
    assert drawn(1, 2, shuffle=False) == drawn(1, 3, shuffle=False)
    starts = [crop.start for epoch in range(20) for crop in drawn(1, epoch) if crop.row == 0]
    assert min(starts) < 0.2 * seconds[0] and max(starts) > 0.6 * (seconds[0] - 1)


def test_processes_share_the_same_batches() -> None:
    seconds = np.random.default_rng(0).uniform(0.5, 6, 50).tolist()
    alone = list(order(seconds, micro_batches=2))
    parts = [list(order(seconds, micro_batches=2, rank=r, processes=2)) for r in range(2)]
    for whole, first, second in zip(alone, *parts, strict=True):
        assert [*first, *second] == [*whole[::2], *whole[1::2]]


def test_targets_are_of_what_is_read(corpus: tuple[list, list], tmp_path: Path) -> None:
    batches = read(corpus, tmp_path)
    crops = [
        Chunk(0, FRAMES.seconds(30), 1.0, 0),
        Chunk(1, FRAMES.seconds(25), 1.0, 0),
        Chunk(2, 0.0, 1.0, 0),
        Chunk(3, 0.0, 1.0, 0),
    ]
    batch = batches[crops]
    assert batch.ids == ["c0", "c1", "c2", "c3"]
    clusters, masked = batch.targets["cluster"], batch.targets["masked"]
    assert clusters.shape == masked.shape == (4, FRAMES.count(RATE))
    for row, length in enumerate(batch.lengths.tolist()):
        first = round(batch.waves[row, 0].item() * 2**16)  # its sample says where it begins
        frames = FRAMES.count(length)
        assert first % HOP == 0
        assert clusters[row, :frames].tolist() == [first // HOP + k for k in range(frames)]
        assert (clusters[row, frames:] == -1).all() and not masked[row, frames:].any()
        assert masked[row].any()
    assert batch.lengths.tolist() == [16000, 16000, 8000, WINDOW]


def test_masks_belong_to_the_crop_and_the_epoch(corpus: tuple[list, list], tmp_path: Path) -> None:
    batches = read(corpus, tmp_path)

    def masked(*crops: Chunk) -> list[list[bool]]:
        return batches[crops].targets["masked"].tolist()

    one, other = Chunk(0, 0.0, 1.0, 0), Chunk(1, 0.0, 1.0, 0)
    assert masked(one, other)[0] == masked(other, one)[1] == masked(one)[0]
    later, elsewhere = Chunk(0, 0.0, 1.0, 1), Chunk(0, FRAMES.seconds(5), 1.0, 0)
    assert masked(one) != masked(later) and masked(one) != masked(elsewhere)


def test_targets_stay_those_of_the_clean_clip(corpus: tuple[list, list], tmp_path: Path) -> None:
    crops = [Chunk(0, 0.0, 1.0, 0), Chunk(1, 0.0, 1.0, 0)]
    clean, mixed = read(corpus, tmp_path)[crops], read(corpus, tmp_path, Mixing(1.0))[crops]
    assert not clean.waves.equal(mixed.waves) and clean.lengths.equal(mixed.lengths)
    for name, target in clean.targets.items():
        assert target.equal(mixed.targets[name])


def test_a_frame_without_a_label_has_no_cluster(corpus: tuple[list, list], tmp_path: Path) -> None:
    """As the one that rounding may give a clip of another rate."""
    utterances, labels = corpus
    labels[2] = labels[2][:-1]
    batch = read((utterances, labels), tmp_path)[[Chunk(2, 0.0, 1.0, 0)]]
    last = FRAMES.count(8000) - 1
    assert batch.targets["cluster"][0, last] == -1 != batch.targets["cluster"][0, last - 1]


def test_clips_without_a_frame_are_refused() -> None:
    with pytest.raises(TrainingError, match=r"at least 0.085 s"):
        order([1.0, 0.05])
    with pytest.raises(TrainingError, match="0 clips"):
        order([])
