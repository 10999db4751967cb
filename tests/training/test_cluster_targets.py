"""K-means targets: against Lloyd's fixed point and exhaustive distances, kept once and for all."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from gloo_processes import in_processes
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from emovec.audio.crops import Frames
from emovec.audio.frame_features import MfccFrames
from emovec.errors import HparamError, TrainingError
from emovec.tables.manifest import Utterance
from emovec.training import cluster_targets
from emovec.training.cluster_targets import (
    Clips,
    ClusterTargets,
    fit_clusters,
    make_targets,
    nearest,
)

RATE, WINDOW, HOP = 16000, 1360, 640
SAMPLES = (8000, 24000, 16000, WINDOW, 20000)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30), st.integers(1, 6), st.integers(1, 5), st.integers(0, 99))
def test_the_nearest_centre_by_all_distances(frames: int, k: int, size: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    values = random.normal(size=(frames, size)).astype(np.float32)
    centres = random.normal(size=(k, size)).astype(np.float32)
    expected = [int(np.argmin([np.linalg.norm(row - c) for c in centres])) for row in values]
    assert nearest(values, centres).tolist() == expected
    assert nearest(values, centres).dtype == np.uint16


def test_centres_of_separate_clouds_are_their_means() -> None:
    """Where clouds are far apart, each centre is near the mean of what is nearest to it."""
    random = np.random.default_rng(0)
    places = 50.0 * np.array([[0, 0], [0, 1], [1, 0], [1, 1], [2, 2]])
    cloud = random.integers(len(places), size=4000)
    values = (places[cloud] + random.normal(size=(4000, 2))).astype(np.float32)
    centres = fit_clusters(values, len(places), seed=3)
    means = np.stack([values[cloud == n].mean(axis=0) for n in range(len(places))])
    found = centres[nearest(means.astype(np.float32), centres)]
    np.testing.assert_allclose(found, means, atol=0.2)
    np.testing.assert_array_equal(centres, fit_clusters(values, len(places), seed=3))


@pytest.mark.parametrize("clusters", [1, 11, 2**16 + 1])
def test_bad_numbers_of_clusters(clusters: int) -> None:
    with pytest.raises(HparamError, match=f"clusters is {clusters} for 10 frames"):
        fit_clusters(np.zeros((10, 2), dtype=np.float32), clusters, seed=0)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    folder = tmp_path_factory.mktemp("clips")
    random = np.random.default_rng(0)
    utterances = []
    for number, samples in enumerate(SAMPLES):
        slow = np.cumsum(random.normal(size=samples))
        soundfile.write(folder / f"{number}.wav", 0.5 * slow / np.abs(slow).max(), RATE)
        utterances.append(Utterance(f"c{number}", f"{number}.wav", None, None, samples / RATE))
    return Clips(utterances, folder, Frames(RATE, WINDOW, HOP, 0.8, 5), 30.0, 4.0, workers=0)


def features(waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    return MfccFrames(RATE, WINDOW, HOP, centred=True)(waves, lengths)


def make(clips: Clips, folder: Path, **changes: object) -> ClusterTargets:
    options: dict = {"training": 4, "clusters": 6, "fit_frames": 10**6, "seed": 1}
    return make_targets(clips, features=features, folder=folder, **options | changes)


def test_targets_are_those_of_single_clips(clips: Clips, tmp_path: Path) -> None:
    targets = make(clips, tmp_path / "targets")
    assert len(targets) == len(SAMPLES) and targets.labels.dtype == np.uint16
    for row, samples in enumerate(SAMPLES):
        wave = torch.from_numpy(soundfile.read(clips.root / f"{row}.wav", dtype="float32")[0])
        values, _ = features(wave[None], torch.tensor([samples]))
        distances = torch.cdist(values[0], torch.from_numpy(targets.centres))
        assert len(targets[row]) == (samples - WINDOW) // HOP + 1
        assert targets[row].tolist() == distances.argmin(dim=1).tolist()
    counted = np.unique(np.concatenate([targets[row] for row in range(4)]), return_counts=True)
    assert targets.counts(4)[counted[0]].tolist() == counted[1].tolist()
    assert targets.counts(4).sum() == targets.offsets[4]
    part = targets.part(2, 2)
    assert len(part) == 2 and part[1].tolist() == targets[3].tolist()


def test_centres_are_found_in_training_clips_alone(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def fit(values: np.ndarray, clusters: int, seed: int) -> np.ndarray:
        seen.append(len(values))
        return values[:clusters]

    monkeypatch.setattr(cluster_targets, "fit_clusters", fit)
    frames = [(samples - WINDOW) // HOP + 1 for samples in SAMPLES]
    make(clips, tmp_path / "all")
    make(clips, tmp_path / "few", fit_frames=1)
    assert seen[0] == sum(frames[:4])
    assert seen[1] in {a + b for a in frames[:4] for b in frames[:4] if a != b}  # two clips


def test_they_are_made_once(clips: Clips, tmp_path: Path) -> None:
    first = make(clips, tmp_path / "targets")
    again = make_targets(clips, 4, lambda *_: 1 / 0, 6, 10**6, 1, tmp_path / "targets")
    assert np.array_equal(first.labels, again.labels)
    assert np.array_equal(first.centres, again.centres)
    shutil.rmtree(tmp_path / "targets")
    assert np.array_equal(make(clips, tmp_path / "targets").labels, first.labels)
    assert {path.name for path in tmp_path.iterdir()} == {"targets"}  # whole or not there


def make_together(rank: int, processes: int, clips: Clips, folder: Path) -> None:
    torch.save(make(clips, folder / "targets").labels.tolist(), folder / f"{rank}.pt")


def test_two_processes_make_them_as_one(clips: Clips, tmp_path: Path) -> None:
    in_processes(make_together, 2, clips, tmp_path)
    expected = make(clips, tmp_path / "alone").labels.tolist()
    assert [torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)] == [expected] * 2


def test_those_of_other_clips_are_refused(clips: Clips, tmp_path: Path) -> None:
    make(clips, tmp_path / "targets")
    fewer = Clips(clips.utterances[:4], *list(vars(clips).values())[1:])
    with pytest.raises(TrainingError, match=r"targets of other clips .*Choose another --run_fold"):
        make(fewer, tmp_path / "targets")
