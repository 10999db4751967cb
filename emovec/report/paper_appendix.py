"""What stands below a paper's tables of classifiers: numbers of clips, confusion matrices."""

import csv
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from emovec.errors import StorageError
from emovec.report.cells import count_cell, table
from emovec.report.frozen_files import read_clips
from emovec.report.paper_runs import Run
from emovec.tables.files import write_atomically
from emovec.tables.results import ResultError

COUNTS = {
    "given": "clips of the protocol",
    "embedded": "of these, with an embedding",
    "train": "of each class to train on",
    "test": "of each class to test on",
}


def appendix(published: Mapping[str, Mapping[str, int]], runs: Sequence[Run], folder: Path) -> str:
    """Sections about all runs of recipes/ser/frozen.py that are complete, the first seed of each.

    Args:
        published: numbers of clips by corpus, with the keys of ``COUNTS``
        runs: of all variants
        folder: for figures/, to which the pictures of the confusion matrices are copied

    Raises:
        ResultError, StorageError: if a run's tables or figures cannot be read or copied
    """
    first: dict[str, Run] = {}
    for run in runs:
        if run.variant not in first and run.result() is not None:
            first[run.variant] = run
    if not first:
        return ""
    rows = [row for run in first.values() for row in _count_rows(run, published)]
    header = ["variant", "clips", "found", "published", "verdict"]
    parts = ["\n## Clips\n", table(header, rows), "## Confusion matrices\n"]
    parts.append("Rows are true, columns predicted; the first seed of each variant.\n")
    for run in first.values():
        matrix = confusion_table(run.folder / "predictions.csv")
        pictures = ", ".join(f"`{name}`" for name in _copied_figures(run, folder))
        parts += [f"### {run.variant}\n", matrix, f"Pictures: {pictures}.\n"]
    return "\n".join(parts)


def _count_rows(run: Run, published: Mapping[str, Mapping[str, int]]) -> Iterator[list[str]]:
    """Ours beside the published numbers of the same corpus."""
    corpus = str(run.hparams["corpus"])
    found = found_counts(run.folder / "clips.csv")
    for name, label in COUNTS.items():
        expected = published.get(corpus, {}).get(name)
        cell = "" if expected is None else str(expected)
        yield [run.variant, label, count_cell(found[name]), cell, verdict(found[name], expected)]


def found_counts(path: Path) -> dict[str, list[int]]:
    """Clips of a run with the keys of ``COUNTS``: of a fold in all, and of each class and fold.

    Raises:
        StorageError: if the file cannot be read
    """
    folds = read_clips(path).values()
    found: dict[str, list[int]] = {
        "given": [sum(count.given for count in counts) for counts in folds],
        "embedded": [sum(count.embedded for count in counts) for counts in folds],
    }
    for split in ("train", "test"):
        found[split] = [count.used for counts in folds for count in counts if count.split == split]
    return found


def verdict(found: Sequence[int], published: int | None) -> str:
    """What is to be said of numbers beside the published one.

    >>> verdict([720, 720], 720), verdict([715], 720), verdict([320, 340], 320)
    ('as published', '5 fewer', '0 to 20 more')
    """
    if published is None:
        return "none published"
    differences = sorted({number - published for number in found})
    if differences == [0]:
        return "as published"
    if differences[0] < 0 < differences[-1]:
        return f"{-differences[0]} fewer to {differences[-1]} more"
    word = "more" if differences[-1] > 0 else "fewer"
    return f"{count_cell(abs(number) for number in differences)} {word}"


def confusion_table(path: Path) -> str:
    """Confusion matrix of a run's predictions, with the share of each class that is found.

    Raises:
        ResultError: if the file cannot be read
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            counts = Counter((row["true"], row["predicted"]) for row in csv.DictReader(file))
    except (OSError, KeyError) as error:
        raise ResultError(
            f"{path}: {type(error).__name__} ({error}); expected rows of true and predicted. "
            "Remove the run's folder, to run it again."
        ) from error
    classes = sorted({name for pair in counts for name in pair})
    rows = []
    for true in classes:
        numbers = [counts[true, said] for said in classes]
        share = f"{counts[true, true] / sum(numbers):.3f}" if sum(numbers) else ""
        rows.append([true, *map(str, numbers), share])
    return table(["true", *classes, "found"], rows)


def _copied_figures(run: Run, folder: Path) -> list[str]:
    """Names below the folder of a run's confusion matrices."""
    names = []
    for figure in sorted((run.folder / "figures").glob("*_confusion.png")):
        name = f"figures/{run.variant.replace('/', '_')}_{figure.name}"
        try:
            with figure.open("rb") as source, write_atomically(folder / name, "wb") as target:
                shutil.copyfileobj(source, target)
        except OSError as error:
            raise StorageError(
                f"{figure}: cannot be copied to {folder / name}: {error}; expected a file. "
                "Remove the run's folder, to run it again."
            ) from error
        names.append(name)
    return names
