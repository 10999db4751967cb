"""Command line -> HyperPyYAML -> checked hyper-parameters, seed and run folder.

The only place that knows HyperPyYAML. A recipe lists its keys as the fields of a dataclass; a file
with a missing or unknown key is refused before anything of it is built. A key that others of the
file refer to need not be listed: so an encoder brings its own, and recipes stay as they are.
"""

import logging
import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from io import StringIO
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

import ruamel.yaml
import torch
from hyperpyyaml import load_hyperpyyaml, resolve_references
from ruamel.yaml.comments import TaggedScalar
from speechbrain.utils.distributed import ddp_init_group, if_main_process
from speechbrain.utils.run_opts import RunOptions
from speechbrain.utils.seed import seed_everything

from emovec.encoders.processes import running_processes
from emovec.errors import EmovecError, HparamError
from emovec.metrics.pair_blocks import Processes
from emovec.tables.files import write_atomically
from emovec.tables.results import ResultError, differing_hparams

logger = logging.getLogger(__name__)

Hparams = TypeVar("Hparams")

# Keys that mean the same in every recipe that has them.
_FROM_ZERO = ("seed", "split_seed", "workers")
_POSITIVE = ("max_seconds", "batch_seconds", "head_width")

# Of SpeechBrain's run options those that change no number; those that do are hyper-parameters.
_RUN_OPTIONS = (
    "device",
    "distributed_backend",
    "noprogressbar",
    "ckpt_interval_minutes",
    "ckpt_interval_steps",
)


@dataclass(frozen=True)
class Experiment(Generic[Hparams]):
    """What a command line asks for.

    Attributes:
        hparams: the recipe's own dataclass
        plain: the same keys as plain text and numbers, with tags unbuilt, for the result
        text: the same as an hparams file, with all references resolved
        run_options: SpeechBrain's: device, precision, distributed backend and the like
        folder: where the run writes
    """

    hparams: Hparams
    plain: dict[str, Any]
    text: str
    run_options: RunOptions
    folder: Path

    @property
    def device(self) -> str:
        """Where to compute: as given, else a GPU if there is one."""
        return self.run_options.device or ("cuda" if torch.cuda.is_available() else "cpu")

    @property
    def processes(self) -> Processes:
        """Those that ``torchrun`` started; this one alone without it."""
        return running_processes()

    def begin(self) -> None:
        """Note the hyper-parameters as hparams.yaml in the run folder, just before training.

        Raises:
            HparamError: if the folder holds a run of others, which would be taken for this one
            StorageError: if the file cannot be written
        """
        path = self.folder / "hparams.yaml"
        if not path.is_file():
            with write_atomically(path) as file:
                file.write(self.text)
            return
        before = _plain(path.read_text(encoding="utf-8"))
        other = differing_hparams(before, self.plain)
        if other:
            had = {key: before.get(key) for key in other}
            has = {key: self.plain.get(key) for key in other}
            raise HparamError(
                f"{self.folder}: holds a run with {had}; found {has}. "
                "Choose another --run_folder or --name, or remove that run."
            )


def start(
    keys: type[Hparams] | Mapping[str, type[Hparams]], argv: Sequence[str]
) -> Experiment[Hparams]:
    """Read an hparams file and its ``--key=value`` overrides, and seed everything.

    A file may begin with ``extends: other.yaml``, relative to itself: the rest are then overrides
    to that file. SpeechBrain's run options (``--device``, ``--precision``, ...) are set apart.

    Args:
        keys: a dataclass with a field for each key; ``seed`` and ``run_folder`` among them; or
            one for each value of the key ``target``
        argv: command line without the script's name

    Raises:
        HparamError: for a missing file, a missing or unknown key, or a value of another type
    """
    file, overrides, run_arguments = _split(argv)
    text, overrides = _extended(file, overrides)
    if isinstance(keys, Mapping):
        keys = _of_target(keys, {**_plain(text), **overrides}, file)
    _check_keys(keys, _plain(text), overrides, file)
    resolved = _resolve(file, text, overrides)
    plain = _plain(resolved)
    _check_values(keys, plain, file)
    _, run_options, _ = RunOptions.from_command_line_args([str(file), *run_arguments])
    run_options = _with_usual_options(run_options)
    ddp_init_group(run_options)
    seed_everything(plain["seed"])
    try:
        built = load_hyperpyyaml(StringIO(resolved))
        hparams = keys(**{name: built[name] for name in _listed(keys)})
    except EmovecError:
        raise
    except Exception as error:  # whatever the constructors of a file's objects may raise
        raise HparamError(f"{file}: {error}. Check the values and the tags.") from error
    folder = Path(plain["run_folder"])
    folder.mkdir(parents=True, exist_ok=True)
    return Experiment(hparams, plain, resolved, run_options, folder)


