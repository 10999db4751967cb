"""The command line, as a user types it."""

import json
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from click.testing import CliRunner

from emovec.cli import main
from emovec.tables.corpus import read_corpus_info, write_corpus_info
from emovec.tables.splits import read_splits


def run(*arguments):
    """What was printed, and the exit status."""
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.output, result.exit_code


def prepared(small_corpus, folder, *arguments):
    return run(
        "prepare", "manifest", f"--data_folder={small_corpus}", f"--output={folder}", *arguments
    )


def test_prepare_counts_and_names_the_split(small_corpus, tmp_path):
    output, status = prepared(small_corpus, tmp_path / "out")
    assert status == 0
    assert "small: 80 clips, 10 speakers, 0.01 h, affect rated" in output
    rows = {line.split()[0]: line.split()[1:] for line in output.splitlines()[3:9]}
    assert sum(map(int, rows["anger"])) == 20
    assert sum(map(int, rows["speakers"])) == 10
    assert "\nsplit: small by-speaker 80 clips 1 folds " in output
    assert len(read_splits(tmp_path / "out" / "splits" / "by-speaker.csv")) == 80


def test_prepare_with_options_of_a_corpus(small_corpus, tmp_path):
    (tmp_path / "labels.csv").write_text(
        "file,label,who\n" + "".join(f"audio/{s}_anger_0,ang,s{s}\n" for s in range(10))
    )
    options = (
        f"{{labels: {tmp_path}/labels.csv, emotions: {{ang: anger}}, "
        "columns: {id: file, emotion: label, speaker: who}}"
    )
    output, status = run(
        "prepare",
        "folder",
        f"--data_folder={small_corpus}",
        f"--output={tmp_path / 'out'}",
        "--protocol=group-kfold",
        f"--corpus_options={options}",
    )
    assert status == 0
    assert "folder: 10 clips, 10 speakers" in output
    assert "warning: 70 audio files have no labels" in output
    assert len(read_splits(tmp_path / "out" / "splits" / "group-kfold.csv")) == 50


@pytest.mark.parametrize(
    ("arguments", "said", "status"),
    [
        (["ravdess", "--data_folder=absent"], "Error: ravdess: absent not found; expected", 1),
        (["nonsense"], "Error: corpus is 'nonsense'; expected one of demo", 1),
        (["folder", "--corpus_options=x"], "found 'x'; expected '{key: value, ...}'", 2),
        (["folder", "--corpus_options={"], "found '{'; expected '{key: value, ...}'", 2),
        (["folder", "--corpus_options={1: 2}"], "expected '{key: value, ...}'", 2),
        (["demo", "--seed=-1"], "-1 is not in the range x>=0", 2),
        ([], "Missing argument 'NAME'", 2),
    ],
)
def test_what_is_wrong_is_one_message(arguments, said, status):
    output, found = run("prepare", *arguments)
    assert said in output
    assert found == status


def test_describe(small_corpus, tmp_path):
    output, status = run("prepare", "iemocap", "--describe")
    assert status == 0
    assert "Busso" in output and "10039" in output
    output, status = prepared(small_corpus, tmp_path / "out", "--describe")
    assert status == 0
    assert (tmp_path / "out" / "card.md").is_file()
    assert (tmp_path / "out" / "figures" / "durations.png").is_file()


def test_check_ends_with_one_where_something_leaks(small_corpus, tmp_path):
    prepared(small_corpus, tmp_path / "out")
    output, status = run("check", tmp_path / "out")
    assert status == 0
    assert output.endswith("sound: leaks 0, faults 0, warnings 1\n")
    splits = tmp_path / "out" / "splits" / "by-speaker.csv"
    elsewhere = {"train": "test", "valid": "train", "test": "train"}
    moved = re.sub("(0_anger_0,0,)(.*)", lambda row: row[1] + elsewhere[row[2]], splits.read_text())
    splits.write_text(moved)
    output, status = run("check", tmp_path / "out" / "manifest.csv")
    assert status == 1
    assert "leak: by-speaker.csv: fold 0: 1 speakers in more than one split (s0)" in output
    assert output.endswith("NOT SOUND: leaks 1, faults 0, warnings 1\n")


def test_check_for_programs(small_corpus, tmp_path):
    prepared(small_corpus, tmp_path / "out")
    output, status = run("check", tmp_path / "out", "--json")
    found = json.loads(output)
    assert (status, found["is_sound"], found["clips"]) == (0, True, 80)
    (finding,) = found["findings"]
    assert finding["severity"] == "warning"


def test_a_corpus_without_speakers_has_no_splits(small_corpus, tmp_path):
    folder = shutil.copytree(small_corpus, tmp_path / "corpus")
    text = (folder / "manifest.csv").read_text()
    for speaker in range(10):
        text = text.replace(f",s{speaker},", ",,")
    (folder / "manifest.csv").write_text(text)
    facts = replace(read_corpus_info(folder / "corpus.json"), speakers=0)
    write_corpus_info(folder / "corpus.json", facts)
    output, status = prepared(folder, tmp_path / "out")
    assert status == 0
    assert "0 speakers" in output and output.endswith("no speakers: no splits\n")
    assert not (tmp_path / "out" / "splits").exists()


def test_help_is_instant_and_imports_no_torch():
    code = (
        "import sys; from emovec.cli import main; main(['--help'], standalone_mode=False);"
        "print(*sys.modules)"
    )
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        seconds.append(time.perf_counter() - started)
    assert "prepare" in done.stdout
    heavy = {"torch", "speechbrain", "sklearn", "matplotlib", "scipy", "pandas", "numpy"}
    assert heavy.isdisjoint(done.stdout.split())
    assert min(seconds) < 1  # 0.3 s is promised on a quiet machine


def test_prepare_and_check_import_no_torch(small_corpus, tmp_path):
    code = f"""
import sys
from emovec.cli import main
main(["prepare", "manifest", "--data_folder={small_corpus}", "--output={tmp_path}/out"],
     standalone_mode=False)
main(["check", "{tmp_path}/out"], standalone_mode=False)
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "speechbrain", "sklearn", "matplotlib", "pandas"}
    assert heavy.isdisjoint(done.stdout.split())


def test_a_protocol_that_was_asked_for_needs_speakers(small_corpus, tmp_path):
    (tmp_path / "labels.csv").write_text("file,label\naudio/0_anger_0,anger\n")
    options = f"{{labels: {tmp_path}/labels.csv, columns: {{id: file, emotion: label}}}}"
    corpus = ["folder", f"--data_folder={small_corpus}", f"--output={tmp_path / 'out'}"]
    output, status = run("prepare", *corpus, f"--corpus_options={options}", "--protocol=by-speaker")
    assert status == 1
    assert "Error: 0 speakers found; expected at least 3" in output
