"""Clips that an encoder cannot embed are told before a run, and exactly these."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from emovec.audio.augment import change_speed
from emovec.audio.loading import load
from emovec.encoders.audible import audible, audible_parts, has_frame
from emovec.encoders.base import Encoder
from emovec.encoders.resnet import ResNet
from emovec.errors import AudioError, SplitError
from emovec.tables.corpus import Skip
from emovec.tables.manifest import Utterance

RATE = 16000
SMALL = {"channels": (2, 2), "blocks": (1, 1), "embedding_size": 4}


@pytest.fixture
def clips(tmp_path: Path) -> list[Utterance]:
    """Half a second of silence and as much noise, one behind the other, and parts of it."""
    random = np.random.default_rng(0)
    wave = np.concatenate([np.zeros(RATE // 2), random.uniform(-0.5, 0.5, RATE // 2)])
    soundfile.write(tmp_path / "a.wav", wave, RATE)
    return [
        Utterance("whole", "a.wav", None, None, 1.0),
        Utterance("noise", "a.wav", 0.5, None, 0.5),
        Utterance("silence", "a.wav", 0.0, 0.5, 0.5),
        Utterance("click", "a.wav", 0.6, 0.62, 0.02),
    ]


def test_the_silent_and_the_short_are_listed(tmp_path: Path, clips: list[Utterance]) -> None:
    kept, skipped = audible(ResNet(**SMALL), clips, tmp_path, 30.0)
    assert kept == clips[:2]  # in their order
    assert skipped == [
        Skip("silence", "no speech is heard in it"),
        Skip("click", "lasts 0.020 s, too short for the encoder"),
    ]


def test_clips_are_heard_as_they_will_be_cut(tmp_path: Path, clips: list[Utterance]) -> None:
    """Of the whole clip the first half is silent."""
    kept, _ = audible(ResNet(**SMALL), clips, tmp_path, 0.4)
    assert kept == [clips[1]]
    kept, skipped = audible(ResNet(**SMALL), clips, tmp_path, 0.01)
    assert kept == [] and {skip.reason[:13] for skip in skipped} == {"lasts 0.010 s"}


@pytest.mark.parametrize("sample_rate", [8000, 16000])
@torch.inference_mode()
def test_what_is_kept_is_embedded_and_what_is_not_is_refused(
    tmp_path: Path, clips: list[Utterance], sample_rate: int
) -> None:
    encoder = ResNet(**SMALL, sample_rate=sample_rate).eval()
    kept, skipped = audible(encoder, clips, tmp_path, 30.0)
    for clip in clips:
        read = load(tmp_path / clip.path, clip.start, clip.stop, sample_rate=sample_rate)
        wave = torch.from_numpy(read)[None], torch.tensor([len(read)])
        if clip in kept:
            assert encoder(*wave).isfinite().all()
        else:
            assert clip.id in {skip.id for skip in skipped}
            with pytest.raises(AudioError):
                encoder(*wave)


def test_audio_is_read_only_for_its_speech(tmp_path: Path, clips: list[Utterance]) -> None:
    encoder = ResNet(**SMALL, activity=False)
    (tmp_path / "a.wav").unlink()
    kept, skipped = audible(encoder, clips, tmp_path, 30.0)
    assert kept == clips[:3] and [skip.id for skip in skipped] == ["click"]
    with pytest.raises(AudioError, match=r"a\.wav: not found"):
        audible(ResNet(**SMALL), clips, tmp_path, 30.0)


def test_an_encoder_of_all_clips_hears_all_clips() -> None:
    assert not Encoder.needs_speech
    assert Encoder().hears(torch.zeros(2, 9), torch.tensor([9, 3])).tolist() == [True, True]


@pytest.mark.parametrize("speed", [0.9, 1.0, 1.1, 1.25])
def test_a_frame_is_counted_at_the_speed_that_is_heard(speed: float) -> None:
    """Each length about the shortest, against the samples that a clip of noise really gets."""
    encoder = ResNet(**SMALL, activity=False)
    for samples in range(int(encoder.shortest * speed) - 2, int(encoder.shortest * speed) + 3):
        played = len(change_speed(np.zeros(samples, dtype=np.float32), speed))
        if has_frame(encoder, samples / RATE, speed):
            assert played >= encoder.shortest
        else:
            assert played <= encoder.shortest  # rounding up may just reach it


def test_only_clips_to_train_on_are_played_faster(tmp_path: Path, clips: list[Utterance]) -> None:
    encoder = ResNet(**SMALL, activity=False)
    seconds = encoder.shortest / RATE
    short = Utterance("short", "a.wav", 0.6, 0.6 + seconds, seconds)
    parts = {"train": [*clips[:3], short], "valid": [*clips[:2], short]}
    kept, skipped = audible_parts(encoder, parts, tmp_path, 30.0, 1.1)
    assert kept == {"train": clips[:3], "valid": [*clips[:2], short]}
    reason = f"lasts {seconds:.3f} s, too short for the encoder at speed 1.1"
    assert skipped == [Skip("short", reason)]
    assert audible_parts(encoder, parts, tmp_path, 30.0) == (parts, [])


def test_a_part_of_too_few_clips_is_said(tmp_path: Path, clips: list[Utterance]) -> None:
    parts = {"train": clips[:2], "test": clips[1:3]}
    with pytest.raises(SplitError, match=r"test: 1 clips are left, 1 left out \(silence no sp"):
        audible_parts(ResNet(**SMALL), parts, tmp_path, 30.0)


def test_none_of_none(tmp_path: Path) -> None:
    assert audible(ResNet(**SMALL), [], tmp_path, 1.0) == ([], [])
