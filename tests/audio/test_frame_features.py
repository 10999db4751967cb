"""MFCC at an encoder's frames: torchaudio's Kaldi MFCC and differences, one clip at a time."""

import pytest
import torch
import torchaudio
from torch import Tensor

from emovec.audio.frame_features import MfccFrames
from emovec.audio.padding import valid_mask
from emovec.encoders.wavlm import WavLM


def oracle(wave: Tensor, window: int, hop: int, centred: bool) -> Tensor:
    """(F, 39) of one clip (T,): the 10 ms step with the nearest centre, by looking at all."""
    mfcc = torchaudio.compliance.kaldi.mfcc(
        32768 * wave[None], num_ceps=13, num_mel_bins=23, high_freq=7600.0, use_energy=False
    ).T  # (13, steps)
    if centred:
        mfcc = mfcc - mfcc.mean(dim=1, keepdim=True)
    first = torchaudio.functional.compute_deltas(mfcc)
    whole = torch.cat([mfcc, first, torchaudio.functional.compute_deltas(first)]).T
    centres = [160 * step + 200 for step in range(len(whole))]
    frames = (len(wave) - window) // hop + 1
    steps = [
        min(range(len(centres)), key=lambda step: abs(centres[step] - (hop * k + window / 2)))
        for k in range(frames)
    ]
    return whole[steps]


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize(("window", "hop"), [(1360, 640), (400, 320)])
def test_ragged_batch_equals_single_clips(window: int, hop: int, centred: bool) -> None:
    lengths = torch.tensor([window, 8000, 5001, 9999])
    waves = 0.1 * torch.randn(4, 9999, generator=torch.Generator().manual_seed(0))
    padded = waves.masked_fill(~valid_mask(lengths, 9999), torch.nan)
    found, counts = MfccFrames(16000, window, hop, centred)(padded, lengths)
    for row, (wave, length) in enumerate(zip(waves, lengths.tolist(), strict=True)):
        expected = oracle(wave[:length], window, hop, centred)
        assert counts[row] == len(expected)
        torch.testing.assert_close(found[row, : len(expected)], expected, rtol=1e-3, atol=2e-2)
        assert (found[row, len(expected) :] == 0).all()
    assert found.shape == (4, int(counts.max()), MfccFrames.size)


@pytest.mark.parametrize("size", ["tiny", "base"])
def test_as_many_frames_as_the_encoder_s(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = WavLM(size).eval()
    monkeypatch.setattr(encoder, "_transform", lambda values, counts: [values])
    features = MfccFrames(16000, encoder.shortest, encoder.hop, centred=False)
    lengths = torch.arange(encoder.shortest, encoder.shortest + 700, 37)
    waves = 0.1 * torch.randn(len(lengths), int(lengths.max()))
    with torch.no_grad():
        _, expected = encoder.layer_outputs(waves, lengths)
    assert features(waves, lengths)[1].tolist() == expected.tolist()


def test_centring_takes_a_gain_away() -> None:
    """A gain moves the 0th coefficient of all frames alike."""
    waves, lengths = 0.1 * torch.randn(1, 8000), torch.tensor([8000])
    centred = MfccFrames(16000, 1360, 640, centred=True)
    torch.testing.assert_close(
        centred(waves, lengths)[0], centred(0.3 * waves, lengths)[0], rtol=1e-3, atol=1e-3
    )
    raw = MfccFrames(16000, 1360, 640, centred=False)
    assert (raw(waves, lengths)[0] - raw(0.3 * waves, lengths)[0])[..., 0].abs().min() > 1
