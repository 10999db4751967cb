"""Model folders: config.json (class and arguments), model.safetensors, card.md.

Nothing that can run code is ever read from one: classes come from the registry below, weights from
safetensors.
"""

import hashlib
import json
import pickle
from collections.abc import Collection, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from emovec.errors import HparamError, ModelError, StorageError
from emovec.tables.files import folder_atomically

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "card.md"

# What torch and safetensors raise on files that are not theirs
UNREADABLE = (OSError, RuntimeError, EOFError, ValueError, pickle.PickleError, SafetensorError)

# Strings, imported when they are needed: a model may be made of layers of higher rank.
REGISTRY = {
    "wavlm": "emovec.encoders.wavlm:WavLM",
    "speechbrain": "emovec.encoders.foreign:SpeechBrainEncoder",
    "resnet": "emovec.encoders.resnet:ResNet",
    "style_pooling": "emovec.encoders.pooling:StylePooling",
    "attentive_statistics_pooling": "emovec.encoders.pooling:AttentiveStatisticsPooling",
    "mean_pooling": "emovec.encoders.pooling:MeanPooling",
    "emotion_model": "emovec.training.models:EmotionModel",
    "affect_model": "emovec.training.models:AffectModel",
    "softmax": "emovec.training.speaker_losses:SpeakerSoftmax",
    "angular_softmax": "emovec.training.speaker_losses:AngularSoftmax",
    "additive_margin_softmax": "emovec.training.speaker_losses:AdditiveAngularMarginSoftmax",
}


def kind(name: str) -> type[nn.Module]:
    """The class of a name in the registry.

    Raises:
        HparamError: if there is no such name
    """
    if name not in REGISTRY:
        raise HparamError(f"'{name}' is no module; expected one of {sorted(REGISTRY)}.")
    return _class(name)


def create(name: str, **arguments: Any) -> nn.Module:
    """A module by its name in the registry.

    Raises:
        HparamError: if there is no such name, or it does not take these arguments
    """
    try:
        return kind(name)(**arguments)
    except TypeError as error:
        raise HparamError(f"{name}: {error}; it was given {sorted(arguments)}.") from error


def save_model(folder: Path, model: nn.Module, card: str) -> None:
    """Write a model folder, whole or not at all.

    Args:
        folder: replaced if it is there
        model: of a class in the registry, with a method ``arguments()`` whose values are JSON or
            such modules again
        card: text of card.md: data, licence, results

    Raises:
        ModelError: if a class is not in the registry, or an argument is not JSON
        StorageError: if the folder cannot be written; an old one is then as it was
    """
    config = _describe(model)
    with folder_atomically(folder) as temporary:
        _write_weights(temporary / WEIGHTS, model.state_dict())
        config["weights_sha256"] = _checksum(temporary / WEIGHTS)
        text = _to_json(config, folder)
        (temporary / CONFIG).write_text(text, encoding="utf-8")
        (temporary / CARD).write_text(card, encoding="utf-8")


def load_model(folder: Path) -> nn.Module:
    """The model of a folder, on the CPU and in evaluation mode.

    Raises:
        ModelError: if a file is missing or unreadable, the weights are not those that were saved
            or do not fit, or a class is unknown
    """
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise ModelError(
                f"{folder}: no {name}; expected a model folder with {CONFIG} and {WEIGHTS}. "
                "Is the path right, and the copy complete?"
            )
    config = _read_config(folder / CONFIG)
    expected = config.pop("weights_sha256", None)
    found = _checksum(folder / WEIGHTS)
    if found != expected:
        raise ModelError(
            f"{folder / WEIGHTS}: its SHA-256 is {found}; {CONFIG} expects {expected}. "
            "Copy the folder again."
        )
    model = _build(config, folder / CONFIG)
    fit_weights(model, read_weights(folder / WEIGHTS), folder / WEIGHTS)
    return model.eval()


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name from a .safetensors file or a state dict of torch.

    Raises:
        ModelError: if there is no such file, or it holds anything else
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file; expected weights. Check the path.")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise _unreadable(path) from error
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise _unreadable(path)
    return dict(state)


