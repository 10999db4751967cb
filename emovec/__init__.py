"""Speaker and emotion embeddings in the x-vector style.

What is public is imported on first use, so that ``import emovec`` costs nothing.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {"load": "emovec.api"}
_MODULES = ("sphere", "labels", "errors")


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    if name in _MODULES:
        return import_module(f"emovec.{name}")
    raise AttributeError(f"module 'emovec' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*_PUBLIC, *_MODULES, "__version__"]
