"""``emovec models``."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import click

from emovec.commands.shared import json_option, print_json, table_lines

# Bytes of the published weights, 4 a parameter
_WEIGHTS = {"ecapa": 83_070_208, "resnet": 61_753_344, "xvector": 16_846_416}
_HUB = """\
Further ones: the folder of a model, or of the run that trained it; and of the Hugging Face hub
organisation/name@revision, with the commit as the revision, which `model.push_to_hub` returns."""


@dataclass(frozen=True)
class Row:
    """Something that makes embeddings or predictions.

    Attributes:
        name: to load it by
        kind: its class in the registry, or functionals
        bytes: of its weights; None: it has none
        licence: of weights or library; empty: see its card
        source: where it comes from
        use: who takes the name
        summary: what it is
    """

    name: str
    kind: str
    bytes: int | None
    licence: str
    source: str
    use: str
    summary: str


@click.command(short_help="What can be loaded: size, licence, where from.")
@json_option
def models(as_json: bool) -> None:
    """What can be loaded by name, with size, licence and where it comes from.

    The weights of SpeechBrain are fetched when they are first used; nothing is fetched here.
    """
    rows = [*_shipped(), *_functionals(), *_pretrained()]
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    lines = [
        {
            "name": row.name,
            "size": "-" if row.bytes is None else f"{row.bytes / 1e6:.1f} MB",
            "licence": row.licence or "not known",
            "from": _short(row.source),
        }
        for row in rows
    ]
    for line in table_lines(lines):
        click.echo(line)
    for use in dict.fromkeys(row.use for row in rows):
        names = [row.name for row in rows if row.use == use]
        click.echo(f"\n{', '.join(names)}:\n  {use}")
    click.echo(f"\n{_HUB}")


def _short(source: str) -> str:
    """An address of the hub without its long revision, which --json has."""
    return source.removeprefix("https://").partition("/tree/")[0]


def _shipped() -> Iterator[Row]:
    from emovec.encoders.locating import shipped

    for found in shipped():
        facts = (found.name, found.kind, found.size, found.licence, "this package")
        yield Row(*facts, f"emovec.load(name), --encoder, --model: {found.summary}", found.summary)


def _functionals() -> Iterator[Row]:
    from emovec.audio import functionals, opensmile

    use = "--embeddings=[name] of recipes/ser/frozen.py and recipes/verification/eer_matrix.py"
    ours = f"{len(functionals.NAMES)} statistics of pitch, loudness and spectrum of a clip"
    yield Row("functionals", "functionals", None, "Apache-2.0", "this package", use, ours)
    for name, published in opensmile.FEATURE_SETS.items():
        said = f"functionals {published} of openSMILE"
        terms = ("for research only", "openSMILE: pip install 'emovec[opensmile]'")
        yield Row(name, "functionals", None, *terms, use, said)


def _pretrained() -> Iterator[Row]:
    from emovec.encoders.foreign import MODELS

    use = "emovec.load(name), --encoder"
    for name, published in MODELS.items():
        source = f"https://huggingface.co/{published.repository}/tree/{published.revision}"
        size = published.options["lin_neurons"]
        said = f"SpeechBrain's {name}: speaker embeddings of {size} numbers, trained on VoxCeleb"
        facts = ("speechbrain", _WEIGHTS[name], "Apache-2.0", source)
        yield Row(published.repository, *facts, use, said)
