"""Who is tried against whom: every clip against every other one, by pair of emotions.

Clips are ordered by gender and emotion, so that a cell of the matrix is made of rectangles, and
these of tiles of one fixed size. A tile is computed by one matrix product, always the same one: a
score depends neither on threads nor on processes. Within a rectangle clips are shuffled, and so are
the tiles: what was counted of the first ones tells of the others.

Shapes: N clips, R and C clips of the two sides of a tile.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emovec.metrics.pair_blocks import ALONE, Block, Processes
from emovec.metrics.pair_scores import PairScores
from emovec.metrics.threads import in_threads

TILE = 512  # clips; its scores and their bins, 3 MB, stay in a processor's cache


@dataclass(frozen=True)
class Tile:
    """Clips ``rows`` against clips ``columns``, all of them trials of one cell.

    Attributes:
        cell: number of the cell
        rows: places of clips in the pairing's order
        columns: the same; where it equals ``rows``, each pair is tried once
    """

    cell: int
    rows: slice
    columns: slice


@dataclass(frozen=True, eq=False)
class Pairing:
    """The clips that are paired, in an order in which cells are rectangles.

    Attributes:
        scores: of the N clips
        speakers: (N,) numbers from 0
        texts: (N,) numbers, or None where texts do not matter
        same_text: pair clips of the same text only (True), of different texts only (False)
        clips: (N,) places of the clips in what was given
        cells: unordered pairs of emotions that have trials, in alphabetical order
        tiles: all of them, in random order
        excluded: by reason, clips that are not paired
    """

    scores: PairScores
    speakers: NDArray[np.int32]
    texts: NDArray[np.int32] | None
    same_text: bool | None
    clips: NDArray[np.intp]
    cells: Sequence[tuple[str, str]]
    tiles: Sequence[Tile]
    excluded: dict[str, int]

    @property
    def names(self) -> list[str]:
        """Names of the cells, such as "anger-neutral"."""
        return ["-".join(cell) for cell in self.cells]

    def block(self, tile: Tile) -> Block:
        """Scores of a tile, and which of them are of trials."""
        scores = self.scores.block(tile.rows, tile.columns, TILE)
        return Block(
            scores, self.speakers[tile.rows], self.speakers[tile.columns], self.allowed(tile)
        )

    def allowed(self, tile: Tile) -> NDArray[np.bool_] | None:
        """(R, C) which pairs are trials; None: all are."""
        allowed = None
        if tile.rows == tile.columns:
            size = tile.rows.stop - tile.rows.start
            allowed = np.tri(size, k=-1, dtype=bool).T
        if self.texts is not None:
            fits = (self.texts[tile.rows, None] == self.texts[tile.columns]) == self.same_text
            allowed = fits if allowed is None else allowed & fits
        return allowed

    def trials(self) -> Iterator[tuple[int, int]]:
        """Every pair that is tried, as places in what was given."""
        for tile in self.tiles:
            allowed = self.allowed(tile)
            size = tile.rows.stop - tile.rows.start, tile.columns.stop - tile.columns.start
            rows, columns = np.nonzero(np.ones(size, bool) if allowed is None else allowed)
            first, second = self.clips[tile.rows][rows], self.clips[tile.columns][columns]
            yield from zip(first.tolist(), second.tolist(), strict=True)

    def blocks(self, cell: str, processes: Processes = ALONE) -> Iterator[Block]:
        """Blocks of a cell, few of them at a time; of several processes each has its own."""
        number = self.names.index(cell)
        tiles = [tile for tile in self.tiles if tile.cell == number]
        return in_threads(self.block, tiles[processes.rank :: processes.count])


def pair_up(
    scores: PairScores,
    speakers: ArrayLike,
    emotions: ArrayLike,
    genders: ArrayLike | None,
    texts: ArrayLike | None,
    same_text: bool | None,
    seed: int,
) -> Pairing:
    """Pairs of clips, as ``emovec.metrics.pairs.pair_matrix`` explains.

    Raises:
        ValueError: if something has another length than the scores, texts are missing where
            they matter, or fewer than two clips can be paired
    """
    speakers, emotions = (
        _labels("speakers", speakers, scores),
        _labels("emotions", emotions, scores),
    )
    known = {"no speaker": speakers != "", "no emotion": emotions != ""}
    if genders is not None:
        genders = _labels("genders", genders, scores)
        known["no gender"] = genders != ""
    if same_text is not None:
        if texts is None:
            raise ValueError("same_text is given without texts; expected the text of each clip.")
        texts = _labels("texts", texts, scores)
        known["no text"] = texts != ""
    clips, excluded = _usable(known, len(scores))
    if len(clips) < 2:
        raise ValueError(
            f"{len(clips)} of {len(scores)} clips can be paired ({excluded}); expected 2 or more."
        )
    clips = np.random.default_rng(seed).permutation(clips)
    groups = np.full(len(clips), "") if genders is None else genders[clips]
    order = np.lexsort([emotions[clips], groups])  # stable: shuffled within a group
    clips, groups = clips[order], groups[order]
    cells, tiles = _tiles(groups, emotions[clips])
    return Pairing(
        scores.take(clips),
        _numbers(speakers[clips]),
        None if same_text is None else _numbers(texts[clips]),
        same_text,
        clips,
        cells,
        [tiles[place] for place in np.random.default_rng(seed).permutation(len(tiles))],
        excluded,
    )


def _tiles(genders: NDArray, emotions: NDArray) -> tuple[list[tuple[str, str]], list[Tile]]:
    """Cells, and the tiles of each, of clips in the order of genders and emotions."""
    starts = np.flatnonzero(
        np.append(True, (genders[1:] != genders[:-1]) | (emotions[1:] != emotions[:-1]))
    )
    stops = np.append(starts[1:], len(genders))
    group = [
        (str(genders[start]), str(emotions[start]), int(start), int(stop))
        for start, stop in zip(starts, stops, strict=True)
    ]
    pairs = [
        pair
        for pair in combinations_with_replacement(group, 2)
        if pair[0][0] == pair[1][0] and (pair[0] != pair[1] or pair[0][3] - pair[0][2] > 1)
    ]
    cells = sorted({(one[1], other[1]) for one, other in pairs})
    number = {cell: place for place, cell in enumerate(cells)}
    names = ["-".join(cell) for cell in cells]
    twice = [cell for cell, name in zip(cells, names, strict=True) if names.count(name) > 1]
    if twice:
        raise ValueError(f"emotions: {twice} have one name; expected emotions without hyphens.")
    return cells, [
        Tile(number[one[1], other[1]], rows, columns)
        for one, other in pairs
        for rows, columns in product(_cut(*one[2:]), _cut(*other[2:]))
        if one != other or rows.start < columns.start or _is_itself_and_a_pair(rows, columns)
    ]


def _is_itself_and_a_pair(rows: slice, columns: slice) -> bool:
    return rows == columns and rows.stop - rows.start > 1


def _cut(start: int, stop: int) -> list[slice]:
    return [slice(first, min(first + TILE, stop)) for first in range(start, stop, TILE)]


def _usable(known: dict[str, NDArray], clips: int) -> tuple[NDArray[np.intp], dict[str, int]]:
    """Clips of which everything is known, and by the first thing that is not, how many others."""
    left = np.ones(clips, dtype=bool)
    missing: Counter[str] = Counter()
    for reason, has in known.items():
        missing[reason] += int((left & ~has).sum())
        left &= has
    return np.flatnonzero(left), {reason: count for reason, count in missing.items() if count}


def _labels(name: str, labels: ArrayLike, scores: PairScores) -> NDArray:
    """Labels as an array of strings; "" is not known."""
    values = np.asarray(labels)
    if values.shape != (len(scores),):
        raise ValueError(
            f"{name} are {values.shape}; expected ({len(scores)},) as there are embeddings."
        )
    if values.dtype.kind not in "biuU":
        raise ValueError(f"{name} are {values.dtype}; expected integers or strings.")
    return values.astype(str)


def _numbers(labels: NDArray) -> NDArray[np.int32]:
    return np.unique(labels, return_inverse=True)[1].astype(np.int32)
