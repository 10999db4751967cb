"""Embeddings of many clips against each clip alone; what is skipped, and what is an error."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from emovec.audio.augment import Augmentation
from emovec.audio.batches import UtteranceBatches
from emovec.audio.functionals import Extractor, functionals
from emovec.audio.loading import load
from emovec.audio.padding import valid_mask
from emovec.encoders.base import Encoder
from emovec.encoders.extract import describe, extract
from emovec.encoders.resnet import ResNet
from emovec.errors import AudioError, ModelError
from emovec.tables.manifest import Utterance

RATE = 16000
SAMPLES = {"b": 5000, "a": 9000, "d": 5000, "c": 700, "e": 12345, "f": 400}


class Moments(Encoder):
    """Mean, power and length of a clip; notes which lengths came together."""

    embedding_size, frame_size, sample_rate, shortest = 3, 1, RATE, 400

    def __init__(self, padding_safe: bool = True, deaf_to: int = -1) -> None:
        super().__init__()
        self.padding_safe = padding_safe
        self.deaf_to = deaf_to  # length of the clips that it does not hear
        self.seen: list[list[int]] = []
        self.frozen = torch.nn.Dropout().eval()
        self.trained = torch.nn.Dropout().train()

    def hears(self, waves: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        self.check(waves, lengths)
        return lengths != self.deaf_to

    def forward(self, waves: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        self.check(waves, lengths)
        assert not any(module.training for module in self.modules())
        assert (lengths != self.deaf_to).all()
        assert torch.is_inference_mode_enabled()
        self.seen.append(lengths.tolist())
        sums = [(waves * valid_mask(lengths, waves.shape[1])).pow(k).sum(1) for k in (1, 2)]
        return torch.stack([*(s / lengths for s in sums), lengths.float()], dim=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of the lengths above, and one that is silent."""
    made = tmp_path_factory.mktemp("clips")
    random = np.random.default_rng(0)
    for name, samples in SAMPLES.items():
        soundfile.write(made / f"{name}.wav", 0.1 * random.standard_normal(samples), RATE)
    soundfile.write(made / "silent.wav", np.zeros(6000), RATE)
    return made


def clips(folder: Path, *names: str, **options: object) -> UtteranceBatches:
    utterances = [
        Utterance(name, f"{name}.wav", None, None, SAMPLES.get(name, 6000) / RATE) for name in names
    ]
    return UtteranceBatches(utterances, folder, {}, RATE, 100.0, **options)


def alone(encoder: Encoder, path: Path) -> np.ndarray:
    wave = torch.from_numpy(load(path))
    with torch.inference_mode():
        return encoder(wave[None], torch.tensor([len(wave)]))[0].numpy()


@pytest.mark.parametrize("batch_seconds", [0.01, 0.7, 100.0])
@pytest.mark.parametrize("workers", [0, 2])
def test_each_clip_is_embedded_as_if_alone_and_in_order(
    folder: Path, batch_seconds: float, workers: int
) -> None:
    encoder = Moments().eval()
    found = extract(encoder, clips(folder, *SAMPLES), batch_seconds=batch_seconds, workers=workers)
    assert found.ids == list(SAMPLES) and found.skipped == ()
    assert found.embeddings.dtype == np.float32
    expected = [alone(encoder, folder / f"{name}.wav") for name in SAMPLES]
    np.testing.assert_allclose(found.embeddings, expected, rtol=1e-5, atol=1e-9)


def test_batches_hold_no_more_seconds_than_allowed(folder: Path) -> None:
    encoder = Moments()
    extract(encoder, clips(folder, *SAMPLES), batch_seconds=0.7)
    assert sorted(length for batch in encoder.seen for length in batch) == sorted(SAMPLES.values())
    assert all(len(b) == 1 or len(b) * max(b) <= 0.7 * RATE for b in encoder.seen)
    assert max(map(len, encoder.seen)) == 2


def test_only_equal_lengths_share_a_batch_where_padding_matters(folder: Path) -> None:
    encoder = Moments(padding_safe=False)
    found = extract(encoder, clips(folder, *SAMPLES), batch_seconds=100.0)
    assert all(len(set(batch)) == 1 for batch in encoder.seen)
    assert [5000, 5000] in encoder.seen
    assert found.embeddings[:, 2].tolist() == list(map(float, SAMPLES.values()))


def test_a_resnet_skips_silence_and_embeds_the_rest(folder: Path) -> None:
    torch.manual_seed(0)
    encoder = ResNet(channels=(4, 6), blocks=(1, 1), embedding_size=10).eval()
    names = ["a", "silent", "e", "b"]
    found = extract(encoder, clips(folder, *names), batch_seconds=100.0)
    assert found.ids == ["a", "e", "b"]
    assert [(s.id, s.reason) for s in found.skipped] == [("silent", "no speech is heard in it")]
    expected = np.array([alone(encoder, folder / f"{name}.wav") for name in found.ids])
    assert np.abs(found.embeddings - expected).max() < 1e-4 * np.abs(expected).max()


