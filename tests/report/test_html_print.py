"""Pages on paper, and for eyes and hands that differ, in the browser of test_html_in_browser."""

import re
import runpy
from itertools import pairwise
from pathlib import Path

import pytest
import test_html_in_browser as in_browser
from PIL import Image
from report_runs import NASTY, affect_run, pair_run, vectors_run

from emovec.report.html import write_report

pytestmark = in_browser.pytestmark
browser = in_browser.browser
A4 = 794 - 2 * 45  # pixels between margins of 12 mm
READABLE, LARGE, SEEN = 4.5, 3.0, 3.0  # WCAG 2.2, AA: text, large text, and parts of controls
WORDS = "a very long name of a metric/which_has_many_parts_that_could_be_separated"

# elements that stand out of the page's box, and those whose content is cut
WIDER = """() => [...document.body.querySelectorAll("*")].filter((one) => {
  const box = one.getBoundingClientRect();
  const cut = one.matches(".scroll, .scroll *, .picture") && one.scrollWidth > one.clientWidth + 1;
  return one.checkVisibility() && box.width > 1 && (cut || box.right > innerWidth + 1);
}).map((one) => one.outerHTML.slice(0, 120))"""

# [text, colour, background behind it, size in pixels, weight] of all that has a text of its own
TEXTS = """() => {
  const found = [];
  for (const one of document.body.querySelectorAll("*")) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !one.checkVisibility() || one.closest("svg, script, noscript")) continue;
    let behind = one, colour = "rgba(0, 0, 0, 0)";
    for (; behind && /^rgba\\(.*, 0\\)$/.test(colour); behind = behind.parentElement) {
      colour = getComputedStyle(behind).backgroundColor;
    }
    const style = getComputedStyle(one);
    found.push([one.textContent.trim().slice(0, 40), style.color, colour,
                parseFloat(style.fontSize), Number(style.fontWeight)]);
  }
  return found;
}"""

# the same of numbers in the cells of heat maps, over both ends of their scale
CELLS = """() => [...document.querySelectorAll(".plot")].flatMap((plot) => plot._fullData
  .filter((trace) => trace.type === "heatmap" && trace.visible === true && trace.texttemplate)
  .flatMap((trace) => trace.colorscale.map(([end, colour]) =>
    [`cell at ${end}`, plot._fullLayout.font.color, colour, 13, 400])))"""

