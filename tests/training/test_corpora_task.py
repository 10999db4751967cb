"""Emotions of several corpora: the loss by torch a corpus at a time, the metrics by hand."""

import contextlib
import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from emovec.audio.batches import Batch
from emovec.errors import HparamError, TrainingError
from emovec.tables.manifest import Utterance
from emovec.training.corpora_task import MEAN_RECALL, CorporaTask
from emovec.training.effective_batch import accumulate_gradients, micro_batch_seed

K = 5  # classes of both corpora


def clips(corpus: str, *emotions: str) -> list[Utterance]:
    return [
        Utterance(f"{corpus}/{place}", "a.wav", None, None, 1.0, f"{corpus}/s", emotion=emotion)
        for place, emotion in enumerate(emotions)
    ]


# classes: a has calm, fear (0, 1); b has anger, fear, joy (2, 3, 4)
TRAINING = [
    *clips("b", *["joy"] * 3, *["fear"] * 2, "anger"),
    *clips("a", *["fear"] * 9, *["calm"] * 3),
]
OPTIONS = {"weighted_cross_entropy": True, "corpus_balance": 0.5, "label_smoothing": 0.2}


def make(**changes: float) -> CorporaTask:
    return CorporaTask(TRAINING, **{**OPTIONS, **changes})


def logits(size: int, seed: int = 0) -> Tensor:
    return 3 * torch.randn(size, K, generator=torch.Generator().manual_seed(seed))


def test_classes_are_those_of_each_corpus() -> None:
    task = make()
    assert task.heads == {"a": ["calm", "fear"], "b": ["anger", "fear", "joy"]}
    mixed = [*clips("b", "fear", "joy"), *clips("a", "fear"), *clips("b", "anger")]
    assert task.targets(mixed)["emotion"].tolist() == [3, 4, 1, 2]


