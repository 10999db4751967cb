"""Card of a separation: what it warns of."""

import pytest

from emovec.privacy.lrvae import LRVAE
from emovec.privacy.search import Training
from emovec.privacy.systems import SYSTEMS
from emovec.privacy.training import TrainingOptions
from emovec.report.privacy_card import privacy_card
from emovec.tables.corpus import CorpusInfo
from emovec.tables.results import Metric, Result, RunFacts

FACTS = RunFacts(
    "", "", 1, "", 0.0, "", {}, "", {"embeddings": "ecapa"}, "small", None, "p", "", False
)
RESULT = Result(FACTS, (Metric("identity_free/eer_plda", 0.41, 40, 4, (0.3, 0.5)),))


def card_of(name: str, **arguments: object) -> str:
    training = Training(SYSTEMS[name], arguments, TrainingOptions(), masked_groups=3)
    model = LRVAE(
        5,
        ["anger", "neutral"],
        3,
        latent_size=8,
        groups=4,
        **{**SYSTEMS[name].arguments, **arguments},  # type: ignore[arg-type]
    )
    return privacy_card(name, training, model, CorpusInfo("small", 80, 10), RESULT)


def test_what_was_found_and_how_to_use_it() -> None:
    card = card_of("lrvae")
    assert "It takes vectors of 5 numbers by `ecapa`." in card
    assert "with 3 groups masked" in card
    assert "| `emotion` | speakers, EER | plda | 0.410 [0.30, 0.50] |" in card
    assert 'transform(embeddings, keep="emotion", masked_groups=3)  # (N, 5) -> (N, 8)' in card


@pytest.mark.parametrize(
    ("name", "arguments", "draws"),
    [
        ("lrvae", {}, True),
        ("vae", {}, True),
        ("lrvae", {"released": "mean"}, False),
        ("dnn", {}, False),  # has no distribution to draw from
    ],
)
def test_several_draws_of_a_clip_are_warned_of(name: str, arguments: dict, draws: bool) -> None:
    limits = card_of(name, **arguments).partition("## Not to be used for")[2]
    assert ("each such vector gets noise of its own" in limits) == draws
    assert limits.index("Anonymity") < limits.index("Lie detection") < limits.index("## How to")
