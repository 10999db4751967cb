"""Baselines of affect: on the test split's rows, in its order, their functionals kept."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emovec.audio.functionals import extractor
from emovec.audio.loading import load
from emovec.backends import baselines
from emovec.backends.baselines import affect_baselines
from emovec.backends.ridge import fit_ridge
from emovec.corpora.selection import Selection, select


@pytest.fixture(scope="module")
def data(small_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Selection:
    options: dict = {"protocol": "default", "fold": 0, "seed": 0, "drop_emotions": []}
    options |= {"with_affect": True, "allow_partial": False, "allow_leak": False}
    folder = tmp_path_factory.mktemp("made")
    chosen = select("manifest", {}, str(small_corpus), folder, **options)
    few = {split: clips[:16] for split, clips in chosen.splits.items()}
    return replace(chosen, splits=few)


def ridge_name() -> str:
    return f"ridge_{extractor().name}"


def test_predictions_by_hand(data: Selection, tmp_path: Path) -> None:
    found = affect_baselines(data, tmp_path, 12.0, seed=3)
    assert set(found) == {"mean", ridge_name()}
    training, test = data.splits["train"], data.splits["test"]
    targets = np.array([[u.valence, u.arousal, u.dominance] for u in training])
    np.testing.assert_allclose(found["mean"], [targets.mean(axis=0)] * len(test))

    def describe(clips: list) -> np.ndarray:
        waves = [load(data.root / u.path) for u in clips]
        return np.array([extractor().function(wave, 16000) for wave in waves], np.float32)

    ridge = fit_ridge(describe(training), targets, [u.speaker for u in training], seed=3)
    np.testing.assert_allclose(found[ridge_name()], ridge.predict(describe(test)), atol=1e-6)


def test_rows_are_in_the_order_of_the_test_split(data: Selection, tmp_path: Path) -> None:
    turned = {**data.splits, "test": data.splits["test"][::-1]}
    found = affect_baselines(data, tmp_path, 12.0, seed=0)[ridge_name()]
    again = affect_baselines(replace(data, splits=turned), tmp_path, 12.0, seed=0)[ridge_name()]
    np.testing.assert_allclose(again, found[::-1], atol=1e-9)


def test_functionals_are_made_once(
    data: Selection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = affect_baselines(data, tmp_path, 12.0, seed=0)
    (kept,) = tmp_path.iterdir()
    assert kept.suffix == ".npy"

    def fail(*_: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(baselines, "functionals_table", fail)
    again = affect_baselines(data, tmp_path, 12.0, seed=0)
    assert all((again[name] == first[name]).all() for name in first)
    # other audio under the same ids
    clips = data.splits["test"]
    other = replace(clips[0], extra={**clips[0].extra, "audio_hash": "0" * 16})
    changed = replace(data, splits={**data.splits, "test": [other, *clips[1:]]})
    with pytest.raises(AssertionError, match="read again"):
        affect_baselines(changed, tmp_path, 12.0, seed=0)
