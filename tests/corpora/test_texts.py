"""Names, cells and lines that make no sense, and who says so."""

from pathlib import PurePath

import pytest

from emovec.corpora.texts import by_key, known_speaker, name_parts, number_in, read_lines
from emovec.errors import CorpusError


@pytest.mark.parametrize(("name", "number"), [("a_b.wav", 2), ("a_b_c_d.wav", 4), (".wav", 1)])
def test_parts_of_a_name(name, number):
    with pytest.raises(ValueError, match=f"has {number} parts at '_'; expected 3"):
        name_parts(PurePath(name), "_", 3)


@pytest.mark.parametrize("cell", ["high", "1,5", "--"])
def test_no_number(cell):
    with pytest.raises(ValueError, match=f"valence is '{cell}'; expected a number"):
        number_in(cell, "valence")


def test_nobody():
    names = ["Unknown", "unknown", "NONE", "nan", " ", "", "Nancy", "0"]
    assert [known_speaker(name) for name in names] == ["", "", "", "", "", "", "Nancy", "0"]


def test_facts_by_key():
    assert by_key("t.csv", [("a", 1), ("b", 2), ("a", 1)]) == {"a": 1, "b": 2}
    with pytest.raises(CorpusError, match=r"t.csv: 'a' is 1 and 3; expected it once"):
        by_key("t.csv", [("a", 1), ("b", 2), ("a", 3)])


def test_lines(tmp_path):
    path = tmp_path / "t.txt"
    path.write_bytes("é  \r\n\nb".encode())
    assert read_lines(path) == ["é", "", "b"]
    path.write_bytes(b"a\ncaf\xe9\n")
    with pytest.raises(CorpusError, match=r"t.txt:2: byte 0xe9 is not UTF-8"):
        read_lines(path)