def test_what_is_too_short_or_not_heard_is_listed_in_order(folder: Path) -> None:
    encoder = Moments(deaf_to=5000)
    encoder.shortest = 701
    found = extract(encoder, clips(folder, *SAMPLES), batch_seconds=100.0)
    assert found.ids == ["a", "e"] and found.embeddings.shape == (2, 3)
    short = "samples, too short for the encoder, which needs 701"
    assert [(s.id, s.reason) for s in found.skipped] == [
        ("b", "no speech is heard in it"),
        ("d", "no speech is heard in it"),
        ("c", f"700 {short}"),
        ("f", f"400 {short}"),
    ]


def test_nothing_heard_gives_no_rows(folder: Path) -> None:
    found = extract(Moments(deaf_to=6000), clips(folder, "silent"))
    assert found.ids == [] and found.embeddings.shape == (0, 3) and len(found.skipped) == 1


def test_nan_names_the_clip(folder: Path) -> None:
    class Broken(Moments):
        def forward(self, waves: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            embeddings = super().forward(waves, lengths)
            embeddings[lengths == 9000, 1] = torch.nan
            return embeddings

    with pytest.raises(ModelError, match=r"Broken: 1 embeddings have NaN .* of clip 'a'"):
        extract(Broken(), clips(folder, *SAMPLES))


def test_a_missing_file_is_an_error(folder: Path) -> None:
    for workers in (0, 1):
        with pytest.raises(AudioError, match=r"nowhere\.wav: not found"):
            extract(Moments(), clips(folder, "a", "nowhere"), workers=workers)


@pytest.mark.parametrize("fails", [False, True])
def test_each_module_is_left_in_its_own_mode(folder: Path, fails: bool) -> None:
    encoder = Moments()
    assert encoder.training and encoder.trained.training and not encoder.frozen.training
    if fails:
        with pytest.raises(AudioError):
            extract(encoder, clips(folder, "nowhere"))
    else:
        extract(encoder, clips(folder, "a"))
    assert encoder.training and encoder.trained.training and not encoder.frozen.training


def test_copies_are_named_and_differ(folder: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).standard_normal(RATE)
    soundfile.write(tmp_path / "noise.wav", 0.1 * noise, RATE)
    augmentation = Augmentation(noise=tmp_path, clean_share=0.0)
    batches = clips(folder, "b", "a", augmentation=augmentation, copies=2)
    found = extract(Moments(), batches)
    assert found.ids == ["b", "a", "b#1", "a#1", "b#2", "a#2"]
    assert found.embeddings[:, 2].tolist() == [5000.0, 9000.0] * 3
    power = found.embeddings[:, 1].reshape(3, 2)
    assert len(np.unique(power[:, 0])) == 3
    assert (power[1:] > power[:1]).all()  # noise is added
    np.testing.assert_array_equal(extract(Moments(), batches).embeddings, found.embeddings)


@pytest.mark.parametrize("workers", [0, 2])
def test_functionals_are_those_of_each_clip(folder: Path, workers: int) -> None:
    def two(wave: np.ndarray, sample_rate: int) -> np.ndarray:
        return np.array([wave.mean(), len(wave) / sample_rate])

    chosen = Extractor("two", ("mean", "seconds"), two)
    found = describe(chosen, clips(folder, *SAMPLES), workers=workers)
    waves = [load(folder / f"{name}.wav") for name in SAMPLES]
    assert found.ids == list(SAMPLES)
    np.testing.assert_allclose(found.embeddings, [two(w, RATE) for w in waves], rtol=1e-6)


def test_functionals_without_a_value_are_a_skip(folder: Path) -> None:
    def one(wave: np.ndarray, sample_rate: int) -> np.ndarray:
        return np.array(
            [1.0, np.nan if len(wave) < 1000 else 2.0, np.nan if len(wave) < 500 else 3]
        )

    found = describe(Extractor("one", ("x", "y", "z"), one), clips(folder, *SAMPLES))
    assert found.ids == ["b", "a", "d", "e"]
    assert [(skip.id, skip.reason) for skip in found.skipped] == [
        ("c", "one has no value for 1 of its 3"),
        ("f", "one has no value for 2 of its 3"),
    ]


def test_our_functionals_describe_silence(folder: Path) -> None:
    chosen = Extractor("functionals", tuple("x" * 100), functionals)
    found = describe(chosen, clips(folder, "silent", "a"))
    assert found.ids == ["silent", "a"] and np.isfinite(found.embeddings).all()
