"""The ``emovec`` command, whose subcommands import what they need when they run: help is instant.

Ends with 0 where all is well, 1 where something is not, and 2 where the command line is wrong.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from emovec import __version__
from emovec.errors import EmovecError


class _Commands(click.Group):
    """Subcommands whose errors are told without a traceback."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except EmovecError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Speaker and emotion embeddings in the x-vector style."""


def _mapping(_context: click.Context, _option: click.Parameter, text: str) -> dict[str, Any]:
    """A mapping as in an hparams file."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        found = YAML(typ="safe").load(text)
    except YAMLError:
        found = None
    if not (isinstance(found, dict) and all(isinstance(key, str) for key in found)):
        raise click.BadParameter(f"found '{text}'; expected '{{key: value, ...}}'.")
    return found


@main.command()
@click.argument("name")
@click.option("--data_folder", type=click.Path(path_type=Path), help="Where the corpus lies.")
@click.option("--output", type=click.Path(path_type=Path), help="Default: runs/prepare/NAME.")
@click.option("--protocol", help="Of the splits. Default: the corpus' own for all its emotions.")
@click.option("--seed", default=0, type=click.IntRange(min=0), help="Of a protocol that draws.")
@click.option("--allow_partial", is_flag=True, help="Leave out what is missing, and list it.")
@click.option("--allow_leak", is_flag=True, help="Write splits that leak, and say so.")
@click.option("--describe", is_flag=True, help="Show the corpus' card, and write it with figures.")
@click.option(
    "--corpus_options",
    default="{}",
    callback=_mapping,
    help="As in an hparams file, such as '{release: \"1.11\"}'.",
)
def prepare(
    name: str,
    data_folder: Path | None,
    output: Path | None,
    protocol: str | None,
    seed: int,
    allow_partial: bool,
    allow_leak: bool,
    describe: bool,
    corpus_options: dict[str, Any],
) -> None:
    """Prepare a corpus: its manifest, its facts and its splits.

    NAME is of a corpus in its published layout; or manifest, folder, emobox, audformat; or demo,
    which is made. Writes manifest.csv, corpus.json, measurements.csv and splits/PROTOCOL.csv.
    """
    from emovec import corpora
    from emovec.report.prepared import corpus_facts_text, prepared_text, split_text

    corpus = corpora.get(name, **corpus_options)
    if describe and data_folder is None and not corpus.make:
        click.echo(corpus_facts_text(corpus))
        return
    output = output or Path("runs/prepare", name)
    corpus, root = corpora.locate(corpus, data_folder, output)
    way = protocol or corpora.default_protocol(corpus)
    corpora.protocol(corpus, way)  # a misspelt one is told before hours of measuring
    prepared = corpora.prepare(corpus, root, output, allow_partial=allow_partial)
    if describe:
        from emovec.report.corpus_card import corpus_card, write_corpus_card

        described = (prepared.info, prepared.utterances, corpus.homepage)
        write_corpus_card(output, *described)
        click.echo(corpus_card(*described))
    click.echo(prepared_text(prepared, output))
    for warning in corpora.write_official_trials(corpus, prepared, output, allow_partial):
        click.echo(f"warning: {warning}")
    if prepared.info.speakers or protocol:
        split, said = corpora.write_split(corpus, way, prepared, output, seed, allow_leak)
        click.echo(split_text(way, split, said, prepared.info.name))
    else:
        click.echo("no speakers: no splits")


@main.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--splits",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A splits file; may be given again. Default: all in splits/ beside the manifest.",
)
@click.option(
    "--data_folder",
    type=click.Path(path_type=Path),
    help="Where the audio lies. Default: where it was prepared from, else beside the manifest.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs, with all ids.")
def check(path: Path, splits: Sequence[Path], data_folder: Path | None, as_json: bool) -> None:
    """Check whether a corpus and its splits can be trusted; ends with 1 if not.

    PATH is a manifest, or a folder with manifest.csv. Leaks: a speaker, the same audio or
    overlapping parts of a file in two splits. Faults: audio that is unreadable, truncated, not that
    of the manifest, or of two speakers or emotions; affect outside of its scale. Warnings:
    near-silent and clipped clips, other sample rates, unknown speakers and emotions, speakers that
    may be one, sessions in two splits, numbers that are not the published ones.
    """
    from emovec.corpora.checking import check as check_corpus
    from emovec.report.prepared import checked_text

    checked = check_corpus(path, splits, data_folder)
    if as_json:
        found = {**asdict(checked), "is_sound": checked.is_sound}
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        click.echo(checked_text(checked))
    if not checked.is_sound:
        raise SystemExit(1)
