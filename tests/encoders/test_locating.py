"""Models by name: folders, what comes with the package, and the hub."""

import subprocess
import sys

import pytest

from emovec.encoders import hub, locating
from emovec.encoders.locating import ModelListing, find_model, shipped
from emovec.encoders.pooling import MeanPooling, StylePooling
from emovec.encoders.store import load_model, save_model
from emovec.errors import ModelError

CARD = """\
# tiny

**Non-commercial use only: trained on demo, licence CC-BY-NC-4.0.**

> **Speakers are shared.**

A pooling of frames. It is small.

## Data

- Corpus: demo
- Licence: CC-BY-NC-4.0
"""


@pytest.fixture
def models(tmp_path, monkeypatch):
    """The models of a package that has two, and a file that is none."""
    folder = tmp_path / "package" / "models"
    save_model(folder / "tiny", StylePooling(4), CARD)
    save_model(folder / "mean", MeanPooling(2), "")
    (folder / "README.md").touch()
    (folder / "__pycache__").mkdir()
    monkeypatch.setattr(locating, "_shipped_folder", lambda: folder)
    return folder


@pytest.fixture
def fetched(monkeypatch, tmp_path):
    """What is asked of the hub."""
    asked = []

    def fetch(repository, revision):
        asked.append((repository, revision))
        return tmp_path / "fetched"

    monkeypatch.setattr(hub, "fetch", fetch)
    return asked


@pytest.mark.parametrize("as_text", [str, lambda path: path])
def test_a_folder(tmp_path, as_text):
    save_model(tmp_path / "model", MeanPooling(2), "")
    assert isinstance(load_model(find_model(as_text(tmp_path / "model"))), MeanPooling)


def test_a_relative_folder(tmp_path, monkeypatch):
    save_model(tmp_path / "runs" / "model@1", MeanPooling(2), "")
    monkeypatch.chdir(tmp_path)
    assert find_model("runs/model@1").resolve() == tmp_path / "runs" / "model@1"


def test_a_model_of_the_package(models):
    assert find_model("tiny") == models / "tiny"
    assert isinstance(load_model(find_model("mean")), MeanPooling)


def test_a_folder_comes_before_the_package(models, tmp_path, monkeypatch):
    (tmp_path / "tiny").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_model("tiny").resolve() == tmp_path / "tiny"


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("org/name@1a2b3c", ("org/name", "1a2b3c")),
        ("my-org/x.vector_2@v1.0", ("my-org/x.vector_2", "v1.0")),
        ("org/name@refs/pr/1", ("org/name", "refs/pr/1")),
        ("org/name@", ("org/name", "")),
    ],
)
def test_the_hub(fetched, tmp_path, name, asked):
    assert find_model(name) == tmp_path / "fetched"
    assert fetched == [asked]


def test_the_hub_without_a_revision(fetched):
    said = r"org/name: no such folder, .* without a revision; .* pins .*org/name/commits/main"
    with pytest.raises(ModelError, match=said):
        find_model("org/name")
    assert fetched == []


def test_an_at_without_a_revision():
    with pytest.raises(ModelError, match="no revision; expected a revision"):
        find_model("org/name@")


@pytest.mark.parametrize(
    "name",
    [
        "nothing",
        "Tiny",
        "tiny/",
        "../tiny",
        "/no/where",
        "a/b/c",
        "a/b/c@1",
        "name@1",
        "@",
        "",
        "README.md",
    ],
)
def test_unknown_names(models, fetched, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path / "package")
    with pytest.raises(ModelError, match=r"no such model; .*\(mean, tiny\), or organisation/name@"):
        find_model(name)
    assert fetched == []


def test_nothing_comes_with_the_package(tmp_path, monkeypatch):
    monkeypatch.setattr(locating, "_shipped_folder", lambda: tmp_path / "models")
    assert shipped() == []
    with pytest.raises(ModelError, match=r"\(none comes with this release\)"):
        find_model("tiny")


def test_a_file_is_no_folder(tmp_path):
    save_model(tmp_path / "model", MeanPooling(2), "")
    with pytest.raises(ModelError, match=r"config\.json: a file; expected a folder"):
        find_model(tmp_path / "model" / "config.json")


def test_what_comes_with_the_package(models):
    size = {
        name: sum(f.stat().st_size for f in (models / name).iterdir()) for name in ("mean", "tiny")
    }
    assert shipped() == [
        ModelListing("mean", size["mean"], "", "mean_pooling", ""),
        ModelListing("tiny", size["tiny"], "CC-BY-NC-4.0", "style_pooling", "A pooling of frames."),
    ]


def test_what_is_being_written_does_not_come_along(models):
    save_model(models / ".mean.a1b2", MeanPooling(2), "")  # of a run that was killed
    assert [listing.name for listing in shipped()] == ["mean", "tiny"]
    with pytest.raises(ModelError, match="does not come with this release"):
        locating.shipped_folder(".mean.a1b2")


def test_the_usual_model_is_that_of_the_package(models, tmp_path, monkeypatch):
    (tmp_path / "tiny").mkdir()
    monkeypatch.chdir(tmp_path)
    assert locating.usual("tiny", "--encoder") == models / "tiny"
    with pytest.raises(ModelError, match=r"'big', does not come with .*\(mean, tiny\).* --encoder"):
        locating.usual("big", "--encoder")


def test_what_really_comes_with_the_package_is_sound():
    for listing in shipped():
        assert listing.licence and listing.summary
        load_model(find_model(listing.name))


def test_listing_needs_no_torch():
    code = (
        "import sys; from emovec.encoders.locating import shipped; shipped(); print(*sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "huggingface_hub"} & set(run.stdout.split())


def test_a_run_s_folder_stands_for_its_model(tmp_path):
    (tmp_path / "run" / "model").mkdir(parents=True)
    (tmp_path / "run" / "model" / "config.json").write_text("{}")
    assert find_model(tmp_path / "run") == tmp_path / "run" / "model"
    (tmp_path / "run" / "config.json").write_text("{}")
    assert find_model(tmp_path / "run") == tmp_path / "run"


@pytest.mark.parametrize("name", ["functionals", "egemaps", "emobase2010"])
def test_functionals_are_no_model(name):
    with pytest.raises(
        ModelError, match=f"'{name}': a set of functionals.* --embeddings=.{name}."
    ) as e:
        find_model(name)
    assert "no such model" not in str(e.value)
