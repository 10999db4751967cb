"""``emovec check``: of a corpus, a model folder or a table of embeddings."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from emovec.commands.shared import PATH, json_option, model_name, print_json, printable, read_table

if TYPE_CHECKING:
    from emovec.corpora.findings import Finding


@click.command()
@click.argument("path", type=PATH)
@click.option(
    "--splits",
    multiple=True,
    type=PATH,
    help="A splits file; may be given again. Default: all in splits/ beside the manifest.",
)
@click.option(
    "--data_folder",
    type=PATH,
    help="Where the audio lies. Default: where it was prepared from, else beside the manifest.",
)
@json_option
def check(path: Path, splits: Sequence[Path], data_folder: Path | None, as_json: bool) -> None:
    """Check a corpus, a model folder or embeddings; ends with 1 where it is not sound.

    PATH is a manifest, or a folder with manifest.csv; the folder of a model, or of the run that
    trained it; or a folder or file of embeddings.

    Leaks of a corpus: a speaker, the same audio or overlapping parts of a file in two splits.
    Faults: audio that is unreadable, truncated, not that of the manifest, or of two speakers or
    emotions; affect outside of its scale. Warnings: near-silent and clipped clips, other sample
    rates, unknown speakers and emotions, speakers that may be one, sessions in two splits, numbers
    that are not the published ones.

    Faults of a model: files that are missing, lead elsewhere or can run code, weights that are not
    those that were saved, or have NaN, and whatever else keeps it from loading. Of embeddings: a
    run that has not ended, files that are not as they were written, NaN, ids that occur twice.
    """
    kind = _kind(path)
    if kind == "corpus":
        sound = _check_corpus(path, splits, data_folder, as_json)
    elif splits or data_folder:
        raise click.UsageError(f"{path} is no corpus; expected one with --splits, --data_folder.")
    else:
        findings = list((_of_model if kind == "model" else _of_embeddings)(path))
        sound = all(finding.severity == "warning" for finding in findings)
        _tell(path, kind, findings, sound, as_json)
    if not sound:
        raise SystemExit(1)


def _kind(path: Path) -> str:
    """What lies there: corpus, model or embeddings."""
    if path.is_file():
        from emovec.tables.embedding_files import FORMATS

        suffixes = {suffix for known in FORMATS.values() for suffix in known.suffixes}
        return "embeddings" if path.suffix in suffixes else "corpus"
    if (path / "manifest.csv").is_file():
        return "corpus"
    if (path / "extract.json").is_file() or any(path.glob("[0-9]*.done")):
        return "embeddings"
    folder = Path(model_name(str(path)))
    is_model = any((folder / name).is_file() for name in ("config.json", "model.safetensors"))
    return "model" if is_model else "corpus"


def _check_corpus(
    path: Path, splits: Sequence[Path], data_folder: Path | None, as_json: bool
) -> bool:
    from emovec.corpora.checking import check as check_corpus
    from emovec.report.prepared import checked_text

    checked = check_corpus(path, splits, data_folder)
    if as_json:
        print_json({"kind": "corpus", **asdict(checked), "is_sound": checked.is_sound})
    else:
        click.echo(checked_text(checked))
    return checked.is_sound


def _of_model(path: Path) -> Iterator["Finding"]:
    from emovec.corpora.findings import Finding
    from emovec.encoders.store import check_folder

    yield from (Finding("fault", what) for what in check_folder(Path(model_name(str(path)))))


def _of_embeddings(path: Path) -> Iterator["Finding"]:
    import numpy as np

    from emovec.corpora.findings import Finding
    from emovec.tables.embeddings import EmbeddingError

    try:
        table = read_table(path)
    except EmbeddingError as error:
        yield Finding("fault", str(error))
        return
    zero = np.flatnonzero(~table.vectors.any(axis=1)).tolist()
    if zero:
        what = "all numbers are zero: no direction, so that they cannot be compared"
        yield Finding("warning", what, tuple(table.ids[row] for row in zero))
    if table.extraction is None:
        yield Finding("warning", "it does not say by which encoder it was made")
        return
    for what, skips in (
        ("could not be read", table.extraction.failures),
        ("have no embedding", table.extraction.skips),
    ):
        reasons = Counter(skip.reason.splitlines()[0] if skip.reason else "" for skip in skips)
        if skips:
            (reason, _), more = reasons.most_common(1)[0], len(reasons) - 1
            told = f"{what}: {reason}" + (f", and {more} other reasons" if more else "")
            yield Finding("warning", told, tuple(skip.id for skip in skips))


def _tell(path: Path, kind: str, findings: Sequence["Finding"], sound: bool, as_json: bool) -> None:
    from emovec.tables.leaks import listed

    if as_json:
        found: dict[str, Any] = {"kind": kind, "path": str(path), "is_sound": sound}
        print_json({**found, "findings": [asdict(finding) for finding in findings]})
        return
    for finding in findings:
        clips = f"{listed(finding.ids, 'clips')}: " if finding.ids else ""
        click.echo(printable(f"{finding.severity}: {clips}{finding.what}"))
    number = Counter(finding.severity for finding in findings)
    said = f"faults {number['fault']}, warnings {number['warning']}"
    click.echo(printable(f"{path}: {kind}, {'sound' if sound else 'NOT SOUND'}: {said}"))
