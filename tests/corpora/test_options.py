"""Options of corpora: what is of another type is told before anything is read."""

import pytest

from emovec import corpora
from emovec.errors import CorpusError

COLUMNS = {"id": "f", "valence": "v"}


@pytest.mark.parametrize(
    ("corpus", "options", "said"),
    [
        ("msp_podcast", {"release": 1.4}, "release is 1.4; expected a text, in quotes"),
        ("msp_podcast", {"release": None}, "release is None"),
        ("emobox", {"metadata": 5}, "metadata is 5; expected a path"),
        ("emobox", {"metadata": ["a"]}, r"metadata is \['a'\]"),
        ("audformat", {"table": 5}, "table is 5; expected a text"),
        ("audformat", {"emotion_column": ["a"]}, "emotion_column is"),
        ("audformat", {"database": 5, "release": "1"}, "database is 5"),
        ("folder", {"labels": 5, "columns": {"id": "f"}}, "labels is 5; expected a path"),
        ("folder", {"labels": "t", "columns": ["id"]}, "columns is .*expected texts by text"),
        ("folder", {"labels": "t", "columns": {"id": 5}}, "columns is"),
        ("folder", {"labels": "t", "columns": "f"}, "columns is 'f'"),
        ("folder", {"labels": "t", "columns": {"id": "f"}, "emotions": ["a"]}, "emotions is"),
        ("folder", {"labels": "t", "columns": COLUMNS, "affect_scale": 7}, "affect_scale is 7"),
        ("folder", {"labels": "t", "columns": COLUMNS, "affect_scale": [5, 1]}, "affect_scale is"),
        ("folder", {"labels": "t", "columns": COLUMNS, "affect_scale": ["a"]}, "affect_scale is"),
        ("folder", {"labels": "t", "columns": COLUMNS, "affect_scale": "17"}, "affect_scale is"),
        ("ravdess", {"name": "x"}, r"options are \['name'\]"),
    ],
)
def test_values_of_other_types(corpus, options, said):
    with pytest.raises(CorpusError, match=f"{corpus}: {said}"):
        corpora.get(corpus, **options)


def test_nothing_is_as_if_it_were_not_given():
    folder = {"labels": "t.csv", "columns": {"id": "f"}, "emotions": None, "affect_scale": None}
    assert corpora.get("folder", **folder).affect_scale is None
    assert corpora.get("emobox", metadata=None).name == "emobox"
