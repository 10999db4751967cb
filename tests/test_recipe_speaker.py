"""The speaker recipe from end to end on the small corpus."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile
import torch
from recipe_modules import load_recipe

from emovec import experiment
from emovec.audio.loading import load
from emovec.encoders.store import load_model
from emovec.errors import CorpusError, EmovecError, HparamError, SplitError, TrainingError
from emovec.tables.corpus import read_corpus_info, write_corpus_info
from emovec.tables.manifest import Utterance, read_manifest, write_manifest
from emovec.tables.results import Result, read_result
from emovec.tables.splits import read_splits
from emovec.training.brain import TaskBrain

ROOT = Path(__file__).parents[1]
TINY = (
    "--channels=[2, 2, 2, 2]",
    "--blocks=[1, 1, 1, 1]",
    "--embedding_size=8",
    "--chunk_seconds=[0.2, 0.3]",
    "--batch_size=8",
    "--held_out=0.2",  # two of the ten speakers
    "--epochs=2",
    "--workers=0",
    "--device=cpu",
)


class KilledError(Exception):
    """Stands for the power cut."""


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    return load_recipe("speaker/train.py")


def command(corpus: Path, folder: Path, *more: str) -> list[str]:
    return [
        str(ROOT / "hparams" / "xvector_small.yaml"),
        f"--corpora=[{corpus}]",
        f"--run_folder={folder}",
        f"--prepared_folder={folder.parent / 'data'}",
        *TINY,
        *more,
    ]


@pytest.fixture(scope="module")
def run(small_corpus: Path, recipe: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "first"
    recipe.main(command(small_corpus, folder))
    return folder


def history(folder: Path) -> list[dict[str, float]]:
    """Rows without what depends on the clock."""
    rows = json.loads((folder / "history.json").read_text())
    return [{key: row[key] for key in row if "seconds" not in key} for row in rows]


def values(folder: Path) -> dict[str, tuple]:
    result = read_result(folder / "result.json")
    return {found.metric: (found.value, found.interval) for found in result.metrics}


def weights(folder: Path) -> bytes:
    return (folder / "model" / "model.safetensors").read_bytes()


def damage(folder: Path, change: Callable[[Utterance], Utterance]) -> None:
    rows = list(map(change, read_manifest(folder / "manifest.csv")))
    write_manifest(folder / "manifest.csv", rows)
    info = read_corpus_info(folder / "corpus.json")
    speakers = len({row.speaker for row in rows} - {""})
    write_corpus_info(folder / "corpus.json", replace(info, speakers=speakers))


@pytest.fixture
def corpus(small_corpus: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_corpus, tmp_path / "small"))


def second_corpus(small_corpus: Path, folder: Path) -> Path:
    """The same speakers' names and ids in another corpus, with audio of its own."""
    shutil.copytree(small_corpus, folder)
    write_corpus_info(
        folder / "corpus.json", replace(read_corpus_info(folder / "corpus.json"), name="other")
    )
    for path in sorted((folder / "audio").iterdir()):
        wave, rate = soundfile.read(path)
        soundfile.write(path, -0.7 * wave, rate)
    return folder


# --- A run


def test_everything_is_written(run: Path) -> None:
    names = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    expected = {"hparams.yaml", "history.json", "result.json", "figures/learning_curves.png"}
    expected |= {f"model/{name}" for name in ("card.md", "config.json", "model.safetensors")}
    assert expected <= names
    assert not [name for name in names if "/." in f"/{name}"]  # no temporary files
    assert [row["epoch"] for row in history(run)] == [1, 2]
    assert {"train/loss", "valid/loss", "valid/eer/pooled", "valid/speaker/accuracy"} <= set(
        history(run)[0]
    )
    assert "CC0-1.0" in (run / "model" / "card.md").read_text()


def test_metrics_and_facts(run: Path) -> None:
    result: Result = read_result(run / "result.json")
    found = {metric.metric: metric for metric in result.metrics}
    # of two speakers of two genders: pairs within a gender have one speaker
    assert {"eer/pooled", "min_dcf/pooled", "targets/pooled", "impostors/pooled"} <= set(found)
    assert (found["eer/pooled"].n, found["eer/pooled"].speakers) == (16, 2)
    assert (found["targets/pooled"].value, found["impostors/pooled"].value) == (56, 64)
    assert (result.run.corpus, result.run.protocol) == ("small", "held-out-speakers")
    assert (result.skipped, result.run.leaks, result.run.seed) == ((), (), 1)
    assert result.run.hparams["embedding_size"] == 8


