"""Two files: how alike, and with a threshold what a script goes by."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import emovec as package


@pytest.fixture
def pair(small_corpus: Path) -> list[Path]:
    return sorted((small_corpus / "audio").iterdir())[:2]


def test_the_cosine_of_two_embeddings(answer, emovec, encoder_folder, pair):
    a, b = package.load(encoder_folder, device="cpu").embed(pair).astype(np.float64)
    cosine = a @ b / np.sqrt((a @ a) * (b @ b))
    found, status = answer("verify", *pair, "--encoder", encoder_folder)
    assert status == 0
    assert found["similarity"] == pytest.approx(cosine, abs=1e-5)
    assert (found["threshold"], found["same_speaker"]) == (None, None)
    assert (found["a"], found["b"], found["encoder"]) == (*map(str, pair), str(encoder_folder))
    done = emovec("verify", *pair, "--encoder", encoder_folder.parent)
    assert done.exit_code == 0
    assert float(done.stdout.split()[0]) == pytest.approx(cosine, abs=1e-4)


def test_an_encoder_of_no_speech_says_so(answer, emovec, encoder_folder, pair, tmp_path):
    folder = tmp_path / "demo"
    shutil.copytree(encoder_folder, folder)
    (folder / "card.md").write_text("# demo\n\n> **Synthetic demonstration: never evidence.**\n")
    done = emovec("verify", *pair, "--encoder", folder)
    assert done.exit_code == 0
    assert f"warning: {folder}: Synthetic demonstration: never evidence." in done.stderr
    found, _ = answer("verify", *pair, "--encoder", folder)
    assert found["warnings"] == ["Synthetic demonstration: never evidence."]


@pytest.mark.parametrize("threshold", [[], ["--threshold=0"]])
def test_feelings_are_no_voices(emovec, affect_folder, pair, threshold):
    done = emovec("verify", *pair, "--encoder", affect_folder, *threshold)
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"{affect_folder}: predicts affect or emotions" in done.stderr
    assert "tell feelings rather than voices; expected an encoder" in done.stderr


def test_a_threshold_decides(answer, emovec, encoder_folder, pair):
    line = ("verify", *pair, "--encoder", encoder_folder)
    for threshold, same, status in ((-1, True, 0), (1, False, 1)):
        found, ended = answer(*line, "--threshold", threshold)
        assert (found["same_speaker"], found["threshold"], ended) == (same, threshold, status)
        done = emovec(*line, "--threshold", threshold)
        said = "same speaker, from" if same else "different speakers, below"
        assert (done.exit_code, said in done.stdout) == (status, True)


def test_the_threshold_itself_is_reached(answer, encoder_folder, pair):
    same = ("verify", pair[0], pair[0], "--encoder", encoder_folder)
    found, _ = answer(*same)
    found, status = answer(*same, "--threshold", found["similarity"])
    assert (found["same_speaker"], status) == (True, 0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["absent.wav", "absent.wav", "--encoder={encoder}"], "absent.wav: not found"),
        (["{a}", "{folder}", "--encoder={encoder}"], "audio: not found; expected an audio file"),
        (["{a}", "{a}", "--encoder=absent"], "'absent': no such model"),
        (["{a}", "{a}", "--encoder={encoder}", "--threshold=2"], "2.0 is not in the range"),
        (["{a}", "{a}", "--encoder={encoder}", "--device=quantum"], "device is 'quantum'"),
        (["{a}"], "Missing argument 'B'"),
    ],
)
def test_no_answer_is_neither_yes_nor_no(emovec, encoder_folder, pair, options, said):
    line = [
        text.format(a=pair[0], folder=pair[0].parent, encoder=encoder_folder) for text in options
    ]
    done = emovec("verify", *line, *(["--threshold=0"] if "threshold" not in line[-1] else []))
    assert (done.exit_code, said in done.stderr, done.stdout) == (2, True, ""), done.stderr
