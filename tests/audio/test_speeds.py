"""Speeds that make speakers: ids, durations, and what is heard of a file."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from emovec.audio.chunks import Chunk, ChunkBatches
from emovec.audio.speeds import speed_of, with_speakers_at
from emovec.errors import HparamError
from emovec.tables.manifest import Utterance

RATE = 8000
CLIPS = [
    Utterance("a", "tone.wav", None, None, 4.0, speaker="x", emotion="anger", extra={"k": "v"}),
    Utterance("b", "tone.wav", 1.0, 3.0, 2.0, speaker="y"),
]


def test_each_speed_has_its_own_clips_and_speakers() -> None:
    found = with_speakers_at([1.0, 0.8, 1.25], CLIPS)
    assert found[:2] == CLIPS  # untouched
    assert [u.id for u in found[2:]] == ["a@0.8", "b@0.8", "a@1.25", "b@1.25"]
    assert [u.speaker for u in found[2:]] == ["x@0.8", "y@0.8", "x@1.25", "y@1.25"]
    assert [u.duration for u in found] == [4, 2, 5, 2.5, 3.2, 1.6]
    assert [speed_of(u) for u in found] == [1, 1, 0.8, 0.8, 1.25, 1.25]
    others = [(u.path, u.start, u.stop, u.emotion, u.extra) for u in found]
    assert others == others[:2] * 3


def test_one_alone_leaves_all_as_they_are() -> None:
    assert with_speakers_at([1.0], CLIPS) == CLIPS


@pytest.mark.parametrize("speeds", [[], [1.0, 1.0], [0.4], [1.0, 2.1], [0.0]])
def test_impossible_speeds(speeds: list[float]) -> None:
    with pytest.raises(HparamError, match=r"speaker_speeds is .*; expected different ones"):
        with_speakers_at(speeds, CLIPS)


@pytest.mark.parametrize("speed", [1.0, 0.8, 1.25])
def test_what_is_heard(tmp_path: Path, speed: float) -> None:
    """A tone that begins in the middle of the file: its place and pitch follow the speed."""
    seconds = np.arange(4 * RATE) / RATE
    tone = np.where(seconds >= 2, 0.5 * np.sin(2 * np.pi * 500 * seconds), 0.0)
    soundfile.write(tmp_path / "tone.wav", tone, RATE)
    clips = with_speakers_at([speed], CLIPS)
    data = ChunkBatches(clips, tmp_path, {"row": torch.arange(2)}, RATE)
    whole, part = (data[[Chunk(row, 0.0, 9.0, 0)]].waves[0].numpy() for row in (0, 1))
    assert [len(whole), len(part)] == [round(4 * RATE / speed), round(2 * RATE / speed)]
    for wave, begins in ((whole, 2 / speed), (part, 1 / speed)):
        loud = np.flatnonzero(np.abs(wave) > 0.1)[0] / RATE
        assert loud == pytest.approx(begins, abs=0.01)
        sound = wave[round((begins + 0.1) * RATE) :]
        frequencies = np.fft.rfftfreq(len(sound), 1 / RATE)
        peak = frequencies[np.abs(np.fft.rfft(sound * np.hanning(len(sound)))).argmax()]
        assert peak == pytest.approx(500 * speed, abs=2)
    chunk = data[[Chunk(1, 0.5, 0.25, 0)]]
    assert chunk.lengths.tolist() == [0.25 * RATE]
    expected = part[round(0.5 * RATE) :][: round(0.25 * RATE)]
    np.testing.assert_allclose(chunk.waves[0][200:-200], expected[200:-200], atol=0.01)