def test_parts_share_no_speaker(run: Path, small_corpus: Path) -> None:
    speaker = {f"small/{u.id}": u.speaker for u in read_manifest(small_corpus / "manifest.csv")}
    splits = read_splits(run.parent / "data" / "splits" / "held-out-speakers.csv")
    assert {row.id for row in splits} == set(speaker)
    parts = [
        {speaker[row.id] for row in splits if row.split == name}
        for name in ("train", "valid", "test")
    ]
    assert [len(part) for part in parts] == [6, 2, 2] and len(set.union(*parts)) == 10


def test_the_saved_model_gives_the_rate_of_the_result(run: Path, small_corpus: Path) -> None:
    """Embeddings of single clips from files, and a rate by looking at each threshold."""
    model = load_model(run / "model")
    splits = read_splits(run.parent / "data" / "splits" / "held-out-speakers.csv")
    test = {row.id.removeprefix("small/") for row in splits if row.split == "test"}
    clips = [u for u in read_manifest(small_corpus / "manifest.csv") if u.id in test]
    rows = []
    for clip in clips:
        wave = torch.from_numpy(load(small_corpus / clip.path))
        with torch.inference_mode():
            row = model(wave[None], torch.tensor([len(wave)]))[0].double().numpy()
        rows.append(row / np.linalg.norm(row))
    pairs = [(i, j) for i in range(len(clips)) for j in range(i)]
    scores = np.array([rows[i] @ rows[j] for i, j in pairs])
    same = np.array([clips[i].speaker == clips[j].speaker for i, j in pairs])
    missed = np.array([(scores[same] < end).mean() for end in np.sort(scores)])
    accepted = np.array([(scores[~same] >= end).mean() for end in np.sort(scores)])
    place = np.abs(missed - accepted).argmin()
    near = (missed[place] + accepted[place]) / 2
    assert values(run)["eer/pooled"][0] == pytest.approx(near, abs=0.02)


def test_run_again_changes_nothing(run: Path, small_corpus: Path, recipe: ModuleType) -> None:
    before = values(run), history(run), weights(run)
    recipe.main(command(small_corpus, run))
    assert (values(run), history(run), weights(run)) == before


def test_a_folder_is_not_taken_for_a_run_of_other_hparams(
    run: Path, small_corpus: Path, recipe: ModuleType
) -> None:
    """Such as another architecture, whose checkpoints would not fit."""
    with pytest.raises(HparamError, match=r"holds a run with .*'embedding_size': 8.*Choose anoth"):
        recipe.main(command(small_corpus, run, "--embedding_size=16"))


