"""Corpora in our own form, the one that is made, and folders with a table of labels."""

from dataclasses import replace
from pathlib import Path

import pytest

from emovec import corpora
from emovec.errors import CorpusError, ManifestError
from emovec.tables.corpus import CorpusInfo, Skip, read_corpus_info, write_corpus_info
from emovec.tables.manifest import Utterance, read_manifest, write_manifest


def made(corpus, folder, output, **options):
    return corpora.prepare(corpus, folder, output, progress=False, **options)


def write_own_form(folder: Path, write_audio, **facts) -> None:
    write_audio(folder / "audio" / "long.wav", seconds=2.0)
    rows = [
        Utterance(
            "b", "audio/long.wav", 0.5, 1.0, 9.0, speaker="1", emotion="awe", extra={"x": "y"}
        ),
        Utterance("a", "audio/long.wav", None, 0.5, 9.0, speaker="2", valence=2.5),
    ]
    write_manifest(folder / "manifest.csv", rows)
    usual = {
        "language": "hi",
        "licence": "MIT",
        "affect_scale": (1.0, 5.0),
        "affect_source": "rated",
    }
    write_corpus_info(folder / "corpus.json", CorpusInfo("mine", 2, 2, **(usual | facts)))


def test_manifest_is_taken_as_it_is(tmp_path, write_audio):
    write_own_form(tmp_path / "data", write_audio)
    prepared = made(corpora.get("manifest"), tmp_path / "data", tmp_path / "out")
    b, a = prepared.utterances
    assert (b.id, b.start, b.stop, b.duration, b.emotion) == ("b", 0.5, 1.0, 0.5, "awe")
    assert (b.extra["x"], len(b.extra["audio_hash"])) == ("y", 16)
    assert (a.valence, a.arousal, a.affect) == (2.5, None, None)
    assert prepared.info == CorpusInfo(
        "mine",
        2,
        2,
        "",
        "hi",
        "MIT",
        "",
        affect_scale=(1.0, 5.0),
        affect_source="rated",
        published=2,
    )


def test_what_was_skipped_before_is_still_told(tmp_path, write_audio):
    skipped, warnings = (Skip("c", "empty"),), ("2 clips found, 3 are published",)
    write_own_form(tmp_path / "data", write_audio, skipped=skipped, warnings=warnings)
    for _ in range(2):  # made, then used again
        info = made(corpora.get("manifest"), tmp_path / "data", tmp_path / "out").info
        assert (info.skipped, info.warnings) == (skipped, warnings)


def test_manifest_without_affect(tmp_path, write_audio):
    write_own_form(tmp_path / "data", write_audio, affect_scale=None, affect_source=None)
    rows = read_manifest(tmp_path / "data" / "manifest.csv")
    write_manifest(tmp_path / "data" / "manifest.csv", [replace(row, valence=None) for row in rows])
    prepared = made(corpora.get("manifest"), tmp_path / "data", tmp_path / "out")
    assert prepared.info.affect_source is None
    assert all(u.affect is None for u in prepared.utterances)


def write_unrated(folder: Path, write_audio, **facts) -> None:
    """A folder in our own form with emotions, and no affect."""
    write_audio(folder / "a.wav", seconds=1.0)
    rows = [
        Utterance("full", "a.wav", 0.0, 0.3, 9.0, speaker="1", emotion="anger"),
        Utterance("half", "a.wav", 0.3, 0.6, 9.0, speaker="1", emotion="anger", intensity=0.5),
        Utterance("none", "a.wav", 0.6, 0.9, 9.0, speaker="2", emotion="awe"),
    ]
    write_manifest(folder / "manifest.csv", rows)
    usual = {"language": "pl", "licence": "CC-BY-NC-SA-4.0", "citation": "They (2024)"}
    write_corpus_info(folder / "corpus.json", CorpusInfo("acted", 3, 2, **(usual | facts)))


def test_manifest_with_prototypes(tmp_path, write_audio):
    write_unrated(tmp_path / "data", write_audio)
    plain = made(corpora.get("manifest"), tmp_path / "data", tmp_path / "out")
    assert all(u.affect is None for u in plain.utterances)
    # into the same folder, whose table without affect is not used again
    corpus = corpora.get("manifest", prototypes=True)
    prepared = made(corpus, tmp_path / "data", tmp_path / "out")
    full, half, none = prepared.utterances
    assert full.affect == (-0.51, 0.59, 0.25)  # of anger, as other readers have it
    assert half.affect == pytest.approx((-0.255, 0.295, 0.125))
    assert none.affect is None
    info = prepared.info
    assert (info.affect_source, info.affect_scale) == ("prototype", (-1.0, 1.0))
    assert (info.name, info.licence, info.citation) == ("acted", "CC-BY-NC-SA-4.0", "They (2024)")
    assert made(corpora.get("manifest", prototypes=False), tmp_path / "data", tmp_path / "2") == (
        replace(plain, root=tmp_path / "data")
    )


