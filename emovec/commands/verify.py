"""``emovec verify``."""

import click

from emovec.commands.shared import (
    MODEL_HELP,
    USUAL_ENCODER_HELP,
    device_option,
    json_option,
    model_name,
    note,
    print_json,
    printable,
    shown,
    stamps,
    usual_encoder,
)


class NoAnswer(click.ClickException):
    """Trouble, which is neither the same nor different; 2 as of cmp and diff."""

    exit_code = 2


@click.command(short_help="How alike the speakers of two files are.")
@click.argument("a")
@click.argument("b")
@click.option("--encoder", help=f"{MODEL_HELP} {USUAL_ENCODER_HELP}")
@click.option("--threshold", type=click.FloatRange(-1, 1), help="Least similarity of one speaker.")
@device_option
@json_option
def verify(
    a: str,
    b: str,
    encoder: str | None,
    threshold: float | None,
    device: str | None,
    as_json: bool,
) -> None:
    """Cosine similarity of the speakers of two audio files, in [-1, 1].

    With --threshold it ends with 0 if the speaker is the same, that is if the similarity reaches
    it, and with 1 if not; without, with 0. Where there is no answer, for example since a file
    cannot be read, it ends with 2, as cmp and diff do. A threshold belongs to one encoder and one
    kind of recordings: `emovec eer-matrix` finds where errors are equal.
    """
    from emovec import api
    from emovec.errors import EmovecError

    try:
        chosen = model_name(encoder) if encoder else usual_encoder()
        name = shown(chosen)
        model = api.load_of_clips(chosen, device=device)
        if not isinstance(model, api.EncoderModel):
            raise NoAnswer(
                f"{name}: predicts affect or emotions, so that its embeddings tell feelings rather "
                "than voices; expected an encoder. Choose one, or compare how two clips feel with "
                "`emovec.similarity(a, b, model=...)` in Python."
            )
        found = api.similarity(a, b, model=model)
    except (EmovecError, OSError, ValueError) as error:
        # of the metric's values an embedding that is zero is left, which has no direction
        where = f"{a}, {b}: " if isinstance(error, ValueError) else ""
        raise NoAnswer(f"{where}{error}") from error
    warnings = stamps(model.card)
    for warning in warnings:
        note(f"warning: {name}: {warning}")
    same = None if threshold is None else found >= threshold
    if as_json:
        facts = {"a": a, "b": b, "encoder": name, "similarity": found}
        print_json({**facts, "threshold": threshold, "same_speaker": same, "warnings": warnings})
    else:
        click.echo(printable(f"{found:.4f}  cosine similarity of {a} and {b}"))
        if same is not None:
            said = "same speaker, from" if same else "different speakers, below"
            click.echo(f"{said} {threshold:g}")
    if same is False:
        raise SystemExit(1)