def test_a_resumed_run_equals_an_unbroken_one(
    run: Path,
    small_corpus: Path,
    recipe: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed behind a checkpoint in the middle of the second epoch."""
    fit_batch = TaskBrain.fit_batch
    line = command(small_corpus, tmp_path / "run")

    def fit_until_killed(brain: TaskBrain, batch: list) -> torch.Tensor:
        brain.ckpt_interval_steps = 1
        if brain.epochs.current == 2 and brain.step == 4:
            raise KilledError
        return fit_batch(brain, batch)

    monkeypatch.setattr(TaskBrain, "fit_batch", fit_until_killed)
    with pytest.raises(KilledError):
        recipe.main(line)
    steps = []

    def counted(brain: TaskBrain, batch: list) -> torch.Tensor:
        steps.append((brain.epochs.current, brain.optimizer_step))
        return fit_batch(brain, batch)

    monkeypatch.setattr(TaskBrain, "fit_batch", counted)
    recipe.main(line)
    assert {epoch for epoch, _ in steps} == {2} and len(steps) < 6  # it did go on, not begin anew
    assert history(tmp_path / "run") == history(run)
    assert values(tmp_path / "run") == values(run)
    assert weights(tmp_path / "run") == weights(run)


def test_several_corpora_with_the_same_speakers(
    small_corpus: Path, recipe: ModuleType, tmp_path: Path
) -> None:
    other = second_corpus(small_corpus, tmp_path / "elsewhere" / small_corpus.name)
    line = command(small_corpus, tmp_path / "run", "--epochs=1")
    recipe.main([*line, f"--corpora=[{small_corpus}, {other}]"])
    result = read_result(tmp_path / "run" / "result.json")
    found = {metric.metric: metric for metric in result.metrics}
    assert result.run.corpus == "small+other"
    assert (found["eer/pooled"].n, found["eer/pooled"].speakers) == (32, 4)
    assert found["impostors/pooled"].value == 2 * 64  # none between corpora


def test_a_test_corpus_has_metrics_of_its_own(
    small_corpus: Path, recipe: ModuleType, tmp_path: Path
) -> None:
    """Without clips that are silent or of nobody, and these are listed."""
    other = second_corpus(small_corpus, tmp_path / "other")
    soundfile.write(other / "audio" / "0_anger_0.wav", np.zeros(8000), 16000)
    damage(other, lambda row: replace(row, speaker="") if row.id == "2_anger_0" else row)
    recipe.main(command(small_corpus, tmp_path / "run", "--epochs=1", f"--test_corpora=[{other}]"))
    result = read_result(tmp_path / "run" / "result.json")
    found = {metric.metric: metric for metric in result.metrics}
    assert (found["test_other/eer/pooled"].n, found["test_other/eer/pooled"].speakers) == (78, 10)
    assert found["eer/pooled"].n == 16
    said = {skip.id: skip.reason for skip in result.skipped}
    assert said == {
        "other/0_anger_0": "no speech is heard in it",
        "other/2_anger_0": "speaker is not known",
    }


def test_silent_clips_of_held_out_speakers_are_listed(
    corpus: Path, recipe: ModuleType, tmp_path: Path, run: Path
) -> None:
    """In training a chunk that is silent keeps its frames."""
    splits = read_splits(run.parent / "data" / "splits" / "held-out-speakers.csv")
    first = {row.split: row.id.removeprefix("small/") for row in splits}
    for number, name in enumerate(first.values()):
        soundfile.write(corpus / "audio" / f"{name}.wav", np.zeros(8000 + number), 16000)
    recipe.main(command(corpus, tmp_path / "run", "--epochs=1"))
    result = read_result(tmp_path / "run" / "result.json")
    expected = {f"small/{first[split]}" for split in ("valid", "test")}
    assert {skip.id for skip in result.skipped} == expected
    assert {skip.reason for skip in result.skipped} == {"no speech is heard in it"}
    assert next(m.n for m in result.metrics if m.metric == "eer/pooled") == 15


@pytest.mark.slow
def test_augmented_by_noise_and_by_talkers(
    small_corpus: Path, recipe: ModuleType, tmp_path: Path, run: Path
) -> None:
    (tmp_path / "noise").mkdir()
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 16000)
    soundfile.write(tmp_path / "noise" / "a.wav", noise, 16000)
    soundfile.write(tmp_path / "noise" / "silent.wav", np.zeros(16000), 16000)
    line = command(small_corpus, tmp_path / "run", f"--noise={tmp_path / 'noise'}")
    recipe.main([*line, "--augment", "--babble_of_training"])
    noisy, clean = history(tmp_path / "run"), history(run)
    assert noisy[0]["train/loss"] != clean[0]["train/loss"]
    warnings = read_result(tmp_path / "run" / "result.json").warnings
    assert [text for text in warnings if text.endswith("silent.wav: is silent")]
    recipe.main([*command(small_corpus, tmp_path / "off", f"--noise={tmp_path / 'noise'}")])
    assert history(tmp_path / "off") == clean  # one switch apart


@pytest.mark.slow
def test_two_processes_train_on_the_same_batches(
    small_corpus: Path, recipe: ModuleType, tmp_path: Path
) -> None:
    """Batch normalisation is within a micro-batch, of which there are as many."""
    recipe.main(command(small_corpus, tmp_path / "one", "--micro_batches=2"))
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [
            sys.executable,
            *launcher,
            str(ROOT / "recipes" / "speaker" / "train.py"),
            *command(small_corpus, tmp_path / "two", "--micro_batches=2"),
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    rows = zip(history(tmp_path / "two"), history(tmp_path / "one"), strict=True)
    for row, expected in rows:
        assert row["train/loss"] == pytest.approx(expected["train/loss"], abs=1e-3)
    assert values(tmp_path / "two").keys() == values(tmp_path / "one").keys()


# --- Bad input: each ends before the training


def fails(
    recipe: ModuleType, line: list[str], kind: type[EmovecError], said: str, folder: Path
) -> None:
    with pytest.raises(kind, match=said):
        recipe.main(line)
    assert not (folder / "history.json").exists()


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        (["--augment"], HparamError, "augment is True, but there is nothing to augment with"),
        (["--augment", "--noise=EMPTY"], HparamError, "noise is .*: no audio files found"),
        (["--impulse_responses=/nowhere"], HparamError, "impulse_responses is /nowhere: no such"),
        (["--chunk_seconds=[3.0, 8.0]"], TrainingError, "shortest chunk is 3.0 s and the longest"),
        (["--chunk_seconds=[0.2]"], TrainingError, r"chunk_seconds is \[0.2\]; expected"),
        (["--chunk_seconds=[]"], TrainingError, r"chunk_seconds is \[\]; expected"),
        (["--chunk_seconds=[0.01, 0.2]"], HparamError, "expected at least 0.025 s, a frame"),
        (["--batch_size=1"], TrainingError, "batch_size is 1; expected at least 2"),
        (
            ["--held_out=0.5"],
            HparamError,
            "held_out is 0.5 to test on, and 0.5 to validate on; expected",
        ),
        (["--held_out=0.1"], SplitError, r"valid: speakers of each corpus are \{'small': 1\}"),
        (["--valid_seconds=0.01"], SplitError, "known: 0 clips are left, 3 left out .*too short"),
        (["--corpora=[]"], CorpusError, "corpora is empty"),
        (["--test_corpora=[SMALL]"], CorpusError, r"test_corpora has \['small'\]"),
        (["--criterion=hinge"], HparamError, "'hinge' is no module"),
        (["--criterion_options={margins: 1}"], HparamError, "additive_margin_softmax: .*margins"),
        (["--pooling=max"], HparamError, "pooling is 'max'; expected one of"),
        (["--channels=[2, 2]"], HparamError, "expected as many channels as blocks"),
        (["--schedule=stairs"], HparamError, "schedule is 'stairs'"),
    ],
    ids=lambda item: item[-1] if isinstance(item, list) else None,
)
def test_what_cannot_be_trained_says_why(
    small_corpus: Path,
    recipe: ModuleType,
    tmp_path: Path,
    options: list[str],
    kind: type[EmovecError],
    said: str,
) -> None:
    (tmp_path / "empty").mkdir()
    given = [
        text.replace("EMPTY", str(tmp_path / "empty")).replace("SMALL", str(small_corpus))
        for text in options
    ]
    fails(recipe, command(small_corpus, tmp_path / "run", *given), kind, said, tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda row: replace(row, speaker="s"), "no utterance is in valid"),
        (lambda row: replace(row, speaker=row.id), "80 training speakers have 80 clips"),
        (lambda row: replace(row, speaker=""), "0 training speakers have 0 clips"),
        (lambda row: replace(row, speaker=f"s{int(row.id[0]) % 3}"), "valid: speakers of each"),
    ],
    ids=["one speaker", "one clip each", "nobody", "three speakers"],
)
def test_too_few_speakers(
    corpus: Path, recipe: ModuleType, tmp_path: Path, change: Callable, said: str
) -> None:
    damage(corpus, change)
    fails(recipe, command(corpus, tmp_path / "run"), SplitError, said, tmp_path / "run")


def test_nothing_to_hear(corpus: Path, recipe: ModuleType, tmp_path: Path) -> None:
    for path in (corpus / "audio").iterdir():
        # unlike each other, or they would be taken for leaks
        number = 1 + len(list(tmp_path.glob("*.mark")))
        (tmp_path / f"{number}.mark").touch()
        soundfile.write(path, np.full(8000, number * 1e-4), 16000, subtype="FLOAT")
    said = r"known: 0 clips are left, .*no speech is heard in it"
    fails(recipe, command(corpus, tmp_path / "run"), SplitError, said, tmp_path / "run")


def test_long_clips_need_no_large_batches(corpus: Path, recipe: ModuleType, tmp_path: Path) -> None:
    """A clip of the test part that is longer than a batch of chunks: 2 x 0.3 s."""
    recipe.main(command(corpus, tmp_path / "run", "--batch_size=2", "--epochs=1"))
    assert values(tmp_path / "run")["eer/pooled"][0] >= 0


def test_experiment_refuses_unknown_keys(small_corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(HparamError, match=r"unknown \['chunks'\]"):
        experiment.plain_hparams(command(small_corpus, tmp_path / "run", "--chunks=3"))
