"""Activity, sliding mean and packing against plain loops after Kaldi's, one clip at a time."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emovec.audio.activity import energy_activity, keep_active, sliding_mean_normalise
from emovec.audio.features import Mfcc
from emovec.audio.padding import frame_counts, valid_mask
from emovec.errors import HparamError

WINDOW, HOP = 400, 160


def kaldi_activity(wave, window, hop, threshold=5.5, mean_scale=0.5, context=2, proportion=0.12):
    """One clip, frame by frame, in float64."""
    samples = [32768.0 * sample for sample in wave]
    energies = []
    for start in range(0, len(samples) - window + 1, hop):
        frame = samples[start : start + window]
        mean = math.fsum(frame) / window
        energy = math.fsum((sample - mean) ** 2 for sample in frame)
        energies.append(math.log(max(energy, 2.0**-23)))
    decisions = []
    for middle in range(len(energies)):
        limit = threshold + mean_scale * sum(energies) / len(energies)
        inside = loud = 0
        for other in range(middle - context, middle + context + 1):
            if 0 <= other < len(energies):
                inside += 1
                loud += energies[other] > limit
        decisions.append(loud >= inside * proportion)
    return decisions


def kaldi_sliding_mean(frames, size):
    """One clip (F, D), frame by frame, in float64."""
    frames = np.asarray(frames, dtype=np.float64)
    output = np.empty_like(frames)
    for middle in range(len(frames)):
        start = middle - size // 2
        stop = start + size
        if start < 0:
            start, stop = 0, stop - start
        if stop > len(frames):
            start, stop = max(0, start - (stop - len(frames))), len(frames)
        output[middle] = frames[middle] - frames[start:stop].mean(axis=0)
    return output


def bursts(lengths, seed=0):
    """(B, T) noise whose level jumps every 50 ms, silent or up to full scale; NaN behind."""
    generator = torch.Generator().manual_seed(seed)
    size = max(lengths)
    levels = 10 ** (-5 * torch.rand(len(lengths), size // 800 + 1, generator=generator))
    levels *= torch.rand(levels.shape, generator=generator) > 0.2
    waves = torch.randn(len(lengths), size, generator=generator).clamp(-1, 1)
    waves *= levels.repeat_interleave(800, dim=1)[:, :size]
    return waves.masked_fill(~valid_mask(torch.tensor(lengths), size), torch.nan)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"context": 0, "proportion": 0.6},
        {"proportion": 0.6, "context": 5},
        {"proportion": 0.2, "context": 2},  # one of five is just enough
        {"threshold": 12.0, "mean_scale": 0.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("window, hop", [(400, 160), (200, 80)])
def test_activity_is_kaldis(options, window, hop):
    lengths = [9000, window - 1, window, window + hop, 5321, 16000]
    waves = bursts(lengths)
    active = energy_activity(waves, torch.tensor(lengths), window, hop, **options)
    assert active.dtype == torch.bool
    assert active.shape == (6, (16000 - window) // hop + 1)
    for row, length in enumerate(lengths):
        expected = kaldi_activity(waves[row, :length].tolist(), window, hop, **options)
        found = active[row].tolist()
        assert found[: len(expected)] == expected
        assert not any(found[len(expected) :])
    assert 0.02 < active.float().mean() < 0.98  # both answers occur


def test_default_options_are_those_of_sre16():
    waves, lengths = bursts([16000]), torch.tensor([16000])
    spelt_out = energy_activity(waves, lengths, WINDOW, HOP, 5.5, 0.5, 2, 0.12)
    assert torch.equal(energy_activity(waves, lengths, WINDOW, HOP), spelt_out)


@pytest.mark.parametrize("level", [0.0, 0.5, -1.0])
def test_silence_has_no_speech(level):
    """Digital silence, at whatever offset; and its neighbour is not touched by it."""
    lengths = torch.tensor([8000, 8000])
    waves = torch.full((2, 8000), level)
    waves[1] = bursts([8000], seed=1)[0]
    active = energy_activity(waves, lengths, WINDOW, HOP)
    assert not active[0].any()
    assert active[1].tolist() == kaldi_activity(waves[1].tolist(), WINDOW, HOP)


def test_tone_between_pauses():
    wave = torch.zeros(1, 16000)
    wave[0, 6400:9600] = 0.1 * torch.sin(torch.arange(3200) * 0.1)
    active = energy_activity(wave, torch.tensor([16000]), WINDOW, HOP)[0]
    # frames 38 to 59 hold some of the tone; two frames of context on either side
    assert active.nonzero().flatten().tolist() == list(range(36, 62))


def test_energy_by_hand():
    """Of samples of -0.5 and 0.5 in turn, in a frame of 400: 400 * 16384^2."""
    wave, lengths = torch.tensor([0.5, -0.5]).repeat(1000)[None], torch.tensor([2000])
    log_energy = math.log(400 * 16384**2)
    for threshold, expected in ((log_energy - 1e-3, True), (log_energy + 1e-3, False)):
        active = energy_activity(wave, lengths, WINDOW, HOP, threshold, mean_scale=0.0)
        assert active.tolist() == [[expected] * 11]


def test_frame_at_the_threshold_is_not_loud():
    active = energy_activity(torch.zeros(1, 8000), torch.tensor([8000]), WINDOW, HOP, 0.0, 1.0)
    assert not active.any()


def test_samples_after_the_last_whole_frame_decide_nothing():
    lengths = torch.tensor([400 + 20 * 160 + 150, 16000])
    waves = bursts([16000, 16000])
    waves[0] = 0.0
    waves[0, 3600:3750] = 0.9 * torch.sin(torch.arange(150.0))
    assert not energy_activity(waves, lengths, WINDOW, HOP)[0].any()


@pytest.mark.parametrize("options", [{"context": -1}, {"proportion": 0.0}, {"proportion": 1.0}])
def test_impossible_options(options):
    with pytest.raises(HparamError, match="energy_activity: context"):
        energy_activity(torch.zeros(1, 800), torch.tensor([800]), WINDOW, HOP, **options)


@pytest.mark.parametrize("size", [1, 2, 7, 50, 300])
def test_sliding_mean_is_kaldis(size):
    lengths = [61, 1, 0, 7, 8, 49, 50, 51, 330]
    frames = torch.randn(9, 330, 3, generator=torch.Generator().manual_seed(0)) + 10
    frames[~valid_mask(torch.tensor(lengths), 330)] = torch.nan
    normalised = sliding_mean_normalise(frames, torch.tensor(lengths), size)
    assert normalised.dtype == torch.float32
    for row, length in enumerate(lengths):
        expected = kaldi_sliding_mean(frames[row, :length], size)
        found = normalised[row, :length].numpy()
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)
        assert (normalised[row, length:] == 0).all()


def test_sliding_mean_does_not_drift():
    """A minute of frames far from 0: running sums in float32 are 1e-3 off at its end."""
    frames = torch.randn(1, 6000, 2, generator=torch.Generator().manual_seed(0)) + 300
    expected = kaldi_sliding_mean(frames[0], 300)
    found = sliding_mean_normalise(frames, torch.tensor([6000]))[0].numpy()
    assert np.abs(found - expected).max() < 1e-6
    sums = np.concatenate([np.zeros((1, 2), "f4"), np.cumsum(frames[0].numpy(), 0, "f4")])
    drifted = frames[0, 150:5851].numpy() - (sums[300:] - sums[:-300]) / np.float32(300)
    assert np.abs(drifted - expected[150:5851]).max() > 1e-3


@pytest.mark.parametrize("size", [0, -3])
def test_impossible_size(size):
    with pytest.raises(HparamError, match=f"size is {size}; expected at least 1 frame"):
        sliding_mean_normalise(torch.zeros(1, 4, 2), torch.tensor([4]), size)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.booleans(), max_size=9), min_size=1, max_size=5), st.integers(0, 3))
def test_keep_active_is_a_selection(flags, surplus):
    lengths = torch.tensor([len(row) for row in flags])
    size = int(lengths.max()) + surplus
    frames = torch.arange(len(flags) * size * 2.0).reshape(len(flags), size, 2)
    active = torch.ones(len(flags), size, dtype=torch.bool)  # true in the padding
    for row, row_flags in enumerate(flags):
        active[row, : len(row_flags)] = torch.tensor(row_flags, dtype=torch.bool)
    frames[~valid_mask(lengths, size)] = torch.nan
    packed, counts = keep_active(frames, lengths, active)
    assert counts.tolist() == [sum(row) for row in flags] and counts.dtype == torch.int64
    assert packed.shape == (len(flags), max(map(sum, flags)), 2)
    for row, row_flags in enumerate(flags):
        kept = [frames[row, place].tolist() for place, flag in enumerate(row_flags) if flag]
        assert packed[row, : len(kept)].tolist() == kept
        assert not packed[row, len(kept) :].any()


def test_keep_active_passes_gradients():
    frames = torch.ones(1, 3, 1, requires_grad=True)
    packed, _ = keep_active(frames, torch.tensor([3]), torch.tensor([[True, False, True]]))
    packed.sum().backward()
    assert frames.grad.flatten().tolist() == [1.0, 0.0, 1.0]


def test_whole_chain_of_a_ragged_batch_equals_single_clips():
    front_end = Mfcc()
    lengths = torch.tensor([60000, 16000, 400, 33333, 8000])
    waves = bursts(lengths.tolist(), seed=4)
    waves[4, :8000] = 0.0

    def chain(waves, lengths):
        active = energy_activity(waves, lengths, front_end.window, front_end.hop)
        frames, counts = front_end(waves, lengths)
        assert active.shape == frames.shape[:2]
        return keep_active(sliding_mean_normalise(frames, counts), counts, active)

    frames, counts = chain(waves, lengths)
    assert (counts <= frame_counts(lengths, WINDOW, HOP)).all() and counts[4] == 0
    for row, length in enumerate(lengths.tolist()):
        alone, count = chain(waves[row : row + 1, :length], lengths[row : row + 1])
        assert count == counts[row]
        torch.testing.assert_close(frames[row, :count], alone[0], rtol=1e-5, atol=1e-4)
        assert not frames[row, count:].any()
