"""The demonstration corpus: whole, repeatable, heard as asked for, and not easy."""

import time
from collections import Counter

import numpy as np
import pytest
import soundfile

from emovec.audio.functionals import NAMES, functionals
from emovec.corpora import demo, voice
from emovec.labels import AFFECT_PROTOTYPES
from emovec.tables.corpus import read_corpus_info
from emovec.tables.manifest import read_manifest


def write_small(folder, monkeypatch, seed=0, workers=2):
    """Two speakers, two takes of each emotion."""
    monkeypatch.setattr(demo, "SPEAKERS", 2)
    monkeypatch.setattr(demo, "TAKES", 2)
    demo.synthesise(folder, seed, workers)
    return read_manifest(folder / "manifest.csv")


def contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def heard():
    """Functionals and emotion of two takes of each emotion by eight speakers."""
    speakers = [demo.invent_speaker(number, seed=0) for number in range(8)]
    rows = []
    for speaker in speakers:
        for emotion in demo.EMOTIONS:
            for take in range(2):
                generator = np.random.default_rng([5, len(rows)])
                affect = demo.draw_affect(emotion, generator)
                wave, _words = demo.say(speaker, affect, generator)
                values = dict(zip(NAMES, functionals(wave, voice.SAMPLE_RATE), strict=True))
                rows.append((speaker, emotion, take, affect, values))
    return rows


def test_files_are_as_the_tables_say(tmp_path, monkeypatch):
    utterances = write_small(tmp_path, monkeypatch)
    assert len(utterances) == 2 * len(demo.EMOTIONS) * 2
    assert {u.gender for u in utterances} == {"female", "male"}
    for u in utterances:
        facts = soundfile.info(tmp_path / u.path)
        assert (facts.samplerate, facts.channels, facts.subtype) == (16000, 1, "PCM_16")
        assert facts.duration == pytest.approx(u.duration)
        assert 1.5 <= u.duration <= 3.0
        assert all(1 <= value <= 7 for value in u.affect)
        assert u.text and u.session and u.emotion in demo.EMOTIONS
    assert len(list((tmp_path / "audio").iterdir())) == len(utterances)


def test_facts(tmp_path, monkeypatch):
    write_small(tmp_path, monkeypatch)
    info = read_corpus_info(tmp_path / "corpus.json")
    assert info == demo.INFO
    assert (info.affect_scale, info.affect_source) == ((1.0, 7.0), "prototype")
    assert "never evidence" in info.citation


def test_promised_size():
    assert demo.INFO.utterances == demo.SPEAKERS * len(demo.EMOTIONS) * demo.TAKES >= 600
    assert demo.SPEAKERS >= 12
    assert "neutral" in demo.EMOTIONS and len(demo.EMOTIONS) >= 5


def test_same_seed_same_bytes_whatever_the_workers(tmp_path, monkeypatch):
    for folder, workers in (("one", 1), ("two", 3)):
        write_small(tmp_path / folder, monkeypatch, workers=workers)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_other_seed_other_clips(tmp_path, monkeypatch):
    for seed in (0, 1):
        write_small(tmp_path / str(seed), monkeypatch, seed)
    first, second = contents(tmp_path / "0"), contents(tmp_path / "1")
    waves = [path for path in first if path.endswith(".wav")]
    assert first.keys() == second.keys() and waves
    assert all(first[path] != second[path] for path in waves)


def test_speakers_differ_and_are_balanced():
    speakers = [demo.invent_speaker(number, seed=0) for number in range(demo.SPEAKERS)]
    assert len({s.name for s in speakers}) == demo.SPEAKERS
    assert set(Counter(s.gender for s in speakers).values()) == {demo.SPEAKERS // 2}
    pitch = {g: np.array([s.pitch for s in speakers if s.gender == g]) for g in ("female", "male")}
    # typical of adults: 165 to 255 Hz and 85 to 155 Hz (Titze, 1994), with room to either side
    assert (pitch["female"] > 130).all() and (pitch["female"] < 290).all()
    assert (pitch["male"] > 80).all() and (pitch["male"] < 175).all()
    lengths = [s.stretch.mean() for s in speakers]
    assert np.ptp(lengths) > 0.1


def test_affect_lies_around_its_prototype():
    generator = np.random.default_rng(0)
    for emotion in demo.EMOTIONS:
        drawn = np.array([demo.draw_affect(emotion, generator) for _ in range(400)])
        assert np.abs(drawn).max() <= 1
        np.testing.assert_allclose(drawn.mean(axis=0), AFFECT_PROTOTYPES[emotion], atol=0.08)


def test_waves_are_neither_clipped_nor_lost(heard):
    for *_labels, values in heard:
        assert -60 < values["loudness/p80"] < -8
        assert 0.2 < values["voicing/rate"] < 0.95


def test_aroused_clips_are_louder_and_higher(heard):
    affect = np.array([row[3] for row in heard])
    for name in ("loudness/p80", "pitch/p50"):
        level = np.array([row[4][name] for row in heard])
        gender = np.array([row[0].gender == "female" for row in heard], dtype=float)
        rest = level - np.polyval(np.polyfit(gender, level, 1), gender)
        assert np.corrcoef(rest, affect[:, 1])[0, 1] > 0.3


@pytest.mark.parametrize("name", ["pitch/p50", "loudness/p80"])
def test_emotions_and_speakers_overlap(heard, name):
    """No emotion, and no two speakers of a gender, can be told by pitch or loudness alone."""
    for gender in ("female", "male"):
        rows = [row for row in heard if row[0].gender == gender]
        for group in (1, 0):  # by emotion, by speaker
            keys = sorted({str(row[group] if group else row[0].name) for row in rows})
            ranges = {}
            for key in keys:
                of = [r[4][name] for r in rows if key == str(r[1] if group else r[0].name)]
                ranges[key] = (min(of), max(of))
            for key, (low, high) in ranges.items():
                others = [span for other, span in ranges.items() if other != key]
                assert any(low <= end and start <= high for start, end in others), key


def test_no_functional_gives_affect_away(heard):
    table = np.array([list(row[4].values()) for row in heard])
    affect = np.array([row[3] for row in heard])
    for axis in range(3):
        for column in table.T:
            if column.std() > 0:
                assert abs(np.corrcoef(column, affect[:, axis])[0, 1]) < 0.85


@pytest.mark.slow
def test_whole_corpus_in_time(tmp_path):
    start = time.monotonic()
    demo.synthesise(tmp_path)
    assert time.monotonic() - start < 40  # 20 s are promised on two idle cores
    utterances = read_manifest(tmp_path / "manifest.csv")
    assert len(utterances) == demo.INFO.utterances
    assert len({u.speaker for u in utterances}) == demo.SPEAKERS
    counts = Counter((u.speaker, u.emotion) for u in utterances)
    assert set(counts.values()) == {demo.TAKES}
