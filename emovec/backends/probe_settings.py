"""What a probe can choose from, and the training speakers left out that it is chosen by.

Shapes: N clips.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold

from emovec.errors import TrainingError

INNER_FOLDS = 5


class Setting(NamedTuple):
    """What is chosen for a probe.

    Attributes:
        c: strength of the data against the penalty
        gamma: of a radial kernel; None of a linear classifier
        first: class that is told from the rest first; None of a classifier of one stage
    """

    c: float
    gamma: float | str | None = None
    first: str | None = None

    def __str__(self) -> str:
        gamma = f"{self.gamma:g}" if isinstance(self.gamma, float) else self.gamma
        parts = [f"C {self.c:g}", gamma and f"gamma {gamma}", self.first and f"{self.first} first"]
        return ", ".join(filter(None, parts))

    def parameters(self, step: str) -> dict[str, Any]:
        """Itself as parameters of a pipeline, whose last step has this name.

        >>> Setting(1.0, first="sadness").parameters("svc")
        {'svc__estimator__C': 1.0, 'svc__first': 'sadness'}
        """
        base = f"{step}__estimator" if self.first else step
        found: dict[str, Any] = {f"{base}__C": self.c}
        if self.gamma is not None:
            found[f"{base}__gamma"] = self.gamma
        if self.first is not None:
            found[f"{step}__first"] = self.first
        return found


def inner_folds(
    emotions: NDArray, speakers: NDArray, settings: Sequence[Setting], seed: int
) -> tuple[list[tuple[NDArray, NDArray]], list[str]]:
    """Rows to fit and to choose by, no speaker in both; and what is to be said of them.

    Args:
        emotions: (N,) classes of the training clips
        speakers: (N,) who speaks
        settings: to choose from
        seed: of the order of speakers

    Raises:
        TrainingError: if no speaker can be left out, or a fold then lacks what the settings need
    """
    what = _differing(settings)
    found = len(set(speakers.tolist()))
    if found < 2:
        raise TrainingError(
            f"{found} training speaker found; expected at least 2, to choose {what} by one left "
            "out. Choose another protocol, or give one value to choose from."
        )
    splitter = GroupKFold(min(INNER_FOLDS, found), shuffle=True, random_state=seed)
    folds = list(splitter.split(emotions, groups=speakers))
    classes, notes = set(emotions.tolist()), []
    for number, (fitted, _) in enumerate(folds):
        kept = set(emotions[fitted].tolist())
        missing = sorted(classes - kept)
        firsts = [name for name in missing if any(name == s.first for s in settings)]
        if firsts or len(kept) < 2:
            needed = " and ".join(firsts) or "at least 2 classes"
            raise TrainingError(
                f"without the speakers of inner fold {number}, training clips are all "
                f"{' or '.join(sorted(kept))}; expected {needed}, to choose {what}. "
                "Add speakers, or give one value to choose from."
            )
        if missing:
            notes.append(f"{what} was chosen, in inner fold {number}, without clips of {missing}")
    return folds, notes


def _differing(settings: Sequence[Setting]) -> str:
    """What settings differ in.

    >>> _differing([Setting(1.0, 0.1, "anger"), Setting(1.0, 0.2, "fear")])
    'gamma and the first class'
    """
    columns = zip(("C", "gamma", "the first class"), zip(*settings, strict=True), strict=True)
    return " and ".join(name for name, values in columns if len(set(values)) > 1)
