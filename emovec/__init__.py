"""Speaker and emotion embeddings in the x-vector style.

What is public is imported on first use, so that ``import emovec`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for type checkers and editors
    from emovec.api import load as load
    from emovec.api import similarity as similarity
    from emovec.transformer import EmbeddingTransformer as EmbeddingTransformer

__version__ = "0.1.0"

_PUBLIC = {
    "load": "emovec.api",
    "similarity": "emovec.api",
    "EmbeddingTransformer": "emovec.transformer",
}
_MODULES = ("sphere", "labels", "errors")


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    if name in _MODULES:
        return import_module(f"emovec.{name}")
    raise AttributeError(f"module 'emovec' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*_PUBLIC, *_MODULES, "__version__"]
