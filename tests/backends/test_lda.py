"""Discriminant directions against scikit-learn's LDA, and what they are good for."""

import numpy as np
import pytest
from scipy.linalg import subspace_angles
from sklearn.covariance import LedoitWolf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from emovec.backends.lda import discriminant_directions, group_by_speaker, trainable_groups
from emovec.backends.normalisation import unit_length
from emovec.errors import HparamError, TrainingError
from emovec.metrics.pairs import all_pairs


def clips(counts: list[int], size: int = 6) -> tuple[np.ndarray, list[str]]:
    """Speakers, of so many clips each, who differ in two directions; clips vary most in others."""
    random = np.random.default_rng(0)
    mixing = np.random.default_rng(7).normal(size=(size, size))
    number = np.repeat(np.arange(len(counts)), counts)
    voices = np.zeros((len(counts), size))
    voices[:, :2] = random.normal(size=(len(counts), 2)) * 3
    spread = np.concatenate([[1, 1], np.full(size - 2, 6.0)])
    x = voices[number] + spread * random.normal(size=(len(number), size))
    return 5 + x @ mixing, [f"s{n:03}" for n in number]


class Pooled:
    """The covariance that scikit-learn's LDA is to use, of each class and of all alike."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        deviations = np.vstack([x[y == name] - x[y == name].mean(0) for name in np.unique(y)])
        self.within = LedoitWolf(assume_centered=True).fit(deviations).covariance_
        self.between = np.cov(x.T, ddof=0) - deviations.T @ deviations / len(x)
        self.everything = len(x)

    def fit(self, x: np.ndarray) -> "Pooled":
        total = len(x) == self.everything
        self.covariance_ = self.within + self.between if total else self.within
        return self


@pytest.mark.parametrize("dimensions", [1, 3, None])
def test_directions_are_scikit_learn_s_with_the_pooled_covariance(dimensions: int | None) -> None:
    x, speakers = clips([2, 9, 1, 4, 30])
    directions = discriminant_directions(x, speakers, dimensions)
    assert directions.shape == (6, dimensions or 4)
    pooled = Pooled(x, np.array(speakers))
    theirs = LinearDiscriminantAnalysis(solver="eigen", covariance_estimator=pooled)
    theirs.fit(x, speakers)
    for column, expected in zip(directions.T, theirs.scalings_.T, strict=False):
        cosine = column @ expected / np.linalg.norm(column) / np.linalg.norm(expected)
        assert abs(cosine) == pytest.approx(1, abs=1e-9)
    within = directions.T @ pooled.within @ directions
    np.testing.assert_allclose(within, np.eye(len(within)), atol=1e-9)


def test_for_many_clips_it_is_plain_lda_and_finds_the_voice() -> None:
    x, speakers = clips([40] * 60)
    directions = discriminant_directions(x, speakers, 2)
    plain = LinearDiscriminantAnalysis(n_components=2).fit(x, speakers)
    assert np.rad2deg(subspace_angles(directions, plain.scalings_[:, :2])).max() < 2
    mixing = np.random.default_rng(7).normal(size=(6, 6))
    voice = np.linalg.inv(mixing)[:, :2]  # x mixing^-1 is the two numbers of the voice
    assert np.rad2deg(subspace_angles(directions, voice)).max() < 2


@pytest.mark.parametrize(("speakers", "each"), [(100, 10), (24, 4)])
def test_new_speakers_are_told_apart_better(speakers: int, each: int) -> None:
    """Also where embeddings have more numbers, 110, than there are clips."""
    random = np.random.default_rng(0)
    turn = np.linalg.qr(random.normal(size=(110, 110)))[0]
    voice, channel = (np.isin(np.arange(110), of) for of in (np.arange(10), np.arange(90, 110)))

    def drawn(people: int, times: int) -> tuple[np.ndarray, list[str]]:
        voices = np.repeat(random.normal(size=(people, 110)) * voice, times, axis=0)
        x = voices + random.normal(size=voices.shape) * (0.1 + 2 * channel)
        return x @ turn, [f"s{n}" for n in range(people) for _ in range(times)]

    x, names = drawn(speakers, each)
    directions = discriminant_directions(x, names)
    new, people = drawn(30, 6)
    rates = []
    for vectors in (new, new @ directions):
        rates.append(all_pairs(unit_length(vectors), people, draws=0).eer)
    assert rates[1] < 0.3 * rates[0]


def test_where_embeddings_lie_and_who_is_unknown_is_of_no_account() -> None:
    x, speakers = clips([5, 8, 3])
    expected = np.abs(discriminant_directions(x, speakers))
    np.testing.assert_allclose(np.abs(discriminant_directions(x + 100, speakers)), expected)
    more = np.vstack([x, np.full((4, 6), 1e3)])
    found = np.abs(discriminant_directions(more, [*speakers, "", "", "", ""]))
    np.testing.assert_allclose(found, expected)


def test_one_number_has_one_direction() -> None:
    directions = discriminant_directions([[0.0], [2.0], [7.0], [9.0]], ["a", "a", "b", "b"])
    np.testing.assert_allclose(np.abs(directions), [[1]])  # variance within is 1


def test_groups_are_means_of_each_speaker_s_clips() -> None:
    x, speakers = clips([4, 1, 7])
    order = np.random.default_rng(0).permutation(12)
    groups = group_by_speaker(x[order], [speakers[row] for row in order])
    assert groups.clips.tolist() == [4, 1, 7]
    np.testing.assert_allclose(groups.means, [x[:4].mean(0), x[4], x[5:].mean(0)])
    np.testing.assert_allclose(groups.deviations[order == 4], 0, atol=1e-12)
    assert group_by_speaker(x, [""] * 12).means.shape == (0, 6)


@pytest.mark.parametrize("dimensions", [0, 3, 7])
def test_more_directions_than_there_are_is_refused(dimensions: int) -> None:
    x, speakers = clips([5, 5, 5])
    with pytest.raises(
        HparamError, match=rf"dimensions is {dimensions}; expected 1 to 2, for 3 tr"
    ):
        discriminant_directions(x, speakers, dimensions)


@pytest.mark.parametrize(
    ("speakers", "message"),
    [
        (["a"] * 6, "1 known training speakers in 6 clips; expected at least 2"),
        ([""] * 6, "0 known training speakers in 6 clips"),
        (["a", "a", "a", "", "", ""], "1 known training speakers in 6"),
        (list("abcdef"), "6 training clips of 6 known speakers; expected at least 2 clips"),
    ],
)
def test_too_few_speakers_or_clips(speakers: list[str], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        trainable_groups(np.random.default_rng(0).normal(size=(6, 3)), speakers)


def test_speakers_whose_clips_are_copies() -> None:
    x = np.repeat(np.random.default_rng(0).normal(size=(3, 4)), 2, axis=0)
    with pytest.raises(TrainingError, match="of each of 3 training speakers have the same"):
        discriminant_directions(x, list("aabbcc"))
    x += np.tile([[1.0, 2, 0, 0], [-1, -2, 0, 0]], (3, 1))  # all err alike, in one direction
    with pytest.raises(TrainingError, match="vary in too few directions of 4"):
        discriminant_directions(x, list("aabbcc"), 1)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_broken_embeddings_are_named(value: float) -> None:
    x, speakers = clips([5, 5])
    x[7, 2] = value
    with pytest.raises(ValueError, match=r"training embeddings \[7\] \(1 in all\) are NaN"):
        discriminant_directions(x, speakers)


def test_shapes_that_differ() -> None:
    x, speakers = clips([5, 5])
    for embeddings in (x[:-1], x[0]):
        with pytest.raises(ValueError, match=r"expected \(N, E\) and \(N,\)"):
            discriminant_directions(embeddings, speakers)
