"""Prepare a corpus: its manifest, its facts and its splits.

    python recipes/prepare.py ravdess --data_folder=/data/RAVDESS

Reads   the corpus as published (layouts: emovec/corpora/*.py)
Writes  <output_folder>/manifest.csv, corpus.json, splits/<protocol>.csv
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emovec import corpora
from emovec.corpora.folder import OPTIONS, parse_mapping
from emovec.errors import EmovecError
from emovec.tables.manifest import Utterance
from emovec.tables.splits import SPLITS, Assignment, check_splits, write_splits


def main(argv: list[str]) -> None:
    """Prepare a corpus and say what is in it."""
    arguments = parse(argv)
    corpus = corpora.get(arguments.corpus, **options(arguments))
    output = arguments.output_folder or Path("runs/prepare", arguments.corpus)
    protocol = arguments.protocol or next(iter(corpora.protocols(corpus)))
    shares_speakers = corpora.protocol(corpus, protocol).shares_speakers
    prepared = corpora.prepare(
        corpus, arguments.data_folder, output, allow_partial=arguments.allow_partial
    )
    assignments = corpora.assign(corpus, protocol, prepared.utterances, arguments.seed)
    warnings = check_splits(prepared.utterances, assignments, shares_speakers)
    write_splits(output / "splits" / f"{protocol}.csv", assignments)

    info = prepared.info
    hours = sum(u.duration for u in prepared.utterances) / 3600
    source = f"affect {info.affect_source}" if info.affect_source else "no affect"
    print(
        f"{info.name}: {info.utterances} clips, {info.speakers} speakers, {hours:.2f} h, {source}"
    )
    print(counts(prepared.utterances, assignments, protocol))
    print(f"audio in {prepared.root}, tables in {output}")
    for skip in info.skipped:
        print(f"skipped: {skip.id}: {skip.reason}")
    for warning in (*info.warnings, *warnings):
        print(f"warning: {warning}")


def parse(argv: list[str]) -> argparse.Namespace:
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", help=", ".join(corpora.names()))
    parser.add_argument("--data_folder", type=Path, help="where the corpus lies")
    parser.add_argument("--output_folder", type=Path, help="default: runs/prepare/CORPUS")
    parser.add_argument("--protocol", help="of the splits; default: the corpus' first")
    parser.add_argument("--seed", type=int, default=0, help="of the splits")
    parser.add_argument("--allow_partial", action="store_true", help="leave out what is missing")
    parser.add_argument("--release", help="of a corpus whose releases differ")
    parser.add_argument("--labels", type=Path, help="folder: table of labels")
    parser.add_argument("--columns", type=parse_mapping, help="folder: '{ours: theirs, ...}'")
    parser.add_argument("--emotions", type=parse_mapping, help="folder: '{theirs: ours, ...}'")
    parser.add_argument("--affect_scale", type=scale, help="folder: lowest,highest value")
    return parser.parse_args(argv)


def options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Options of the corpus that are given."""
    given = {name: getattr(arguments, name) for name in (*OPTIONS, "release")}
    return {name: value for name, value in given.items() if value is not None}


def scale(text: str) -> tuple[float, float]:
    """Lowest and highest value of affect."""
    low, high = map(float, text.split(","))
    return low, high


def counts(utterances: list[Utterance], assignments: list[Assignment], protocol: str) -> str:
    """Clips and speakers by split and emotion in the first fold, as a table."""
    split_of = {row.id: row.split for row in assignments if row.fold == 0}
    placed = [u for u in utterances if u.id in split_of]
    folds = len({row.fold for row in assignments})
    number = Counter((u.emotion, split_of[u.id]) for u in placed)
    lines: list[tuple[str, Sequence[object]]] = [(f"{protocol}, fold 1 of {folds}", SPLITS)]
    for emotion in sorted({u.emotion for u in placed}):
        lines.append((emotion or "(not known)", [number[emotion, split] for split in SPLITS]))
    of = {split: [u for u in placed if split_of[u.id] == split] for split in SPLITS}
    lines.append(("all clips", [len(of[split]) for split in SPLITS]))
    lines.append(("speakers", [len({u.speaker for u in of[split]}) for split in SPLITS]))
    return "\n".join(f"  {name:36}" + "".join(f"{cell:>8}" for cell in row) for name, row in lines)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except EmovecError as error:
        sys.exit(str(error))
