"""Samples near speech: against loops over frames, ragged, and of silence."""

import pytest
import torch

from emovec.audio.activity import energy_activity
from emovec.audio.trimming import near_speech

RATE = 8000
NOISE, HISS = 0.2, 1e-5


def clip(*stretches):
    """Noise of some loudness for some seconds each."""
    generator = torch.Generator().manual_seed(1)
    return torch.cat(
        [
            loudness * torch.randn(round(seconds * RATE), generator=generator)
            for loudness, seconds in stretches
        ]
    )


def by_loops(wave, margin):
    speech = energy_activity(wave[None], torch.tensor([len(wave)]), 160, 80)[0].tolist()
    near = [False] * len(wave)
    for frame, spoken in enumerate(speech):
        if spoken:
            for place in range(80 * frame - margin, 80 * frame + 160 + margin):
                if 0 <= place < len(wave):
                    near[place] = True
    return near


CLIPS = {
    "speech in silence": [(HISS, 0.5), (NOISE, 0.4), (HISS, 0.5)],
    "to the ends": [(NOISE, 0.2), (HISS, 0.8), (NOISE, 0.1)],
    "many": [(HISS, 0.31), (NOISE, 0.02), (HISS, 0.15), (NOISE, 0.03), (0.0, 0.6), (NOISE, 0.01)],
    "all": [(NOISE, 0.3)],
    "none": [(0.0, 0.3)],
    "shorter than a frame": [(NOISE, 0.019)],
}


@pytest.mark.parametrize("margin_ms", [0, 37, 100])
def test_against_loops_in_a_ragged_batch(margin_ms):
    waves = [clip(*stretches) for stretches in CLIPS.values()]
    size = max(map(len, waves)) + 50
    padded = torch.full((len(waves), size), torch.nan)
    for row, wave in enumerate(waves):
        padded[row, : len(wave)] = wave
    found = near_speech(padded, torch.tensor([len(wave) for wave in waves]), RATE, margin_ms)
    assert found.shape == padded.shape
    for row, wave in enumerate(waves):
        assert found[row, : len(wave)].tolist() == by_loops(wave, 8 * margin_ms)
        assert not found[row, len(wave) :].any()


def test_a_long_pause_is_cut_and_a_short_one_is_not():
    long = clip((HISS, 1.0), (NOISE, 0.5), (HISS, 1.0), (NOISE, 0.5), (HISS, 1.0))
    kept = near_speech(long[None], torch.tensor([len(long)]), RATE).sum().item() / RATE
    # twice half a second and two margins, and what 20 ms frames with two beside them reach further
    assert 1.4 <= kept <= 1.4 + 4 * 0.04
    short = clip((NOISE, 0.5), (HISS, 0.15), (NOISE, 0.5))
    assert near_speech(short[None], torch.tensor([len(short)]), RATE).all()


def test_other_sample_rates():
    wave = clip((HISS, 0.5), (NOISE, 0.5), (HISS, 0.5))
    kept = near_speech(wave[None], torch.tensor([len(wave)]), RATE)
    twice = wave.repeat_interleave(2)
    found = near_speech(twice[None], torch.tensor([len(twice)]), 2 * RATE)
    assert abs(found.sum().item() / 2 - kept.sum().item()) <= 2 * 80
