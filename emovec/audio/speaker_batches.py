"""Chunks of which several are of one speaker, for losses that compare clips with each other."""

from collections.abc import Sequence

import numpy as np

from emovec.audio.chunks import Chunk, SpeakerChunks
from emovec.errors import TrainingError


class ChunksOfSpeakers(SpeakerChunks):
    """Effective batches of S different speakers with U chunks each, as one list a micro-batch.

    S is what makes the batch full: batch_size x micro_batches / U. Speakers take turns in a new
    random order each round, so that each is heard equally often; of a speaker's clips those of a
    batch are different ones. A speaker of fewer than U has each of them about equally often, in
    chunks that are drawn anew: one of a single clip has U chunks of it. The chunks of a speaker are
    spread over the micro-batches, for the sake of batch normalisation. The rest is as in
    :class:`SpeakerChunks`, an epoch's number of chunks and their common length among it.

    Args:
        seconds: N lengths of clips
        speakers: (N,) who speaks
        chunk_seconds: shortest and longest chunk
        batch_size: chunks of a micro-batch
        micro_batches: how many make an effective batch, over all processes
        utterances_per_speaker: U
        seed: of the draws
        rank: this process, in [0, processes)
        processes: how many share each effective batch

    Raises:
        TrainingError: as :class:`SpeakerChunks`; if U is less than 2, does not divide the effective
            batch into two speakers or more, or there are fewer speakers than it has
    """

    def __init__(
        self,
        seconds: Sequence[float],
        speakers: Sequence[str],
        chunk_seconds: Sequence[float],
        batch_size: int,
        micro_batches: int,
        utterances_per_speaker: int,
        seed: int,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        _check(batch_size, micro_batches, utterances_per_speaker, len(set(speakers)))
        self._utterances = utterances_per_speaker
        super().__init__(
            seconds, speakers, chunk_seconds, batch_size, micro_batches, seed, rank, processes
        )

    def set_epoch(self, epoch: int) -> None:
        """Draw the chunks of an epoch."""
        random = np.random.default_rng([self._seed, epoch])
        whole = self._size * self._micro_batches
        count = max(1, round(len(self._seconds) / whole))
        size = whole // self._utterances
        drawn = _turns(len(self._clips_of), size, count, random)
        self._groups = [self._chunks(speakers, epoch, random) for speakers in drawn]

    def _chunks(
        self, speakers: np.ndarray, epoch: int, random: np.random.Generator
    ) -> list[list[Chunk]]:
        """Micro-batches of one effective batch, of speakers (S,)."""
        length = float(random.uniform(self._shortest, self._longest))
        chunks = [
            self._stretch(int(row), length, epoch, random)
            for speaker in speakers
            for row in _cycled(self._clips_of[speaker], self._utterances, random)
        ]
        return [chunks[place :: self._micro_batches] for place in range(self._micro_batches)]


def _turns(speakers: int, size: int, count: int, random: np.random.Generator) -> np.ndarray:
    """Speakers (count, size), no batch with one twice, all equally often but for one time."""
    waiting = np.array([], dtype=int)
    batches = []
    for _ in range(count):
        if len(waiting) < size:
            order = random.permutation(speakers)
            again = np.isin(order, waiting)  # whoever still waits has a long way to the next turn
            waiting = np.concatenate([waiting, order[~again], order[again]])
        batches.append(waiting[:size])
        waiting = waiting[size:]
    return np.stack(batches)


def _cycled(clips: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Clips (count,) in random order, each as often as any other but for one time."""
    rounds = -(-count // len(clips))
    return np.concatenate([random.permutation(clips) for _ in range(rounds)])[:count]


def _check(batch_size: int, micro_batches: int, utterances: int, speakers: int) -> None:
    whole = batch_size * micro_batches
    if utterances < 2 or whole % utterances or whole < 2 * utterances:
        raise TrainingError(
            f"utterances_per_speaker is {utterances} and an effective batch has {batch_size} x "
            f"{micro_batches} chunks; expected at least 2 of each of 2 or more speakers, without "
            "a rest. Change utterances_per_speaker, batch_size or micro_batches."
        )
    if speakers < whole // utterances:
        raise TrainingError(
            f"{speakers} speakers to train on, and batches of {whole // utterances} speakers with "
            f"{utterances} chunks each; expected as many or more. Lower batch_size, or raise "
            "utterances_per_speaker."
        )
