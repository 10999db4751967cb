"""``emovec prepare``."""

from pathlib import Path
from typing import Any

import click

from emovec.commands.shared import PATH


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


@click.command()
@click.argument("name")
@click.option("--data_folder", type=PATH, help="Where the corpus lies.")
@click.option("--output", type=PATH, help="Default: runs/prepare/NAME.")
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