def fit_weights(
    module: nn.Module, state: Mapping[str, Tensor], path: Path, optional: Collection[str] = ()
) -> None:
    """Copy weights into a module that has exactly these.

    Args:
        module: whose weights are replaced
        state: tensors by name
        path: where they come from, for the message
        optional: names that may be missing

    Raises:
        ModelError: if names or shapes do not fit; it lists the first of each kind
    """
    try:
        keys = module.load_state_dict(state, strict=False)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]]
        raise _misfit(module, path, lines) from error
    missing = sorted(set(keys.missing_keys) - set(optional))
    faults = [f"{len(missing)} missing: {_first(missing)}"] if missing else []
    if keys.unexpected_keys:
        faults.append(f"{len(keys.unexpected_keys)} unknown: {_first(keys.unexpected_keys)}")
    if faults:
        raise _misfit(module, path, faults)


def _misfit(module: nn.Module, path: Path, faults: list[str]) -> ModelError:
    return ModelError(
        f"{path}: its weights are not those of this {type(module).__name__}; {_first(faults)} "
        "Choose the file, or the size of the model, that belongs to the other."
    )


def _first(names: list[str], count: int = 5) -> str:
    """The first of some names.

    >>> _first(["a", "b", "c"], count=2)
    'a, b, ...'
    """
    return ", ".join(names[:count]) + (", ..." if len(names) > count else "")


def _unreadable(path: Path) -> ModelError:
    return ModelError(
        f"{path}: not a weights file; expected .safetensors or a state dict of torch without "
        "other objects. Fetch it again, or convert it."
    )


def _describe(module: nn.Module) -> dict[str, Any]:
    """Registry name and arguments of a module, those of modules among them nested."""
    kind = type(module)
    target = f"{kind.__module__}:{kind.__qualname__}"
    names = [name for name, value in REGISTRY.items() if value == target]
    if not names:
        raise ModelError(f"{target}: cannot be saved; expected a class of {sorted(REGISTRY)}.")
    listed: Mapping[str, Any] = module.arguments()  # type: ignore[operator]
    arguments = {
        name: _describe(value) if isinstance(value, nn.Module) else value
        for name, value in listed.items()
    }
    return {"class": names[0], "arguments": arguments}


def _build(config: Any, path: Path) -> nn.Module:
    """A module from what :func:`_describe` returned."""
    if not _is_description(config) or not isinstance(config["arguments"], dict):
        raise ModelError(f"{path}: {config!r} found; expected 'class' and 'arguments'.")
    if config["class"] not in REGISTRY:
        raise ModelError(
            f"{path}: class {config['class']!r} is unknown; expected one of {sorted(REGISTRY)}. "
            "Was the model made by a newer release?"
        )
    arguments = {
        key: _build(value, path) if _is_description(value) else value
        for key, value in config["arguments"].items()
    }
    try:
        return _class(config["class"])(**arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"{path}: the arguments of {config['class']!r} do not fit ({error}). "
            "Was the model made by another release?"
        ) from error


def _class(name: str) -> type[nn.Module]:
    module, kind = REGISTRY[name].split(":")
    return getattr(import_module(module), kind)


def _is_description(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"class", "arguments"}


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path}: not JSON ({error}). Copy the folder again.") from error
    if not isinstance(config, dict):
        raise ModelError(f"{path}: {type(config).__name__} found; expected an object.")
    return config


def _to_json(config: dict[str, Any], folder: Path) -> str:
    try:
        return json.dumps(config, indent=2, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"{folder}: the model's arguments cannot be saved ({error}); expected JSON values."
        ) from error


def _write_weights(path: Path, state: Mapping[str, Tensor]) -> None:
    try:
        save_file({name: value.detach().cpu().contiguous() for name, value in state.items()}, path)
    except SafetensorError as error:
        raise StorageError(
            f"{path.parent}: could not be written ({error}). "
            "Free some space or choose another folder."
        ) from error


def _checksum(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
