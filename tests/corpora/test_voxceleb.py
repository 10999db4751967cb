"""VoxCeleb on small fake copies, in the published layouts."""

from collections import Counter
from dataclasses import replace

import pytest

from emovec.corpora import voxceleb
from emovec.corpora.preparing import prepare
from emovec.corpora.voxceleb import VOXCELEB1, VOXCELEB2
from emovec.errors import CorpusError, ManifestError
from emovec.tables.manifest import Utterance
from emovec.tables.splits import check_splits
from emovec.tables.trials import check_trials, read_published_trials

CLIPS = ["id10001/1zcIwhmdeo4/00001", "id10001/7gWzIy6yIIk/00001", "id10270/5r0dWxy17C8/00001"]
META1 = (
    "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet\n"
    "id10001\tA.J._Buckley\tm\tIreland\tdev\n"
    "id10270\tEartha_Kitt\tf\tUSA\ttest\n"
)
META2 = (
    "VoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set \n"
    "id00012 ,n000012 ,m ,dev \n"
    "id00017 ,n000017 ,f ,test \n"
)


def made(corpus, folder, allow_partial=True):
    output = folder.parent / "out"
    return prepare(corpus, folder, output, allow_partial=allow_partial, progress=False)


def test_voxceleb1(tmp_path, write_audio):
    root = tmp_path / "data"
    for clip in CLIPS:
        write_audio(root / "wav" / f"{clip}.wav")
    (root / "wav/id10001/1zcIwhmdeo4/._00001.wav").write_bytes(b"Mac")
    (root / "wav/id10001/1zcIwhmdeo4/00001.txt").write_text("boxes of the face")
    (root / "vox1_meta.csv").write_text(META1)
    prepared = made(VOXCELEB1, root)
    # three clips are called 00001: ids have the video and the speaker, too
    assert [u.id for u in prepared.utterances] == CLIPS
    first, _, last = prepared.utterances
    assert first.path == "wav/id10001/1zcIwhmdeo4/00001.wav"
    assert (first.speaker, first.session, first.gender) == ("id10001", "1zcIwhmdeo4", "male")
    assert (last.speaker, last.gender) == ("id10270", "female")
    assert [u.extra["part"] for u in prepared.utterances] == ["dev", "dev", "test"]
    assert prepared.info.affect_source is None
    assert prepared.info.warnings == (f"3 of 153516 clips found under {root / 'wav'}",)


def test_partial_copy_is_an_error(tmp_path, write_audio):
    write_audio(tmp_path / "data" / "wav" / f"{CLIPS[0]}.wav")
    with pytest.raises(CorpusError, match=r"1 of 153516 clips .* Pass --allow_partial"):
        made(VOXCELEB1, tmp_path / "data", allow_partial=False)


@pytest.mark.parametrize(
    ("corpus", "parts", "clips", "speakers"),
    [
        (VOXCELEB1, ["dev", "test"], 153_516, 1251),
        (VOXCELEB1, ["dev"], 148_642, 1211),
        (VOXCELEB1, ["test"], 4_874, 40),
        (VOXCELEB2, ["dev", "test"], 1_128_246, 6112),
        (VOXCELEB2, ["dev"], 1_092_009, 5994),
        (VOXCELEB2, ["test"], 36_237, 118),
    ],
)
def test_parts_side_by_side(tmp_path, write_audio, corpus, parts, clips, speakers):
    root = tmp_path / "data"
    clip_of = {"dev": "id10001/v/00001", "test": "id10270/v/00001"}
    for part in parts:
        write_audio(root / part / "wav" / f"{clip_of[part]}.wav")
    write_audio(root / "denoised" / "wav" / f"{CLIPS[0]}.wav")  # none of the corpus
    opened = corpus.open(corpus, root)
    assert (opened.utterances, opened.speakers) == (clips, speakers)
    utterances = made(corpus, root).utterances
    assert [u.id for u in utterances] == [clip_of[part] for part in parts]
    assert [u.extra["part"] for u in utterances] == parts


def test_the_same_clip_in_both_parts(tmp_path, write_audio):
    for part in ("dev", "test"):
        write_audio(tmp_path / "data" / part / "wav" / f"{CLIPS[0]}.wav")
    with pytest.raises(ManifestError, match=f"both have the id '{CLIPS[0]}'"):
        made(VOXCELEB1, tmp_path / "data")


def test_voxceleb2_of_commas_and_blanks(tmp_path, write_audio):
    root = tmp_path / "data"
    for speaker in ("id00012", "id00017", "id09999"):
        write_audio(root / "wav" / speaker / "21Uxsk56VDQ" / "00001.wav")
    (root / "vox2_meta.csv").write_text(META2)
    utterances = made(VOXCELEB2, root).utterances
    assert [(u.gender, u.extra["part"]) for u in utterances] == [
        ("male", "dev"),
        ("female", "test"),
        ("", ""),
    ]


@pytest.mark.parametrize("folder", ["aac", "dev/aac", "wav"])
def test_m4a_has_to_be_converted(tmp_path, write_audio, folder):
    video = tmp_path / "data" / folder / "id00012" / "21Uxsk56VDQ"
    video.mkdir(parents=True)
    (video / "00001.m4a").write_bytes(b"not read")
    with pytest.raises(CorpusError, match=r"ffmpeg -i 00001.m4a -ac 1 -ar 16000 00001.wav"):
        made(VOXCELEB2, tmp_path / "data")
    write_audio(video / "00001.wav")  # beside it, as the converters do
    assert len(made(VOXCELEB2, tmp_path / "data").utterances) == 1


