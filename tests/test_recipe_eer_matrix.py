"""Speaker verification by pair of emotions from end to end on the small corpus."""

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
import soundfile
from matplotlib.figure import Figure
from recipe_modules import load_recipe

from emovec.backends.scoring import Scoring
from emovec.errors import HparamError, ManifestError, SplitError, StorageError
from emovec.metrics.pair_scores import cosine_scores
from emovec.metrics.verification import equal_error_rate
from emovec.tables import embedding_files
from emovec.tables.corpus import CorpusInfo, write_corpus_info
from emovec.tables.embedding_shards import ShardWriter
from emovec.tables.embeddings import EmbeddingError, Embeddings, Extraction
from emovec.tables.manifest import Utterance, read_manifest, write_manifest
from emovec.tables.results import Result, read_result

ROOT = Path(__file__).parents[1]
Verify = Callable[..., Path]


@pytest.fixture(scope="module")
def main() -> Callable[[list[str]], None]:
    return load_recipe("verification/eer_matrix.py").main


def arguments(corpus: Path, folder: Path, *options: str) -> list[str]:
    return [
        str(ROOT / "hparams" / "verification.yaml"),
        "--corpus=manifest",
        f"--data_folder={corpus}",
        f"--run_folder={folder}",
        "--workers=0",
        "--draws=50",
        "--device=cpu",
        *options,
    ]


@pytest.fixture
def verify(main: Callable, small_corpus: Path, tmp_path: Path) -> Verify:
    """Runs the recipe, and gives its run folder."""

    def run(*options: str, corpus: Path = small_corpus, name: str = "run") -> Path:
        main(arguments(corpus, tmp_path / name, *options))
        return tmp_path / name

    return run


@pytest.fixture(scope="module")
def radio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another corpus to learn from: 7 speakers with 3 clips each of noise."""
    folder = tmp_path_factory.mktemp("radio")
    random = np.random.default_rng(7)
    clips = []
    for speaker, take in product(range(7), range(3)):
        name = f"r{speaker}_{take}"
        wave = 0.1 * random.standard_normal(4000 + 100 * take)
        soundfile.write(folder / f"{name}.wav", wave, 16000)
        clips.append(Utterance(name, f"{name}.wav", None, None, len(wave) / 16000, f"r{speaker}"))
    write_manifest(folder / "manifest.csv", clips)
    write_corpus_info(folder / "corpus.json", CorpusInfo("radio", len(clips), 7))
    return folder


def write_table(path: Path, vectors: dict[str, np.ndarray]) -> Path:
    """Embeddings by id."""
    embedding_files.write(
        Embeddings(list(vectors), np.array([*vectors.values()], np.float32)), path
    )
    return path


def read_table(path: Path) -> dict[str, np.ndarray]:
    found = embedding_files.read(path)
    return dict(zip(found.ids, found.vectors, strict=True))


@pytest.fixture(scope="module")
def radio_table(radio: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Embeddings of all clips of the radio corpus, by the ids of its own manifest."""
    random = np.random.default_rng(1)
    clips = read_manifest(radio / "manifest.csv")
    path = tmp_path_factory.mktemp("embeddings") / "radio.npz"
    return write_table(path, {u.id: random.normal(size=8) for u in clips})