def plain_hparams(argv: Sequence[str]) -> dict[str, Any]:
    """What ``Experiment.plain`` will be for a command line; nothing is built, seeded or written.

    Raises:
        HparamError: as :func:`start`, except that the file's own keys are taken as they are
    """
    file, overrides, _ = _split(argv)
    text, overrides = _extended(file, overrides)
    _check_overrides(overrides, set(_plain(text)))
    return _plain(_resolve(file, text, overrides))


def run(main: Callable[[list[str]], Path | None]) -> None:
    """Run a recipe's main on the command line; what a user can mend is said without a traceback.

    Args:
        main: gives the folder in which it has left a result.json, where the run's page is then
            written, or None
    """
    ours = logging.getLogger("emovec")  # SpeechBrain's many notes stay unsaid, its warnings not
    ours.addHandler(logging.StreamHandler())
    ours.setLevel(logging.INFO)
    ours.propagate = False
    try:
        folder = main(sys.argv[1:])
        writes = if_main_process()
        leave_together()
        if folder is not None and writes:
            _write_page(folder)
    except EmovecError as error:
        sys.exit(f"{type(error).__name__}: {error}")


def leave_together() -> None:
    """End the talk between processes: one that exits while another still writes may abort.

    Whatever one process does alone afterwards may take as long as it likes.
    """
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


def _write_page(folder: Path) -> None:
    """Write report.html of a run that has ended.

    Raises:
        ResultError: for whatever goes wrong with it, since the run itself has not failed
    """
    from emovec.report.html import write_report  # recipes without a result do without it

    page = folder / "report.html"
    try:
        write_report([folder], page)
    except Exception as error:
        again = shlex.join(["emovec", "report", str(folder), f"--output={page}"])
        raise ResultError(
            f"{page}: not written ({type(error).__name__}: {error}). The run itself is complete, "
            f"with its result.json. Make the page by: {again}"
        ) from error
    logger.info("report: %s", page)


def _of_target(
    keys: Mapping[str, type[Hparams]], values: Mapping[str, Any], file: Path
) -> type[Hparams]:
    if values.get("target") not in keys:
        raise HparamError(
            f"{file}: target is {values.get('target')!r}; expected one of {list(keys)}."
        )
    return keys[values["target"]]


def _split(argv: Sequence[str]) -> tuple[Path, dict[str, Any], list[str]]:
    """Hparams file, overrides, and SpeechBrain's own arguments."""
    if not argv or argv[0].startswith("--"):
        raise HparamError("command line: no hparams file; expected FILE.yaml [--key=value ...].")
    overrides, run_arguments = {}, []
    for argument in argv[1:]:
        key, equals, value = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or not key:
            raise HparamError(f"command line: found '{argument}'; expected --key=value.")
        if key in _RUN_OPTIONS:
            run_arguments.append(argument)
        else:
            overrides[key] = _untagged(_read_yaml(value)) if equals else True
    return Path(argv[0]), overrides, run_arguments


