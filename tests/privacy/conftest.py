"""Clips whose identity and emotion live in directions that are known."""

from collections.abc import Callable

import numpy as np
import pytest

from emovec.privacy.vectors import Vectors

EMOTIONS = ("anger", "neutral", "sadness")
EMOTION_SIZE, SPEAKER_SIZE, OTHER_SIZE = 4, 8, 12


def make_vectors(
    speakers: range, takes: int, seed: int = 0, rotated: bool = True, noise: float = 0.4
) -> Vectors:
    """Emotion in the first numbers, identity in the next, neither in the rest; then rotated."""
    random = np.random.default_rng(seed)
    number = np.repeat(speakers, takes)
    emotion = random.integers(len(EMOTIONS), size=len(number))
    emotion_points = np.random.default_rng(1).normal(0, 2, (len(EMOTIONS), EMOTION_SIZE))
    voices = {s: np.random.default_rng([2, s]).normal(0, 1.5, SPEAKER_SIZE) for s in speakers}
    features = np.concatenate(
        [
            emotion_points[emotion] + random.normal(0, noise, (len(number), EMOTION_SIZE)),
            np.stack([voices[s] for s in number])
            + random.normal(0, noise, (len(number), SPEAKER_SIZE)),
            random.normal(0, 1, (len(number), OTHER_SIZE)),
        ],
        axis=1,
    )
    if rotated:
        square = np.random.default_rng(3).normal(size=(features.shape[1],) * 2)
        features = features @ np.linalg.qr(square)[0]
    return Vectors(
        np.array([f"{s}_{place}" for place, s in enumerate(number)]),
        features.astype(np.float32),
        np.array(EMOTIONS)[emotion],
        np.array([f"s{s}" for s in number]),
        np.where(number % 2, "here", "there"),
    )


@pytest.fixture(name="make_vectors", scope="session")
def make_vectors_fixture() -> Callable[..., Vectors]:
    return make_vectors


@pytest.fixture(scope="session")
def splits() -> dict[str, Vectors]:
    """Train, valid and test, of different speakers."""
    return {
        "train": make_vectors(range(24), 20, seed=10),
        "valid": make_vectors(range(24, 32), 12, seed=11),
        "test": make_vectors(range(32, 42), 12, seed=12),
    }
