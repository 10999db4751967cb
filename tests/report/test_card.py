import pytest

from emovec.report.card import is_non_commercial, model_card
from emovec.tables.corpus import CorpusInfo, Skip
from emovec.tables.results import Metric, Result, RunFacts

RUN = RunFacts(
    command="python recipes/ser/train.py hparams/emosphere.yaml",
    commit="0123456789abcdef",
    seed=7,
    started="2026-01-01T00:00:00+00:00",
    seconds=61.4,
    machine="a processor, 2 cores, cpu",
    versions={},
    manifest_hash="0",
    hparams={},
    corpus="ravdess",
    affect_source="prototype",
    protocol="by-speaker",
    split_hash="ravdess by-speaker 1440 clips 1 folds feed",
    shares_speakers=False,
)
RESULT = Result(RUN, (Metric("ccc/mean", 0.5, 360, 6, (0.4, 0.6)),), warnings=("6 test speakers",))


def info(licence):
    return CorpusInfo(
        "ravdess",
        1440,
        24,
        licence=licence,
        citation="Livingstone and Russo, 2018",
        affect_scale=(-1.0, 1.0),
        affect_source="prototype",
        skipped=(Skip("a", "empty"),),
    )


def test_a_card_says_what_one_must_know():
    card = model_card("A name", "What it is.", info("CC BY-NC-SA 4.0"), RESULT)
    lines = [line for line in card.splitlines() if line]
    assert lines[:4] == [
        "# A name",
        "**Non-commercial use only: trained on ravdess, licence CC BY-NC-SA 4.0.**",
        "> **Labels are affect prototypes, not ratings.**",
        "What it is.",
    ]
    for text in (
        "- Citation: Livingstone and Russo, 2018",
        "- Clips and speakers: 1440 clips of 24 speakers, 1 more skipped",
        "- Affect labels: prototypes of the clips' emotion categories",
        "- Affect scale: -1 to 1",
        "- Splits: ravdess by-speaker 1440 clips 1 folds feed\n",
        "- Warning: 6 test speakers",
        "| ccc/mean | 0.500 [0.40, 0.60] | 360 | 6 |",
        "## Not to be used for",
        'emovec.load("this/folder")',
    ):
        assert text in card
    assert "- Language:" not in card  # not known


def test_a_card_without_numbers_or_licence():
    card = model_card("A name", "What it is.", info(""), Result(RUN, ()))
    assert "**The licence of ravdess is not known here" in card
    assert "## Results on held-out clips\n\nNone.\n" in card


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("CC-BY-NC-SA-4.0", True),
        ("CC BY-NC 4.0", True),
        ("academic licence of UT Dallas", True),
        ("for non-commercial use", True),
        ("noncommercial", True),
        ("research purposes only", True),
        ("MIT", False),
        ("Apache-2.0", False),
        ("CC-BY-4.0", False),
        ("Open Database License (ODbL)", False),
        ("", False),
    ],
)
def test_non_commercial_licences(licence, expected):
    assert is_non_commercial(licence) == expected
