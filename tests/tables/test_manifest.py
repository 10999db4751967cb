import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emovec.errors import ManifestError
from emovec.tables.manifest import COLUMNS, Utterance, read_manifest, write_manifest

HEADER = ",".join(COLUMNS)


def clip(id_="a", **changes):
    return Utterance(
        **{"id": id_, "path": "a.wav", "start": None, "stop": None, "duration": 1.0} | changes
    )


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=9)
NUMBER = st.none() | st.floats(-9, 9)


@given(
    st.lists(
        st.builds(
            Utterance,
            id=st.text(string.ascii_letters, min_size=1, max_size=5),
            path=st.just("x/y.wav"),
            start=st.none() | st.floats(0, 5),
            stop=st.none() | st.floats(6, 9),
            duration=st.floats(0.01, 99),
            speaker=TEXT,
            gender=st.sampled_from(["", "female", "male"]),
            text=TEXT,
            emotion=TEXT,
            valence=NUMBER,
            extra=st.fixed_dictionaries({"age": TEXT, "a,b": TEXT}),
        ),
        unique_by=lambda utterance: utterance.id,
        max_size=5,
    )
)
def test_reads_what_was_written(tmp_path_factory, utterances):
    path = tmp_path_factory.mktemp("manifest") / "manifest.csv"
    write_manifest(path, utterances)
    assert read_manifest(path) == utterances


def test_header_is_the_promise(tmp_path):
    write_manifest(tmp_path / "m.csv", [clip(extra={"age": "9"})])
    assert (tmp_path / "m.csv").read_text().splitlines()[0] == (
        "id,path,start,stop,duration,speaker,gender,session,text,emotion,intensity,"
        "valence,arousal,dominance,age"
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a,a.wav,,,x,,,,,,,,,", "m.csv:2: duration is 'x'"),
        ("a,a.wav,,,,,,,,,,,,", "duration is empty"),
        ("a,a.wav,,,0,,,,,,,,,", "duration is 0.0"),
        ("a,a.wav,,,1,,,,,,,nan,,", "valence is 'nan'"),
        ("a,a.wav,,,1,,,,,,,inf,,", "valence is 'inf'"),
        ("a,a.wav,3,2,1,,,,,,,,,", "stop 2.0 is not after start 3.0"),
        ("a,,,,1,,,,,,,,,", "path is empty"),
        (",a.wav,,,1,,,,,,,,,", "id '' is empty"),
        ("a,a.wav,,,1,,other,,,,,,,", "gender is 'other'"),
        ("a,a.wav,,,1", "number of cells"),
        ("a,a.wav,,,1,,,,,,,,,,,", "number of cells"),
        ("a,a.wav,,,1,,,,,,,,,\na,b.wav,,,1,,,,,,,,,", "id 'a' is empty or occurs twice"),
    ],
)
def test_broken_rows(tmp_path, row, said):
    (tmp_path / "m.csv").write_text(f"{HEADER}\n{row}\n")
    with pytest.raises(ManifestError, match=said):
        read_manifest(tmp_path / "m.csv")


def test_missing_file_and_column(tmp_path):
    with pytest.raises(ManifestError, match="not found"):
        read_manifest(tmp_path / "m.csv")
    (tmp_path / "m.csv").write_text("id,path\n")
    with pytest.raises(ManifestError, match="'start', 'stop'"):
        read_manifest(tmp_path / "m.csv")


def test_a_refused_manifest_leaves_the_old_one(tmp_path):
    write_manifest(tmp_path / "m.csv", [clip("old")])
    with pytest.raises(ManifestError, match="twice"):
        write_manifest(tmp_path / "m.csv", [clip("new"), clip("new")])
    assert [u.id for u in read_manifest(tmp_path / "m.csv")] == ["old"]
    assert [path.name for path in tmp_path.iterdir()] == ["m.csv"]


def test_affect_is_known_only_as_a_whole():
    assert clip(valence=1.0, arousal=0.0, dominance=2.0).affect == (1.0, 0.0, 2.0)
    assert clip(valence=1.0, arousal=0.0).affect is None
