"""The page's command, up to where the page is served."""

from pathlib import Path

import pytest

from emovec.commands import demo as command
from emovec.demo import page


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """What would be served; nothing is, and gradio need not be there."""
    calls = []

    def serve(shown, host, port, ready):
        calls.append((shown, host, port))
        ready(f"http://{host}:{port}")

    monkeypatch.setattr(page, "require", lambda: None)
    monkeypatch.setattr(page, "serve", serve)
    return calls


@pytest.fixture
def models(affect_folder: Path, encoder_folder: Path) -> list[str]:
    return [f"--model={affect_folder}", f"--encoder={encoder_folder}", "--device=cpu"]


@pytest.mark.parametrize("missing", ["gradio", "plotly"])
def test_without_the_extra(emovec, monkeypatch, missing):
    monkeypatch.setattr(page, "find_spec", lambda name: None if name == missing else object())
    done = emovec("demo")
    assert (done.exit_code, done.stdout) == (1, "")
    expected = f"Error: demo: {missing} is not installed; run `pip install 'emovec[demo]'`.\n"
    assert done.stderr == expected


def test_only_this_machine_by_default(emovec, served, models, affect_folder, encoder_folder):
    done = emovec("demo", *models)
    assert (done.exit_code, done.stdout) == (0, "http://127.0.0.1:7860\n")
    [(shown, host, port)] = served
    assert (host, port) == ("127.0.0.1", 7860)
    assert (shown.predictor_name, shown.encoder_name) == (str(affect_folder), str(encoder_folder))
    assert shown.has_affect
    assert shown.warnings == [f"{affect_folder}: Synthetic demonstration: never evidence."]
    assert shown.warnings[0] in done.stderr and "network" not in done.stderr


@pytest.mark.parametrize(
    ("host", "warned"),
    [
        ("0.0.0.0", True),
        ("192.168.0.7", True),
        ("::", True),
        ("pc.example", True),
        ("localhost", False),
        ("127.0.0.2", False),
        ("::1", False),
    ],
)
def test_other_hosts_are_warned_of(emovec, served, models, host, warned):
    done = emovec("demo", *models, "--host", host, "--port=8000")
    assert done.exit_code == 0
    assert served[0][1:] == (host, 8000)
    assert ("anyone in the network can open the page" in done.stderr) == warned


def test_models_in_the_wrong_place(emovec, served, affect_folder, encoder_folder):
    done = emovec("demo", "--model", encoder_folder, "--encoder", encoder_folder)
    assert done.exit_code == 2
    assert "holds an encoder, which predicts nothing" in done.stderr
    done = emovec("demo", "--model", affect_folder, "--encoder", affect_folder)
    assert done.exit_code == 2
    assert "feelings rather than voices" in " ".join(done.stderr.split())
    assert served == []


def test_a_port_that_is_taken():
    with page._listening("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(page.HparamError, match=rf"127\.0\.0\.1, port {port}: .* --port"):
            page._listening("127.0.0.1", port)
    with pytest.raises(page.HparamError, match="address of this machine"):
        page._listening("192.0.2.1", 0)  # RFC 5737: nobody's


def test_loopback():
    assert command._is_loopback("[::1]")
    assert not command._is_loopback("")
