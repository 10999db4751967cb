"""Tasks: targets, losses and metrics against direct computation."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from emovec.errors import HparamError, TrainingError
from emovec.tables.corpus import CorpusInfo
from emovec.tables.manifest import Utterance
from emovec.training.losses import concordance_loss
from emovec.training.tasks import AffectTask, EmotionTask, cross_entropy

INFO = CorpusInfo("rated", utterances=4, speakers=2, affect_scale=(1.0, 7.0), affect_source="rated")


def clip(name: str, affect: tuple[float, float, float], emotion: str = "anger") -> Utterance:
    valence, arousal, dominance = affect
    return Utterance(
        name,
        f"{name}.wav",
        None,
        None,
        1.0,
        "s",
        emotion=emotion,
        valence=valence,
        arousal=arousal,
        dominance=dominance,
    )


CLIPS = [
    clip("a", (7, 7, 7), "happiness"),
    clip("b", (1, 7, 7)),
    clip("c", (1, 1, 1), "sadness"),
    clip("d", (4, 4, 4), "neutral"),
]


def make_task(**changes: object) -> AffectTask:
    settings: dict = {
        "auxiliary": "region",
        "auxiliary_weight": "decaying",
        "weighted_cross_entropy": True,
        "regions": 8,
        "axes": ("arousal", "valence", "dominance"),
        "centre_region": False,
    }
    return AffectTask(INFO, CLIPS, **{**settings, **changes})


def test_targets_are_unit_affect_and_octants() -> None:
    targets = make_task().targets(CLIPS)
    assert targets["affect"].tolist() == [[1, 1, 1], [0, 1, 1], [0, 0, 0], [0.5, 0.5, 0.5]]
    # x = arousal, y = valence, z = dominance: (+,+,+), (+,-,+), (-,-,-), the centre
    assert targets["region"].tolist() == [0, 3, 6, 0]


def test_the_authors_axes_rename_regions() -> None:
    task = make_task(axes=("arousal", "dominance", "valence"))
    # x = arousal, y = dominance, z = valence
    assert task.targets(CLIPS)["region"].tolist() == [0, 4, 6, 0]


def test_the_centre_may_be_a_class_of_its_own() -> None:
    task = make_task(centre_region=True, regions=18)
    assert len(task.heads["region"]) == 19
    assert task.targets(CLIPS)["region"][3] == 18


def test_loss_is_the_sum_of_both_terms_until_the_region_term_is_dropped() -> None:
    task = make_task()
    generator = torch.Generator().manual_seed(0)
    outputs = {
        "affect": torch.rand(4, 3, generator=generator),
        "region": torch.randn(4, 8, generator=generator),
    }
    targets = task.targets(CLIPS)
    affect = 3 * concordance_loss(outputs["affect"], targets["affect"])
    weights = torch.tensor([4 / (8 * 2), 0, 0, 4 / 8, 0, 0, 4 / 8, 0])
    picked = outputs["region"].log_softmax(1)[range(4), targets["region"]]
    used = weights[targets["region"]]
    regions = -(picked * used).sum() / used.sum()
    for epoch, weight in enumerate([1, 0.802, 0.604, 0.406, 0.208, 0, 0]):
        expected = (affect + weight * regions).item()
        assert task.loss(outputs, targets, epoch).item() == pytest.approx(expected, abs=1e-5)


def test_metrics_are_on_the_corpus_scale_and_clipped() -> None:
    task = make_task(auxiliary="none")
    targets = {name: tensor.numpy() for name, tensor in task.targets(CLIPS).items()}
    outputs = {"affect": targets["affect"] + np.array([[0.5], [0.5], [-0.5], [0.1]])}
    metrics = task.metrics(outputs, targets)
    valence = [7, 4, 1, 4.6]  # 1 + 6 * clip([1.5, 0.5, -0.5, 0.6])
    errors = np.array(valence) - [7, 1, 1, 4]
    assert metrics["rmse/valence"] == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-5)
    assert task.error(metrics) == pytest.approx(3 - 3 * metrics["ccc/mean"])
    assert "region/macro_f1" in metrics and "region_head/accuracy" not in metrics


def test_constant_predictions_score_zero_not_nan() -> None:
    task = make_task(auxiliary="none")
    targets = {name: tensor.numpy() for name, tensor in task.targets(CLIPS).items()}
    metrics = task.metrics({"affect": np.full((4, 3), 0.5)}, targets)
    assert metrics["ccc/mean"] == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"auxiliary": "regions"}, "auxiliary is 'regions'; expected"),
        ({"auxiliary_weight": "linear"}, "expected one of"),
    ],
)
def test_unknown_names_list_the_known(changes: dict, message: str) -> None:
    with pytest.raises(HparamError, match=message):
        make_task(**changes)


def test_clips_without_affect_are_named() -> None:
    with pytest.raises(TrainingError, match=r"1 clips have no affect.*'d'"):
        make_task().targets([*CLIPS[:3], replace(CLIPS[3], valence=None)])


def test_one_emotion_is_no_classification() -> None:
    with pytest.raises(TrainingError, match="at least two classes"):
        EmotionTask([CLIPS[1], CLIPS[1]], weighted_cross_entropy=True)


def test_a_class_absent_in_training_is_named() -> None:
    task = EmotionTask(CLIPS[:3], weighted_cross_entropy=True)
    with pytest.raises(TrainingError, match=r"\['neutral'\] occur, but training has only"):
        task.targets(CLIPS)


def test_emotion_task_weighs_classes_and_counts_hits() -> None:
    task = EmotionTask([*CLIPS, CLIPS[1]], weighted_cross_entropy=True)
    targets = task.targets(CLIPS)
    assert task.heads["emotion"] == ["anger", "happiness", "neutral", "sadness"]
    logits = torch.eye(4)[[0, 0, 3, 2]] * 5
    metrics = task.metrics(
        {"emotion": logits.numpy()}, {name: tensor.numpy() for name, tensor in targets.items()}
    )
    assert metrics["emotion/accuracy"] == 0.75
    assert task.error(metrics) == pytest.approx(1 - metrics["emotion/weighted_f1"])
    assert task.loss({"emotion": logits}, targets, 0) > 0


def test_cross_entropy_of_weightless_classes_is_zero() -> None:
    logits = torch.randn(2, 3, requires_grad=True)
    loss = cross_entropy(logits, torch.tensor([1, 1]), torch.tensor([1.0, 0.0, 1.0]))
    loss.backward()
    assert loss.item() == 0 and torch.isfinite(logits.grad).all()
