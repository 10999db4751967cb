"""Emotions of several corpora by recipes/ser/categories.py, end to end on two small ones."""

import csv
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from recipe_modules import load_recipe

import emovec
from emovec.encoders.pooled import PooledEncoder
from emovec.encoders.resnet import ResNet
from emovec.encoders.store import load_model, save_model
from emovec.errors import HparamError, SplitError, TrainingError
from emovec.metrics.classification import unweighted_recall
from emovec.report.markdown import write_results_markdown
from emovec.tables.corpus import Skip, read_corpus_info, write_corpus_info
from emovec.tables.manifest import read_manifest, write_manifest
from emovec.tables.results import read_result
from emovec.tables.splits import read_splits
from emovec.training.corpora_task import MEAN_RECALL

FILE = Path(__file__).parents[1] / "hparams" / "categories.yaml"
OTHERS = {"anger": "rage", "happiness": "joy", "neutral": "", "sadness": "grief"}


@pytest.fixture(scope="module")
def main() -> Callable[[list[str]], None]:
    return load_recipe("ser/categories.py").main


@pytest.fixture(scope="module")
def two(small_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The small corpus, and a louder one by six others, with other names and no neutral."""
    folder = tmp_path_factory.mktemp("corpora") / "other"
    shutil.copytree(small_corpus, folder)
    rows = [
        replace(u, emotion=OTHERS[u.emotion], text="")
        for u in read_manifest(folder / "manifest.csv")
        if int(u.speaker[1:]) < 6
    ]
    for row in rows:
        wave, rate = soundfile.read(folder / row.path)
        soundfile.write(folder / row.path, 2 * wave[: len(wave) - 200], rate)
    shorter = [replace(row, duration=row.duration - 200 / 16000) for row in rows]
    write_manifest(folder / "manifest.csv", shorter)
    info = read_corpus_info(folder / "corpus.json")
    write_corpus_info(
        folder / "corpus.json", replace(info, name="other", utterances=len(rows), speakers=6)
    )
    return [small_corpus, folder]


def command(corpora: list[Path], folder: Path, *more: str) -> list[str]:
    return [
        str(FILE),
        f"--corpora=[{', '.join(map(str, corpora))}]",
        f"--run_folder={folder}",
        f"--prepared_folder={folder.parent / 'data'}",
        "--embedding_size=8",
        "--chunk_seconds=[0.3, 0.6]",
        "--batch_size=8",
        "--epochs=2",
        "--workers=0",
        "--device=cpu",
        *more,
    ]


@pytest.fixture(scope="module")
def run(
    two: list[Path], tmp_path_factory: pytest.TempPathFactory, main: Callable[[list[str]], None]
) -> Path:
    folder = tmp_path_factory.mktemp("results") / "ser" / "small" / "1"
    main(command(two, folder, "--micro_batches=2"))
    return folder


def rows_of(run: Path) -> list[dict[str, str]]:
    with (run / "predictions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_corpus_is_measured_by_its_own_emotions(run: Path) -> None:
    result, rows = read_result(run / "result.json"), rows_of(run)
    recalls = {}
    for corpus, speakers in (("small", 2), ("other", 1)):
        own = [row for row in rows if row["id"].startswith(f"{corpus}/")]
        said = [row["predicted"] for row in own]
        found = result.get(f"{corpus}/emotion/unweighted_recall")
        recalls[corpus] = unweighted_recall(said, [row["emotion"] for row in own])
        assert found.value == pytest.approx(recalls[corpus])
        assert (found.n, found.speakers) == (len(own), speakers)
        assert (found.interval is None) == (speakers == 1)
    emotions = {row["predicted"] for row in rows if row["id"].startswith("other/")}
    assert emotions <= {"rage", "joy", "grief"}
    mean = result.get(MEAN_RECALL)
    assert mean.value == pytest.approx(np.mean(list(recalls.values())))
    assert mean.interval[0] < mean.value <= mean.interval[1] or mean.value == mean.interval[0]
    assert (mean.n, mean.speakers) == (len(rows), 3)


def test_the_baseline_says_the_most_frequent(run: Path) -> None:
    result = read_result(run / "result.json")
    values = {"small": 1 / 4, "other": 1 / 3}
    for corpus, value in values.items():
        found = result.get(f"baseline_majority/{corpus}/emotion/unweighted_recall")
        assert found.value == pytest.approx(value)
    mean = result.get(f"baseline_majority/{MEAN_RECALL}").value
    assert mean == pytest.approx(np.mean(list(values.values())))


def test_clips_without_an_emotion_are_listed(run: Path) -> None:
    skipped = read_result(run / "result.json").skipped
    assert {skip.id.partition("/")[0] for skip in skipped} == {"other"} and len(skipped) == 12


def test_the_folder_is_that_of_an_encoder(run: Path, small_corpus: Path) -> None:
    assert type(load_model(run / "model")) is PooledEncoder
    files = sorted(small_corpus.glob("audio/*.wav"))[:3]
    model = emovec.load(run / "model")
    embeddings = model.embed(files)
    assert embeddings.shape == (3, 8) and np.ptp(embeddings, axis=0).min() > 0
    assert "small+other" in model.card and "CC0-1.0" in model.card


def test_figures_and_history(run: Path) -> None:
    found = {path.name for path in (run / "figures").iterdir()}
    assert found == {"learning_curves.png", "confusion_small.png", "confusion_other.png"}
    assert f"valid/{MEAN_RECALL}" in (run / "history.csv").read_text().splitlines()[0]


def test_results_have_a_column_for_each_corpus(run: Path) -> None:
    write_results_markdown(run.parents[2], run.parent / "RESULTS.md")
    head = next(
        line for line in (run.parent / "RESULTS.md").read_text().splitlines() if "| run" in line
    )
    assert [cell.strip() for cell in head.strip("|").split("|")][2:5] == [
        "other/emotion/unweighted_recall",
        "small/emotion/unweighted_recall",
        MEAN_RECALL,
    ]


def test_pretrained_frozen_and_augmented(
    two: list[Path], tmp_path: Path, main: Callable[[list[str]], None]
) -> None:
    (tmp_path / "noise").mkdir()
    hiss = np.random.default_rng(0).uniform(-0.1, 0.1, 16000)
    soundfile.write(tmp_path / "noise" / "hiss.wav", hiss, 16000)
    before = ResNet(channels=(2, 2), blocks=(1, 1), embedding_size=6, activity=False)
    save_model(tmp_path / "encoder", before, "card")
    arguments = [
        "--encoder=resnet",
        f"--pretrained={tmp_path / 'encoder'}",
        "--pooling=mean_pooling",
        "--frozen=[encoder.encoder]",
        f"--noise={tmp_path / 'noise'}",
        "--activity=False",
        "--merge_emotions={rage: anger}",
        "--drop_emotions=[grief]",
    ]
    main(command(two, tmp_path / "run", *arguments))
    found = load_model(tmp_path / "run" / "model")
    for name, value in before.state_dict().items():  # moments of batch norms, too
        assert torch.equal(found.encoder.state_dict()[name], value), name
    assert not found.needs_speech
    rows = [row for row in rows_of(tmp_path / "run") if row["id"].startswith("other/")]
    assert {row["emotion"] for row in rows} == {"anger", "joy"}


def test_a_run_that_was_stopped_ends_as_an_unbroken_one(
    two: list[Path], tmp_path: Path, main: Callable[[list[str]], None], run: Path
) -> None:
    """The first epoch's checkpoint is the last there is."""
    line = command(two, tmp_path / "run", "--micro_batches=2")
    brain = load_recipe("ser/categories.py").TaskBrain
    whole = brain.on_stage_end

    def stop(self: object, stage: object, loss: float, epoch: int) -> None:
        whole(self, stage, loss, epoch)
        if str(stage) == "Stage.VALID":
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(brain, "on_stage_end", stop)
        with pytest.raises(KeyboardInterrupt):
            main(line)
    main(line)
    assert rows_of(tmp_path / "run") == rows_of(run)
    weights = [load_model(of / "model").state_dict() for of in (tmp_path / "run", run)]
    for name, value in weights[0].items():
        torch.testing.assert_close(value, weights[1][name], rtol=1e-4, atol=1e-6)


def test_a_silent_clip_is_listed(
    two: list[Path], tmp_path: Path, main: Callable[[list[str]], None]
) -> None:
    corpus = Path(shutil.copytree(two[1], tmp_path / "corpus"))
    path = corpus / "audio" / "0_anger_0.wav"
    soundfile.write(path, np.zeros(soundfile.info(path).frames), 16000)
    main(command([corpus], tmp_path / "run", "--epochs=1"))
    silent = [
        s for s in read_result(tmp_path / "run" / "result.json").skipped if "speech" in s.reason
    ]
    assert [(s.id, s.reason) for s in silent] == [("other/0_anger_0", "no speech is heard in it")]


def test_an_emotion_of_test_speakers_alone_is_said_before_training(
    two: list[Path], tmp_path: Path, main: Callable[[list[str]], None], run: Path
) -> None:
    corpus = Path(shutil.copytree(two[0], tmp_path / "small"))
    tested = next(row["id"] for row in rows_of(run) if row["id"].startswith("small/"))
    rows = read_manifest(corpus / "manifest.csv")
    awe = [replace(u, emotion="awe") if f"small/{u.id}" == tested else u for u in rows]
    write_manifest(corpus / "manifest.csv", awe)
    with pytest.raises(TrainingError, match="awe"):
        main(command([corpus, two[1]], tmp_path / "run"))
    assert not (tmp_path / "run" / "history.json").exists()


def test_a_clip_that_is_too_short_at_the_highest_speed_is_listed(
    two: list[Path], tmp_path: Path, main: Callable[[list[str]], None], run: Path
) -> None:
    """1400 samples give a frame of the small model, 1273 do not."""
    corpus = Path(shutil.copytree(two[1], tmp_path / "corpus"))
    splits = read_splits(run.parent / "data" / "splits" / "held-out-speakers.csv")
    trained = [row.id for row in splits if row.split == "train" and row.id.startswith("other/")]
    short = trained[0].removeprefix("other/")
    wave, rate = soundfile.read(corpus / "audio" / f"{short}.wav")
    soundfile.write(corpus / "audio" / f"{short}.wav", wave[4000:5400], rate)
    rows = [
        replace(u, duration=1400 / rate) if u.id == short else u
        for u in read_manifest(corpus / "manifest.csv")
    ]
    write_manifest(corpus / "manifest.csv", rows)
    main(command([corpus], tmp_path / "run", "--epochs=1", "--activity=False"))
    skipped = read_result(tmp_path / "run" / "result.json").skipped
    reason = "lasts 0.087 s, too short for the encoder at speed 1.1"
    assert Skip(trained[0], reason) in skipped and len(skipped) == 13  # 12 have no emotion


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (["--corpus_balance=2"], HparamError, "corpus_balance is 2; expected 0 to 1"),
        (["--pooling=median_pooling"], HparamError, "'median_pooling' is no module"),
        (["--pooling_options={colour: red}"], HparamError, "colour"),
        (["--frozen=[decoder]"], HparamError, "no weights begin with 'decoder'"),
        (["--chunk_seconds=[0.01, 0.6]"], HparamError, r"chunk_seconds is \[0.01, 0.6\]"),
        (["--emotions=[awe]"], SplitError, "no clip is of the emotions .*awe"),
        (
            ["--drop_emotions=[rage, joy]"],
            TrainingError,
            r"emotions \['grief'\]; expected at least",
        ),
    ],
)
def test_wrong_hparams(
    two: list[Path],
    tmp_path: Path,
    main: Callable[[list[str]], None],
    arguments: list[str],
    error: type[Exception],
    said: str,
) -> None:
    with pytest.raises(error, match=said):
        main(command(two, tmp_path / "run", *arguments))
