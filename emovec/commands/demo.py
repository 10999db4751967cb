"""``emovec demo``."""

import click

from emovec.commands.shared import (
    MODEL_HELP,
    USUAL_ENCODER_HELP,
    device_option,
    model_name,
    note,
    shown,
    stamps,
    usual_encoder,
)


@click.command(short_help="A local page: record or drop a clip.")
@click.option("--model", help=f"{MODEL_HELP} Default: affect-small, which comes along.")
@click.option("--encoder", help=f"Of voices; likewise. {USUAL_ENCODER_HELP}")
@click.option("--host", default="127.0.0.1", show_default=True, help="To listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=7860,
    show_default=True,
    help="To listen on; 0: any that is free.",
)
@device_option
def demo(model: str | None, encoder: str | None, host: str, port: int, device: str | None) -> None:
    """A local page on which to record or drop clips, until Ctrl-C.

    It shows valence, arousal and dominance of a clip on the affect sphere, its emotions, and how
    alike the voices of two clips are. Only this machine can open it, unless --host says otherwise;
    it needs no network, and keeps no clip.

    Needs gradio: pip install 'emovec[demo]'.
    """
    from emovec import api
    from emovec.demo import page
    from emovec.encoders.locating import USUAL_PREDICTOR, usual

    page.require()
    feels = model_name(model) if model else usual(USUAL_PREDICTOR, "--model")
    predictor = api.load_of_clips(feels, device=device)
    if not isinstance(predictor, api.AffectPredictor | api.EmotionPredictor):
        raise click.UsageError(
            f"--model={shown(feels)} holds an encoder, which predicts nothing; expected a model of "
            "affect or emotions. Give it as --encoder."
        )
    speaks = model_name(encoder) if encoder else usual_encoder(talk=False)
    voices = api.load_of_clips(speaks, device=device)
    if not isinstance(voices, api.EncoderModel):
        raise click.UsageError(
            f"--encoder={shown(speaks)} predicts affect or emotions, so that its embeddings tell "
            "feelings rather than voices; expected an encoder. Give it as --model."
        )
    warnings = [f"{shown(feels)}: {text}" for text in stamps(predictor.card)]
    warnings += [f"{shown(speaks)}: {text}" for text in stamps(voices.card)]
    for warning in warnings:
        note(f"warning: {warning}")
    if not _is_loopback(host):
        note(
            f"warning: --host={host}: anyone in the network can open the page, and what they send "
            "can be overheard. Browsers let only pages of their own machine or of https record."
        )
    shows = page.Demo(predictor, shown(feels), voices, shown(speaks), warnings)
    page.serve(shows, host, port, ready=_tell)


def _tell(url: str) -> None:
    click.echo(url)
    note("Ctrl-C ends it.")


def _is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address.

    >>> [_is_loopback(host) for host in ("localhost", "127.0.0.9", "[::1]", "0.0.0.0", "pc.lan")]
    [True, True, True, False, False]
    """
    import ipaddress

    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
