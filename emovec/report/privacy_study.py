"""Systems trained and attacked, one result for each and each seed, kept in the run folder.

Shapes: N clips, L numbers of a representation.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emovec.corpora.selection import Selection
from emovec.encoders.store import load_model, save_model
from emovec.errors import HparamError
from emovec.privacy.attackers import ATTACKERS, Attacks, attack
from emovec.privacy.lrvae import LRVAE
from emovec.privacy.masking import ALL
from emovec.privacy.search import Training
from emovec.privacy.standardiser import Standardiser
from emovec.privacy.systems import find_system
from emovec.privacy.training import Trained, TrainingOptions, train
from emovec.privacy.vectors import Vectors
from emovec.report.privacy_card import privacy_card
from emovec.report.privacy_measures import MAJORITY, measure_attacks, measure_majority
from emovec.report.privacy_tables import INPUT, RANDOM
from emovec.tables.results import Metric, Result, RunFacts, read_result, write_result

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What is trained and attacked, and how.

    Args:
        systems: names, as of ``emovec.privacy.systems``
        seeds: of trainings and attackers
        options: of all trainings
        arguments: of ``LRVAE`` that all systems share
        profile: of the layered dropout, of those that have it
        masked_groups: from either end; None: half
        attackers: as of ``emovec.privacy.attackers``
        draws: resamples of test speakers; 0: no intervals

    Raises:
        HparamError: if a system is unknown, or there are no seeds, or one twice
    """

    systems: Sequence[str]
    seeds: Sequence[int]
    options: TrainingOptions
    arguments: Mapping[str, Any]
    profile: str | Sequence[float] = "linear"
    masked_groups: int | None = None
    attackers: Sequence[str] = ATTACKERS
    draws: int = 1000

    def __post_init__(self) -> None:
        for name in self.systems:
            find_system(name)
        for what, values in (("systems", self.systems), ("seeds", self.seeds)):
            if not values or len(set(values)) < len(values):
                raise HparamError(f"{what} are {list(values)}; expected some, each once.")

    def training(self, name: str) -> Training:
        """The system of a name, ready to be trained."""
        system = find_system(name)
        arguments = dict(self.arguments) | ({"profile": self.profile} if system.ordered else {})
        return Training(system, arguments, self.options, self.masked_groups)


@dataclass(frozen=True)
class Study:
    """Systems on the clips of a run.

    Attributes:
        clips: of all splits
        splits: their vectors, by "train", "valid" and "test"
        plan: what is trained and how
        folder: of the run
        facts: how a result of a seed, or None: of all, came about
        warnings: what a reader of the results must know
    """

    clips: Selection
    splits: Mapping[str, Vectors]
    plan: Plan
    folder: Path
    facts: Callable[[int | None], RunFacts]
    warnings: tuple[str, ...] = ()

    def results(self, trainings: Mapping[str, Training]) -> dict[str, list[Result]]:
        """Results of the bounds and of systems, by name, a seed each; what is there is read."""
        names = [INPUT, RANDOM, *trainings]
        found: dict[str, list[Result]] = {name: [] for name in names}
        jobs = [(name, seed) for seed in self.plan.seeds for name in names]
        for number, (name, seed) in enumerate(jobs, start=1):
            path = self.part(name, seed) / "result.json"
            where = f"{number} of {len(jobs)}: {name}, seed {seed}"
            if path.is_file():
                logger.info("%s: found in %s", where, path.parent)
            elif name in trainings:
                self._measure_system(name, trainings[name], seed)
            else:
                self._write(name, seed, self._measure_bound(name, seed))
            result = read_result(path)
            logger.info("%s: %s", where, _line(result))
            found[name].append(result)
        return found

    def part(self, name: str, seed: int) -> Path:
        """Folder of a system and a seed."""
        return self.folder / "systems" / name / str(seed)

    def model(self, name: str, seed: int) -> LRVAE:
        """A trained system."""
        return load_model(self.part(name, seed) / "model")  # type: ignore[return-value]

    def _measure_system(self, name: str, training: Training, seed: int) -> None:
        """Train, attack each representation, and write both."""
        trained = train(
            training.system,
            self.splits["train"],
            self.splits["valid"],
            training.options,
            seed,
            training.arguments,
        )
        metrics = [self._majority()]
        for representation, keep in training.system.representations.items():
            count = None if keep == ALL else training.masked_groups
            represented = {
                split: trained.model.transform(of.features, keep, count)
                for split, of in self.splits.items()
            }
            attacks = self._attacks(represented, seed)
            metrics += measure_attacks(attacks, representation, self.plan.draws)
        metrics += self._costs(trained)
        self._write(name, seed, metrics, trained, training)

    def _measure_bound(self, name: str, seed: int) -> list[Metric]:
        """Attacks on what nobody has trained: the input itself, or nothing of it."""
        if name == RANDOM:
            random = np.random.default_rng(seed)
            size = self.plan.arguments["latent_size"]
            represented = {
                split: random.standard_normal((len(of), size)).astype(np.float32)
                for split, of in self.splits.items()
            }
        else:
            standardised = Standardiser(self.splits["train"].features.shape[1])
            standardised.fit(self.splits["train"].features)
            represented = {
                split: standardised(standardised.checked(of.features)).numpy()
                for split, of in self.splits.items()
            }
        attacks = self._attacks(represented, seed)
        return [self._majority(), *measure_attacks(attacks, "origin", self.plan.draws)]

    def _attacks(self, represented: Mapping[str, NDArray[np.float32]], seed: int) -> Attacks:
        return attack(
            represented["train"],
            self.splits["train"],
            represented["valid"],
            self.splits["valid"],
            represented["test"],
            self.splits["test"],
            seed,
            self.plan.attackers,
        )

    def _majority(self) -> Metric:
        return measure_majority(self.splits["train"], self.splits["test"], self.plan.draws)

    def _costs(self, trained: Trained) -> list[Metric]:
        clips = self.splits["train"]
        of = (len(clips), len(np.unique(clips.speakers)), None)
        return [
            Metric("training/seconds", trained.seconds, *of),
            Metric("training/parameters", float(trained.parameters), *of),
        ]

    def _write(
        self,
        name: str,
        seed: int,
        metrics: Sequence[Metric],
        trained: Trained | None = None,
        training: Training | None = None,
    ) -> None:
        """Write a part, the result last: it marks the part as complete."""
        warnings = (*self.warnings, *(trained.warnings if trained else ()))
        result = Result(self.facts(seed), tuple(metrics), (), tuple(dict.fromkeys(warnings)))
        if trained and training:
            card = privacy_card(name, training, trained.model, self.clips.info, result)
            save_model(self.part(name, seed) / "model", trained.model, card)
        write_result(self.part(name, seed) / "result.json", result)


def _line(result: Result) -> str:
    """The paper's measures, for those who wait."""
    said = []
    for metric in result.metrics:
        representation, _, measure = metric.metric.partition("/")
        if measure == "eer" or (measure == "weighted_f1" and metric.metric != MAJORITY):
            name = "EER" if measure == "eer" else f"{representation} F1"
            said.append(f"{name} {metric.value:.1%}")
        elif metric.metric == "training/seconds":
            said.append(f"{metric.value:.0f} s of training")
    return ", ".join(said)
