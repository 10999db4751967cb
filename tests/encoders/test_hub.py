"""The Hugging Face hub, by a stub of its client: nothing here needs a network."""

import hashlib
import inspect
from fnmatch import fnmatch
from types import SimpleNamespace

import huggingface_hub
import pytest
import torch
from huggingface_hub import utils
from ruamel.yaml import YAML

from emovec.encoders.hub import FILES, fetch, push_to_hub
from emovec.encoders.pooling import StylePooling
from emovec.encoders.store import load_model, save_model
from emovec.errors import ModelError

NAME = "org/style"
CARD = "# A pooling\n\nOf frames.\n\n## Data\n\n- Licence: CC BY-NC-SA 4.0\n"


class Hub:
    """Repositories in memory, with the calls of huggingface_hub that we make."""

    def __init__(self, cache):
        self.cache = cache
        self.private = {}
        self.commits = {}  # (repository, revision) -> {path: content}
        self.calls = []

    def create_repo(self, repo_id, *, private, exist_ok):
        self.calls.append("create_repo")
        if repo_id in self.private and not exist_ok:
            raise ValueError(f"{repo_id} exists")
        self.private.setdefault(repo_id, private)

    def create_commit(self, repo_id, operations, *, commit_message):
        self.calls.append("create_commit")
        assert repo_id in self.private and commit_message
        files = {}
        for operation in operations:
            with operation.as_file() as file:
                files[operation.path_in_repo] = file.read()
        oid = hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
        self.commits[repo_id, oid] = files
        return SimpleNamespace(oid=oid)

    def snapshot_download(self, repo_id, *, revision, allow_patterns):
        self.calls.append((repo_id, revision, tuple(allow_patterns)))
        root = self.cache / f"models--{repo_id.replace('/', '--')}"
        folder, blobs = root / "snapshots" / revision, root / "blobs"
        folder.mkdir(parents=True, exist_ok=True)
        blobs.mkdir(exist_ok=True)
        for name, content in self.commits[repo_id, revision].items():
            if any(fnmatch(name, pattern) for pattern in allow_patterns):
                blob = blobs / hashlib.sha1(content).hexdigest()
                blob.write_bytes(content)
                (folder / name).symlink_to(f"../../blobs/{blob.name}")
        return str(folder)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    hub = Hub(tmp_path / "hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(hub.cache))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", hub.snapshot_download)
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: hub)
    return hub


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    save_model(tmp_path / "model", StylePooling(4), CARD)
    return tmp_path / "model"


def test_the_stub_is_called_as_the_client_is():
    for ours, theirs in (
        (Hub.snapshot_download, huggingface_hub.snapshot_download),
        (Hub.create_repo, huggingface_hub.HfApi.create_repo),
        (Hub.create_commit, huggingface_hub.HfApi.create_commit),
    ):
        names = set(inspect.signature(ours).parameters) - {"self"}
        assert names <= set(inspect.signature(theirs).parameters)


def test_what_is_pushed_comes_back(hub, folder):
    revision = push_to_hub(folder, NAME)
    again = load_model(fetch(NAME, revision)).state_dict()
    before = load_model(folder).state_dict()
    assert all(torch.equal(again[name], value) for name, value in before.items())


def test_revision_and_allow_list_reach_the_client(hub, folder):
    revision = push_to_hub(folder, NAME)
    fetch(NAME, revision)
    assert hub.calls[-1] == (NAME, revision, FILES)
    assert set(FILES) == {"config.json", "model.safetensors", "card.md", "README.md"}


def test_nothing_else_is_fetched(hub, folder):
    revision = push_to_hub(folder, NAME)
    more = ("a.pkl", "model.py", "deeper/config.json", "config.json.py", "x.safetensors")
    hub.commits[NAME, revision].update(dict.fromkeys(more, b"evil"))
    fetched = fetch(NAME, revision)
    assert {path.name for path in fetched.rglob("*")} == set(FILES)
    load_model(fetched)


def test_a_stranger_on_the_hub(hub, folder):
    """What is fetched is looked at like any folder."""
    revision = push_to_hub(folder, NAME)
    hub.commits[NAME, revision]["config.json"] = b'{"class": "os:system", "arguments": {}}'
    with pytest.raises(ModelError, match="'os:system' is unknown"):
        load_model(fetch(NAME, revision))


