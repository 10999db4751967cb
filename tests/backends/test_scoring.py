"""Each way of scoring against its steps taken one by one, and what it refuses."""

from typing import Any

import numpy as np
import pytest

from emovec.backends.lda import discriminant_directions
from emovec.backends.normalisation import whitening
from emovec.backends.plda import fit_plda
from emovec.backends.scoring import Scoring
from emovec.errors import HparamError, TrainingError
from emovec.metrics.pair_scores import PairScores, cosine_scores
from emovec.metrics.verification import equal_error_rate

SIZE = 10


def clips(speakers: int, each: int, seed: int) -> tuple[np.ndarray, list[str]]:
    """A voice in four numbers, a channel in the others that is louder, all far from 0."""
    random = np.random.default_rng(seed)
    voices = np.hstack([random.normal(size=(speakers, 4)), np.zeros((speakers, SIZE - 4))])
    noise = random.normal(size=(speakers * each, SIZE)) * ([0.5] * 4 + [2.0] * (SIZE - 4))
    x = np.repeat(voices, each, axis=0) + noise + 4
    return x.astype(np.float32), [f"s{seed}-{n:02}" for n in range(speakers) for _ in range(each)]


TRAINING = clips(40, 6, seed=1)
CLIPS, PEOPLE = clips(12, 5, seed=2)
MEAN = TRAINING[0].astype(np.float64).mean(axis=0)


def table(scores: PairScores) -> np.ndarray:
    return scores.block(slice(None), slice(None))


