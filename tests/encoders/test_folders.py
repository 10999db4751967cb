"""Model folders of strangers: refused before anything of them runs, with all that is wrong."""

import inspect
import io
import json
import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from emovec.encoders import folders
from emovec.encoders.folders import DEEPEST_CONFIG, READING
from emovec.encoders.pooling import MeanPooling, StylePooling
from emovec.encoders.registry import REGISTRY, kind
from emovec.encoders.store import check_folder, load_model, save_model
from emovec.errors import ModelError
from emovec.tables.files import checksum

PATHS = ["/etc/passwd", "../other.pt", "a/../../b", "C:\\weights.pt", "~/w.pt", "https://a.b/w.pt"]


class Payload:
    """What runs a command when it is unpickled."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.system, (f"touch {self.canary}",)


def torch_archive(canary):
    buffer = io.BytesIO()
    torch.save(Payload(canary), buffer)
    return buffer.getvalue()


def array_of_objects(canary):
    buffer = io.BytesIO()
    np.save(buffer, np.array([Payload(canary)], dtype=object))
    return buffer.getvalue()


def pickled(canary, protocol=4):
    return pickle.dumps(Payload(canary), protocol)


def program(canary):
    return f"open({str(canary)!r}, 'w')\n".encode()


def tagged_yaml(canary):
    return f"!!python/object/apply:os.system ['touch {canary}']\n".encode()


EVIL = {
    **{f"weights.{suffix}": torch_archive for suffix in ("pt", "pth", "bin", "ckpt", "pt2")},
    **{f"model.{suffix}": pickled for suffix in ("pkl", "pickle", "joblib", "dill", "PKL")},
    "mean.npy": array_of_objects,
    "all.zip": torch_archive,
    "model.pkl.gz": pickled,
    "modeling.py": program,
    "__init__.py": program,
    "hyperparams.yaml": tagged_yaml,
    "hyperparams.yml": tagged_yaml,
    "deeper/still/deeper/a.pkl": pickled,
    ".hidden/a.py": program,
    "notes.txt": pickled,
    "LICENSE": torch_archive,
    "mean.csv": array_of_objects,
}


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    save_model(tmp_path / "model", StylePooling(4), "A card.\n")
    return tmp_path / "model"


def plant(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def edit(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def refuses(folder, *said):
    """The message of load_model, which is what check_folder finds."""
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    message = str(caught.value)
    assert message == "\n".join(check_folder(folder))
    for words in said:
        assert words in message
    return message


def test_a_sound_folder_has_no_faults(folder):
    for name in ("README.md", "LICENSE", ".gitattributes", "figures/a.png", "results.json"):
        plant(folder, name, b"\x89PNG or text")
    assert check_folder(folder) == []
    load_model(folder)


@pytest.mark.parametrize("name", list(EVIL))
def test_files_that_can_run_code(folder, tmp_path, name):
    plant(folder, name, EVIL[name](tmp_path / "canary"))
    refuses(folder, f"{folder}: '{name}' can run code", "expected config.json, model.safetensors")
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickles_are_known_by_their_content(folder, tmp_path, protocol):
    plant(folder, "notes", pickled(tmp_path / "canary", protocol))
    refuses(folder, "'notes' can run code")


def test_many_files_are_counted(folder):
    for number in range(8):
        plant(folder, f"{number}.py", b"")
    refuses(folder, "'0.py', '1.py', '2.py', '3.py', '4.py' and 3 more can run code")


def test_names_cannot_speak_to_the_terminal(folder):
    plant(folder, "a\x1b[2J\n.pkl", b"")
    assert refuses(folder, r"'a\x1b[2J\n.pkl'").isprintable()


def test_weights_that_begin_like_a_pickle(folder):
    """The first bytes of .safetensors are a length: 640 reads like protocol 2."""
    path = folder / "model.safetensors"
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = content[8 : 8 + length].rstrip().ljust(0x8002)
    path.write_bytes(struct.pack("<Q", len(header)) + header + content[8 + length :])
    assert path.read_bytes().startswith(b"\x02\x80")
    header = header.ljust(0x10280)
    path.write_bytes(struct.pack("<Q", len(header)) + header + content[8 + length :])
    assert path.read_bytes().startswith(b"\x80\x02")
    edit(folder, weights_sha256=checksum(path))
    load_model(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "card.md", "notes/a.md"])
def test_links_that_leave_the_folder(folder, tmp_path, name):
    (folder / "notes").mkdir()
    outside = tmp_path / "outside"
    outside.write_bytes((folder / name).read_bytes() if (folder / name).exists() else b"")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(outside)
    refuses(folder, f"{folder}: '{name}' lead out of the folder", "Put copies")


@pytest.mark.parametrize("target", ["..", "/", "../../model/../..", "nowhere", "link"])
def test_links_that_lead_elsewhere(folder, target):
    (folder / "link").symlink_to(target)
    refuses(folder, "'link' lead out of the folder")


def test_links_within_the_folder(folder):
    (folder / "README.md").symlink_to("card.md")
    (folder / "model.safetensors").rename(folder / "weights.safetensors")
    (folder / "model.safetensors").symlink_to("weights.safetensors")
    assert check_folder(folder) == []


def test_a_link_to_a_folder_is_its_owners_choice(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    assert check_folder(tmp_path / "link") == []


def test_pipes(folder):
    os.mkfifo(folder / "pipe")
    refuses(folder, "'pipe' lead out of the folder, or are neither file nor folder")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_pipe_for_a_file(folder, name):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    refuses(folder, f"no {name}")


def test_too_many_files(folder, monkeypatch):
    monkeypatch.setattr(folders, "MOST_FILES", 3)
    plant(folder, "a.md", b"")
    refuses(folder, "more than 3 files")


def test_a_config_that_is_too_large(folder):
    edit(folder, arguments={"width": 4, "note": "x" * 2**20})
    refuses(folder, "config.json: 10", "expected at most 1048576")


@pytest.mark.parametrize("depth", [DEEPEST_CONFIG, 100_000])
def test_a_config_that_is_too_deep(folder, depth):
    text = '{"class": "style_pooling", "arguments": {"width": ' + "[" * depth + "]" * depth + "}}"
    (folder / "config.json").write_text(text)
    refuses(folder, f"config.json: nested deeper than {DEEPEST_CONFIG} levels")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ('{"class": NaN}', "NaN is no number of JSON"),
        ('{"class": -Infinity}', "-Infinity is no number of JSON"),
        ("[]", "list found; expected an object"),
        ('"a"', "str found; expected an object"),
        ("null", "NoneType found; expected an object"),
        ("{}", "{} found; expected 'class' and 'arguments'"),
        ('{"class": "mean_pooling", "arguments": 3}', "expected 'class' and 'arguments'"),
        ('{"class": "mean_pooling", "arguments": {}, "code": "a.py"}', "expected 'class' and"),
        ('{"class": [], "arguments": {}}', "class [] is unknown"),
        ('{"class": null, "arguments": {}}', "class None is unknown"),
    ],
)
def test_configs_that_are_none(folder, text, said):
    (folder / "config.json").write_text(text)
    refuses(folder, "config.json: ", said)


def test_a_config_in_another_encoding(folder):
    (folder / "config.json").write_bytes(b'{"class": "\xff"}')
    refuses(folder, "not JSON")


@pytest.mark.parametrize("name", ["os:system", "builtins:exec", "emovec.encoders.wavlm:WavLM", ""])
def test_classes_outside_the_registry(folder, name):
    edit(folder, **{"class": name})
    refuses(folder, f"class {name!r} is unknown; expected one of ['additive", "'wavlm'")


def test_classes_within_others(folder):
    inner = {"class": "os:system", "arguments": {"command": "true"}}
    edit(folder, arguments={"width": {"class": "mean_pooling", "arguments": {"width": inner}}})
    refuses(folder, "class 'os:system' is unknown")


def test_a_message_does_not_repeat_a_whole_config(folder):
    edit(folder, **{"class": "x" * 100_000})
    assert len(refuses(folder, "is unknown")) < 1000


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("wrap", [lambda p: p, lambda p: [p], lambda p: {"a": {p: 1}}])
def test_paths_that_leave_the_folder(folder, path, wrap):
    edit(folder, arguments={"width": 4, "note": wrap(path)})
    refuses(folder, "config.json: 'note' holds", "a path that leaves the folder")


@pytest.mark.parametrize("name", ["wavlm", "speechbrain"])
@pytest.mark.parametrize("weights", ["published", "weights.pt", "/tmp/w.pt", "https://a.b/w", 1])
def test_weights_from_elsewhere(folder, name, weights):
    edit(folder, **{"class": name}, arguments={"weights": weights})
    refuses(folder, "weights is ", "expected null, since the weights are in model.safetensors")


def test_no_other_argument_reads_a_file():
    """A class that is added with one has to have it in READING."""
    suspicious = ("path", "file", "folder", "weights", "checkpoint", "repository", "revision")
    suspicious += ("url", "source", "pretrained", "cache", "download")
    for name in REGISTRY:
        arguments = set(inspect.signature(kind(name)).parameters) - READING
        arguments.discard("profile")  # of layered dropout; no file
        assert not [a for a in arguments if any(word in a for word in suspicious)], name


def test_all_faults_are_found(folder, tmp_path):
    plant(folder, "a.pkl", pickled(tmp_path / "canary"))
    edit(folder, **{"class": "os:system"}, weights_sha256="0", arguments={"note": "/etc"})
    (folder / "card.md").unlink()
    faults = check_folder(folder)
    said = ["'a.pkl' can run", "'os:system' is unknown", "'note' holds", "SHA-256", "no card.md"]
    assert len(faults) == len(said)
    for fault, words in zip(faults, said, strict=True):
        assert words in fault


def test_a_card_is_expected_but_not_needed(folder):
    (folder / "card.md").unlink()
    load_model(folder)
    assert check_folder(folder) == [
        f"{folder}: no card.md; expected data, licence and results. Ask whom it came from."
    ]


def test_nothing_is_there(tmp_path):
    faults = check_folder(tmp_path / "nowhere")
    assert [fault.split("; ")[0] for fault in faults] == [
        f"{tmp_path}/nowhere: no {name}" for name in ("config.json", "model.safetensors", "card.md")
    ]


def test_links_of_the_hubs_cache(tmp_path, monkeypatch):
    """The hub's cache has links from snapshots to blobs, with it all in one folder."""
    cache = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    snapshot = cache / "models--a--b" / "snapshots" / "1234"
    save_model(snapshot, MeanPooling(2), "")
    blobs = cache / "models--a--b" / "blobs"
    blobs.mkdir()
    for path in list(snapshot.iterdir()):
        path.rename(blobs / path.name)
        path.symlink_to(Path("../../blobs") / path.name)
    assert check_folder(snapshot) == []
    (snapshot / "README.md").symlink_to("../../../../outside")
    (tmp_path / "outside").touch()
    refuses(snapshot, "'README.md' lead out of the folder")


