"""``emovec eer-matrix``: of a table of embeddings what recipes/verification/eer_matrix.py tells."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from emovec.commands.shared import PATH, json_option, note, print_json, read_table

if TYPE_CHECKING:
    from emovec.commands.labelled import Labelled
    from emovec.metrics.pair_cells import PairMatrix
    from emovec.tables.embeddings import EmbeddingError
    from emovec.tables.results import RunFacts


@click.command("eer-matrix")
@click.argument("embeddings", type=PATH)
@click.option("--output", required=True, type=PATH, help="Folder for tables and figures.")
@click.option(
    "--manifest",
    type=PATH,
    help="Who speaks, in which emotion. Default: the embeddings' own columns.",
)
@click.option("--all_genders", is_flag=True, help="Pair clips of different genders as well.")
@click.option(
    "--texts",
    default="any",
    type=click.Choice(["any", "same", "different"]),
    help="Pair clips of the same text only, or never.",
)
@click.option("--reference", default="neutral", help="Emotion whose cell sets a threshold.")
@click.option("--centre", default=False, type=bool, help="Subtract the mean.", show_default=True)
@click.option(
    "--standardise",
    default=False,
    type=bool,
    help="Divide numbers by their deviation.",
    show_default=True,
)
@click.option(
    "--drop_emotion",
    "drop_emotions",
    multiple=True,
    default=["no_agreement", "other"],
    show_default=True,
    help="Leave its clips out; may be given again.",
)
@click.option("--draws", default=1000, type=click.IntRange(min=0), help="0: no intervals.")
@click.option("--intervals", default="auto", type=click.Choice(["auto", "bootstrap", "jackknife"]))
@click.option("--seed", default=1, type=click.IntRange(min=0), help="Of the intervals.")
@click.option("--allow_partial", is_flag=True, help="Take what there is of an unfinished folder.")
@json_option
def eer_matrix(
    embeddings: Path,
    output: Path,
    manifest: Path | None,
    allow_partial: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Equal error rate of every pair of emotions.

    EMBEDDINGS is a folder of shards or a file, as `emovec extract` and `emovec export` write them,
    with one embedding a clip. Every clip is tried against every other one. Writes eer_matrix.csv,
    det.csv, scores.csv, summary.txt, figures/ and result.json, which --json prints.
    """
    from emovec.commands.labelled import label
    from emovec.report.pair_run import PairRun, write_pair_run

    started = datetime.now(timezone.utc)
    hparams = {"embeddings": [str(embeddings)], "manifest": manifest and str(manifest), **options}
    hparams |= {"method": "cosine", "drop_emotions": list(options["drop_emotions"])}
    _check_output(output, hparams)
    table = read_table(embeddings, allow_partial=allow_partial)
    clips = label(table, embeddings, manifest, options["drop_emotions"])
    matrix, score = _measure(clips, embeddings, options)
    seconds = {clips.corpus: [u.duration for u in clips.utterances]} if manifest else {}
    run = PairRun(matrix, score, seconds, tuple(clips.skipped), tuple(clips.warnings))
    write_pair_run(run, _facts(clips, hparams, started), output)
    if as_json:
        print_json(json.loads((output / "result.json").read_bytes()))
    else:
        click.echo((output / "summary.txt").read_text(encoding="utf-8"), nl=False)
        note(f"written to {output}: result.json, eer_matrix.csv, summary.txt, figures/")


def _check_output(output: Path, hparams: Mapping[str, Any]) -> None:
    """Raise where a folder holds a run of other settings, which would be lost."""
    from emovec.errors import StorageError
    from emovec.tables.results import differing_hparams, read_result

    path = output / "result.json"
    other = differing_hparams(read_result(path).run.hparams, hparams) if path.is_file() else []
    if other:
        raise StorageError(
            f"{output}: holds a run with other {other}; expected the same settings, or no run. "
            "Choose another --output, or remove that run."
        )


def _measure(
    clips: "Labelled", source: Path, options: Mapping[str, Any]
) -> tuple["PairMatrix", str]:
    """The matrix, and what a score is."""
    from emovec.backends.pair_rules import PairRules
    from emovec.backends.scoring import Scoring
    from emovec.metrics.pair_blocks import ALONE

    if not options["all_genders"] and not any(u.gender for u in clips.utterances):
        raise click.UsageError(
            f"{source}: no gender is known; expected a column 'gender', of the embeddings or of "
            "--manifest. Or pass --all_genders."
        )
    scoring = Scoring(centre=options["centre"], standardise=options["standardise"])
    rules = PairRules(
        same_gender=not options["all_genders"],
        **{name: options[name] for name in ("texts", "reference", "draws", "intervals", "seed")},
    )
    try:
        scores = scoring.scores(clips.embeddings.vectors)
        matrix = rules.matrix(scores, clips.utterances, ALONE)
    except ValueError as error:
        raise _with_ids(error, source, clips.embeddings.ids) from error
    return matrix, scoring.describe


def _with_ids(error: ValueError, source: Path, ids: Sequence[str]) -> "EmbeddingError":
    """The error of a metric, which knows rows only, with ids in their place."""
    from emovec.tables.embeddings import EmbeddingError

    def names(found: re.Match[str]) -> str:
        return f"embeddings {[ids[int(row)] for row in found[1].split(',')]}"

    return EmbeddingError(f"{source}: {re.sub(r'embeddings .([0-9, ]+).', names, str(error))}")


def _facts(clips: "Labelled", hparams: Mapping[str, Any], started: datetime) -> "RunFacts":
    from emovec.corpora.pair_selection import PROTOCOL, all_pairs_line
    from emovec.tables.results import run_facts
    from emovec.tables.splits import manifest_hash

    return run_facts(
        ["-m", "emovec.cli", *sys.argv[1:]],
        hparams,
        seed=hparams["seed"],
        started=started,
        device="cpu",
        manifest_hash=manifest_hash(clips.utterances),
        corpus=clips.corpus,
        affect_source=None,
        protocol=PROTOCOL,
        split_hash=all_pairs_line(clips.corpus, clips.utterances),
        shares_speakers=False,
        leaks=(),
    )