@pytest.fixture(scope="module")
def table(small_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Embeddings of all clips of the small corpus: voices with noise."""
    clips = read_manifest(small_corpus / "manifest.csv")
    random = np.random.default_rng(0)
    voice = {name: random.normal(size=8) for name in sorted({u.speaker for u in clips})}
    vectors = [voice[u.speaker] + random.normal(size=8) for u in clips]
    path = tmp_path_factory.mktemp("embeddings") / "voices.npz"
    embedding_files.write(Embeddings([u.id for u in clips], np.array(vectors, np.float32)), path)
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def value(result: Result, name: str) -> float:
    found = result.get(name)
    assert found is not None, name
    return found.value


def test_rates_are_those_of_the_table_s_pairs(verify, table, small_corpus):
    folder = verify(
        f"--embeddings=[{table}]", "--centre=False", "--standardise=False", "--write_trials"
    )
    clips = {u.id: u for u in read_manifest(small_corpus / "manifest.csv")}
    embeddings = embedding_files.read(table)
    row = {id_: number for number, id_ in enumerate(embeddings.ids)}
    scores = cosine_scores(embeddings.vectors)
    pairs = [
        (a, b)
        for a, b in combinations(clips.values(), 2)
        if a.gender == b.gender and a.gender and a.emotion and b.emotion
    ]
    found = scores.pairs(
        *(np.array([row[u.id] for u in side]) for side in zip(*pairs, strict=True))
    )
    result = read_result(folder / "result.json")
    for name, is_in in (
        ("pooled", lambda a, b: True),
        ("same", lambda a, b: a.emotion == b.emotion),
        ("cross", lambda a, b: a.emotion != b.emotion),
        ("anger-neutral", lambda a, b: {a.emotion, b.emotion} == {"anger", "neutral"}),
    ):
        chosen = np.array([is_in(a, b) for a, b in pairs])
        kinds = np.array([a.speaker == b.speaker for a, b in pairs])
        rate, _ = equal_error_rate(found[chosen], kinds[chosen])
        assert value(result, f"eer/{name}") == pytest.approx(rate, abs=1e-6)
        assert value(result, f"targets/{name}") == (kinds & chosen).sum()
        low, high = result.get(f"eer/{name}").interval
        assert 0 <= low <= high <= 1
    written = rows(folder / "trials.csv")
    listed = {frozenset((r["id_a"], r["id_b"])): r["target"] == "1" for r in written}
    assert listed == {frozenset((a.id, b.id)): a.speaker == b.speaker for a, b in pairs}
    assert len(written) == len(pairs)
    again = verify(
        f"--embeddings=[{table}]",
        "--centre=False",
        "--standardise=False",
        f"--trials=[{folder / 'trials.csv'}]",
        name="again",
    )
    listed = value(read_result(again / "result.json"), "eer/list_trials")
    assert listed == pytest.approx(value(result, "eer/pooled"), abs=1e-6)


def test_all_that_a_run_leaves(verify, table):
    folder = verify(f"--embeddings=[{table}]", "--compare_with=[functionals]")
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    figures = ("eer_matrix", "det", "scores", "durations")
    assert {f"figures/{name}.{kind}" for name in figures for kind in ("png", "svg")} <= names
    assert {"eer_matrix.csv", "comparison.csv", "result.json", "hparams.yaml"} <= names
    assert "trials.csv" not in names
    result = read_result(folder / "result.json")
    assert result.run.protocol == "all-pairs"
    assert result.get("difference/pooled").interval is not None


def test_trial_lists_are_scored_beside(verify, table, small_corpus, tmp_path):
    clips = [u for u in read_manifest(small_corpus / "manifest.csv") if u.emotion]
    chosen = [(a, b) for a, b in combinations(clips, 2)][::7]
    lines = [f"{int(a.speaker == b.speaker)} {a.id}.wav {b.id}.wav" for a, b in chosen]
    (tmp_path / "official.txt").write_text("\n".join(lines))
    folder = verify(
        f"--embeddings=[{table}]",
        "--centre=False",
        "--standardise=False",
        f"--trials=[{tmp_path / 'official.txt'}]",
    )
    embeddings = embedding_files.read(table)
    row = {id_: number for number, id_ in enumerate(embeddings.ids)}
    first, second = (np.array([row[u.id] for u in side]) for side in zip(*chosen, strict=True))
    scores = cosine_scores(embeddings.vectors).pairs(first, second)
    rate, _ = equal_error_rate(scores, [a.speaker == b.speaker for a, b in chosen])
    result = read_result(folder / "result.json")
    assert value(result, "eer/list_official") == pytest.approx(rate, abs=1e-6)
    (tmp_path / "official.txt").write_text("1 nobody.wav nowhere.wav\n")
    with pytest.raises(ManifestError, match="ids are not in the manifest"):
        verify(f"--embeddings=[{table}]", f"--trials=[{tmp_path / 'official.txt'}]", name="other")


def test_ids_that_do_not_match_are_counted(verify, table, small_corpus, tmp_path):
    whole = embedding_files.read(table)
    ids = ["not in the manifest", *whole.ids[3:]]
    path = tmp_path / "some.npz"
    embedding_files.write(Embeddings(ids, whole.vectors[2:]), path)
    result = read_result(verify(f"--embeddings=[{path}]") / "result.json")
    assert [skip.id for skip in result.skipped if "not in" in skip.reason] == list(whole.ids[:3])
    assert any("1 embeddings are of no clip here" in warning for warning in result.warnings)


def test_a_scoring_learns_from_other_corpora_only(verify, table, small_corpus, tmp_path):
    with pytest.raises(SplitError, match="small is both trained on and tried"):
        verify(f"--training_corpora=[{small_corpus}]", "--method=plda")
    with pytest.raises(HparamError, match=r"no training speakers.*training_corpora"):
        verify(f"--embeddings=[{table}]", "--method=plda", name="without")
    leaky = verify(
        f"--training_corpora=[{small_corpus}]", "--method=plda", "--allow_leak", name="leaky"
    )
    result = read_result(leaky / "result.json")
    assert "both trained on and tried" in " ".join(result.run.leaks)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--texts=other", "texts is 'other'; expected one of"),
        ("--texts=same", "80 clips have no text; expected .* Pass --texts=any"),
        ("--draws=-1", "draws is '-1'; expected 0 or more"),
        ("--intervals=foo", "intervals is 'foo'; expected one of .*'jackknife'"),
        ("--reference=boredom", r"reference is 'boredom', .* expected one of \['anger', 'happ"),
        ("--workers=-1", "workers is -1; expected 0 or more"),
        ("--max_seconds=-1", "max_seconds is -1; expected more than 0"),
        ("--batch_seconds=0", "batch_seconds is 0; expected more than 0"),
        ("--merge_emotions={joy: happiness}", "no clip is of \\['joy'\\]; expected some of"),
        ("--merge_emotions=joy", "merge_emotions is 'joy'; expected emotions by emotion"),
        ("--top_cohort=5", "top_cohort found, and no training speakers"),
        ("--training_embeddings=[functionals]", "training_corpora is empty; expected both or none"),
        ("--compare_training=[functionals]", "compare_with is empty; expected both or none"),
        ("--emotions=[joy]", "no clip is of the emotions"),
        ("--embeddings=[nowhere]", "'nowhere': no such model"),
        ("--method=magic", "magic"),
    ],
)
def test_what_cannot_be_asked_for(verify, option, message):
    with pytest.raises((HparamError, SplitError), match=message):
        verify(option)


def test_a_corpus_without_emotions_is_one_cell(verify, table, small_corpus, tmp_path):
    clips = [replace(u, emotion="") for u in read_manifest(small_corpus / "manifest.csv")]
    write_manifest(tmp_path / "plain" / "manifest.csv", clips)
    for part in small_corpus.iterdir():
        if part.name != "manifest.csv":
            (tmp_path / "plain" / part.name).symlink_to(part)
    folder = verify(f"--embeddings=[{table}]", corpus=tmp_path / "plain")
    result = read_result(folder / "result.json")
    assert value(result, "eer/unknown-unknown") == value(result, "eer/pooled")
    assert any("no clip has an emotion" in warning for warning in result.warnings)


def changed(corpus: Path, folder: Path, clips: list[Utterance]) -> Path:
    """The corpus with another manifest."""
    write_manifest(folder / "manifest.csv", clips)
    for part in corpus.iterdir():
        if part.name != "manifest.csv":
            (folder / part.name).symlink_to(part)
    return folder


def test_lda_plda_and_the_cohort_learn_from_a_table(
    verify, table, radio, radio_table, small_corpus
):
    clips = read_manifest(small_corpus / "manifest.csv")
    vectors, learnt = read_table(table), read_table(radio_table)
    speakers = [u.speaker for u in read_manifest(radio / "manifest.csv")]
    first, second = np.array(
        [
            (a, b)
            for (a, one), (b, other) in combinations(enumerate(clips), 2)
            if one.gender == other.gender
        ]
    ).T
    is_target = [clips[a].speaker == clips[b].speaker for a, b in zip(first, second, strict=True)]
    given = f"--embeddings=[{table}]", f"--training_embeddings=[{radio_table}]"
    for name, scoring in {
        "lda": Scoring("lda", standardise=True),
        "plda": Scoring("plda", standardise=True, top_cohort=4),
    }.items():
        top = f"--top_cohort={scoring.top_cohort or 'null'}"
        options = f"--training_corpora=[{radio}]", f"--method={name}", top
        result = read_result(verify(*given, *options, name=name) / "result.json")
        scores = scoring.scores([vectors[u.id] for u in clips], ([*learnt.values()], speakers))
        rate, _ = equal_error_rate(scores.pairs(first, second), is_target)
        assert value(result, "eer/pooled") == pytest.approx(rate, abs=1e-5)
        assert not any("no clip here" in w or "themselves" in w for w in result.warnings)
        assert (result.skipped, result.run.leaks) == ((), ())


def test_one_table_of_both_corpora_serves_as_well(
    verify, table, radio, radio_table, tmp_path, monkeypatch
):
    drawn = {}
    monkeypatch.setattr(
        "emovec.report.pair_run.duration_histograms",
        lambda seconds: drawn.update(seconds) or Figure(),
    )
    both = write_table(
        tmp_path / "both.npz",
        read_table(table) | {f"radio/{id_}": v for id_, v in read_table(radio_table).items()},
    )
    options = f"--training_corpora=[{radio}]", "--method=lda"
    one = verify(f"--embeddings=[{both}]", *options, name="one")
    apart = (f"--embeddings=[{table}]", f"--training_embeddings=[{radio_table}]")
    two = verify(*apart, *options, f"--compare_with=[{table}]", f"--compare_training=[{both}]")
    results = [read_result(folder / "result.json") for folder in (one, two)]
    assert value(results[0], "eer/pooled") == value(results[1], "eer/pooled")
    assert value(results[1], "difference/pooled") == 0
    assert not any("no clip here" in w for result in results for w in result.warnings)
    assert {name: len(of) for name, of in drawn.items()} == {"small": 80, "radio (training)": 21}


def test_training_that_does_not_suffice_is_told_before_anything_is_embedded(
    verify, table, radio, radio_table, tmp_path
):
    given = f"--training_corpora=[{radio}]", f"--embeddings=[{table}]"
    own = f"--training_embeddings=[{radio_table}]"
    for options, error, message in (
        ((own, "--top_cohort=8"), HparamError, "top_cohort is 8, with 7 training speakers"),
        ((own, "--method=lda", "--dimensions=7"), HparamError, "expected at most 6"),
        (("--training_embeddings=[functionals]",), HparamError, r"have \d+ numbers, embeddings 8"),
        ((), EmbeddingError, "voices.npz: embeddings: none of their ids is in the manifest"),
    ):
        with pytest.raises(error, match=message):
            verify(*given, *options)
    assert not list((tmp_path / "run").glob("*.json"))


def test_clips_without_a_direction_are_skipped_whoever_finds_them(verify, table, tmp_path):
    vectors = read_table(table)
    first, second, third, *others = vectors
    one = write_table(tmp_path / "one.npz", vectors | {first: np.zeros(8)})
    other = write_table(tmp_path / "other.npz", vectors | {second: np.zeros(8)})
    result = read_result(
        verify(f"--embeddings=[{one}]", f"--compare_with=[{other}]") / "result.json"
    )
    reasons = dict.fromkeys((first, second), "embedding is zero")
    assert {skip.id: skip.reason for skip in result.skipped} == reasons
    even = {id_: (-1) ** n * vectors[id_] for n, id_ in enumerate(others[:-1])}
    for one, other in zip([*even][::2], [*even][1::2], strict=True):
        even[other] = -even[one]  # so that the mean is exactly zero
    left_out = {skip.id for skip in result.skipped}
    assert not left_out & even.keys() and len(even) == 76
    moved = {id_: np.round(64 * v) / 64 + 1 for id_, v in even.items()}
    moved |= {third: np.ones(8)}
    path = write_table(tmp_path / "mean.npz", moved)
    found = read_result(
        verify(f"--embeddings=[{path}]", "--standardise=False", name="mean") / "result.json"
    )
    reasons = {skip.id: skip.reason for skip in found.skipped}
    assert reasons.pop(third) == "embedding is zero when centred"
    assert set(reasons.values()) == {f"not in {path}"}


def test_embeddings_without_anything_to_tell_apart(verify, table, tmp_path):
    vectors = read_table(table)
    for name, same in (("equal", np.full(8, 0.3)), ("zero", np.zeros(8))):
        path = write_table(tmp_path / f"{name}.npz", dict.fromkeys(vectors, same))
        with pytest.raises(EmbeddingError, match="no clip has one that can be scored"):
            verify(f"--embeddings=[{path}]", name=name)
    empty = tmp_path / "empty.npz"
    embedding_files.write(Embeddings([], np.zeros((0, 8), np.float32)), empty)
    with pytest.raises(EmbeddingError, match=r"empty\.npz: holds no embeddings"):
        verify(f"--embeddings=[{empty}]", name="empty")
    two = write_table(tmp_path / "two.npz", {id_: vectors[id_] for id_ in [*vectors][:2]})
    with pytest.raises(SplitError, match="2 clips of 1 known speakers have no pairs of two speak"):
        verify(f"--embeddings=[{two}]", name="two")


def test_a_corpus_that_cannot_be_paired(verify, table, small_corpus, tmp_path):
    clips = read_manifest(small_corpus / "manifest.csv")
    for name, given, error, message in (
        ("genders", [replace(u, gender="") for u in clips], HparamError, "Pass --same_gender=Fal"),
        ("one", [replace(u, speaker="s") for u in clips], SplitError, "no pairs of two speakers"),
        ("each", [replace(u, speaker=u.id) for u in clips], SplitError, "no pairs of one speaker"),
    ):
        corpus = changed(small_corpus, tmp_path / name, given)
        with pytest.raises(error, match=message):
            verify(f"--embeddings=[{table}]", "--allow_partial", corpus=corpus, name=f"of {name}")


def test_emotions_are_merged_before_they_are_chosen(verify, table):
    folder = verify(
        f"--embeddings=[{table}]",
        "--merge_emotions={happiness: joy, sadness: neutral}",
        "--emotions=[joy, neutral]",
    )
    result = read_result(folder / "result.json")
    names = {m.metric for m in result.metrics if m.metric.startswith("eer/")}
    assert {"eer/joy-joy", "eer/joy-neutral", "eer/neutral-neutral"} <= names
    assert not any("anger" in name or "sadness" in name for name in names)
    assert result.get("eer/neutral-neutral").n == 40
    assert {skip.reason for skip in result.skipped} == {"emotion is anger"}


def test_a_list_may_name_clips_that_are_not_in_the_matrix(verify, table, small_corpus, tmp_path):
    clips = read_manifest(small_corpus / "manifest.csv")
    clips = [replace(u, emotion="") if u.emotion == "sadness" else u for u in clips]
    corpus = changed(small_corpus, tmp_path / "some", clips)
    sad = [u for u in clips if not u.emotion]
    lines = [f"{int(a.speaker == b.speaker)} {a.id} {b.id}" for a, b in combinations(sad, 2)]
    (tmp_path / "sad.txt").write_text("\n".join(lines))
    given = f"--embeddings=[{table}]", f"--compare_with=[{table}]"
    plain, with_list = (
        read_result(verify(*given, *options, corpus=corpus, name=name) / "result.json")
        for name, options in (("no", ()), ("yes", (f"--trials=[{tmp_path / 'sad.txt'}]",)))
    )
    vectors = read_table(table)
    tried = np.float64([vectors[u.id] for u in clips if u.emotion])
    moved = (np.float64([vectors[u.id] for u in sad]) - tried.mean(axis=0)) / tried.std(axis=0)
    first, second = np.triu_indices(len(sad), 1)
    is_target = [a.speaker == b.speaker for a, b in combinations(sad, 2)]
    rate, _ = equal_error_rate(cosine_scores(moved).pairs(first, second), is_target)
    for name in ("eer/list_sad", "other/eer/list_sad"):
        assert value(with_list, name) == pytest.approx(rate, abs=1e-6)
    assert set(plain.metrics) <= set(with_list.metrics)  # the matrix is the same


def test_a_table_of_a_killed_extraction(verify, table, tmp_path):
    vectors = read_table(table)
    ids = [*vectors]
    plan = Extraction("x", "0", 16000, 8, "", "0", expected=80, shards=2)
    writer = ShardWriter(tmp_path / "shards", plan)
    writer.write(0, ids[:60], np.array([vectors[id_] for id_ in ids[:60]], np.float32))
    given = f"--embeddings=[{tmp_path / 'shards'}]"
    with pytest.raises(EmbeddingError, match="1 of 2 shards and 60 of 80 clips"):
        verify(given)
    result = read_result(verify(given, "--allow_partial") / "result.json")
    assert any("has not ended, 60 of 80 clips" in warning for warning in result.warnings)
    assert len(result.skipped) == 20
    (tmp_path / "shards" / "extract.json").unlink()
    with pytest.raises(EmbeddingError, match=r"shards without extract\.json found"):
        verify(given, name="broken")


def test_a_corpus_without_the_reference_has_no_rates_at_it(verify, table):
    result = read_result(
        verify(f"--embeddings=[{table}]", "--drop_emotions=[neutral]") / "result.json"
    )
    assert any("the reference emotion neutral alone has no" in w for w in result.warnings)


def test_what_is_learnt_of_the_tried_clips_is_said(verify, table, radio, radio_table):
    given = f"--embeddings=[{table}]"
    folder = verify(given)
    said = "the scoring has its mean and deviations from the clips that are tried themselves"
    assert said in read_result(folder / "result.json").warnings
    assert "scores: cosine similarity (centred, standardised)" in (
        (folder / "summary.txt").read_text()
    )
    plain = verify(given, "--centre=False", "--standardise=False", name="plain")
    learnt = verify(
        given,
        f"--training_corpora=[{radio}]",
        f"--training_embeddings=[{radio_table}]",
        name="learnt",
    )
    for folder in (plain, learnt):
        assert not any(
            "themselves" in warning for warning in read_result(folder / "result.json").warnings
        )


def test_all_pairs_are_written_after_the_result(main, table, small_corpus, tmp_path, monkeypatch):
    def full(path: Path, pairs: object) -> None:
        assert (path.parent / "result.json").is_file()
        raise StorageError("the disk is full")

    monkeypatch.setattr(load_recipe("verification/eer_matrix.py"), "write_pairs", full)
    given = f"--embeddings=[{table}]", "--write_trials"
    with pytest.raises(StorageError, match="full"):
        main(arguments(small_corpus, tmp_path / "run", *given))


@pytest.mark.slow
def test_on_the_demonstration_corpus_emotions_are_harder_across_than_within(main, tmp_path):
    hparams = str(ROOT / "hparams" / "verification.yaml")
    main([hparams, f"--run_folder={tmp_path / 'demo'}", "--draws=0", "--device=cpu"])
    result = read_result(tmp_path / "demo" / "result.json")
    assert value(result, "eer/cross") > value(result, "eer/same")


@pytest.mark.slow
def test_two_processes_find_what_one_finds(table, small_corpus, tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    recipe = str(ROOT / "recipes/verification/eer_matrix.py")
    start = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", recipe]
    for name, command in (("one", [sys.executable, recipe]), ("two", start)):
        options = arguments(small_corpus, tmp_path / name, f"--prepared_folder={tmp_path / 'data'}")
        subprocess.run([*command, *options], check=True, env=environment, cwd=ROOT)
    one, two = (read_result(tmp_path / name / "result.json").metrics for name in ("one", "two"))
    assert one == two
