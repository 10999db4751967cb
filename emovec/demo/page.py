"""The page: gradio, told to keep to itself.

It asks nothing of any other machine and tells none: no analytics, no shared link, no fonts of
others. Clips lie in a folder of this process for a few minutes, and the folder goes with it.
"""

import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from importlib.util import find_spec
from tempfile import TemporaryDirectory
from typing import Any

from emovec import api
from emovec.demo import hearing, words
from emovec.demo.figure import sphere_figure
from emovec.errors import AudioError, HparamError

KEPT_SECONDS = 600
LARGEST = "200mb"
PRIVACY = (
    f"Clips are heard on the machine that serves this page, and deleted after {KEPT_SECONDS // 60} "
    "minutes or when it stops; nothing is sent to anybody else."
)
# before gradio is imported, and whatever the user's environment says
_QUIET = {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_RUN_HISTORY": "False"}
_STOPS = (signal.SIGINT, signal.SIGTERM)
_FONTS = {"font": ("system-ui", "sans-serif"), "font_mono": ("ui-monospace", "monospace")}


@dataclass(frozen=True, eq=False)
class Demo:
    """What the page shows.

    Attributes:
        predictor: of affect or emotions
        predictor_name: for people
        encoder: of voices
        encoder_name: likewise
        warnings: what everybody must know of them first
    """

    predictor: hearing.Predictor
    predictor_name: str
    encoder: api.EncoderModel
    encoder_name: str
    warnings: Sequence[str] = ()

    @property
    def has_affect(self) -> bool:
        """Whether there is something to draw on the sphere."""
        return isinstance(self.predictor, api.AffectPredictor)


def require() -> None:
    """Stop if the extra is not installed.

    Raises:
        HparamError: if it is not
    """
    for package in ("gradio", "plotly"):
        if find_spec(package) is None:
            raise HparamError(
                f"demo: {package} is not installed; run `pip install 'emovec[demo]'`."
            )


def serve(demo: Demo, host: str, port: int, ready: Callable[[str], object]) -> None:
    """Serve the page until Ctrl-C or SIGTERM.

    Gradio's own ``launch`` asks its page for an answer, and fails behind a proxy or on a machine
    that is busy; here the page is handed to the server that gradio itself uses.

    Args:
        demo: what it shows
        host: name or address to listen on
        port: likewise; 0: any that is free
        ready: is called with the page's address once it can be opened

    Raises:
        HparamError: if the extra is missing, or nothing can listen there
    """
    require()
    os.environ.update(_QUIET)
    with _listening(host, port) as listener, TemporaryDirectory(prefix="emovec-demo-") as clips:
        os.environ["GRADIO_TEMP_DIR"] = clips
        app = _app(build(demo))
        import uvicorn

        config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1)
        name = f"[{host.strip('[]')}]" if ":" in host else host
        ready(f"http://{name}:{listener.getsockname()[1]}")
        with _outliving_signals():
            uvicorn.Server(config).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        HparamError: if it cannot
    """
    address = (host.strip("[]"), port)
    try:
        family = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server(address, family=family)
    except OSError as error:
        raise HparamError(
            f"{host}, port {port}: {error.strerror}; expected an address of this machine and a "
            "free port. Choose others with --host and --port."
        ) from error


@contextmanager
def _outliving_signals() -> Iterator[None]:
    """Whoever is told to stop goes on behind this block, and so deletes the clips.

    The server stops on both signals, and then raises them again.
    """
    before = {number: signal.signal(number, lambda *_: None) for number in _STOPS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _app(blocks: Any) -> Any:
    """What the server is to serve."""
    import gradio
    from fastapi import FastAPI

    return gradio.mount_gradio_app(
        FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        blocks,
        path="/",
        theme=gradio.themes.Base(**_FONTS),
        css=words.CSS,
        footer_links=[],
        max_file_size=LARGEST,
        ssr_mode=False,
        mcp_server=False,
        enable_monitoring=False,
    )


def build(demo: Demo) -> Any:
    """The page as gradio's Blocks."""
    import gradio

    with gradio.Blocks(
        title="emovec demo", analytics_enabled=False, delete_cache=(60, KEPT_SECONDS)
    ) as blocks:
        gradio.HTML(_head(demo))
        with gradio.Tab("Emotion"):
            _emotion_tab(gradio, demo)
        with gradio.Tab("Two voices"):
            _voices_tab(gradio, demo)
        gradio.HTML(f'<footer class="answer"><p class="small">{PRIVACY}</p></footer>')
    return blocks


def _emotion_tab(gradio: Any, demo: Demo) -> None:
    def heard(clip: str | None) -> list[Any]:
        affect: dict[str, float] = {}
        if clip is None:
            text = words.NO_CLIP
        else:
            try:
                answer = hearing.hear(demo.predictor, clip)
                affect, text = answer.affect, words.heard(answer)
            except AudioError as error:
                text = words.problem(hearing.told(error, clip))
        return [text, *([_figure(affect)] if demo.has_affect else [])]

    with gradio.Row():
        with gradio.Column():
            clip = _audio(gradio, "A clip")
            answer = gradio.HTML(words.NO_CLIP, elem_classes="answer", elem_id="heard")
        outputs = [answer]
        if demo.has_affect:
            with gradio.Column():
                outputs.append(gradio.Plot(_figure({}), show_label=False, elem_id="sphere"))
    clip.change(heard, clip, outputs, api_visibility="private")


def _voices_tab(gradio: Any, demo: Demo) -> None:
    rates = hearing.error_rates(demo.encoder.card)

    def compared(a: str | None, b: str | None) -> str:
        if a is None or b is None:
            return words.NO_PAIR
        try:
            return words.alike(hearing.likeness(demo.encoder, a, b), rates)
        except AudioError as error:
            return words.problem(hearing.told(error, a, b))

    with gradio.Row():
        pair = [_audio(gradio, "One voice"), _audio(gradio, "Another, or the same")]
    answer = gradio.HTML(words.NO_PAIR, elem_classes="answer", elem_id="alike")
    gradio.on([clip.change for clip in pair], compared, pair, answer, api_visibility="private")


def _audio(gradio: Any, label: str) -> Any:
    """Where a clip is recorded or dropped; our own code reads the file."""
    return gradio.Audio(
        sources=["upload", "microphone"], type="filepath", label=label, editable=False, buttons=[]
    )


def _figure(affect: dict[str, float]) -> Any:
    from plotly.graph_objects import Figure

    drawing = sphere_figure(affect)
    return Figure(data=drawing["data"], layout=drawing["layout"])


def _head(demo: Demo) -> str:
    """Title, what listens, and what must be known of it."""
    warnings = "".join(f'<p class="problem">{escape(text)}</p>' for text in demo.warnings)
    names = f"{escape(demo.predictor_name)} hears emotion, {escape(demo.encoder_name)} voices."
    return f'<header class="answer"><h1>emovec</h1><p>{names}</p>{warnings}</header>'
