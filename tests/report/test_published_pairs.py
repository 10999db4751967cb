"""Published matrices: complete, and numbers where the papers print them."""

import pytest

from emovec import corpora
from emovec.labels import EMOTIONS
from emovec.report.published_pairs import PUBLISHED, published_matrix

# The worst and the best cell of each table in Pappagari et al. (2020), in %
EXTREMES = {
    "iemocap": ("44.35", {"anger-neutral", "anger-sadness"}, "39.40", {"neutral-neutral"}),
    "msp_podcast": ("18.15", {"anger-happiness"}, "8.95", {"neutral-neutral"}),
    "cremad": ("34.65", {"anger-sadness"}, "20.26", {"sadness-sadness"}),
}


@pytest.mark.parametrize("matrix", PUBLISHED, ids=lambda matrix: matrix.corpus)
def test_a_matrix_is_square_symmetric_and_of_a_corpus_that_there_is(matrix):
    size = len(matrix.emotions)
    assert [len(row) for row in matrix.percent] == [size] * size
    assert list(zip(*matrix.percent, strict=True)) == list(matrix.percent)
    assert set(matrix.emotions) <= set(EMOTIONS)
    assert matrix.corpus in corpora.names()


@pytest.mark.parametrize("corpus", EXTREMES)
def test_rates_are_those_of_the_cells_in_alphabetical_order(corpus):
    rates = published_matrix(corpus).rates
    assert len(rates) == 10
    assert all(name.split("-") == sorted(name.split("-")) for name in rates)
    highest, worst, lowest, best = EXTREMES[corpus]
    percent = {name: f"{100 * rate:.2f}" for name, rate in rates.items()}
    assert {name for name, text in percent.items() if text == highest} == worst
    assert {name for name, text in percent.items() if text == lowest} == best
    assert max(rates.values()) == float(highest) / 100
    assert min(rates.values()) == float(lowest) / 100


def test_off_the_diagonal_a_rate_is_that_of_its_row_and_column():
    matrix = published_matrix("cremad")
    for row, one in enumerate(matrix.emotions):
        for column, other in enumerate(matrix.emotions):
            name = f"{min(one, other)}-{max(one, other)}"
            assert matrix.rates[name] == matrix.percent[row][column] / 100


def test_which_corpus_has_a_matrix():
    for name in ("iemocap", "msp_podcast", "cremad"):
        assert published_matrix(name).corpus == name
        assert published_matrix(f"emobox_{name}").corpus == name
    for name in ("demo", "", "manifest", "cremad2", "notcremad", "ravdess"):
        assert published_matrix(name) is None


def test_rates_are_compared_where_the_classes_are_the_same_clips():
    iemocap, cremad = published_matrix("iemocap"), published_matrix("cremad")
    assert iemocap.rates_like({"excitement": "happiness"}) == iemocap.rates
    apart = iemocap.rates_like({})
    assert apart == {name: r for name, r in iemocap.rates.items() if "happiness" not in name}
    assert len(apart) == 6
    more = {"excitement": "happiness", "frustration": "anger"}
    assert iemocap.unlike(more) == ["anger"]
    assert iemocap.unlike({"excitement": "happiness", "anger": "rage"}) == ["anger"]
    assert iemocap.unlike({"excitement": "happiness", "frustration": "rage"}) == []
    assert cremad.rates_like({}) == cremad.rates
    assert cremad.unlike({"excitement": "happiness"}) == ["happiness"]
