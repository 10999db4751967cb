"""What a run folder holds, for its page: read when asked for, empty where it is not there."""

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from emovec.audio.inputs import collect
from emovec.corpora.speakers import with_name
from emovec.errors import EmovecError
from emovec.labels import AFFECT_AXES
from emovec.tables import embedding_files
from emovec.tables.corpus import CorpusInfo, is_scale, read_corpus_info
from emovec.tables.embeddings import Embeddings
from emovec.tables.manifest import Utterance
from emovec.tables.results import Result, ResultError, read_result
from emovec.tables.splits import manifest_hash

Row = Mapping[str, str]
MANIFEST = "manifest.csv"


@dataclass(frozen=True)
class Clip:
    """An utterance of a run, the audio file that it is in, and the corpus that it is of."""

    utterance: Utterance
    path: Path
    corpus: str


@dataclass(frozen=True, eq=False)
class RunFolder:
    """A finished run.

    Attributes:
        path: of the folder
        result: of its result.json
        beside: what tells it from others of the same name
    """

    path: Path
    result: Result
    beside: str = ""

    @property
    def name(self) -> str:
        """Its hyper-parameter ``name``, else that of its folder; and its seed."""
        name = str(self.result.run.hparams.get("name") or self.path.resolve().name)
        return f"{name}, seed {self.result.run.seed}{self.beside}"

    @cached_property
    def predictions(self) -> list[Row]:
        """Rows of predictions.csv."""
        return self.table("predictions.csv")

    @cached_property
    def history(self) -> list[Mapping[str, float]]:
        """Numbers of each epoch."""
        found = self._json("history.json")
        return found if isinstance(found, list) else []

    @cached_property
    def pictures(self) -> dict[str, Path]:
        """Static figures by name."""
        return {path.stem: path for path in sorted(self.path.glob("figures/*.png"))}

    @cached_property
    def vectors(self) -> Embeddings | None:
        """Embeddings that the run has kept."""
        path = self.path / "vectors.npz"
        return embedding_files.read(path) if path.is_file() else None

    @cached_property
    def affect(self) -> CorpusInfo | None:
        """The scale that affect was predicted on, as the model has it; None where there is none."""
        model = self._json("model/config.json")
        arguments = model.get("arguments") if isinstance(model, dict) else None
        scale: Any = arguments.get("affect_scale") if isinstance(arguments, dict) else None
        if not is_scale(scale):
            return None
        return CorpusInfo(self.result.run.corpus, 0, 0, affect_scale=(scale[0], scale[1]))

    @cached_property
    def clips(self) -> dict[str, Clip]:
        """Clips by id, as far as the manifest is where the run had it and is still the same."""
        prepared = self.result.run.hparams.get("prepared_folder")
        for folder in filter(None, (self.path / "data", prepared and Path(prepared))):
            clips = list(_clips(folder, self.result.run.corpus))
            if manifest_hash(clip.utterance for clip in clips) == self.result.run.manifest_hash:
                return {clip.utterance.id: clip for clip in clips}
        return {}

    @property
    def has_affect(self) -> bool:
        """Whether the predictions are of affect."""
        return bool(self.predictions) and all(
            f"predicted_{axis}" in self.predictions[0] for axis in AFFECT_AXES
        )

    def table(self, name: str) -> list[Row]:
        """Rows of a table of the folder.

        Raises:
            ResultError: if the file is no table
        """
        path = self.path / name
        if not path.is_file():
            return []
        try:
            with path.open(newline="", encoding="utf-8") as file:
                return list(csv.DictReader(file, strict=True))
        except (ValueError, csv.Error) as error:
            raise _damaged(path, error) from error

    def _json(self, name: str) -> Any:
        path = self.path / name
        if not path.is_file():
            return None
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise _damaged(path, error) from error


def read_run(folder: Path) -> RunFolder:
    """The run of a folder.

    Raises:
        ResultError: if it is none, or its result cannot be read
    """
    if not (folder / "result.json").is_file():
        raise ResultError(
            f"{folder}: no result.json in it; expected the folder of a run that has ended. "
            "Name the folder that a recipe wrote, or let the run end."
        )
    return RunFolder(folder, read_result(folder / "result.json"))


def read_runs(folders: Sequence[Path]) -> list[RunFolder]:
    """Runs of folders; where names are the same, the folders tell them apart.

    Raises:
        ResultError: as :func:`read_run`, or if there is no folder, or one twice
    """
    runs = [read_run(folder) for folder in folders]
    if not runs or len({run.path.resolve() for run in runs}) < len(runs):
        raise ResultError(
            f"report: folders are {[str(folder) for folder in folders]}; expected at least one, "
            "each once. Name folders of runs."
        )
    names = Counter(run.name for run in runs)
    return [replace(r, beside=f" ({r.path})") if names[r.name] > 1 else r for r in runs]


def _damaged(path: Path, error: Exception) -> ResultError:
    return ResultError(
        f"{path}: {error}; expected what a recipe writes. Remove the run's folder and run it again."
    )


def _clips(folder: Path, corpus: str) -> Iterator[Clip]:
    """Clips of the manifest in a folder, or of those of several corpora below it."""
    alone = folder / MANIFEST
    for path in [alone] if alone.is_file() else sorted(folder.glob(f"*/{MANIFEST}")):
        try:
            found = collect([path])
            utterances, of = found.utterances, corpus
            if path != alone:  # as the pooled selection names them
                of = read_corpus_info(path.with_name("corpus.json")).name
                utterances = with_name(of, found.root, utterances)
        except EmovecError:  # without labels and audio the page has less; nothing in it is wrong
            continue
        for utterance in utterances:
            yield Clip(utterance, found.root / utterance.path, of)
