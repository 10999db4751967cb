"""Ridge regression against its closed form, and the penalty that is chosen."""

import numpy as np
import pytest

from emovec.backends import ridge
from emovec.backends.ridge import fit_ridge

RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(3, 2, (60, 8)) * np.logspace(-3, 3, 8)
TARGETS = FEATURES @ RANDOM.normal(size=(8, 3)) / 100 + RANDOM.normal(size=(60, 3))
SPEAKERS = [f"s{row % 6}" for row in range(60)]


def closed_form(features: np.ndarray, targets: np.ndarray, alpha: float) -> tuple:
    """Weights and offset on raw features: (Z'Z + alpha I)^-1 Z'(Y - mean) on standardised Z."""
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    z = (features - mean) / deviation
    weights = np.linalg.solve(
        z.T @ z + alpha * np.eye(z.shape[1]), z.T @ (targets - targets.mean(0))
    )
    return weights / deviation[:, None], targets.mean(0) - (mean / deviation) @ weights


@pytest.mark.parametrize("alpha", [0.1, 10.0, 1000.0])
def test_predictions_are_the_closed_form(monkeypatch: pytest.MonkeyPatch, alpha: float) -> None:
    monkeypatch.setattr(ridge, "ALPHAS", [alpha])
    model = fit_ridge(FEATURES, TARGETS, SPEAKERS, seed=0)
    new = RANDOM.normal(3, 2, (5, 8)) * np.logspace(-3, 3, 8)
    weights, offset = closed_form(FEATURES, TARGETS, alpha)
    np.testing.assert_allclose(model.predict(new), new @ weights + offset, atol=1e-8)


def test_the_penalty_is_best_on_speakers_left_out() -> None:
    """As many folds as speakers: each is one speaker, whatever the seed."""
    rows = np.array([int(name[1:]) < 5 for name in SPEAKERS])
    features, targets = FEATURES[rows], TARGETS[rows]
    speakers = np.array(SPEAKERS)[rows]
    errors = []
    for alpha in ridge.ALPHAS:
        found = []
        for speaker in np.unique(speakers):
            out = speakers == speaker
            weights, offset = closed_form(features[~out], targets[~out], alpha)
            found.append(np.square(features[out] @ weights + offset - targets[out]).mean())
        errors.append(np.mean(found))
    for seed in (0, 1):
        model = fit_ridge(features, targets, speakers.tolist(), seed)
        assert model["ridge"].alpha == ridge.ALPHAS[np.argmin(errors)]


def test_noise_gets_the_heaviest_penalty_and_the_mean() -> None:
    random = np.random.default_rng(1)
    features, targets = random.normal(size=(40, 30)), random.normal(size=(40, 3))
    model = fit_ridge(features, targets, [f"s{row % 4}" for row in range(40)], seed=0)
    assert model["ridge"].alpha >= 100
    assert np.abs(model.predict(features) - targets.mean(0)).max() < 1


def test_one_speaker_is_folded_by_clips() -> None:
    model = fit_ridge(FEATURES, TARGETS, ["one"] * 60, seed=0)
    assert model.predict(FEATURES).shape == (60, 3)


def test_a_constant_feature_is_harmless() -> None:
    features = np.column_stack([FEATURES, np.ones(60)])
    model = fit_ridge(features, TARGETS, SPEAKERS, seed=0)
    expected = fit_ridge(FEATURES, TARGETS, SPEAKERS, seed=0)
    np.testing.assert_allclose(model.predict(features), expected.predict(FEATURES), atol=1e-9)
