"""Pages in a real browser: Debian's Chromium, driven by Playwright.

    apt-get install -y --no-install-recommends chromium && pip install playwright

A busy machine without a GPU draws slowly; the limits are for that.
"""

import re
import shutil

import pytest
from report_runs import NASTY, affect_run, pair_run, vectors_run

from emovec.report import interactive
from emovec.report.html import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SOFTWARE = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
LIMIT = 300_000  # milliseconds
WIDTHS, SCHEMES = (390, 1440), ("light", "dark")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no chromium: apt-get install --no-install-recommends chromium"
    ),
    pytest.mark.skipif(not interactive.library(), reason="no plotly: pip install plotly"),
]


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=[*SOFTWARE], timeout=LIMIT)
        yield found
        found.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Files of an affect run whose texts are nasty, a matrix, a map, and a comparison."""
    root = tmp_path_factory.mktemp("pages")
    nasty = {"corpus": NASTY, "leaks": [NASTY], "hparams": {"name": NASTY, "regions": 8}}
    runs = {
        "affect": [affect_run(root / "affect", first=NASTY, **nasty)],
        "matrix": [pair_run(root / "matrix")],
        "map": [vectors_run(root / "map")],
        "compared": [pair_run(root / "a"), pair_run(root / "b", split_hash="another")],
    }
    for name, folders in runs.items():
        write_report(folders, root / f"{name}.html")
    return root


class Tab:
    """A page, and what it has said and asked for."""

    def __init__(self, browser, path, scheme="light", width=1440):
        size = {"width": width, "height": 900}
        self.page = browser.new_page(viewport=size, color_scheme=scheme)
        self.page.set_default_timeout(LIMIT)
        self.faults, self.requests = [], []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri(), timeout=LIMIT)

    def _console(self, message):
        if message.type == "error":
            self.faults.append(message.text)

    def draw_all(self):
        for figure in self.page.query_selector_all("figure.interactive"):
            self.drawn(figure)

    def drawn(self, figure):
        figure.scroll_into_view_if_needed()
        figure.wait_for_selector(".plot .main-svg", state="attached")
        return figure

    def figure(self, title):
        return self.drawn(self.page.query_selector(f"figure:has(figcaption:text-is('{title}'))"))


@pytest.fixture
def tab(browser, pages):
    found = []

    def go(name, **options):
        found.append(Tab(browser, pages / f"{name}.html", **options))
        return found[-1]

    yield go
    for one in found:
        one.page.close()
        assert one.faults == []
        elsewhere = [u for u in one.requests if not u.startswith(("file:", "data:", "blob:"))]
        assert elsewhere == []


LOOKS = [("affect", scheme, width) for scheme in SCHEMES for width in WIDTHS]


@pytest.mark.parametrize(("name", "scheme", "width"), [*LOOKS, ("compared", "dark", 390)])
def test_pages_load_and_fit(tab, name, scheme, width):
    found = tab(name, scheme=scheme, width=width)
    found.draw_all()
    assert found.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert found.page.title() != "caught"
    back = found.page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(map(int, re.findall(r"\d+", back)[:3])) / 3
    assert (brightness < 60) == (scheme == "dark")


def test_schemes_can_be_chosen(tab):
    found = tab("matrix")
    found.draw_all()
    paper = "document.querySelector('.plot')._fullLayout.paper_bgcolor"
    colours = []
    for scheme in ("light", "dark", "system"):
        found.page.check(f"#theme input[value={scheme}]", force=True)
        colours.append(found.page.evaluate(paper))
    assert colours[0] == colours[2] != colours[1]


def test_hover_shows_the_numbers_of_a_cell(tab):
    found = tab("matrix")
    figure = found.figure("Equal error rates")
    box = figure.query_selector(".plot .nsewdrag").bounding_box()
    # of three columns and rows: the middle one of the first row
    found.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 6)
    found.page.wait_for_selector(".hoverlayer .hovertext")
    said = found.page.text_content(".hoverlayer")  # of an SVG
    for part in ("anger-neutral", "EER: 11.0 % [9.0, 14.0]", "targets: 1001", "speakers: 21"):
        assert part in said


def test_switches_switch(tab):
    found = tab("matrix")
    figure = found.figure("Equal error rates")
    shown = "plot => plot._fullData.filter(t => t.visible === true).map(t => t.z[0][1])"
    plot = figure.query_selector(".plot")
    assert plot.evaluate(shown) == [11, None]
    figure.query_selector("label:has-text('false rejection')").click()
    assert plot.evaluate(shown) == [21, None]
    found.page.keyboard.press("ArrowRight")  # radio buttons heed the keyboard
    assert plot.evaluate(shown) == [5, None]


def test_colours_of_the_map_switch(tab):
    found = tab("map")
    figure = found.figure("Embeddings in two dimensions")
    names = "plot => plot._fullData.filter(t => t.visible === true).map(t => t.name)"
    plot = figure.query_selector(".plot")
    assert plot.evaluate(names) == ["anger", "neutral", "sadness"]
    figure.query_selector("label:has-text('gender')").click()
    assert plot.evaluate(names) == ["female", "male"]


def test_the_sphere_turns(tab):
    found = tab("affect")
    figure = found.figure("Affect on the sphere, true and predicted")
    plot = figure.query_selector(".plot")
    eye = "plot => plot._fullLayout.scene._scene.getCamera().eye.x"
    before, box = plot.evaluate(eye), plot.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    found.page.mouse.move(x, y)
    found.page.mouse.down()
    found.page.mouse.move(x + 150, y, steps=5)
    found.page.mouse.up()
    moved = f"([plot, x]) => Math.abs(({eye})(plot) - x) > 0.05"
    found.page.wait_for_function(moved, arg=[plot, before])


def test_tables_sort(tab):
    found = tab("matrix")
    found.page.click("summary:has-text('Cells and pools')")
    found.page.click("th button:text-is('targets')")
    found.page.click("th button:text-is('targets')")
    first = found.page.inner_text("details[open] tbody tr:first-child th")
    assert first == "pooled"


def test_hover_shows_thresholds_and_both_rates(tab):
    found = tab("matrix")
    figure = found.figure("Detection error trade-off")
    box = figure.query_selector(".plot .nsewdrag").bounding_box()
    plot = figure.query_selector(".plot")
    place = "plot => ['x', 'y'].map(a => plot._fullLayout[a + 'axis'].d2p(plot.data[1][a][1]))"
    x, y = plot.evaluate(place)
    found.page.mouse.move(box["x"] + x, box["y"] + y)
    figure.wait_for_selector(".hoverlayer .hovertext")
    said = figure.query_selector(".hoverlayer").text_content()
    for part in ("threshold: 0.1", "false acceptance: 40.0 %", "false rejection: 20.0 %"):
        assert part in said


def test_boxes_are_hovered_over_from_whisker_to_whisker(tab):
    found = tab("matrix")
    figure = found.figure("Scores of target trials")
    assert figure.query_selector_all(".plot .boxlayer path.box")
    box = figure.query_selector(".plot .nsewdrag").bounding_box()
    plot = figure.query_selector(".plot")
    x = plot.evaluate("plot => plot._fullLayout.xaxis.d2p(0.02)")  # on the first one's whisker
    y = plot.evaluate("plot => plot._fullLayout.yaxis.d2p('impostor')")
    found.page.mouse.move(box["x"] + x, box["y"] + y)
    figure.wait_for_selector(".hoverlayer .hovertext")
    said = figure.query_selector(".hoverlayer").text_content()
    assert "impostor, neutral-neutral" in said and "1,000 impostors" in said
