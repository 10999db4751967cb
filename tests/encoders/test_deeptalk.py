"""DeepTalk: single clips against ragged batches, windows against windows that are cut out."""

import pytest
import soundfile
import torch
from torch.nn import functional

from emovec.audio.batches import UtteranceBatches
from emovec.audio.level import level
from emovec.audio.trimming import near_speech
from emovec.encoders import deeptalk
from emovec.encoders.audible import audible
from emovec.encoders.deeptalk import DeepTalk
from emovec.encoders.extract import extract
from emovec.encoders.extraction import extract_table
from emovec.encoders.residual import ValidBatchNorm
from emovec.encoders.store import create
from emovec.errors import AudioError, HparamError
from emovec.tables.corpus import Skip
from emovec.tables.manifest import Utterance

LENGTHS = torch.tensor([20000, 9300, 30000, 14321])


def build(**arguments):
    """An encoder in evaluation whose running moments are those of some clips."""
    torch.manual_seed(0)
    encoder = DeepTalk(**arguments).train()
    norms = [layer for layer in encoder.modules() if isinstance(layer, ValidBatchNorm)]
    for layer in norms:
        layer.momentum = 1.0
    with torch.no_grad():
        encoder(speech(), LENGTHS)
    for layer in norms:
        layer.momentum = 0.1
    return encoder.eval()


