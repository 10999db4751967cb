"""Loaders of a speaker training: which order, which audio, which errors."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor, nn

from emovec.audio.augment import Augmentation
from emovec.audio.chunks import SpeakerChunks
from emovec.audio.speaker_batches import ChunksOfSpeakers
from emovec.encoders.base import Encoder
from emovec.errors import HparamError, SplitError, TrainingError
from emovec.tables.manifest import Utterance
from emovec.training.speaker_data import SpeakerLoaders, prepare_augmentation
from emovec.training.speaker_task import SpeakerTask

RATE = 8000


class Nothing(Encoder):
    embedding_size, sample_rate, padding_safe, shortest = 2, RATE, True, 800

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))

    def forward(self, waves: Tensor, lengths: Tensor) -> Tensor:
        return self.weight.expand(len(waves), 2)


@pytest.fixture
def clips(tmp_path: Path) -> list[Utterance]:
    """Four speakers with three clips each, whose samples are all one number."""
    found = []
    for number in range(12):
        path = tmp_path / f"{number}.wav"
        wave = np.full(RATE * (1 + number) // 4, (1 + number) / 20)
        soundfile.write(path, wave, RATE, subtype="FLOAT")
        speaker = f"a/s{number % 4}"
        found.append(Utterance(f"a/{number}", str(path), None, None, len(wave) / RATE, speaker))
    return found


def loaders(clips: list[Utterance], **changes: object) -> SpeakerLoaders:
    given: dict = {
        "task": SpeakerTask(clips, []),
        "encoder": Nothing(),
        "chunk_seconds": [0.2, 0.2],
        "batch_size": 6,
        "micro_batches": 1,
        "utterances_per_speaker": None,
        "max_seconds": 2.0,
        "seed": 3,
        "workers": 0,
    }
    return SpeakerLoaders(**given | changes)


def test_speakers_take_turns_chunk_by_chunk_or_several_at_once(clips: list[Utterance]) -> None:
    turns = loaders(clips).chunks(clips, None)
    assert type(turns.batch_sampler) is SpeakerChunks
    together = loaders(clips, utterances_per_speaker=3).chunks(clips, None)
    assert type(together.batch_sampler) is ChunksOfSpeakers
    for (batch,) in together:
        assert sorted(torch.bincount(batch.targets["speaker"]).tolist())[-2:] == [3, 3]
        assert batch.lengths.tolist() == [1600] * 6
        for name, wave, length in zip(batch.ids, batch.waves, batch.lengths, strict=True):
            expected = (1 + int(name.removeprefix("a/"))) / 20
            assert wave[:length].tolist() == pytest.approx([expected] * length, abs=1e-6)


def test_whole_clips_are_cut_and_each_is_there_once(clips: list[Utterance]) -> None:
    read = [batch for batches in loaders(clips).whole_clips(clips) for batch in batches]
    length = {
        id_: n for batch in read for id_, n in zip(batch.ids, batch.lengths.tolist(), strict=True)
    }
    assert length == {u.id: int(min(u.duration, 2.0) * RATE) for u in clips}
    assert sum(len(batch.ids) for batch in read) == 12


def test_a_clip_may_be_longer_than_a_batch_of_chunks(clips: list[Utterance]) -> None:
    """Two chunks of 0.2 s, and clips of 2 s; a lone clip goes with another."""
    loader = loaders(clips, batch_size=2).whole_clips(clips)
    read = [batch for batches in loader for batch in batches]
    assert max(batch.waves.numel() for batch in read) <= 2 * 2 * RATE


def test_chunks_are_long_enough_for_the_encoder(clips: list[Utterance]) -> None:
    with pytest.raises(HparamError, match=r"\[0.05, 0.2\]; expected at least 0.1 s, a frame"):
        loaders(clips, chunk_seconds=[0.05, 0.2]).chunks(clips, None)


def test_the_highest_speed_counts(clips: list[Utterance]) -> None:
    """Of chunks of 0.1 s, and of the shortest clip, which lasts 0.25 s."""
    fast = Augmentation(speeds=[0.9, 1.25])
    with pytest.raises(HparamError, match=r"\[0.1, 0.2\]; expected at least 0.125 s"):
        loaders(clips, chunk_seconds=[0.1, 0.2]).chunks(clips, fast)
    loaders(clips, chunk_seconds=[0.1, 0.2]).chunks(clips, None)
    long = Nothing()
    long.shortest = int(0.24 * RATE)
    several = {"encoder": long, "chunk_seconds": [0.5, 0.5]}
    loaders(clips, **several).chunks(clips, None)
    with pytest.raises(SplitError, match=r"1 training clips .* \['a/0'\]; expected 0.3 s"):
        loaders(clips, **several).chunks(clips, fast)


def test_batches_that_cannot_be_drawn_are_said(clips: list[Utterance]) -> None:
    with pytest.raises(TrainingError, match="utterances_per_speaker is 4"):
        loaders(clips, utterances_per_speaker=4).chunks(clips, None)


def test_something_must_augment(clips: list[Utterance]) -> None:
    with pytest.raises(HparamError, match="there is nothing to augment with"):
        prepare_augmentation(Augmentation(), False, clips, 0)
    made = prepare_augmentation(Augmentation(), True, clips, 0)
    assert list(made.kinds) == ["babble"]
    loader = loaders(clips).chunks(clips, made)
    assert loader.dataset.augmentation is made


def test_talkers_are_drawn_from_the_seed(
    clips: list[Utterance], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emovec.training.speaker_data.TALKERS", 4)
    taken = []
    monkeypatch.setattr(
        Augmentation, "with_talkers", lambda self, files: taken.append(files) or self
    )
    for seed in (0, 0, 1):
        with pytest.raises(HparamError):
            prepare_augmentation(Augmentation(), True, clips, seed)
    assert taken[0] == taken[1] != taken[2] and len(taken[0]) == 4
    assert {str(path) for path in taken[0]} <= {u.path for u in clips}


def test_no_clip_of_nobody_is_a_class(clips: list[Utterance]) -> None:
    other = replace(clips[0], speaker="a/other")
    with pytest.raises(KeyError):
        loaders(clips).whole_clips([other])