def cosine(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.array([[a @ b / np.sqrt((a @ a) * (b @ b)) for b in y] for a in x])


def direction(x: np.ndarray) -> np.ndarray:
    return x / np.sqrt(np.square(x).sum(axis=1, keepdims=True))


def error_rate(scoring: Scoring) -> float:
    first, second = np.triu_indices(len(CLIPS), 1)
    is_target = np.array(PEOPLE)[first] == np.array(PEOPLE)[second]
    return equal_error_rate(scoring.scores(CLIPS, TRAINING).pairs(first, second), is_target)[0]


def test_the_cosine_is_centred_by_the_training_by_the_clips_or_not_at_all() -> None:
    plain, centred = Scoring(centre=False), Scoring()
    np.testing.assert_array_equal(table(plain.scores(CLIPS, TRAINING)), table(cosine_scores(CLIPS)))
    np.testing.assert_array_equal(table(plain.scores(CLIPS)), table(cosine_scores(CLIPS)))
    by_training, by_clips = (cosine_scores(CLIPS, m) for m in (MEAN, CLIPS.mean(0, np.float64)))
    np.testing.assert_allclose(
        table(centred.scores(CLIPS, TRAINING)), table(by_training), atol=1e-6
    )
    np.testing.assert_allclose(table(centred.scores(CLIPS)), table(by_clips), atol=1e-6)
    assert np.abs(table(by_training) - table(by_clips)).max() > 0.01


@pytest.mark.parametrize("centre", [True, False])
@pytest.mark.parametrize("dimensions", [4, None])
def test_lda_is_the_cosine_of_what_it_projects(centre: bool, dimensions: int | None) -> None:
    scores = Scoring("lda", centre=centre, dimensions=dimensions).scores(CLIPS, TRAINING)
    mean = MEAN if centre else 0
    directions = discriminant_directions(TRAINING[0] - mean, TRAINING[1], dimensions)
    projected = (CLIPS - mean) @ directions
    assert scores.vectors.shape == (len(CLIPS), dimensions or SIZE)
    np.testing.assert_allclose(table(scores), cosine(projected, projected), atol=1e-5)


@pytest.mark.parametrize("dimensions", [4, None])
@pytest.mark.parametrize("whiten", [False, True])
def test_plda_scores_directions(dimensions: int | None, whiten: bool) -> None:
    scoring = Scoring("plda", dimensions=dimensions, whiten=whiten)
    x, y = TRAINING[0] - MEAN, CLIPS - MEAN
    if dimensions:
        directions = discriminant_directions(x, TRAINING[1], dimensions)
        x, y = x @ directions, y @ directions
    if whiten:
        white = whitening(x)
        x, y = x @ white, y @ white
    expected = fit_plda(direction(x), TRAINING[1]).scores(direction(y))
    np.testing.assert_allclose(
        table(scoring.scores(CLIPS, TRAINING)), table(expected), rtol=1e-3, atol=1e-3
    )


def test_the_whitened_cosine_is_of_whitened_embeddings() -> None:
    white = (CLIPS - MEAN) @ whitening(TRAINING[0])
    scores = Scoring(whiten=True).scores(CLIPS, TRAINING)
    np.testing.assert_allclose(table(scores), cosine(white, white), atol=1e-5)


@pytest.mark.parametrize("method", ["cosine", "lda", "plda"])
def test_the_cohort_is_the_mean_of_each_training_speaker_by_the_same_backend(method: str) -> None:
    raw, normalised = Scoring(method), Scoring(method, top_cohort=7)
    voices = TRAINING[0].astype(np.float64).reshape(40, 6, SIZE).mean(axis=1)
    together = table(raw.scores(np.vstack([CLIPS, voices]), TRAINING)).astype(np.float64)
    scores, cohort = together[: len(CLIPS), : len(CLIPS)], together[: len(CLIPS), len(CLIPS) :]
    highest = np.sort(cohort, axis=1)[:, -7:]
    sides = (scores - highest.mean(axis=1)[:, None]) / highest.std(axis=1)[:, None]
    found = table(normalised.scores(CLIPS, TRAINING))
    np.testing.assert_allclose(found, (sides + sides.T) / 2, rtol=1e-3, atol=1e-3)
    trials = ~np.eye(len(CLIPS), dtype=bool)
    assert np.corrcoef(found[trials], scores[trials])[0, 1] > 0.9


def test_what_is_learnt_of_other_speakers_helps_with_new_ones() -> None:
    plain = error_rate(Scoring())
    for scoring in (Scoring("lda"), Scoring("lda", dimensions=4), Scoring("plda")):
        assert error_rate(scoring) < 0.7 * plain
    assert error_rate(Scoring("plda", dimensions=4, top_cohort=20)) < 0.7 * plain


def test_clips_of_unknown_speakers_are_left_out_and_counted() -> None:
    x, speakers = TRAINING
    unknown = [*speakers[:-60], *[""] * 60]
    for scoring in (
        Scoring("lda", centre=False),
        Scoring("plda", centre=False),
        Scoring(centre=False, top_cohort=5),
    ):
        fitted = scoring.fit((x, unknown))
        assert (fitted.speakers, fitted.left_out) == (30, 60)
        expected = scoring.scores(CLIPS, (x[:-60], speakers[:-60]))
        np.testing.assert_allclose(
            table(fitted.scores(CLIPS)), table(expected), rtol=1e-4, atol=1e-4
        )
    assert Scoring().fit(TRAINING).left_out == 0


def test_the_cosine_needs_no_speaker_of_the_training() -> None:
    fitted = Scoring().fit((TRAINING[0], [""] * 240))
    assert (fitted.speakers, fitted.left_out) == (0, 240)
    np.testing.assert_allclose(
        table(fitted.scores(CLIPS)), table(cosine_scores(CLIPS, MEAN)), atol=1e-6
    )


def test_the_fit_serves_any_clips_and_does_not_depend_on_them() -> None:
    fitted = Scoring("plda", top_cohort=5).fit(TRAINING)
    everything = table(fitted.scores(CLIPS))
    few = table(fitted.scores(CLIPS[[3, 30, 7]]))
    np.testing.assert_allclose(few, everything[np.ix_([3, 30, 7], [3, 30, 7])], rtol=1e-4)


@pytest.mark.parametrize(
    ("scoring", "words"),
    [
        (Scoring(centre=False), "cosine similarity"),
        (Scoring("lda", centre=False), "cosine similarity (LDA)"),
        (
            Scoring("lda", dimensions=5, whiten=True),
            "cosine similarity (centred, LDA to 5, whitened)",
        ),
        (Scoring("plda", False, top_cohort=9), "PLDA log-likelihood ratio (AS-norm by top 9)"),
    ],
)
def test_a_score_says_what_it_is(scoring: Scoring, words: str) -> None:
    assert scoring.describe == words


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "PLDA"}, r"method is 'PLDA'; expected one of \('cosine', 'lda', 'plda'\)"),
        ({"centre": "yes"}, "centre is 'yes'; expected True or False"),
        ({"whiten": 1}, "whiten is '1'; expected True or False"),
        ({"method": "lda", "dimensions": 0}, "dimensions is '0'; expected an integer of 1 or more"),
        ({"method": "lda", "dimensions": 2.5}, "dimensions is '2.5'; expected an integer"),
        ({"method": "lda", "dimensions": True}, "dimensions is 'True'; expected an integer"),
        ({"top_cohort": 1}, "top_cohort is '1'; expected an integer of 2 or more, or null"),
        ({"dimensions": 4}, "dimensions is 4, and method is 'cosine', which has no LDA"),
    ],
)
def test_options_that_are_none(options: dict[str, Any], message: str) -> None:
    with pytest.raises(HparamError, match=message):
        Scoring(**options)


