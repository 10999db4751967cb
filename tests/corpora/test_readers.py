"""Readers on small fake copies, in the published form; ravdess on the real one, where it is."""

import os
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from emovec import corpora
from emovec.errors import CorpusError
from emovec.labels import AFFECT_PROTOTYPES, EMOTIONS
from emovec.tables.splits import check_splits

REAL_RAVDESS = Path(
    os.environ.get("EMOVEC_RAVDESS", Path(__file__).parents[3] / "shared/corpora/ravdess")
)


def made(corpus, folder, **options):
    output = folder.parent / "out"
    return corpora.prepare(corpus, folder, output, progress=False, **options)


def small(name, utterances, speakers):
    return replace(corpora.get(name), utterances=utterances, speakers=speakers)


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_ravdess(tmp_path, write_audio, suffix):
    for actor in ("01", "02"):
        for emotion in ("01", "02", "05"):
            name = f"03-01-{emotion}-01-02-01-{actor}{suffix}"
            write_audio(tmp_path / "data" / f"Actor_{actor}" / name, sample_rate=48000)
    strong = f"03-01-04-02-01-02-02{suffix}"
    write_audio(tmp_path / "data" / "Actor_02" / strong)
    write_audio(tmp_path / "data" / "Actor_02" / f"03-02-04-02-01-02-02{suffix}")  # a song
    prepared = made(small("ravdess", 7, 2), tmp_path / "data")
    by_id = {u.id: u for u in prepared.utterances}
    assert len(by_id) == 7
    neutral, calm, anger = (by_id[f"03-01-{e}-01-02-01-01"] for e in ("01", "02", "05"))
    assert [u.emotion for u in (neutral, calm, anger)] == ["neutral", "calm", "anger"]
    assert (anger.speaker, anger.gender, anger.intensity) == ("01", "male", 0.5)
    assert anger.text == "dogs are sitting by the door"
    assert anger.affect == pytest.approx((-0.255, 0.295, 0.125))
    assert neutral.affect == (0.0, 0.0, 0.0)
    assert calm.affect is None
    sad = by_id["03-01-04-02-01-02-02"]
    assert (sad.gender, sad.intensity, sad.affect) == ("female", 1.0, AFFECT_PROTOTYPES["sadness"])
    assert prepared.info.affect_source == "prototype"
    assert prepared.info.affect_scale == (-1.0, 1.0)


def test_ravdess_of_a_wrong_code(tmp_path, write_audio):
    write_audio(tmp_path / "data" / "Actor_01" / "03-01-09-01-01-01-01.wav")
    with pytest.raises(CorpusError, match=r"03-01-09.*emotion is '09'; expected one of '01'"):
        made(small("ravdess", 1, 1), tmp_path / "data")


@pytest.mark.skipif(not REAL_RAVDESS.is_dir(), reason=f"no RAVDESS at {REAL_RAVDESS}")
def test_real_ravdess(tmp_path):
    corpus = corpora.get("ravdess")
    prepared = corpora.prepare(corpus, REAL_RAVDESS, tmp_path, progress=False)
    assert (prepared.info.utterances, prepared.info.speakers) == (1440, 24)
    assert (prepared.info.skipped, prepared.info.warnings) == ((), ())
    # 192 clips of each emotion but neutral, which has one intensity
    counts = Counter(u.emotion for u in prepared.utterances)
    assert counts.pop("neutral") == 96
    assert set(counts.values()) == {192}
    assert Counter(u.gender for u in prepared.utterances) == {"female": 720, "male": 720}
    assert sum(u.affect is None for u in prepared.utterances) == 192
    assert 85 < sum(u.duration for u in prepared.utterances) / 60 < 92
    start = time.perf_counter()
    assert corpora.prepare(corpus, REAL_RAVDESS, tmp_path, progress=False) == prepared
    assert time.perf_counter() - start < 2
    for name in ("by-speaker", "group-kfold"):
        split = corpora.split(corpus, name, prepared.utterances, seed=0)
        check = check_splits(split.utterances, split.assignments)
        assert (check.leaks, check.warnings) == ((), ())


def test_nemo(tmp_path, write_audio):
    for name in ("EB0_anger_1", "WR0_surprised_64"):
        write_audio(tmp_path / "data" / "samples" / f"{name}.wav", sample_rate=24000)
    # as published: ids with suffix, blanks before the speaker
    (tmp_path / "data" / "data.tsv").write_text(
        "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage\n"
        "WR0_surprised_64.wav\tsurprised\tUcho, tak.\tucho tak\t        WR0\tmale\t23\n"
        'EB0_anger_1\tanger\t"Tak?"\ttak\tEB0\tfemale\t27\n',
        encoding="utf-8",
    )
    anger, surprise = made(small("nemo", 2, 2), tmp_path / "data").utterances
    assert (anger.id, anger.speaker, anger.gender) == ("EB0_anger_1", "EB0", "female")
    assert (surprise.emotion, surprise.speaker, surprise.text) == ("surprise", "WR0", "Ucho, tak.")
    assert surprise.extra["age"] == "23"
    assert surprise.affect == AFFECT_PROTOTYPES["surprise"]


def test_every_emotion_of_every_reader_has_our_name():
    from emovec.corpora import nemo, ravdess

    for reader in (nemo, ravdess):
        assert set(reader.EMOTIONS.values()) <= set(EMOTIONS)
