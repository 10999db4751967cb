"""Pages of runs: whole, self-contained, safe with any text, the same with and without plotly."""

import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from statistics import NormalDist

import numpy as np
import pytest
import soundfile
from report_runs import (
    EMOTIONS,
    NASTY,
    affect_run,
    classes_run,
    pair_run,
    vectors_run,
    write_picture,
)

from emovec.corpora.speakers import with_name
from emovec.report import html, interactive
from emovec.report.html_runs import read_run
from emovec.report.kept_vectors import keep_some
from emovec.tables import embedding_files
from emovec.tables.corpus import CorpusInfo, write_corpus_info
from emovec.tables.manifest import Utterance, write_manifest
from emovec.tables.results import ResultError
from emovec.tables.splits import manifest_hash

LOADING = {"src", "href", "srcset", "data", "poster", "action", "background", "cite"}
VOID = {"meta", "img", "input", "link", "br", "hr"}


class Parsed(HTMLParser):
    """Tags with their attributes, texts, and whether all that is opened is closed."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.texts, self.open, self.scripts = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif self.open and self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    @property
    def data(self):
        return json.loads(self.scripts[0])

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def page(tmp_path):
    def write(*folders, **options):
        html.write_report(folders, tmp_path / "report.html", **options)
        return Parsed((tmp_path / "report.html").read_text(encoding="utf-8"))

    return write


@pytest.fixture
def without_plotly(monkeypatch):
    interactive.library.cache_clear()
    monkeypatch.setattr(interactive.importlib.util, "find_spec", lambda name: None)
    yield
    interactive.library.cache_clear()


def drawings(parsed, title):
    """Drawings of figures that have a title."""
    charts = parsed.data["charts"]
    assert len(charts) == sum("interactive" in a.get("class", "") for a in parsed.all("figure"))
    names = [a["id"] for a in parsed.all("figure")]
    captions = [text.strip() for text in parsed.texts]
    titles = [text for text in captions if text in TITLES]
    return [charts[name] for name, of in zip(names, titles, strict=True) if of == title]


TITLES = (
    "Affect on the sphere, true and predicted",
    "Predicted against true",
    "Learning curves",
    "Durations of clips",
    "other figure",
    "Equal error rates",
    "Detection error trade-off",
    "Scores of target trials",
    "Embeddings in two dimensions",
    "Masking curves",
    "Confusion of emotions",
)


def test_an_affect_run_is_shown_whole(tmp_path, page):
    parsed = page(affect_run(tmp_path / "run"))
    for said in (
        "a_run, seed 1",
        "python recipes/ser/train.py hparams/emosphere.yaml",
        "0123456789abcdef",
        "ravdess by-speaker feed",
        "took 1 min 15 s",
        "the corpus is small",
        "12 clips of 4 speakers; [95 % interval]",
        "Best baseline, mean: 0.012.",
        "a clip of silence",
        "no speech is heard in it",
    ):
        assert said in parsed.text
    for title in TITLES[:5]:
        assert title in parsed.text
    (sphere,) = drawings(parsed, TITLES[0])
    points = [trace for trace in sphere["data"] if trace["mode"] == "markers"]
    assert sum(len(trace["x"]) for trace in points) == 2 * 12
    assert [option["label"] for option in sphere["switches"][0]["options"]] == [
        "both",
        "true",
        "predicted",
    ]
    shown = sphere["switches"][0]["options"][1]["visible"]
    assert sum(len(t["x"]) for t, v in zip(sphere["data"], shown, strict=True) if v) == 12 + len(
        sphere["data"][0]["x"]
    )


def test_the_order_is_warnings_then_facts_then_the_answer(tmp_path, page):
    text = page(affect_run(tmp_path / "run", leaks=["clip 3 was trained on"])).text
    places = [
        text.index(said)
        for said in ("clip 3 was trained on", "the corpus is small", "What was run", "The answer")
    ]
    assert places == sorted(places)


def test_a_leak_is_an_alert(tmp_path, page):
    parsed = page(affect_run(tmp_path / "run", leaks=["clip 3 was trained on"]))
    assert {"class": "notice leak", "role": "alert"} in parsed.all("p")


def test_a_matrix_has_measures_and_orders(tmp_path, page):
    parsed = page(pair_run(tmp_path / "run"))
    (matrix,) = drawings(parsed, "Equal error rates")
    measures, orders = matrix["switches"]
    assert [option["label"] for option in measures["options"]] == [
        "EER",
        "false rejection at the threshold of neutral",
        "EER minus published",
    ]
    eer, frr, minus, doubted = matrix["data"]
    assert eer["z"][0][0] is None and doubted["z"][0][0] == 0  # anger-anger
    assert eer["z"][0][1] == eer["z"][1][0] == 11.0
    assert frr["z"][0][1] == 21.0
    assert minus["z"][0] == [None, 5.0, None]
    hover = eer["text"][0][1].split("<br>")
    assert hover[:2] == ["anger-neutral", "EER: 11.0 % [9.0, 14.0]"]
    assert {"targets: 1001", "impostors: 2000", "speakers: 21"} <= set(hover)
    assert "not to be trusted: 3 speakers, fewer than 5" in doubted["text"][0][0]
    arrays = [option["layout"]["xaxis.categoryarray"] for option in orders["options"]]
    assert arrays[0] == ["anger", "neutral", "sadness"]
    # own rates: anger 10, neutral 13, sadness 15 %; means 11, 12.7 and 13.7 %
    assert arrays[1:] == [arrays[0]] * 2
    assert "5.0 points [2.0, 8.0]; all pairs: 20.0 % [15.0, 25.0]" in parsed.text


def test_orders_differ_from_the_alphabet_where_rates_do(tmp_path, page):
    parsed = page(pair_run(tmp_path / "run", emotions=EMOTIONS[::-1]))
    (matrix,) = drawings(parsed, "Equal error rates")
    arrays = [
        option["layout"]["yaxis.categoryarray"] for option in matrix["switches"][1]["options"]
    ]
    assert arrays == [["anger", "neutral", "sadness"], *[["sadness", "neutral", "anger"]] * 2]


def test_curves_lie_on_normal_deviates(tmp_path, page):
    (drawn,) = drawings(page(pair_run(tmp_path / "run")), "Detection error trade-off")
    spread = NormalDist()
    diagonal, same, same_dot, alone, alone_dot = drawn["data"]
    assert diagonal["x"] == diagonal["y"] == drawn["layout"]["xaxis"]["range"]
    deviates = [spread.inv_cdf(rate) for rate in (0.1, 0.2, 0.3, 0.4)]
    assert same["y"] == alone["y"] == pytest.approx(deviates, abs=1e-4)
    assert same["x"] == pytest.approx([spread.inv_cdf(r) for r in (0.5, 0.4, 0.3, 0.2)], abs=1e-4)
    said = ["same", "threshold: 0.1", "false acceptance: 40.0 %", "false rejection: 20.0 %"]
    assert same["text"][1].split("<br>") == said
    assert same["name"] == "same: EER 16.0 % [14.0, 19.0]"
    assert same_dot["x"] == same_dot["y"] == [pytest.approx(spread.inv_cdf(0.16), abs=1e-4)]
    assert alone["name"] == "neutral 13.0 %"
    assert "EER: 13.0 % [11.0, 16.0]" in alone_dot["text"][0]
    assert alone["line"]["color"] == "#555555"
    for axis in (drawn["layout"]["xaxis"], drawn["layout"]["yaxis"]):
        for place, label in zip(axis["tickvals"], axis["ticktext"], strict=True):
            assert 100 * spread.cdf(place) == pytest.approx(float(label), rel=1e-3)
    (switch,) = drawn["switches"]
    shown = {option["label"]: option["visible"] for option in switch["options"]}
    assert shown == {
        "all pairs": [True, True, True, False, False],
        "each emotion with itself": [True, False, False, True, True],
    }


def test_boxes_lie_in_the_colours_of_both_emotions(tmp_path, page):
    parsed = page(pair_run(tmp_path / "run"))
    (drawn,) = drawings(parsed, "Scores of target trials")
    anger, neutral, box, reach = drawn["data"]
    assert (anger["marker"]["color"], anger["y"]) == ("#D55E00", ["anger-neutral"])
    assert (anger["base"], anger["x"], anger["offset"]) == ([0], [0.25], [-0.35])
    assert neutral["y"] == ["impostor", "impostor", "anger-neutral"]
    assert neutral["offset"] == [-0.35, 0, 0]
    ends = [box[name] for name in ("lowerfence", "q1", "median", "q3", "upperfence")]
    assert ends == [[0, -0.125], [0.125, 0], [0.25, 0.125], [0.375, 0.25], [0.5, 0.375]]
    assert (reach["base"], reach["x"]) == ([0, -0.125], [0.5, 0.5])
    hover = reach["text"][0].split("<br>")
    assert hover[:2] == ["impostor, neutral-neutral", "1,000 impostors"]
    assert "median: 0.25" in hover
    assert drawn["layout"]["xaxis"]["title"]["text"] == "cosine similarity (centred)"
    assert "trials of neutral with itself" in parsed.text
    assert "Without colour" not in parsed.text


def test_boxes_are_ordered_by_median_behind_the_reference(tmp_path, page):
    run = pair_run(tmp_path / "run")
    table = run / "scores.csv"
    line = table.read_text().splitlines()[2]
    more = line.replace("anger-neutral", "anger-sadness").replace("0.125", "0.05")
    table.write_text(table.read_text() + more + "\n")
    (drawn,) = drawings(page(run), "Scores of target trials")
    (switch,) = drawn["switches"]
    orders = [option["layout"]["yaxis.categoryarray"] for option in switch["options"]]
    assert orders == [
        ["impostor", "anger-neutral", "anger-sadness"],
        ["impostor", "anger-sadness", "anger-neutral"],
    ]


def test_boxes_that_are_doubted_have_no_colour(tmp_path, page):
    run = pair_run(tmp_path / "run", emotions=("neutral", "anger"))
    parsed = page(run)  # the first emotion with itself is doubted, which is the reference
    (drawn,) = drawings(parsed, "Scores of target trials")
    assert [trace["y"] for trace in drawn["data"][:2]] == [["anger-neutral"]] * 2
    assert "Without colour: not to be trusted" in parsed.text


def test_runs_without_the_tables_keep_their_pictures(tmp_path, page):
    run = pair_run(tmp_path / "run")
    for name in ("det", "scores"):
        (run / f"{name}.csv").unlink()
    parsed = page(run)
    assert "Detection error trade-off" in parsed.text  # its picture
    assert "Scores of target trials" not in parsed.text
    assert len(parsed.data["charts"]) == 1


def test_kept_labels_go_before_those_of_the_manifest(tmp_path, page):
    run = vectors_run(tmp_path / "run")
    random = np.random.default_rng(0)
    clips = [
        Utterance(f"x/{n}", "a.wav", None, None, 1.0, speaker=f"s{n % 3}", emotion="fear")
        for n in range(12)
    ]
    embedding_files.write(keep_some(clips, random.normal(size=(12, 4)), 0), run / "vectors.npz")
    (drawn,) = drawings(page(run), "Embeddings in two dimensions")
    options = [option["label"] for option in drawn["switches"][0]["options"]]
    assert options == ["emotion", "speaker", "corpus"]  # no gender is known
    assert [trace["name"] for trace in drawn["data"]] == ["fear", "s0", "s1", "s2", "x"]


def test_embeddings_have_a_map_by_each_label(tmp_path, page):
    parsed = page(vectors_run(tmp_path / "run"))
    (drawn,) = drawings(parsed, "Embeddings in two dimensions")
    options = drawn["switches"][0]["options"]
    assert [option["label"] for option in options] == ["emotion", "speaker", "gender", "corpus"]
    for option in options:
        shown = [t for t, v in zip(drawn["data"], option["visible"], strict=True) if v]
        assert sorted(id_ for trace in shown for id_ in trace["customdata"]) == sorted(
            f"clip {n}" for n in range(30)
        )
    colours = {t["name"]: t["marker"]["color"] for t in drawn["data"][:3]}
    assert colours == {"anger": "#D55E00", "neutral": "#555555", "sadness": "#0072B2"}
    assert "t-SNE (perplexity 10)" in parsed.text


def test_masking_curves_have_every_end_and_measure(tmp_path, page):
    (drawn,) = drawings(page(vectors_run(tmp_path / "run")), "Masking curves")
    (options,) = (switch["options"] for switch in drawn["switches"])
    assert len(options) == 4
    # two systems and what guessing comes to
    assert [sum(option["visible"]) for option in options] == [3] * 4
    shown = [t for t, v in zip(drawn["data"], options[1]["visible"], strict=True) if v]
    assert shown[0]["y"] == [0.0, 20.0, 40.0]


def test_classes_have_a_confusion(tmp_path, page):
    (drawn,) = drawings(page(classes_run(tmp_path / "run")), "Confusion of emotions")
    assert drawn["data"][0]["z"] == [[0.5, 0.5, 0.0]] * 3


def test_what_is_not_there_is_left_out(tmp_path, page):
    run = classes_run(tmp_path / "run")
    (run / "predictions.csv").unlink()
    parsed = page(run)
    assert not parsed.all("figure")
    assert "Emotion classes" not in parsed.text


def test_any_text_is_shown_and_does_nothing(tmp_path, page):
    changes = {
        "corpus": NASTY,
        "protocol": NASTY,
        "command": NASTY,
        "split_hash": NASTY,
        "leaks": [NASTY],
        "hparams": {"name": NASTY, NASTY: [NASTY], "regions": 8},
    }
    run = affect_run(tmp_path / "run", first=NASTY, **changes)
    write_picture(run, "a'\"><b onclick=x>")
    parsed = page(run)
    assert "".join(NASTY.split()) in "".join(parsed.text.split())
    assert all(a.get("src", "").startswith("data:image/png;base64,") for a in parsed.all("img"))
    assert not [name for _, attributes in parsed.tags for name in attributes if name[:2] == "on"]
    assert not parsed.all("b")
    assert len(parsed.all("script")) == 3  # data, plotly, ours
    (sphere,) = drawings_of(parsed, "scatter3d")
    hover = [line for t in sphere["data"] for line in t.get("text", ()) if "onerror" in line]
    assert hover and all("<img" not in line and "&lt;img src=x" in line for line in hover)


def drawings_of(parsed, kind):
    charts = parsed.data["charts"].values()
    return [chart for chart in charts if any(t["type"] == kind for t in chart["data"])]


def test_texts_of_a_matrix_are_escaped(tmp_path, page):
    parsed = page(pair_run(tmp_path / "run", emotions=("<b>a</b>", "b")))
    (matrix,) = drawings(parsed, "Equal error rates")
    assert matrix["data"][0]["x"] == ["&lt;b&gt;a&lt;/b&gt;", "b"]
    assert not parsed.all("b")


def test_nothing_is_loaded_from_anywhere(tmp_path, page):
    parsed = page(affect_run(tmp_path / "a"), pair_run(tmp_path / "b"), vectors_run(tmp_path / "c"))
    for tag, attributes in parsed.tags:
        for name in LOADING & set(attributes):
            assert attributes[name].startswith(("data:", "#")), (tag, name)
    assert not parsed.all("link") and not parsed.all("iframe")
    source = (tmp_path / "report.html").read_text()
    assert not re.search(r"@import|url\(", source[: source.index("</style>")])
    policy = next(a["content"] for a in parsed.all("meta") if "http-equiv" in a)
    assert "default-src 'none'" in policy and "http" not in policy


def test_scripts_that_run_are_those_of_the_policy(tmp_path, page):
    import base64
    import hashlib

    parsed = page(pair_run(tmp_path / "run"))
    policy = next(a["content"] for a in parsed.all("meta") if "http-equiv" in a)
    for script in parsed.scripts[1:]:
        if script.strip():
            digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in policy


def test_a_page_is_below_ten_megabytes(tmp_path, page):
    page(affect_run(tmp_path / "run", count=6000))
    assert (tmp_path / "report.html").stat().st_size < 10e6


def test_of_many_clips_some_are_drawn_and_the_page_says_so(tmp_path, page):
    parsed = page(affect_run(tmp_path / "run", count=6000))
    assert "2000 of 6000 clips are drawn" in parsed.text
    assert "4000 of 6000 clips are drawn" in parsed.text


def test_without_plotly_there_are_the_pictures(tmp_path, page, without_plotly):
    parsed = page(affect_run(tmp_path / "run"))
    assert len(parsed.all("img")) == 4
    assert all(attributes["alt"] for attributes in parsed.all("img"))
    assert "pip install 'emovec[report]'" in parsed.text
    assert parsed.data == {"charts": {}, "audio": {}}
    assert (tmp_path / "report.html").stat().st_size < 1e5


def test_headings_do_not_leave_out_a_level(tmp_path, page):
    parsed = page(affect_run(tmp_path / "a"), pair_run(tmp_path / "b"))
    levels = [int(tag[1]) for tag, _ in parsed.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = [a["id"] for _, a in parsed.tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for a in parsed.all("a")} <= set(ids)


def test_audio_is_embedded_where_it_is_there(tmp_path, page):
    run = affect_run(tmp_path / "run")
    for number in range(3):
        tone = np.sin(np.arange(16000) / 20).astype(np.float32)
        soundfile.write(run / f"data/{number}.wav", tone, 16000)
    parsed = page(run, with_audio=True)
    assert set(parsed.data["audio"]) == {"clip 0", "clip 1", "clip 2"}
    assert all(of.startswith("data:audio/mpeg;base64,") for of in parsed.data["audio"].values())
    assert "Audio of 3 clips can be heard" in parsed.text
    assert "9 could not be read" in parsed.text
    assert page(run).data["audio"] == {}


def test_a_changed_manifest_is_not_believed(tmp_path, page):
    run = affect_run(tmp_path / "run")
    table = run / "data/manifest.csv"
    table.write_text(table.read_text().replace(",anger,", ",disgust,"))
    assert "Durations of clips" not in page(run).text


def test_clips_of_pooled_corpora_have_their_labels(tmp_path):
    utterances = []
    for name in ("one", "two"):
        clips = [Utterance("c", "c.wav", None, None, 1.0, speaker="s", emotion="anger")]
        folder = tmp_path / "run/data" / name
        write_manifest(folder / "manifest.csv", clips)
        write_corpus_info(folder / "corpus.json", CorpusInfo(name, 1, 1))
        utterances += with_name(name, folder, clips)
    known = classes_run(tmp_path / "run", manifest_hash=manifest_hash(utterances))
    clips = read_run(known).clips
    assert {id_: clip.corpus for id_, clip in clips.items()} == {"one/c": "one", "two/c": "two"}
    assert clips["two/c"].path == tmp_path / "run/data/two/c.wav"
    assert clips["two/c"].utterance.speaker == "two/s"


def test_figures_are_what_plotly_takes(tmp_path, page):
    plotly = pytest.importorskip("plotly.graph_objects")
    parsed = page(affect_run(tmp_path / "a"), pair_run(tmp_path / "b"), vectors_run(tmp_path / "c"))
    for drawn in parsed.data["charts"].values():
        text = re.sub('"@(sequential|diverging)"', '"Blues"', json.dumps(drawn))
        chart = json.loads(re.sub('"@[a-z]+"', '"red"', text))
        figure = plotly.Figure({"data": chart["data"], "layout": chart["layout"]})
        for switch in chart["switches"]:
            for option in switch["options"]:
                assert len(option["visible"]) in (0, len(chart["data"]))
                figure.update_layout({k.replace(".", "_"): v for k, v in option["layout"].items()})


def test_folders_that_are_no_runs(tmp_path, page):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ResultError, match=r"empty: no result.json in it; expected the folder"):
        page(tmp_path / "empty")
    run = pair_run(tmp_path / "run")
    with pytest.raises(ResultError, match="each once"):
        page(run, run)
    with pytest.raises(ResultError, match="at least one"):
        page()


@pytest.mark.parametrize("name", ["history.json", "model/config.json"])
def test_damaged_files_are_named(tmp_path, page, name):
    run = affect_run(tmp_path / "run")
    (run / name).write_text("{")
    with pytest.raises(ResultError, match=f"{name}: Expecting property name"):
        page(run)


def test_the_old_page_stays_where_the_new_one_fails(tmp_path, page):
    run = affect_run(tmp_path / "run")
    page(run)
    before = (tmp_path / "report.html").read_bytes()
    (run / "history.json").write_text("{")
    with pytest.raises(ResultError):
        page(run)
    assert (tmp_path / "report.html").read_bytes() == before


def test_names_that_are_no_utf8_are_escaped(tmp_path, page):
    run = classes_run(tmp_path / "run", corpus="a_corpus")
    result = (run / "result.json").read_text()
    (run / "result.json").write_text(result.replace("a_corpus", "a\\udce9"))
    parsed = page(run)
    assert "a\\udce9, by-speaker" in parsed.text
