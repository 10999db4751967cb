"""The speaker task: classes of training speakers, EER of the others, losses of the known."""

import itertools

import numpy as np
import pytest
import torch

from emovec.audio.batches import Batch
from emovec.errors import TrainingError
from emovec.tables.manifest import Utterance
from emovec.training.speaker_task import SpeakerTask

E = 16


def clips(*speakers: str) -> list[Utterance]:
    return [
        Utterance(f"{name.split('/')[0]}/{place}", "a.wav", None, None, 1.0, name)
        for place, name in enumerate(speakers)
    ]


TRAINING = clips("b/t", "a/s", "b/t", "a/q")
HELD_OUT = clips("a/x", "b/x", "a/x", "b/y", "a/w")


def test_classes_are_the_training_speakers_in_order() -> None:
    task = SpeakerTask(TRAINING, HELD_OUT)
    assert task.heads == {"speaker": ["a/q", "a/s", "b/t"]}
    assert task.targets(TRAINING)["speaker"].tolist() == [2, 1, 2, 0]
    others = task.targets(HELD_OUT)["speaker"].tolist()
    assert min(others) == 3 and [others[0] == other for other in others] == [1, 0, 1, 0, 0]
    assert task.targets(HELD_OUT)["corpus"].tolist() == [0, 1, 0, 1, 0]


def test_numbers_depend_on_speakers_not_on_order() -> None:
    one, other = SpeakerTask(TRAINING, HELD_OUT), SpeakerTask(TRAINING[::-1], HELD_OUT[::-1])
    for name, numbers in one.targets(HELD_OUT).items():
        assert torch.equal(numbers, other.targets(HELD_OUT)[name])


@pytest.mark.parametrize("speakers", [[], ["a/s", "a/s"]])
def test_one_speaker_is_no_task(speakers: list[str]) -> None:
    with pytest.raises(TrainingError, match=r"[01] speakers to train on; expected at least 2"):
        SpeakerTask(clips(*speakers), HELD_OUT)


def test_the_model_is_told_the_step() -> None:
    task = SpeakerTask(TRAINING, [])
    task.step = 7
    batch = Batch(["a"], torch.zeros(1, 3), torch.tensor([3]), {"speaker": torch.tensor([2])})
    found = task.outputs(lambda *arguments: arguments, batch)  # type: ignore[arg-type]
    assert found[0] is batch.waves and found[2].tolist() == [2] and found[3] == 7


def test_the_loss_is_of_known_speakers() -> None:
    task = SpeakerTask(TRAINING, HELD_OUT)
    targets = {"speaker": torch.tensor([0, 3, 2, 4])}
    losses = torch.tensor([1.0, 100.0, 2.0, 100.0], requires_grad=True)
    loss = task.loss({"loss": losses}, targets, epoch=0)
    assert loss.item() == 1.5
    loss.backward()
    assert losses.grad.tolist() == [0.5, 0, 0.5, 0]


def crossing(scores: np.ndarray, is_target: np.ndarray) -> float:
    """Where the share of rejected targets meets that of accepted impostors, by a fine sweep."""
    ends = np.sort(np.append(scores, [scores.max() + 1]))
    missed = np.array([(scores[is_target] < end).mean() for end in ends])
    accepted = np.array([(scores[~is_target] >= end).mean() for end in ends])
    place = np.abs(missed - accepted).argmin()
    return float((missed[place] + accepted[place]) / 2)


def outputs(task: SpeakerTask, voices: list[Utterance], loudness: float) -> tuple[dict, dict]:
    """Embeddings that are the speaker's direction and noise of a given loudness."""
    random = np.random.default_rng(0)
    directions = {name: random.standard_normal(E) for name in sorted({u.speaker for u in voices})}
    noise = loudness * random.standard_normal((len(voices), E))
    embedding = np.array([directions[u.speaker] for u in voices]) * (loudness < 100) + noise
    targets = {name: of.numpy() for name, of in task.targets(voices).items()}
    correct = np.ones(len(voices), np.float32)
    return {"embedding": embedding.astype(np.float32), "correct": correct}, targets


VOICES = clips(*(f"{name}/v{number}" for name in "ab" for number in range(8) for _ in range(6)))


def test_embeddings_that_carry_the_speaker_have_a_low_rate() -> None:
    task = SpeakerTask(TRAINING, VOICES)
    found = task.metrics(*outputs(task, [*TRAINING, *VOICES], 0.3))
    assert found["eer/pooled"] < 0.02 and task.error(found) == found["eer/pooled"]


def test_noise_is_at_chance() -> None:
    task = SpeakerTask(TRAINING, VOICES)
    found = task.metrics(*outputs(task, [*TRAINING, *VOICES], 1e6))
    assert found["eer/pooled"] == pytest.approx(0.5, abs=0.06)


def test_pairs_are_within_a_corpus_and_of_unknown_speakers() -> None:
    """All clips of a corpus sound alike; across corpora, pairs would be easy impostors."""
    task = SpeakerTask(TRAINING, VOICES)
    every = [*VOICES, *TRAINING]
    made, targets = outputs(task, every, 1.0)
    made["embedding"] += 20 * np.where(targets["corpus"] == 0, 1, -1)[:, None]
    unit = made["embedding"] / np.linalg.norm(made["embedding"], axis=1, keepdims=True)
    pairs = [
        (unit[i] @ unit[j], every[i].speaker == every[j].speaker)
        for i, j in itertools.combinations(range(len(VOICES)), 2)
        if every[i].id[0] == every[j].id[0]
    ]
    scores, is_target = map(np.array, zip(*pairs, strict=True))
    expected = crossing(scores, is_target)
    assert task.metrics(made, targets)["eer/pooled"] == pytest.approx(expected, abs=0.003)


def test_accuracy_is_of_known_speakers() -> None:
    task = SpeakerTask(TRAINING, VOICES)
    made, targets = outputs(task, [*TRAINING, *VOICES], 1.0)
    made["correct"][:] = 0
    made["correct"][0] = 1
    assert task.metrics(made, targets)["speaker/accuracy"] == 0.25
