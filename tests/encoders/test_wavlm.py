"""WavLM against torchaudio's own model, and against itself one clip at a time."""

import urllib.error
from dataclasses import replace

import numpy as np
import pytest
import torch
import torchaudio
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from emovec.audio.padding import valid_mask
from emovec.encoders import wavlm
from emovec.encoders.base import valid_mean
from emovec.encoders.front_end import MelFrontEnd, UnitLogMel
from emovec.encoders.wavlm import SIZES, WavLM, draw_time_masks
from emovec.errors import AudioError, HparamError, ModelError

BUNDLES = {
    "base": torchaudio.pipelines.WAVLM_BASE,
    "base_plus": torchaudio.pipelines.WAVLM_BASE_PLUS,
    "large": torchaudio.pipelines.WAVLM_LARGE,
}


@pytest.fixture
def two_layers(monkeypatch):
    """The published sizes with two layers only, so that they are made at once."""
    for size in BUNDLES:
        monkeypatch.setitem(SIZES, size, replace(SIZES[size], layers=2))


def build(size, **arguments):
    torch.manual_seed(0)
    return WavLM(size, **arguments).eval()


def ragged(shortest, seed=0):
    """Waves whose padding is NaN, with the shortest legal clip among them."""
    lengths = torch.tensor([9000, shortest, 5321, shortest + 1, 9999])
    waves = torch.randn(len(lengths), 10000, generator=torch.Generator().manual_seed(seed))
    waves += torch.arange(len(lengths))[:, None] * 0.1
    return waves.masked_fill(~valid_mask(lengths, 10000), torch.nan), lengths


def relative_error(found, expected):
    return ((found - expected).abs().max() / expected.abs().max()).item()


def check_batched_equals_single(model):
    waves, lengths = ragged(model.shortest)
    with torch.no_grad():
        frames, counts = model.frames(waves, lengths)
        embeddings = model(waves, lengths)
        for row, length in enumerate(lengths.tolist()):
            alone, count = model.frames(waves[row : row + 1, :length], lengths[row : row + 1])
            assert counts[row] == count == alone.shape[1]
            assert relative_error(frames[row, :count], alone[0]) < 1e-4
            assert (frames[row, count:] == 0).all()
            assert relative_error(embeddings[row], alone[0].mean(dim=0)) < 1e-4