def test_pointers_are_named(tmp_path, write_audio, write_pointer):
    write_pointer(tmp_path / "data" / "wav" / f"{CLIPS[0]}.wav")
    with pytest.raises(CorpusError, match=rf"{CLIPS[0]}.wav: is a Git LFS pointer"):
        made(VOXCELEB1, tmp_path / "data")


def test_without_the_table_genders_are_not_known(tmp_path, write_audio):
    write_audio(tmp_path / "data" / "wav" / f"{CLIPS[2]}.wav")
    prepared = made(VOXCELEB1, tmp_path / "data")
    (utterance,) = prepared.utterances
    assert (utterance.gender, utterance.extra["part"]) == ("", "test")
    assert "vox1_meta.csv not found: genders are not known" in prepared.info.warnings
    (tmp_path / "data" / "vox1_meta.csv").write_text(META1)  # is looked at again
    prepared = made(VOXCELEB1, tmp_path / "data")
    assert prepared.utterances[0].gender == "female"
    assert len(prepared.info.warnings) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (META1.replace("\tm\t", "\tx\t"), "id10001: Gender is 'x'; expected one of 'm', 'f'"),
        (META1.replace("Gender", "Sex"), "id10001: found columns .*expected 'VoxCeleb1 ID' and"),
        (META1.replace("VoxCeleb1 ID", "ID"), "header: found columns"),
        (META1 + "id10271\tonly\n", "vox1_meta.csv:4: cells do not match the header"),
    ],
)
def test_tables_that_make_no_sense(tmp_path, write_audio, text, said):
    write_audio(tmp_path / "data" / "wav" / f"{CLIPS[0]}.wav")
    (tmp_path / "data" / "vox1_meta.csv").write_text(text)
    with pytest.raises(CorpusError, match=said):
        made(VOXCELEB1, tmp_path / "data")


def test_parts_that_make_no_sense(tmp_path, write_audio):
    write_audio(tmp_path / "data" / "wav" / "id00012" / "v" / "00001.wav")
    (tmp_path / "data" / "vox2_meta.csv").write_text(META2.replace("test", "eval"))
    with pytest.raises(CorpusError, match="id00017: Set is 'eval'; expected one of 'dev', 'test'"):
        made(VOXCELEB2, tmp_path / "data")


def speakers(first, number, part):
    return [
        Utterance(
            f"id{first + speaker}/v/{clip}",
            f"id{first + speaker}/v/{clip}.wav",
            None,
            None,
            1.0,
            f"id{first + speaker}",
            gender="male" if speaker % 2 else "female",
            extra={"part": part},
        )
        for speaker in range(number)
        for clip in range(1 + speaker % 3)
    ]


@pytest.mark.parametrize(("corpus", "name"), [(VOXCELEB1, "voxceleb1"), (VOXCELEB2, "voxceleb2")])
def test_official_splits(corpus, name):
    utterances = speakers(10001, 100, "dev") + speakers(10270, 40, "test")
    protocol = corpus.protocols[f"{name}-official"]
    assignments = protocol.assign(utterances, 1)
    found = check_splits(utterances, assignments)
    assert (found.leaks, found.warnings) == ((), ())
    split_of = {row.id.partition("/")[0]: row.split for row in assignments}
    assert Counter(split_of.values()) == {"train": 95, "valid": 5, "test": 40}
    assert {s for s, split in split_of.items() if split == "test"} == {
        f"id{number}" for number in range(10270, 10310)
    }
    assert protocol.assign(utterances, 1) == assignments
    assert protocol.assign(utterances, 2) != assignments


def test_parts_of_voxceleb1_are_those_of_the_publication():
    counts = Counter(voxceleb.VOXCELEB1_PARTS.values())
    assert counts == {"dev": 1211, "test": 40}
    assert list(voxceleb.VOXCELEB1_PARTS)[-1] == "id11251"
    for corpus, parts in zip((VOXCELEB1, VOXCELEB2), voxceleb.PUBLISHED.values(), strict=True):
        assert (corpus.utterances, corpus.speakers) == tuple(
            map(sum, zip(*parts.values(), strict=True))
        )


def test_official_trials(tmp_path, write_audio):
    root = tmp_path / "data"
    for clip in CLIPS:
        write_audio(root / "wav" / f"{clip}.wav")
    (root / "veri_test2.txt").write_text(f"1 {CLIPS[0]}.wav {CLIPS[1]}.wav\n")
    (root / "list_test_hard.txt").write_text(f"0 {CLIPS[0]}.wav id10280/v/00001.wav\n")
    found = voxceleb.trials(root)
    assert found == {
        "voxceleb1-o-cleaned": (root / "veri_test2.txt", 37_611),
        "voxceleb1-h": (root / "list_test_hard.txt", 552_536),
    }
    utterances = made(replace(VOXCELEB1, utterances=3), root).utterances
    file, number = found["voxceleb1-o-cleaned"]
    cleaned = read_published_trials(file)
    assert check_trials(cleaned, utterances, number) == ["1 trials found, 37611 are published"]
    with pytest.raises(ManifestError, match=r"1 ids are not in the manifest \(id10280/v/00001\)"):
        check_trials(read_published_trials(found["voxceleb1-h"][0]), utterances)
    assert voxceleb.trials(tmp_path) == {}


def test_a_speaker_of_two_genders(tmp_path, write_audio):
    root = tmp_path / "data"
    write_audio(root / "wav" / f"{CLIPS[0]}.wav")
    (root / "vox1_meta.csv").write_text(META1 + "id10270\tEartha_Kitt\tm\tUSA\ttest\n")
    with pytest.raises(CorpusError, match=r"vox1_meta.csv: 'id10270' is 'female' and 'male'"):
        made(VOXCELEB1, root)
