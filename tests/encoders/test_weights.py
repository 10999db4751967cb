"""Weights in model folders: names, shapes, types and values, and none but those that were saved."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from emovec.encoders.pooling import StylePooling
from emovec.encoders.store import check_folder, load_model, save_model
from emovec.encoders.weights import first
from emovec.errors import ModelError
from emovec.tables.files import checksum


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    save_model(tmp_path / "model", StylePooling(4), "A card.\n")
    return tmp_path / "model"


def replace(folder, content):
    """Put other weights into a folder, under a checksum that is right."""
    path = folder / "model.safetensors"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        save_file(content, path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "weights_sha256": checksum(path)}))


def change(folder, **tensors):
    replace(folder, {**load_file(folder / "model.safetensors"), **tensors})


def message(folder):
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    assert str(caught.value) == "\n".join(check_folder(folder))
    return str(caught.value)


def test_missing(folder):
    state = load_file(folder / "model.safetensors")
    del state["norm.bias"], state["project.weight"]
    replace(folder, state)
    assert "StylePooling; 2 missing: norm.bias, project.weight." in message(folder)


def test_unknown(folder):
    change(folder, extra=torch.zeros(1))
    assert "StylePooling; 1 unknown: extra." in message(folder)


@pytest.mark.parametrize("shape", [(3,), (5,), (4, 1), (1, 4), (), (0,)])
def test_wrong_shapes(folder, shape):
    change(folder, **{"norm.bias": torch.zeros(shape)})
    assert f"size mismatch for norm.bias: {shape}, expected (4,)" in message(folder)


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "int64", "bool", "float8_e4m3fn"])
def test_wrong_types(folder, dtype):
    change(folder, **{"norm.bias": torch.zeros(4).to(getattr(torch, dtype))})
    expected = f"type mismatch for norm.bias: torch.{dtype}, expected torch.float32"
    assert expected in message(folder)


def test_half_precision_is_loaded_in_float32(folder):
    state = load_file(folder / "model.safetensors")
    replace(folder, {name: value.half() for name, value in state.items()})
    again = load_model(folder).state_dict()
    assert {value.dtype for value in again.values()} == {torch.float32}
    assert all(torch.equal(again[name], state[name].half().float()) for name in state)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_what_is_not_finite(folder, value, dtype):
    bias = torch.zeros(4, dtype=dtype)
    bias[2] = value
    change(folder, **{"norm.bias": bias})
    assert "model.safetensors: NaN or infinity in norm.bias; expected" in message(folder)


def test_all_differences_at_once(folder):
    state = load_file(folder / "model.safetensors")
    del state["norm.weight"]
    replace(folder, {**state, "extra": torch.zeros(1), "norm.bias": torch.zeros(9).double()})
    found = message(folder)
    for said in ("1 missing: norm.weight", "1 unknown: extra", "size mismatch", "type mismatch"):
        assert said in found


@pytest.mark.parametrize("content", [b"", b"{}", b"\x08\0\0\0\0\0\0\0{}      ", b"\xff" * 64])
def test_what_is_no_weights_file(folder, content):
    replace(folder, content)
    assert "model.safetensors" in message(folder)


def test_a_truncated_file(folder):
    replace(folder, (folder / "model.safetensors").read_bytes()[:-1])
    assert "model.safetensors: not a weights file" in message(folder)


def test_a_header_that_promises_more_than_the_file_has(folder):
    header = b'{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}'
    replace(folder, len(header).to_bytes(8, "little") + header)
    assert "model.safetensors: not a weights file" in message(folder)


def test_a_pointer_of_git_lfs(folder):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    (folder / "model.safetensors").write_bytes(pointer)
    assert "model.safetensors: a pointer of Git LFS" in message(folder)


@pytest.mark.parametrize("expected", [None, 3, "", "0" * 64])
def test_other_checksums(folder, expected):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "weights_sha256": expected}))
    assert "its SHA-256 is" in message(folder)


def test_no_checksum(folder):
    config = json.loads((folder / "config.json").read_text())
    del config["weights_sha256"]
    (folder / "config.json").write_text(json.dumps(config))
    assert "config.json expects None" in message(folder)


def test_names_of_strangers_are_cut():
    assert len(first(["x" * 10_000])) < 100
    assert first(["\n"]) == "'\\n'"
