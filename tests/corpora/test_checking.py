"""What a check of a corpus finds: one wrong thing at a time, in a copy that is sound otherwise."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emovec.corpora.checking import Finding, check
from emovec.corpora.completion import write_completion
from emovec.errors import ManifestError
from emovec.tables.corpus import read_corpus_info, write_corpus_info
from emovec.tables.manifest import read_manifest, write_manifest
from emovec.tables.splits import Assignment, write_splits

CLIP = "0_anger_0"


@pytest.fixture
def corpus(small_corpus, tmp_path):
    folder = Path(shutil.copytree(small_corpus, tmp_path / "corpus"))
    # sessions of the small corpus hold several speakers
    change(folder, lambda row: replace(row, session=""))
    return folder


def change(folder, how):
    write_manifest(folder / "manifest.csv", map(how, read_manifest(folder / "manifest.csv")))


def change_one(folder, **values):
    change(folder, lambda row: replace(row, **values) if row.id == CLIP else row)


def write_wave(folder, wave, rate=16000, subtype=None):
    soundfile.write(folder / "audio" / f"{CLIP}.wav", wave, rate, subtype)
    change_one(folder, duration=len(wave) / rate)


def found(folder, **options):
    return list(check(folder, progress=False, **options).findings)


def noise(samples, level=0.1):
    return np.random.default_rng(0).uniform(-level, level, samples)


def test_a_sound_corpus(corpus):
    checked = check(corpus / "manifest.csv", progress=False)
    assert (checked.corpus, checked.clips, checked.splits) == ("small", 80, ())
    assert checked.findings == ()
    assert checked.is_sound
    assert (corpus / "measurements.csv").is_file()


def test_no_manifest(tmp_path):
    with pytest.raises(ManifestError, match="not found"):
        check(tmp_path)


def test_speakers_in_two_splits_are_a_leak(corpus):
    rows = read_manifest(corpus / "manifest.csv")
    assignments = [Assignment(u.id, 0, "test" if "anger" in u.id else "train") for u in rows]
    write_splits(corpus / "splits" / "by-clip.csv", assignments)
    (leak,) = found(corpus)
    assert leak.severity == "leak"
    assert leak.what.startswith("by-clip.csv: fold 0: 10 speakers in more than one split (s0, s1")
    assert not check(corpus, progress=False).is_sound
    assert found(corpus, splits=[corpus / "splits" / "by-clip.csv"]) == [leak]


def test_same_audio_in_two_splits_is_found_without_the_manifests_word(corpus):
    shutil.copy(corpus / "audio" / f"{CLIP}.wav", corpus / "audio" / "9_sadness_1.wav")
    first = soundfile.info(corpus / "audio" / f"{CLIP}.wav").duration
    change(corpus, lambda u: replace(u, duration=first) if u.id == "9_sadness_1" else u)
    rows = read_manifest(corpus / "manifest.csv")
    assignments = [Assignment(u.id, 0, "test" if u.speaker == "s9" else "train") for u in rows]
    write_splits(corpus / "splits" / "one.csv", assignments)
    leak, twins = found(corpus)
    assert leak.severity == "leak"
    assert "same audio in more than one split (0_anger_0 (train) = 9_sadness_1 (test))" in leak.what
    said = "same audio of speakers s0, s9 and emotions anger, sadness"
    assert twins == Finding("fault", said, (CLIP, "9_sadness_1"))


def test_same_audio_of_one_speaker_is_a_warning(corpus):
    change_one(corpus, path="audio/0_anger_1.wav")
    twin = next(u for u in read_manifest(corpus / "manifest.csv") if u.id == "0_anger_1")
    change_one(corpus, duration=twin.duration)
    assert found(corpus) == [
        Finding("warning", "same audio under several ids", (CLIP, "0_anger_1"))
    ]


def test_a_published_protocol_may_share_speakers_by_name(corpus):
    facts = read_corpus_info(corpus / "corpus.json")
    write_corpus_info(corpus / "corpus.json", replace(facts, name="msp_podcast"))
    rows = read_manifest(corpus / "manifest.csv")
    assignments = [Assignment(u.id, 0, "test" if "anger" in u.id else "valid") for u in rows]
    assignments[0] = replace(assignments[0], split="train")
    write_splits(corpus / "splits" / "emosphere-inhouse.csv", assignments)
    leak, warning = found(corpus)
    assert (leak.severity, warning.severity) == ("leak", "warning")  # train shares with none
    assert leak.what.endswith("1 speakers in more than one split (s0)")
    assert "9 speakers in more than one split (s1, " in warning.what
    (corpus / "splits" / "emosphere-inhouse.csv").rename(
        corpus / "splits" / "msp-podcast-official.csv"
    )
    assert found(corpus)[0].severity == "leak"


def test_splits_that_are_broken(corpus):
    write_splits(corpus / "splits" / "one.csv", [Assignment("ghost", 0, "train")])
    (fault, *_rest) = found(corpus)
    assert fault.severity == "fault"
    assert "1 ids unknown to the manifest (ghost)" in fault.what


@pytest.mark.parametrize(
    ("wave", "severity", "said"),
    [
        (noise(8000, level=1e-4), "warning", "near-silent clips (below -60 dB of full scale)"),
        (np.sign(noise(8000)), "warning", "clipped clips (0.1% or more of the samples"),
    ],
)
def test_silence_and_clipping(corpus, wave, severity, said):
    write_wave(corpus, wave, subtype="FLOAT")
    (finding,) = found(corpus)
    assert (finding.severity, finding.ids) == (severity, (CLIP,))
    assert finding.what.startswith(said)


def test_another_sample_rate(corpus):
    write_wave(corpus, noise(8000), rate=8000)
    assert found(corpus) == [Finding("warning", "clips at 8000 Hz, others 16000 Hz", (CLIP,))]


def test_a_truncated_file(corpus):
    path = corpus / "audio" / f"{CLIP}.wav"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    truncated, length = found(corpus)
    assert truncated.what.startswith("truncated clips") and truncated.ids == (CLIP,)
    assert length == Finding("fault", "clips whose length is not the manifest's", (CLIP,))


def test_audio_that_is_missing_or_unreadable(corpus):
    (corpus / "audio" / f"{CLIP}.wav").unlink()
    (corpus / "audio" / "0_anger_1.wav").write_text("version https://git-lfs.github.com/spec/v1\n")
    missing, pointer = found(corpus)
    assert missing == Finding("fault", "audio not found", (CLIP,))
    assert pointer.what.startswith("audio is a Git LFS pointer")


@pytest.mark.parametrize(
    ("values", "severity", "said"),
    [
        ({"speaker": ""}, "warning", "clips without a speaker"),
        (
            {"emotion": "awe"},
            "warning",
            "1 emotions (awe) that are none of emovec.labels.EMOTIONS",
        ),
        (
            {"extra": {"audio_hash": "0" * 16}},
            "fault",
            "clips whose samples are not those of the manifest",
        ),
        ({"dominance": 7.5}, "fault", "dominance outside of [1, 7]"),
    ],
)
def test_labels(corpus, values, severity, said):
    change_one(corpus, **values)
    assert found(corpus) == [Finding(severity, said, (CLIP,))]


def test_affect_without_a_scale(corpus):
    facts = read_corpus_info(corpus / "corpus.json")
    write_corpus_info(corpus / "corpus.json", replace(facts, affect_scale=None))
    assert [f.what for f in found(corpus)] == [
        f"{axis} is given, but corpus.json has no affect_scale"
        for axis in ("valence", "arousal", "dominance")
    ]


def test_numbers_that_are_not_the_published_ones(corpus):
    facts = read_corpus_info(corpus / "corpus.json")
    write_corpus_info(corpus / "corpus.json", replace(facts, published=81, utterances=79))
    fault, warning = found(corpus)
    assert fault == Finding("fault", "80 clips, but corpus.json says 79")
    assert warning == Finding("warning", "80 clips, 81 usable ones are published")
    # a part of a corpus, whose own number prepare expected and nobody compares with the whole
    write_corpus_info(corpus / "corpus.json", replace(facts, name="voxceleb1", published=80))
    assert found(corpus) == []


def test_many_emotions_of_other_names_are_one_finding(corpus):
    change(corpus, lambda row: replace(row, emotion=f"mood {row.speaker}"))
    (finding,) = found(corpus)
    assert finding.what.startswith("10 emotions (mood s0, mood s1, ")
    assert len(finding.ids) == 80


def test_speakers_that_may_be_one(corpus):
    names = {"s0": "Anna", "s1": "anna", "s2": "01", "s3": "1", "s4": "10", "s5": "100"}
    change(corpus, lambda row: replace(row, speaker=names.get(row.speaker, row.speaker)))
    said = sorted(finding.what for finding in found(corpus))
    assert said == ["speakers that may be one: 01, 1", "speakers that may be one: Anna, anna"]


def test_same_audio_of_one_speaker_under_two_emotions_is_a_fault(corpus):
    twin = next(u for u in read_manifest(corpus / "manifest.csv") if u.id == "0_sadness_1")
    change_one(corpus, path=twin.path, duration=twin.duration)
    said = "same audio of emotions anger, sadness"
    assert found(corpus) == [Finding("fault", said, (CLIP, "0_sadness_1"))]


def test_parts_of_a_file_that_overlap_are_to_be_looked_at(corpus):
    twin = next(u for u in read_manifest(corpus / "manifest.csv") if u.id == "9_sadness_1")
    part = {"path": twin.path, "start": 0.05, "stop": 0.25, "duration": 0.2}
    change_one(corpus, **part)
    said = "parts of a file that overlap one of another speaker"
    assert found(corpus) == [Finding("warning", said, ("9_sadness_1", CLIP))]
    change_one(corpus, speaker=twin.speaker)
    assert found(corpus) == []


def test_hidden_splits_are_not_read(corpus):
    (corpus / "splits").mkdir()
    (corpus / "splits" / "._mine.csv").write_bytes(b"\0\5\x16\7\0\xff\xfe")
    assert found(corpus) == []


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff", b"{}", b'{"data_folder": 5}'])
def test_a_broken_mark_of_completion_is_none(corpus, content):
    (corpus / "prepared.json").write_bytes(content)
    assert found(corpus) == []


def test_audio_elsewhere(corpus, tmp_path):
    (tmp_path / "tables").mkdir()
    for name in ("manifest.csv", "corpus.json"):
        (corpus / name).rename(tmp_path / "tables" / name)
    assert found(tmp_path / "tables")[0].what == "audio not found"
    assert found(tmp_path / "tables", data_folder=corpus) == []
    write_completion(tmp_path / "tables", "", corpus, ["manifest.csv"])
    assert found(tmp_path / "tables") == []