CANARY = """
import sys
from pathlib import Path
from emovec.encoders.store import load_model
from emovec.encoders import foreign, wavlm
from emovec.errors import ModelError
import huggingface_hub, speechbrain.lobes.features, torch.hub

sound, *evil = map(Path, sys.argv[1:])
load_model(sound)  # what imports there are, are made
watched = ("pickle.find_class", "os.system", "subprocess.Popen", "socket.", "urllib.", "exec")
seen = []
sys.addaudithook(lambda event, _: event.startswith(watched) and seen.append(event))
exec("0")
assert seen == ["exec"], "the hook does not see"
path = list(sys.path)
for folder in evil:
    try:
        load_model(folder)
    except ModelError:
        continue
    raise SystemExit(f"{folder} was loaded")
assert seen == ["exec"] and sys.path == path, seen
print(len(evil), "refused")
"""


def test_nothing_of_a_folder_runs(tmp_path, folder):
    """Every kind of evil in a process whose audit hook sees unpickling, processes and sockets."""
    canary, evil = tmp_path / "canary", []
    changes = [{"class": "os:system", "arguments": {"command": f"touch {canary}"}}]
    for name in ("wavlm", "speechbrain"):
        for weights in ("published", str(tmp_path / "weights.pt")):
            changes.append({"class": name, "arguments": {"weights": weights}})
    (tmp_path / "weights.pt").write_bytes(torch_archive(canary))
    for number, (name, make) in enumerate(EVIL.items()):
        evil.append(tmp_path / f"file{number}")
        save_model(evil[-1], StylePooling(4), "")
        plant(evil[-1], name, make(canary))
    for number, change in enumerate(changes):
        evil.append(tmp_path / f"config{number}")
        save_model(evil[-1], StylePooling(4), "")
        edit(evil[-1], **change)
    evil.append(tmp_path / "weights")
    save_model(evil[-1], StylePooling(4), "")
    plant(evil[-1], "model.safetensors", torch_archive(canary))
    edit(evil[-1], weights_sha256=checksum(evil[-1] / "model.safetensors"))
    run = subprocess.run(
        [sys.executable, "-c", CANARY, folder, *evil], capture_output=True, text=True, cwd=evil[-1]
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == f"{len(evil)} refused\n"
    assert not canary.exists()


def test_the_payload_would_run(tmp_path):
    """Or the canary would prove nothing."""
    pickle.loads(pickled(tmp_path / "canary"))
    assert (tmp_path / "canary").exists()
