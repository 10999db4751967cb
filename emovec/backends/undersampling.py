"""As many clips of each class, drawn with a seed from those that have an embedding."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from emovec.errors import HparamError, TrainingError
from emovec.tables.adjusting import balanced
from emovec.tables.manifest import Utterance
from emovec.tables.splits import Assignment

SMALLEST = "smallest"


@dataclass(frozen=True)
class Undersampling:
    """Which clips of a fold are used.

    Args:
        train: clips of each class to train on; "smallest": as many as the rarest has; None: all
        test: the same of the clips to test on
        seed: of the draw, which each fold, split and class has for itself

    Raises:
        HparamError: if a number is neither
    """

    train: int | str | None = None
    test: int | str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, wanted in (("undersample", self.train), ("undersample_test", self.test)):
            counts = isinstance(wanted, int) and not isinstance(wanted, bool) and wanted > 0
            if not (wanted in (None, SMALLEST) or counts):
                raise HparamError(
                    f"{name} is {wanted!r}; expected a number above 0, {SMALLEST} or null. "
                    "Correct it."
                )

    def draw(
        self, utterances: Sequence[Utterance], fold: int, split: str, classes: Sequence[str]
    ) -> list[Utterance]:
        """The clips of a fold's "train" or "test" that are used, in their order.

        Args:
            utterances: clips that can be used
            fold: number
            split: "train" or "test"
            classes: all that are to be told apart

        Raises:
            TrainingError: if a class has fewer clips than wanted
        """
        wanted = self.train if split == "train" else self.test
        if wanted is None:
            return list(utterances)
        counts = Counter(u.emotion for u in utterances)
        few = {name: counts[name] for name in classes if counts[name] < _number(wanted)}
        if few:
            raise TrainingError(
                f"fold {fold}: {split} has {few} clips with an embedding; expected at least "
                f"{wanted} of each class. Lower the number, or set it to {SMALLEST}."
            )
        most = len(utterances) if wanted == SMALLEST else _number(wanted)
        rows = [Assignment(u.id, fold, split) for u in utterances]
        kept = {row.id for row in balanced(utterances, rows, self.seed, {split: most})}
        return [u for u in utterances if u.id in kept]


def _number(wanted: int | str) -> int:
    """Clips that each class must have."""
    return wanted if isinstance(wanted, int) else 0
