"""Clips that a training learns from with labels, so that no later one is tested on them."""

import shlex
from collections.abc import Collection, Sequence
from pathlib import Path

from emovec.errors import ModelError
from emovec.tables.results import Result
from emovec.tables.splits import read_splits

WITHOUT_LABELS = frozenset({"recipes/wavlm/pretrain.py"})


def check_untaught(name: str, trainings: Sequence[Result]) -> None:
    """Stop on a test of the last training on clips that one before it learnt with labels.

    Splits keep speakers apart, so that what holds for clips holds for speakers. Labels of one kind
    tell of another: prototypes of affect are derived from emotions.

    Args:
        name: of the model
        trainings: results of all, in order

    Raises:
        ModelError: if there are such clips, trained on or chosen by
        SplitError: if the splits of a training on the same corpus are not there
    """
    last = trainings[-1]
    for before in trainings[:-1]:
        both = set(corpora_of(before)) & set(corpora_of(last))
        if not both or not WITHOUT_LABELS.isdisjoint(shlex.split(before.run.command)):
            continue
        learnt = clips_of(before, {"train", "valid"})
        if met := sorted(learnt & clips_of(last, {"test"})):
            raise ModelError(
                f"{name}: tested on {len(met)} clips, first {met[0]}, that `{before.run.command}` "
                "has trained on or chosen by; expected none. Choose splits that agree."
            )


def clips_of(result: Result, splits: Collection[str]) -> set[str]:
    """Ids of a training's clips in some splits, which begin with the corpus' name.

    Clips that a recipe holds out of train to validate on, where a protocol has none, are of train.

    Raises:
        SplitError: if the file of its splits is not there, or broken
    """
    hparams = result.run.hparams
    file = Path(hparams["prepared_folder"], "splits", f"{result.run.protocol}.csv")
    # recipes that take several corpora write the name before each id
    prefix = "" if "corpora" in hparams else f"{result.run.corpus}/"
    return {
        f"{prefix}{row.id}"
        for row in read_splits(file)
        if row.split in splits and row.fold == hparams.get("fold", 0)
    }


def corpora_of(result: Result) -> list[str]:
    """Names of a result's corpora, of which several stand in one."""
    return result.run.corpus.split("+")