@pytest.mark.parametrize(
    ("scoring", "named"),
    [
        (Scoring("lda"), "method 'lda' found"),
        (Scoring("plda", top_cohort=5), "method 'plda' and top_cohort found"),
        (Scoring(whiten=True, top_cohort=5), "whiten and top_cohort found"),
    ],
)
def test_what_needs_training_says_so(scoring: Scoring, named: str) -> None:
    with pytest.raises(HparamError, match=f"{named}, and no training embeddings; .* Give a"):
        scoring.scores(CLIPS)


def test_more_than_the_training_speakers_allow() -> None:
    with pytest.raises(HparamError, match="top_cohort is 41, of a cohort of 40"):
        Scoring(top_cohort=41).scores(CLIPS, TRAINING)
    with pytest.raises(HparamError, match="dimensions is 11; expected 1 to 10, for 40 training"):
        Scoring("plda", dimensions=11).scores(CLIPS, TRAINING)
    few = TRAINING[0][:18], TRAINING[1][:18]
    with pytest.raises(HparamError, match="dimensions is 3; expected 1 to 2, for 3 training"):
        Scoring("lda", dimensions=3).scores(CLIPS, few)


@pytest.mark.parametrize("method", ["lda", "plda"])
def test_training_of_one_speaker_or_of_one_clip_each(method: str) -> None:
    x = TRAINING[0][:6]
    with pytest.raises(TrainingError, match="1 known training speakers in 6 clips"):
        Scoring(method).scores(CLIPS, (x, ["a"] * 6))
    with pytest.raises(TrainingError, match="6 training clips of 6 known speakers"):
        Scoring(method).scores(CLIPS, (x, list("abcdef")))


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_broken_embeddings_are_named_wherever_they_are(value: float) -> None:
    for scoring in (Scoring(), Scoring("lda"), Scoring("plda", top_cohort=5)):
        x, training = CLIPS.copy(), TRAINING[0].copy()
        x[5] = training[8] = value
        with pytest.raises(ValueError, match=r"^embeddings \[5\] \(1 in all\) are zero, NaN"):
            scoring.scores(x, TRAINING)
        with pytest.raises(ValueError, match=r"^training embeddings \[8\] \(1 in all\) are zero"):
            scoring.scores(CLIPS, (training, TRAINING[1]))


def test_embeddings_of_another_encoder() -> None:
    for scoring in (Scoring(centre=False), Scoring("lda"), Scoring("plda")):
        with pytest.raises(ValueError, match="have 9 numbers, those of the training 10"):
            scoring.scores(CLIPS[:, :9], TRAINING)


