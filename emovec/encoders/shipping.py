"""The form in which models ship: parameters in float16, and without what ships on its own."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from emovec.encoders.folders import CHECKSUM, CONFIG, SHIPPED, WEIGHTS, is_description, read_config
from emovec.encoders.locating import shipped_folder
from emovec.encoders.store import describe, read_weights
from emovec.encoders.weights import first, not_finite
from emovec.errors import ModelError

LARGEST = 10_000_000  # bytes of the weights of a model
LARGEST_OF_ALL = 28_000_000  # bytes of all that ships

# Arguments that change nothing once a model is trained
TRAINING_ONLY = frozenset(
    {"dropout", "layer_drop", "mask_time_probability", "mask_time_length", "freeze_front_end"}
)


def shipped_form(
    model: nn.Module, stands_on: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Config and weights of a model as it ships.

    Parameters are rounded to float16, which loading makes float32 again; buffers, which are few
    and may be counts or have a wide range, stay as they are.

    Args:
        model: of a class in the registry
        stands_on: by argument of the model, the shipped model that it is

    Raises:
        ModelError: if a weight is NaN, infinite or beyond float16, or a part is not the shipped
            model that it is said to be
    """
    config, state = describe(model), halved(model)
    for part, name in stands_on.items():
        folder = shipped_folder(name)
        base = read_config(folder / CONFIG)
        own = {key: value for key, value in state.items() if key.startswith(f"{part}.")}
        expected = {f"{part}.{k}": v for k, v in read_weights(folder / WEIGHTS).items()}
        differing = _differing(own, expected)
        found = config["arguments"].get(part)
        differing += _differing_arguments(found, base)
        if differing:
            raise ModelError(
                f"{part} is not {name}: {first(differing)} differ; expected its arguments and "
                f"weights. Start training from {name} as it ships, and freeze it."
            )
        config["arguments"][part] = {SHIPPED: name, CHECKSUM: base[CHECKSUM]}
        state = {key: value for key, value in state.items() if key not in own}
    return config, state


def halved(model: nn.Module) -> dict[str, Tensor]:
    """Weights by name, those that are learnt in float16.

    Raises:
        ModelError: if one is NaN, infinite or beyond float16

    >>> halved(nn.Linear(1, 1))["weight"].dtype
    torch.float16
    """
    learnt = {name for name, value in model.named_parameters() if value.dtype == torch.float32}
    state = {
        name: value.detach().half() if name in learnt else value.detach()
        for name, value in model.state_dict().items()
    }
    if names := not_finite(state):
        raise ModelError(
            f"{type(model).__name__}: NaN, infinite or beyond 65504 in {first(names)}; expected "
            "what float16 can hold. Train the model again."
        )
    return state


def check_sizes(new: Path, folder: Path) -> None:
    """Stop on a model that is too large, alone or with all others that ship.

    Args:
        new: folder of the model
        folder: where it will lie, among the others

    Raises:
        ModelError: how large it is
    """
    size = (new / WEIGHTS).stat().st_size
    others = [
        path
        for path in folder.parent.glob("*/*")
        if path.parent not in (new, folder) and not path.parent.name.startswith(".")
    ]
    total = sum(path.stat().st_size for path in (*new.iterdir(), *others))
    if size > LARGEST or total > LARGEST_OF_ALL:
        raise ModelError(
            f"{folder}: {size} bytes of weights, {total} of all models; expected at most {LARGEST} "
            f"and {LARGEST_OF_ALL}. Train a smaller one."
        )


def _differing_arguments(found: Any, base: Mapping[str, Any]) -> list[str]:
    """Names of arguments by which a part acts otherwise than the shipped model."""
    if not is_description(found):
        return ["class"]
    # as it is written: a tuple is a list there
    own, expected = (
        _acting(json.loads(json.dumps({key: one[key] for key in ("class", "arguments")})))
        for one in (found, base)
    )
    return sorted(
        name
        for name in own.keys() | expected.keys()
        if name not in own or name not in expected or own[name] != expected[name]
    )


def _acting(description: Mapping[str, Any]) -> dict[str, Any]:
    """Class and arguments by dotted name, but for those that act in training alone.

    >>> _acting({"class": "a", "arguments": {"dropout": 0.1, "b": {"class": "c", "arguments": {}}}})
    {'class': 'a', 'b.class': 'c'}
    """
    found = {"class": description["class"]}
    for key, value in description["arguments"].items():
        if is_description(value):
            found |= {f"{key}.{inner}": what for inner, what in _acting(value).items()}
        elif key not in TRAINING_ONLY:
            found[key] = value
    return found


def _differing(own: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[str]:
    """Names of weights that are not the same, or are on one side only."""
    return sorted(
        name
        for name in own.keys() | expected.keys()
        if name not in own or name not in expected or not torch.equal(own[name], expected[name])
    )
