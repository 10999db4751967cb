import subprocess
import sys
from pathlib import Path

from emovec.tables.splits import read_splits

RECIPE = Path(__file__).parents[1] / "recipes" / "prepare.py"


def test_it_is_the_command(small_corpus, tmp_path):
    arguments = ["manifest", f"--data_folder={small_corpus}", "--output=out"]
    done = subprocess.run(
        [sys.executable, RECIPE, *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "small: 80 clips, 10 speakers, 0.01 h, affect rated" in done.stdout
    assert len(read_splits(tmp_path / "out" / "splits" / "by-speaker.csv")) == 80


def test_an_error_is_one_message_and_no_traceback(tmp_path):
    done = subprocess.run(
        [sys.executable, RECIPE, "ravdess", "--data_folder=absent"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ravdess: absent not found; expected a folder with")
