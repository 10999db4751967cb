"""No model is tested on what a training before it has learnt with labels."""

from pathlib import Path

import pytest

from emovec.errors import ModelError, SplitError
from emovec.report.taught import check_untaught, clips_of
from emovec.tables.results import Result, RunFacts
from emovec.tables.splits import Assignment, write_splits

POOLED, PUBLISHED = "held-out-speakers", "loso"


@pytest.fixture
def training(tmp_path: Path):
    """Makes the result of a training on "nemo", or on several corpora, and its splits file."""

    def made(
        name: str,
        splits: dict[str, str],
        corpora: tuple[str, ...] = ("nemo",),
        recipe: str = "recipes/ser/train.py",
        fold: int = 0,
    ) -> Result:
        folder = tmp_path / name
        published = recipe == "recipes/ser/train.py"
        hparams = {"prepared_folder": str(folder)}
        hparams |= {"fold": fold} if published else {"corpora": list(corpora)}
        protocol = PUBLISHED if published else POOLED
        rows = [Assignment(id_, 0, split) for id_, split in splits.items()]
        write_splits(folder / "splits" / f"{protocol}.csv", rows)
        facts = RunFacts(
            command=f"python {recipe} --name={name}",
            commit="0",
            seed=1,
            started="2026-01-01T00:00:00+00:00",
            seconds=1.0,
            machine="m",
            versions={},
            manifest_hash="0",
            hparams=hparams,
            corpus="+".join(corpora),
            affect_source=None,
            protocol=protocol,
            split_hash="",
            shares_speakers=False,
        )
        return Result(facts, ())

    return made


EMOTIONS = "recipes/ser/categories.py"


def before(training, recipe: str = EMOTIONS, corpora: tuple[str, ...] = ("nemo", "other")):
    splits = {"nemo/a": "train", "nemo/b": "valid", "nemo/c": "test", "other/d": "train"}
    return training("before", splits, corpora, recipe)


@pytest.mark.parametrize("met", ["a", "b"])
def test_a_clip_that_was_trained_on_or_chosen_by(training, met):
    last = training("last", {met: "test", "c": "test", "x": "train"})
    with pytest.raises(ModelError, match=rf"m: tested on 1 clips, first nemo/{met}, .*categories"):
        check_untaught("m", [before(training), last])


def test_splits_that_agree(training):
    last = training("last", {"c": "test", "d": "test", "a": "train", "b": "valid"})
    check_untaught("m", [before(training), last])  # nemo/d is not other/d
    check_untaught("m", [last])


def test_what_was_heard_without_labels(training):
    last = training("last", {"a": "test"})
    check_untaught("m", [before(training, "recipes/wavlm/pretrain.py"), last])


def test_each_training_before_is_looked_at(training):
    first = training("first", {"nemo/c": "train"}, recipe=EMOTIONS)
    last = training("last", {"c": "test"})
    with pytest.raises(ModelError, match="--name=first"):
        check_untaught("m", [first, before(training), last])


def test_other_corpora_need_no_splits(training, tmp_path):
    last = training("last", {"a": "test"})
    other = before(training, corpora=("other",))
    (tmp_path / "before" / "splits" / f"{POOLED}.csv").unlink()
    check_untaught("m", [other, last])
    with pytest.raises(SplitError, match="not found"):
        check_untaught("m", [before_without(training, tmp_path), last])


def before_without(training, folder: Path) -> Result:
    result = before(training)
    (folder / "before" / "splits" / f"{POOLED}.csv").unlink()
    return result


def test_of_several_folds_it_is_the_run_s_own(training, tmp_path):
    last = training("last", {}, fold=1)
    rows = [Assignment("a", 0, "test"), Assignment("c", 1, "test"), Assignment("a", 1, "train")]
    write_splits(tmp_path / "last" / "splits" / f"{PUBLISHED}.csv", rows)
    assert clips_of(last, {"test"}) == {"nemo/c"}
    assert clips_of(last, {"test", "train"}) == {"nemo/a", "nemo/c"}
