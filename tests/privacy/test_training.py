"""Training on clips whose identity and emotion are known to be in different directions."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from emovec.errors import HparamError, SplitError, TrainingError
from emovec.privacy.attackers import Attacks, attack
from emovec.privacy.curves import masking_curve
from emovec.privacy.systems import SYSTEMS
from emovec.privacy.training import Epoch, Trained, TrainingOptions, train
from emovec.privacy.vectors import Vectors

Splits = dict[str, Vectors]
SIZES: dict[str, Any] = {"latent_size": 32, "hidden_size": 64, "branch_size": 64, "groups": 8}
OPTIONS = TrainingOptions(
    epochs=40,
    batch_size=32,
    learning_rate=2e-3,
    reconstruction_weight=0.01,
    divergence_weight=0.03,
)
BRIEF = replace(OPTIONS, epochs=2)


def trained(splits: Splits, name: str, options: TrainingOptions = BRIEF, **more: Any) -> Trained:
    arguments = {**SIZES, **more.pop("arguments", {})}
    return train(
        SYSTEMS[name], splits["train"], splits["valid"], options, 0, arguments=arguments, **more
    )


def attacked(splits: Splits, model: Any, keep: str) -> Attacks:
    parts = [
        part for split in splits.values() for part in (model.transform(split.features, keep), split)
    ]
    return attack(*parts, seed=0)


def test_each_end_carries_one_and_not_the_other(splits: Splits) -> None:
    model = trained(splits, "lrvae", OPTIONS).model
    found = {keep: attacked(splits, model, keep) for keep in ("emotion", "identity")}
    worst = {keep: of.worst for keep, of in found.items()}
    f1 = {keep: of.f1_of(worst[keep].emotion) for keep, of in found.items()}
    rate = {keep: of.rate_of(worst[keep].speaker) for keep, of in found.items()}
    assert f1["emotion"] > 0.8 and rate["emotion"] > 0.35
    assert f1["identity"] < 0.55 and rate["identity"] < 0.25


def test_the_input_carries_both(splits: Splits) -> None:
    parts = [part for split in splits.values() for part in (split.features, split)]
    found = attack(*parts, seed=0)
    assert found.paper.weighted_f1 > 0.9 and found.paper.equal_error_rate < 0.1


@pytest.mark.parametrize("name", SYSTEMS)
def test_each_system_trains(splits: Splits, name: str) -> None:
    seen: list[Epoch] = []
    found = trained(splits, name, progress=seen.append)
    assert tuple(seen) == found.history and [of.epoch for of in seen] == [1, 2]
    assert found.best == min(seen, key=lambda of: of.cost)
    assert set(found.best.measures) == set(SYSTEMS[name].representations)
    assert found.parameters == sum(of.numel() for of in found.model.parameters())
    assert found.seconds > 0 and not found.model.training and found.warnings == ()


def test_the_best_epoch_is_kept(splits: Splits) -> None:
    whole = trained(splits, "vae", replace(OPTIONS, epochs=6, learning_rate=0.02))
    best = whole.best.epoch
    assert best < 6  # else this tests nothing
    until = trained(splits, "vae", replace(OPTIONS, epochs=best, learning_rate=0.02))
    assert until.best == whole.best
    x = splits["test"].features
    np.testing.assert_array_equal(until.model.transform(x), whole.model.transform(x))


def test_the_same_seed_gives_the_same_numbers(splits: Splits) -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    one = trained(splits, "lrvae")
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    same = trained(splits, "lrvae")
    other = train(
        SYSTEMS["lrvae"], splits["train"], splits["valid"], BRIEF, seed=1, arguments=SIZES
    )
    assert same.history == one.history != other.history
    x = splits["test"].features
    np.testing.assert_array_equal(one.model.transform(x), same.model.transform(x))
    attacks = [attacked(splits, one.model, "emotion") for _ in range(2)]
    np.testing.assert_array_equal(
        attacks[0].speakers["network"].vectors, attacks[1].speakers["network"].vectors
    )


def test_losses_fall(splits: Splits) -> None:
    history = trained(splits, "dnn", replace(OPTIONS, epochs=8)).history
    assert history[-1].losses["emotion"] < 0.5 * history[0].losses["emotion"]
    assert history[-1].losses["speaker"] < 0.5 * history[0].losses["speaker"]


def test_discriminators_are_obeyed(splits: Splits) -> None:
    """With a reversed gradient they find less than they would without one."""
    options = replace(OPTIONS, epochs=12)
    obeyed = trained(splits, "avae_emotion", replace(options, reversal_scale=5.0))
    heard = trained(splits, "avae_emotion", replace(options, reversal_scale=0.0))
    assert (
        obeyed.history[-1].losses["speaker_adversary"]
        > heard.history[-1].losses["speaker_adversary"]
    )


def test_constant_features_are_told(splits: Splits) -> None:
    constant = {}
    for name, split in splits.items():
        features = split.features.copy()
        features[:, :2] = 3.0
        constant[name] = replace(split, features=features)
    assert trained(constant, "vae").warnings == (
        "2 of 24 features are constant in training; they count as 0 everywhere",
    )


def test_what_cannot_be_trained_on(splits: Splits) -> None:
    one = splits["train"].take(splits["train"].emotions == "anger")
    with pytest.raises(TrainingError, match="one emotion"):
        trained({**splits, "train": one}, "lrvae")
    with pytest.raises(SplitError, match="in train and in valid"):
        trained({**splits, "valid": splits["train"]}, "lrvae")
    with pytest.raises(HparamError, match="latent_size is 100"):
        trained(splits, "lrvae", arguments={"latent_size": 100})
    with pytest.raises(TrainingError, match="Lower learning_rate"):
        trained(splits, "lrvae", replace(BRIEF, learning_rate=1e18))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("epochs", 1.5),
        ("batch_size", True),
        ("learning_rate", 0),
        ("learning_rate", float("nan")),
        ("divergence_weight", -1),
        ("reversal_scale", float("inf")),
        ("reversal_steepness", "10"),
    ],
)
def test_impossible_options(name: str, value: object) -> None:
    with pytest.raises(HparamError, match=f"{name} is"):
        TrainingOptions(**{name: value})  # type: ignore[arg-type]


def test_masking_curves_from_both_ends(splits: Splits) -> None:
    model = trained(splits, "lrvae").model
    seen: list[Any] = []
    points = masking_curve(
        model,
        splits,
        seed=0,
        attackers=("cosine", "svm"),
        counts=(0, 4, 8),
        progress=seen.append,
    )
    assert seen == points
    assert [(of.keep, of.masked_groups) for of in points] == [
        (keep, count) for keep in ("emotion", "identity") for count in (0, 4, 8)
    ]
    assert points[0].measures == points[3].measures  # nothing is masked
    assert points[2].measures == points[5].measures  # all is
    assert points[2].measures.equal_error_rate == 0.5
    half = attacked(splits, model, "identity")
    assert points[4].measures == (half.f1_of("svm"), half.rate_of("cosine"))


def test_a_latent_without_order_has_curves_too(splits: Splits) -> None:
    model = trained(splits, "avae_emotion").model
    points = masking_curve(model, splits, 0, ("cosine", "svm"), counts=(8,))
    assert [of.measures.equal_error_rate for of in points] == [0.5, 0.5]
