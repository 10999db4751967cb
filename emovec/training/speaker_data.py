"""What a speaker training hears: clips that can be embedded, chunks to train on, whole clips."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from torch.utils.data import DataLoader

from emovec.audio.augment import Augmentation
from emovec.audio.batches import EffectiveBatches, UtteranceBatches, make_loader
from emovec.audio.chunks import ChunkBatches, SpeakerChunks
from emovec.audio.speaker_batches import ChunksOfSpeakers
from emovec.corpora.speaker_tests import check_trials
from emovec.corpora.speakers import SpeakerSelection
from emovec.encoders.audible import audible_parts, has_frame
from emovec.encoders.base import Encoder
from emovec.encoders.processes import process_place
from emovec.errors import HparamError, SplitError
from emovec.tables.corpus import Skip
from emovec.tables.manifest import Utterance
from emovec.training.tasks import Task

ROOT = Path("/")  # paths of a speaker selection are absolute
TALKERS = 2000  # training clips that babble is made of


def audible_clips(
    encoder: Encoder,
    clips: SpeakerSelection,
    others: dict[str, list[Utterance]],
    max_seconds: float,
) -> tuple[SpeakerSelection, dict[str, list[Utterance]], list[Skip]]:
    """Clips to train on, those of each test by the prefix of its metrics, and what is left out.

    Args:
        encoder: what will embed them
        clips: of the corpora to train on
        others: clips of further corpora to test on, by name
        max_seconds: clips are cut to this length, as they will be

    Raises:
        SplitError: if nothing is left to validate or to test on
    """
    parts = {"known": clips.known, "valid": clips.valid, "test": clips.test}
    parts |= {f"test_{name}/": utterances for name, utterances in others.items()}
    kept, skipped = audible_parts(encoder, parts, ROOT, max_seconds)
    chosen = replace(clips, known=kept.pop("known"), valid=kept.pop("valid"))
    check_trials("valid", chosen.valid)
    return chosen, {"": kept.pop("test"), **kept}, skipped


def prepare_augmentation(
    augmentation: Augmentation, babble_of_training: bool, training: Sequence[Utterance], seed: int
) -> Augmentation:
    """An augmentation that may make babble of training clips.

    Args:
        augmentation: from folders of noise, music, speech and impulse responses, if any
        babble_of_training: whether training clips are talkers
        training: clips
        seed: of the choice of talkers

    Raises:
        HparamError: if there is nothing to augment with
    """
    if babble_of_training:
        drawn = random.Random(seed).sample(training, min(TALKERS, len(training)))
        augmentation = augmentation.with_talkers([ROOT / utterance.path for utterance in drawn])
    if not augmentation.kinds:
        raise HparamError(
            "augment is True, but there is nothing to augment with; expected a folder of noise, "
            "music, speech or impulse_responses, or babble_of_training. Give one."
        )
    return augmentation


@dataclass(frozen=True)
class SpeakerLoaders:
    """Makes loaders of this process' share of batches.

    Attributes:
        task: gives the targets
        encoder: to be trained
        chunk_seconds: shortest and longest chunk
        batch_size: chunks of a micro-batch
        micro_batches: how many make an effective batch, over all processes
        utterances_per_speaker: chunks of each speaker in an effective batch, for losses that
            compare clips; None: speakers take turns chunk by chunk
        max_seconds: whole clips are cut to this length
        seed: of the draws
        workers: processes that read ahead
        turns: what takes turns in being heard: "speaker", or "id", each clip once an epoch
    """

    task: Task
    encoder: Encoder
    chunk_seconds: Sequence[float]
    batch_size: int
    micro_batches: int
    utterances_per_speaker: int | None
    max_seconds: float
    seed: int
    workers: int
    turns: Literal["speaker", "id"] = "speaker"

    def chunks(
        self, utterances: Sequence[Utterance], augmentation: Augmentation | None
    ) -> DataLoader:
        """Chunks to train on, each epoch others.

        Raises:
            HparamError: if chunks are too short for the encoder
            SplitError: if a clip is, at its fastest
            TrainingError: if batches cannot be drawn so
        """
        order = self._order(utterances)
        fastest = max(augmentation.speeds) if augmentation else 1.0
        shortest = self.encoder.shortest / self.encoder.sample_rate * fastest
        if self.chunk_seconds[0] < shortest:
            raise HparamError(
                f"chunk_seconds is {list(self.chunk_seconds)}; expected at least {shortest:.4g} s, "
                "a frame of the encoder at the highest speed. Raise it."
            )
        short = [u.id for u in utterances if not has_frame(self.encoder, u.duration, fastest)]
        if short:
            raise SplitError(
                f"{len(short)} training clips are too short for the encoder: {short[:10]}; "
                f"expected {shortest:.4g} s or more. Leave them out, or lower the speeds."
            )
        targets = self.task.targets(utterances)
        batches = ChunkBatches(utterances, ROOT, targets, self.encoder.sample_rate, augmentation)
        return make_loader(batches, order, self.workers)

    def _order(self, utterances: Sequence[Utterance]) -> SpeakerChunks:
        rank, processes = process_place()
        seconds = [u.duration for u in utterances]
        speakers = [getattr(u, self.turns) for u in utterances]
        sizes = self.chunk_seconds, self.batch_size, self.micro_batches
        if self.utterances_per_speaker is None:
            return SpeakerChunks(seconds, speakers, *sizes, self.seed, rank, processes)
        several = self.utterances_per_speaker
        return ChunksOfSpeakers(seconds, speakers, *sizes, several, self.seed, rank, processes)

    def whole_clips(self, utterances: Sequence[Utterance]) -> DataLoader:
        """Clips to embed as they are, in order of length."""
        rank, processes = process_place()
        targets, rate = self.task.targets(utterances), self.encoder.sample_rate
        batches = UtteranceBatches(utterances, ROOT, targets, rate, self.max_seconds)
        # the longest clip may be longer than a batch of chunks
        seconds = max(self.batch_size * self.chunk_seconds[1], *batches.seconds())
        order = EffectiveBatches(
            batches.seconds(), seconds, processes, self.seed, False, rank, processes
        )
        return make_loader(batches, order, self.workers)
