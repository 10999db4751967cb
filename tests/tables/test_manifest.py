import csv
import gc
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
            speaker=TEXT.map(str.strip),
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
        ("a ,a.wav,,,1,,,,,,,,,", "id is 'a ' and speaker ''; expected no blanks around"),
        ("a,a.wav,,,1, 01,,,,,,,,", "id is 'a' and speaker ' 01'"),
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


def read_after(tmp_path, content):
    (tmp_path / "m.csv").write_bytes(content)
    return read_manifest(tmp_path / "m.csv")


ROW = "a,a.wav,,,1,,,,,,,,,"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"{HEADER}\n{ROW}\nJos\xe9{ROW}\n".encode("latin-1"), "m.csv:3: byte 0xe9 is not UTF-8"),
        (f"{HEADER}\n{ROW}\n".encode("utf-16"), "m.csv:1: byte 0xff is not UTF-8"),
        (f"{HEADER}\n{ROW}\nb\0{ROW}\n".encode(), "m.csv:3: a NUL character"),
        (f"{HEADER}\n{ROW}\nb,b.wav,,".encode(), "m.csv:3: the number of cells .* found 4"),
        (f'{HEADER}\n{ROW}\nb,b.wav,,,1,,,,"to'.encode(), "m.csv:3: unexpected end of data"),
        (f'{HEADER}\n{ROW}\n"b"c,b.wav,,,1'.encode(), "m.csv:3: .* expected a table with commas"),
        (f"{HEADER}\n{'b' * 200_000}{ROW}\n".encode(), "m.csv:2: field larger than field limit"),
        (f"{HEADER},age,age\n{ROW},,\n".encode(), r"columns \['age'\] occur twice"),
        (b"", "columns .* are missing"),
    ],
)
def test_broken_files(tmp_path, content, said):
    with pytest.raises(ManifestError, match=said):
        read_after(tmp_path, content)
    assert gc.isenabled()


def many_rows(count):
    """Rows with a text of two lines and an empty line between rows: three lines each."""
    return [f'{row},{row}.wav,,,1,,,,"to\nbe",,,,,\n\n' for row in range(count)]


@pytest.mark.parametrize("broken", [0, 1, 998, 999, 1000, 1001, 2499])
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [(",1,", ",,", "duration is empty"), (",,,,,\n", ",,,,,1e999\n", "dominance is '1e999'")],
)
def test_the_line_of_a_fault_in_a_long_file(tmp_path, broken, old, new, said):
    rows = many_rows(2500)
    rows[broken] = rows[broken].replace(old, new)
    last = 1 + 3 * broken + 2  # of the header, the rows before, and this row without its blank line
    with pytest.raises(ManifestError, match=f"m.csv:{last}: {said}"):
        read_after(tmp_path, "".join([HEADER, "\n", *rows]).encode())


def test_a_duplicate_far_away(tmp_path):
    rows = [*many_rows(2500), ROW.replace("a,", "7,", 1)]
    with pytest.raises(ManifestError, match="id '7' is empty or occurs twice"):
        read_after(tmp_path, "".join([HEADER, "\n", *rows]).encode())


def test_columns_in_any_order_and_line_ends_of_windows(tmp_path):
    header = [*reversed(COLUMNS[1:]), "age", "id"]
    rows = [
        {"id": f"é{row}", "path": "a.wav", "duration": "1e-3", "speaker": f"s{row % 2}"}
        | {"start": "0.1", "valence": "-0.30000000000000004", "age": str(row)}
        for row in range(1500)
    ]
    with (tmp_path / "m.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, header)  # ends lines with CR LF
        table.writeheader()
        table.writerows(rows)
    expected = [
        clip(
            f"é{row}",
            start=0.1,
            duration=0.001,
            speaker=f"s{row % 2}",
            valence=-0.30000000000000004,
            extra={"age": str(row)},
        )
        for row in range(1500)
    ]
    found = read_manifest(tmp_path / "m.csv")
    assert found == expected
    assert found[0].speaker is found[1400].speaker


def test_a_paused_garbage_collector_stays_paused(tmp_path):
    write_manifest(tmp_path / "m.csv", [clip()])
    gc.disable()
    try:
        read_manifest(tmp_path / "m.csv")
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"text": "to\0be"}, "m.csv: 'a,a.wav,.* has a NUL or a carriage return"),
        ({"extra": {"age": "9\r"}}, "m.csv: .* has a NUL or a carriage return"),
        ({"extra": {"id": "b"}}, r"m.csv: columns \['id'\] occur twice"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(tmp_path, changes, said):
    with pytest.raises(ManifestError, match=said):
        write_manifest(tmp_path / "m.csv", [clip(**changes)])
    assert not list(tmp_path.iterdir())


def test_extra_columns_of_some_rows(tmp_path):
    write_manifest(tmp_path / "m.csv", [clip("a", extra={"age": "9"}), clip("b", extra={"x": "y"})])
    extras = [row.extra for row in read_manifest(tmp_path / "m.csv")]
    assert extras == [{"age": "9", "x": ""}, {"age": "", "x": "y"}]


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
