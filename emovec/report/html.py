"""A run, or several beside each other, as one HTML file that needs nothing else."""

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from emovec import __version__
from emovec.report import html_facts, interactive
from emovec.report.html_audio import Heard, heard
from emovec.report.html_blocks import Block, Chart, Facts, Notice, Section, Table
from emovec.report.html_comparison import comparison
from emovec.report.html_runs import RunFolder, read_runs
from emovec.report.html_sections import Sections
from emovec.tables.files import write_atomically

MOST_DETAILED = 6  # runs that are shown whole: of more the file would be too large to pass on
NAMES = {"leak": "Not to be trusted", "warning": "Warning", "note": "Note"}


@dataclass(frozen=True)
class RunPart:
    """A run on a page."""

    name: str
    notices: Sequence[Notice]
    facts: Facts
    answer: str
    baseline: str
    sections: Sequence[Section]


@dataclass(frozen=True)
class Page:
    """All that is shown."""

    title: str
    notices: Sequence[Notice]
    comparison: Section | None
    runs: Sequence[RunPart]


def write_report(folders: Sequence[Path], output: Path, *, with_audio: bool = False) -> None:
    """Write a page of one run, or of several with a comparison.

    Interactive where plotly is installed; else with the runs' static figures. It needs no network,
    and whatever a name or an id holds is shown as text.

    Args:
        folders: of runs that have ended
        output: HTML file
        with_audio: whether clips can be heard, as far as they are where the run had them

    Raises:
        ResultError: if there is no folder, one is no run, twice there, or has damaged files
        StorageError: if the file cannot be written
    """
    runs = read_runs(folders)
    page = make_page(runs)
    audio = Heard({}, "")
    if with_audio:
        clips = {id_: clip for run in runs for id_, clip in run.clips.items()}
        audio = heard(_shown_ids(page), clips)
        page = replace(page, notices=[*page.notices, Notice("note", audio.note)])
    with write_atomically(output, "wb") as file:
        # what is no UTF-8 in a name stands in the page as an escape
        file.write(render(page, audio).encode("utf-8", "backslashreplace"))


def make_page(runs: Sequence[RunFolder]) -> Page:
    """What is shown of runs."""
    several, notices = len(runs) > 1, []
    detailed = runs[:MOST_DETAILED]
    if len(detailed) < len(runs):
        said = f"{len(runs)} runs are compared; the first {len(detailed)} are shown whole."
        notices.append(Notice("note", said))
    if not interactive.library():
        said = f"The figures are static. Interactive ones: {interactive.HINT}"
        notices.append(Notice("note", said))
    return Page(
        f"{len(runs)} runs compared" if several else runs[0].name,
        notices,
        comparison(runs) if several else None,
        [_run_part(run, several=several) for run in detailed],
    )


def render(page: Page, audio: Heard) -> str:
    """The page as HTML; the only place where texts become HTML, all escaped by the environment."""
    charts = {chart: f"chart-{number}" for number, chart in enumerate(_charts(page), start=1)}
    drawn = {id_: chart.drawing for chart, id_ in charts.items() if chart.drawing}
    environment = _environment()
    library = interactive.library() if drawn else ""
    sources = [*filter(None, (library, _source("report.js")))]
    footer = "Interactive figures: plotly.js, MIT licence." if library else ""
    return environment.get_template("report.html").render(
        page=page,
        names=NAMES,
        chart_ids=charts,
        audio=audio.clips,
        data={"charts": drawn, "audio": dict(audio.clips)},
        styles=Markup(_source("report.css")),  # ours and plotly's: all that is not escaped
        scripts=[Markup(source) for source in sources],
        policy=_policy(sources),
        version=__version__,
        footer=footer,
    )


def _run_part(run: RunFolder, *, several: bool) -> RunPart:
    result = run.result
    sections = []
    for section in Sections(run).all():
        blocks = [block for found in section.blocks if (block := _as_can_be(found, several))]
        if blocks:
            sections.append(Section(section.title, blocks))
    return RunPart(
        run.name,
        list(html_facts.notices(result)),
        html_facts.what_was_run(run),
        html_facts.answer(result),
        html_facts.best_baseline(result),
        sections,
    )


def _as_can_be(block: Block, several: bool) -> Block | None:
    """A chart without what cannot be drawn, or, of several runs, without a picture it can spare."""
    if not isinstance(block, Chart):
        return block
    if not interactive.library():
        return replace(block, drawing=None) if block.picture else None
    return replace(block, picture="") if several and block.drawing else block


def _blocks(page: Page) -> Iterator[Block]:
    for run in page.runs:
        for section in run.sections:
            yield from section.blocks


def _charts(page: Page) -> Iterator[Chart]:
    return (block for block in _blocks(page) if isinstance(block, Chart))


def _shown_ids(page: Page) -> Iterator[str]:
    """Clips that the page shows; those of tables first."""
    for block in _blocks(page):
        if isinstance(block, Table):
            yield from block.audio.values()
    for chart in _charts(page):
        for trace in chart.drawing["data"] if chart.drawing else ():
            yield from trace.get("customdata", ())


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("emovec.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # compact, and an error rather than a NaN, which is no JSON
    environment.policies["json.dumps_function"] = partial(
        json.dumps, separators=(",", ":"), allow_nan=False
    )
    environment.policies["json.dumps_kwargs"] = {}
    return environment


def _source(name: str) -> str:
    """A style or script of ours."""
    path = resources.files("emovec.report").joinpath("templates", name)
    return path.read_text(encoding="utf-8").replace("\r\n", "\n")  # as a browser hashes it


def _policy(scripts: Sequence[str]) -> str:
    """What a browser may run and load: the page's own scripts, and nothing of anywhere else."""
    hashes = []
    for script in scripts:
        digest = hashlib.sha256(script.encode()).digest()
        hashes.append(f"'sha256-{base64.b64encode(digest).decode()}'")
    return (
        f"default-src 'none'; script-src {' '.join(hashes)} 'unsafe-eval'; "
        "style-src 'unsafe-inline'; img-src data: blob:; media-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