def test_prototypes_in_place_of_affect_that_is_there(tmp_path, write_audio):
    corpus = corpora.get("manifest", prototypes=True)
    write_own_form(tmp_path / "data", write_audio)
    with pytest.raises(CorpusError, match=r"corpus.json: affect_source is rated, .*Leave out"):
        made(corpus, tmp_path / "data", tmp_path / "out")
    # and where corpus.json says nothing of it
    write_own_form(tmp_path / "data", write_audio, affect_scale=None, affect_source=None)
    with pytest.raises(CorpusError, match="affect is given, but no affect_scale"):
        made(corpus, tmp_path / "data", tmp_path / "out")


def test_options_of_a_manifest():
    with pytest.raises(CorpusError, match="manifest: prototypes is 'yes'; expected true or false"):
        corpora.get("manifest", prototypes="yes")
    with pytest.raises(CorpusError, match=r"expected of \['release', 'prototypes'\]"):
        corpora.get("manifest", labels="a.csv")


def test_manifest_of_a_broken_folder(tmp_path, write_audio):
    corpus = corpora.get("manifest")
    (tmp_path / "data").mkdir()
    with pytest.raises(CorpusError, match=r"corpus.json: not found"):
        made(corpus, tmp_path / "data", tmp_path / "out")
    write_own_form(tmp_path / "data", write_audio)
    with pytest.raises(CorpusError, match="holds a table that is read"):
        made(corpus, tmp_path / "data", tmp_path / "data")
    (tmp_path / "data" / "audio" / "long.wav").unlink()
    with pytest.raises(CorpusError, match="mine: 0 of 2 clips found"):
        made(corpus, tmp_path / "data", tmp_path / "out")
    (tmp_path / "data" / "manifest.csv").unlink()
    with pytest.raises(ManifestError, match="not found"):
        made(corpus, tmp_path / "data", tmp_path / "out")


def small_demo(write_audio, calls):
    def make(folder):
        calls.append(folder)
        write_own_form(folder, write_audio)

    return replace(corpora.get("demo"), make=make)


def test_what_is_made_is_made_once(tmp_path, write_audio):
    calls = []
    corpus = small_demo(write_audio, calls)
    first = made(corpus, None, tmp_path / "out")
    assert first.root == tmp_path / "out" / "demo_1"
    assert (first.root / first.utterances[0].path).is_file()
    assert made(corpus, None, tmp_path / "out") == first
    assert made(corpus, tmp_path / "there", tmp_path / "out").root == tmp_path / "there"
    assert len(calls) == 2


