"""Facts of a model that ships, from the results of its runs: data, trainings, numbers."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from emovec.corpora.speakers import name_and_folder
from emovec.errors import ModelError
from emovec.report.card import is_non_commercial
from emovec.report.markdown import stamps
from emovec.report.shipping_plan import Evaluation
from emovec.report.taught import check_untaught, corpora_of
from emovec.tables.corpus import CorpusInfo, read_corpus_info
from emovec.tables.results import Metric, Result

RESULTS = "results.json"
NEVER_HEARD = ("ravdess",)  # all models are measured on it


@dataclass(frozen=True)
class Data:
    """A corpus that a model was trained on."""

    name: str
    licence: str
    language: str
    citation: str
    utterances: int
    speakers: int


@dataclass(frozen=True)
class Making:
    """A run: how it came about, see ``emovec.tables.results.RunFacts``."""

    command: str
    commit: str
    seed: int
    started: str
    seconds: float
    machine: str
    versions: Mapping[str, str]
    corpus: str
    protocol: str
    split_hash: str
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Measured:
    """Numbers of a run.

    Attributes:
        what: a phrase
        making: of the run
        metrics: as they stand in its result.json
    """

    what: str
    making: Making
    metrics: tuple[Metric, ...]


@dataclass(frozen=True)
class Shipment:
    """All that the card of a shipped model has beside prose.

    Attributes:
        name: of the model
        licence: of its weights
        stamps: what everybody must know first
        data: corpora of all trainings
        further_data: audio beside them, such as noise, with licences
        trainings: in order, those that the weights were started from included
        measured: in the order of the card
        difference: greatest of float16 to the trained weights in embeddings of the reference
            clips, over their length
    """

    name: str
    licence: str
    stamps: tuple[str, ...]
    data: tuple[Data, ...]
    further_data: tuple[str, ...]
    trainings: tuple[Making, ...]
    measured: tuple[Measured, ...]
    difference: float

    def to_json(self) -> str:
        """Text of results.json."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def shipment(
    name: str,
    licence: str,
    further_data: tuple[str, ...],
    trainings: Sequence[Result],
    evaluations: Iterable[tuple[Evaluation, Result]],
    difference: float,
) -> Shipment:
    """Facts of a model, from the results of its runs.

    Args:
        name: of the model
        licence: of its weights
        further_data: see :class:`Shipment`
        trainings: results of all, in order
        evaluations: what was measured, and the results
        difference: see :class:`Shipment`

    Raises:
        ModelError: if a corpus that models are measured on was trained on, an evaluation has
            clips that may have been, a run leaks, a metric is not there, or a licence forbids it
        SplitError: if splits of trainings on one corpus are not there to be compared
    """
    rows = list(evaluations)
    heard = {corpus for result in trainings for corpus in corpora_of(result)}
    data = _data(trainings)
    for result in (*trainings, *(result for _, result in rows)):
        if result.run.leaks:
            raise ModelError(f"{name}: {result.run.command} leaks; expected none. Mend its splits.")
    if met := heard & set(NEVER_HEARD):
        raise ModelError(f"{name}: trained on {sorted(met)}, to be measured on. Train without.")
    check_untaught(name, trainings)
    for evaluation, result in rows:
        _check_unheard(name, evaluation, result, trainings[-1], heard)
    _check_licence(name, licence, data)
    return Shipment(
        name,
        licence,
        tuple(dict.fromkeys(stamp for result in trainings for stamp in stamps(result))),
        tuple(data),
        further_data,
        tuple(map(_making, trainings)),
        tuple(_measured(evaluation, result) for evaluation, result in rows),
        float(f"{difference:.1e}"),
    )


def _check_unheard(
    name: str, evaluation: Evaluation, result: Result, training: Result, heard: set[str]
) -> None:
    """Stop on an evaluation on a training corpus that does not follow the training's own splits."""
    same = result.run.split_hash == training.run.split_hash
    if evaluation.step is not None and not same and (met := heard & set(corpora_of(result))):
        raise ModelError(
            f"{name}: {evaluation.what} is measured on {sorted(met)}, which it was trained on; "
            "expected the speakers that training held out. Measure on another corpus."
        )


def _check_licence(name: str, licence: str, data: Sequence[Data]) -> None:
    unknown = [corpus.name for corpus in data if not corpus.licence]
    if unknown:
        raise ModelError(
            f"{name}: the licence of {unknown} is not known. Find it out, or leave out."
        )
    binding = [corpus.name for corpus in data if is_non_commercial(corpus.licence)]
    if binding and not is_non_commercial(licence):
        raise ModelError(
            f"{name}: licence {licence}, and {binding} forbid commercial use; expected the same of "
            "the weights. Change the licence, or train without."
        )


def _data(trainings: Iterable[Result]) -> list[Data]:
    """Corpora of all trainings, each once."""
    found: dict[str, Data] = {}
    for result in trainings:
        infos = {info.name: info for info in _prepared(result.run.hparams)}
        for name in corpora_of(result):
            if name not in infos:
                raise ModelError(
                    f"{name}: no corpus.json below {result.run.hparams.get('prepared_folder')!r}; "
                    "expected what the training has prepared. Prepare it there again."
                )
            info = infos[name]
            facts = (info.licence, info.language, info.citation, info.utterances, info.speakers)
            found[name] = Data(name, *facts)
    return [found[name] for name in sorted(found)]


def _prepared(hparams: Mapping[str, Any]) -> list[CorpusInfo]:
    """Facts of the corpora that a run has prepared, or reads in our own form."""
    folder = Path(hparams["prepared_folder"])
    folders = [name_and_folder(source)[1] for source in hparams.get("corpora", [])]
    paths = [home / "corpus.json" for home in folders if home is not None]
    paths += [*folder.glob("*/corpus.json"), folder / "corpus.json"]
    return [read_corpus_info(path) for path in paths if path.is_file()]


def _making(result: Result) -> Making:
    run = result.run
    return Making(
        command=run.command,
        commit=run.commit,
        seed=run.seed,
        started=run.started,
        seconds=run.seconds,
        machine=run.machine,
        versions=dict(run.versions),
        corpus=run.corpus,
        protocol=run.protocol,
        split_hash=run.split_hash,
        warnings=tuple(result.warnings),
    )


def _measured(evaluation: Evaluation, result: Result) -> Measured:
    metrics = []
    for name in evaluation.metrics:
        metric = result.get(name)
        if metric is None:
            raise ModelError(
                f"{evaluation.what}: no metric {name}; expected one of "
                f"{[found.metric for found in result.metrics]}. Correct the plan."
            )
        metrics.append(metric)
    return Measured(evaluation.what, _making(result), tuple(metrics))
