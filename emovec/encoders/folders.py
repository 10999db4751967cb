"""What may lie in a model folder: found without opening anything but config.json.

A folder may come from a stranger. Pickles, Python and YAML can run code when they are read; nothing
here reads them, and a folder that has any is refused, since other programs would.
"""

import json
import os
import reprlib
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path, PureWindowsPath
from typing import Any

from emovec.encoders.registry import REGISTRY
from emovec.errors import ModelError
from emovec.tables.files import is_git_lfs_pointer

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "card.md"
CHECKSUM = "weights_sha256"
SHIPPED = "shipped"  # key of a reference to a model that comes with the package

PICKLES = ".pt .pth .pt2 .ptl .bin .ckpt .pkl .pickle .dill .joblib .npy .npz .mat .h5 .hdf5 .keras"
ARCHIVES = ".zip .tar .tgz .gz .bz2 .xz .7z .nemo .mar .whl .egg"
PROGRAMS = ".py .pyc .pyo .pyd .pyw .pth .so .dll .dylib .exe .sh .bat .yaml .yml"
REFUSED = frozenset(f"{PICKLES} {ARCHIVES} {PROGRAMS}".split())

# First bytes of the same under other names: pickles of protocols 2 to 5, zip (torch.save), NumPy
MARKS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04", b"\x93NUMPY")

MOST_FILES = 10_000
LARGEST_CONFIG = 2**20  # bytes
DEEPEST_CONFIG = 32  # objects and lists within each other
MOST_REFERENCES = 1  # each is a model that is read and built, whatever the folder's own size

# Arguments by which a class reads a file or fetches one; a folder brings its own weights.
READING = frozenset({"weights"})


def missing_files(folder: Path) -> list[str]:
    """Faults of a folder that lacks what makes it a model folder."""
    return [
        f"{folder}: no {name}; expected a model folder with {CONFIG} and {WEIGHTS}. "
        "Is the path right, and the copy complete?"
        for name in (CONFIG, WEIGHTS)
        if not (folder / name).is_file()
    ]


def stray_links(folder: Path) -> list[str]:
    """Faults of a folder with links that leave it, with pipes and devices, or with no end."""
    paths, home = list(islice(_walk(folder), MOST_FILES + 1)), _home(folder)
    if len(paths) > MOST_FILES:
        return [f"{folder}: more than {MOST_FILES} files; expected a model folder. Is it right?"]
    strays = [path for path in paths if not _stays(path, home)]
    if not strays:
        return []
    return [
        f"{folder}: {_listed(strays, folder)} lead out of the folder, or are neither file nor "
        "folder; expected files of its own. Put copies in their place if you trust it."
    ]


def refused_files(folder: Path) -> list[str]:
    """Faults of a folder with files that can run code when something reads them."""
    refused = [path for path in _walk(folder) if path.is_file() and _runs_code(path)]
    if not refused:
        return []
    return [
        f"{folder}: {_listed(refused, folder)} can run code when they are read, as pickles, "
        f"archives, Python and YAML can; expected {CONFIG}, {WEIGHTS} and {CARD}. Remove them if "
        "you trust the others."
    ]


def read_config(path: Path) -> dict[str, Any]:
    """The object in a config.json.

    Raises:
        ModelError: if it is none, too large or too deep
    """
    try:
        if path.stat().st_size > LARGEST_CONFIG:
            raise ModelError(
                f"{path}: {path.stat().st_size} bytes; expected at most {LARGEST_CONFIG}. "
                "Copy the folder again."
            )
        config = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: not JSON ({error}). Copy the folder again.") from error
    except RecursionError:
        raise _too_deep(path) from None
    if not isinstance(config, dict):
        raise ModelError(
            f"{path}: {type(config).__name__} found; expected an object. Copy the folder again."
        )
    _check_depth(config, path)
    return config


def config_faults(config: dict[str, Any], path: Path) -> list[str]:
    """Faults of a config.json: unknown classes, and arguments that point elsewhere."""
    description = {key: value for key, value in config.items() if key != CHECKSUM}
    faults = list(_description_faults(description, path, outermost=True))
    if not faults and len(references(description)) > MOST_REFERENCES:
        faults.append(
            f"{path}: {len(references(description))} arguments are shipped models; expected at "
            f"most {MOST_REFERENCES}. Do not load it unless you know why."
        )
    return faults


def checksum_faults(config: dict[str, Any], found: str, weights: Path) -> list[str]:
    """Faults of weights whose SHA-256 is not the one of the config."""
    expected = config.get(CHECKSUM)
    if found == expected:
        return []
    if is_git_lfs_pointer(weights):
        return [f"{weights}: a pointer of Git LFS; expected weights. Run `git lfs pull`."]
    return [
        f"{weights}: its SHA-256 is {found}; {CONFIG} expects {reprlib.repr(expected)}. "
        "Copy the folder again."
    ]


