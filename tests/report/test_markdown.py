import pytest

from emovec.report.markdown import main, write_results_markdown
from emovec.report.variant_tables import Variant, variant_table
from emovec.tables.corpus import Skip
from emovec.tables.results import Metric, Result, ResultError, RunFacts, write_result


def run(**changes):
    facts = {
        "command": "python recipes/ser/train.py hparams/emosphere.yaml",
        "commit": "0123456789abcdef-dirty",
        "seed": 1,
        "started": "2026-01-01T00:00:00+00:00",
        "seconds": 60.0,
        "machine": "a processor, 2 cores, cpu",
        "versions": {},
        "manifest_hash": "0",
        "hparams": {},
        "corpus": "ravdess",
        "affect_source": "rated",
        "protocol": "by-speaker",
        "split_hash": "feed",
        "shares_speakers": False,
    }
    return RunFacts(**{**facts, **changes})


def result(values, **changes):
    metrics = [
        Metric(name, value, 360, 6, (value - 0.1, value + 0.1)) for name, value in values.items()
    ]
    return Result(run(**changes), tuple(metrics))


def rows(text):
    """First cell of each table row to its other cells."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {first: others for first, *others in cells}


def written(tmp_path, results):
    for folder, content in results.items():
        write_result(tmp_path / "results" / folder / "result.json", content)
    (tmp_path / "results").mkdir(exist_ok=True)
    write_results_markdown(tmp_path / "results", tmp_path / "RESULTS.md")
    return (tmp_path / "RESULTS.md").read_text()


def test_no_results(tmp_path):
    assert "No results yet." in written(tmp_path, {})


def test_a_paper_s_table_is_appended(tmp_path):
    folder = tmp_path / "results" / "papers"
    folder.mkdir(parents=True)
    (folder / "table.md").write_text("# A table\n")
    write_results_markdown(tmp_path / "results", tmp_path / "RESULTS.md")
    assert (tmp_path / "RESULTS.md").read_text().endswith("# A table\n")
    (tmp_path / "results" / "notes.md").write_text("# What did not help\n")
    write_results_markdown(tmp_path / "results", tmp_path / "RESULTS.md")
    assert (tmp_path / "RESULTS.md").read_text().endswith("# A table\n\n# What did not help\n")


def test_a_run_and_its_baseline(tmp_path):
    values = {"rmse/valence": 0.3, "ccc/mean": 0.5, "baseline_ridge/ccc/mean": 0.25}
    text = written(tmp_path, {"ser/emosphere/1": result(values)})
    assert "## ser on ravdess, by-speaker" in text
    assert rows(text) == {
        "run": ["seeds", "ccc/mean", "clips", "speakers", "commit"],
        "**emosphere**": ["1", "0.500 [0.40, 0.60]", "360", "6", "0123456789-dirty"],
        "baseline: ridge": ["1", "0.250 [0.15, 0.35]", "360", "6", ""],
    }
    assert "Splits: the same for all, hash feed." in text
    assert "> **" not in text and "Each seed" not in text


def test_seeds_are_one_row_and_stand_below(tmp_path):
    text = written(
        tmp_path,
        {
            "ser/emosphere/1": result({"ccc/mean": 0.5}),
            "ser/emosphere/2": result({"ccc/mean": 0.7}, seed=2, split_hash="beef"),
        },
    )
    summary, seeds = text.split("Each seed:")
    assert rows(summary)["**emosphere**"][:2] == ["2", "0.600 [0.50, 0.70] (0.500 to 0.700)"]
    assert "| emosphere | 1 | 0.500 [0.40, 0.60] |" in seeds
    assert "| emosphere | 2 | 0.700 [0.60, 0.80] |" in seeds
    assert "Splits: 2 different ones, hash beef, feed." in summary


def test_corpora_and_protocols_have_sections_of_their_own(tmp_path):
    text = written(
        tmp_path,
        {
            "ser/a/1": result({"ccc/mean": 0.5}),
            "ser/b/1": result({"ccc/mean": 0.5}, corpus="nemo"),
            "ser/c/1": result({"ccc/mean": 0.5}, protocol="folds"),
            "deep/er/d/1": result({"eer/pooled": 0.1}),
        },
    )
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "## deep/er on ravdess, by-speaker",
        "## ser on nemo, by-speaker",
        "## ser on ravdess, by-speaker",
        "## ser on ravdess, folds",
    ]
    assert "| run | seeds | eer/pooled | clips |" in text  # no main metric: its own


def test_baselines_that_differ_say_whose_they_are(tmp_path):
    text = written(
        tmp_path,
        {
            "ser/a/1": result({"ccc/mean": 0.5, "baseline_ridge/ccc/mean": 0.2}),
            "ser/b/1": result({"ccc/mean": 0.5, "baseline_ridge/ccc/mean": 0.3}),
        },
    )
    assert rows(text)["baseline: ridge of a"][1] == "0.200 [0.10, 0.30]"
    assert rows(text)["baseline: ridge of b"][1] == "0.300 [0.20, 0.40]"


@pytest.mark.parametrize(
    ("changes", "stamp"),
    [
        ({"affect_source": "prototype"}, "Labels are affect prototypes, not ratings."),
        ({"corpus": "demo"}, "Synthetic demonstration: never evidence."),
        ({"shares_speakers": True}, "The protocol shares speakers between its splits."),
    ],
)
def test_stamps(tmp_path, changes, stamp):
    text = written(tmp_path, {"ser/a/1": result({"ccc/mean": 0.5}, **changes)})
    assert text.count(f"> **{stamp}**") == text.count("> **") == 1
    assert stamp in variant_table(
        [Variant("a", "", {})], {"a": [result({"ccc/mean": 0.5}, **changes)]}, "ravdess"
    )


def test_warnings_and_skips_are_told_once(tmp_path):
    told = Result(run(), (), (Skip("a", "short"), Skip("b", "short")), ("few speakers",))
    text = written(tmp_path, {"ser/a/1": told, "ser/b/1": told})
    assert text.count("- few speakers\n") == 1
    assert text.count("- Clips skipped: 2; result.json lists them.\n") == 1


def test_a_result_in_the_wrong_place_is_an_error(tmp_path):
    for folder in (".", "1", "name/1"):
        path = tmp_path / "results" / folder / "result.json"
        write_result(path, result({}))
        with pytest.raises(ResultError, match="lies in no <recipe>/<name>/<seed>/"):
            write_results_markdown(tmp_path / "results", tmp_path / "RESULTS.md")
        path.unlink()
    assert not (tmp_path / "RESULTS.md").exists()


def test_a_broken_result_leaves_the_old_file(tmp_path):
    (tmp_path / "RESULTS.md").write_text("old")
    folder = tmp_path / "results" / "ser" / "a" / "1"
    folder.mkdir(parents=True)
    (folder / "result.json").write_text("{")
    with pytest.raises(ResultError, match=r"1/result\.json: no JSON"):
        write_results_markdown(tmp_path / "results", tmp_path / "RESULTS.md")
    assert (tmp_path / "RESULTS.md").read_text() == "old"


def test_the_head_says_whose_intervals_are_too_narrow(tmp_path):
    text = " ".join(written(tmp_path, {}).split())
    assert "Those of CCC and F1 are too narrow with few speakers" in text
    assert "those of EER hold the truth 94 to 98 times in 100" in text


def test_the_command_explains_itself_and_says_errors_without_a_traceback(tmp_path, capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "results output" in capsys.readouterr().out
    write_result(tmp_path / "results" / "result.json", result({"ccc/valence": 0.5}))
    line = [str(tmp_path / "results"), str(tmp_path / "RESULTS.md")]
    with pytest.raises(SystemExit, match=r"^ResultError: .*lies in no <recipe>"):
        main(line)
    assert not (tmp_path / "RESULTS.md").exists()
    (tmp_path / "results" / "result.json").unlink()
    main(line)
    assert "No results yet." in (tmp_path / "RESULTS.md").read_text()
