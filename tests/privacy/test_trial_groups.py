"""Trials against loops over all pairs."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from emovec.metrics.pair_scores import cosine_scores
from emovec.metrics.pairs import all_pairs
from emovec.privacy import trials as module
from emovec.privacy.trials import trials_within_groups
from emovec.privacy.vectors import Vectors


def pairs_by_loops(vectors: Vectors) -> dict[tuple[int, int], bool]:
    return {
        (one, other): bool(vectors.speakers[one] == vectors.speakers[other])
        for one in range(len(vectors))
        for other in range(one + 1, len(vectors))
        if vectors.groups[one] == vectors.groups[other] and vectors.groups[one]
    }


def test_all_pairs_within_groups(splits: dict[str, Vectors]) -> None:
    groups = splits["valid"].groups.copy()
    groups[::7] = ""
    vectors = replace(splits["valid"], groups=groups)
    trials = trials_within_groups(vectors, seed=0)
    rows = zip(trials.first.tolist(), trials.second.tolist(), strict=True)
    assert dict(zip(rows, trials.is_target.tolist(), strict=True)) == pairs_by_loops(vectors)


def test_the_rate_is_that_of_all_pairs(splits: dict[str, Vectors]) -> None:
    vectors = splits["valid"]
    scores = cosine_scores(vectors.features)
    expected = all_pairs(scores, vectors.speakers, vectors.groups, draws=0).eer
    found = trials_within_groups(vectors, seed=0).equal_error_rate(scores)
    assert found == pytest.approx(expected, abs=1e-9)


def test_of_many_clips_some_pairs_are_drawn(
    make_vectors: Callable[..., Vectors], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_CLIPS", 100)
    monkeypatch.setattr(module, "MOST_PAIRS", 5000)
    vectors = make_vectors(range(20), 12)
    trials = trials_within_groups(vectors, seed=3)
    known = pairs_by_loops(vectors)
    rows = zip(trials.first.tolist(), trials.second.tolist(), strict=True)
    kinds = [known[min(pair), max(pair)] for pair in rows]  # all of them within a group
    assert kinds == trials.is_target.tolist()
    assert 1000 < sum(kinds) <= 5000
    assert len(kinds) - sum(kinds) == 5000
    scores = cosine_scores(vectors.features)
    expected = all_pairs(scores, vectors.speakers, vectors.groups, draws=0).eer
    assert trials.equal_error_rate(scores) == pytest.approx(expected, abs=0.03)
    again = trials_within_groups(vectors, seed=3)
    np.testing.assert_array_equal(again.first, trials.first)
