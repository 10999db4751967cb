"""Emotion classes by recipes/ser/train.py, from end to end on the small corpus."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from emovec.encoders.resnet import ResNet
from emovec.encoders.store import load_model, save_model
from emovec.errors import HparamError, SplitError
from emovec.tables.results import read_result

FILE = Path(__file__).parents[1] / "hparams" / "finetune.yaml"
TINY = {"channels": [2, 2], "blocks": [1, 1], "embedding_size": 6, "pooling": "statistics"}
OPTIONS = "{channels: [2, 2], blocks: [1, 1], embedding_size: 6, pooling: statistics}"


def command(corpus: Path, folder: Path, *more: str) -> list[str]:
    return [
        str(FILE),
        "--corpus=manifest",
        f"--data_folder={corpus}",
        f"--run_folder={folder}",
        f"--prepared_folder={folder.parent / 'data'}",
        f"--encoder_options={OPTIONS}",
        "--epochs=2",
        "--batch_seconds=8",
        "--workers=0",
        "--device=cpu",
        *more,
    ]


@pytest.fixture(scope="module")
def run(small_corpus: Path, tmp_path_factory: pytest.TempPathFactory, train: Callable) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "first"
    train(command(small_corpus, folder))
    return folder


def test_everything_is_written(run: Path) -> None:
    result = read_result(run / "result.json")
    metrics = ("accuracy", "unweighted_recall", "macro_f1", "weighted_f1")
    names = [f"emotion/{name}" for name in metrics]
    assert [m.metric for m in result.metrics] == names + [f"baseline_majority/{n}" for n in names]
    with (run / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    right = np.mean([row["emotion"] == row["predicted"] for row in rows])
    assert result.get("emotion/accuracy").value == pytest.approx(right)
    for row in rows:
        shares = {k[12:]: float(v) for k, v in row.items() if k.startswith("probability_")}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-3)
        assert max(shares, key=shares.get) == row["predicted"]
    assert (run / "figures" / "emotion_confusion.png").is_file()
    assert (run / "model" / "card.md").is_file()


def test_the_saved_model_says_what_the_run_said(run: Path, small_corpus: Path) -> None:
    model = load_model(run / "model")
    with (run / "predictions.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    wave, _rate = soundfile.read(small_corpus / "audio" / f"{row['id']}.wav", dtype="float32")
    with torch.no_grad():
        logits = model(torch.from_numpy(wave)[None], torch.tensor([len(wave)]))["emotion"][0]
    shares = [float(value) for key, value in row.items() if key.startswith("probability_")]
    np.testing.assert_allclose(logits.softmax(0).numpy(), shares, atol=2e-3)


def test_pretrained_and_frozen(small_corpus: Path, tmp_path: Path, train: Callable) -> None:
    """Only the output layer and the moments of batch norm move."""
    encoder = ResNet(**TINY)
    save_model(tmp_path / "encoder", encoder, "card")
    arguments = (f"--pretrained={tmp_path / 'encoder'}", "--frozen=[encoder]")
    train(command(small_corpus, tmp_path / "run", *arguments))
    trained = load_model(tmp_path / "run" / "model").encoder.state_dict()
    moments = ("running_mean", "running_var", "num_batches_tracked")
    for name, value in encoder.state_dict().items():
        if not name.endswith(moments):
            assert torch.equal(trained[name], value), name


def test_classes_copies_and_pooling(small_corpus: Path, tmp_path: Path, train: Callable) -> None:
    (tmp_path / "noise").mkdir()
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, 16000)
    soundfile.write(tmp_path / "noise" / "hiss.wav", noise, 16000)
    arguments = [
        "--emotions=[anger, sadness]",
        "--copies=2",
        f"--noise={tmp_path / 'noise'}",
        "--encoder=wavlm",
        "--encoder_options={size: tiny}",
        "--pooling=mean_pooling",
        "--protocol=loso",
        "--fold=1",
    ]
    train(command(small_corpus, tmp_path / "run", *arguments))
    result = read_result(tmp_path / "run" / "result.json")
    assert (result.get("emotion/accuracy").n, result.get("emotion/accuracy").speakers) == (4, 1)
    assert {skip.reason for skip in result.skipped} == {
        "emotion is happiness",
        "emotion is neutral",
    }
    assert load_model(tmp_path / "run" / "model").arguments()["classes"] == ["anger", "sadness"]


def test_a_silent_clip_is_listed(small_corpus: Path, tmp_path: Path, train: Callable) -> None:
    corpus = Path(shutil.copytree(small_corpus, tmp_path / "corpus"))
    path = corpus / "audio" / "0_anger_0.wav"
    soundfile.write(path, np.zeros(soundfile.info(path).frames), 16000)
    train(command(corpus, tmp_path / "run"))
    (skip,) = read_result(tmp_path / "run" / "result.json").skipped
    assert (skip.id, skip.reason) == ("0_anger_0", "no speech is heard in it")


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (
            ["--target=mood"],
            HparamError,
            r"target is 'mood'; expected one of \['affect', 'emotion'",
        ),
        (["--copies=1"], HparamError, "copies is 1, augmented by"),
        (["--frozen=[decoder]"], HparamError, "no weights begin with 'decoder'"),
        (["--encoder=resnot"], HparamError, "'resnot' is no module"),
        (["--encoder_options={colour: red}"], HparamError, "colour"),
        (["--emotions=[joy]"], SplitError, "all of its 80 clips are left out"),
        (["--regions=8"], HparamError, r"unknown \['regions'\]"),
    ],
)
def test_wrong_hparams(
    small_corpus: Path,
    tmp_path: Path,
    train: Callable,
    arguments: list[str],
    error: type[Exception],
    said: str,
) -> None:
    with pytest.raises(error, match=said):
        train(command(small_corpus, tmp_path / "run", *arguments))


def test_weights_of_another_architecture(
    small_corpus: Path, tmp_path: Path, train: Callable
) -> None:
    save_model(tmp_path / "encoder", ResNet(**TINY), "card")
    arguments = (f"--pretrained={tmp_path / 'encoder'}", "--encoder=wavlm")
    with pytest.raises(HparamError, match=r"holds a ResNet; expected encoder=wavlm"):
        train(command(small_corpus, tmp_path / "run", *arguments))
