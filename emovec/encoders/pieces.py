"""The clips of a table in shards and batches, and how these are read: whole, or by windows.

Which clips share a shard and a batch depends on the list and the device alone, so that every run of
it ends with the same bytes.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emovec.audio.clips import LONGEST, check_length
from emovec.audio.loading import load
from emovec.audio.windows import Windows, load_windows
from emovec.encoders.base import Encoder
from emovec.encoders.forward import Read, Vector, by_length
from emovec.errors import AudioError, HparamError
from emovec.tables.embeddings import CLIP, LABELS, Values
from emovec.tables.manifest import Utterance

MOST_WINDOWS = 1_000_000  # of a clip, whose rows are all in memory before they are written
ROWS_OF_SHARD = 100_000  # from here on a shard of windows takes no further clip


@dataclass(frozen=True)
class Piece:
    """What is read at once of a clip.

    Attributes:
        clip: its place in the list
        first: number of the first window
        windows: how many; 0: all of the clip as one
    """

    clip: int
    first: int = 0
    windows: int = 0


@dataclass(frozen=True, order=True)
class Row:
    """What an embedding is of: a clip, or one of its windows, numbered from 0."""

    clip: int
    window: int = 0


@dataclass(frozen=True)
class Clips:
    """Clips that are embedded, and of what.

    Attributes:
        utterances: in order of the table
        root: folder that their paths are relative to
        sample_rate: Hz
        windows: where they lie; None: of whole clips
        shard_clips: most clips of a shard
    """

    utterances: Sequence[Utterance]
    root: Path
    sample_rate: int
    windows: Windows | None
    shard_clips: int

    def shards(self) -> list[range]:
        """Places of the clips of each shard."""
        shards, first, rows = [], 0, 0
        for place, utterance in enumerate(self.utterances):
            if place - first == self.shard_clips or rows >= ROWS_OF_SHARD:
                shards.append(range(first, place))
                first, rows = place, 0
            rows += self.windows.count(utterance.duration) if self.windows else 1
        return [*shards, range(first, len(self.utterances))]

    def batches(self, places: range, batch_seconds: float) -> list[list[Piece]]:
        """Pieces of some clips that go through the encoder together.

        Args:
            places: of the clips
            batch_seconds: most seconds in a batch, padding among them
        """
        if self.windows is None:
            seconds = [self.utterances[place].duration for place in places]
            alike = by_length(seconds, batch_seconds)
            return [[Piece(places[row]) for row in rows] for rows in alike]
        samples = batch_seconds * self.sample_rate
        most = max(1, int(samples / self.windows.size))
        # what lies between windows is read with them
        at_once = max(1, int(samples / max(self.windows.size, self.windows.hop)))
        batches: list[list[Piece]] = []
        free = 0
        for place in places:
            count = max(1, self.windows.count(self.utterances[place].duration))
            for first in range(0, count, at_once):
                piece = Piece(place, first, min(at_once, count - first))
                if piece.windows > free:
                    batches.append([])
                    free = most
                batches[-1].append(piece)
                free -= piece.windows
        return batches

    def read(self, pieces: Sequence[Piece], *, skip_unreadable: bool) -> Read[Row]:
        """Waves of a batch.

        Raises:
            AudioError: if a file cannot be read, unless such clips are skipped
        """
        batch: Read[Row] = Read([], [])
        for piece in pieces:
            try:
                waves = self._waves(piece)
            except AudioError as error:
                if not skip_unreadable:
                    raise
                batch.unread[Row(piece.clip)] = str(error)
                continue
            batch.keys.extend(Row(piece.clip, piece.first + n) for n in range(len(waves)))
            batch.waves.extend(waves)
        return batch

    def digest(self) -> str:
        """16 hexadecimal digits of all that says what is read, and in what batches."""
        rows = [(u.id, u.path, u.start, u.stop, u.duration) for u in self.utterances]
        return hashlib.blake2b(json.dumps(rows).encode(), digest_size=8).hexdigest()

    def name(self, row: Row) -> str:
        """Id of a row: of its clip, of a window "clip@start"."""
        id_ = self.utterances[row.clip].id
        return f"{id_}@{self.windows.ends(row.window)[0]}" if self.windows else id_

    def columns(self, rows: Sequence[Row]) -> dict[str, Values]:
        """Labels of clips, as far as the list has any; of windows their clip and its part."""
        if self.windows is None:
            clips = [self.utterances[row.clip] for row in rows]
            return {
                label: [getattr(clip, label) for clip in clips]
                for label in LABELS
                if any(getattr(u, label) for u in self.utterances)
            }
        ends = [self.windows.ends(row.window) for row in rows]
        starts, stops = [start for start, _ in ends], [stop for _, stop in ends]
        return {
            CLIP: [self.utterances[row.clip].id for row in rows],
            "start": starts,
            "stop": stops,
        }

    def check(self) -> None:
        """Raise where a clip is longer than can be held, by what the list says of it.

        Raises:
            AudioError: which clip
            HparamError: if there are too many windows in one
        """
        for utterance in self.utterances:
            if self.windows is None:
                check_length(self.root / utterance.path, utterance.duration)
            elif self.windows.count(utterance.duration) > MOST_WINDOWS:
                raise HparamError(
                    f"hop: {self.windows.count(utterance.duration)} windows in {utterance.id}, "
                    f"which lasts {utterance.duration:.0f} s; expected at most {MOST_WINDOWS} "
                    "in a clip. Take a longer hop, or cut the clip."
                )

    def _waves(self, piece: Piece) -> Sequence[Vector]:
        utterance = self.utterances[piece.clip]
        path, ends = self.root / utterance.path, (utterance.start, utterance.stop)
        try:
            if self.windows is not None:
                return list(load_windows(path, *ends, self.windows, piece.first, piece.windows))
            wave = load(path, *ends, sample_rate=self.sample_rate, max_seconds=LONGEST + 1)
        except OSError as error:
            raise AudioError(
                f"{path}: cannot be read ({error.strerror}); expected an audio file. "
                "Is the disk sound, and may you read it?"
            ) from error
        check_length(path, max(utterance.duration, len(wave) / self.sample_rate))
        return [wave]


def make_windows(encoder: Encoder, window: float | None, hop: float | None) -> Windows | None:
    """Windows in samples; None if none were asked for.

    Args:
        encoder: what will embed them
        window: seconds of one
        hop: seconds from one to the next; None: ``window``

    Raises:
        HparamError: if the window is too short for the encoder, or the hop is none
    """
    if window is None:
        if hop is None:
            return None
        raise HparamError(f"hop is {hop} without a window; expected both. Give the window, too.")
    hop = window if hop is None else hop
    rate, shortest = encoder.sample_rate, encoder.shortest / encoder.sample_rate
    if not shortest <= window <= LONGEST or not 1 / rate <= hop < math.inf:
        raise HparamError(
            f"window is {window} and hop {hop} seconds; expected {shortest:.3f} to {LONGEST:.0f}, "
            f"and at least {1 / rate:.6f}. Correct them."
        )
    return Windows(round(window * rate), round(hop * rate), rate)