@pytest.mark.parametrize("smoothing", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("weighted", [True, False])
def test_the_loss_is_that_of_each_corpus_weighted(
    weighted: bool, balance: float, smoothing: float
) -> None:
    options = {"corpus_balance": balance, "label_smoothing": smoothing}
    task = make(weighted_cross_entropy=weighted, **options)
    mixed = [*clips("b", "fear", "joy"), *clips("a", "fear", "calm"), *clips("b", "anger")]
    said = logits(len(mixed))
    # by hand: 6 clips of b, 12 of a; of a class its share of the corpus' clips in the other way
    share = {"a": 12**balance, "b": 6**balance}
    total = 0.0
    for corpus, first, counts in (("a", 0, [3, 9]), ("b", 2, [1, 2, 3])):
        rows = [place for place, u in enumerate(mixed) if u.id.startswith(corpus)]
        own = said[rows][:, first : first + len(counts)]
        target = task.targets([mixed[row] for row in rows])["emotion"] - first
        each = functional.cross_entropy(own, target, label_smoothing=smoothing, reduction="none")
        within = [sum(counts) / len(counts) / count if weighted else 1.0 for count in counts]
        of_corpus = share[corpus] / sum(share.values()) * 18 / sum(counts)
        total += float((of_corpus * torch.tensor(within)[target] * each).sum())
    found = task.loss({"emotion": said}, task.targets(mixed), epoch=0)
    assert found.item() == pytest.approx(total / len(mixed), rel=1e-5)


def test_training_clips_that_are_told_nothing_cost_the_entropy_of_their_corpora() -> None:
    """The weights' mean is 1: at equal logits a balanced corpus costs the log of its classes."""
    task = make(corpus_balance=0.0)
    found = task.loss({"emotion": torch.zeros(18, K)}, task.targets(TRAINING), epoch=0)
    assert found.item() == pytest.approx((np.log(2) + np.log(3)) / 2)


def test_other_corpora_s_logits_do_not_matter() -> None:
    task = make()
    targets = task.targets(clips("a", "fear", "calm"))
    said = logits(2).requires_grad_()
    task.loss({"emotion": said}, targets, epoch=0).backward()
    assert (said.grad[:, :2] != 0).all() and (said.grad[:, 2:] == 0).all()
    other = said.detach().clone()
    other[:, 2:] = 1e4
    values = [task.loss({"emotion": of}, targets, 0).item() for of in (said.detach(), other)]
    assert values[0] == values[1] and np.isfinite(values[0])


def test_far_logits_have_finite_gradients() -> None:
    task = make()
    said = (1e4 * logits(4)).requires_grad_()
    task.loss({"emotion": said}, task.targets(clips("b", "joy", *["fear"] * 3)), 0).backward()
    assert torch.isfinite(said.grad).all()


def test_micro_batches_train_as_one_batch() -> None:
    """Corpora lie in different micro-batches, and one of these has a single clip."""
    task = make()
    mixed = [*clips("b", "fear", "joy", "joy"), *clips("a", "fear", "calm", "fear")]
    waves = torch.randn(6, 4, generator=torch.Generator().manual_seed(1))
    targets = task.targets(mixed)["emotion"]

    def gradient(sizes: tuple[int, ...]) -> Tensor:
        torch.manual_seed(0)
        model = nn.Linear(4, K)
        ends = list(itertools.accumulate(sizes, initial=0))
        batches = [
            Batch([], waves[a:b], torch.full((b - a,), 4), {"emotion": targets[a:b]})
            for a, b in itertools.pairwise(ends)
        ]
        accumulate_gradients(
            lambda batch: {"emotion": model(batch.waves)},
            lambda outputs, of: task.loss(outputs, of, 0),
            batches,
            [micro_batch_seed(0, 0, place) for place in range(len(sizes))],
            contextlib.nullcontext,
            torch.GradScaler("cpu", enabled=False),
        )
        return model.weight.grad

    torch.testing.assert_close(gradient((3, 2, 1)), gradient((6,)))


def test_metrics_are_of_each_corpus_by_its_own_classes() -> None:
    task = make()
    mixed = [*clips("a", "fear", "fear", "calm"), *clips("b", "anger", "joy")]
    said = np.array(
        [
            [0, 1, 9, 0, 0],  # right: of a's classes fear is highest
            [1, 0, 0, 0, 9],
            [1, 0, 0, 9, 0],  # right
            [9, 9, 0, 1, 0],
            [9, 9, 0, 0, 1],  # right
        ],
        dtype=np.float32,
    )
    targets = {"emotion": task.targets(mixed)["emotion"].numpy()}
    found = task.metrics({"emotion": said}, targets)
    assert found["a/emotion/accuracy"] == pytest.approx(2 / 3)
    assert found["a/emotion/unweighted_recall"] == pytest.approx((1 / 2 + 1) / 2)
    assert found["b/emotion/unweighted_recall"] == pytest.approx(1 / 2)
    assert found[MEAN_RECALL] == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert task.error(found) == pytest.approx(1 - 5 / 8)
    assert task.rows("b", targets).tolist() == [3, 4]
    assert task.predicted("b", {"emotion": said}).tolist() == [0, 2, 1, 1, 2]


def test_a_corpus_without_clips_has_no_metrics() -> None:
    task = make()
    targets = {"emotion": task.targets(clips("b", "joy"))["emotion"].numpy()}
    found = task.metrics({"emotion": np.eye(K, dtype=np.float32)[4:]}, targets)
    assert found[MEAN_RECALL] == found["b/emotion/unweighted_recall"] == 1.0
    assert not any(name.startswith("a/") for name in found)


@pytest.mark.parametrize(
    "strange", [clips("a", "joy"), clips("c", "fear")], ids=["emotion", "corpus"]
)
def test_what_training_does_not_have(strange: list[Utterance]) -> None:
    with pytest.raises(TrainingError, match=r"occur, but training has only"):
        make().targets([*TRAINING, *strange])


def test_a_corpus_of_one_emotion_is_no_task() -> None:
    with pytest.raises(TrainingError, match=r"\['fear'\]; expected at least two"):
        CorporaTask([*TRAINING, *clips("c", "fear", "fear")], **OPTIONS)


@pytest.mark.parametrize("name", ["corpus_balance", "label_smoothing"])
@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_wrong_options(name: str, value: float) -> None:
    with pytest.raises(HparamError, match=f"{name} is {value}; expected 0 to 1"):
        make(**{name: value})
