from itertools import combinations

import numpy as np
import pytest

from emovec.metrics import pairing
from emovec.metrics.pair_blocks import Processes, ScoreGrid, grid_around
from emovec.metrics.pair_scores import PairScores
from emovec.metrics.pairing import pair_up


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    monkeypatch.setattr(pairing, "TILE", 3)


def numbered(clips):
    """Scores that tell which clips they are of."""
    place = np.arange(clips, dtype=np.float32)
    return PairScores(np.stack([place, 100 * place], axis=1)[:, :0], offsets=place)


def drawn(seed=0, clips=25):
    random = np.random.default_rng(seed)
    return [random.choice(list(letters), size=clips) for letters in ("abcd", "xyz", "fm", "12")]


@pytest.mark.parametrize("same_text", [None, True, False])
@pytest.mark.parametrize("within_gender", [True, False])
def test_every_pair_is_tried_once(same_text, within_gender):
    speakers, emotions, genders, texts = drawn()
    found = pair_up(
        numbered(25), speakers, emotions, genders if within_gender else None, texts, same_text, 0
    )
    expected = {
        (i, j)
        for i, j in combinations(range(25), 2)
        if (not within_gender or genders[i] == genders[j])
        and (same_text is None or (texts[i] == texts[j]) == same_text)
    }
    tried = [tuple(sorted(pair)) for pair in found.trials()]
    assert len(tried) == len(set(tried)) and set(tried) == expected


def test_a_block_holds_trials_of_its_cell():
    speakers, emotions, genders, _ = drawn(1)
    found = pair_up(numbered(25), speakers, emotions, genders, None, None, 0)
    for tile in found.tiles:
        block, cell = found.block(tile), found.cells[tile.cell]
        rows, columns = found.clips[tile.rows], found.clips[tile.columns]
        assert block.scores.tolist() == (rows[:, None] + columns).tolist()
        allowed = np.ones(block.scores.shape, bool) if block.allowed is None else block.allowed
        for i, j in zip(*np.nonzero(allowed), strict=True):
            one, other = rows[i], columns[j]
            assert tuple(sorted((emotions[one], emotions[other]))) == cell
            assert (speakers[one] == speakers[other]) == (block.rows[i] == block.columns[j])


def test_processes_share_the_blocks_of_a_cell():
    found = pair_up(numbered(25), *drawn(2)[:2], None, None, None, 0)
    name = found.names[1]
    whole = sorted(block.scores.tolist() for block in found.blocks(name))
    parts = [
        block.scores.tolist()
        for rank in range(3)
        for block in found.blocks(name, Processes(rank, 3))
    ]
    assert sorted(parts) == whole and len(whole) > 3


def test_a_seed_decides_the_order():
    speakers, emotions = drawn()[:2]
    orders = [
        pair_up(numbered(25), speakers, emotions, None, None, None, seed).clips.tolist()
        for seed in (0, 0, 1)
    ]
    assert orders[0] == orders[1] != orders[2]


def test_bins_never_fall_where_scores_rise():
    random = np.random.default_rng(0)
    for centre, spread in ((0, 1), (0.9999, 1e-6), (-50, 20), (1e8, 1)):
        scores = np.sort((centre + spread * random.normal(size=2000)).astype(np.float32))
        grid = grid_around(scores[100:1900], 512)
        bins = grid.index(scores)
        assert (np.diff(bins) >= 0).all() and bins[0] >= 0 and bins[-1] < 512
        width = (grid.high - grid.low) / 512
        inside = (bins > 0) & (bins < 511)
        off = scores[inside] - (grid.edges[:-1][bins[inside]] + width / 2)
        assert np.abs(off).max() <= 0.51 * width + 2 * np.spacing(np.float32(abs(centre) + spread))


def test_a_grid_of_one_score():
    grid = grid_around(np.zeros(3, np.float32), 64)
    assert isinstance(grid, ScoreGrid) and grid.high > grid.low
    assert set(grid.index(np.zeros(3, np.float32)).tolist()) == {32}
