"""Models that ship as what they add to another one: the two put together.

In the place of the other stands a reference, its name and the checksum of its weights. Names are
those of the package, never paths, and what is named is whole: no reference leads to a second one.
"""

import reprlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from emovec.encoders.folders import (
    CHECKSUM,
    CONFIG,
    SHIPPED,
    missing_files,
    read_config,
    references,
)
from emovec.encoders.locating import shipped_folder
from emovec.encoders.weights import first
from emovec.errors import ModelError

Read = Callable[[Path], tuple[dict[str, Any], dict[str, Tensor]]]


def put_on_shipped(
    config: dict[str, Any], state: dict[str, Tensor], path: Path, read: Read
) -> None:
    """Put what references stand for in their places, and its weights among the others.

    Args:
        config: of a model; changed
        state: its weights by name; changed
        path: of the config, for messages
        read: config and weights of a folder, checked

    Raises:
        ModelError: if no such model comes with the package, it has other weights than the reference
            says, is not whole, or there are weights in its place
    """
    for name, reference in references(config).items():
        folder = shipped_folder(reference[SHIPPED])
        _check_reference(f"{path}: {name} is {folder.name}", reference, folder)
        own = [key for key in state if key.startswith(f"{name}.")]
        if own:
            raise ModelError(
                f"{path}: {name} is {folder.name}, and there are weights in its place: "
                f"{first(own)}; expected none. Copy the folder again."
            )
        base, weights = read(folder)
        # of a damaged one `read` has noted that its arguments are no mapping
        if isinstance(base.get("arguments"), dict) and references(base):
            raise ModelError(
                f"{path}: {name} is {folder.name}, which stands on another; expected a whole "
                "model. Name that one."
            )
        config["arguments"][name] = base
        state.update({f"{name}.{key}": value for key, value in weights.items()})


def _check_reference(what: str, reference: dict[str, Any], folder: Path) -> None:
    """Stop on a shipped model that is another one than was meant, or not whole."""
    faults = missing_files(folder)
    if faults:
        raise ModelError("\n".join(faults))
    found = read_config(folder / CONFIG).get(CHECKSUM)
    if found != reference[CHECKSUM]:
        raise ModelError(
            f"{what} with the SHA-256 {reprlib.repr(reference[CHECKSUM])}; that of this release "
            f"has {found}. Install the release that it was made with."
        )