FOCUSED = """() => {
  const one = document.activeElement, shown = one.type === "radio" ? one.nextElementSibling : one;
  const style = getComputedStyle(shown);
  return {name: one.tagName + " " + (one.name || one.textContent.trim().slice(0, 20)),
          outline: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2
            && shown.checkVisibility({opacityProperty: true}),
          colour: style.outlineColor};
}"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    root = tmp_path_factory.mktemp("pages")
    leaking = {"leaks": [NASTY], "hparams": {"name": WORDS, "regions": 8}}
    emotions = ("anger", "calm", "disgust", "fear", "happiness", "neutral", "sadness")
    runs = {
        "affect": [affect_run(root / "affect", first=80 * "x", **leaking)],
        "matrix": [pair_run(root / "matrix", emotions)],
        "map": [vectors_run(root / "map")],
        "compared": [affect_run(root / "a"), affect_run(root / "b", seed=1, **leaking)],
    }
    for name, folders in runs.items():
        write_report(folders, root / f"{name}.html")
    return root


@pytest.fixture
def tab(browser, pages):
    found = []

    def go(name, **options):
        found.append(in_browser.Tab(browser, pages / f"{name}.html", **options))
        return found[-1].page

    yield go
    for one in found:
        one.page.close()
        assert one.faults == []


def printed(page):
    """The page as it is put on a sheet of A4; folded tables are open."""
    page.eval_on_selector_all("details", "all => all.forEach((one) => { one.open = true; })")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": A4, "height": 1040})
    return page


def numbers(colour):
    """(red, green, blue) in [0, 1]."""
    if colour.startswith("#"):
        return [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    return [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]


def contrast(one, other):
    """The ratio of WCAG 2.2: (L1 + 0.05) / (L2 + 0.05) of relative luminances."""
    parts = (
        sum(
            weight * (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4)
            for weight, part in zip((0.2126, 0.7152, 0.0722), numbers(colour), strict=True)
        )
        for colour in (one, other)
    )
    low, high = sorted(parts)
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_standard():
    assert contrast("rgb(255, 255, 255)", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # known to fail AA


@pytest.mark.parametrize("name", ["affect", "matrix", "map", "compared"])
def test_nothing_is_wider_than_a_sheet(tab, name):
    page = printed(tab(name, scheme="dark"))
    assert page.evaluate(WIDER) == []
    figures = page.query_selector_all("figure.interactive")
    assert figures
    for figure in figures:
        box = figure.query_selector(".main-svg").bounding_box()
        assert 300 < box["width"] <= A4 and 100 < box["height"] <= 1000


def test_a_page_is_printed_as_it_is_said_and_comes_back(tab):
    page = tab("affect", scheme="dark")
    page.evaluate("""() => addEventListener("beforeprint", () => {
        globalThis.seen = [...document.querySelectorAll(".plot")].map((plot) =>
            [plot._fullLayout.paper_bgcolor, plot._fullLayout.font.color, plot._fullLayout.width]);
        globalThis.canvases = document.querySelectorAll("canvas").length;
    })""")
    sheet = page.pdf(format="A4", prefer_css_page_size=True)
    assert sheet.startswith(b"%PDF")
    seen = page.evaluate("seen")
    assert len(seen) == len(page.query_selector_all("figure.interactive"))
    assert {paper for paper, _, _ in seen} == {"#ffffff"}
    assert all(contrast(paper, ink) > READABLE for paper, ink, _ in seen)
    assert all(width <= A4 for _, _, width in seen)
    assert page.evaluate("canvases") > 0
    back = "[...document.querySelectorAll('.plot')].map((plot) => plot._fullLayout.width)"
    assert all(width > A4 for width in page.evaluate(back))
    assert page.evaluate("document.documentElement.dataset.theme") is None


def test_paper_is_light_without_javascript_too(tab):
    page = tab("map", scheme="dark")
    page.check("#theme input[value=dark]", force=True)
    page.emulate_media(media="print")
    colours = page.evaluate(TEXTS)
    assert all(sum(numbers(behind)) > 2.5 for _, _, behind, _, _ in colours)


def test_paper_has_no_controls_and_says_what_is_chosen_and_what_is_closed(tab):
    page = tab("matrix")
    folded = page.locator("details").count()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    for control in ("input", "nav", "#theme", "#player", ".play", ".skip"):
        assert all(not one.is_visible() for one in page.query_selector_all(control)), control
    chosen = [
        one.inner_text() for one in page.query_selector_all(".switch span") if one.is_visible()
    ]
    assert chosen[:2] == ["EER", "alphabet"]
    closed = "getComputedStyle(document.querySelector('summary'), '::after').content"
    assert "not printed" in page.evaluate(closed)
    assert folded and not page.query_selector("details[open]")


def test_headings_stay_with_what_follows(tab):
    page = printed(tab("affect"))
    look = "(of) => [...document.querySelectorAll(of)].map((one) => getComputedStyle(one))"
    after = page.evaluate(f"({look})('h2, h3, figcaption, .caption').map((one) => one.breakAfter)")
    inside = page.evaluate(f"({look})('figure, tr, .notice').map((one) => one.breakInside)")
    assert set(after) == set(inside) == {"avoid"}


@pytest.mark.parametrize("scheme", in_browser.SCHEMES)
@pytest.mark.parametrize("name", ["affect", "matrix", "compared"])
def test_texts_are_readable(tab, name, scheme):
    page = tab(name, scheme=scheme)
    for figure in page.query_selector_all("figure.interactive"):
        figure.scroll_into_view_if_needed()
        figure.wait_for_selector(".plot .main-svg", state="attached")
    page.eval_on_selector_all("details", "all => all.forEach((one) => { one.open = true; })")
    texts = [*page.evaluate(TEXTS), *page.evaluate(CELLS)]
    assert len(texts) > 50
    poor = []
    for text, colour, behind, size, weight in texts:
        large = size >= 24 or (size >= 18.66 and weight >= 700)
        if contrast(colour, behind) < (LARGE if large else READABLE):
            poor.append((text, colour, behind))
    assert poor == []


@pytest.mark.parametrize("scheme", in_browser.SCHEMES)
def test_edges_of_controls_are_seen(tab, scheme):
    page = tab("matrix", scheme=scheme)
    edges = page.eval_on_selector_all(
        ".switch input:not(:checked) + span",
        "all => all.map((one) => [getComputedStyle(one).borderTopColor, "
        "getComputedStyle(one.closest('.card') ?? document.body).backgroundColor])",
    )
    assert edges and all(contrast(*pair) >= SEEN for pair in edges)


@pytest.mark.parametrize("name", ["affect", "matrix", "compared"])
def test_outline_and_pictures_are_told(tab, name):
    page = tab(name)
    levels = page.eval_on_selector_all("h1, h2, h3, h4", "all => all.map((one) => +one.tagName[1])")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for told, attribute in (("img", "alt"), (".plot", "aria-label")):
        texts = page.eval_on_selector_all(
            told, f"all => all.map((x) => x.getAttribute('{attribute}'))"
        )
        assert all(texts) and (texts or name == "compared")  # there is no picture in it


def test_tab_reaches_all_with_a_visible_focus(tab):
    page = tab("matrix", scheme="dark")
    for figure in page.query_selector_all("figure.interactive"):
        figure.scroll_into_view_if_needed()
        figure.wait_for_selector(".plot .main-svg", state="attached")
    groups = set(
        page.eval_on_selector_all("input[type=radio]", "all => all.map((one) => one.name)")
    )
    summaries = page.locator("summary").count()
    page.evaluate("scrollTo(0, 0)")
    reached = []
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(FOCUSED))
        if reached[-1]["name"].startswith("BODY"):
            break
    reached = [one for one in reached if not one["name"].startswith("BODY")]
    assert [one for one in reached if not one["outline"]] == []
    assert {f"INPUT {name}" for name in groups} <= {one["name"] for one in reached}
    assert sum(one["name"].startswith("SUMMARY") for one in reached) == summaries
    assert all(contrast(one["colour"], "#1a202b") >= SEEN for one in reached)


@pytest.mark.parametrize("width", in_browser.WIDTHS)
def test_a_leak_cannot_be_missed(tab, width):
    page = tab("affect", width=width)
    notice, answer = page.locator(".notice.leak").first, page.locator(".answer").first
    box = notice.bounding_box()
    assert 0 <= box["y"] < 450 and box["width"] > 0.8 * min(width, 1000)
    assert notice.get_attribute("role") == "alert" and NASTY in notice.inner_text()
    assert "Not to be trusted" in answer.inner_text()
    assert "Not to be trusted" not in tab("matrix", width=width).locator(".answer").inner_text()


def test_a_comparison_can_be_read_on_a_phone(tab):
    page = tab("compared", width=390)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    table = page.locator(".scroll").first
    table.evaluate("one => { one.scrollLeft = 500; }")
    assert table.evaluate("one => one.scrollLeft") > 0
    name, frame = table.locator("tbody th").first.bounding_box(), table.bounding_box()
    assert name["x"] == pytest.approx(frame["x"], abs=1)  # names of runs stay beside their numbers
    assert name["width"] < frame["width"] / 2


def test_pictures_for_the_readme_are_made(browser, tmp_path):
    script = runpy.run_path(str(Path(__file__).parents[2] / "docs/screenshots.py"))
    write_report([pair_run(tmp_path / "a_run")], tmp_path / "report.html")
    for part in script["PARTS"]:
        page = browser.new_page(viewport={"width": script["WIDTH"], "height": script["HEIGHT"]})
        page.set_default_timeout(in_browser.LIMIT)
        page.goto((tmp_path / "report.html").as_uri())
        script["save"](script[part](page), tmp_path / "picture.png")
        page.close()
        with Image.open(tmp_path / "picture.png") as image:
            assert image.width == 1280 and len(image.getcolors()) > 20
