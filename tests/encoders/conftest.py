"""An encoder of every kind there is, small and with random weights."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import torchaudio

from emovec.encoders import foreign, wavlm
from emovec.encoders.base import Encoder
from emovec.encoders.deeptalk import DeepTalk
from emovec.encoders.foreign import SpeechBrainEncoder
from emovec.encoders.pooled import PooledEncoder
from emovec.encoders.pooling import AttentiveStatisticsPooling
from emovec.encoders.resnet import ResNet
from emovec.encoders.wavlm import WavLM

FEW: dict[str, Any] = {"channels": (4, 6), "blocks": (1, 1), "embedding_size": 10}
ENCODERS: dict[str, Callable[[], Encoder]] = {
    "resnet": lambda: ResNet(**FEW),
    "resnet of today": lambda: ResNet(
        features="log_mel", pooling="attentive_statistics", activity=False, **FEW
    ),
    "resnet at 8 kHz": lambda: ResNet(pooling="statistics", sample_rate=8000, **FEW),
    "wavlm tiny": lambda: WavLM("tiny"),
    "wavlm base": lambda: WavLM("base"),
    "pooled wavlm": lambda: PooledEncoder(WavLM("tiny"), AttentiveStatisticsPooling(128), 10),
    "ecapa": lambda: SpeechBrainEncoder("ecapa"),
    "speechbrain's resnet": lambda: SpeechBrainEncoder("resnet"),
    "speechbrain's xvector": lambda: SpeechBrainEncoder("xvector"),
    "deeptalk": lambda: DeepTalk(embedding_size=32),
    "deeptalk of whole clips": lambda: DeepTalk(embedding_size=32, windows=False),
}
FOREIGN: dict[str, dict[str, Any]] = {
    "ecapa": {
        "channels": [16, 16, 16, 16, 24],
        "attention_channels": 8,
        "res2net_scale": 4,
        "se_channels": 8,
    },
    "resnet": {"channels": [8, 8, 12, 12], "block_sizes": [1, 2, 1, 1]},
    "xvector": {"tdnn_channels": [16, 16, 16, 16, 24]},
}


@pytest.fixture
def small_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks from elsewhere with few channels."""
    for name, options in FOREIGN.items():
        published = foreign.MODELS[name]
        merged = {**published.options, **options, "lin_neurons": 12}
        monkeypatch.setitem(foreign.MODELS, name, replace(published, options=merged))
    small = replace(wavlm.SIZES["base"], width=32, layers=2, heads=4, feed_forward=48)
    monkeypatch.setitem(wavlm.SIZES, "base", small)
    convolutions = [(16, 10, 5), *[(16, 3, 2)] * 4, *[(16, 2, 2)] * 2]  # published ones have 512
    make = torchaudio.models.wavlm_model

    def narrow(extractor_conv_layer_config: Any, **options: Any) -> torch.nn.Module:
        return make(
            extractor_conv_layer_config=extractor_conv_layer_config or convolutions, **options
        )

    monkeypatch.setattr(torchaudio.models, "wavlm_model", narrow)


@pytest.fixture(params=ENCODERS)
def any_encoder(request: pytest.FixtureRequest, small_networks: None) -> Encoder:
    """Each encoder in turn, in evaluation mode."""
    torch.manual_seed(0)
    return ENCODERS[request.param]().eval()


@pytest.fixture
def encoder_kinds(small_networks: None) -> set[type[Encoder]]:
    """Classes of all of them."""
    return {type(make()) for make in ENCODERS.values()}
