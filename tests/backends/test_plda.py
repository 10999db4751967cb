"""PLDA against the Gaussian densities that it is made of, and against what data were drawn from."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from emovec.backends.normalisation import unit_length
from emovec.backends.plda import Plda, fit_plda
from emovec.errors import TrainingError
from emovec.metrics.pairs import all_pairs
from emovec.metrics.verification import equal_error_rate


def covariance(size: int, seed: int, least: float = 0.2) -> np.ndarray:
    """A full one, of no pattern."""
    root = np.random.default_rng(seed).normal(size=(size, size))
    return root @ root.T / size + least * np.eye(size)


def drawn(
    counts: list[int], between: np.ndarray, within: np.ndarray, seed: int = 0
) -> tuple[np.ndarray, list[str]]:
    """Clips of the model itself, around a mean of 1, 2, 3, ..."""
    random = np.random.default_rng(seed)
    size = len(between)
    mean = np.arange(1, size + 1)
    voices = random.multivariate_normal(mean, between, len(counts))
    number = np.repeat(np.arange(len(counts)), counts)
    x = voices[number] + random.multivariate_normal(np.zeros(size), within, len(number))
    return x, [f"s{n:04}" for n in number]


def density(x: np.ndarray, model: Plda) -> float:
    """Log-likelihood of all clips of one speaker, stacked into one long vector."""
    joint = np.kron(np.ones((len(x), len(x))), model.between)
    joint += np.kron(np.eye(len(x)), model.within)
    return multivariate_normal(np.tile(model.mean, len(x)), joint).logpdf(x.ravel())


def objective(x: np.ndarray, speakers: list[str], model: Plda) -> float:
    """Log-likelihood and what E more clips and E / 10 more speakers, of no pattern, add to it."""
    names, size = np.array(speakers), x.shape[1]
    groups = [x[names == s] for s in np.unique(names)]
    means = np.array([group.mean(axis=0) for group in groups])
    squares = sum(np.square(group - group.mean(axis=0)).sum() for group in groups)
    variance = squares / (len(x) - len(groups)) / size, means.var(axis=0, ddof=1).mean()
    total = sum(density(group, model) for group in groups)
    for of, tau, weight in zip((model.within, model.between), variance, (1, 0.1), strict=True):
        spread = np.log(np.linalg.det(of)) + tau * np.trace(np.linalg.inv(of))
        total -= weight * size / 2 * spread
    return total


@pytest.mark.parametrize("rank", [4, 2])
def test_scores_are_log_likelihood_ratios_of_stacked_pairs(rank: int) -> None:
    """Also where speakers differ in fewer directions than there are."""
    root = np.random.default_rng(3).normal(size=(4, rank))
    model = Plda(np.array([3.0, -1, 0, 2]), root @ root.T, covariance(4, 1))
    x = np.random.default_rng(0).normal(1, 2, (7, 4))
    scores = model.scores(x)
    table = scores.block(slice(None), slice(None))
    for i in range(7):
        for j in range(7):
            alone = density(x[[i]], model) + density(x[[j]], model)
            assert table[i, j] == pytest.approx(density(x[[i, j]], model) - alone, abs=1e-4)
    np.testing.assert_allclose(table, table.T, atol=1e-5)
    np.testing.assert_allclose(
        scores.pairs(np.array([2, 5]), np.array([6, 0])), table[[2, 5], [6, 0]], atol=1e-5
    )


def test_the_score_is_the_same_in_any_units() -> None:
    """A ratio of densities knows no axes: x -> A x + b changes neither the model nor its score."""
    turn, shift = np.random.default_rng(1).normal(size=(3, 3)), np.array([10.0, 0, -5])
    model = Plda(np.arange(3.0), covariance(3, 1), covariance(3, 2))
    moved = Plda(
        turn @ model.mean + shift, turn @ model.between @ turn.T, turn @ model.within @ turn.T
    )
    x = np.random.default_rng(0).normal(size=(5, 3))
    everything = slice(None), slice(None)
    np.testing.assert_allclose(
        moved.scores(x @ turn.T + shift).block(*everything),
        model.scores(x).block(*everything),
        atol=1e-4,
    )


def test_what_rises_is_the_likelihood_of_every_speaker_s_clips_and_of_the_prior() -> None:
    counts = [1, 2, 2, 7, 3, 1, 12]
    x, speakers = drawn(counts, covariance(3, 1), covariance(3, 2))
    longer = fit_plda(x, speakers, iterations=6)
    for steps in (1, 2, 5):
        model = fit_plda(x, speakers, steps)
        assert longer.objectives[steps] == pytest.approx(objective(x, speakers, model), abs=1e-8)
        assert model.objectives == pytest.approx(longer.objectives[:steps])


@pytest.mark.parametrize(
    ("counts", "size"),
    [([1, 2, 2, 7, 3, 1, 12], 3), ([4] * 30, 5), ([2, 1], 6), ([3] * 12, 50), ([40, 1, 1], 2)],
)
def test_every_iteration_raises_it(counts: list[int], size: int) -> None:
    x, speakers = drawn(counts, covariance(size, 1), covariance(size, 2))
    objectives = np.array(fit_plda(x, speakers, iterations=60).objectives)
    assert len(objectives) == 60
    assert (np.diff(objectives) > -1e-9 * np.abs(objectives[1:])).all()
    assert objectives[1] > objectives[0]


def test_a_maximum_is_reached() -> None:
    """No small change of any parameter is more likely."""
    counts = [1, 2, 2, 7, 3, 1, 12, 5, 4, 4]
    x, speakers = drawn(counts, 4 * covariance(2, 1), covariance(2, 2))
    fitted = fit_plda(x, speakers, iterations=2000)
    best, random = objective(x, speakers, fitted), np.random.default_rng(0)
    for _ in range(50):
        step = random.normal(size=(3, 2, 2)) * 1e-2
        other = Plda(
            fitted.mean + step[0, 0],
            fitted.between + step[1] + step[1].T,
            fitted.within + step[2] + step[2].T,
        )
        assert objective(x, speakers, other) < best


def test_covariances_of_simulated_speakers_are_recovered() -> None:
    between, within = covariance(4, 1), covariance(4, 2)
    counts = np.random.default_rng(0).integers(1, 12, size=6000).tolist()
    x, speakers = drawn(counts, between, within)
    model = fit_plda(x, speakers)
    np.testing.assert_allclose(model.mean, [1, 2, 3, 4], atol=0.05)
    np.testing.assert_allclose(model.between, between, atol=0.06)
    np.testing.assert_allclose(model.within, within, atol=0.04)


@pytest.mark.parametrize(("speakers", "each"), [(40, 4), (24, 3), (400, 4)])
def test_more_numbers_than_clips_or_speakers_still_tell_new_speakers_apart(
    speakers: int, each: int
) -> None:
    size = 100
    spectrum = np.diag(np.arange(1, size + 1) ** -1.0)
    within = 2 * spectrum[::-1, ::-1] + 0.3 * spectrum
    x, names = drawn([each] * speakers, spectrum, within)
    model = fit_plda(x, names)
    assert np.linalg.eigvalsh(model.within)[0] > 0
    assert np.linalg.eigvalsh(model.between)[0] > 0
    new, people = drawn([6] * 30, spectrum, within, seed=1)
    first, second = np.triu_indices(len(new), 1)
    is_target = np.array(people)[first] == np.array(people)[second]
    rate, _ = equal_error_rate(model.scores(new).pairs(first, second), is_target)
    assert rate < 0.8 * all_pairs(unit_length(new - x.mean(axis=0)), people, draws=0).eer


def test_a_number_that_never_changes_is_harmless() -> None:
    x, speakers = drawn([5] * 20, covariance(3, 1), covariance(3, 2))
    constant = np.column_stack([x, np.full(100, 7.0)])
    pairs = np.arange(50), np.arange(50, 100)
    found = fit_plda(constant, speakers).scores(constant).pairs(*pairs)
    expected = fit_plda(x, speakers).scores(x).pairs(*pairs)
    assert np.isfinite(found).all() and np.corrcoef(found, expected)[0, 1] > 0.999


def test_order_and_unknown_speakers_are_of_no_account() -> None:
    x, speakers = drawn([5, 2, 9, 1], covariance(3, 1), covariance(3, 2))
    model = fit_plda(x, speakers)
    order = np.random.default_rng(0).permutation(17)
    mixed = np.vstack([x[order], np.full((3, 3), 1e3)])
    other = fit_plda(mixed, [*(speakers[row] for row in order), "", "", ""])
    np.testing.assert_allclose(other.between, model.between, atol=1e-9)
    np.testing.assert_allclose(other.within, model.within, atol=1e-9)
    np.testing.assert_allclose(other.mean, model.mean, atol=1e-9)


def test_what_cannot_be_trained_on() -> None:
    x, speakers = drawn([5, 5], covariance(3, 1), covariance(3, 2))
    with pytest.raises(TrainingError, match="1 known training speakers"):
        fit_plda(x, ["a"] * 10)
    with pytest.raises(TrainingError, match="10 training clips of 10 known speakers"):
        fit_plda(x, list("abcdefghij"))
    with pytest.raises(TrainingError, match="have the same embedding"):
        fit_plda(np.repeat(x[[0, 5]], 5, axis=0), speakers)
    with pytest.raises(TrainingError, match="mean embeddings of 2 training speakers are all"):
        fit_plda(np.vstack([x[:5], x[:5]]), speakers)
    with pytest.raises(ValueError, match="iterations is 0"):
        fit_plda(x, speakers, iterations=0)
    with pytest.raises(ValueError, match="are NaN or infinite"):
        fit_plda(np.where(np.arange(10)[:, None] == 4, np.nan, x), speakers)


def test_what_cannot_be_scored() -> None:
    x, speakers = drawn([5, 5], covariance(3, 1), covariance(3, 2))
    model = fit_plda(x, speakers)
    with pytest.raises(ValueError, match=r"\(10, 2\); expected \(N, 3\)"):
        model.scores(x[:, :2])
    with pytest.raises(ValueError, match="NaN or infinite"):
        model.scores(x * np.nan)
