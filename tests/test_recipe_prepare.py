import subprocess
import sys
from pathlib import Path

from emovec.tables.splits import read_splits

RECIPE = Path(__file__).parents[1] / "recipes" / "prepare.py"


def run(*arguments, cwd):
    return subprocess.run(
        [sys.executable, RECIPE, *map(str, arguments)], cwd=cwd, capture_output=True, text=True
    )


def test_prepares_and_counts(small_corpus, tmp_path):
    done = run("manifest", f"--data_folder={small_corpus}", "--output_folder=out", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "small: 80 clips, 10 speakers, 0.01 h, affect rated" in done.stdout
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()[2:8]}
    assert sum(map(int, rows["anger"])) == 20
    assert sum(map(int, rows["speakers"])) == 10
    assert len(read_splits(tmp_path / "out" / "splits" / "by_speaker.csv")) == 80


def test_an_error_is_one_message_and_no_traceback(tmp_path):
    done = run("ravdess", "--data_folder=absent", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("ravdess: absent not found; expected a folder with Actor_*")
    assert "Traceback" not in done.stderr
    done = run("nonsense", cwd=tmp_path)
    assert (done.returncode, done.stderr[:20]) == (1, "corpus is 'nonsense'")
    done = run("ravdess", "--data_folder=.", "--protocol=x", cwd=tmp_path)
    assert "protocol is 'x'" in done.stderr


def test_folder_with_its_labels(tmp_path, small_corpus):
    (tmp_path / "labels.csv").write_text(
        "file,label,who\n" + "".join(f"audio/{s}_anger_0,ang,s{s}\n" for s in range(10))
    )
    done = run(
        "folder",
        f"--data_folder={small_corpus}",
        "--output_folder=out",
        "--labels=labels.csv",
        "--columns={id: file, emotion: label, speaker: who}",
        "--emotions={ang: anger}",
        "--protocol=speaker_5fold",
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "folder: 10 clips, 10 speakers" in done.stdout
    assert "warning: 70 audio files have no labels" in done.stdout
    assert len(read_splits(tmp_path / "out" / "splits" / "speaker_5fold.csv")) == 50
