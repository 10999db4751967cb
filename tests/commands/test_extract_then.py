"""Protected embeddings by the command: what is written, and what extract.json says of it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from emovec.encoders.folders import CHECKSUM, CONFIG, read_config
from emovec.encoders.store import load_model, save_model
from emovec.privacy.lrvae import LRVAE
from emovec.tables.embedding_shards import read_embeddings


def save_separation(folder: Path, released: str) -> Path:
    torch.manual_seed(1)
    sizes = {"latent_size": 8, "hidden_size": 6, "groups": 4}
    model = LRVAE(10, ["anger", "neutral"], 3, **sizes, released=released)
    save_model(folder, model.eval(), "# both\n\nA separation.\n\n- Licence: CC-BY-NC-4.0\n")
    return folder


@pytest.fixture(scope="module")
def separation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that releases means: a draw is decided by samples, and of vectors by the vectors."""
    return save_separation(tmp_path_factory.mktemp("separation") / "model", "mean")


@pytest.fixture(scope="module")
def clips(small_corpus: Path) -> list[Path]:
    return sorted((small_corpus / "audio").iterdir())[:3]


def test_what_is_written_is_masked(emovec, clips, encoder_folder, separation, tmp_path):
    line = ("extract", *clips, "--encoder", encoder_folder, "--device=cpu")
    emovec(*line, "--output", tmp_path / "raw")
    done = emovec(*line, "--output", tmp_path / "out", "--then", separation, "--keep=emotion")
    assert done.exit_code == 0, done.stderr
    raw, table = read_embeddings(tmp_path / "raw"), read_embeddings(tmp_path / "out")
    assert table.vectors.shape == (3, 8)
    assert not table.vectors[:, 4:].any() and table.vectors[:, :4].any()
    expected = load_model(separation).transform(raw.vectors, keep="emotion")
    assert np.allclose(table.vectors, expected, atol=1e-5)
    found = table.extraction
    assert found.encoder == str(encoder_folder)
    assert found.encoder_checksum == read_config(encoder_folder / CONFIG)[CHECKSUM]
    assert found.settings["then"] == {
        "model": str(separation),
        "checksum": read_config(separation / CONFIG)[CHECKSUM],
        "keep": "emotion",
        "masked_groups": None,
    }
    assert found.licence == "MIT; CC-BY-NC-4.0"
    assert found.embedding_size == 8


def test_a_clip_has_one_draw(emovec, clips, encoder_folder, tmp_path):
    drawing = save_separation(tmp_path / "model", "draw")
    line = ("--encoder", encoder_folder, "--device=cpu", "--then", drawing, "--keep=all")
    emovec("extract", *clips, *line, "--output", tmp_path / "together")
    together = read_embeddings(tmp_path / "together").vectors
    for place, clip in enumerate(clips):
        emovec("extract", clip, *line, "--output", tmp_path / f"alone{place}")
        alone = read_embeddings(tmp_path / f"alone{place}").vectors
        assert np.allclose(alone[0], together[place], atol=1e-4)


def test_another_keep_is_another_run(emovec, clips, encoder_folder, separation, tmp_path):
    line = ("extract", *clips, "--encoder", encoder_folder, "--device=cpu", "--then", separation)
    emovec(*line, "--output", tmp_path / "out", "--keep=emotion")
    again = emovec(*line, "--output", tmp_path / "out", "--keep=identity")
    assert again.exit_code == 1 and "settings then keep" in again.stderr
    done = emovec(*line, "--output", tmp_path / "one", "--keep=identity", "--masked_groups=1")
    assert done.exit_code == 0
    vectors = read_embeddings(tmp_path / "one").vectors
    assert not vectors[:, :2].any() and vectors[:, 2:].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--keep=emotion"], "expected both --then and --keep"),
        (["--then", "SEPARATION"], "expected both --then and --keep"),
        (["--masked_groups=3"], "expected both --then and --keep"),
        (["--then", "ENCODER", "--keep=all"], "expected a model of recipes/privacy/train.py"),
        (["--then", "SEPARATION", "--keep=emotion", "--masked_groups=9"], "masked_groups is 9"),
    ],
)
def test_what_cannot_be(emovec, clips, encoder_folder, separation, tmp_path, options, message):
    names = {"SEPARATION": separation, "ENCODER": encoder_folder}
    done = emovec(
        *("extract", *clips, "--encoder", encoder_folder, "--device=cpu"),
        *("--output", tmp_path / "out"),
        *(names.get(option, option) for option in options),
    )
    assert done.exit_code == 1 and message in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_separation_is_no_encoder(emovec, clips, separation, tmp_path):
    line = ("extract", *clips, "--encoder", separation, "--output", tmp_path / "out")
    done = emovec(*line, "--device=cpu")
    assert done.exit_code == 1 and "expected a model of clips" in done.stderr