def test_what_fails_while_made_is_made_anew(tmp_path, write_audio):
    def fail(folder):
        (folder / "half").write_text("x")
        raise KeyboardInterrupt

    calls = []
    corpus = small_demo(write_audio, calls)
    with pytest.raises(KeyboardInterrupt):
        made(replace(corpus, make=fail), None, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    assert made(corpus, None, tmp_path / "out").info.utterances == 2


def test_nothing_is_made_over_other_files(tmp_path, write_audio):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(CorpusError, match="holds other files"):
        made(small_demo(write_audio, []), tmp_path, tmp_path / "out")
    assert (tmp_path / "thesis.txt").read_text() == "precious"


@pytest.fixture
def tree(tmp_path, write_audio):
    for name in ("x/1.wav", "y/1.wav", "y/2.flac"):
        write_audio(tmp_path / "data" / name)
    (tmp_path / "labels.csv").write_text(
        "file,label,who,v\nx/1.wav,ang,anna,1\ny/1,hap,bob,5\ny/2,,bob,\n"
    )
    return tmp_path / "data"


COLUMNS = {"id": "file", "emotion": "label", "speaker": "who"}


def test_folder(tree):
    corpus = corpora.get("folder", labels=tree.parent / "labels.csv", columns=COLUMNS)
    prepared = made(corpus, tree, tree.parent / "out")
    assert [(u.id, u.path, u.emotion, u.speaker) for u in prepared.utterances] == [
        ("x/1", "x/1.wav", "ang", "anna"),
        ("y/1", "y/1.wav", "hap", "bob"),
        ("y/2", "y/2.flac", "", "bob"),
    ]
    assert all(u.affect is None for u in prepared.utterances)


def test_folder_with_names_and_prototypes(tree):
    options = {"labels": str(tree.parent / "labels.csv"), "columns": COLUMNS}
    emotions = {"ang": "anger", "hap": "happiness"}
    prepared = made(corpora.get("folder", **options, emotions=emotions), tree, tree.parent / "out")
    assert [u.emotion for u in prepared.utterances] == ["anger", "happiness", ""]
    assert prepared.utterances[0].affect == (-0.51, 0.59, 0.25)
    assert prepared.info.affect_source == "prototype"
    partly = corpora.get("folder", **options, emotions={"hap": "happiness"})
    with pytest.raises(CorpusError, match=r"x/1.wav: emotion is 'ang'; expected one of 'hap'"):
        made(partly, tree, tree.parent / "out")


def test_folder_with_ratings(tree):
    columns = {"id": "file", "valence": "v"}
    options = {"labels": tree.parent / "labels.csv", "columns": columns}
    prepared = made(
        corpora.get("folder", **options, affect_scale=[1, 5]), tree, tree.parent / "out"
    )
    assert [u.valence for u in prepared.utterances] == [1.0, 5.0, None]
    assert (prepared.info.affect_source, prepared.info.affect_scale) == ("rated", (1.0, 5.0))
    with pytest.raises(CorpusError, match=r"affect is \(5.0, None, None\)"):
        made(corpora.get("folder", **options, affect_scale=[1, 4]), tree, tree.parent / "out")
    with pytest.raises(CorpusError, match="affect_scale is None"):
        corpora.get("folder", **options)


def test_folder_written_into_itself_is_in_our_form(tree):
    corpus = corpora.get("folder", labels=tree.parent / "labels.csv", columns=COLUMNS)
    prepared = made(corpus, tree, tree)
    again = made(corpora.get("manifest"), tree, tree.parent / "out")
    assert again.utterances == prepared.utterances
    assert replace(read_corpus_info(tree / "corpus.json"), published=3) == again.info


def test_folder_that_has_gaps(tree):
    labels = tree.parent / "labels.csv"
    labels.write_text("file,label,who\nx/1.wav,ang,anna\nz/9.wav,hap,bob\n")
    corpus = corpora.get("folder", labels=labels, columns=COLUMNS)
    with pytest.raises(CorpusError, match="1 of 2 clips found"):
        made(corpus, tree, tree.parent / "out")
    info = made(corpus, tree, tree.parent / "out", allow_partial=True).info
    assert info.skipped[0].reason == "z/9.wav: not found"
    assert info.warnings[1] == "2 audio files have no labels, first y/1.wav"


def test_folder_with_a_name_for_two_files(tree, write_audio):
    write_audio(tree / "y" / "1.flac")
    corpus = corpora.get("folder", labels=tree.parent / "labels.csv", columns=COLUMNS)
    with pytest.raises(CorpusError, match=r"'y/1' may be any of \['y/1.flac', 'y/1.wav'\]"):
        made(corpus, tree, tree.parent / "out")


def test_folder_with_segments(tree):
    labels = tree.parent / "labels.csv"
    labels.write_text("name,wav,from,to\na,x/1.wav,0,0.05\nb,x/1.wav,0.05,0.1\n")
    columns = {"id": "name", "path": "wav", "start": "from", "stop": "to"}
    prepared = made(
        corpora.get("folder", labels=labels, columns=columns), tree, tree.parent / "out"
    )
    assert [(u.id, u.start, u.duration) for u in prepared.utterances] == [
        ("a", 0.0, 0.05),
        ("b", 0.05, 0.05),
    ]


@pytest.mark.parametrize(
    "options", [{}, {"labels": "x.csv"}, {"labels": "x.csv", "columns": {"id": "a", "colour": "b"}}]
)
def test_folder_needs_a_table_and_columns(options):
    with pytest.raises(CorpusError, match=r"Pass them in --corpus_options"):
        corpora.get("folder", **options)


def test_folder_without_emotions_has_no_affect(tree):
    columns = {"id": "file", "speaker": "who"}
    corpus = corpora.get("folder", labels=tree.parent / "labels.csv", columns=columns)
    info = made(corpus, tree, tree.parent / "out").info
    assert (info.affect_source, info.affect_scale) == (None, None)


def test_registry():
    assert corpora.names()[0] == "demo"
    for name in corpora.names():
        if name != "folder":
            assert corpora.get(name).name == name
    with pytest.raises(CorpusError, match=r"corpus is 'nonsense'; expected one of demo, ravdess"):
        corpora.get("nonsense")
    with pytest.raises(CorpusError, match=r"ravdess: options are \['colour'\]"):
        corpora.get("ravdess", colour="red")


def test_protocols():
    ravdess = corpora.get("ravdess")
    assert list(corpora.protocols(ravdess)) == [
        "by-speaker",
        "group-kfold",
        "leave-one-session-out",
        "loso",
    ]
    with pytest.raises(Exception, match="ravdess: protocol is 'x'; expected one of by-speaker"):
        corpora.protocol(ravdess, "x")