def speech(size=30000, clips=4, seed=2):
    """Tones and noise whose loudness comes and goes, with digital silence in between."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(size) / 8000
    pitch = torch.linspace(90, 300, clips)[:, None]
    tones = sum((6.28 * k * pitch * time).sin() / k for k in range(1, 8))
    waves = 0.05 * tones + 0.02 * torch.randn(clips, size, generator=generator)
    waves *= 0.3 + (1.7 * time * torch.arange(1, clips + 1)[:, None]).sin().square()
    waves[:, 5000:8000] = 0.0
    waves[:, 8400:9100] = 0.0  # shorter than two margins: stays, and so do its frames
    return waves


def one_by_one(encoder, waves, lengths=LENGTHS):
    return torch.cat(
        [
            encoder(waves[row : row + 1, :length], lengths[row : row + 1])
            for row, length in enumerate(lengths.tolist())
        ]
    )


def largest(difference):
    return difference.norm(dim=-1).max().item()


# --- as published


def test_parameters():
    encoder = create("deeptalk")
    counts = [
        sum(value.numel() for value in part.parameters())
        for part in (encoder.filterbank, encoder.style_tokens, encoder)
    ]
    assert counts == [21_240, 435_872, 457_112]


def test_facts():
    encoder = build()
    facts = (encoder.sample_rate, encoder.shortest, encoder.frame_size, encoder.embedding_size)
    assert facts == (8000, 160, 40, 256)
    assert encoder.needs_speech and encoder.padding_safe
    assert (encoder.window, encoder.hop) == (99, 1)
    wide = build(sample_rate=16000)
    assert (wide.window, wide.hop, wide.shortest) == (199, 2, 320)


# --- batches


@pytest.mark.parametrize("windows", [True, False])
@torch.inference_mode()
def test_padding_and_neighbours_never_change_an_embedding(windows):
    encoder = build(windows=windows)
    waves = speech()
    alone = one_by_one(encoder, waves)
    garbage = torch.cat([waves, waves], dim=1)
    for row, length in enumerate(LENGTHS.tolist()):
        garbage[row, length:] = 1e3
        garbage[row, length + 1 :: 2] = torch.nan
    assert largest(encoder(garbage, LENGTHS) - alone) < 1e-4
    order = torch.tensor([2, 0, 3, 1])
    assert largest(encoder(garbage[order], LENGTHS[order]) - alone[order]) < 1e-4
    assert torch.pdist(alone).min() > 0.02  # clips do differ


@pytest.mark.parametrize("windows", [True, False])
@torch.inference_mode()
def test_the_level_of_a_clip_does_not_matter(windows):
    encoder = build(windows=windows)
    waves = speech()
    gains = torch.tensor([0.01, 1.0, 0.01, 3.0])[:, None]
    assert largest(encoder(gains * waves, LENGTHS) - encoder(waves, LENGTHS)) < 1e-4


@torch.inference_mode()
def test_silence_around_and_within_is_taken_out():
    encoder = build()
    waves = speech(clips=1)
    around = functional.pad(waves, (8000, 12345))
    found = encoder.describe(around, torch.tensor([around.shape[1]]))[1]
    alone = encoder.describe(waves, torch.tensor([waves.shape[1]]))[1]
    # no more is left of 1 s and 1.5 s than margins of 0.1 s, and what frames reach beyond
    assert 0 <= (found - alone).item() <= 2 * 14
    assert alone.item() < (30000 - 3000 + 2 * 1200) / 80


@torch.inference_mode()
def test_frames_are_those_of_the_filterbank():
    encoder = build(windows=False)
    features, counts = encoder.frames(speech(), LENGTHS)
    cut, cut_counts = encoder.describe(speech(), LENGTHS)
    assert features.shape == (4, int(counts.max()), 40)
    for row in range(4):
        said = cut[row][cut[row].any(dim=1)]
        assert len(said) == counts[row] < cut_counts[row]  # some are digital silence
        expected = encoder.filterbank(said)
        torch.testing.assert_close(features[row, : len(said)], expected, rtol=1e-4, atol=1e-5)
        assert (features[row, len(said) :] == 0).all()


# --- windows


def cut_out(encoder, wave):
    """Embeddings of all windows of a preprocessed wave, each cut out and embedded alone."""
    length = torch.tensor([len(wave)])
    prepared = level(wave[None], length)
    prepared = prepared[near_speech(prepared, length, encoder.sample_rate)]
    size, hop = encoder.sample_rate, encoder.sample_rate // 100
    found = []
    for first in range(0, len(prepared) - size + 1, hop):
        window = prepared[first : first + size]
        frames = torch.stack([window[n : n + 160] for n in range(0, size - 159, 80)])
        frames = frames[frames.amax(dim=1) > frames.amin(dim=1)]
        if len(frames):
            frames = frames * torch.hamming_window(160, periodic=False)
            frames = frames - frames.mean(dim=1, keepdim=True)
            frames = frames / frames.std(dim=1, correction=0, keepdim=True)
            found.append(encoder.style_tokens(encoder.filterbank(frames)[None])[0])
    return torch.stack(found)


@pytest.mark.parametrize("sample_rate", [8000, 16000])
@torch.inference_mode()
def test_windows_are_those_that_are_cut_out(sample_rate, monkeypatch):
    monkeypatch.setitem(deeptalk.WINDOWS_AT_ONCE, "cpu", 37)
    encoder = build(sample_rate=sample_rate)
    waves, lengths = speech(24000, clips=2), torch.tensor([20000, 24000])
    found = encoder(waves, lengths)
    for row, length in enumerate(lengths.tolist()):
        windows = cut_out(encoder, waves[row, :length])
        assert len(windows) > 20  # of 1 s, which most of them have digital silence in
        torch.testing.assert_close(windows.norm(dim=1), torch.ones(len(windows)))
        assert (found[row] - windows.mean(dim=0)).norm() < 1e-5
    assert (found.norm(dim=1) < 1 - 1e-4).all()  # the plain mean


@torch.inference_mode()
def test_windows_of_digital_silence_are_left_out(monkeypatch):
    """Which there are only if silence is not taken out before."""
    everything = lambda waves, lengths, rate: torch.ones_like(waves, dtype=torch.bool)  # noqa: E731
    monkeypatch.setattr(deeptalk, "near_speech", everything)
    monkeypatch.setitem(globals(), "near_speech", everything)
    encoder = build()
    waves, length = speech(32000, clips=1), torch.tensor([32000])
    waves[:, 8000:24000] = 0.0
    windows = cut_out(encoder, waves[0])
    assert len(windows) == 301 - 138  # 1 s inside [5000, 24000)
    assert (encoder(waves, length)[0] - windows.mean(dim=0)).norm() < 1e-5


@torch.inference_mode()
def test_one_window():
    encoder = build()
    wave = speech(8000, clips=1)
    wave[:, 5000:] = speech(13000, clips=1)[:, 10000:]
    length = torch.tensor([8000])
    assert encoder.hears(wave, length).tolist() == [True]
    whole = build(windows=False)
    torch.testing.assert_close(encoder(wave, length), whole(wave, length), rtol=1e-4, atol=1e-6)


# --- what is not heard


def test_clips_that_are_left_with_less_than_a_second():
    encoder = build()
    waves = speech()
    waves[1, 7900:] = 0.0  # 1.0 s at most, of which 0.6 s are speech
    waves[2] = 0.0
    waves[3] = 0.25
    for mode in (True, False):  # as in evaluation, whatever the mode is
        assert encoder.train(mode).hears(waves, LENGTHS).tolist() == [True, False, False, False]
    said = "less than 1 s of speech is heard at position 1, 2, 3 of the batch"
    for call in (encoder, encoder.frames, encoder.describe):
        with pytest.raises(AudioError, match=said):
            call(waves, LENGTHS)
    whole = build(windows=False)
    assert whole.hears(waves, LENGTHS).tolist() == [True, True, False, False]
    said = r"no speech is heard at position 2, 3 of the batch.*Leave the clip out\.$"
    with pytest.raises(AudioError, match=said):  # and no word about windows, which it has not
        whole(waves, LENGTHS)


@pytest.mark.parametrize("windows", [True, False])
def test_silent_chunks_do_not_stop_training(windows):
    encoder = build(windows=windows).train()
    waves = speech()
    waves[1], waves[2] = 0.0, 0.25
    found = encoder(waves, LENGTHS)
    assert found.isfinite().all()
    assert torch.allclose(found.norm(dim=1), torch.ones(4), atol=1e-5)
    assert encoder(0 * waves[:, :160], torch.full((4,), 160)).isfinite().all()


def test_clip_shorter_than_a_frame_is_named():
    with pytest.raises(AudioError, match="159 samples at position 2"):
        build()(speech(), torch.tensor([9000, 9000, 159, 9000]))


@pytest.mark.parametrize(
    ("waves", "lengths"),
    [
        (torch.zeros(2, 800), torch.tensor([800])),
        (torch.zeros(2, 800), torch.tensor([800, 801])),
        (torch.zeros(2, 800).double(), torch.tensor([800, 800])),
        (torch.zeros(0, 800), torch.zeros(0).long()),
    ],
)
def test_other_batches(waves, lengths):
    with pytest.raises(ValueError, match="DeepTalk"):
        build()(waves, lengths)


@pytest.fixture
def files(tmp_path):
    """A long clip, a short one and a silent one."""
    waves = {"long": speech()[0], "short": speech()[0, :4000], "silent": torch.zeros(16000)}
    rows = []
    for name, wave in waves.items():
        soundfile.write(tmp_path / f"{name}.wav", wave.numpy(), 8000)
        rows.append(Utterance(name, f"{name}.wav", None, None, duration=len(wave) / 8000))
    return rows


def test_lists_say_why_clips_are_left_out(files, tmp_path):
    skips = [Skip(name, "less than 1 s of speech is heard in it") for name in ("short", "silent")]
    encoder = build()
    assert audible(encoder, files, tmp_path, 30.0) == (files[:1], skips)
    table = tmp_path / "table"
    assert list(extract_table(encoder, files, tmp_path, table, name="a").skips) == skips
    assert extract(encoder, UtteranceBatches(files, tmp_path, {}, 8000, 30)).skipped == tuple(skips)
    windows = extract_table(encoder, files, tmp_path, tmp_path / "w", name="a", window=0.4)
    assert [(skip.id, skip.reason) for skip in windows.skips] == [
        (row.id, "less than 1 s of speech is heard in any of its windows") for row in files
    ]


def test_shorter_clips_have_an_embedding_without_windows(files, tmp_path):
    kept, skipped = audible(build(windows=False), files, tmp_path, 30.0)
    assert kept == files[:2]
    assert skipped == [Skip("silent", "no speech is heard in it")]


# --- training


def test_in_training_all_frames_have_one_embedding():
    encoder, whole = build(), build(windows=False)
    waves = speech()
    torch.testing.assert_close(encoder.train()(waves, LENGTHS), whole.train()(waves, LENGTHS))


def test_every_weight_learns():
    encoder = build().train()
    encoder(speech(), LENGTHS)[:, 0].sum().backward()
    without = [name for name, value in encoder.named_parameters() if value.grad is None]
    assert without == []
    assert all(value.grad.isfinite().all() for value in encoder.parameters())


def test_autocast():
    encoder = build()
    with torch.inference_mode():
        expected = encoder(speech(), LENGTHS)
        with torch.autocast("cpu", torch.bfloat16):
            frames, _ = encoder.describe(speech(), LENGTHS)
            found = encoder(speech(), LENGTHS)
    assert frames.dtype == torch.float32
    assert largest(found - expected) < 0.1
    with torch.autocast("cpu", torch.bfloat16):
        encoder.train()(speech(), LENGTHS)[:, 0].sum().backward()


# --- arguments


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"sample_rate": 16000, "feature_size": 24, "tokens": 3},
        {"heads": 4, "embedding_size": 64, "windows": False, "sample_rate": 11025},
    ],
)
def test_arguments_build_the_same(arguments):
    encoder = build(**arguments)
    other = DeepTalk(**encoder.arguments()).eval()
    other.load_state_dict(encoder.state_dict())
    waves, lengths = speech(20000, clips=2), torch.full((2,), 20000)
    assert torch.equal(encoder(waves, lengths), other(waves, lengths))


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"sample_rate": 8000.0}, "sample_rate is 8000.0; expected at least 8000"),
        ({"windows": "maybe"}, "windows is 'maybe'; expected True or False"),
        ({"sample_rate": 11025}, "sample_rate is 11025; expected at least 8000, and with windows"),
        ({"sample_rate": 4000, "windows": False}, "sample_rate is 4000"),
        ({"heads": 0}, "heads 0"),
        ({"tokens": 0}, "tokens 0"),
        ({"feature_size": 0}, "feature_size 0"),
        ({"embedding_size": 250}, "embedding_size 250.*a multiple of 16"),
    ],
)
def test_impossible_arguments(arguments, part):
    with pytest.raises(HparamError, match=part):
        DeepTalk(**arguments)
