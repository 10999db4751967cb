"""The model: what is saved, what goes in and comes out, and what each branch sees."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from emovec.encoders.store import create, load_model, save_model
from emovec.errors import HparamError
from emovec.privacy.lrvae import LRVAE
from emovec.privacy.systems import SYSTEMS, find_system
from emovec.tables.embeddings import EmbeddingError

D = 10


def small(**arguments: object) -> LRVAE:
    torch.manual_seed(0)
    sizes = {"latent_size": 16, "hidden_size": 8, "branch_size": 4, "groups": 4}
    model = LRVAE(D, ["anger", "neutral"], 3, **{**sizes, **arguments})  # type: ignore[arg-type]
    model.standardised.fit(5 + 3 * features(50))
    return model.eval()


def features(clips: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(clips, D)).astype(np.float32)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_model_folder_gives_the_same_vectors(name: str, tmp_path: Path) -> None:
    model = small(**SYSTEMS[name].arguments)
    save_model(tmp_path / "model", model, "a card")
    loaded = load_model(tmp_path / "model")
    assert isinstance(loaded, LRVAE)
    assert loaded.arguments() == model.arguments()
    assert json.loads((tmp_path / "model" / "config.json").read_text())["class"] == "lrvae"
    x = 5 + 3 * features(6, seed=1)
    np.testing.assert_array_equal(loaded.transform(x), model.transform(x))


def test_profiles_are_saved(tmp_path: Path) -> None:
    model = small(profile=(1.0, 0.7, 0.0))
    save_model(tmp_path / "model", model, "a card")
    loaded = load_model(tmp_path / "model")
    for task in ("emotion", "speaker"):
        torch.testing.assert_close(
            loaded.dropouts[task].probabilities,  # type: ignore[union-attr]
            model.dropouts[task].probabilities,
        )


@pytest.mark.parametrize("keep", ["emotion", "identity"])
@pytest.mark.parametrize("count", [None, 0, 1, 4])
def test_transform_masks_what_the_whole_has(keep: str, count: int | None) -> None:
    model, x = small(), features(5)
    whole, found = model.transform(x), model.transform(x, keep, count)
    assert found.dtype == np.float32 and found.shape == (5, 16)
    gone = 4 * (2 if count is None else count)
    zero = slice(16 - gone, 16) if keep == "emotion" else slice(0, gone)
    kept = np.ones(16, dtype=bool)
    kept[zero] = False
    assert not found[:, ~kept].any()
    np.testing.assert_array_equal(found[:, kept], whole[:, kept])
    assert whole.all()


def test_neighbours_and_order_change_nothing() -> None:
    model, x = small(), features(9)
    whole = model.transform(x)
    np.testing.assert_allclose(model.transform(x[::-1])[::-1], whole, atol=1e-5)
    alone = np.concatenate([model.transform(row[None]) for row in x])
    np.testing.assert_allclose(alone, whole, atol=1e-5)


def test_a_draw_is_normal_about_the_mean() -> None:
    drawing, plain = small(), small(released="mean")
    x = features(4000)
    mean, drawn = plain.latent(x), drawing.latent(x)
    with torch.inference_mode():
        inputs = drawing.standardised(torch.from_numpy(x))
        deviation = (0.5 * drawing.to_log_variance(drawing.hidden(inputs))).exp().numpy()
    z = (drawn - mean) / deviation
    count = np.sqrt(z.size)
    assert abs(z.mean()) < 5 / count and abs(z.std() - 1) < 5 / count
    # independent of each other, across nodes and across clips
    assert np.abs(np.corrcoef(z, rowvar=False) - np.eye(16)).max() < 5 / np.sqrt(len(x))
    assert abs(np.mean(z[1:] * z[:-1])) < 5 / count
    np.testing.assert_array_equal(drawing.latent(x), drawn)


def test_training_draws_anew() -> None:
    model = small().train()
    x = torch.from_numpy(features(3))
    assert not torch.equal(model(x).reconstructed, model(x).reconstructed)
    model.eval()
    assert torch.equal(model(x).reconstructed, model(x).reconstructed)


def test_constant_features_count_as_0_and_outliers_are_cut() -> None:
    model = small()
    x = features(30)
    x[:, 4] = 7.5
    model.standardised.fit(x)
    tried = x[:2].copy()
    tried[:, 4] = [1e6, -3.0]
    tried[1, 0] = 1e9
    standardised = model.standardised(torch.from_numpy(tried))
    assert standardised[:, 4].tolist() == [0.0, 0.0]
    assert standardised[1, 0].item() == 10.0
    assert np.isfinite(model.transform(tried)).all()
    expected = (tried[0, 1] - x[:, 1].mean()) / x[:, 1].std()
    assert standardised[0, 1].item() == pytest.approx(expected, rel=1e-4)


def gradient_sides(model: LRVAE, term: str, task: str) -> np.ndarray:
    """(L,) size of the gradient that a branch sends to each node of the latent."""
    model.eval()
    outputs = model(torch.from_numpy(features(20)))
    logits = outputs.tasks[task] if term == "task" else outputs.adversaries[task]
    model.zero_grad()
    logits.square().sum().backward()
    return model.to_mean.weight.grad.abs().sum(dim=1).numpy()


@pytest.mark.parametrize("term", ["task", "adversary"])
def test_each_side_depends_on_its_own_end(term: str) -> None:
    model = small(profile="step")
    assert not gradient_sides(model, term, "emotion")[8:].any()
    assert gradient_sides(model, term, "emotion")[:8].all()
    assert not gradient_sides(model, term, "speaker")[:8].any()
    assert gradient_sides(model, term, "speaker")[8:].all()


def test_discriminators_are_of_the_other_attribute() -> None:
    model = small()
    outputs = model(torch.from_numpy(features(2)))
    assert outputs.tasks["emotion"].shape == (2, 2) == outputs.adversaries["speaker"].shape
    assert outputs.tasks["speaker"].shape == (2, 3) == outputs.adversaries["emotion"].shape


def test_reversal_reaches_the_encoder_only() -> None:
    x = torch.from_numpy(features(6))
    gradients = {}
    for reversal in (1.0, -2.0):
        model = small()
        model(x, reversal).adversaries["emotion"].square().sum().backward()
        encoder, discriminator = model.to_mean, model.discriminators["emotion"][0]
        gradients[reversal] = encoder.weight.grad, discriminator.weight.grad
    torch.testing.assert_close(gradients[-2.0][0], -2 * gradients[1.0][0])
    torch.testing.assert_close(gradients[-2.0][1], gradients[1.0][1])


@pytest.mark.parametrize("name", ["dnn", "vae", "avae_emotion", "avae_identity"])
def test_a_latent_without_order_has_no_ends(name: str) -> None:
    model = small(**find_system(name).arguments)
    with pytest.raises(HparamError, match="without layered dropout"):
        model.transform(features(2), "emotion")
    assert model.transform(features(2)).shape == (2, 16)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"latent_size": 100, "groups": 32}, "latent_size is 100, groups 32.* such as 128"),
        ({"latent_size": 0}, "latent_size.*integers of 1 or more"),
        ({"groups": True}, "groups.*integers of 1 or more"),
        ({"profile": [0.2, 0.8]}, "profile is"),
        ({"profile": "uphill"}, "profile is"),
        ({"tasks": []}, "tasks are"),
        ({"tasks": ["emotion", "emotion"]}, "tasks are"),
        ({"tasks": ["gender"]}, "tasks are"),
        ({"released": "median"}, "released is"),
    ],
)
def test_impossible_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(HparamError, match=message):
        create("lrvae", inputs=D, emotions=["a", "b"], speakers=3, **arguments)


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (np.ones((2, D + 1)), "expected .N, 10."),
        (np.ones(D), "expected .N, 10."),
        (np.full((2, D), np.nan), r"\[0, 1\] \(2 in all\) have NaN"),
    ],
)
def test_vectors_that_do_not_fit(vectors: np.ndarray, message: str) -> None:
    with pytest.raises(EmbeddingError, match=message):
        small().transform(vectors)


def test_no_vectors_give_none() -> None:
    assert small().transform(np.empty((0, D))).shape == (0, 16)


def test_an_unknown_system() -> None:
    with pytest.raises(HparamError, match="system is 'gan'; expected one of"):
        find_system("gan")


def test_systems_are_in_the_papers_order() -> None:
    expected = ["dnn", "vae", "avae_emotion", "avae_identity", "lrvae_no_adversary", "lrvae"]
    assert list(SYSTEMS) == expected
    assert [SYSTEMS[name].ordered for name in SYSTEMS] == [False] * 4 + [True] * 2
