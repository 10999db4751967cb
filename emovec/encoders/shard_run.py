"""Shards of embeddings, computed and written one after the other."""

from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from emovec.encoders.base import Encoder
from emovec.encoders.forward import Embedded, Read, embed_ahead
from emovec.encoders.onnx_engine import uses_onnx
from emovec.encoders.pieces import Clips, Piece, Row
from emovec.encoders.precision import Compute
from emovec.tables.corpus import Skip
from emovec.tables.embedding_shards import ShardWriter, done_shards


@dataclass(frozen=True)
class ShardRun:
    """Shards of embeddings that are to be computed and written.

    Attributes:
        encoder: what embeds
        clips: all of the table
        shards: places of the clips of each
        compute: where and how
        skip_unreadable: whether a file that cannot be read is listed instead of an error
        progress: called with numbers of clips that are done
    """

    encoder: Encoder
    clips: Clips
    shards: Sequence[range]
    compute: Compute
    skip_unreadable: bool
    progress: Callable[[int], object] | None

    def settings(self) -> dict[str, Any]:
        """All that moves numbers besides the model, and the list of clips."""
        windows = self.clips.windows
        return {
            "engine": "onnx" if uses_onnx(self.encoder) else "torch",
            "device": self.compute.device.type,
            "precision": self.compute.precision,
            "window": windows and windows.size / windows.sample_rate,
            "hop": windows and windows.hop / windows.sample_rate,
            "shard_clips": self.clips.shard_clips,
            "clips": self.clips.digest(),
        }

    def left(self, writer: ShardWriter) -> list[int]:
        """Shards that are to be written."""
        done = done_shards(writer.folder)
        kept = {n for n, mark in done.items() if self.skip_unreadable or not mark.failures}
        return [number for number in range(len(self.shards)) if number not in kept]

    def tell(self, numbers: Iterable[int]) -> None:
        """Report all clips of some shards."""
        if self.progress:
            self.progress(sum(len(self.shards[number]) for number in numbers))

    def write(self, writer: ShardWriter, numbers: Iterable[int]) -> None:
        """Embed and write some shards; one is written while the next is computed."""
        with ThreadPoolExecutor(1) as saver, closing(self._embedded(numbers)) as batches:
            saving = None
            for number, parts in groupby(batches, key=lambda part: part[0]):
                embedded = _merge(part for _, part in parts)
                if saving:
                    saving.result()
                saving = saver.submit(self._save, writer, number, embedded)
            if saving:
                saving.result()

    def _embedded(self, numbers: Iterable[int]) -> Generator[tuple[int, Embedded[Row]], None, None]:
        """Batches of some shards, each with the number of its shard."""
        requests = (
            (number, batch)
            for number in numbers
            for batch in self.clips.batches(self.shards[number], self.compute.batch_seconds)
        )

        def read(request: tuple[int, list[Piece]]) -> Read[Row]:
            return self.clips.read(request[1], skip_unreadable=self.skip_unreadable)

        for (number, pieces), embedded in embed_ahead(self.encoder, requests, read, self.compute):
            if self.progress:
                self.progress(sum(piece.first == 0 for piece in pieces))
            yield number, embedded

    def _save(self, writer: ShardWriter, number: int, embedded: Embedded[Row]) -> None:
        """Write the rows of one shard, in order of the list, and why other clips have none."""
        failed = {row.clip: reason for row, reason in embedded.unread.items()}
        rows = sorted(row for row in embedded.vectors if row.clip not in failed)
        described = failed.keys() | {row.clip for row in rows}
        vectors = np.array([embedded.vectors[row] for row in rows], dtype=np.float32)
        skipped = [clip for clip in self.shards[number] if clip not in described]
        ids = self.clips.utterances
        writer.write(
            number,
            [self.clips.name(row) for row in rows],
            vectors.reshape(len(rows), self.encoder.embedding_size),
            self.clips.columns(rows),
            failures=[Skip(ids[clip].id, failed[clip]) for clip in sorted(failed)],
            skips=[Skip(ids[clip].id, self._reason(clip, embedded)) for clip in skipped],
        )

    def _reason(self, clip: int, embedded: Embedded[Row]) -> str:
        """Why a clip that was read has no row."""
        if self.clips.windows is None:
            return embedded.reasons[Row(clip)]
        if Row(clip) not in embedded.reasons:
            return f"shorter than a window, which has {self.clips.windows.size} samples"
        return f"{self.encoder.unheard} in any of its windows"


def _merge(parts: Iterable[Embedded[Row]]) -> Embedded[Row]:
    """What was made of several batches."""
    merged: Embedded[Row] = Embedded({}, {}, {})
    for part in parts:
        merged.vectors.update(part.vectors)
        merged.reasons.update(part.reasons)
        merged.unread.update(part.unread)
    return merged
