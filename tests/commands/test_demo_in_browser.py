"""The page in a real browser: Debian's Chromium, driven by Playwright.

    apt-get install -y --no-install-recommends chromium && pip install 'emovec[demo]' playwright

The page is served by a process of its own, in which every address that it connects to is written
down. A busy machine without a GPU draws slowly; the limits are for that.
"""

import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile

import emovec

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SOFTWARE = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
LIMIT = 300_000  # milliseconds

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no chromium: apt-get install --no-install-recommends chromium"
    ),
    pytest.mark.skipif(
        not (find_spec("gradio") and find_spec("plotly")),
        reason="no gradio: pip install 'emovec[demo]'",
    ),
]

SERVE = """
import sys
def write_down(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        print("connect", arguments[1][0], file=sys.stderr)
    elif event == "socket.getaddrinfo":
        print("connect", arguments[0], file=sys.stderr)
sys.addaudithook(write_down)
from emovec.cli import main
main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A sound in stereo at 44.1 kHz, silence, and a file that is no audio."""
    folder = tmp_path_factory.mktemp("clips")
    time = np.arange(44100) / 44100
    wave = 0.3 * np.sin(2 * np.pi * 220 * time) * np.sin(2 * np.pi * 3 * time)
    soundfile.write(folder / "sound.wav", np.stack([wave, 0.5 * wave], axis=1), 44100)
    soundfile.write(folder / "silence.wav", np.zeros(16000), 16000)
    (folder / "broken.wav").write_text("<img src=x onerror=alert(1)>")
    return folder


@pytest.fixture(scope="module")
def address(affect_folder, encoder_folder, tmp_path_factory):
    """Where the page is; in the end its process has ended well, called nobody and kept nothing."""
    said, kept = tmp_path_factory.mktemp("said") / "stderr", tmp_path_factory.mktemp("kept")
    models = [f"--model={affect_folder}", f"--encoder={encoder_folder}", "--device=cpu"]
    line = [sys.executable, "-c", SERVE, "demo", *models, "--port=0"]
    environment = {"TMPDIR": str(kept), "GRADIO_ANALYTICS_ENABLED": "True", "PATH": "/usr/bin"}
    with said.open("w") as stderr:
        process = subprocess.Popen(
            line, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment
        )
        try:
            found = process.stdout.readline().strip()
            assert found.startswith("http://127.0.0.1:"), said.read_text()
            yield found
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
    assert process.returncode == 0, said.read_text()
    called = {row.split()[1] for row in said.read_text().splitlines() if row.startswith("connect")}
    assert called <= {"127.0.0.1", "localhost", "None"}
    assert list(kept.glob("emovec-demo-*")) == []


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=SOFTWARE, timeout=LIMIT)
        yield found
        found.close()


@pytest.fixture
def page(browser, address):
    """The page, which neither logs errors nor asks anybody else."""
    found = browser.new_page(viewport={"width": 390, "height": 900})
    found.set_default_timeout(LIMIT)
    faults, requests = [], []

    def read(message):
        if message.type == "error":
            faults.append(message.text)

    found.on("console", read)
    found.on("pageerror", lambda error: faults.append(str(error)))
    found.on("request", lambda request: requests.append(request.url))
    found.goto(address, timeout=LIMIT)
    yield found
    found.close()
    # the player cannot draw what is no audio, and says so
    assert [fault for fault in faults if "Waveform load error" not in fault] == []
    own = (address, f"blob:{address}", "data:")
    assert [url for url in requests if not url.startswith(own)] == []


def give(page, clip: Path) -> None:
    """Drop a file onto the first empty place of the tab that is open."""
    page.locator("[role=tabpanel]:visible input[type=file]").first.set_input_files(clip)


def test_emotion_of_a_clip(page, clips, affect_folder):
    page.wait_for_selector("#sphere .main-svg", state="attached")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    give(page, clips / "sound.wav")
    page.wait_for_selector("#heard .number")
    found = emovec.load(affect_folder, device="cpu").predict(clips / "sound.wav")
    shown = page.locator("#heard .number").all_inner_texts()
    expected = [f"{(value - 4) / 3:+.2f}" for value in (found.valence, found.arousal)]
    assert shown[:2] == expected
    points = "document.querySelector('#sphere .js-plotly-plot').data.length"
    page.wait_for_function(f"{points} === 3")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_what_is_no_audio_is_told(page, clips):
    give(page, clips / "broken.wav")
    told = page.wait_for_selector("#heard .problem").inner_text()
    assert told.startswith("broken.wav: cannot be read")
    assert page.locator("#heard .number").count() == 0


def test_two_voices(page, clips, encoder_folder):
    page.get_by_role("tab", name="Two voices").click()
    for label in ("One voice", "Another, or the same"):
        assert page.get_by_text(label).first.is_visible()
        give(page, clips / "sound.wav")
        page.wait_for_timeout(2000)
    page.wait_for_selector("#alike .large")
    assert page.inner_text("#alike .large") == "1.000"
    assert "does not say whether one person speaks" in page.inner_text("#alike")
