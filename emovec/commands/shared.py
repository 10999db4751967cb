"""What the commands share: their options, where their output goes, how they find models and tables.

Standard output has the answer, as JSON where that is asked for; notes go to standard error.
"""

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from emovec.metrics.pair_blocks import Processes
    from emovec.tables.embeddings import Embeddings

PATH = click.Path(path_type=Path)
MODEL_HELP = (
    "A folder, a run's folder, a name of `emovec models`, or organisation/name@revision of the "
    "Hugging Face hub."
)
USUAL_ENCODER_HELP = "Default: xvector-small, which comes along."

_SECONDS_A_LINE = 30.0  # where progress is no bar

json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")
device_option = click.option(
    "--device", help="cpu, cuda, cuda:1, mps, ... Default: a GPU if there is one."
)


def print_json(content: Any) -> None:
    """JSON on standard output; a name that is no UTF-8 stands in it as an escape."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    click.echo(text.encode("utf-8", "backslashreplace").decode())


def note(text: str) -> None:
    """A line on standard error, which leaves the answer alone."""
    click.echo(printable(text), err=True)


def printable(text: str) -> str:
    r"""Text in which what no terminal should get is escaped; its lines are kept.

    >>> printable("naïve\x1b[2J")
    'naïve\\x1b[2J'
    """
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def table_lines(rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    r"""Rows below their names, as wide as need be; numbers to the right.

    >>> print(*table_lines([{"file": "a.wav", "arousal": "2.5"}]), sep="\n")
    file   arousal
    a.wav      2.5
    """
    columns = []
    for name in rows[0]:
        cells = [row[name] for row in rows]
        width = max(map(len, [name, *cells]))
        numbers = all(cell[:1] in "-0123456789" for cell in cells)
        columns.append([f"{cell:{'>' if numbers else '<'}{width}}" for cell in [name, *cells]])
    return ("  ".join(line).rstrip() for line in zip(*columns, strict=True))


def model_name(name: str | Path) -> str:
    """A model's name, or its folder where that of the run is given that trained it."""
    from emovec.encoders.locating import folder_of_run

    return str(folder_of_run(Path(name))) if Path(name).is_dir() else str(name)


def shown(model: str | Path) -> str:
    """What an answer calls a model: as it was named, or the name of one that comes along.

    >>> shown("runs/speaker/xvector/1/model"), shown(Path("emovec/models/xvector-small"))
    ('runs/speaker/xvector/1/model', 'xvector-small')
    """
    return model.name if isinstance(model, Path) else model


def usual_encoder(*, talk: bool = True) -> Path:
    """The folder of the encoder where none is named; says which, and how to choose another.

    Raises:
        ModelError: if it does not come with this release
    """
    from emovec.encoders.locating import USUAL_ENCODER, usual

    folder = usual(USUAL_ENCODER, "--encoder")
    if talk:
        note(f"encoder: {folder.name}, small, comes along. Others: --encoder, see `emovec models`")
    return folder


def stamps(card: str) -> list[str]:
    r"""What a model's card wants everybody to know first: that its data were no speech, say.

    >>> stamps("# A model\n\n> **Synthetic demonstration: never evidence.**\n\nA network.\n")
    ['Synthetic demonstration: never evidence.']
    """
    return re.findall(r"^> \*\*(.+)\*\*$", card, flags=re.MULTILINE)


def read_table(path: Path, *, allow_partial: bool = False) -> "Embeddings":
    """Embeddings of a folder of shards or of a file.

    Raises:
        EmbeddingError: if they cannot be read
    """
    from emovec.tables import embedding_files
    from emovec.tables.embedding_shards import read_embeddings
    from emovec.tables.embeddings import EmbeddingError

    if not path.exists():
        raise EmbeddingError(f"{path}: not found; expected embeddings. Mend the path.")
    if path.is_dir():
        return read_embeddings(path, allow_partial=allow_partial)
    return embedding_files.read(path)


@contextmanager
def progress(total: int, of: str, processes: "Processes") -> Iterator[Callable[[int], object]]:
    """What is called with numbers of things that are done: a bar, or now and then a line.

    Args:
        total: number of things
        of: their name
        processes: that share them; the first one shows its own, the others nothing
    """
    if processes.rank:
        yield lambda number: None
        return
    from tqdm import tqdm

    alone = processes.count == 1
    if sys.stderr.isatty():
        with tqdm(total=total if alone else None, desc=of) as bar:
            yield bar.update
        return
    done, next_line = 0, time.monotonic() + _SECONDS_A_LINE

    def tell(number: int) -> None:
        nonlocal done, next_line
        done += number
        if time.monotonic() >= next_line:
            next_line = time.monotonic() + _SECONDS_A_LINE
            note(f"{done} of {total} {of}" if alone else f"{done} {of} by the first process")

    yield tell


@contextmanager
def torchrun_processes() -> Iterator["Processes"]:
    """Those that ``torchrun`` started; this one alone without it."""
    from emovec.metrics.pair_blocks import ALONE

    if "LOCAL_RANK" not in os.environ:
        yield ALONE
        return
    from torch import distributed

    from emovec.encoders.processes import running_processes

    distributed.init_process_group("gloo")  # talks about counts only, on any machine
    try:
        yield running_processes()
        distributed.barrier()  # one that exits while another still writes may abort
    finally:
        distributed.destroy_process_group()
