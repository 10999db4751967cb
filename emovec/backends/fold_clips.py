"""Clips of a fold that a probe is fitted to and tested on."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from emovec.backends.undersampling import Undersampling
from emovec.errors import TrainingError
from emovec.tables.manifest import Utterance


@dataclass(frozen=True)
class ClipCount:
    """Clips of a class in a split of a fold.

    Attributes:
        split: "train" or "test"
        emotion: the class
        given: that the protocol gives
        embedded: those of them that have an embedding
        used: those of them that are used
    """

    split: str
    emotion: str
    given: int
    embedded: int
    used: int


@dataclass(frozen=True)
class FoldClips:
    """What a fold is fitted to and tested on.

    Attributes:
        trained: clips to train on, once for each embedding that they and their copies have
        train_rows: of those embeddings
        tested: others
        test_rows: of their embeddings
        counts: of each class, in "train" and "test"; a clip and its copies are one
    """

    trained: list[Utterance]
    train_rows: list[int]
    tested: list[Utterance]
    test_rows: list[int]
    counts: tuple[ClipCount, ...]


def training_clips(splits: Mapping[str, Sequence[Utterance]]) -> list[Utterance]:
    """Clips of a fold to train on: those for validation, too, unless they share a test speaker.

    Unknown speakers, "", may be the same.
    """
    shared = {u.speaker for u in splits["valid"]} & {u.speaker for u in splits["test"]}
    return [*splits["train"], *([] if shared else splits["valid"])]


def choose_clips(
    fold: int,
    splits: Mapping[str, Sequence[Utterance]],
    row_of: Mapping[str, int],
    classes: Sequence[str],
    copies: int,
    undersampling: Undersampling,
) -> FoldClips:
    """Clips of a fold that have an embedding, as many of each class as wanted.

    Args:
        fold: its number
        splits: its clips
        row_of: row of each embedding, by id of the clip or copy
        classes: all that are to be told apart
        copies: of each training clip, to train on as well
        undersampling: which clips are used

    Raises:
        TrainingError: if no test clip is left, or a class has fewer clips than wanted
    """
    counts, used = [], {}
    for split, given, times in (
        ("train", training_clips(splits), copies),
        ("test", splits["test"], 0),
    ):
        embedded = [u for u in given if any(name in row_of for name in _names(u, times))]
        if split == "test" and not embedded:
            raise TrainingError(
                f"fold {fold}: none of {len(given)} test clips has an embedding; expected "
                "some. See what is skipped, or choose another source."
            )
        used[split] = undersampling.draw(embedded, fold, split, classes)
        counts += list(_count(split, given, embedded, used[split]))
    trained = [(u, name) for u in used["train"] for name in _names(u, copies) if name in row_of]
    return FoldClips(
        trained=[u for u, _name in trained],
        train_rows=[row_of[name] for _u, name in trained],
        tested=used["test"],
        test_rows=[row_of[u.id] for u in used["test"]],
        counts=tuple(counts),
    )


def _names(utterance: Utterance, copies: int) -> list[str]:
    """Ids of a clip and of its copies."""
    return [utterance.id, *(f"{utterance.id}#{copy + 1}" for copy in range(copies))]


def _count(split: str, *steps: Collection[Utterance]) -> Iterator[ClipCount]:
    """Clips of each class at each step."""
    counts = [Counter(u.emotion for u in clips) for clips in steps]
    for emotion in sorted(counts[0]):
        yield ClipCount(split, emotion, *(of[emotion] for of in counts))
