"""Where a model is: a folder, one that comes with the package, or one of the Hugging Face hub."""

import re
import reprlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from emovec.audio.opensmile import FEATURE_SETS
from emovec.encoders import cards
from emovec.encoders.folders import (
    CONFIG,
    WEIGHTS,
    checksum_faults,
    missing_files,
    read_config,
)
from emovec.errors import ModelError
from emovec.tables.files import checksum

# What is used where none is named; hparams and the help of commands say the same
USUAL_ENCODER, USUAL_PREDICTOR = "xvector-small", "affect-small"

REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


@dataclass(frozen=True)
class ModelListing:
    """A model that comes with the package.

    Attributes:
        name: to load it by
        size: bytes of its folder
        licence: of what it was trained on, as its card has it; empty if that does not say
        kind: name of its class in the registry
        summary: a line on what it is
    """

    name: str
    size: int
    licence: str
    kind: str
    summary: str


def find_model(name: str | Path) -> Path:
    """The folder of a model, fetched if it is on the hub.

    Args:
        name: a folder, or that of the run that trained it; a name of :func:`shipped`; a published
            one of SpeechBrain, such as "speechbrain/spkrec-ecapa-voxceleb"; or
            organisation/name@revision of the hub

    Raises:
        ModelError: if there is none of that name, or it cannot be fetched
    """
    text = str(name)
    if text and Path(name).is_dir():  # Path of nothing is this folder
        return folder_of_run(Path(name))
    if isinstance(name, str) and name in _shipped_names():
        return _shipped_folder() / name
    repository, at, revision = text.partition("@")
    if repository.startswith("speechbrain/"):
        from emovec.encoders.converted import NAMES, converted

        if repository in NAMES:
            return converted(repository, revision)
    if at and REPOSITORY.fullmatch(repository):
        from emovec.encoders.hub import fetch

        return fetch(repository, revision)
    raise ModelError(_unknown(text))


def folder_of_run(folder: Path) -> Path:
    """The model of a run where the run's folder is given, else the folder."""
    inside = folder / "model"
    is_run = (inside / CONFIG).is_file() and not (folder / CONFIG).is_file()
    return inside if is_run else folder


def shipped_folder(name: Any) -> Path:
    """The folder of a model that comes with the package; paths are no names.

    Args:
        name: may be a stranger's, and of any type

    Raises:
        ModelError: if there is none of that name
    """
    names = _shipped_names()
    if name not in names:
        raise ModelError(
            f"{reprlib.repr(name)}: does not come with this release "
            f"({', '.join(names) or 'no model does'}); expected a name of `emovec models`. Install "
            "the release that has it."
        )
    return _shipped_folder() / str(name)


def place_of(name: str) -> Path:
    """Where a model of the package lies, or would lie."""
    return _shipped_folder() / name


def usual(name: str, instead: str) -> Path:
    """The folder of a model that is used where none is named.

    It is that of the package: a folder of this name where the program runs is not meant.

    Args:
        name: ``USUAL_ENCODER`` or ``USUAL_PREDICTOR``
        instead: what to pass to choose another

    Raises:
        ModelError: if it does not come with this release
    """
    names = _shipped_names()
    if name not in names:
        raise ModelError(
            f"no model named, and the usual one, {name!r}, does not come with this release "
            f"({', '.join(names) or 'none does'}); expected a model folder, a name of those, or "
            f"organisation/name@revision of the Hugging Face hub. Pass {instead}."
        )
    return place_of(name)


def weights_file(name: str) -> Path:
    """A file with weights: itself, or that of a model, whose checksum is verified.

    Args:
        name: a file, a model folder, or a name of :func:`shipped`

    Raises:
        ModelError: if weights of a model are not those that were saved
    """
    if Path(name).is_dir():
        folder = folder_of_run(Path(name))
    elif name in _shipped_names() and not Path(name).exists():
        folder = _shipped_folder() / name
    else:
        return Path(name)
    faults = missing_files(folder)
    if not faults:
        found = checksum(folder / WEIGHTS)
        faults = checksum_faults(read_config(folder / CONFIG), found, folder / WEIGHTS)
    if faults:
        raise ModelError("\n".join(faults))
    return folder / WEIGHTS


def shipped() -> list[ModelListing]:
    """Models that come with the package, by name.

    Raises:
        ModelError: if a config.json of theirs is damaged
    """
    return [_listing(_shipped_folder() / name) for name in _shipped_names()]


def _listing(folder: Path) -> ModelListing:
    card = cards.read_card(folder)
    return ModelListing(
        name=folder.name,
        size=sum(file.stat().st_size for file in folder.iterdir()),
        licence=cards.licence(card),
        kind=str(read_config(folder / CONFIG).get("class")),
        summary=cards.summary(card),
    )


def _shipped_folder() -> Path:
    return Path(str(files("emovec"))) / "models"


def _shipped_names() -> list[str]:
    names = (config.parent.name for config in _shipped_folder().glob(f"*/{CONFIG}"))
    return sorted(name for name in names if not name.startswith("."))  # which is being written


def _unknown(name: str) -> str:
    """Message on a name that nothing goes by."""
    if name in ("functionals", *FEATURE_SETS):
        return (
            f"{name!r}: a set of functionals, which are computed without a model; expected a "
            f"model. Give --embeddings=[{name}] to recipes/ser/frozen.py or "
            "recipes/verification/eer_matrix.py, or call emovec.audio.functionals."
        )
    if Path(name).is_file():
        return (
            f"{name}: a file; expected a folder with {CONFIG} and {WEIGHTS}. "
            "Name the folder that it lies in."
        )
    if REPOSITORY.fullmatch(name):
        from emovec.encoders.hub import UNPINNED

        return (
            f"{name}: no such folder, and as a name of the Hugging Face hub without a revision; "
            f"{UNPINNED}. Choose one of https://huggingface.co/{name}/commits/main, or correct the "
            "path."
        )
    names = ", ".join(_shipped_names()) or "none comes with this release"
    return (
        f"{name!r}: no such model; expected a folder with {CONFIG} and {WEIGHTS}, a name of the "
        f"package ({names}), or organisation/name@revision of the Hugging Face hub. Correct it."
    )
