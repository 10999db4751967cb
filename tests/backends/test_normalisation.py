"""Unit length, whitening and adaptive s-norm, each against its definition."""

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

from emovec.backends import normalisation
from emovec.backends.normalisation import (
    adaptive_s_norm,
    shrunk_covariance,
    unit_length,
    whitening,
)
from emovec.errors import HparamError, TrainingError
from emovec.metrics.pair_scores import PairScores, cosine_scores

RANDOM = np.random.default_rng(0)
CLIPS, VOICES = RANDOM.normal(size=(17, 6)), RANDOM.normal(size=(11, 6))


def by_trial(
    clips: np.ndarray, voices: np.ndarray, offsets: tuple[np.ndarray, np.ndarray], top: int
) -> np.ndarray:
    """AS-norm of a bilinear score, one trial at a time."""
    of_clips, of_voices = offsets
    normalised = np.empty((len(clips), len(clips)))
    for i in range(len(clips)):
        for j in range(len(clips)):
            score = clips[i] @ clips[j] + of_clips[i] + of_clips[j]
            sides = []
            for side in (i, j):
                cohort = [
                    clips[side] @ voice + of_clips[side] + offset
                    for voice, offset in zip(voices, of_voices, strict=True)
                ]
                highest = sorted(cohort, reverse=True)[:top]
                sides.append((score - np.mean(highest)) / np.std(highest))
            normalised[i, j] = sum(sides) / 2
    return normalised


def test_unit_length_is_that_of_the_cosine() -> None:
    np.testing.assert_allclose(unit_length(CLIPS), cosine_scores(CLIPS).vectors, atol=1e-7)
    np.testing.assert_allclose(np.linalg.norm(unit_length(CLIPS * 1e6), axis=1), 1)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_what_has_no_direction_is_named(value: float) -> None:
    broken = CLIPS.copy()
    broken[[3, 9]] = value
    with pytest.raises(ValueError, match=r"voices \[3, 9\] \(2 in all\) are zero, NaN or infinite"):
        unit_length(broken, "voices")


@pytest.mark.parametrize("clips", [4, 30, 3000])
def test_whitened_embeddings_have_the_identity_as_shrunk_covariance(clips: int) -> None:
    x = RANDOM.normal(2, 1, (clips, 8)) @ RANDOM.normal(size=(8, 8))
    directions = whitening(x)
    covariance = LedoitWolf().fit(x).covariance_
    np.testing.assert_allclose(directions.T @ covariance @ directions, np.eye(8), atol=1e-9)
    np.testing.assert_allclose(shrunk_covariance(x - x.mean(axis=0)), covariance, rtol=1e-9)
    if clips == 3000:
        plain = np.cov(x.T, ddof=0)
        np.testing.assert_allclose(covariance, plain, atol=0.02 * np.trace(plain) / 8)


@pytest.mark.parametrize("clips", [[[1.0, 2.0]], [[1.0, 2.0]] * 5, [[0.0, 1.0], [1.0, 0.0]]])
def test_too_few_directions_to_whiten_by(clips: list[list[float]]) -> None:
    with pytest.raises(TrainingError, match=f"{len(clips)} training clips vary in too few"):
        whitening(clips)


@pytest.mark.parametrize("top", [2, 5, 11])
@pytest.mark.parametrize("at_once", [1, 40, 2**24])
@pytest.mark.parametrize("with_offsets", [False, True])
def test_every_score_is_that_of_a_loop_over_trials(
    top: int, at_once: int, with_offsets: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(normalisation, "SCORES_AT_ONCE", at_once)
    offsets = RANDOM.normal(size=17) * with_offsets, RANDOM.normal(size=11) * with_offsets
    scores, cohort = (
        PairScores(x, of if with_offsets else None)
        for x, of in zip((CLIPS, VOICES), offsets, strict=True)
    )
    normalised = adaptive_s_norm(scores, cohort, top)
    table = normalised.block(slice(None), slice(None))
    np.testing.assert_allclose(table, by_trial(CLIPS, VOICES, offsets, top), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(table, table.T, rtol=1e-5, atol=1e-5)
    first, second = np.array([3, 0, 16]), np.array([5, 16, 2])
    np.testing.assert_allclose(normalised.pairs(first, second), table[first, second], rtol=1e-4)


def test_a_tie_at_the_edge_of_the_top_counts_once() -> None:
    """Scores of the cohort with the clip: 3, 2, 2, 1. The top two are 3 and 2."""
    clips, voices = PairScores(np.ones((2, 1))), PairScores(np.array([[3.0], [2.0], [2.0], [1.0]]))
    normalised = adaptive_s_norm(clips, voices, top=2)
    found = normalised.pairs(np.array([0]), np.array([1]))
    np.testing.assert_allclose(found, (1 - 2.5) / 0.5)


def test_how_far_scores_are_stretched_is_of_no_account() -> None:
    stretched = adaptive_s_norm(PairScores(CLIPS * 30), PairScores(VOICES * 30), 4)
    plain = adaptive_s_norm(PairScores(CLIPS), PairScores(VOICES), 4)
    everything = slice(None), slice(None)
    np.testing.assert_allclose(stretched.block(*everything), plain.block(*everything), rtol=1e-3)


@pytest.mark.parametrize("top", [-1, 1, 12])
def test_more_than_the_cohort_or_less_than_a_spread_is_refused(top: int) -> None:
    with pytest.raises(HparamError, match=rf"top_cohort is {top}, of a cohort of 11; expected 2"):
        adaptive_s_norm(PairScores(CLIPS), PairScores(VOICES), top)


def test_an_empty_cohort_is_refused() -> None:
    with pytest.raises(HparamError, match="of a cohort of 0"):
        adaptive_s_norm(PairScores(CLIPS), PairScores(VOICES[:0]), 2)


def test_clips_whose_top_scores_are_all_the_same_are_named() -> None:
    copies = unit_length(np.repeat(VOICES[:1], 4, axis=0) * [[1], [2], [3], [7]])
    with pytest.raises(
        TrainingError, match=r"3 highest .* \[0, 1, 2, 3, 4\] \(17 in all\) are all"
    ):
        adaptive_s_norm(PairScores(CLIPS), PairScores(copies), 3)
    beside = np.vstack([CLIPS[:2], [[0, 0, 0, 0, 0, 0]], CLIPS[2:]])
    with pytest.raises(TrainingError, match=r"embeddings \[2\] \(1 in all\)"):
        adaptive_s_norm(PairScores(beside), PairScores(VOICES), 3)


def test_normalised_scores_and_another_backend_are_refused() -> None:
    plain, voices = PairScores(CLIPS), PairScores(VOICES)
    normalised = adaptive_s_norm(plain, voices, 3)
    with pytest.raises(ValueError, match="scores are normalised already"):
        adaptive_s_norm(normalised, voices, 3)
    with pytest.raises(ValueError, match="cohort are normalised already"):
        adaptive_s_norm(plain, PairScores(VOICES, shifts=np.zeros(11)), 3)
    with pytest.raises(ValueError, match="vectors of 6 numbers, the cohort of 5"):
        adaptive_s_norm(plain, PairScores(VOICES[:, :5]), 3)
