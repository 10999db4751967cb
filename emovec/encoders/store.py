"""Model folders: config.json (class and arguments), model.safetensors, card.md.

Nothing that can run code is ever read from one: classes come from the registry, weights from
safetensors, and a folder that holds anything else of that kind is refused before a model is built.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from emovec.encoders.budget import MemoryBudget
from emovec.encoders.folders import (
    CARD,
    CHECKSUM,
    CONFIG,
    WEIGHTS,
    checksum_faults,
    config_faults,
    is_description,
    missing_files,
    read_config,
    refused_files,
    stray_links,
)
from emovec.encoders.registry import REGISTRY, create, kind
from emovec.encoders.shipped_parts import put_on_shipped
from emovec.encoders.weights import (
    first,
    fit_weights,
    misfit,
    not_finite,
    read_weights,
    tensor_faults,
)
from emovec.errors import ModelError, StorageError
from emovec.tables.files import checksum, folder_atomically

__all__ = [
    "CARD",
    "CONFIG",
    "REGISTRY",
    "WEIGHTS",
    "build",
    "check_folder",
    "create",
    "describe",
    "fit_weights",
    "kind",
    "load_model",
    "read_weights",
    "save_model",
    "write_model",
]


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
    config = describe(model)
    with folder_atomically(folder) as temporary:
        write_model(temporary, config, model.state_dict())
        (temporary / CARD).write_text(card, encoding="utf-8")


def write_model(folder: Path, config: dict[str, Any], state: Mapping[str, Tensor]) -> None:
    """Write config.json, with the checksum, and weights into a folder that is there.

    Args:
        folder: where to
        config: as :func:`describe` gives it
        state: weights by name

    Raises:
        ModelError: if an argument is not JSON
        StorageError: if the weights cannot be written
    """
    _write_weights(folder / WEIGHTS, state)
    text = _to_json({**config, CHECKSUM: checksum(folder / WEIGHTS)}, folder)
    (folder / CONFIG).write_text(text, encoding="utf-8")


def load_model(folder: Path) -> nn.Module:
    """The model of a folder, on the CPU, in float32 and in evaluation mode.

    Raises:
        ModelError: if anything is wrong with the folder, see :func:`check_folder`; the message has
            all of it
    """
    model, faults = _open(folder)
    if model is None:
        raise ModelError("\n".join(faults))
    return model.eval()


def check_folder(folder: Path) -> list[str]:
    """All that is wrong with a model folder; empty if it can be loaded and has a card.

    Files that are missing, lead out of the folder or can run code; a config.json with unknown
    classes or arguments that lead elsewhere; weights that are not those that were saved, or have
    NaN; only if there is none of this, arguments and weights that do not fit each other.
    """
    _, faults = _open(folder)
    if not (folder / CARD).is_file():
        faults.append(
            f"{folder}: no {CARD}; expected data, licence and results. Ask whom it came from."
        )
    return faults


def _open(folder: Path) -> tuple[nn.Module | None, list[str]]:
    """The model of a folder, None if anything is wrong with it, and what is."""
    faults = missing_files(folder)
    if not faults:
        faults = stray_links(folder)
    if faults:  # then not even config.json and weights are opened
        return None, faults
    faults = refused_files(folder)
    config, state = _read(folder, faults)
    if not faults:
        with _noting(faults):
            put_on_shipped(config, state, folder / CONFIG, lambda base: _read(base, faults))
    if faults:
        return None, faults
    model = None
    with _noting(faults):
        with MemoryBudget(state.values()):
            model = build(config, folder / CONFIG)
        misfits = tensor_faults(model, state)
        if misfits:
            raise ModelError(misfit(model, folder / WEIGHTS, misfits))
        model.load_state_dict(state)
    return (None if faults else model), faults


def _read(folder: Path, faults: list[str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Config without the checksum, and weights; what is wrong with them is added to the faults."""
    config: dict[str, Any] = {}
    state: dict[str, Tensor] = {}
    path = folder / WEIGHTS
    with _noting(faults):
        config = read_config(folder / CONFIG)
        faults += config_faults(config, folder / CONFIG)
        faults += checksum_faults(config, checksum(path), path)
    with _noting(faults):
        state = read_weights(path)
        if names := not_finite(state):
            raise ModelError(
                f"{path}: NaN or infinity in {first(names)}; expected finite numbers. "
                "Train the model again, or take an earlier one."
            )
    config.pop(CHECKSUM, None)
    return config, state


@contextmanager
def _noting(faults: list[str]) -> Iterator[None]:
    """Go on behind the block, with its error among the faults."""
    try:
        yield
    except ModelError as error:
        faults.append(str(error))


def describe(module: nn.Module) -> dict[str, Any]:
    """Registry name and arguments of a module, those of modules among them nested.

    Raises:
        ModelError: if a class is not in the registry
    """
    target = f"{type(module).__module__}:{type(module).__qualname__}"
    names = [name for name, value in REGISTRY.items() if value == target]
    if not names:
        raise ModelError(f"{target}: cannot be saved; expected a class of {sorted(REGISTRY)}.")
    listed: Mapping[str, Any] = module.arguments()  # type: ignore[operator]
    arguments = {
        name: describe(value) if isinstance(value, nn.Module) else value
        for name, value in listed.items()
    }
    return {"class": names[0], "arguments": arguments}


def build(description: dict[str, Any], path: Path) -> nn.Module:
    """A module from what :func:`describe` returned, with weights of its own.

    Args:
        description: class and arguments, which may be a stranger's
        path: where it was found, for the message

    Raises:
        ModelError: if the class does not take these arguments
    """
    name = description["class"]
    arguments = {
        key: build(value, path) if is_description(value) else value
        for key, value in description["arguments"].items()
    }
    try:
        return kind(name)(**arguments)
    # Whatever it raises: the arguments are a stranger's, and constructors trust their types.
    except Exception as error:
        raise ModelError(
            f"{path}: the arguments of {name!r} do not fit ({error}). "
            "Was the model made by another release?"
        ) from error


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