def _extended(file: Path, overrides: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Text of the file at the root of a chain of ``extends``, and all overrides to it."""
    if not file.is_file():
        raise HparamError(f"{file}: not found; expected an hparams file such as those in hparams/.")
    text = file.read_text(encoding="utf-8")
    if not text.lstrip().startswith("extends:"):
        return text, overrides
    own = _plain(text)
    return _extended(file.parent / own.pop("extends"), {**own, **overrides})


def _resolve(file: Path, text: str, overrides: dict[str, Any]) -> str:
    try:
        return resolve_references(StringIO(text), overrides).getvalue()
    except Exception as error:
        raise HparamError(f"{file}: {error}. Check its references.") from error


def _plain(text: str) -> dict[str, Any]:
    """Keys and values of a file with every tag taken as the mapping, list or text below it."""
    plain = _untagged(_read_yaml(text))
    if not isinstance(plain, dict):
        raise HparamError("hparams: expected keys and values.")
    return plain


def _read_yaml(text: str) -> Any:
    """YAML 1.2, in which 1e-5 is a number; builds no objects."""
    try:
        return ruamel.yaml.YAML().load(text)
    except ruamel.yaml.YAMLError as error:
        raise HparamError(f"'{text[:60]}': no YAML: {error}.") from error


def _untagged(node: Any) -> Any:
    if isinstance(node, dict):
        tag = getattr(node, "tag", None)
        named = {"class": tag.value.removeprefix("!")} if tag is not None and tag.value else {}
        return named | {str(key): _untagged(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_untagged(value) for value in node]
    if isinstance(node, TaggedScalar):
        return f"{node.tag.value.removeprefix('!')} {node.value}".strip()
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def _check_keys(keys: type, found: dict[str, Any], overrides: dict[str, Any], file: Path) -> None:
    wanted = _listed(keys)
    missing, unknown = sorted(wanted - set(found)), sorted(set(found) - wanted - _referred(found))
    if missing or unknown:
        raise HparamError(
            f"{file}: missing {missing}, unknown {unknown}; "
            f"{Path(sys.modules[keys.__module__].__file__ or '').stem}.{keys.__name__} "
            "lists the keys of this recipe."
        )
    _check_overrides(overrides, set(found))


def _listed(keys: type) -> set[str]:
    return {field.name for field in fields(keys)}


def _referred(node: Any) -> set[str]:
    """Keys that the plain values of a file refer to.

    >>> sorted(_referred({"a": "ref <b>/<c>", "d": [{"e": "ref <f>"}, 1]}))
    ['b', 'c', 'f']
    """
    if isinstance(node, dict | list):
        values = node.values() if isinstance(node, dict) else node
        return set().union(*map(_referred, values))
    is_reference = isinstance(node, str) and node.startswith("ref ")
    return set(re.findall(r"<(\w+)", node)) if is_reference else set()


def _check_overrides(overrides: dict[str, Any], wanted: set[str]) -> None:
    unknown = sorted(set(overrides) - wanted)
    if unknown:
        raise HparamError(f"command line: unknown {unknown}; expected among {sorted(wanted)}.")


def _check_values(keys: type, plain: dict[str, Any], file: Path) -> None:
    wrong = [
        f"{key} is {plain[key]!r}; expected {kind if get_origin(kind) else kind.__name__}"
        for key, kind in get_type_hints(keys).items()
        if not _fits(plain[key], kind)
    ]
    wrong += [
        f"{key} is {value!r}; expected {'0 or more' if key in _FROM_ZERO else 'more than 0'}"
        for key, value in plain.items()
        if key in (*_FROM_ZERO, *_POSITIVE)
        and isinstance(value, int | float)
        and (value < 0 or (key in _POSITIVE and not value))
    ]
    if wrong:
        raise HparamError(f"{file}: {', '.join(wrong)}. Correct the file or the command line.")


def _fits(value: Any, kind: Any) -> bool:
    """Whether a plain value may stand where a recipe expects a type; objects always may."""
    if get_origin(kind) is list:
        (inner,) = get_args(kind)
        return isinstance(value, list) and all(_fits(item, inner) for item in value)
    if get_origin(kind) is UnionType:
        return any(_fits(value, choice) for choice in get_args(kind))
    if kind in (int, float):
        numbers = int if kind is int else (int, float)
        return isinstance(value, numbers) and not isinstance(value, bool)
    return isinstance(value, kind) if kind in (bool, str, NoneType) else True


def _with_usual_options(run_options: RunOptions) -> RunOptions:
    """No bars without a terminal; without a GPU, processes talk by gloo."""
    changes: dict[str, Any] = {}
    if not sys.stderr.isatty():
        changes["noprogressbar"] = True
    if not torch.cuda.is_available():
        changes["distributed_backend"] = "gloo"
    elif "LOCAL_RANK" in os.environ:
        changes["device"] = f"cuda:{os.environ['LOCAL_RANK']}"
    return replace(
        run_options, **changes, overridden_args=run_options.overridden_args | set(changes)
    )