def check_equals_torchaudio(size, layers):
    bundle = BUNDLES[size]
    model = build(size)
    oracle = torchaudio.models.wavlm_model(**{**bundle._params, "encoder_num_layers": layers})
    oracle.load_state_dict(model.state_dict())  # strict: the names are torchaudio's
    oracle.eval()
    waves = 0.3 * torch.randn(2, 8000, generator=torch.Generator().manual_seed(1)) + 0.1
    lengths = torch.full((2,), 8000)
    inputs = waves
    if bundle._normalize_waveform:  # the bundle does it for one clip at a time
        inputs = torch.nn.functional.layer_norm(waves, (8000,))
    with torch.no_grad():
        found, _ = model.layer_outputs(waves, lengths)
        expected, _ = oracle.extract_features(inputs)
        last, _ = oracle(inputs)
        assert len(found) == len(expected) == layers
        for ours, theirs in zip(found[:-1], expected[:-1], strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
        # what goes out of torchaudio's model has passed the closing layer norm of large;
        # base has none there
        torch.testing.assert_close(found[-1], last if size == "large" else expected[-1])
        torch.testing.assert_close(model.frames(waves, lengths)[0], last, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", BUNDLES)
@pytest.mark.usefixtures("two_layers")
def test_two_layers_equal_torchaudio(size):
    check_equals_torchaudio(size, layers=2)


@pytest.mark.slow
@pytest.mark.parametrize("size", BUNDLES)
def test_all_layers_equal_torchaudio(size):
    check_equals_torchaudio(size, layers=SIZES[size].layers)


@pytest.mark.parametrize("size", ["tiny", "small", "base", "large"])
@pytest.mark.usefixtures("two_layers")
def test_batched_equals_single(size):
    check_batched_equals_single(build(size))


@pytest.mark.slow
@pytest.mark.parametrize("size", BUNDLES)
def test_batched_equals_single_in_full_size(size):
    check_batched_equals_single(build(size))


def test_weighted_layers_in_batches():
    model = build("tiny", layers="weighted")
    with torch.no_grad():
        model.layer_weights.copy_(torch.tensor([0.5, -1.0]))
    check_batched_equals_single(model)


def test_padding_is_masked_when_the_first_layer_is_skipped(monkeypatch):
    model = build("tiny")
    monkeypatch.setattr(model, "_kept_layers", lambda: [False, True])
    check_batched_equals_single(model)


def test_weighted_sum_by_hand():
    model = build("tiny", layers="weighted")
    with torch.no_grad():
        model.layer_weights.copy_(torch.log(torch.tensor([1.0, 2.0])))
        waves, lengths = torch.randn(1, 4000), torch.tensor([4000])
        outputs, _ = model.layer_outputs(waves, lengths)
        expected = (outputs[0] + 2 * outputs[1]) / 3
        torch.testing.assert_close(model.frames(waves, lengths)[0], expected)


def test_all_layers_side_by_side():
    model = build("tiny", layers="all")
    check_batched_equals_single(model)
    assert model.embedding_size == model.frame_size == 256
    with torch.no_grad():
        waves, lengths = torch.randn(1, 4000), torch.tensor([4000])
        outputs, counts = model.layer_outputs(waves, lengths)
        frames, _ = model.frames(waves, lengths)
    for place, output in enumerate(outputs):
        each = frames[..., 128 * place : 128 * (place + 1)]
        assert torch.equal(each[:, : counts[0]], output[:, : counts[0]])


def test_order_and_neighbours_change_nothing():
    model = build("tiny")
    waves, lengths = ragged(model.shortest)
    order = torch.tensor([3, 0, 4, 2, 1])
    with torch.no_grad():
        torch.testing.assert_close(
            model(waves[order], lengths[order]), model(waves, lengths)[order], rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize(
    ("size", "freeze"),
    [("tiny", False), ("tiny", True), ("base", False), ("base", True), ("large", False)],
)
@pytest.mark.usefixtures("two_layers")
def test_gradients_flow(size, freeze):
    model = build(size, freeze_front_end=freeze, layer_drop=0.0, layers="weighted").train()
    waves, lengths = ragged(model.shortest)
    model(waves, lengths).square().sum().backward()
    for name, parameter in model.named_parameters():
        if freeze and name.startswith("feature_extractor"):
            assert parameter.grad is None
        else:
            assert parameter.grad.isfinite().all() and parameter.grad.abs().sum() > 0, name


def test_frozen_front_end_still_passes_gradients_to_waves():
    model = build("tiny", freeze_front_end=True)
    waves = torch.randn(1, 4000, requires_grad=True)
    model(waves, torch.tensor([3000])).square().sum().backward()
    assert waves.grad[0, :2960].abs().sum() > 0  # the last frame ends there
    assert (waves.grad[0, 3000:] == 0).all()


def test_training_draws_from_the_global_seed_and_evaluation_does_not():
    model = build("tiny", mask_time_probability=0.5, mask_time_length=2)
    waves, lengths = ragged(model.shortest)
    with torch.no_grad():
        assert torch.equal(model(waves, lengths), model(waves, lengths))
        model.train()
        drawn = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            drawn.append(model(waves, lengths))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_only_layer_drop_is_left_without_dropout_and_spans():
    model = build("tiny", mask_time_probability=0.0, layer_drop=0.0, dropout=0.0)
    waves, lengths = ragged(model.shortest)
    with torch.no_grad():
        torch.testing.assert_close(model.train()(waves, lengths), model.eval()(waves, lengths))
        model.layer_drop = 0.999999  # every layer is skipped
        outputs, _ = model.train().layer_outputs(waves, lengths)
        closed = model.encoder.transformer.layer_norm(outputs[0])
    assert all(torch.equal(output, outputs[0]) for output in outputs[:-1])
    torch.testing.assert_close(outputs[-1], closed)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_mixed_precision_stays_near(kind):
    model = build("tiny")
    waves, lengths = ragged(model.shortest)
    with torch.no_grad():
        expected = model(waves, lengths)
        with torch.autocast("cpu", dtype=kind):
            found = model(waves, lengths)
    assert relative_error(found.float(), expected) < 0.05


@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    probability=st.floats(0, 0.99),
    span=st.integers(1, 12),
)
@settings(deadline=None)
def test_spans_lie_in_valid_frames(lengths, probability, span):
    mask = draw_time_masks(torch.tensor(lengths), 45, probability, span)
    for row, length in zip(mask.numpy(), lengths, strict=True):
        assert not row[length:].any()
        edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
        runs = edges[1::2] - edges[::2]
        assert (runs >= span).all()
        assert row.sum() <= probability * length + span


def test_share_of_frames_in_spans():
    torch.manual_seed(0)
    lengths = torch.full((4000,), 75)
    share = draw_time_masks(lengths, 75, probability=0.05, span=10).float().mean().item()
    # 0.375 spans of 10 a row, never two: 3.75 frames of 75
    assert share == pytest.approx(0.05, abs=0.003)


def test_hidden_frames_are_replaced_in_front_of_the_transformer(monkeypatch):
    """And spans of fine-tuning are not zeroed besides, in training either."""
    model = build("tiny", mask_time_probability=0.9, mask_time_length=1, dropout=0.0)
    given = []

    def noted(values, counts):
        given.append(values)
        return [values]

    monkeypatch.setattr(model, "_transform", noted)
    waves, lengths = torch.randn(2, 8000), torch.tensor([8000, 5000])
    mask = torch.zeros(2, 30, dtype=torch.bool)  # more than there are frames
    mask[0, 3:5] = mask[1, 0] = True
    embedding = torch.arange(128.0)
    with torch.no_grad():
        model.layer_outputs(waves, lengths)
        values, counts = model.train().masked_outputs(waves, lengths, mask, embedding)
    plain, masked = given
    assert values is masked and counts.tolist() == [11, 6]
    hidden = mask[:, : plain.shape[1]]
    torch.testing.assert_close(masked[hidden], embedding.expand(3, -1))
    torch.testing.assert_close(masked[~hidden], plain[~hidden])


def test_a_gain_and_an_offset_do_not_matter_to_small():
    """Of tiny and base they do: corpora as a whole are normalised before them."""
    waves, lengths = ragged(1360)
    model = build("small")
    with torch.no_grad():
        plain = model(waves, lengths)
        for other in (0.001 * waves, waves + 0.3):
            torch.testing.assert_close(model(other, lengths), plain, rtol=1e-3, atol=1e-3)
        tiny = build("tiny")
        assert relative_error(tiny(0.001 * waves, lengths), tiny(waves, lengths)) > 0.01


def test_log_mel_by_hand():
    wave = np.random.default_rng(0).normal(size=1000)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    pieces = np.stack([wave[start : start + 400] * window for start in (0, 160, 320, 480)])
    banks = torchaudio.functional.melscale_fbanks(201, 20.0, 8000.0, 80, 16000).numpy()
    power = np.abs(np.fft.rfft(pieces)) ** 2
    expected = (np.log(power @ banks + 1e-4) + 2.0) / 4.5
    found = UnitLogMel(16000)(torch.tensor(wave, dtype=torch.float32)[None])
    np.testing.assert_allclose(found[0].numpy(), expected, rtol=1e-4, atol=1e-4)


def test_mel_front_end_counts_frames_of_40_ms():
    front_end = MelFrontEnd(8, 16000)
    lengths = torch.tensor([1360, 1361, 1999, 2000, 16000])
    frames, counts = front_end.convolve(*front_end.describe(torch.randn(5, 16000), lengths))
    assert counts.tolist() == [1, 1, 1, 2, 23]
    assert frames.shape == (5, 23, 8)
    assert front_end.shortest == 1360


def test_sizes():
    tiny = WavLM("tiny")
    parameters = sum(parameter.numel() for parameter in tiny.parameters())
    assert 0.4e6 < parameters < 0.6e6  # a million with style pooling and heads
    assert (tiny.embedding_size, tiny.frame_size, tiny.sample_rate) == (128, 128, 16000)
    assert tiny.padding_safe
    small = WavLM("small")
    parameters = sum(parameter.numel() for parameter in small.parameters())
    assert 2.5e6 < parameters < 4e6  # half of it in float16: under 10 MB
    assert (small.embedding_size, small.shortest, small.hop) == (192, 1360, 640)


@pytest.mark.usefixtures("two_layers")
@pytest.mark.parametrize("size", SIZES)
def test_window_and_hop_count_the_frames(size):
    model = build(size)
    assert model.hop == (640 if size in ("tiny", "small") else 320)
    lengths = torch.tensor([model.shortest, model.shortest + model.hop - 1, 7777])
    with torch.no_grad():
        _, counts = model.layer_outputs(torch.randn(3, 7777), lengths)
    assert counts.tolist() == [1, 1, (7777 - model.shortest) // model.hop + 1]


@pytest.mark.usefixtures("two_layers")
def test_shortest_clip_of_the_published_front_end():
    assert build("base").shortest == 400  # 25 ms, as published


def test_arguments_build_the_same_again():
    model = build("tiny", layers="weighted", mask_time_length=5)
    again = WavLM(**model.arguments())
    assert again.arguments() == model.arguments()
    assert list(again.state_dict()) == list(model.state_dict())


def test_bad_batches():
    model = build("tiny")
    waves, lengths = torch.randn(2, 3000), torch.tensor([3000, 1359])
    with pytest.raises(AudioError, match=r"1359 samples at position 1 .* at least 1360"):
        model(waves, lengths)
    for bad in (torch.tensor([3000, 0]), torch.tensor([3001, 3000]), torch.tensor([-1, 3000])):
        with pytest.raises(ValueError, match="expected 1 to 3000"):
            model(waves, bad)
    with pytest.raises(ValueError, match=r"expected torch\.float32"):
        model(waves.double(), lengths)
    with pytest.raises(ValueError, match="int64"):
        model(waves, torch.tensor([1.0, 0.5]))
    with pytest.raises(ValueError, match=r"expected \(B, T\)"):
        model(waves[0], lengths)
    with pytest.raises(ValueError, match="B > 0"):
        model(waves[:0], lengths[:0])


@pytest.mark.parametrize(
    "arguments",
    [
        {"size": "huge"},
        {"layers": "first"},
        {"layer_drop": 1.0},
        {"mask_time_probability": -0.1},
        {"mask_time_length": 0},
    ],
)
def test_bad_arguments(arguments):
    with pytest.raises(HparamError, match=next(iter(arguments))):
        WavLM(**arguments)


def test_tiny_was_never_published():
    with pytest.raises(ModelError, match="never published"):
        WavLM("tiny", weights="published")


@pytest.mark.usefixtures("two_layers")
def test_offline_says_where_to_put_the_file(monkeypatch, tmp_path):
    def offline(*_, **__):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(ModelError) as caught:
        WavLM("large", weights="published")
    message = str(caught.value)
    assert "https://download.pytorch.org/torchaudio/models/wavlm_large.pth" in message
    assert str(tmp_path / "checkpoints" / "wavlm_large.pth") in message
    assert "`weights`" in message


@pytest.mark.parametrize("size", BUNDLES)
def test_addresses_are_those_of_torchaudio(size):
    assert wavlm.PUBLISHED.format(size=size).endswith("/" + BUNDLES[size]._path)


@pytest.mark.usefixtures("two_layers")
def test_published_file_in_the_cache_is_used(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    source = build("base")
    # the names that weight norm had in older releases of torch
    old = {"parametrizations.weight.original0": "weight_g"}
    old["parametrizations.weight.original1"] = "weight_v"
    state = source.state_dict()
    for new, name in old.items():
        prefix = "encoder.transformer.pos_conv_embed.conv."
        state[prefix + name] = state.pop(prefix + new)
    (tmp_path / "checkpoints").mkdir()
    torch.save(state, tmp_path / "checkpoints" / "wavlm_base.pth")
    torch.manual_seed(5)
    model = WavLM("base", weights="published", layers="weighted")
    for name, value in source.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name
    assert model.arguments()["weights"] is None


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_local_weights(tmp_path, suffix):
    source, path = build("tiny"), tmp_path / f"tiny{suffix}"
    (torch.save if suffix == ".pt" else save_file)(source.state_dict(), path)
    torch.manual_seed(5)
    model = WavLM("tiny", weights=str(path)).eval()
    waves, lengths = ragged(model.shortest)
    assert torch.equal(model(waves, lengths), source(waves, lengths))


@pytest.mark.usefixtures("two_layers")
def test_wrong_weights_files(tmp_path):
    tiny = tmp_path / "tiny.pt"
    torch.save(build("tiny").state_dict(), tiny)
    with pytest.raises(ModelError, match=r"tiny\.pt: .*not those of this WavLM"):
        WavLM("base", weights=str(tiny))
    state = build("tiny").state_dict()
    state["head.weight"] = state.pop("encoder.feature_projection.projection.weight")
    torch.save(state, tiny)
    with pytest.raises(ModelError, match=r"1 missing: encoder\.feature.*1 unknown: head\.weight"):
        WavLM("tiny", weights=str(tiny))
    with pytest.raises(ModelError, match="no such file"):
        WavLM("tiny", weights=str(tmp_path / "nothing.pt"))


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1\n"])
def test_files_that_are_no_weights(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ModelError, match="not a weights file"):
        WavLM("tiny", weights=str(path))


@pytest.mark.parametrize("state", [{"size": SIZES["tiny"]}, [1, 2], {"a": "b"}])
def test_other_objects_are_not_read(tmp_path, state):
    path = tmp_path / "weights.pt"
    torch.save(state, path)
    with pytest.raises(ModelError, match="not a weights file"):
        WavLM("tiny", weights=str(path))


def test_valid_mean_ignores_padding():
    frames = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [torch.nan, torch.inf]]])
    assert valid_mean(frames, torch.tensor([2])).tolist() == [[2.0, 4.0]]
