"""No more memory than the weights of a folder justify."""

import json
import resource

import pytest
import torch

from emovec.encoders import store
from emovec.encoders.budget import MemoryBudget
from emovec.encoders.foreign import SpeechBrainEncoder
from emovec.encoders.pooling import AttentiveStatisticsPooling, MeanPooling, StylePooling
from emovec.encoders.resnet import ResNet
from emovec.encoders.store import check_folder, load_model, save_model
from emovec.encoders.wavlm import WavLM
from emovec.errors import ModelError
from emovec.training.models import AffectModel, EmotionModel
from emovec.training.speaker_losses import AdditiveAngularMarginSoftmax

HUGE = 10**9
POOLING = {"class": "mean_pooling", "arguments": {"width": HUGE}}
HEAD = {
    "heads": {"affect": ["valence", "arousal", "dominance"]},
    "head_dropout": 0.0,
    "wave_mean": 0.0,
    "wave_deviation": 1.0,
    "affect_scale": [1, 7],
    "regions": 8,
    "axes": ["arousal", "valence", "dominance"],
    "max_seconds": 1.0,
}


@pytest.fixture
def folder(tmp_path):
    save_model(tmp_path / "model", StylePooling(4), "A card.\n")
    return tmp_path / "model"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("style_pooling", {"width": 100_000}),
        ("style_pooling", {"width": 4, "kernel": HUGE + 1}),
        ("attentive_statistics_pooling", {"width": 4, "hidden": HUGE}),
        ("resnet", {"embedding_size": HUGE}),
        ("resnet", {"channels": [100_000], "blocks": [1]}),
        ("resnet", {"channels": [1], "blocks": [HUGE]}),
        ("resnet", {"channels": [1] * 10_000, "blocks": [1] * 10_000}),
        ("resnet", {"features": "log_mel", "bands": HUGE}),
        ("resnet", {"features": "log_mel", "bands": 100_000}),
        ("resnet", {"pooling_options": {"heads": HUGE}}),
        ("resnet", {"pooling": "ghost_vlad", "pooling_options": {"clusters": HUGE}}),
        ("wavlm", {"size": "large"}),
        ("speechbrain", {"model": "ecapa"}),
        ("softmax", {"width": 400, "speakers": HUGE}),
        ("angular_softmax", {"width": HUGE, "speakers": 2}),
        ("additive_margin_softmax", {"width": 4, "speakers": 2, "centres": HUGE}),
        ("affect_model", {"encoder": POOLING, "pooling": POOLING, "head_width": 9, **HEAD}),
    ],
)
def test_arguments_that_ask_for_too_much(folder, name, arguments):
    config = json.loads((folder / "config.json").read_text())
    config.update({"class": name, "arguments": arguments})
    (folder / "config.json").write_text(json.dumps(config))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError, match=f"arguments of '{name}' do not fit.*its weights allow"):
        load_model(folder)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 300 * 1024  # kilobytes; the modules that are imported are among them
    assert len(check_folder(folder)) == 1


MODELS = {
    "wavlm": lambda: WavLM("tiny", layers="weighted"),
    "speechbrain": lambda: SpeechBrainEncoder("xvector"),
    "resnet": lambda: ResNet(features="log_mel", channels=(8, 8), blocks=(1, 1)),
    "spectrogram": lambda: ResNet("spectrogram", pooling="ghost_vlad", channels=(4,), blocks=(1,)),
    "style_pooling": lambda: StylePooling(128),
    "attentive_statistics_pooling": lambda: AttentiveStatisticsPooling(300),
    "mean_pooling": lambda: MeanPooling(10**6),
    "additive_margin_softmax": lambda: AdditiveAngularMarginSoftmax(16, 5000, centres=3),
    "emotion_model": lambda: EmotionModel(ResNet(channels=(8,), blocks=(1,)), ["a", "b"]),
    "affect_model": lambda: AffectModel(WavLM("tiny"), StylePooling(128), head_width=256, **HEAD),
}


@pytest.mark.parametrize("name", list(MODELS))
def test_models_need_no_more_than_their_weights(tmp_path, name):
    model = MODELS[name]()
    save_model(tmp_path / "model", model, "A card.\n")
    again = load_model(tmp_path / "model").state_dict()
    assert again.keys() == model.state_dict().keys()
    assert all(torch.equal(again[key], value) for key, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("style_pooling", {"width": 4, "heads": 0}),
        ("style_pooling", {"width": 4, "kernel": 2}),
        ("style_pooling", {"width": None}),
        ("style_pooling", {"width": "4" * 1000}),
        ("style_pooling", {"width": 10**400}),
        ("style_pooling", {"width": 4, "dropout": 7}),
        ("resnet", {"channels": 3}),
        ("resnet", {"channels": [], "blocks": []}),
        ("resnet", {"features": ["mfcc"]}),
        ("resnet", {"sample_rate": 1}),
        ("resnet", {"pooling_options": {"class": "mean_pooling", "arguments": {"width": 2}}}),
        ("wavlm", {"size": {}}),
        ("wavlm", {"size": "huge"}),
        ("emotion_model", {"encoder": None, "classes": ["a"]}),
        ("emotion_model", {"encoder": POOLING, "classes": 3}),
        ("affect_model", {"encoder": POOLING, "pooling": 4, "head_width": 1, **HEAD}),
        ("affect_model", {"encoder": POOLING, "pooling": POOLING, "heads": {"a.b": ["a"]}}),
    ],
)
def test_arguments_that_a_class_does_not_take(folder, name, arguments):
    """Constructors raise what they will; it all becomes one error."""
    config = json.loads((folder / "config.json").read_text())
    config.update({"class": name, "arguments": arguments})
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=f"arguments of '{name}' do not fit"):
        load_model(folder)


def test_the_budget_is_for_building_alone(folder):
    load_model(folder)
    assert torch.zeros(2**22).sum() == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.empty(1000, 1000),
        lambda: torch.zeros((1000, 1000)),
        lambda: torch.ones(size=(1000, 1000)),
        lambda: torch.full((1000, 1000), 1.0),
        lambda: torch.rand(1000, 1000),
        lambda: torch.randn(1000, 1000),
        lambda: torch.arange(10**6),
        lambda: torch.linspace(0, 1, 10**6),
        lambda: torch.eye(1000),
        lambda: torch.tensor([1.0]).repeat(10**6),
        lambda: torch.nn.Linear(1000, 1000),
        lambda: torch.arange(1000)[:, None] * torch.arange(1000),
        lambda: [torch.empty(1000) for _ in range(1000)],
        lambda: [torch.empty(0) for _ in range(1000)],
    ],
)
def test_what_is_counted(make):
    with pytest.raises(MemoryError, match="its weights allow"), MemoryBudget([torch.empty(1)]):
        make()


def test_what_is_allowed():
    weights = [torch.empty(1000, 1000), torch.empty(1000)]
    with MemoryBudget(weights, spare_bytes=0, spare_tensors=0):
        layers = [torch.nn.Linear(1000, 1000) for _ in range(4)]
        with pytest.raises(MemoryError):
            torch.empty(1)
    assert len(layers) == 4


def test_every_registered_name_is_one_of_ours():
    assert all(target.startswith("emovec.") for target in store.REGISTRY.values())