def test_no_embeddings_or_no_table_of_them() -> None:
    for x in (CLIPS[:0], CLIPS[0], CLIPS[:, :0]):
        with pytest.raises(ValueError, match=r"expected \(N, E\), with N and E of 1 or more"):
            Scoring().scores(x)
    with pytest.raises(ValueError, match=r"with \(3,\) speakers"):
        Scoring("lda").scores(CLIPS, (TRAINING[0], ["a", "b", "c"]))


def test_a_lone_clip_is_its_own_mean() -> None:
    with pytest.raises(ValueError, match=r"centred embeddings \[0\] \(1 in all\) are zero"):
        Scoring().scores(CLIPS[:1])
    assert table(Scoring(centre=False).scores(CLIPS[:1])) == pytest.approx(1)


def test_numbers_of_different_units_count_alike_when_standardised():
    random = np.random.default_rng(0)
    x = random.normal(size=(40, 3)) * [1, 1000, 1] + [5, 0, 0]
    units = np.array([1.0, 1e-3, 7.0])
    every = slice(0, 40)
    for centre in (True, False):
        scoring = Scoring(centre=centre, standardise=True)
        one, other = (scoring.scores(of).block(every, every) for of in (x, x * units))
        assert one == pytest.approx(other, abs=1e-6)
    standard = (x - x.mean(axis=0)) / x.std(axis=0)
    standard /= np.linalg.norm(standard, axis=1, keepdims=True)
    assert Scoring(standardise=True).scores(x).block(every, every) == pytest.approx(
        standard @ standard.T, abs=1e-6
    )
    training = (x * 2, ["a", "b"] * 20)
    assert Scoring(standardise=True).scores(x * 2, training).block(every, every) == pytest.approx(
        standard @ standard.T, abs=1e-6
    )


def test_a_number_that_never_changes_is_left_as_it_is():
    x = np.column_stack([np.random.default_rng(0).normal(size=(9, 2)), np.full(9, 4.0)])
    block = Scoring(centre=False, standardise=True).scores(x).block(slice(0, 9), slice(0, 9))
    assert np.isfinite(block).all()


def test_what_only_rounding_tells_from_the_mean_has_no_direction() -> None:
    same = np.full((7, 3), 0.1, np.float32)  # their mean in float64 is off by its last digits
    for standardise in (True, False):
        fitted = Scoring(standardise=standardise).fit_moments(same)
        assert fitted.directionless(same).all()
        nearly = np.nextafter(same, np.float32(1))
        assert not fitted.directionless(nearly).any()
    constant = np.hstack([CLIPS, np.full((len(CLIPS), 1), 0.1, np.float32)])
    scoring = Scoring(standardise=True)
    np.testing.assert_allclose(
        table(scoring.scores(constant)), table(scoring.scores(CLIPS)), atol=1e-6
    )


def test_moments_of_some_clips_serve_others() -> None:
    scores = Scoring().fit_moments(CLIPS[:20]).scores(CLIPS)
    mean = CLIPS[:20].mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(table(scores), table(cosine_scores(CLIPS, mean)), atol=1e-6)


def test_training_in_the_middle_of_all_has_no_direction_and_is_left_out() -> None:
    """A speaker, or a clip, at the very mean is no voice that others could be near to."""
    voices = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1], [0, 0]]) * 8 + 2
    x = np.repeat(voices, 2, axis=0) + np.tile([[0.5, 0.25], [-0.5, -0.25]], (5, 1))
    speakers = [name for name in "abcde" for _ in range(2)]
    fitted = Scoring(top_cohort=4).fit((x, speakers))
    assert fitted.cohort.tolist() == voices[:4].tolist()
    assert np.isfinite(table(fitted.scores(x))).all()
    middle = np.vstack([x, [[2.0, 2.0]]])
    assert np.isfinite(table(Scoring("plda").fit((middle, [*speakers, "e"])).scores(x))).all()
