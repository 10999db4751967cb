"""What stands below a paper's tables of classifiers."""

from dataclasses import replace
from pathlib import Path

import pytest

from emovec.errors import EmovecError
from emovec.report.paper_appendix import appendix, confusion_table, verdict
from emovec.report.paper_runs import Run
from emovec.tables.results import Result, RunFacts, write_result

HPARAMS = {"corpus": "cremad"}
FACTS = RunFacts("", "feed", 1, "", 1.0, "", {}, "", HPARAMS, "cremad", None, "", "", False)
PUBLISHED = {"cremad": {"given": 20, "embedded": 16, "train": 4}, "iemocap": {"test": 3}}
CLIPS = """fold,split,emotion,given,embedded,used
0,train,anger,6,5,4
0,train,neutral,7,6,4
0,test,anger,3,3,2
0,test,neutral,4,4,2
"""
PREDICTIONS = """id,true,predicted
a,anger,anger
b,anger,neutral
c,anger,neutral
d,neutral,neutral
e,neutral,fear
"""


def make_run(folder: Path, variant: str, seed: int = 1, corpus: str = "cremad") -> Run:
    hparams = {"corpus": corpus}
    run = Run(variant, seed, folder / variant / str(seed), ["frozen.py"], hparams)
    (run.folder / "figures").mkdir(parents=True)
    (run.folder / "clips.csv").write_text(CLIPS)
    (run.folder / "predictions.csv").write_text(PREDICTIONS)
    for name in ("emotion_confusion.png", "other.png"):
        (run.folder / "figures" / name).write_text(f"{name} of {variant}, {seed}")
    write_result(run.folder / "result.json", Result(replace(FACTS, hparams=hparams), ()))
    return run


def test_counts_and_matrices_of_the_first_seed_of_each_variant(tmp_path: Path) -> None:
    missing = Run("c", 1, tmp_path / "c", [], HPARAMS)
    runs = [make_run(tmp_path, "a"), make_run(tmp_path, "a", 2), make_run(tmp_path, "b"), missing]
    text = appendix(PUBLISHED, runs, tmp_path / "out")
    rows = [line for line in text.splitlines() if line.startswith("| a |")]
    assert rows == [
        "| a | clips of the protocol | 20 | 20 | as published |",
        "| a | of these, with an embedding | 18 | 16 | 2 more |",
        "| a | of each class to train on | 4 | 4 | as published |",
        "| a | of each class to test on | 2 |  | none published |",
    ]
    assert text.count("### ") == 2 and "### c" not in text
    assert sorted(path.name for path in (tmp_path / "out/figures").iterdir()) == [
        "a_emotion_confusion.png",
        "b_emotion_confusion.png",
    ]
    copied = tmp_path / "out/figures/a_emotion_confusion.png"
    assert copied.read_text() == "emotion_confusion.png of a, 1"
    assert "Pictures: `figures/b_emotion_confusion.png`." in text
    assert appendix(PUBLISHED, [missing], tmp_path) == ""


def test_numbers_of_another_corpus_are_not_compared(tmp_path: Path) -> None:
    text = appendix(PUBLISHED, [make_run(tmp_path, "a", corpus="ravdess")], tmp_path)
    assert text.count("none published") == 4


def test_a_confusion_matrix_with_a_class_that_nothing_is(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text(PREDICTIONS)
    assert confusion_table(path).splitlines() == [
        "| true | anger | fear | neutral | found |",
        "|---|---|---|---|---|",
        "| anger | 1 | 0 | 2 | 0.333 |",
        "| fear | 0 | 0 | 0 |  |",
        "| neutral | 0 | 1 | 1 | 0.500 |",
    ]


def test_verdicts() -> None:
    assert verdict([4, 4], 4) == "as published"
    assert verdict([3, 4], 4) == "0 to 1 fewer"
    assert verdict([3, 6], 4) == "1 fewer to 2 more"
    assert verdict([6], 4) == "2 more" and verdict([6], None) == "none published"


def test_tables_that_cannot_be_read(tmp_path: Path) -> None:
    run = make_run(tmp_path, "a")
    (run.folder / "predictions.csv").write_text("id,true\nx,anger\n")
    with pytest.raises(EmovecError, match="expected rows of true and predicted"):
        appendix(PUBLISHED, [run], tmp_path)
    (run.folder / "clips.csv").unlink()
    with pytest.raises(EmovecError, match=r"clips\.csv: FileNotFoundError"):
        appendix(PUBLISHED, [run], tmp_path)
