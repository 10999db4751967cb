"""The printed table of Huang et al. (2021), read from the paper a second time, by columns."""

from pathlib import Path

import pytest

from emovec.privacy.systems import SYSTEMS
from emovec.report.paper_table import read_paper_table
from emovec.report.published_privacy import PERCENT, ROWS, published, published_notes

ROOT = Path(__file__).parents[2]

# weighted F1 and EER in %, a column of the paper's table each; by emobase, NetVLAD, x-vector
COLUMNS = {
    ("dnn", "origin"): ("54.90/14.45", "52.99/8.14", "53.24/10.05"),
    ("vae", "origin"): ("52.61/12.99", "49.80/8.37", "52.60/8.55"),
    ("avae_emotion", "identity_free"): ("52.09/41.49", "49.24/40.66", "48.95/45.93"),
    ("avae_identity", "emotion_free"): ("37.93/17.16", "38.92/15.25", "34.13/13.56"),
    ("lrvae_no_adversary", "origin"): ("53.54/13.27", "50.11/8.20", "52.22/8.75"),
    ("lrvae_no_adversary", "identity_free"): ("52.71/30.64", "49.04/32.39", "51.76/37.61"),
    ("lrvae_no_adversary", "emotion_free"): ("40.33/19.16", "34.10/14.51", "36.05/10.66"),
    ("lrvae", "origin"): ("52.86/11.77", "50.01/8.53", "52.57/8.44"),
    ("lrvae", "identity_free"): ("52.41/41.14", "48.23/49.51", "51.09/49.48"),
    ("lrvae", "emotion_free"): ("37.54/12.70", "34.35/10.91", "34.23/9.63"),
}


@pytest.mark.parametrize("place", range(3))
def test_every_number_is_as_printed(place: int) -> None:
    kind = list(PERCENT)[place]
    expected = {}
    for (system, representation), cells in COLUMNS.items():
        f1, rate = map(float, cells[place].split("/"))
        expected[f"variant_{system}/{representation}/weighted_f1"] = pytest.approx(f1 / 100)
        expected[f"variant_{system}/{representation}/eer"] = pytest.approx(rate / 100)
    assert published(kind) == expected


def test_rows_are_the_systems_and_what_is_scored_of_them() -> None:
    scored = [(name, of) for name, system in SYSTEMS.items() for of in system.representations]
    assert [(row.system, row.representation) for row in ROWS] == scored == list(COLUMNS)


def test_what_is_said_beside() -> None:
    assert published("egemaps") == {}
    (none,) = published_notes("egemaps", "ravdess")
    assert none.startswith("published: none of egemaps")
    (same,) = published_notes("xvector", "msp_podcast")
    assert "610, 30 and 50 speakers" in same
    _, other = published_notes("xvector", "ravdess")
    assert "measured on ravdess, not on msp_podcast" in other


def test_the_papers_table_file_has_the_same_numbers() -> None:
    table = read_paper_table(ROOT / "hparams/tables/lrvae.yaml")
    for variant in table.variants:
        numbers = {f"msp_podcast/{name}": value for name, value in published(variant.name).items()}
        assert variant.published == numbers
    shown = {metric for part in table.tables for metric in part.metrics}
    assert set(published("xvector")) < shown and not table.over_folds
