"""From a corpus' name to the clips of all folds of a protocol, for emotion classes."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emovec.corpora.selection import (
    Chosen,
    by_split,
    check_folds,
    split_chosen,
    why_another_class,
    why_unwanted,
)
from emovec.errors import SplitError
from emovec.tables.manifest import Utterance
from emovec.tables.splits import Assignment, check_splits


@dataclass(frozen=True, kw_only=True)
class FoldSelection(Chosen):
    """The clips of a run over folds, checked for leaks.

    Attributes:
        folds: by number, utterances of "train", "valid" (none where the protocol does not
            validate) and "test"
    """

    folds: dict[int, dict[str, list[Utterance]]]

    @property
    def classes(self) -> list[str]:
        """Emotions that occur in some fold, in alphabetical order."""
        return sorted({u.emotion for u in self.utterances})

    @property
    def utterances(self) -> list[Utterance]:
        """All clips of all folds, each once."""
        clips = (u for splits in self.folds.values() for part in splits.values() for u in part)
        return list({u.id: u for u in clips}.values())


def select_folds(
    corpus: str,
    options: Mapping[str, Any],
    data_folder: str | None,
    prepared_folder: Path,
    *,
    protocol: str,
    folds: Collection[int] | None,
    seed: int,
    emotions: Collection[str] | None,
    drop_emotions: Collection[str],
    allow_partial: bool,
    allow_leak: bool,
) -> FoldSelection:
    """Prepare a corpus, split it, and refuse splits that leak, for emotion classes over folds.

    Clips whose emotion is not known are left out.

    Args:
        corpus: a name of ``corpora.names()``
        options: of ``corpora.get``
        data_folder: where the corpus lies; None for one that is made
        prepared_folder: for manifest.csv, corpus.json and splits/
        protocol: name of the splits; "default" for ``corpora.default_protocol``
        folds: which of the protocol's folds; None: all
        seed: of the splits
        emotions: classes of the protocol to keep; None: all
        drop_emotions: clips of these, by the corpus' own labels, are left out before splitting
        allow_partial: go on with an incomplete copy
        allow_leak: go on with splits that leak

    Raises:
        CorpusError: if the corpus is not as published
        SplitError: if no clip is left, a class to keep has none, a split leaks or is empty, or
            there is no such fold
    """

    def unwanted(utterance: Utterance, emotion: str) -> str:
        return why_another_class(utterance, emotion, emotions) or why_unwanted(
            utterance, [*drop_emotions, ""], with_affect=False
        )

    found = split_chosen(
        corpus,
        options,
        data_folder,
        prepared_folder,
        protocol,
        seed,
        allow_partial,
        unwanted,
    )
    missing = sorted(set(emotions or ()) - {u.emotion for u in found.utterances})
    if missing:
        raise SplitError(
            f"{corpus}: no clip is of the emotions {missing}; expected some of "
            f"{sorted({u.emotion for u in found.prepared.utterances})}. Mend emotions."
        )
    members: dict[int, list[Assignment]] = defaultdict(list)
    for row in found.assignments:
        members[row.fold].append(row)
    rows = {number: members[number] for number in sorted(members if folds is None else set(folds))}
    check_folds(found.assignments, rows, f"{corpus}: {found.protocol}")
    in_folds = [row for in_fold in rows.values() for row in in_fold]
    check = check_splits(found.utterances, in_folds, found.may_share, allow_leak)
    return FoldSelection(
        folds={number: by_split(found.utterances, in_fold) for number, in_fold in rows.items()},
        **found.facts(check, []),
    )
