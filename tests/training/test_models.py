"""Models of utterances: heads, standardised waves, padding that is never heard."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from emovec.encoders import store
from emovec.encoders.resnet import ResNet
from emovec.encoders.store import load_model, save_model
from emovec.encoders.wavlm import WavLM
from emovec.training.models import AffectModel, CorporaModel, Head, SpeakerModel

POOLINGS = (
    *("style_pooling", "attentive_statistics_pooling", "mean_pooling"),
    "statistics_pooling",
)
HEADS = {"affect": ["valence", "arousal", "dominance"], "region": list("01234567")}
LENGTHS = (16000, 4321, 1360, 9000)
AXES = ["arousal", "valence", "dominance"]


def make_model(pooling: str = "style_pooling", layers: str = "last", **changes) -> AffectModel:
    torch.manual_seed(0)
    settings: dict = {
        "heads": HEADS,
        "head_width": 32,
        "head_dropout": 0.5,
        "wave_mean": 0.05,
        "wave_deviation": 0.2,
        "affect_scale": (1, 7),
        "regions": 8,
        "axes": AXES,
        "max_seconds": 12.0,
    }
    encoder = WavLM("tiny", layers=layers)
    return AffectModel(encoder, store.create(pooling, width=128), **{**settings, **changes}).eval()


def make_waves() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [0.2 * torch.randn(length, generator=generator) for length in LENGTHS]


def single(model: AffectModel, wave: Tensor) -> dict[str, Tensor]:
    with torch.no_grad():
        return {k: v[0] for k, v in model(wave[None], torch.tensor([len(wave)])).items()}


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("layers", ["last", "weighted"])
@pytest.mark.parametrize("filling", [0.0, 7.0, float("nan")])
def test_batched_equals_single_whatever_the_padding_holds(
    pooling: str, layers: str, filling: float
) -> None:
    model, waves = make_model(pooling, layers), make_waves()
    padded = torch.full((len(waves), max(LENGTHS) + 500), filling)
    for row, wave in zip(padded, waves, strict=True):
        row[: len(wave)] = wave
    with torch.no_grad():
        together = model(padded, torch.tensor(LENGTHS))
    for row, wave in enumerate(waves):
        for name, alone in single(model, wave).items():
            torch.testing.assert_close(together[name][row], alone, rtol=1e-4, atol=1e-4)


def test_outputs_have_the_shapes_of_the_heads() -> None:
    outputs = make_model()(torch.randn(2, 3000), torch.tensor([3000, 2000]))
    assert {name: tuple(rows.shape) for name, rows in outputs.items()} == {
        "affect": (2, 3),
        "region": (2, 8),
    }
    assert make_model().embed(torch.randn(2, 3000), torch.tensor([3000, 2000])).ndim == 2


def test_waves_are_standardised_by_the_training_split() -> None:
    """A model for waves of mean 0 and deviation 1 says the same of waves made so by hand."""
    wave = make_waves()[0]
    plain = make_model(wave_mean=0.0, wave_deviation=1.0)
    for name, expected in single(plain, (wave - 0.05) / 0.2).items():
        torch.testing.assert_close(single(make_model(), wave)[name], expected)


def test_predictions_start_about_the_middle_of_the_scale() -> None:
    for wave in make_waves():
        affect = single(make_model(), wave)["affect"]
        assert (affect - 0.5).abs().max() < 0.6
    bias = make_model().heads["affect"][-1].bias
    assert bias.tolist() == [0.5, 0.5, 0.5]


def test_without_affect_there_is_nothing_to_start() -> None:
    model = make_model(heads={"emotion": ["anger", "neutral"]})
    assert set(single(model, make_waves()[0])) == {"emotion"}


def test_a_head_is_what_its_docstring_says() -> None:
    head = Head(5, 4, 3, 0.5).eval()
    _, first, norm, _, _, last = head
    rows = torch.randn(7, 5)
    hidden = rows @ first.weight.T + first.bias
    centred = hidden - hidden.mean(dim=1, keepdim=True)
    scaled = centred / (centred.square().mean(dim=1, keepdim=True) + norm.eps).sqrt()
    expected = scaled.clamp_min(0) @ last.weight.T + last.bias  # the norm starts as identity
    torch.testing.assert_close(head(rows), expected)
    assert [layer.p for layer in head if isinstance(layer, nn.Dropout)] == [0.5, 0.5]


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_saved_model_comes_back(tmp_path: Path, pooling: str) -> None:
    model = make_model(pooling, "weighted")
    save_model(tmp_path / "model", model, "A card.\n")
    again = load_model(tmp_path / "model")
    assert not again.training
    settings, read = model.arguments(), again.arguments()
    for key in ("encoder", "pooling"):
        assert read.pop(key).arguments() == settings.pop(key).arguments()
    assert read == settings
    wave = make_waves()[1]
    for name, expected in single(model, wave).items():
        assert torch.equal(single(again, wave)[name], expected)


def test_every_weight_is_trained() -> None:
    """But layers that training happened to skip: here none is."""
    model = make_model("style_pooling", "weighted").train()
    model.encoder.layer_drop = 0.0
    outputs = model(torch.randn(3, 6000), torch.tensor([6000, 5000, 4000]))
    sum(rows.square().sum() for rows in outputs.values()).backward()
    idle = [name for name, weight in model.named_parameters() if weight.grad is None]
    assert idle == []


# --- Speakers

CRITERIA = ("softmax", "angular_softmax", "additive_margin_softmax")


def make_speaker_model(criterion: str = "softmax", speakers: int = 3) -> SpeakerModel:
    torch.manual_seed(0)
    encoder = ResNet(channels=[2, 2], blocks=[1, 1], embedding_size=6)
    loss = store.create(criterion, width=6, speakers=speakers)
    return SpeakerModel(encoder, loss).eval()


def padded_waves() -> tuple[Tensor, Tensor]:
    waves = torch.zeros(len(LENGTHS), max(LENGTHS))
    for row, wave in zip(waves, make_waves(), strict=True):
        row[: len(wave)] = wave
    return waves, torch.tensor(LENGTHS)


@pytest.mark.parametrize("criterion", CRITERIA)
@torch.inference_mode()
def test_losses_are_those_of_the_class_features(criterion: str) -> None:
    model, (waves, lengths) = make_speaker_model(criterion), padded_waves()
    speakers = torch.tensor([2, 0, 1, 2])
    found = model(waves, lengths, speakers, 5)
    embeddings = model.encoder(waves, lengths)
    features = model.encoder.norm(embeddings)
    logits = model.criterion.logits(features)
    assert torch.equal(found["embedding"], embeddings)
    expected = model.criterion.losses(features, speakers, 5)
    torch.testing.assert_close(found["loss"], expected)
    right = [float(row.argmax() == speaker) for row, speaker in zip(logits, speakers, strict=True)]
    assert found["correct"].tolist() == right


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("autocast", [False, True])
@torch.inference_mode()
def test_unknown_speakers_are_embedded_and_cost_nothing(criterion: str, autocast: bool) -> None:
    """In mixed precision, too, where features and losses have different types."""
    model, (waves, lengths) = make_speaker_model(criterion), padded_waves()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        known = model(waves, lengths, torch.tensor([2, 0, 1, 2]), 0)
        some = model(waves, lengths, torch.tensor([2, 3, 1, 99]), 0)
        none = model(waves, lengths, torch.tensor([3, 4, 5, 6]), 0)
    for found in (some, none):
        assert torch.equal(found["embedding"], known["embedding"])
    for name in ("loss", "correct"):
        torch.testing.assert_close(some[name][[0, 2]].float(), known[name][[0, 2]].float())
        assert some[name][[1, 3]].tolist() == [0, 0] and none[name].tolist() == [0] * 4


def test_speakers_can_be_learnt() -> None:
    model, (waves, lengths) = make_speaker_model().train(), padded_waves()
    speakers = torch.tensor([0, 1, 2, 0])
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    losses = []
    for step in range(30):
        loss = model(waves, lengths, speakers, step)["loss"].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
    assert not model(waves, lengths, speakers, 0)["correct"].requires_grad


@pytest.mark.parametrize("width", [None, 3])
def test_emotions_of_corpora_by_hand(width: int | None) -> None:
    torch.manual_seed(0)
    encoder = WavLM("tiny")
    heads = {"a": ["anger", "neutral"], "b": ["joy"]}
    model = CorporaModel(encoder, heads, 0.5, head_width=width).eval()
    waves, lengths = 0.1 * torch.randn(2, 9000), torch.tensor([9000, 4000])
    with torch.no_grad():
        embeddings, found = encoder(waves, lengths), model(waves, lengths)["emotion"]
        *shared, last = (part for part in model.output if not isinstance(part, nn.Dropout))
        if width is not None:
            linear, norm = shared
            embeddings = embeddings @ linear.weight.T + linear.bias
            centred = embeddings - embeddings.mean(1, keepdim=True)
            embeddings = centred / (centred.square().mean(1, keepdim=True) + norm.eps).sqrt()
        expected = embeddings @ last.weight.T + last.bias
    assert found.shape == (2, 3) and last.in_features == (width or 128)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
