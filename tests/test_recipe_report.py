"""The page that a run leaves beside its result.json."""

import ast
import logging
import shlex
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from recipe_modules import RECIPES, load_recipe

from emovec import cli, experiment
from emovec.errors import HparamError
from emovec.tables.results import Metric, Result, RunFacts, write_result

ROOT = Path(__file__).parents[1]
Recipe = Callable[[list[str]], Path | None]


def write_small_result(folder: Path) -> None:
    hparams = {"name": "a_small_run", "seed": 1}
    facts = RunFacts("", "feed", 1, "", 1.0, "", {}, "", hparams, "small", None, "all", "", False)
    write_result(folder / "result.json", Result(facts, (Metric("eer/all", 0.1, 9, 3, None),)))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Runs a recipe's main as a script would, with a command line."""
    ours = logging.getLogger("emovec")
    before = list(ours.handlers), ours.level, ours.propagate

    def run_main(main: Recipe, *argv: str) -> None:
        monkeypatch.setattr("sys.argv", ["recipe.py", *argv])
        experiment.run(main)

    yield run_main
    ours.handlers[:], ours.level, ours.propagate = before


def test_a_run_leaves_a_page_and_says_where(run, tmp_path, capsys):
    def main(argv: list[str]) -> Path:
        write_small_result(Path(argv[0]))
        return Path(argv[0])

    run(main, str(tmp_path))
    assert "a_small_run, seed 1" in (tmp_path / "report.html").read_text()
    assert f"report: {tmp_path / 'report.html'}\n" in capsys.readouterr().err


def test_what_leaves_no_result_leaves_no_page(run, tmp_path):
    run(lambda argv: None, str(tmp_path))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "ends_with"),
    [(HparamError("no"), SystemExit), (ZeroDivisionError("no"), ZeroDivisionError)],
)
def test_a_run_that_fails_leaves_no_page_of_an_earlier_result(run, tmp_path, error, ends_with):
    write_small_result(tmp_path)

    def main(argv: list[str]) -> Path:
        raise error

    with pytest.raises(ends_with, match="no"):
        run(main)
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_a_page_that_fails_is_said_with_what_makes_it(run, tmp_path):
    folder = tmp_path / "a run"

    def main(argv: list[str]) -> Path:
        folder.mkdir()
        write_small_result(folder)
        (folder / "history.json").write_text("{")
        return folder

    with pytest.raises(SystemExit, match=r"report\.html: not written \(ResultError: ") as said:
        run(main)
    assert sorted(path.name for path in folder.iterdir()) == ["history.json", "result.json"]
    (folder / "history.json").unlink()
    command, *arguments = shlex.split(str(said.value).rpartition("Make the page by: ")[2])
    assert command == "emovec"
    assert CliRunner().invoke(cli.main, arguments).exit_code == 0
    assert (folder / "report.html").is_file()


def test_a_fault_of_the_page_is_none_of_the_run(run, tmp_path, monkeypatch):
    def broken(folders: list[Path], output: Path) -> None:
        raise KeyError("colour")

    monkeypatch.setattr("emovec.report.html.write_report", broken)
    with pytest.raises(SystemExit, match=r"\(KeyError: 'colour'\)\. The run itself is complete"):
        run(lambda argv: tmp_path)


def run_in_one_of_two(rank: int, meeting: Path, folder: Path) -> None:
    """Each process gives a folder of its own; they part within ``experiment.run``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RANK", str(rank))
        patch.setattr("sys.argv", ["recipe.py"])
        torch.distributed.init_process_group(
            "gloo",
            f"file://{meeting}",
            rank=rank,
            world_size=2,
            timeout=timedelta(minutes=5),
        )
        experiment.run(lambda argv: folder / str(rank))
        assert not torch.distributed.is_initialized()


def test_the_first_process_alone_writes(tmp_path):
    for rank in ("0", "1"):
        (tmp_path / rank).mkdir()
        write_small_result(tmp_path / rank)
    torch.multiprocessing.spawn(run_in_one_of_two, (tmp_path / "meeting", tmp_path), nprocs=2)
    assert [path.parent.name for path in tmp_path.glob("*/report.html")] == ["0"]


def test_a_recipe_from_end_to_end(run, small_corpus, tmp_path):
    folder = tmp_path / "run"
    run(
        load_recipe("ser/frozen.py").main,
        str(ROOT / "hparams" / "frozen.yaml"),
        "--name=probed_functionals",
        "--corpus=manifest",
        f"--data_folder={small_corpus}",
        f"--run_folder={folder}",
        f"--prepared_folder={tmp_path / 'data'}",
        "--workers=0",
        "--device=cpu",
    )
    page = (folder / "report.html").read_text()
    assert "probed_functionals, seed 1" in page
    assert "emotion/weighted_f1" in page


def recipes_with_results() -> list[str]:
    texts = {path: path.read_text() for path in sorted(RECIPES.rglob("*.py"))}
    return [
        path.relative_to(RECIPES).as_posix()
        for path, text in texts.items()
        if "result.json" in ast.get_docstring(ast.parse(text))
    ]


def test_recipes_with_results_are_found():
    assert {"ser/train.py", "speaker/train.py", "privacy/train.py"} <= set(recipes_with_results())


@pytest.mark.parametrize("recipe", recipes_with_results())
def test_every_recipe_with_a_result_gives_its_folder(recipe):
    module = ast.parse((RECIPES / recipe).read_text())
    assert "report.html" in ast.get_docstring(module)
    (main,) = (node for node in module.body if getattr(node, "name", "") == "main")
    assert ast.unparse(main.body[-1]) == "return run.folder"
