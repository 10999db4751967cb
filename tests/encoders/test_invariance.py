"""Neither batch, order nor neighbours change an embedding: 200 clips of 0.3 to 12 s."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from emovec.audio.inputs import collect
from emovec.encoders.base import Encoder
from emovec.encoders.extraction import embed_clips, extract_table
from emovec.encoders.forward import Vector
from emovec.encoders.precision import Compute
from emovec.encoders.registry import REGISTRY, kind
from emovec.encoders.resnet import ResNet
from emovec.tables.embedding_shards import read_embeddings

CLIPS = 200
GPU_SECONDS = 320.0  # of a batch there


@pytest.fixture(scope="module")
def waves() -> list[Vector]:
    """Noise that swells and falls silent; a third of the lengths occurs twice or more."""
    random = np.random.default_rng(6)
    lengths = (16000 * random.uniform(0.3, 12.0, CLIPS).round(1)).astype(int)
    lengths[:2] = 4800, 192000
    made = []
    for length in lengths:
        time = np.arange(length) / 16000
        loudness = np.clip(np.sin(2 * np.pi * random.uniform(1, 3) * time), 0.01, 1)
        tone = np.sin(2 * np.pi * random.uniform(100, 300) * time)
        wave = 0.1 * loudness * (tone + 0.3 * random.standard_normal(length))
        made.append(wave.astype(np.float32))
    return made


def check_close(found: np.ndarray, expected: np.ndarray) -> None:
    """Each embedding is off by at most 1e-4 of its length."""
    error = np.linalg.norm(found - expected, axis=1) / np.linalg.norm(expected, axis=1)
    assert error.max() <= 1e-4, (error.max(), error.argmax())


def is_heard(encoder: Encoder, wave: Vector) -> bool:
    with torch.inference_mode():
        return bool(encoder.hears(torch.from_numpy(wave)[None], torch.tensor([len(wave)])))


@pytest.mark.slow
def test_neither_batch_nor_order_changes_an_embedding(
    any_encoder: Encoder, waves: list[Vector], monkeypatch: pytest.MonkeyPatch
) -> None:
    step = 16000 // any_encoder.sample_rate  # as many seconds at any rate
    clips = [np.ascontiguousarray(wave[::step]) for wave in waves]
    heard = [wave for wave in clips if is_heard(any_encoder, wave)]
    assert len(heard) >= 0.8 * CLIPS
    monkeypatch.setattr(Compute, "batch_seconds", 0.01)
    alone = embed_clips(any_encoder, heard)
    differences = np.linalg.norm(np.diff(alone, axis=0), axis=1)
    assert np.median(differences) > 1e-3 * np.linalg.norm(alone, axis=1).mean()  # clips differ
    monkeypatch.setattr(Compute, "batch_seconds", GPU_SECONDS)
    order = np.random.default_rng(0).permutation(len(heard))
    check_close(embed_clips(any_encoder, [heard[row] for row in order]), alone[order])
    some = order[:7]  # each with other neighbours
    check_close(embed_clips(any_encoder, [heard[row] for row in some]), alone[some])


@pytest.mark.slow
@pytest.mark.parametrize("shard_clips", [7, CLIPS])
def test_a_table_has_what_there_is_in_memory(
    shard_clips: int, waves: list[Vector], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    encoder = ResNet(channels=(4, 6), blocks=(1, 1), embedding_size=10).eval()
    folder = tmp_path / "clips"
    folder.mkdir()
    for number, wave in enumerate(waves):
        soundfile.write(folder / f"{number:03d}.wav", wave, 16000, subtype="FLOAT")
    order = np.random.default_rng(shard_clips).permutation(CLIPS)
    found = collect([folder]).utterances
    clips = [found[row] for row in order]
    monkeypatch.setattr(Compute, "batch_seconds", GPU_SECONDS)
    options = {"name": "resnet", "shard_clips": shard_clips}
    extract_table(encoder, clips, folder, tmp_path / "table", **options)
    table = read_embeddings(tmp_path / "table")
    assert list(table.ids) == [clip.id for clip in clips]
    check_close(table.vectors, embed_clips(encoder, [waves[row] for row in order]))


def test_every_encoder_of_the_registry_is_tried(encoder_kinds: set[type[Encoder]]) -> None:
    assert {kind(name) for name in REGISTRY if issubclass(kind(name), Encoder)} == encoder_kinds