def test_a_revision_is_needed(hub):
    with pytest.raises(ModelError, match=r"org/style: no revision; .* pins .*style/commits/main"):
        fetch(NAME, "")
    assert hub.calls == []


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_no_model(hub, folder, name):
    revision = push_to_hub(folder, NAME)
    del hub.commits[NAME, revision][name]
    with pytest.raises(ModelError, match=f"{NAME}@{revision}: no model of emovec; expected"):
        fetch(NAME, revision)


def hub_error(kind):
    """An error of the hub without the answer of a server that its constructor wants."""
    error = kind.__new__(kind)
    Exception.__init__(error, "said the hub")
    return error


ERRORS = [
    (utils.RepositoryNotFoundError, "no such repository .*`hf auth login`"),
    (utils.GatedRepoError, r"not open to you.* https://huggingface\.co/org/style"),
    (utils.RevisionNotFoundError, "no such revision.*commits/main"),
    (utils.LocalEntryNotFoundError, "the hub cannot be reached.*not in its cache.*HF_HUB_OFFLINE"),
    (utils.HFValidationError, "no name of a repository"),
    (ConnectionError, r"the Hugging Face hub failed \(said the hub\).*Try again"),
    (RuntimeError, r"the Hugging Face hub failed \(said the hub\).*Try again"),
]


@pytest.mark.parametrize(("kind", "said"), ERRORS)
def test_errors_of_fetching(monkeypatch, kind, said):
    def fail(*_, **__):
        raise hub_error(kind)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(ModelError, match=f"org/style@v1: {said}"):
        fetch(NAME, "v1")


@pytest.mark.parametrize("call", ["create_repo", "create_commit"])
@pytest.mark.parametrize(("kind", "said"), ERRORS)
def test_errors_of_pushing(hub, folder, monkeypatch, call, kind, said):
    def fail(*_, **__):
        raise hub_error(kind)

    monkeypatch.setattr(hub, call, fail)
    with pytest.raises(ModelError, match=f"org/style: {said}"):
        push_to_hub(folder, NAME)
    assert hub.commits == {}


def test_offline(monkeypatch, tmp_path):
    """The real client, told that there is no network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="cannot be reached"):
        fetch(NAME, "0" * 40)


def test_the_real_client_refuses_no_names():
    with pytest.raises(ModelError, match="no name of a repository"):
        fetch("a/b/c", "v1")


@pytest.mark.parametrize("private", [True, False])
def test_repositories_are_private_unless_told_otherwise(hub, folder, private):
    push_to_hub(folder, NAME, **({} if private else {"private": False}))
    assert hub.private == {NAME: private}


def test_pushing_again(hub, folder):
    first = push_to_hub(folder, NAME)
    save_model(folder, StylePooling(6), CARD)
    second = push_to_hub(folder, NAME, private=False)
    assert first != second
    assert hub.private == {NAME: True}
    assert load_model(fetch(NAME, first)).output_size == 4
    assert load_model(fetch(NAME, second)).output_size == 6


def test_only_our_files_are_pushed(hub, folder):
    (folder / "notes.txt").write_text("Not for others.")
    revision = push_to_hub(folder, NAME)
    files = hub.commits[NAME, revision]
    assert set(files) == set(FILES)
    for name in ("config.json", "model.safetensors", "card.md"):
        assert files[name] == (folder / name).read_bytes()


def test_the_card_as_the_hub_shows_it(hub, folder):
    revision = push_to_hub(folder, NAME)
    readme = hub.commits[NAME, revision]["README.md"].decode()
    empty, header, text = readme.split("---\n")
    assert (empty, text) == ("", f"\n{CARD}")
    assert YAML(typ="safe").load(header) == {
        "library_name": "emovec",
        "license": "cc-by-nc-sa-4.0",
        "pipeline_tag": "feature-extraction",
        "tags": ["speech", "embeddings", "style_pooling"],
    }


@pytest.mark.parametrize("fault", ["card.md", "model.safetensors", "config.json", "a.pkl"])
def test_what_is_not_sound_is_not_published(hub, folder, fault):
    if (folder / fault).exists():
        (folder / fault).unlink()
    else:
        (folder / fault).touch()
    with pytest.raises(ModelError, match=fault):
        push_to_hub(folder, NAME)
    assert hub.calls == []
