"""Answers as HTML, and the sphere as plotly's data."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from emovec.demo import words
from emovec.demo.figure import sphere_figure
from emovec.demo.hearing import ErrorRate, Heard
from emovec.labels import AFFECT_PROTOTYPES

NASTY = "<img src=x onerror=alert(1)>"
AFFECT = {"valence": -0.5, "arousal": 0.25, "dominance": 0.0}


class Tags(HTMLParser):
    """Tags of a piece of HTML; each that is opened is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.all, self.open = set(), []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.all.add(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_affect_and_prototypes_are_shown_and_called_so():
    html = words.heard(Heard(AFFECT, "low valence", {"anger": 0.5, "fear": 0.75}, {}))
    Tags(html)
    assert re.findall(r'class="number">([^<]+)', html) == [
        "-0.50",
        "+0.25",
        "+0.00",
        "0.50",
        "0.75",
    ]
    assert "Nearest prototypes" in html and "no probabilities and no ratings" in html
    assert "left: 25.0%; width: 25.0%" in html and "left: 50.0%; width: 12.5%" in html


def test_classes_take_the_place_of_prototypes():
    html = words.heard(Heard(AFFECT, "low valence", {"anger": 0.5}, {"joy": 0.9, "anger": 0.1}))
    assert "probability" in html and "rototype" not in html
    assert re.findall(r'class="number">(\d[^<]+)', html) == ["90%", "10%"]
    assert "valence" not in words.heard(Heard({}, "", {}, {"joy": 1.0}))


def test_similarity_is_no_verdict():
    html = words.alike(0.8765, [ErrorRate("RAVDESS", "all", "0.300 [0.27, 0.33]")])
    Tags(html)
    assert "0.876" in html or "0.877" in html
    assert "does not say whether one person speaks" in html
    assert "RAVDESS" in html and "0.300 [0.27, 0.33]" in html
    assert "does not say how often" in words.alike(0.1, [])


@pytest.mark.parametrize(
    "html",
    [
        words.problem(NASTY),
        words.heard(Heard({}, "", {}, {NASTY: 1.0})),
        words.heard(Heard(AFFECT, NASTY, {NASTY: 1.0}, {})),
        words.alike(0.0, [ErrorRate(NASTY, NASTY, NASTY)]),
    ],
)
def test_names_of_strangers_do_nothing(html):
    assert "img" not in Tags(html).all
    assert "&lt;img" in html


def test_the_clip_lies_where_its_affect_says():
    drawing = sphere_figure(AFFECT)
    clip = drawing["data"][-1]
    assert [clip[letter][-1] for letter in "xyz"] == [
        0.25,
        -0.5,
        0.0,
    ]  # arousal, valence, dominance
    assert [drawing["layout"]["scene"][f"{x}axis"]["title"]["text"] for x in "xyz"] == [
        "arousal",
        "valence",
        "dominance",
    ]
    json.dumps(drawing, allow_nan=False)


def test_wires_lie_on_the_unit_sphere():
    wires, prototypes = sphere_figure({})["data"]
    points = np.array([wires[letter] for letter in "xyz"], dtype=float)
    drawn = points[:, ~np.isnan(points).any(axis=0)]
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=0), 1, atol=2e-4)
    assert np.isnan(points).any(axis=0).sum() == 5 + 12
    assert dict(zip(prototypes["text"], prototypes["y"], strict=True)) == {
        emotion: valence for emotion, (valence, _, _) in AFFECT_PROTOTYPES.items()
    }


def test_plotly_takes_the_figure():
    figure = pytest.importorskip("plotly.graph_objects", reason="pip install 'emovec[report]'")
    drawing = sphere_figure(AFFECT)
    assert len(figure.Figure(data=drawing["data"], layout=drawing["layout"]).data) == 3
