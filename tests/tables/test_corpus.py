import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emovec.errors import CorpusError
from emovec.tables.corpus import CorpusInfo, Skip, read_corpus_info, write_corpus_info

FULL = CorpusInfo(
    "čorpus",
    3,
    2,
    release="1.12",
    language="en",
    licence="MIT",
    citation="Somebody (2020)",
    affect_scale=(1.0, 5.0),
    affect_source="rated",
    skipped=(Skip("a", "is empty"),),
    warnings=("a warning",),
    published=4,
)


@pytest.mark.parametrize("info", [FULL, CorpusInfo("bare", 0, 0)])
def test_reads_what_was_written(tmp_path, info):
    write_corpus_info(tmp_path / "corpus.json", info)
    assert read_corpus_info(tmp_path / "corpus.json") == info


def test_keys_of_the_promise_may_be_left_out_or_null(tmp_path):
    (tmp_path / "corpus.json").write_text(
        '{"name": "x", "utterances": 9, "speakers": 2, "affect_scale": null, "affect_source": null}'
    )
    assert read_corpus_info(tmp_path / "corpus.json") == CorpusInfo("x", 9, 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"colour": "red"}, r"unknown \['colour'\]"),
        ({"name": None}, r"missing \['name'\]"),
        ({"utterances": -1}, "utterances is -1"),
        ({"speakers": "two"}, "speakers is 'two'"),
        ({"speakers": True}, "speakers is True"),
        ({"affect_scale": [5, 1]}, r"affect_scale is \[5, 1\]"),
        ({"affect_scale": [1, 2, 3]}, "affect_scale"),
        ({"affect_scale": "15x"}, "affect_scale"),
        ({"affect_source": "guessed"}, "affect_source is 'guessed'"),
        ({"affect_scale": "17"}, "affect_scale is '17'"),
        ({"affect_scale": [True, 5]}, "affect_scale"),
        ({"affect_source": []}, "affect_source is"),
        ({"skipped": [{"name": "a"}]}, "skipped"),
        ({"skipped": [{"id": 5, "reason": "r"}]}, "skipped"),
        ({"skipped": 5}, "skipped is 5; expected a list of objects"),
        ({"warnings": "abc"}, "warnings is 'abc'; expected a list of texts"),
        ({"warnings": [1]}, "warnings"),
        ({"name": []}, r"name is \[\]; expected a name"),
        ({"name": 5}, "name is 5"),
        ({"name": ""}, "name is ''"),
        ({"release": 1.4}, "release is 1.4; expected a text, in quotes"),
        ({"published": "all"}, "published is 'all'"),
    ],
)
def test_wrong_facts_are_named(tmp_path, change, said):
    facts = {"name": "x", "utterances": 1, "speakers": 1} | change
    facts = {key: value for key, value in facts.items() if value is not None}
    (tmp_path / "corpus.json").write_text(json.dumps(facts))
    with pytest.raises(CorpusError, match=said):
        read_corpus_info(tmp_path / "corpus.json")


@pytest.mark.parametrize("key", ["warnings", "skipped", "licence", "name"])
def test_null_is_no_value(tmp_path, key):
    facts = {"name": "x", "utterances": 1, "speakers": 1, key: None}
    (tmp_path / "corpus.json").write_text(json.dumps(facts))
    with pytest.raises(CorpusError, match=f"{key} is None"):
        read_corpus_info(tmp_path / "corpus.json")


@pytest.mark.parametrize("text", ["{", "[]", "3"])
def test_no_object(tmp_path, text):
    (tmp_path / "corpus.json").write_text(text)
    with pytest.raises(CorpusError, match="JSON"):
        read_corpus_info(tmp_path / "corpus.json")


def test_missing_file(tmp_path):
    with pytest.raises(CorpusError, match="not found"):
        read_corpus_info(tmp_path / "corpus.json")


def test_no_scale_no_conversion():
    with pytest.raises(CorpusError, match="bare: has no affect_scale"):
        CorpusInfo("bare", 0, 0).to_unit([1.0])


@given(st.lists(st.floats(-10, 10), min_size=1), st.floats(-5, 5), st.floats(0.1, 10))
def test_scales_convert_back(values, low, width):
    info = CorpusInfo("x", 1, 1, affect_scale=(low, low + width))
    np.testing.assert_allclose(info.from_unit(info.to_unit(values)), values, atol=1e-9)
    by_hand = [2 * (value - low) / (low + width - low) - 1 for value in values]
    np.testing.assert_allclose(info.to_signed(values), by_hand, rtol=1e-9, atol=1e-9)
