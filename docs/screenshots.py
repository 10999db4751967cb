r"""Pictures of runs' pages for the README, as PNG files 1280 pixels wide, light and dark.

    pip install -e ".[report]" playwright
    apt-get install -y --no-install-recommends chromium
    python docs/screenshots.py --parts=figure runs/verification/xvector_small/1 \
        runs/ser/affect_small/1

Of each run, ``top`` is what a reader sees first, and ``figure`` the one that says most: equal error
rates by pair of emotions, the sphere of affect, confusion of emotions, masking curves, or else the
first that there is. Writes OUTPUT/<recipe>_<name>_<part>_<light or dark>.png; run it again when
models are trained anew, since the pictures show their numbers.
"""

import argparse
import io
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from emovec.report import interactive
from emovec.report.html import write_report

if TYPE_CHECKING:
    from playwright.sync_api import ElementHandle, Page

WIDTH, HEIGHT = 1280, 800
AROUND = 16  # pixels around a figure
MOST_BYTES = 300_000
LIMIT = 300_000  # milliseconds: a busy machine without a GPU draws slowly
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SOFTWARE = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
FIGURES = ("Equal error rates", "Affect on the sphere", "Confusion of emotions", "Masking curves")
PARTS, SCHEMES = ("top", "figure"), ("light", "dark")


def main(argv: Sequence[str]) -> None:
    """Write the pages of runs, and the pictures of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run_folders", nargs="+", type=Path)
    parser.add_argument("--output", type=Path, default=Path("docs"), help="folder")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    wanted = parser.parse_args(argv)
    wanted.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        for folder in wanted.run_folders:
            path = Path(name, "report.html")
            write_report([folder], path)
            for part, scheme, picture in pictures(path, wanted.parts):
                of = folder.resolve().parts[-3:-1]  # the last is the seed
                save(picture, wanted.output / f"{'_'.join((*of, part, scheme))}.png")


def pictures(path: Path, parts: Sequence[str]) -> Iterator[tuple[str, str, bytes]]:
    """Part, scheme and PNG of each picture of a page."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sys.exit("docs/screenshots.py: no playwright; pip install playwright")
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        said = "apt-get install -y --no-install-recommends chromium"
        sys.exit(f"docs/screenshots.py: none of {', '.join(BROWSERS)}; {said}")
    if not interactive.library():
        sys.exit(f"docs/screenshots.py: no plotly; {interactive.HINT}")
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=browser, args=SOFTWARE, timeout=LIMIT)
        for scheme in SCHEMES:
            size = {"width": WIDTH, "height": HEIGHT}
            page = opened.new_page(viewport=size, color_scheme=scheme, reduced_motion="reduce")
            page.set_default_timeout(LIMIT)
            page.goto(path.as_uri())
            for part in parts:
                yield part, scheme, top(page) if part == "top" else figure(page)
        opened.close()


def top(page: "Page") -> bytes:
    """What is seen first; figures that reach into it are drawn."""
    for one in page.query_selector_all("figure.interactive"):
        box = one.bounding_box()
        if box and box["y"] < HEIGHT:
            drawn(one)
    page.evaluate("scrollTo(0, 0)")
    return page.screenshot()


def figure(page: "Page") -> bytes:
    """The figure that says most, with its title and switches, as wide as the page."""
    all_ = page.query_selector_all("figure")
    titles = [one.query_selector("figcaption").inner_text() for one in all_]
    best = [titles.index(title) for of in FIGURES for title in titles if title.startswith(of)]
    chosen = all_[best[0] if best else 0]
    drawn(chosen)
    page.evaluate("scrollTo(0, 0)")
    box = chosen.bounding_box()
    clip = {"x": 0, "y": box["y"] - AROUND, "width": WIDTH, "height": box["height"] + 2 * AROUND}
    return page.screenshot(clip=clip, full_page=True)


def drawn(one: "ElementHandle") -> None:
    """Wait until a figure has been drawn, in three dimensions as well."""
    one.scroll_into_view_if_needed()
    if "interactive" in (one.get_attribute("class") or ""):
        one.wait_for_selector(".plot .main-svg", state="attached")
        one.evaluate("() => new Promise((done) => setTimeout(done, 1000))")


def save(picture: bytes, path: Path) -> None:
    """A PNG of 256 colours, which pages of few colours lose nothing by."""
    with Image.open(io.BytesIO(picture)) as image:
        image.convert("RGB").quantize(256).save(path, optimize=True)
    size = path.stat().st_size
    print(f"{path}: {size / 1000:.0f} kB")
    if size > MOST_BYTES:
        sys.exit(f"{path}: {size:,} bytes; at most {MOST_BYTES:,} are wanted in the repository.")


if __name__ == "__main__":
    main(sys.argv[1:])