def is_description(value: Any) -> bool:
    """Whether a value of a config stands for a module.

    >>> is_description({"class": "mean_pooling", "arguments": {"width": 2}})
    True
    """
    return isinstance(value, dict) and set(value) == {"class", "arguments"}


def is_reference(value: Any) -> bool:
    """Whether a value of a config stands for a model that comes with the package.

    It names the model and the checksum of its weights, never a path.

    >>> is_reference({"shipped": "emotion-small", "weights_sha256": "0a1b"})
    True
    """
    return isinstance(value, dict) and set(value) == {SHIPPED, CHECKSUM}


def references(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Arguments of a config that are references, by name."""
    return {name: value for name, value in config["arguments"].items() if is_reference(value)}


def leaves_folder(text: str) -> bool:
    r"""Whether a text is an address, an absolute path, or one that climbs.

    >>> [leaves_folder(t) for t in ("/etc/passwd", "a/../../b", "C:\\a", "https://a.b/c", "~/a")]
    [True, True, True, True, True]
    >>> [leaves_folder(t) for t in ("anger", "happy/surprised", "...", "0")]
    [False, False, False, False]
    """
    windows = PureWindowsPath(text)  # which reads slashes of either kind
    return bool(windows.root) or ".." in windows.parts or "://" in text or text.startswith("~")


def _description_faults(description: Any, path: Path, *, outermost: bool = False) -> Iterator[str]:
    if not is_description(description) or not isinstance(description["arguments"], dict):
        yield f"{path}: {reprlib.repr(description)} found; expected 'class' and 'arguments'."
        return
    name, arguments = description["class"], description["arguments"]
    if not isinstance(name, str) or name not in REGISTRY:
        yield (
            f"{path}: class {reprlib.repr(name)} is unknown; expected one of {sorted(REGISTRY)}. "
            "Was the model made by a newer release?"
        )
    for key, value in arguments.items():
        if is_description(value):
            yield from _description_faults(value, path)
        elif is_reference(value):
            if not outermost:  # so that none leads to another
                yield (
                    f"{path}: {reprlib.repr(key)} is a shipped model inside of another; expected "
                    "one as an argument of the whole. Do not load it unless you know why."
                )
        elif key in READING and value is not None:
            yield (
                f"{path}: {key} is {reprlib.repr(value)}; expected null, since the weights are in "
                f"{WEIGHTS}. Do not load it unless you know why."
            )
        elif outside := [text for text in _texts(value) if leaves_folder(text)]:
            yield (
                f"{path}: {reprlib.repr(key)} holds {reprlib.repr(outside[0])}, a path that leaves "
                "the folder; expected none. Do not load it unless you know why."
            )


def _texts(value: Any) -> Iterator[str]:
    """Strings anywhere in a value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from chain(value, *map(_texts, value.values()))
    elif isinstance(value, list):
        yield from chain(*map(_texts, value))


def _walk(folder: Path) -> Iterator[Path]:
    """Everything below a folder; links are named, not followed."""
    for root, folders, files in os.walk(folder):
        yield from (Path(root, name) for name in sorted(folders + files))


def _home(folder: Path) -> Path:
    """Where links of a folder may lead: into it, and from the hub's cache into the cache."""
    from huggingface_hub.constants import HF_HUB_CACHE

    cache, resolved = Path(HF_HUB_CACHE).resolve(), folder.resolve()
    return cache if resolved.is_relative_to(cache) else resolved


def _stays(path: Path, home: Path) -> bool:
    try:
        target = path.resolve(strict=True) if path.is_symlink() else path
    except (OSError, RuntimeError):  # it leads nowhere, or round in circles
        return False
    inside = not path.is_symlink() or target.is_relative_to(home)
    return inside and (target.is_file() or target.is_dir())


def _runs_code(path: Path) -> bool:
    if not REFUSED.isdisjoint(suffix.lower() for suffix in path.suffixes):
        return True
    if path.suffix == ".safetensors":  # which begins with a length, by chance that of a mark
        return False
    try:
        with path.open("rb") as file:
            return file.read(8).startswith(MARKS)
    except OSError:
        return True  # what cannot be looked at is not trusted


def _listed(paths: list[Path], folder: Path) -> str:
    names = [repr(path.relative_to(folder).as_posix()) for path in paths[:5]]
    return ", ".join(names) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _check_depth(config: Any, path: Path) -> None:
    depth, level = 0, [config]
    while level:
        depth += 1
        if depth > DEEPEST_CONFIG:
            raise _too_deep(path)
        lists = [list(v.values()) if isinstance(v, dict) else v for v in level]
        level = [child for v in lists for child in v if isinstance(child, (dict, list))]


def _too_deep(path: Path) -> ModelError:
    return ModelError(
        f"{path}: nested deeper than {DEEPEST_CONFIG} levels; expected a class and its arguments. "
        "Copy the folder again."
    )
