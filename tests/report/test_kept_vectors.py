"""Embeddings that runs keep for a map: which clips, and what is known of them."""

from collections import Counter

import numpy as np
import pytest

from emovec.report.kept_vectors import MOST_BYTES, MOST_KEPT, keep_some, spread_over_speakers
from emovec.tables import embedding_files
from emovec.tables.manifest import Utterance


def clips(count, speakers=10, corpus="a"):
    """The last speaker has half of all clips."""
    names = [f"s{min(n % (2 * speakers), speakers - 1)}" for n in range(count)]
    return [
        Utterance(f"{corpus}/{n}", "a.wav", None, None, 1.0, speaker=name, emotion="anger")
        for n, name in enumerate(names)
    ]


def test_few_are_kept_all_and_in_order(tmp_path):
    utterances, vectors = clips(30), np.random.default_rng(0).normal(size=(30, 4))
    kept = keep_some(utterances, vectors, seed=1)
    assert kept.ids == [u.id for u in utterances]
    assert kept.vectors.dtype == np.float32
    np.testing.assert_allclose(kept.vectors, vectors, rtol=1e-6)
    assert set(kept.columns) == {"emotion", "speaker", "gender", "corpus"}
    assert kept.columns["speaker"].tolist() == [u.speaker for u in utterances]
    assert set(kept.columns["corpus"]) == {"a"}
    assert set(keep_some(utterances, vectors, 1, "ravdess").columns["corpus"]) == {"ravdess"}
    embedding_files.write(kept, tmp_path / "vectors.npz")
    again = embedding_files.read(tmp_path / "vectors.npz")
    assert list(again.ids) == kept.ids and np.array_equal(again.vectors, kept.vectors)
    assert again.columns["gender"].tolist() == [""] * 30


def test_of_many_each_row_is_its_clip_and_the_seed_draws():
    utterances = clips(3000)
    vectors = np.arange(3000, dtype=np.float32)[:, None]
    drawn = [keep_some(utterances, vectors, seed) for seed in (1, 1, 2)]
    for kept in drawn:
        assert len(kept.ids) == len(set(kept.ids)) == MOST_KEPT
        assert [f"a/{value:.0f}" for value in kept.vectors[:, 0]] == kept.ids
        assert kept.vectors[:, 0].tolist() == sorted(kept.vectors[:, 0])
    assert drawn[0].ids == drawn[1].ids != drawn[2].ids


def test_speakers_have_equal_shares_as_far_as_they_have_clips():
    counts = {"a": 500, "b": 300, "c": 5, "": 200}
    speakers = [name for name, count in counts.items() for _ in range(count)]
    rows = spread_over_speakers(speakers, 305, seed=0)
    assert rows == sorted(set(rows))
    assert Counter(speakers[row] for row in rows) == {"a": 100, "b": 100, "c": 5, "": 100}


@pytest.mark.parametrize(("most", "count"), [(0, 0), (3, 3), (7, 7), (99, 7)])
def test_no_more_than_there_are_and_than_are_asked_for(most, count):
    assert len(spread_over_speakers(list("aabbccc"), most, seed=0)) == count


def test_wide_vectors_are_fewer():
    wide = np.zeros((1000, 5000), dtype=np.float32)
    kept = keep_some(clips(1000), wide, seed=0)
    assert len(kept.ids) == 175 and kept.vectors.nbytes <= MOST_BYTES
