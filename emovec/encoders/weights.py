"""Weights of a module: reading them as tensors alone, and whether they are those of a module."""

import pickle
import reprlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from emovec.errors import ModelError

# What torch and safetensors raise on files that are not theirs
UNREADABLE = (OSError, RuntimeError, EOFError, ValueError, pickle.PickleError, SafetensorError)

LONGEST_NAME = 200  # characters of a tensor's name that a message shows


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
        lines = [line.strip().rstrip(".") for line in str(error).splitlines()[1:]]
        raise ModelError(misfit(module, path, lines)) from error
    faults = _name_faults(sorted(set(keys.missing_keys) - set(optional)), keys.unexpected_keys)
    if faults:
        raise ModelError(misfit(module, path, faults))


def misfit(module: nn.Module, path: Path, faults: Sequence[str]) -> str:
    """Message on weights that are not those of a module, with the first few differences."""
    shown = "; ".join(faults[:5]) + ("; ..." if len(faults) > 5 else ".")
    return (
        f"{path}: its weights are not those of this {type(module).__name__}; {shown} "
        "Choose the file, or the size of the model, that belongs to the other."
    )


def tensor_faults(module: nn.Module, state: Mapping[str, Tensor]) -> list[str]:
    """How tensors differ in names, shapes and types from those of a module.

    float16 stands for float32: models are shipped in it.

    >>> tensor_faults(nn.Linear(1, 1), {"weight": torch.zeros(2, 1), "bias": torch.zeros(1).half()})
    ['size mismatch for weight: (2, 1), expected (1, 1)']
    """
    expected = module.state_dict()
    faults = _name_faults(sorted(expected.keys() - state.keys()), sorted(state.keys() - expected))
    for name in sorted(state.keys() & expected):
        found, wanted = state[name], expected[name]
        if found.shape != wanted.shape:
            faults.append(
                f"size mismatch for {name}: {tuple(found.shape)}, expected {tuple(wanted.shape)}"
            )
        shortened = wanted.dtype == torch.float32 and found.dtype == torch.float16
        if found.dtype != wanted.dtype and not shortened:
            faults.append(f"type mismatch for {name}: {found.dtype}, expected {wanted.dtype}")
    return faults


def not_finite(state: Mapping[str, Tensor]) -> list[str]:
    """Names of tensors with NaN or infinity.

    >>> not_finite({"a": torch.tensor([1.0, torch.inf]), "b": torch.tensor([1])})
    ['a']
    """
    # Of less than two bytes are types that torch can only convert
    floats = {k: v for k, v in state.items() if v.is_floating_point() and v.element_size() > 1}
    return sorted(name for name, value in floats.items() if not value.isfinite().all())


def first(names: Sequence[str], count: int = 5) -> str:
    r"""The first of some names, which may be a stranger's: cut, and safe for a terminal.

    >>> first(["a", "b\x1b", "c"], count=2)
    "a, 'b\\x1b', ..."
    """
    plain = [name.isprintable() and len(name) <= LONGEST_NAME for name in names[:count]]
    shown = [n if ok else reprlib.repr(n) for n, ok in zip(names, plain, strict=False)]
    return ", ".join(shown) + (", ..." if len(names) > count else "")


def _name_faults(missing: Sequence[str], unknown: Sequence[str]) -> list[str]:
    faults = [f"{len(missing)} missing: {first(missing)}"] if missing else []
    return faults + ([f"{len(unknown)} unknown: {first(unknown)}"] if unknown else [])


def _unreadable(path: Path) -> ModelError:
    return ModelError(
        f"{path}: not a weights file; expected .safetensors or a state dict of torch without "
        "other objects. Fetch it again, or convert it."
    )
