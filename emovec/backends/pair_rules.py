"""Which clips are tried against which, and the matrix that comes of it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emovec.corpora.pair_selection import UNKNOWN
from emovec.errors import HparamError, SplitError
from emovec.metrics.pair_blocks import Processes
from emovec.metrics.pair_cells import PairMatrix
from emovec.metrics.pair_scores import PairScores
from emovec.metrics.pairing import pair_up
from emovec.metrics.pairs import pair_matrix
from emovec.metrics.resampling import BOOTSTRAP, JACKKNIFE
from emovec.tables.manifest import Utterance

SAME_TEXT = {"any": None, "same": True, "different": False}
INTERVALS = ("auto", BOOTSTRAP, JACKKNIFE)
NEUTRAL = "neutral"


@dataclass(frozen=True)
class PairRules:
    """Which pairs of clips are trials, and how their rates and intervals are found.

    Args:
        same_gender: pair clips of the same gender only
        texts: "any"; "same" or "different": pair clips of the same text only, or never
        reference: emotion whose own cell sets the fixed threshold
        draws: resamples of speakers; 0: no intervals
        intervals: "bootstrap", "jackknife", or "auto"
        seed: of the intervals

    Raises:
        HparamError: if a value is none of these
    """

    same_gender: bool = True
    texts: str = "any"
    reference: str = NEUTRAL
    draws: int = 1000
    intervals: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in (("texts", tuple(SAME_TEXT)), ("intervals", INTERVALS)):
            if getattr(self, name) not in known:
                raise HparamError(
                    f"{name} is '{getattr(self, name)}'; expected one of {known}. Correct it."
                )
        if type(self.draws) is not int or self.draws < 0:
            raise HparamError(f"draws is '{self.draws}'; expected 0 or more. Correct it.")
        if not isinstance(self.same_gender, bool):
            raise HparamError(
                f"same_gender is '{self.same_gender}'; expected True or False. Correct it."
            )

    def check(self, utterances: Sequence[Utterance]) -> None:
        """Raise where clips have no trials, or none of the reference.

        Raises:
            HparamError: if what an option asks for is known of no clip
            SplitError: if no two clips of one speaker, or of two speakers, may be paired
        """
        for wanted, what, remedy in (
            (self.same_gender, "gender", "same_gender=False"),
            (self.texts != "any", "text", "texts=any"),
        ):
            if wanted and utterances and not any(getattr(u, what) for u in utterances):
                raise HparamError(
                    f"{len(utterances)} clips have no {what}; expected the {what} of some. "
                    f"Pass --{remedy}."
                )
        emotions = sorted({u.emotion for u in utterances})
        if self.reference not in (*emotions, NEUTRAL) and emotions != [UNKNOWN]:
            raise HparamError(
                f"reference is '{self.reference}', an emotion of no clip; expected one of "
                f"{emotions}. Correct it."
            )
        groups = list(self._groups(utterances))
        kinds = {
            "of one speaker": any(map(self._has_targets, groups)),
            "of two speakers": any(map(self._has_impostors, groups)),
        }
        missing = [kind for kind, found in kinds.items() if not found]
        if missing:
            speakers = len({u.speaker for u in utterances if u.speaker})
            raise SplitError(
                f"{len(utterances)} clips of {speakers} known speakers have no pairs "
                f"{' and none '.join(missing)}, with same_gender {self.same_gender} and texts "
                f"{self.texts}; expected both kinds. Take more clips, or pair them more freely."
            )

    def matrix(
        self, scores: PairScores, utterances: Sequence[Utterance], processes: Processes
    ) -> PairMatrix:
        """Rates of all pairs of clips that :meth:`check` has passed.

        Args:
            scores: of the clips
            utterances: the clips
            processes: that share the work
        """
        return pair_matrix(
            scores,
            *self._labels(utterances),
            same_text=SAME_TEXT[self.texts],
            reference=self.reference,
            draws=self.draws,
            method=self.intervals,
            seed=self.seed,
            processes=processes,
        )

    def pairs(
        self, scores: PairScores, utterances: Sequence[Utterance]
    ) -> Iterator[tuple[Utterance, Utterance]]:
        """Every pair of clips that :meth:`matrix` tries."""
        labels = self._labels(utterances)
        pairing = pair_up(scores, *labels, SAME_TEXT[self.texts], self.seed)
        for one, other in pairing.trials():
            yield utterances[one], utterances[other]

    def _labels(self, utterances: Sequence[Utterance]) -> tuple[Any, Any, Any, Any]:
        """Speakers, emotions, genders if they matter, and texts."""
        speakers, emotions, genders, texts = (
            np.array([getattr(u, name) for u in utterances], dtype=str)
            for name in ("speaker", "emotion", "gender", "text")
        )
        return speakers, emotions, genders if self.same_gender else None, texts

    def _groups(self, utterances: Iterable[Utterance]) -> Iterator[list[tuple[str, str]]]:
        """(speaker, text) of clips that may be paired, as far as genders and same texts go."""
        groups: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
        for u in utterances:
            gender = u.gender if self.same_gender else "any"
            text = u.text if self.texts != "any" else "any"
            if u.speaker and u.emotion and gender and text:
                within = text if self.texts == "same" else ""
                groups[gender, within].append((u.speaker, text))
        yield from groups.values()

    def _has_targets(self, group: Sequence[tuple[str, str]]) -> bool:
        if self.texts == "different":
            group = list(set(group))
        return len({speaker for speaker, _ in group}) < len(group)

    def _has_impostors(self, group: Sequence[tuple[str, str]]) -> bool:
        """Of pairs (speaker, text), two differ in both unless all share one of them."""
        sides = [set(side) for side in zip(*group, strict=True)]
        return all(len(side) > 1 for side in (sides if self.texts == "different" else sides[:1]))
