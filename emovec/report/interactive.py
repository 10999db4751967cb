"""What interactive figures have in common: plotly's own form, as plain data.

A drawing has "data" and "layout" as https://plotly.com/javascript/reference has them, and
"switches", each with options that say which traces are visible and what changes in the layout.
Colours that differ between light and dark are names that begin with @, which the page resolves:
@ink, @faint, @panel, @outline, @sequential, @diverging.
"""

import html
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from emovec.report.html_blocks import Drawing

HINT = "pip install 'emovec[report]'"
MOST_POINTS = 4000  # in a figure: more make the page slow and large, and hide each other
HOVER = "%{text}<extra></extra>"


@dataclass(frozen=True)
class Option:
    """A choice of a switch.

    Attributes:
        label: its name
        visible: whether each trace is shown; () leaves all as they are
        layout: what changes, by plotly's dotted names such as "yaxis.title.text"
    """

    label: str
    visible: Sequence[bool] = ()
    layout: Mapping[str, Any] = field(default_factory=dict)


@cache
def library() -> str:
    """Plotly's JavaScript; "" where plotly is not installed."""
    found = importlib.util.find_spec("plotly")
    if found is None or not found.submodule_search_locations:
        return ""
    path = Path(found.submodule_search_locations[0], "package_data/plotly.min.js")
    return path.read_text(encoding="utf-8").replace("\r\n", "\n") if path.is_file() else ""


def drawing(
    traces: Sequence[Mapping[str, Any]],
    layout: Mapping[str, Any],
    switches: Mapping[str, Sequence[Option]] | None = None,
) -> Drawing:
    """A figure of traces and a layout; the first option of each switch is chosen."""
    chosen = [
        {
            "label": label,
            "options": [
                {"label": o.label, "visible": list(o.visible), "layout": dict(o.layout)}
                for o in options
            ],
        }
        for label, options in (switches or {}).items()
        if len(options) > 1
    ]
    return {"data": [dict(trace) for trace in traces], "layout": dict(layout), "switches": chosen}


def text(value: object) -> str:
    """Text that plotly shows as it is: it reads tags and entities in labels.

    >>> text("<b>a</b> & b")
    '&lt;b&gt;a&lt;/b&gt; &amp; b'
    """
    return html.escape(str(value), quote=False)


def lines(*parts: object) -> str:
    """Parts as lines of what is shown on hover; empty ones are left out."""
    return "<br>".join(text(part) for part in parts if str(part))


def numbers(values: ArrayLike, digits: int = 4) -> list[float | None]:
    """Rounded numbers, None for those that are none.

    >>> numbers([0.123456, float("nan")])
    [0.1235, None]
    """
    rounded = np.round(np.asarray(values, dtype=np.float64), digits).tolist()
    return [value if np.isfinite(value) else None for value in rounded]


def spread(count: int, most: int = MOST_POINTS) -> list[int]:
    """Numbers of at most so many rows, evenly over all.

    >>> spread(3), spread(10, 4)
    ([0, 1, 2], [0, 3, 6, 9])
    """
    if count <= most:
        return list(range(count))
    return np.linspace(0, count - 1, most).round().astype(int).tolist()


def points_note(count: int, most: int = MOST_POINTS) -> str:
    """What is said where not all are drawn; "" where they are."""
    return f"{most} of {count} clips are drawn, evenly over all." if count > most else ""


def axis(title: str, **options: Any) -> dict[str, Any]:
    """An axis with a title."""
    look = {"title": {"text": text(title)}, "gridcolor": "@faint", "zerolinecolor": "@faint"}
    return {**look, "automargin": True, **options}
