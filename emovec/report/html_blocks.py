"""What a page is made of: sections, and blocks that the template knows how to show."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

WIDE = 1000  # pixels; figures have 200 an inch
Drawing = Mapping[str, Any]  # "data", "layout" and "switches", see emovec.report.interactive


@dataclass(frozen=True)
class Notice:
    """Something that must not be missed: a "leak", a "warning" or a "note"."""

    kind: ClassVar[str] = "notice"
    severity: str
    text: str


@dataclass(frozen=True)
class Facts:
    """Names and values; values of several lines are shown as typed."""

    kind: ClassVar[str] = "facts"
    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        caption: what it shows
        header: names of columns
        rows: texts; the first of each names its row
        audio: by number of a row, the clip that it plays
        folded: whether it is shown only when asked for
    """

    kind: ClassVar[str] = "table"
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    audio: Mapping[int, str] = field(default_factory=dict)
    folded: bool = False


@dataclass(frozen=True, eq=False)
class Chart:
    """A figure: interactive, a picture, or the picture until the other is drawn.

    Attributes:
        title: a few words
        alt: what there is to see, for those who do not see it
        drawing: the interactive one, or None
        picture: the static one as a data URI, or ""
        note: what a reader must know
        is_wide: whether the picture is too wide for a phone
    """

    kind: ClassVar[str] = "chart"
    title: str
    alt: str
    drawing: Drawing | None = None
    picture: str = ""
    note: str = ""
    is_wide: bool = False


Block = Notice | Facts | Table | Chart


@dataclass(frozen=True)
class Section:
    """A heading and what is below it."""

    title: str
    blocks: Sequence[Block]


def picture(path: Path | None) -> str:
    """A PNG file as a data URI; "" for none."""
    if path is None:
        return ""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")


def is_wide(path: Path | None) -> bool:
    """Whether a PNG file is wider than a column of print: a phone then scrolls it."""
    if path is None:
        return False
    with path.open("rb") as file:
        return int.from_bytes(file.read(20)[16:], "big") > WIDE
