"""``emovec export``."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emovec.commands.shared import PATH, json_option, note, print_json, read_table

if TYPE_CHECKING:
    from emovec.tables.embeddings import Embeddings

SUFFIXES = {"npz": ".npz", "hdf5": ".h5", "kaldi": ".ark", "parquet": ".parquet", "shards": ""}


@click.command()
@click.argument("embeddings", type=PATH)
@click.option(
    "--format", "format_", required=True, type=click.Choice(list(SUFFIXES)), help="To write."
)
@click.option(
    "--output",
    type=PATH,
    help="File, or folder of shards. Default: EMBEDDINGS with the format's suffix, if nothing is "
    "there.",
)
@click.option("--allow_partial", is_flag=True, help="Take what there is of an unfinished folder.")
@json_option
def export(
    embeddings: Path, format_: str, output: Path | None, allow_partial: bool, as_json: bool
) -> None:
    """Write embeddings in another format, float32 exactly.

    EMBEDDINGS is a folder of shards, as `emovec extract` makes it, or a file: .npz, .h5, .hdf5,
    .ark, .scp or .parquet. Each format carries ids, further columns and how the embeddings came
    about; for Kaldi that is in a third file beside its two. --format shards makes a folder.
    """
    from emovec.tables import embedding_files

    table = read_table(embeddings, allow_partial=allow_partial)
    path = output or _beside(embeddings, format_)
    if format_ == "shards":
        _write_shard(table, path, str(embeddings))
    else:
        embedding_files.write(table, path, format_)
    rows, size = table.vectors.shape
    if as_json:
        how = None if table.extraction is None else asdict(table.extraction)
        facts = {"output": str(path), "format": format_, "rows": rows, "embedding_size": size}
        print_json({**facts, "extraction": how})
    else:
        note(f"{rows} embeddings of {size} numbers written:")
        click.echo(str(path))


def _beside(embeddings: Path, format_: str) -> Path:
    """Where the same table lies in another format."""
    from emovec.errors import StorageError

    resolved = embeddings.resolve()  # of "." the name, too
    stem = resolved.name if resolved.is_dir() else resolved.stem
    path = resolved.with_name(f"{stem}{SUFFIXES[format_]}")
    if path.exists():
        raise StorageError(f"{path}: is there already. Name another file with --output, or it.")
    return path


def _write_shard(table: "Embeddings", folder: Path, source: str) -> None:
    """A folder with all rows in one shard."""
    from emovec.tables.embedding_shards import ShardWriter
    from emovec.tables.embeddings import EmbeddingError

    how = table.extraction
    if how is None:
        raise EmbeddingError(
            f"{source}: does not say how its embeddings came about; expected that for a folder of "
            "shards, which has it in extract.json. Choose another format."
        )
    writer = ShardWriter(folder, replace(how, shards=1))
    columns = {name: values.tolist() for name, values in table.columns.items()}
    writer.write(0, table.ids, table.vectors, columns, failures=how.failures, skips=how.skips)
    writer.finish()
