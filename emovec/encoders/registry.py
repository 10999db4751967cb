"""Modules by name: what hparams and model folders may ask for, and nothing else."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from emovec.errors import HparamError

if TYPE_CHECKING:  # names alone are listed without torch
    from torch import nn

# Strings, imported when they are needed: a model may be made of layers of higher rank.
REGISTRY = {
    "wavlm": "emovec.encoders.wavlm:WavLM",
    "speechbrain": "emovec.encoders.foreign:SpeechBrainEncoder",
    "resnet": "emovec.encoders.resnet:ResNet",
    "deeptalk": "emovec.encoders.deeptalk:DeepTalk",
    "pooled_encoder": "emovec.encoders.pooled:PooledEncoder",
    "style_pooling": "emovec.encoders.pooling:StylePooling",
    "attentive_statistics_pooling": "emovec.encoders.pooling:AttentiveStatisticsPooling",
    "mean_pooling": "emovec.encoders.pooling:MeanPooling",
    "statistics_pooling": "emovec.encoders.speaker_pooling:StatisticsPooling",
    "emotion_model": "emovec.training.models:EmotionModel",
    "affect_model": "emovec.training.models:AffectModel",
    "softmax": "emovec.training.speaker_losses:SpeakerSoftmax",
    "angular_softmax": "emovec.training.speaker_losses:AngularSoftmax",
    "additive_margin_softmax": "emovec.training.speaker_losses:AdditiveAngularMarginSoftmax",
    "triplet": "emovec.training.metric_losses:TripletLoss",
    "generalised_end_to_end": "emovec.training.metric_losses:GeneralisedEndToEndLoss",
    "lrvae": "emovec.privacy.lrvae:LRVAE",
}


def kind(name: str) -> "type[nn.Module]":
    """The class of a name in the registry.

    Raises:
        HparamError: if there is no such name
    """
    if name not in REGISTRY:
        raise HparamError(f"'{name}' is no module; expected one of {sorted(REGISTRY)}.")
    module, class_name = REGISTRY[name].split(":")
    return getattr(import_module(module), class_name)


def create(name: str, **arguments: Any) -> "nn.Module":
    """A module by its name in the registry.

    Raises:
        HparamError: if there is no such name, or it does not take these arguments
    """
    try:
        return kind(name)(**arguments)
    except TypeError as error:
        raise HparamError(f"{name}: {error}; it was given {sorted(arguments)}.") from error
